//! One FIX session without input or output of its own: bytes and times come in; application messages, and bytes to send, come out
//! (FIX session layer, as of 4.2, 4.4 and FIXT 1.1).

mod core;
mod inbound;
mod resend;
mod terms;

pub use self::core::Core;
pub use self::terms::{Close, Config, Counts, Role, SendError, State};

use crate::fix::frame::{FaultKind, Framed, MESSAGE_BYTES_MAX, frame};
use crate::fix::message::Message;
use crate::fix::store::Store;
use types::{Nanos, UnixNanos};

/// How long a peer may take to log on, or to answer a logon.
const LOGON_WAIT: Nanos = Nanos(10_000_000_000);

/// How long a peer may take to answer a logout.
const LOGOUT_WAIT: Nanos = Nanos(2_000_000_000);

/// How long messages that were asked for again may take, and how often they are asked for.
const GAP_WAIT: Nanos = Nanos(20_000_000_000);
const GAP_TRIES: u32 = 3;

/// What a session is for.
pub trait Application {
    /// Takes a message of the peer's, each once and in sequence. What it sends over the same session goes through the core that it is
    /// handed.
    ///
    /// # Errors
    /// A store that fails. The message was not taken: the connection ends, and it comes again.
    fn take(&mut self, message: &Message<'_>, core: &mut Core, now: UnixNanos) -> Result<(), SendError>;

    /// Whether a message that was sent before may be sent again, now that the peer asks for it. What may not is skipped.
    fn may_resend(&mut self, message: &Message<'_>, now: UnixNanos) -> bool;
}

impl<F: FnMut(&Message<'_>, &mut Core, UnixNanos) -> Result<(), SendError>> Application for F {
    fn take(&mut self, message: &Message<'_>, core: &mut Core, now: UnixNanos) -> Result<(), SendError> {
        self(message, core, now)
    }

    fn may_resend(&mut self, _: &Message<'_>, _: UnixNanos) -> bool {
        true
    }
}

/// One session, over one connection after the other.
#[derive(Debug)]
pub struct Session {
    input: Vec<u8>,
    /// What it knows, and what an application sends through.
    pub core: Core,
}

impl Session {
    /// A session that has no connection yet, and goes on where `store` ends.
    pub fn new(config: Config, store: Store) -> Self {
        Self { input: Vec::with_capacity(2 * MESSAGE_BYTES_MAX), core: Core::new(config, store) }
    }

    /// There is a connection: an initiator logs on.
    pub fn connected(&mut self, now: UnixNanos) {
        let core = &mut self.core;
        core.forget_connection();
        (core.close, core.was_up) = (None, false);
        (core.state, core.since, core.last_in, core.last_out) = (State::LoggingOn, now, now, now);
        if core.config.role == Role::Initiator {
            core.heartbeat = Nanos(core.config.heartbeat_s * 1_000_000_000);
            let reset = core.config.reset_on_logon;
            if reset && core.store.reset().is_err() {
                core.end(Close::Store);
            }
            core.send_logon(reset, now);
        }
    }

    /// The connection is gone.
    pub fn disconnected(&mut self) {
        self.input.clear();
        self.core.forget_connection();
        (self.core.state, self.core.close) = (State::Down, None);
    }

    /// Takes bytes of the peer's.
    pub fn receive(&mut self, bytes: &[u8], now: UnixNanos, app: &mut dyn Application) {
        self.input.extend_from_slice(bytes);
        let mut at = 0;
        while self.core.close.is_none() {
            match frame(&self.input[at..]) {
                Framed::Partial => break,
                Framed::Message(length) => {
                    let whole = &self.input[at..at + length];
                    at += length;
                    match Message::parse(whole) {
                        Ok(message) => self.core.take(&message, whole, now, app),
                        Err(_) => self.core.garbled(),
                    }
                }
                Framed::Garbled(length, fault) => {
                    at += length;
                    self.core.garbled();
                    if fault.kind == FaultKind::TooLong {
                        self.core.end(Close::TooLong);
                    }
                }
            }
        }
        self.input.drain(..at);
        self.core.go_on_resending(now, app);
    }

    /// Goes on with what the peer asked for again, as there is room for it.
    pub fn go_on_resending(&mut self, now: UnixNanos, app: &mut dyn Application) {
        self.core.go_on_resending(now, app);
    }

    /// Does what is due at `now`.
    pub fn tick(&mut self, now: UnixNanos) {
        let core = &mut self.core;
        core.mind_the_clock(now);
        let quiet = now.since(core.last_in).0;
        let heartbeat = core.heartbeat.0;
        match core.state {
            State::Down => return,
            State::LoggingOn if now.since(core.since) >= LOGON_WAIT => core.end(Close::LogonTimeout),
            State::LoggingOut if now.since(core.since) >= LOGOUT_WAIT => core.end(Close::LogoutTimeout),
            State::Up if heartbeat > 0 => {
                // A fifth of the interval is "a reasonable transmission time".
                if 5 * quiet >= 12 * heartbeat {
                    core.end(Close::Silent);
                } else if 5 * quiet >= 6 * heartbeat * (core.test_requests + 1) {
                    core.test_requests += 1;
                    core.test_request(now);
                } else if core.test_requests == 0 && now.since(core.last_out).0 >= heartbeat {
                    core.heartbeat(None, now);
                }
            }
            State::LoggingOn | State::LoggingOut | State::Up => {}
        }
        core.chase_gap(now);
    }

    /// What waits for the socket.
    pub fn waiting(&self) -> &[u8] {
        self.core.waiting()
    }

    /// So many bytes of what waited were taken by the socket.
    pub fn taken(&mut self, bytes: usize) {
        self.core.taken(bytes);
    }

    /// Why the connection is to be closed, once what waits has been sent.
    pub const fn closing(&self) -> Option<Close> {
        self.core.close
    }

    /// What the peer said when it left, where it said anything.
    #[must_use]
    pub fn peer_said(&self) -> &str {
        &self.core.peer_said
    }

    /// Whether each logon begins both directions at 1.
    #[must_use]
    pub const fn begins_anew(&self) -> bool {
        self.core.config.reset_on_logon
    }

    /// Whether both sides were logged on over this connection, if only for a moment.
    #[must_use]
    pub const fn was_up(&self) -> bool {
        self.core.was_up
    }

    /// Where the session stands.
    pub const fn state(&self) -> State {
        self.core.state
    }

    /// What happened so far.
    pub const fn counts(&self) -> Counts {
        self.core.counts
    }
}
