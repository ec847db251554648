//! What every protocol's gateway does.

use types::UnixNanos;

/// A gateway, whatever it speaks.
pub(crate) trait Carrier {
    /// Does what there is to do, and says whether that was anything.
    fn turn(&mut self, now: UnixNanos) -> bool;
    /// Begins to stop.
    fn stop(&mut self, now: UnixNanos);
    /// Whether it has stopped.
    fn has_stopped(&mut self, now: UnixNanos) -> bool;
    /// What a person should know, since the last call.
    fn take_said(&mut self) -> Vec<String>;
    /// Orders that may still trade, and records that the daemon was not told of.
    fn open_and_lost(&self) -> (usize, u64);
    /// Whether the daemon has put its client in audit mode.
    fn audits(&self) -> bool;
    /// Counters, `name=value` each.
    fn counted(&self) -> String;
}

/// Who talks, in words.
pub(super) struct Parties {
    /// What is spoken.
    pub(super) protocol: &'static str,
    /// The firm, as it calls itself.
    pub(super) firm: String,
    /// The gateway, as the venue knows it.
    pub(super) at_venue: String,
}

macro_rules! carry {
    ($gateway:ty, $counted:expr) => {
        impl crate::gateway::carrier::Carrier for $gateway {
            fn turn(&mut self, now: types::UnixNanos) -> bool {
                Self::turn(self, now)
            }

            fn stop(&mut self, now: types::UnixNanos) {
                Self::stop(self, now);
            }

            fn has_stopped(&mut self, now: types::UnixNanos) -> bool {
                Self::has_stopped(self, now)
            }

            fn take_said(&mut self) -> Vec<String> {
                Self::take_said(self)
            }

            fn open_and_lost(&self) -> (usize, u64) {
                Self::open_and_lost(self)
            }

            fn audits(&self) -> bool {
                Self::audits(self)
            }

            fn counted(&self) -> String {
                let counted: fn(&Self) -> String = $counted;
                counted(self)
            }
        }
    };
}

pub(super) use carry;
