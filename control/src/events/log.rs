//! The log of events: what anybody tells is taken at once and without waiting, numbered, kept in the journal and in memory, and read
//! from there by whoever wants it at its own speed.
//!
//! Nobody who tells something waits for a disk or a network: it goes into a bounded box, one thread numbers it and wakes who sends it on,
//! and another brings it to disk, so that a disk that hangs keeps nobody from being paged. A box that is full loses events, which are
//! counted and marked by an event of their own.

use super::book::AlertBook;
use super::draft::Draft;
use super::journal::{Journal, JournalReader, SEQ_MAX, replace};
use super::throttle::Throttle;
use crate::protocol::{Event, EventKind, EventStatus, Severity, SinkStatus};
use crate::stamp::Stamp;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;
use types::UnixNanos;

/// Where the log's time comes from.
pub(crate) type Now = Arc<dyn Fn() -> UnixNanos + Send + Sync>;

/// Events on their way to the journal at most.
const INBOX_MAX: usize = 16_384;

/// Events kept in memory.
const RECENT_MAX: usize = 4_096;

/// How long the writing thread waits for something to do.
const TICK: Duration = Duration::from_millis(100);

/// How often the alerts are brought to disk at most.
const KEEP_NS: u64 = 200_000_000;

/// Version of the alerts' file.
const BOOK_VERSION: u32 = 1;

/// The alerts' file.
#[derive(Serialize, Deserialize)]
struct BookFile<B> {
    version: u32,
    alerts: B,
}

#[derive(Default)]
struct Inbox {
    waiting: VecDeque<Draft>,
    /// Found no room, since the last mark and in all.
    unmarked: u64,
    lost: u64,
}

/// The newest events.
struct Tail {
    recent: VecDeque<Arc<Event>>,
    newest: u64,
    /// The newest that is in the journal.
    written: u64,
    failing: String,
    summarised: u64,
}

/// A place in the log.
#[derive(Debug)]
pub(super) struct Cursor {
    /// The next event that is wanted.
    pub(super) next: u64,
    reader: Option<JournalReader>,
}

impl Cursor {
    pub(super) const fn at(next: u64) -> Self {
        Self { next, reader: None }
    }
}

/// What a reader gets.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) events: Vec<Arc<Event>>,
    /// Events before the first of these that are kept no more.
    pub(super) lost: u64,
    /// Whether they came from the journal: told later than they happened.
    pub(super) late: bool,
}

/// The log and its alerts.
pub struct EventLog {
    now: Now,
    dir: PathBuf,
    inbox: Mutex<Inbox>,
    wake: Condvar,
    tail: Mutex<Tail>,
    news: Condvar,
    pub(super) book: Mutex<AlertBook>,
    /// Whose is the alerts' file; never waited for by whoever has the book.
    pub(super) book_file: Mutex<()>,
    pub(super) sinks: Mutex<Vec<Arc<Mutex<SinkStatus>>>>,
    /// Nothing more is told.
    pub(super) stop: AtomicBool,
    /// Everything that was told is kept, and nothing more comes.
    pub(super) done: AtomicBool,
    /// Which journal this is, for those who keep their place in it elsewhere.
    pub(super) id: String,
}

impl std::fmt::Debug for EventLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "EventLog({})", self.dir.display())
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Whole after every statement; whoever panicked left nothing half done.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the threads of the log alone have.
pub(super) struct Writer {
    throttle: Throttle,
    disk: Disk,
}

/// What the one that writes has.
struct Disk {
    journal: Journal,
    /// When the alerts were last brought to disk.
    kept: Stamp,
}

impl EventLog {
    /// The log in `dir`, with its journal of `journal_bytes_max` and the alerts as they stood. What cannot be read is set aside and
    /// said, and begun anew: no file of events keeps anybody from starting.
    pub(super) fn open(dir: &Path, journal_bytes_max: u64, per_second: u32, now: Now) -> (Arc<Self>, Writer) {
        let at = Stamp(now());
        let (journal, newest, unread) = journal_in(dir, journal_bytes_max, at);
        let (mut book, damaged) = book_in(dir, at);
        let id = identity(dir, at);
        // What was written after the alerts were last kept.
        let mut reader = JournalReader::new(dir, book.heard.saturating_add(1));
        loop {
            let events = reader.read(1_024).unwrap_or_default();
            let Some(last) = events.last() else { break };
            book.heard = last.seq;
            events.iter().filter(|event| event.count == 1).for_each(|event| book.hear(event));
        }
        let tail =
            Tail { recent: VecDeque::new(), newest, written: newest, failing: String::new(), summarised: 0 };
        let log = Self {
            now,
            dir: dir.to_owned(),
            inbox: Mutex::default(),
            wake: Condvar::new(),
            tail: Mutex::new(tail),
            news: Condvar::new(),
            book: Mutex::new(book),
            book_file: Mutex::default(),
            sinks: Mutex::default(),
            stop: AtomicBool::new(false),
            done: AtomicBool::new(false),
            id,
        };
        if let Some(why) = damaged {
            let text = format!("the alerts' file could not be believed and was set aside: {why}");
            log.tell(Draft::new(at, Severity::Warning, EventKind::Said, "daemon", &text));
        }
        if let Some(why) = unread {
            log.tell(Draft::new(at, Severity::Warning, EventKind::Lost, "daemon", &why));
        }
        let writer = Writer { throttle: Throttle::new(per_second), disk: Disk { journal, kept: at } };
        (Arc::new(log), writer)
    }

    pub(super) fn now(&self) -> Stamp {
        Stamp((self.now)())
    }

    /// Takes an event. Never waits for a disk or a network; where there is no room it is lost and counted.
    pub fn tell(&self, draft: Draft) {
        let mut inbox = lock(&self.inbox);
        if inbox.waiting.len() < INBOX_MAX {
            inbox.waiting.push_back(draft);
        } else {
            inbox.unmarked += 1;
            inbox.lost += 1;
        }
        drop(inbox);
        self.wake.notify_one();
    }

    /// Says a line of the daemon's own, as its log has had it: what begins with `warning:` is one.
    pub fn say(&self, line: &str) {
        let (severity, text) =
            line.strip_prefix("warning: ").map_or((Severity::Info, line), |text| (Severity::Warning, text));
        self.tell(Draft::new(self.now(), severity, EventKind::Said, "daemon", text));
    }

    /// Numbers and keeps what came, until the log is stopped and nothing waits any more.
    pub(super) fn write(&self, writer: Writer) {
        let Writer { mut throttle, mut disk } = writer;
        let heard_all = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| self.store_until(&mut disk, &heard_all));
            loop {
                let stopping = self.stop.load(Ordering::Acquire);
                let (drafts, unmarked) = self.take(stopping);
                let idle = drafts.is_empty();
                self.hear(&mut throttle, drafts, unmarked, stopping);
                if stopping && idle {
                    break;
                }
            }
            heard_all.store(true, Ordering::Release);
            self.news.notify_all();
        });
    }

    /// Brings to disk what is numbered, until `heard_all` and nothing is owed but what the disk refuses.
    fn store_until(&self, disk: &mut Disk, heard_all: &AtomicBool) {
        loop {
            let last = heard_all.load(Ordering::Acquire);
            self.store(disk, last);
            if last {
                return;
            }
            let tail = lock(&self.tail);
            if tail.newest == tail.written || !tail.failing.is_empty() {
                drop(self.news.wait_timeout(tail, TICK));
            }
        }
    }

    fn take(&self, stopping: bool) -> (VecDeque<Draft>, u64) {
        let mut inbox = lock(&self.inbox);
        if inbox.waiting.is_empty() && !stopping {
            let waited = self.wake.wait_timeout(inbox, TICK);
            inbox = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        (std::mem::take(&mut inbox.waiting), std::mem::take(&mut inbox.unmarked))
    }

    fn hear(&self, throttle: &mut Throttle, drafts: VecDeque<Draft>, unmarked: u64, stopping: bool) {
        let now = self.now();
        let mut through: Vec<Draft> = Vec::new();
        let mut book = lock(&self.book);
        for mut draft in drafts {
            let event = draft.event();
            book.hear(event);
            if book.is_silenced(event.kind, &event.scope, now) {
                draft.silenced();
            }
            through.extend(throttle.take(draft, now));
        }
        through.extend(throttle.due(now, stopping));
        if unmarked > 0 {
            let text = format!("{unmarked} events found no room on their way to the journal");
            let mark = Draft::new(now, Severity::Warning, EventKind::Lost, "daemon", &text);
            book.hear(mark.event());
            through.push(mark.with("lost", unmarked));
        }
        book.heard = self.number(through, throttle.summarised());
        drop(book);
        self.news.notify_all();
    }

    /// Brings the events and the alerts to disk.
    fn store(&self, disk: &mut Disk, last: bool) {
        let now = self.now();
        let file = lock(&self.book_file);
        let mut book = lock(&self.book);
        let due = last || now < disk.kept || now.0.since(disk.kept.0).0 >= KEEP_NS;
        let changed = (due && book.changed).then(|| book.clone());
        book.changed &= changed.is_none();
        drop(book);
        // First, so that the alerts on disk have heard of nothing that the journal lacks.
        self.write_journal(&mut disk.journal);
        if let Some(alerts) = changed {
            disk.kept = now;
            // Tried again when it is due; until then the journal has what the file lacks.
            let kept = self.keep_book(&alerts);
            lock(&self.book).changed |= kept.is_err();
        }
        drop(file);
    }

    fn number(&self, drafts: Vec<Draft>, summarised: u64) -> u64 {
        let mut tail = lock(&self.tail);
        tail.summarised = summarised;
        for draft in drafts {
            tail.newest += 1;
            let event = Arc::new(draft.numbered(tail.newest));
            tail.recent.push_back(event);
            if tail.recent.len() > RECENT_MAX {
                tail.recent.pop_front();
            }
        }
        tail.newest
    }

    /// Writes what is in memory and not in the journal; what a full disk kept out goes in when there is room, as far as it is kept.
    fn write_journal(&self, journal: &mut Journal) {
        let tail = lock(&self.tail);
        let owed: Vec<Arc<Event>> =
            tail.recent.iter().filter(|event| event.seq > tail.written).cloned().collect();
        drop(tail);
        let outcome = journal.append(&owed);
        let mut tail = lock(&self.tail);
        match outcome {
            Ok(()) => {
                tail.written = owed.last().map_or(tail.written, |last| last.seq);
                tail.failing.clear();
            }
            Err(error) => tail.failing = error.to_string(),
        }
    }

    /// Brings alerts to disk, by whoever has the file.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn keep_book(&self, alerts: &AlertBook) -> io::Result<()> {
        let bytes = serde_json::to_vec(&BookFile { version: BOOK_VERSION, alerts })?;
        replace(&self.dir.join("alerts.json"), &bytes)
    }

    /// The newest event's number.
    pub(super) fn newest(&self) -> u64 {
        lock(&self.tail).newest
    }

    /// Waits until there is something after `after`, or for a moment.
    pub(super) fn wait_beyond(&self, after: u64, at_most: Duration) {
        let tail = lock(&self.tail);
        if tail.newest <= after && !self.done.load(Ordering::Acquire) {
            drop(self.news.wait_timeout(tail, at_most));
        }
    }

    /// Wakes everybody who waits, for the end.
    pub(super) fn wake_all(&self) {
        self.wake.notify_all();
        self.news.notify_all();
    }

    /// The next events of a reader, `most` at most.
    pub(super) fn advance(&self, cursor: &mut Cursor, most: usize) -> Batch {
        let tail = lock(&self.tail);
        let newest = tail.newest;
        if cursor.next > newest {
            // A place in another journal than this.
            cursor.next = newest + 1;
            return Batch::default();
        }
        let oldest = tail.recent.front().map_or(newest + 1, |event| event.seq);
        let from_memory = |tail: &Tail, from: u64| -> Vec<Arc<Event>> {
            let skip = usize::try_from(from.saturating_sub(oldest)).unwrap_or(usize::MAX);
            tail.recent.iter().skip(skip).take(most).cloned().collect()
        };
        let (events, late) = if cursor.next >= oldest {
            cursor.reader = None;
            (from_memory(&tail, cursor.next), false)
        } else {
            drop(tail);
            let reader = cursor.reader.get_or_insert_with(|| JournalReader::new(&self.dir, cursor.next));
            // What cannot be read is as what is not there: counted, and gone on after.
            let read = reader.read(most).unwrap_or_default();
            if read.is_empty() {
                cursor.reader = None;
                let tail = lock(&self.tail);
                let oldest = tail.recent.front().map_or(newest + 1, |event| event.seq);
                let taken: Vec<_> = tail.recent.iter().take(most).cloned().collect();
                let lost = oldest.saturating_sub(cursor.next);
                cursor.next = taken.last().map_or(oldest, |last| last.seq + 1);
                return Batch { events: taken, lost, late: true };
            }
            (read.into_iter().map(Arc::new).collect(), true)
        };
        let lost = events.first().map_or(0, |first| first.seq.saturating_sub(cursor.next));
        cursor.next = events.last().map_or(cursor.next, |last| last.seq + 1);
        Batch { events, lost, late }
    }

    /// How the log is.
    pub(crate) fn status(&self) -> EventStatus {
        let lost = lock(&self.inbox).lost;
        let (alerts, unacknowledged) = lock(&self.book).counts();
        let sinks = lock(&self.sinks).iter().map(|sink| lock(sink).clone()).collect();
        let tail = lock(&self.tail);
        EventStatus {
            newest: tail.newest,
            lost,
            summarised: tail.summarised,
            alerts,
            unacknowledged,
            journal_failing: tail.failing.clone(),
            sinks,
        }
    }
}

/// The alerts as they stood, and what was wrong with their file.
fn book_in(dir: &Path, now: Stamp) -> (AlertBook, Option<String>) {
    let path = dir.join("alerts.json");
    let read = match std::fs::symlink_metadata(&path).and_then(|found| match found.is_file() {
        true => std::fs::read(&path),
        false => Err(io::Error::other("found no file")),
    }) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return (AlertBook::default(), None),
        Err(e) => Err(e.to_string()),
        Ok(bytes) => serde_json::from_slice::<BookFile<AlertBook>>(&bytes).map_err(|e| e.to_string()),
    };
    match read {
        Ok(file) if file.version == BOOK_VERSION && file.alerts.is_countable() => (file.alerts, None),
        Ok(file) if file.version == BOOK_VERSION => {
            set_aside(&path, now, format!("found a number beyond {SEQ_MAX}"))
        }
        Ok(file) => set_aside(&path, now, format!("found version {}, wanted {BOOK_VERSION}", file.version)),
        Err(why) => set_aside(&path, now, why),
    }
}

fn set_aside(path: &Path, now: Stamp, why: String) -> (AlertBook, Option<String>) {
    // Should this fail, the next write goes over it: the journal has the events all the same.
    drop(std::fs::rename(path, path.with_extension(format!("damaged-{}", now.0.0))));
    (AlertBook::default(), Some(why))
}

/// What tells this journal from another one at the same place.
fn identity(dir: &Path, now: Stamp) -> String {
    let path = dir.join("journal.id");
    let is_file = std::fs::symlink_metadata(&path).is_ok_and(|found| found.is_file());
    let known = is_file.then(|| std::fs::read_to_string(&path).ok()).flatten();
    if let Some(id) = known.filter(|id| !id.trim().is_empty()) {
        return id.trim().to_owned();
    }
    let id = format!("{}-{}", now.0.0, std::process::id());
    // Where it cannot be kept, the next start has another one: a place in this journal is then taken for one in another.
    drop(replace(&path, id.as_bytes()));
    id
}

/// The journal in `dir`, its newest event, and what is to be said where another had to be begun: what cannot be read is set aside.
fn journal_in(dir: &Path, bytes_max: u64, now: Stamp) -> (Journal, u64, Option<String>) {
    let why = match Journal::open(dir, bytes_max) {
        Ok((journal, newest)) => return (journal, newest, None),
        Err(error) => error,
    };
    let aside = dir.with_extension(format!("damaged-{}", now.0.0));
    let kept = match std::fs::rename(dir, &aside) {
        Ok(()) => format!("what was there is kept in {}", aside.display()),
        Err(error) => {
            format!("it cannot be set aside ({error}), so events are in memory alone until it can be written")
        }
    };
    let said =
        format!("the journal of events cannot be read and is begun anew: {}: {why}; {kept}", dir.display());
    let (journal, newest) =
        Journal::open(dir, bytes_max).unwrap_or_else(|_| (Journal::unread(dir, bytes_max), 0));
    (journal, newest, Some(said))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Acknowledged, AlertChoice};
    use std::sync::atomic::AtomicU64;

    fn clock() -> Now {
        let at = AtomicU64::new(1_795_271_422_000_000_000);
        Arc::new(move || UnixNanos(at.fetch_add(1_000, Ordering::Relaxed)))
    }

    fn open(dir: &Path) -> (Arc<EventLog>, std::thread::JoinHandle<()>) {
        let (log, writer) = EventLog::open(dir, 1 << 20, 50, clock());
        let theirs = Arc::clone(&log);
        (log, std::thread::spawn(move || theirs.write(writer)))
    }

    fn close(log: &EventLog, thread: std::thread::JoinHandle<()>) {
        log.stop.store(true, Ordering::Release);
        log.wake_all();
        thread.join().unwrap();
    }

    fn warning(log: &EventLog, kind: EventKind, scope: &str) {
        log.tell(Draft::new(log.now(), Severity::Warning, kind, scope, "text"));
    }

    fn all(log: &EventLog, from: u64) -> (Vec<u64>, u64) {
        let (mut cursor, mut seqs, mut lost) = (Cursor::at(from), Vec::new(), 0);
        loop {
            let batch = log.advance(&mut cursor, 100);
            lost += batch.lost;
            if batch.events.is_empty() {
                return (seqs, lost);
            }
            seqs.extend(batch.events.iter().map(|event| event.seq));
        }
    }

    #[test]
    fn alerts_and_numbers_survive_a_restart_and_so_does_what_the_file_lacks() {
        let home = tempfile::tempdir().unwrap();
        let (log, thread) = open(home.path());
        warning(&log, EventKind::Line, "line:x/0/A");
        warning(&log, EventKind::Gap, "feed:x");
        close(&log, thread);
        assert_eq!(all(&log, 1), (vec![1, 2], 0));
        let kept = std::fs::read(home.path().join("alerts.json")).unwrap();

        let (log, thread) = open(home.path());
        let note = Acknowledged { by: "anna".into(), at: log.now(), reason: String::new() };
        let mut book = lock(&log.book);
        assert_eq!(book.counts(), (2, 2));
        assert_eq!(book.acknowledge(&AlertChoice::Ids(vec![1]), &note), Ok(1));
        drop(book);
        warning(&log, EventKind::Feed, "feed:x");
        close(&log, thread);
        // As a kill leaves it: the journal is ahead of the alerts' file.
        std::fs::write(home.path().join("alerts.json"), kept).unwrap();
        let (log, thread) = open(home.path());
        assert_eq!((log.newest(), lock(&log.book).counts().0), (3, 3));
        close(&log, thread);
        std::fs::write(home.path().join("alerts.json"), b"{").unwrap();
        let (log, thread) = open(home.path());
        assert_eq!(lock(&log.book).counts().0, 3, "all of it is in the journal");
        close(&log, thread);
        assert_eq!(all(&log, 1).0.len(), 4, "and that it was damaged is said");
    }

    #[test]
    fn no_file_of_events_keeps_the_log_from_opening() {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("events");
        let (log, thread) = open(&dir);
        warning(&log, EventKind::Line, "line:x/0/A");
        close(&log, thread);
        let (journal, alerts) = (dir.join("events-00000000000000000001.jsonl"), dir.join("alerts.json"));
        let (good, book) =
            (std::fs::read_to_string(&journal).unwrap(), std::fs::read_to_string(&alerts).unwrap());
        let huge = u64::MAX.to_string();
        let pipe = |path: &Path| {
            std::fs::remove_file(path).unwrap();
            assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
        };
        let breaks: [&dyn Fn(); 7] = [
            &|| std::fs::write(&journal, good.replace("\"seq\":1", &format!("\"seq\":{huge}"))).unwrap(),
            &|| std::fs::write(&journal, good.replace("\"count\":1", &format!("\"count\":{huge}"))).unwrap(),
            &|| std::fs::write(&alerts, book.replace("\"heard\":1", &format!("\"heard\":{huge}"))).unwrap(),
            &|| std::fs::write(dir.join(format!("events-{huge}.jsonl")), &good).unwrap(),
            &|| pipe(&journal),
            &|| pipe(&alerts),
            &|| {
                std::fs::remove_dir_all(&dir).unwrap();
                std::fs::write(&dir, "in its place").unwrap();
            },
        ];
        for (n, damage) in breaks.iter().enumerate() {
            damage();
            let (log, thread) = open(&dir);
            for _ in 0..2 {
                warning(&log, EventKind::Gap, "feed:x");
            }
            close(&log, thread);
            assert!(log.newest() >= 2 && log.status().journal_failing.is_empty(), "{n}: {:?}", log.status());
            drop(std::fs::remove_dir_all(&dir));
            let (log, thread) = open(&dir);
            warning(&log, EventKind::Line, "line:x/0/A");
            close(&log, thread);
        }
    }

    #[test]
    fn a_storm_waits_for_nothing_is_bounded_and_every_event_of_it_is_accounted_for() {
        let home = tempfile::tempdir().unwrap();
        let (log, writer) = EventLog::open(home.path(), 1 << 20, 50, clock());
        // Nobody takes them: what has no room is lost, counted, and said.
        for n in 0..INBOX_MAX + 100 {
            warning(&log, EventKind::Tier, &format!("instrument:S{n}"));
        }
        let theirs = Arc::clone(&log);
        let thread = std::thread::spawn(move || theirs.write(writer));
        close(&log, thread);
        let status = log.status();
        assert_eq!(status.lost, 100);
        assert_eq!(status.summarised, INBOX_MAX as u64 - 50);
        let mut cursor = Cursor::at(1);
        let events = log.advance(&mut cursor, 1_000).events;
        assert_eq!(events.len(), 50 + 1 + 1, "those let through, the summary, the mark");
        assert_eq!(
            events.iter().filter(|e| e.kind == EventKind::Tier).map(|e| e.count).sum::<u64>(),
            INBOX_MAX as u64
        );
        assert!(events.iter().any(|event| event.kind == EventKind::Lost && event.fields["lost"] == "100"));
    }

    #[test]
    fn whoever_fell_behind_reads_on_from_the_journal_and_hears_of_what_is_gone() {
        let home = tempfile::tempdir().unwrap();
        let (log, mut writer) = EventLog::open(home.path(), 0, u32::MAX, clock());
        let tell = |log: &EventLog, writer: &mut Writer, count: usize| {
            for _ in 0..count {
                warning(log, EventKind::Said, "daemon");
                let (drafts, _) = log.take(true);
                log.hear(&mut writer.throttle, drafts, 0, false);
                log.store(&mut writer.disk, false);
            }
        };
        tell(&log, &mut writer, 10);
        assert_eq!(all(&log, 1), ((1..=10).collect(), 0));
        tell(&log, &mut writer, RECENT_MAX + 2_000);
        let (seqs, lost) = all(&log, 1);
        let newest = (RECENT_MAX + 2_010) as u64;
        assert_eq!(*seqs.last().unwrap(), newest);
        assert_eq!(seqs.len() as u64 + lost, newest, "had or counted");
        assert!(lost > 0 && seqs.windows(2).all(|pair| pair[1] == pair[0] + 1));
        // The journal cannot be written: what is in memory is told all the same, and written when it can be again.
        std::fs::remove_dir_all(home.path()).unwrap();
        std::fs::write(home.path(), "in its place").unwrap();
        tell(&log, &mut writer, 200);
        assert!(!log.status().journal_failing.is_empty());
        std::fs::remove_file(home.path()).unwrap();
        tell(&log, &mut writer, 1);
        assert_eq!(log.status().journal_failing, "");
        assert_eq!(all(&log, newest + 1), ((newest + 1..=newest + 201).collect(), 0));
    }
}
