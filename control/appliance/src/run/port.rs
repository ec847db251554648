//! A port's own counters and its link, for `status`. They are the device's: reading them may take a driver a system call or a word with
//! the card, so the thread that polls the port never does, and whoever asks gets what was read within the last second.

use control::protocol::PortStatus;
use std::sync::{Mutex, MutexGuard, PoisonError};
use types::{Nanos, UnixNanos};

/// How old a reading may be.
const KEPT: Nanos = Nanos::SECOND;

/// Asks a port what it counts and how its link is, or says why it does not say.
pub(super) type Gauge = Box<dyn Fn() -> Result<PortStatus, String> + Send>;

/// One port, and what it said last.
pub(super) struct PortView(Mutex<Seen>);

struct Seen {
    /// None once the port is closed.
    gauge: Option<Gauge>,
    last: PortStatus,
    at: Option<UnixNanos>,
}

impl PortView {
    /// The port called `device`.
    pub(super) fn new(device: String, gauge: Gauge) -> Self {
        let last = PortStatus { device, ..PortStatus::default() };
        Self(Mutex::new(Seen { gauge: Some(gauge), last, at: None }))
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        // Whole after every statement.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How it is at `now`.
    pub(super) fn status(&self, now: UnixNanos) -> PortStatus {
        let mut seen = self.lock();
        let is_due = seen.at.is_none_or(|at| now.since(at) >= KEPT);
        if let Some(read) = seen.gauge.as_ref().filter(|_| is_due).map(|gauge| gauge()) {
            seen.at = Some(now);
            seen.last = match read {
                Ok(status) => status,
                // What it counted stands; of its link nothing is known.
                Err(unreadable) => {
                    PortStatus { link_up: None, speed_mbps: None, unreadable, ..seen.last.clone() }
                }
            };
        }
        seen.last.clone()
    }

    /// Lets go of the port, which closes when nobody else has it.
    pub(super) fn close(&self) {
        drop(self.lock().gauge.take());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    #[test]
    fn a_port_is_read_once_a_second_however_often_somebody_asks_and_never_once_it_is_closed() {
        let reads = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&reads);
        // It says nothing from the fourth time on.
        let gauge = move || {
            let reads = counted.fetch_add(1, Ordering::Relaxed) + 1;
            let status = PortStatus { missed: reads, link_up: Some(true), ..PortStatus::default() };
            if reads < 4 { Ok(status) } else { Err("no answer".to_owned()) }
        };
        let view = PortView::new("x".to_owned(), Box::new(gauge));
        let at = |ms: u64| view.status(UnixNanos(1_000_000 * ms));
        assert_eq!([5, 6, 1_004].map(|ms| at(ms).missed), [1, 1, 1]);
        assert_eq!([1_005, 2_004, 2_005].map(|ms| at(ms).missed), [2, 2, 3]);
        let silent = at(9_000);
        assert_eq!((silent.missed, silent.link_up, silent.unreadable.as_str()), (3, None, "no answer"));
        assert_eq!(reads.load(Ordering::Relaxed), 4);
        view.close();
        assert_eq!((at(99_000).missed, reads.load(Ordering::Relaxed), Arc::strong_count(&reads)), (3, 4, 1));
    }
}
