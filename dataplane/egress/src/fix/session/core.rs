//! What a session knows and what it sends: numbers, store, timers, and the bytes that wait for the socket.

use super::terms::{Close, Config, Counts, SendError, State};
use crate::fix::dictionary::Version;
use crate::fix::frame::MESSAGE_BYTES_MAX;
use crate::fix::message::Message;
use crate::fix::store::{Cause, Store};
use crate::fix::tags;
use crate::fix::validate::{Problem, RejectCode, Rules};
use crate::fix::write::Writer;
use std::collections::BTreeMap;
use std::io;
use types::{Nanos, UnixNanos};

/// The most bytes that wait for the socket. A peer that reads slower than that is cut off.
const OUT_BYTES_MAX: usize = 4 << 20;

/// What a message grows by at most when it is sent again: PossDupFlag (43), and the time when it was first sent (122).
const RESEND_BYTES: usize = 64;

/// The most messages, and bytes of them, that wait for those before them. What finds no room is asked for again.
const HELD_MAX: usize = 4_096;
const HELD_BYTES_MAX: usize = 4 << 20;

/// A message that came before its turn.
#[derive(Debug)]
pub(super) enum Held {
    /// Its bytes.
    Message(Box<[u8]>),
    /// A resend request, which was answered when it came.
    Answered,
}

/// Messages that were asked for again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gap {
    /// The last of them.
    pub(super) until: u64,
    pub(super) asked_at: UnixNanos,
    pub(super) tries: u32,
}

/// All of a session but the bytes that have not been read yet. It is what an application sends through.
#[derive(Debug)]
pub struct Core {
    pub(super) config: Config,
    pub(super) store: Store,
    pub(super) writer: Writer,
    out: Vec<u8>,
    out_at: usize,
    pub(super) state: State,
    pub(super) close: Option<Close>,
    /// Whether both sides were logged on over this connection.
    pub(super) was_up: bool,
    /// Of the messages that are written to the store at once: the first one's number, and the bytes of them that wait for the socket.
    batch: Option<(u64, usize)>,
    /// The number of the logon that was sent last.
    pub(super) logon_out: u64,
    pub(super) since: UnixNanos,
    pub(super) last_out: UnixNanos,
    pub(in crate::fix) last_in: UnixNanos,
    pub(super) test_requests: u64,
    pub(super) heartbeat: Nanos,
    pub(super) held: BTreeMap<u64, Held>,
    held_bytes: usize,
    pub(super) gap: Option<Gap>,
    pub(super) resend: Option<(u64, u64)>,
    pub(super) scratch: Vec<u8>,
    pub(super) counts: Counts,
    /// The highest number that may have been sent more than once.
    pub(super) resent_to: u64,
    /// Text (58) of the peer's last logout.
    pub(super) peer_said: String,
}

impl Core {
    pub(super) fn new(config: Config, store: Store) -> Self {
        let resent_to = store.next_out() - 1;
        Self {
            config,
            store,
            writer: Writer::new(),
            out: Vec::with_capacity(OUT_BYTES_MAX),
            out_at: 0,
            state: State::Down,
            close: None,
            was_up: false,
            batch: None,
            logon_out: 0,
            since: UnixNanos(0),
            last_out: UnixNanos(0),
            last_in: UnixNanos(0),
            test_requests: 0,
            heartbeat: Nanos(0),
            held: BTreeMap::new(),
            held_bytes: 0,
            gap: None,
            resend: None,
            scratch: Vec::new(),
            counts: Counts::default(),
            resent_to,
            peer_said: String::new(),
        }
    }

    /// Whether both sides are logged on.
    pub const fn is_up(&self) -> bool {
        matches!(self.state, State::Up)
    }

    /// The number of the message that comes next.
    pub fn next_in(&self) -> u64 {
        self.store.next_in()
    }

    /// The number of the message that is sent next.
    pub const fn next_out(&self) -> u64 {
        self.store.next_out()
    }

    /// How many of the messages that were sent the disk has not taken.
    pub const fn unkept(&self) -> u64 {
        self.store.held()
    }

    /// From now on the disk takes `more` bytes of this session.
    #[cfg(test)]
    pub(in crate::fix) const fn set_room(&mut self, more: u64) {
        self.store.set_room(more);
    }

    /// As [`Store::epoch`].
    pub const fn epoch(&self) -> u64 {
        self.store.epoch()
    }

    /// Whether the message `number` may have been sent more than once: by this process, or by one before it.
    #[must_use]
    pub const fn may_be_resent(&self, number: u64) -> bool {
        number <= self.resent_to
    }

    /// Reads the application message that was sent as `number` into `bytes`; false when it is none, or cannot be read.
    pub fn sent(&self, number: u64, bytes: &mut Vec<u8>) -> bool {
        self.read_sent(number, bytes).unwrap_or(false)
    }

    /// The same, for whoever must not pass over one.
    ///
    /// # Errors
    /// The system's: it cannot be read now.
    pub fn read_sent(&self, number: u64, bytes: &mut Vec<u8>) -> io::Result<bool> {
        self.store.read(number, bytes)
    }

    /// Passes over messages that are known to have been taken.
    ///
    /// # Errors
    /// The store's.
    pub fn skip_to(&mut self, next: u64) -> io::Result<()> {
        if next > self.next_in() { self.store.set_next_in(next) } else { Ok(()) }
    }

    pub(super) fn rules(&self) -> Rules {
        let Config { version, judge_bodies: body, user_fields, .. } = self.config;
        Rules { version, body, user_fields }
    }

    /// Sends an application message of type `kind` whose fields `fill` writes, or keeps it until the peer asks for it, where
    /// there is no connection now.
    ///
    /// # Errors
    /// [`SendError`]; the message was not sent and never will be.
    pub fn send(
        &mut self,
        kind: &[u8],
        cause: Cause,
        now: UnixNanos,
        fill: impl FnOnce(&mut Writer),
    ) -> Result<(), SendError> {
        self.put(kind, true, cause, now, fill)
    }

    /// As [`Core::send`], for a message of the session's own. A store that fails ends the connection.
    pub(super) fn send_admin(&mut self, kind: &[u8], now: UnixNanos, fill: impl FnOnce(&mut Writer)) {
        // A reject is the one message of the session that is sent again.
        if self.put(kind, kind == b"3", Cause::default(), now, fill).is_err() {
            self.end(Close::Store);
        }
    }

    fn put(
        &mut self,
        kind: &[u8],
        is_application: bool,
        cause: Cause,
        now: UnixNanos,
        fill: impl FnOnce(&mut Writer),
    ) -> Result<(), SendError> {
        let number = self.store.next_out();
        self.header(kind, number, now, None);
        fill(&mut self.writer);
        let begin = self.config.version.begin_string();
        let bytes = self.writer.finish(begin).ok_or(SendError::TooLong)?;
        if bytes.len() + RESEND_BYTES > MESSAGE_BYTES_MAX {
            return Err(SendError::TooLong);
        }
        // An order does not leave unless it is kept. What takes risk back, and what is told, does not wait for a disk.
        if matches!(kind, b"D" | b"G") {
            self.store.keep(bytes, is_application, cause)?;
        } else if let Err(error) = self.store.keep_or_hold(bytes, is_application, cause) {
            self.close.get_or_insert(Close::Store);
            return Err(error.into());
        }
        self.counts.sent += 1;
        // What goes out before the logon, or after a cut, is asked for by its number.
        let connected = match self.state {
            State::Down => false,
            State::LoggingOn => matches!(kind, b"A" | b"5"),
            State::Up | State::LoggingOut => true,
        };
        if connected {
            let before = self.out.len() - self.out_at;
            queue(&mut self.out, &mut self.out_at, bytes, &mut self.close);
            if let Some((_, queued)) = &mut self.batch {
                *queued += self.out.len() - self.out_at - before;
            }
            self.last_out = now;
        }
        Ok(())
    }

    /// Messages sent from now on go to the store in one piece, with [`Core::end_batch`], before any of them goes to the socket: a hundred
    /// cancels wait for one write.
    pub fn begin_batch(&mut self) {
        self.batch = Some((self.next_out(), 0));
        self.store.begin_batch();
    }

    /// Writes them to the store.
    ///
    /// # Errors
    /// [`SendError::Store`]; none of them was sent and the connection ends.
    pub fn end_batch(&mut self) -> Result<(), SendError> {
        let Some((first, queued)) = self.batch.take() else { return Ok(()) };
        self.store.write_batch(first).map_err(|error| {
            self.out.truncate(self.out.len() - queued);
            self.close.get_or_insert(Close::Store);
            error.into()
        })
    }

    /// Begins a message: everything of its header that the session decides.
    pub(super) fn header(&mut self, kind: &[u8], number: u64, now: UnixNanos, original: Option<&[u8]>) {
        let writer = &mut self.writer;
        writer.begin(kind);
        writer.number(tags::MSG_SEQ_NUM, number);
        if original.is_some() {
            writer.text(tags::POSS_DUP_FLAG, b"Y");
        }
        writer.text(tags::SENDER_COMP_ID, self.config.sender.as_bytes());
        writer.time(tags::SENDING_TIME, now);
        writer.text(tags::TARGET_COMP_ID, self.config.target.as_bytes());
        if let Some(original) = original {
            writer.text(tags::ORIG_SENDING_TIME, original);
        }
    }

    pub(super) fn queue_again(&mut self, now: UnixNanos) {
        let bytes = self.writer.finish(self.config.version.begin_string()).unwrap_or_default();
        queue(&mut self.out, &mut self.out_at, bytes, &mut self.close);
        self.last_out = now;
    }

    /// Refuses a message of the session's peer (35=3).
    pub(super) fn reject(&mut self, message: &Message<'_>, problem: Problem, now: UnixNanos) {
        let version = self.config.version;
        self.counts.rejected += 1;
        self.send_admin(b"3", now, |writer| {
            reverse_route(message, writer);
            writer.number(tags::REF_SEQ_NUM, message.seq().unwrap_or(0));
            writer.text(tags::TEXT, problem.code.text().as_bytes());
            if let Some(tag) = problem.tag {
                let mut digits = [0; 20];
                let unsigned = crate::fix::write::decimal_digits(u64::from(tag.unsigned_abs()), &mut digits);
                let sign: &[u8] = if tag < 0 { b"-" } else { b"" };
                writer.text(tags::REF_TAG_ID, &[sign, unsigned].concat());
            }
            writer.text(tags::REF_MSG_TYPE, message.kind());
            if let Some(number) = problem.code.number(version) {
                writer.number(tags::SESSION_REJECT_REASON, number);
            }
        });
    }

    /// Refuses an application message that is well formed (35=j), with BusinessRejectReason (380) and Text (58).
    ///
    /// # Errors
    /// [`SendError`].
    pub fn reject_business(
        &mut self,
        message: &Message<'_>,
        (reason, text): (u64, &str),
        cause: Cause,
        now: UnixNanos,
    ) -> Result<(), SendError> {
        self.send(b"j", cause, now, |writer| {
            reverse_route(message, writer);
            writer.number(tags::REF_SEQ_NUM, message.seq().unwrap_or(0));
            writer.text(tags::TEXT, text.as_bytes());
            writer.text(tags::REF_MSG_TYPE, message.kind());
            writer.number(tags::BUSINESS_REJECT_REASON, reason);
        })
    }

    /// Logs out. The connection is closed when the peer answers, or does not in time.
    pub fn log_out(&mut self, text: &str, now: UnixNanos) {
        if self.state != State::Up {
            return;
        }
        self.send_logout(text, now);
        (self.state, self.since) = (State::LoggingOut, now);
    }

    pub(super) fn send_logout(&mut self, text: &str, now: UnixNanos) {
        self.send_admin(b"5", now, |writer| {
            if !text.is_empty() {
                writer.text(tags::TEXT, text.as_bytes());
            }
        });
    }

    pub(super) fn send_logon(&mut self, reset: bool, now: UnixNanos) {
        let (version, heartbeat) = (self.config.version, self.heartbeat.0 / 1_000_000_000);
        self.logon_out = self.store.next_out();
        self.send_admin(b"A", now, |writer| {
            writer.number(tags::ENCRYPT_METHOD, 0);
            writer.number(tags::HEART_BT_INT, heartbeat);
            if reset {
                writer.text(tags::RESET_SEQ_NUM_FLAG, b"Y");
            }
            if version == Version::Fixt11 {
                writer.text(tags::DEFAULT_APPL_VER_ID, b"9");
            }
        });
    }

    /// Asks for everything from the next message on.
    pub(super) fn ask_again(&mut self, now: UnixNanos) {
        let next = self.store.next_in();
        self.send_admin(b"2", now, |writer| {
            writer.number(tags::BEGIN_SEQ_NO, next);
            writer.number(tags::END_SEQ_NO, 0);
        });
    }

    /// The connection is to be closed once what waits has been sent; the first reason counts.
    pub(super) fn end(&mut self, why: Close) {
        self.close.get_or_insert(why);
    }

    /// A clock that was set back starts every interval anew: otherwise nothing would be due until it is where it was.
    pub(super) fn mind_the_clock(&mut self, now: UnixNanos) {
        for at in [&mut self.since, &mut self.last_out, &mut self.last_in] {
            *at = (*at).min(now);
        }
        if let Some(gap) = &mut self.gap {
            gap.asked_at = gap.asked_at.min(now);
        }
    }

    /// Keeps a message that came before its turn.
    pub(super) fn hold(&mut self, number: u64, held: Held) {
        let bytes = if let Held::Message(bytes) = &held { bytes.len() } else { 0 };
        if self.held.len() < HELD_MAX && self.held_bytes + bytes <= HELD_BYTES_MAX {
            if let Some(Held::Message(before)) = self.held.insert(number, held) {
                self.held_bytes -= before.len();
            }
            self.held_bytes += bytes;
        }
    }

    /// The message that is next, where it came before its turn.
    pub(super) fn take_held(&mut self) -> Option<Held> {
        let next = self.store.next_in();
        loop {
            let entry = self.held.first_entry().filter(|entry| *entry.key() <= next)?;
            let is_next = *entry.key() == next;
            let held = entry.remove();
            if let Held::Message(bytes) = &held {
                self.held_bytes -= bytes.len();
            }
            if is_next {
                return Some(held);
            }
        }
    }

    /// Forgets what belongs to a connection.
    pub(super) fn forget_connection(&mut self) {
        self.out.clear();
        self.out_at = 0;
        (self.resend, self.test_requests) = (None, 0);
        self.peer_said.clear();
        self.forget_held();
    }

    /// Forgets what came before its turn, and what was asked for.
    pub(super) fn forget_held(&mut self) {
        self.held.clear();
        (self.held_bytes, self.gap) = (0, None);
    }

    /// What waits for the socket.
    pub(super) fn waiting(&self) -> &[u8] {
        &self.out[self.out_at..]
    }

    /// So many bytes of what waited were taken by the socket.
    pub(super) fn taken(&mut self, bytes: usize) {
        self.out_at += bytes;
        if self.out_at == self.out.len() {
            self.out.clear();
            self.out_at = 0;
        }
    }
}

/// Puts bytes behind those that wait for the socket.
fn queue(out: &mut Vec<u8>, out_at: &mut usize, bytes: &[u8], close: &mut Option<Close>) {
    if out.len() + bytes.len() > OUT_BYTES_MAX {
        out.drain(..*out_at);
        *out_at = 0;
    }
    if out.len() + bytes.len() > OUT_BYTES_MAX {
        close.get_or_insert(Close::SlowReader);
        return;
    }
    out.extend_from_slice(bytes);
}

/// An answer goes back the way the message came (FIX session layer, routing fields of the header).
fn reverse_route(message: &Message<'_>, writer: &mut Writer) {
    const PAIRS: [(i32, i32); 6] = [
        (tags::ON_BEHALF_OF_COMP_ID, tags::DELIVER_TO_COMP_ID),
        (tags::ON_BEHALF_OF_SUB_ID, tags::DELIVER_TO_SUB_ID),
        (tags::ON_BEHALF_OF_LOCATION_ID, tags::DELIVER_TO_LOCATION_ID),
        (tags::DELIVER_TO_COMP_ID, tags::ON_BEHALF_OF_COMP_ID),
        (tags::DELIVER_TO_SUB_ID, tags::ON_BEHALF_OF_SUB_ID),
        (tags::DELIVER_TO_LOCATION_ID, tags::ON_BEHALF_OF_LOCATION_ID),
    ];
    for (of_message, of_answer) in PAIRS {
        if let Some(value) = message.get(of_message).filter(|value| !value.is_empty()) {
            writer.text(of_answer, value);
        }
    }
}

/// What a session says of a message whose identities or times are wrong.
pub(super) const fn untagged(code: RejectCode) -> Problem {
    Problem { code, tag: None }
}
