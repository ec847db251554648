//! What the appliance tells of itself: events, the alerts that come of them, and where they go.
//!
//! Whoever has something to tell tells it to [`EventLog`] and goes on; a thread numbers it, keeps it and works the alerts out, and each
//! place that events are sent to has a thread of its own. None of it is on the order path, and no command waits for any of it.

mod book;
mod draft;
mod facts;
mod journal;
mod log;
mod officer;
mod sink;
mod throttle;

pub use draft::Draft;
pub(crate) use draft::of_record;
pub(crate) use facts::{Facts, LOOKED_FOR, Watched};
pub use log::EventLog;
pub(crate) use officer::{Lasting, Unchanged};

use crate::config::{LogFormat, Plan};
use crate::protocol::Severity;
use log::Now;
use sink::{FileSink, RedisSink, RedisTerms, Runner, Sink, StderrSink, Terms, WebhookSink};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How long the end of the daemon waits for the journal, and then for all places together: a disk or a network file system that
/// hangs keeps no daemon from ending. Longer than a place needs for its last words and one exchange.
const END_WITHIN: Duration = Duration::from_secs(5);

/// The log and the threads that serve it. Dropping it ends them: what was told until then is kept, and told on for a second. A thread
/// that hangs is left behind, and ends with the process; what its place missed waits in the journal.
#[derive(Debug)]
pub struct Events {
    log: Arc<EventLog>,
    writer: Option<JoinHandle<()>>,
    places: Vec<JoinHandle<()>>,
}

fn dir_of(plan: &Plan) -> PathBuf {
    plan.instance.state_dir.join("events")
}

/// Whether the journal reads stderr: it names the stream that it reads by device and inode (systemd.exec(5), `JOURNAL_STREAM`).
fn journal_reads_stderr() -> bool {
    let named = std::env::var("JOURNAL_STREAM").unwrap_or_default();
    let ours = std::fs::metadata("/proc/self/fd/2").map(|found| format!("{}:{}", found.dev(), found.ino()));
    ours.is_ok_and(|ours| ours == named)
}

impl Events {
    /// Opens the log in the state directory of `plan`, which is taken, and begins to serve every place that it names.
    ///
    /// # Errors
    /// The journal cannot be opened, or a thread not be had.
    pub fn open(plan: &Plan, now: Now) -> io::Result<Self> {
        let dir = dir_of(plan);
        let bytes = u64::from(plan.ops.log.journal_mib) << 20;
        let (log, writer) = EventLog::open(&dir, bytes, plan.ops.log.events_per_s, now);
        let theirs = Arc::clone(&log);
        let writer = thread::Builder::new().name("events".to_owned()).spawn(move || theirs.write(writer))?;
        let mut events = Self { log, writer: Some(writer), places: Vec::new() };
        events.serve_all(plan, &dir)?;
        Ok(events)
    }

    fn serve_all(&mut self, plan: &Plan, dir: &Path) -> io::Result<()> {
        let cursor = |name: &str| Some(dir.join(format!("{name}.place")));
        let json = plan.ops.log.format == LogFormat::Json;
        let log =
            Terms { name: "log", level: plan.ops.log.level, spares: false, cursor: None, history: false };
        self.serve(log, StderrSink::new(json, journal_reads_stderr()))?;
        let sinks = &plan.ops.sinks;
        if !sinks.file.path.as_os_str().is_empty() {
            let level = sinks.file.level;
            let terms = Terms { name: "file", level, spares: false, cursor: cursor("file"), history: true };
            self.serve(terms, FileSink::new(sinks.file.path.clone()))?;
        }
        let timeout = Duration::from_millis(sinks.webhook.timeout_ms.into());
        let instance = plan.instance.name.to_string();
        if let Some(webhook) = WebhookSink::new(&sinks.webhook.url, timeout, instance) {
            let level = sinks.webhook.level;
            let terms =
                Terms { name: "webhook", level, spares: true, cursor: cursor("webhook"), history: false };
            self.serve(terms, webhook)?;
        }
        if !sinks.redis.address.is_empty() {
            let terms =
                Terms { name: "redis", level: Severity::Info, spares: false, cursor: None, history: true };
            let redis = RedisTerms {
                address: sinks.redis.address.clone(),
                password_file: sinks.redis.password_file.clone(),
                prefix: sinks.redis.prefix.clone(),
                stream_max: sinks.redis.stream_max,
            };
            self.serve(terms, RedisSink::new(redis, &self.log.id))?;
        }
        Ok(())
    }

    fn serve(&mut self, terms: Terms, sink: impl Sink + 'static) -> io::Result<()> {
        let name = format!("to-{}", terms.name);
        let runner = Runner::new(Arc::clone(&self.log), terms);
        self.places.push(thread::Builder::new().name(name).spawn(move || runner.run(sink))?);
        Ok(())
    }

    /// Tries what a start would, and changes nothing; gives what a start would warn of.
    ///
    /// # Errors
    /// There is something else in the journal's place.
    pub fn check(plan: &Plan) -> io::Result<Vec<String>> {
        let dir = dir_of(plan);
        match std::fs::metadata(&dir) {
            Ok(found) if !found.is_dir() => {
                return Err(io::Error::new(
                    io::ErrorKind::NotADirectory,
                    format!("{}: found a file, wanted a directory", dir.display()),
                ));
            }
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let sinks = &plan.ops.sinks;
        let said = |key: &str, path: &Path, outcome: io::Result<()>| {
            outcome
                .err()
                .map(|error| format!("{key}: {}: {error}; events wait until it can be used", path.display()))
        };
        let (file, password) = (&sinks.file.path, &sinks.redis.password_file);
        let file = if file.as_os_str().is_empty() {
            None
        } else {
            said("sink.file.path", file, FileSink::check(file))
        };
        let unread = !sinks.redis.address.is_empty() && !password.as_os_str().is_empty();
        let read = || std::fs::File::open(password).map(drop);
        let password = if unread { said("sink.redis.password_file", password, read()) } else { None };
        Ok(file.into_iter().chain(password).collect())
    }

    /// The log.
    #[must_use]
    pub fn log(&self) -> Arc<EventLog> {
        Arc::clone(&self.log)
    }
}

/// Waits for `thread` until `until`, and no longer. A panic in it has been printed.
fn end_by(thread: JoinHandle<()>, until: Instant) {
    while !thread.is_finished() {
        if Instant::now() >= until {
            return;
        }
        thread::sleep(Duration::from_millis(5));
    }
    drop(thread.join());
}

impl Drop for Events {
    fn drop(&mut self) {
        self.log.stop.store(true, Ordering::Release);
        self.log.wake_all();
        // First what was told is kept, then it is told on.
        let until = Instant::now() + END_WITHIN;
        self.writer.take().into_iter().for_each(|writer| end_by(writer, until));
        self.log.done.store(true, Ordering::Release);
        self.log.wake_all();
        let until = Instant::now() + END_WITHIN;
        self.places.drain(..).for_each(|place| end_by(place, until));
    }
}
