//! The time that timers go by: it follows the system clock, and not its jumps.

use types::{Nanos, UnixNanos};

/// A longer step than this between two turns is a clock that was set, or a process that was not run: it counts as this much.
const STEP_MAX: Nanos = Nanos(1_000_000_000);

/// A clock that never goes back, and never jumps.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct SteadyClock {
    /// The system clock when it was last asked; 0 before that.
    wall: UnixNanos,
    /// The steady time at that moment.
    at: UnixNanos,
}

impl SteadyClock {
    /// The steady time when the system clock says `wall`.
    pub(super) fn take(&mut self, wall: UnixNanos) -> UnixNanos {
        let step = if self.wall.0 == 0 { wall.0 } else { wall.0.saturating_sub(self.wall.0).min(STEP_MAX.0) };
        *self = Self { wall, at: UnixNanos(self.at.0.saturating_add(step)) };
        self.at
    }

    /// What the system clock says in this turn: for what the protocol counts from midnight by it, and for records. The gate's thread goes
    /// by the daemon's clock, and takes this one's time only where it may be that.
    pub(super) const fn wall(&self) -> UnixNanos {
        self.wall
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_set_moves_no_timer() {
        const S: u64 = 1_000_000_000;
        let mut clock = SteadyClock::default();
        assert_eq!(clock.take(UnixNanos(100 * S)), UnixNanos(100 * S));
        assert_eq!(clock.take(UnixNanos(100 * S + 7)), UnixNanos(100 * S + 7));
        // An hour forward, an hour back, and on from there.
        assert_eq!(clock.take(UnixNanos(3_700 * S)), UnixNanos(101 * S + 7));
        assert_eq!(clock.take(UnixNanos(100 * S)), UnixNanos(101 * S + 7));
        assert_eq!(clock.wall(), UnixNanos(100 * S));
        assert_eq!(clock.take(UnixNanos(100 * S + 5)), UnixNanos(101 * S + 12));
    }
}
