//! What a step says to whoever keeps it.

use gate::{OrderEvent, Step};
use types::{Qty, UnixNanos};

/// Shares moved with an order that nobody has: every position is in doubt.
pub(super) const DOUBT: Step = Step::Settled(OrderEvent::Filled { id: 0, qty: Qty(0) });

/// Whether a step says of flat books that they are in doubt, and no more.
pub(super) const fn is_mere_doubt(step: &Step) -> bool {
    matches!(step, Step::Holds { position: 0, due, .. } if *due >> 63 != 0)
}

/// Whether something would be missing without the step: shares, a doubt, an order that may still trade, or today's profit.
pub(super) const fn counts(step: &Step) -> bool {
    match step {
        Step::Holds { position, due, .. } => *position != 0 || *due >> 63 != 0,
        Step::AccountHolds { position, .. } => *position != 0,
        Step::Order(kept) => kept.life < 2,
        Step::Due { .. }
        | Step::Execution { .. }
        | Step::Asked { .. }
        | Step::CancelSent { .. }
        | Step::Did { .. }
        | Step::Counted(_)
        | Step::Told(_)
        | Step::Streak { .. }
        | Step::Astray { .. }
        | Step::Stopped { .. }
        | Step::StopTaken { .. } => false,
        Step::Sent(_)
        | Step::Replaced { .. }
        | Step::Settled(_)
        | Step::Positioned { .. }
        | Step::Tallied { .. } => true,
    }
}

/// The time that a record of a step is of; none of an order, which has its own, and of a step that has none.
pub(super) fn time_of(step: &Step) -> UnixNanos {
    if matches!(step, Step::Sent(_) | Step::Replaced { .. }) {
        return UnixNanos(0);
    }
    step.at().unwrap_or(UnixNanos(0))
}
