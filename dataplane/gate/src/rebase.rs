//! Steps of a gate whose clock was ahead: taken as of now, so that one wrong clock closes nothing for as long as it was wrong.

use types::UnixNanos;

use crate::journal::Step;

/// The most of a rate that is kept of a time at which the clock may have been right: what a burst of the usual size takes.
const KEPT_NS: u64 = 1_000_000_000;

/// The bit of [`Step::Holds`] that is no time.
const DOUBT: u64 = 1 << 63;

/// Bounds the times of a checkpoint ([`crate::Gate::checkpoint`]) by `newest`, which is now by a clock that is to be believed. What
/// happened later by its own account happened now; what is due later is due as much sooner as the latest of all times is ahead, and
/// not sooner than a second from now. Gives how far that one is ahead, in nanoseconds; 0 where nothing was changed.
#[must_use]
pub fn rebase(steps: &mut [Step], newest: UnixNanos) -> u64 {
    let latest = steps.iter().filter_map(Step::at).max();
    let ahead = latest.map_or(0, |latest| latest.since(newest).0);
    if ahead == 0 {
        return 0;
    }
    let sooner = |due: u64| due.saturating_sub(ahead).max(due.min(newest.0.saturating_add(KEPT_NS)));
    for step in steps {
        match step {
            Step::Due { due, .. } => due.0 = sooner(due.0),
            Step::Holds { due, .. } => *due = *due & DOUBT | sooner(*due & !DOUBT),
            Step::Sent(_)
            | Step::Replaced { .. }
            | Step::Settled(_)
            | Step::Positioned { .. }
            | Step::Astray { .. }
            | Step::AccountHolds { .. }
            | Step::Order(_)
            | Step::Execution { .. }
            | Step::Asked { .. }
            | Step::CancelSent { .. }
            | Step::Did { .. }
            | Step::Counted(_)
            | Step::Tallied { .. }
            | Step::Told(_)
            | Step::Streak { .. }
            | Step::Stopped { .. }
            | Step::StopTaken { .. } => {}
        }
        if let Some(at) = time_mut(step) {
            *at = (*at).min(newest);
        }
    }
    ahead
}

impl Step {
    /// When it was, by its own account; none of one without a time.
    #[must_use]
    pub fn at(&self) -> Option<UnixNanos> {
        let mut step = *self;
        time_mut(&mut step).copied()
    }
}

/// The same, to be changed.
const fn time_mut(step: &mut Step) -> Option<&mut UnixNanos> {
    match step {
        Step::Sent(sent) | Step::Replaced { sent, .. } => Some(&mut sent.at),
        Step::Due { at, .. }
        | Step::Asked { at, .. }
        | Step::CancelSent { at, .. }
        | Step::Did { at, .. }
        | Step::Counted(at)
        | Step::Tallied { at, .. }
        | Step::Told(at) => Some(at),
        Step::Settled(_)
        | Step::Positioned { .. }
        | Step::Holds { .. }
        | Step::Astray { .. }
        | Step::AccountHolds { .. }
        | Step::Order(_)
        | Step::Execution { .. }
        | Step::Streak { .. }
        | Step::Stopped { .. }
        | Step::StopTaken { .. } => None,
    }
}
