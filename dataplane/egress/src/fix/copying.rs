//! The drop copy's socket: one party at a time, which is told and asks for nothing.

use crate::fix::gateway::DropCopy;
use crate::fix::link::Link;
use crate::fix::message::Message;
use crate::fix::session::{Close, Core, SendError, State};
use crate::fix::store::Cause;
use std::io;
use std::net::TcpListener;
use types::UnixNanos;

/// A drop copy that listens.
#[derive(Debug)]
pub(crate) struct Copying {
    pub(crate) copy: DropCopy,
    link: Link,
    listener: TcpListener,
    was_up: bool,
}

impl Copying {
    /// Listens on `listener`.
    ///
    /// # Errors
    /// The listening socket's.
    pub(crate) fn new(copy: DropCopy, listener: TcpListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        Ok(Self { copy, link: Link::default(), listener, was_up: false })
    }

    /// One turn; what a person should know of it.
    pub(crate) fn turn(&mut self, firm: &Core, now: UnixNanos) -> Option<String> {
        let followed = self.copy.follow(firm, now).err().map(|error| format!("drop copy: {error}"));
        let read = self.read(now);
        self.copy.session.tick(now);
        self.copy.session.go_on_resending(now, &mut take);
        let written = read.and_then(|()| self.link.flush(&mut self.copy.session, now));
        let ended = written.err().map(|why| self.close(why));
        let is_up = self.copy.session.state() == State::Up;
        let came = (is_up && !self.was_up).then(|| "drop copy: logged on".to_owned());
        self.was_up = is_up;
        followed.or(ended).or(came)
    }

    /// Takes who connects: one party at a time, and whoever has not logged on gives way.
    pub(crate) fn connect(&mut self, now: UnixNanos) -> Option<String> {
        let (stream, from) = self.listener.accept().ok()?;
        if self.copy.session.state() == State::LoggingOn {
            self.close(Close::LogonTimeout);
        }
        if self.link.is_connected() {
            return Some(format!("drop copy: a second connection from {} was closed", from.ip()));
        }
        if self.link.take(stream).is_ok() {
            self.copy.session.connected(now);
        }
        None
    }

    /// Logs out.
    pub(crate) fn stop(&mut self, now: UnixNanos) {
        self.copy.session.core.log_out("the gateway stops", now);
    }

    fn read(&mut self, now: UnixNanos) -> Result<(), Close> {
        let bytes = self.link.read()?;
        if !bytes.is_empty() {
            self.copy.session.receive(bytes, now, &mut take);
        }
        Ok(())
    }

    fn close(&mut self, why: Close) -> String {
        let session = &mut self.copy.session;
        let why = session.closing().unwrap_or(why);
        self.link.close(why.resets());
        session.disconnected();
        format!("drop copy: {why}")
    }
}

/// Nobody orders here.
fn take(message: &Message<'_>, core: &mut Core, now: UnixNanos) -> Result<(), SendError> {
    match message.kind() {
        b"3" | b"j" => Ok(()),
        _ => core.reject_business(message, (3, "Unsupported Message Type"), Cause::default(), now),
    }
}
