//! How long whoever asked waits: nothing is loosened for somebody who has given up.

use super::second::Second;
use crate::protocol::{Refusal, RefusalKind};
use std::time::{Duration, Instant};
use types::UnixNanos;

/// When a command came in, and whether somebody still waits for its answer.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    /// When it came in, from where the answer counts its times.
    pub received: UnixNanos,
    /// When that was by a clock that nobody sets, and how long the sender waits from then on, where it said so.
    pub within: Option<(Instant, Duration)>,
    /// Whether the sender is still there.
    pub waits: &'a dyn Fn() -> bool,
    /// What is known of a second person; none for whoever asks alone.
    pub(super) second: Option<&'a Second>,
}

impl std::fmt::Debug for Asked<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Asked({}, {:?})", self.received.0, self.within)
    }
}

impl Asked<'static> {
    /// Asked at `received` by somebody who waits for as long as it takes.
    #[must_use]
    pub fn at(received: UnixNanos) -> Self {
        Self { received, within: None, waits: &|| true, second: None }
    }
}

impl<'a> Asked<'a> {
    /// Asked just now, at `received` by the appliance's clock, by somebody who waits for `wait`, where that is said, and as long as
    /// `waits` says so.
    #[must_use]
    pub fn by(received: UnixNanos, wait: Option<Duration>, waits: &'a dyn Fn() -> bool) -> Self {
        Self { received, within: wait.map(|wait| (Instant::now(), wait)), waits, second: None }
    }
}

impl Asked<'_> {
    /// Refuses when nobody waits any more. Tightening does not ask.
    pub(super) fn still_wanted(&self) -> Result<(), Refusal> {
        let late = self.within.filter(|(since, wait)| since.elapsed() >= *wait);
        let message = match late {
            Some((_, wait)) => {
                format!(
                    "nothing was changed: the request was to be done within {} ms, which are over",
                    wait.as_millis()
                )
            }
            None if (self.waits)() => return Ok(()),
            None => "nothing was changed: whoever asked has hung up".to_owned(),
        };
        Err(Refusal { kind: RefusalKind::Expired, message })
    }
}
