//! How long whoever asked waits: nothing is loosened for somebody who has given up.

use super::second::Second;
use crate::protocol::{Refusal, RefusalKind};
use crate::stamp::Stamp;
use types::UnixNanos;

/// When a command came in, and whether somebody still waits for its answer.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    /// When it came in, from where the answer counts its times.
    pub received: UnixNanos,
    /// Until when the sender waits, when it said so.
    pub deadline: Option<Stamp>,
    /// Whether the sender is still there.
    pub waits: &'a dyn Fn() -> bool,
    /// What is known of a second person; none for whoever asks alone.
    pub(super) second: Option<&'a Second>,
}

impl std::fmt::Debug for Asked<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Asked({}, {:?})", self.received.0, self.deadline)
    }
}

impl Asked<'static> {
    /// Asked at `received` by somebody who waits for as long as it takes.
    #[must_use]
    pub fn at(received: UnixNanos) -> Self {
        Self { received, deadline: None, waits: &|| true, second: None }
    }
}

impl<'a> Asked<'a> {
    /// Asked at `received` by somebody who waits until `deadline`, where there is one, and as long as `waits` says so.
    #[must_use]
    pub const fn by(received: UnixNanos, deadline: Option<Stamp>, waits: &'a dyn Fn() -> bool) -> Self {
        Self { received, deadline, waits, second: None }
    }
}

impl Asked<'_> {
    /// Refuses when nobody waits any more. Tightening does not ask.
    pub(super) fn still_wanted(&self, now: UnixNanos) -> Result<(), Refusal> {
        let late = self.deadline.filter(|deadline| now > deadline.0);
        let message = match late {
            Some(deadline) => {
                format!("nothing was changed: the request was to be done by {deadline}, which is past")
            }
            None if (self.waits)() => return Ok(()),
            None => "nothing was changed: whoever asked has hung up".to_owned(),
        };
        Err(Refusal { kind: RefusalKind::Expired, message })
    }
}
