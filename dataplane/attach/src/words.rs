//! What a daemon said last, for whoever looks after orders when it is gone and no other has taken them in.

use gate::{Breaker, BreakerKey, BreakerReader};
use types::{Nanos, UnixNanos};

/// The halts and trips of one daemon, and when it was heard last. Its tables stay mapped while the process lives, so all of this can be
/// read with the daemon dead and the thread that was attached to it given up.
#[derive(Clone, Debug)]
pub struct LastWords {
    breakers: BreakerReader,
    /// How long the daemon may be silent; 0 where its client goes on without it.
    silence_max: Nanos,
}

impl LastWords {
    /// Of `breakers`, whose writer may say nothing for `silence_max`: 0 is for ever (`on_daemon_loss = "static"`).
    #[must_use]
    pub const fn new(breakers: BreakerReader, silence_max: Nanos) -> Self {
        Self { breakers, silence_max }
    }

    /// As [`gate::Gate::breaker`]: what stands in a scope's breaker.
    #[must_use]
    pub fn breaker(&self, key: BreakerKey) -> Option<Breaker> {
        self.breakers.get(key)
    }

    /// When the daemon was last heard of, by its own clock; 0 before it was.
    #[must_use]
    pub fn heard(&self) -> UnixNanos {
        self.breakers.heard()
    }

    /// How long the daemon may be silent before its client is to halt (`on_daemon_loss = "halt"`); `None` where it goes on without it.
    #[must_use]
    pub fn silence_max(&self) -> Option<Nanos> {
        (self.silence_max != Nanos(0)).then_some(self.silence_max)
    }
}
