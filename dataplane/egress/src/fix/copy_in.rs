//! A session that execution reports come over as copies: this side listens, and orders nothing.

use crate::fix::dictionary::Version;
use crate::fix::gateway::copied;
use crate::fix::link::Link;
use crate::fix::message::Message;
use crate::fix::session::{Close, Config, Core, Role, SendError, Session, State};
use crate::fix::setup::{CompIds, SENDING_TIME_TOLERANCE};
use crate::fix::store::{Cause, Store};
use crate::fix::tags;
use crate::reconcile::words::Copied;
use std::io;
use std::net::TcpStream;
use std::path::Path;
use types::UnixNanos;

/// Takes what one report says, with its Account (1). Where that fails, it was not taken and comes again.
pub(super) type Take<'a> = &'a mut dyn FnMut(&[u8], Vec<Copied>) -> io::Result<()>;

/// The session, over one connection after the other.
#[derive(Debug)]
pub(super) struct FixCopies {
    session: Session,
    link: Link,
    version: Version,
    was_up: bool,
}

impl FixCopies {
    /// Opens the session's store in the folder `dir`.
    ///
    /// # Errors
    /// The store's.
    pub(crate) fn open(
        dir: &Path,
        version: Version,
        ids: &CompIds,
        heartbeat_s: u16,
        connects: bool,
    ) -> io::Result<Self> {
        let config = Config {
            version,
            role: if connects { Role::Initiator } else { Role::Acceptor },
            sender: ids.ours.clone(),
            target: ids.theirs.clone(),
            heartbeat_s: u64::from(heartbeat_s),
            reset_on_logon: false,
            judge_bodies: false,
            user_fields: true,
            sending_time_tolerance: SENDING_TIME_TOLERANCE,
        };
        let session = Session::new(config, Store::open(&dir.join("copy-in.fixlog"), |_, _| {})?);
        Ok(Self { session, link: Link::default(), version, was_up: false })
    }

    /// Whether there is a connection.
    pub(crate) const fn is_connected(&self) -> bool {
        self.link.is_connected()
    }

    /// Whether both sides are logged on.
    pub(crate) fn is_up(&self) -> bool {
        self.session.state() == State::Up
    }

    /// Takes a connection over; false where there is one that has logged on. Who has not gives way.
    pub(crate) fn take(&mut self, stream: TcpStream, now: UnixNanos) -> bool {
        if self.session.state() == State::LoggingOn {
            self.close(Close::LogonTimeout);
        }
        if self.link.is_connected() {
            return false;
        }
        if self.link.take(stream).is_ok() {
            self.session.connected(now);
        }
        true
    }

    /// One turn: whether anything came, and what a person should know of it.
    pub(crate) fn turn(&mut self, now: UnixNanos, take: Take<'_>) -> (bool, Vec<String>) {
        let version = self.version;
        let mut app = |message: &Message<'_>, core: &mut Core, now: UnixNanos| -> Result<(), SendError> {
            match message.kind() {
                b"8" => Ok(take(message.get(tags::ACCOUNT).unwrap_or_default(), copied(message, version))?),
                // Rejects of cancels, of messages, and of the application's change no order.
                b"9" | b"3" | b"j" => Ok(()),
                _ => core.reject_business(message, (3, "Unsupported Message Type"), Cause::default(), now),
            }
        };
        let (mut came, mut said) = (false, Vec::new());
        let read = self.link.read().map(|bytes| {
            came = !bytes.is_empty();
            if came {
                self.session.receive(bytes, now, &mut app);
            }
        });
        self.session.tick(now);
        self.session.go_on_resending(now, &mut app);
        let written = read.and_then(|()| self.link.flush(&mut self.session, now));
        if let Err(why) = written {
            said.push(self.close(why));
        }
        let is_up = self.is_up();
        if is_up && !self.was_up {
            said.push("logged on".to_owned());
        }
        self.was_up = is_up;
        (came, said)
    }

    fn close(&mut self, why: Close) -> String {
        let why = self.session.closing().unwrap_or(why);
        self.link.close(why.resets());
        self.session.disconnected();
        why.to_string()
    }
}
