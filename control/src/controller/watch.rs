//! Looking after the appliance: what it does by itself becomes events, several times a second, on a thread that may wait.

use super::ahead::Overdue;
use super::books::book_word;
use super::plane::Controller;
use crate::events::{Draft, EventLog, Facts, LOOKED_FOR, Lasting, Watched};
use crate::names::Scope;
use crate::protocol::{EventKind, Severity};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How often it looks. RTS 6 Art. 16 allows five seconds from an event to its alert.
const EVERY: Duration = Duration::from_millis(200);

/// Books are looked through every so many times: there are thousands.
const BOOKS_EVERY: u32 = 5;

/// The thread that looks, and the one that records who was refused, which may have to wait for the disk. Dropping it ends both.
#[derive(Debug)]
pub struct Watch {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // A panic in one has been printed.
        self.threads.drain(..).for_each(|thread| drop(thread.join()));
    }
}

impl Controller {
    /// Tells `events` from now on of everything that the audit log hears of, and answers questions about events and alerts by it.
    /// What is latched now is what its alerts say. Once; later calls change nothing.
    pub fn tell(&self, events: Arc<EventLog>) {
        let mut inner = self.lock();
        let now = self.now();
        let mut lasting = Lasting::new();
        if let Some(halt) = inner.latch.halt() {
            let text = format!("halted since {:.3} by {}: {}", halt.since, halt.by, halt.reason);
            lasting.insert((EventKind::Halt, Scope::Firm.to_string()), (Severity::Critical, text));
        }
        for (scope, entry) in inner.latch.entries() {
            let text = format!("tripped since {:.3} by {}: {}", entry.since, entry.by, entry.reason);
            lasting.insert((EventKind::Breaker, scope.to_string()), (Severity::Warning, text));
        }
        // Places that events are sent to begin anew with the daemon; so do tiers, but for those that were kept.
        let mut begun_anew = vec![EventKind::Halt, EventKind::Breaker, EventKind::Sink];
        let (rest_is_normal, kept) = self.with_tiers(&lasting);
        begun_anew.extend(rest_is_normal.then_some(EventKind::Tier));
        events.end_others(&begun_anew, &kept, now);
        events.raise_others(&lasting, now);
        let text = format!("{} started, build {}", self.instance, self.build);
        events.tell(Draft::new(now, Severity::Notice, EventKind::Daemon, "daemon", &text));
        if self.events.set(Arc::clone(&events)).is_ok() {
            inner.trail.tell(events);
        }
    }

    /// Looks after everything else until the [`Watch`] is dropped.
    ///
    /// # Errors
    /// There is no thread for it.
    pub fn watch(self: &Arc<Self>) -> std::io::Result<Watch> {
        let stop = Arc::new(AtomicBool::new(false));
        let spawn = |name: &str, work: fn(&Self, &AtomicBool)| {
            let (controller, theirs) = (Arc::clone(self), Arc::clone(&stop));
            thread::Builder::new().name(name.to_owned()).spawn(move || work(&controller, &theirs))
        };
        let threads = vec![spawn("watch", Self::look_after)?, spawn("refusals", Self::keep_refusals)?];
        Ok(Watch { stop, threads })
    }

    /// Brings the records of refusals to disk that nobody else has brought there.
    fn keep_refusals(&self, stop: &AtomicBool) {
        while !stop.load(Ordering::Relaxed) {
            let noted = self.refusals().has_noted();
            if noted && let Some(mut inner) = self.try_lock() {
                self.record_refused(&mut inner);
            }
            thread::sleep(EVERY);
        }
    }

    fn look_after(&self, stop: &AtomicBool) {
        let Some(events) = self.events.get() else { return };
        let mut facts = Facts::new(self.now());
        let (mut turn, mut settled) = (0_u32, false);
        while !stop.load(Ordering::Relaxed) {
            let drafts = facts.look(&self.watched(turn.is_multiple_of(BOOKS_EVERY)));
            drafts.into_iter().for_each(|draft| events.tell(draft));
            self.words.overdue().iter().for_each(|late| events.tell(self.in_force_and_not_latched(late)));
            if !settled {
                // What the run before left in the alerts, and is not so any more.
                events.end_others(&LOOKED_FOR, facts.lasting(), self.now());
                settled = true;
            }
            turn = turn.wrapping_add(1);
            thread::sleep(EVERY);
        }
    }

    /// What is told of a halt or a trip whose record the disk keeps back: nobody is paged later because of a disk.
    fn in_force_and_not_latched(&self, late: &Overdue) -> Draft {
        let Overdue { scope, by, mode } = late;
        let (kind, severity) = match scope {
            Scope::Firm => (EventKind::Halt, Severity::Critical),
            Scope::Desk(_)
            | Scope::Account(_)
            | Scope::Strategy(_)
            | Scope::Trader(_)
            | Scope::Instrument(_) => (EventKind::Breaker, Severity::Warning),
        };
        let text = format!(
            "{scope} is {} by {by}: in force, and not on disk yet, which hangs or is slow",
            mode.as_str().replace('_', " ")
        );
        Draft::new(self.now(), severity, kind, &scope.to_string(), &text).by(by)
    }

    fn watched(&self, with_books: bool) -> Watched {
        let snapshot = self.backend.snapshot();
        let books = with_books.then(|| {
            let views = self.backend.instruments(None);
            views.into_iter().map(|view| (view.symbol, view.book, book_word(view.book))).collect()
        });
        let sessions = self.backend.sessions().into_iter().map(|view| view.session).collect();
        Watched {
            now: self.now(),
            feeds: snapshot.feeds,
            scorer: snapshot.scorer,
            rings: snapshot.load.rings,
            sessions,
            gateways: snapshot.gateways,
            reconciliations: self.reconciliations.watched(),
            alarms: self.shown().alarms,
            books,
        }
    }
}
