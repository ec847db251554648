//! Quote stuffing: somebody floods the book with orders that are gone before anybody can trade with them.

use types::Side;

use super::core::{Core, Wake};
use super::makers::lots;
use super::time::{SECOND, nanos};
use crate::book::Owner;

/// Orders that wait to be cancelled at most: half a blink of the flood.
const STANDING_MAX: u32 = 24;

/// Ticks behind the touch within which the orders stand.
const BEHIND_TICKS: u32 = 4;

/// What is planted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct StuffingPlan {
    /// From when and until when, nanoseconds since midnight.
    pub(crate) from_ns: u64,
    pub(crate) until_ns: u64,
    /// Messages a second: orders and their cancels.
    pub(crate) messages_per_s: u32,
}

/// How far the flood is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flood {
    /// It begins, with so many messages a second.
    Begun(u32),
    /// It is over.
    Done,
}

/// Who floods the book.
#[derive(Debug)]
pub(crate) struct Stuffer {
    plan: StuffingPlan,
    standing: Vec<u64>,
    has_begun: bool,
}

impl Stuffer {
    pub(crate) fn new(plan: StuffingPlan, core: &mut Core) -> Self {
        core.wake_at(plan.from_ns, Wake::Stuff);
        Self { plan, standing: Vec::with_capacity(STANDING_MAX as usize), has_begun: false }
    }

    /// A burst of orders, or the cancels of the one before; gives what there is to tell.
    pub(crate) fn act(&mut self, core: &mut Core) -> Option<Flood> {
        for order in self.standing.drain(..) {
            core.cancel(order);
        }
        if core.now >= self.plan.until_ns {
            return Some(Flood::Done);
        }
        // Orders and cancels alternate: a burst of n orders is 2 n messages.
        let burst = 1 + core.dice.below(STANDING_MAX);
        for _ in 0..burst {
            let side = if core.dice.chance(0.5) { Side::Bid } else { Side::Ask };
            let behind = i64::from(core.dice.below(BEHIND_TICKS));
            let size = lots(core.dice.lognormal(core.profile.noise_lots, 0.5));
            let Some(touch) = core.book.best(side) else { continue };
            let px = if side == Side::Bid { touch - behind } else { touch + behind };
            self.standing.push(core.post(side, px, size, Owner::Stuffer));
        }
        let pause = 2.0 * f64::from(burst) / f64::from(self.plan.messages_per_s.max(1));
        let wait = nanos(core.dice.exponential(pause)).min(SECOND);
        core.wake_in(wait, Wake::Stuff);
        let begins = !std::mem::replace(&mut self.has_begun, true);
        begins.then_some(Flood::Begun(self.plan.messages_per_s))
    }
}
