//! Copies over SoupBinTCP: a login that reads the stream of another session, from the message after the last that was kept.

use super::copied::copied;
use super::dialect::Dialect;
use super::names::{hex, keep_name};
use crate::connect::Connector;
use crate::reconcile::kept::Kept;
use crate::reconcile::words::Copied;
use crate::reconcile::{CopyInSetup, Link};
use crate::said::Said;
use crate::socket::End;
use crate::soup::{ClientEvent, ClientSession, Login};
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use types::UnixNanos;
use wire::soupbin::HEADER_LEN;

/// Packets that are looked at in one turn.
const PACKETS_A_TURN: usize = 256;

/// The file that names the session whose stream was read last.
const CURRENT: &str = "copy-session";

/// Who sends copies: the messages of another session's stream, over a login of SoupBinTCP that sends nothing.
#[derive(Clone, Debug)]
pub struct CopySource {
    /// The venue's port for copies.
    pub connect: SocketAddr,
    /// User name.
    pub username: String,
    /// Password.
    pub password: String,
}

/// A login at the port for copies.
#[derive(Debug)]
pub(super) struct SoupLink {
    dialect: Dialect,
    username: String,
    password: String,
    dir: PathBuf,
    connector: Connector,
    conn: Option<(End, ClientSession)>,
    /// The session that was read last, of the copies and of the gate's, and what was kept of it.
    name: Option<[u8; 10]>,
    of: u64,
    kept: Option<Kept>,
    said: Said,
}

impl SoupLink {
    /// What is kept is read when the gate's session is known.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn open(setup: &CopyInSetup, dialect: Dialect, source: &CopySource) -> io::Result<Self> {
        let CopySource { connect, username, password } = source;
        let name = match std::fs::read(setup.store_dir.join(CURRENT)) {
            Ok(name) => <[u8; 10]>::try_from(&name[..]).ok(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        Ok(Self {
            dialect,
            username: username.clone(),
            password: password.clone(),
            dir: setup.store_dir.clone(),
            connector: Connector::new(*connect),
            conn: None,
            name,
            of: 0,
            kept: None,
            said: Said::default(),
        })
    }

    fn lose(&mut self, why: String) {
        self.conn = None;
        self.said.once(why);
    }

    fn connect(&mut self, now: UnixNanos) {
        let Some(stream) = self.connector.poll(now) else { return };
        let Ok(mut end) = End::new(stream) else { return };
        let mut session = ClientSession::new(now);
        let name = self.name.map(|name| String::from_utf8_lossy(&name).into_owned()).unwrap_or_default();
        let login = Login {
            username: &self.username,
            password: &self.password,
            session: &name,
            sequence: self.kept.as_ref().map_or(1, Kept::next),
        };
        if let Some(bytes) = end.room(64).and_then(|room| session.login(&login, room, now)) {
            end.wrote(bytes);
        }
        self.conn = Some((end, session));
    }

    /// Reads what is kept of the copies' session `name`.
    fn enter(&mut self, name: [u8; 10], out: &mut Vec<Copied>) -> io::Result<()> {
        self.kept = None;
        self.kept = Some(Kept::open(&self.dir, &format!("{}.copies", hex(&name)), self.of, out)?);
        keep_name(&self.dir, CURRENT, &name)?;
        self.name = Some(name);
        Ok(())
    }

    fn read(&mut self, now: UnixNanos, out: &mut Vec<Copied>) -> bool {
        let Some((end, _)) = &mut self.conn else { return false };
        let filled = end.fill();
        let mut came = false;
        for _ in 0..PACKETS_A_TURN {
            let Some((end, session)) = &mut self.conn else { return came };
            let heard = match session.take(end.input(), now) {
                Ok(Some((event, used))) => {
                    let heard = match event {
                        ClientEvent::LoggedIn { session, sequence } => Heard::LoggedIn(session, sequence),
                        ClientEvent::Refused(reason) => Heard::Refused(reason),
                        ClientEvent::Message { sequence, message } => {
                            Heard::Message(sequence, message.to_vec())
                        }
                        ClientEvent::Ended => Heard::Ended,
                        ClientEvent::Nothing => Heard::Nothing,
                    };
                    end.consume(used);
                    heard
                }
                Ok(None) => break,
                Err(fault) => {
                    self.lose(format!("the connection is ended: {fault}"));
                    return true;
                }
            };
            came = true;
            self.hear(heard, out);
        }
        if filled.is_err() && !came {
            self.lose("the connection has ended".to_owned());
        }
        came
    }

    fn hear(&mut self, heard: Heard, out: &mut Vec<Copied>) {
        match heard {
            Heard::LoggedIn(name, sequence) => {
                let is_other = self.name != Some(name) || self.kept.is_none();
                if is_other && let Err(error) = self.enter(name, out) {
                    return self.lose(format!("copies cannot be kept: {error}"));
                }
                let wanted = self.kept.as_ref().map_or(1, Kept::next);
                if sequence > wanted {
                    return self.lose(format!("copies go on with message {sequence}, wanted {wanted}"));
                }
                self.said.once(format!("logged in, from message {sequence} on"));
            }
            Heard::Refused(reason) => {
                // The session that is known may be over: the next login takes any, from its first message on.
                (self.name, self.kept) = (None, None);
                self.lose(format!("the login is refused: {}", char::from(reason).escape_default()));
            }
            Heard::Message(sequence, message) => self.copy(sequence, &message, out),
            Heard::Ended => {
                (self.name, self.kept) = (None, None);
                self.lose("the session of the copies is over".to_owned());
            }
            Heard::Nothing => {}
        }
    }

    fn copy(&mut self, sequence: u64, message: &[u8], out: &mut Vec<Copied>) {
        let Some(kept) = self.kept.as_mut().filter(|kept| sequence >= kept.next()) else { return };
        let Some(said) = copied(self.dialect, self.of, message) else {
            return self.lose(format!("message {sequence} cannot be read"));
        };
        match kept.keep(sequence, self.of, &said) {
            Ok(()) => out.extend(said),
            Err(error) => self.lose(format!("copies cannot be kept: {error}")),
        }
    }
}

/// What the port did, out of its connection's buffer.
enum Heard {
    LoggedIn([u8; 10], u64),
    Refused(u8),
    Message(u64, Vec<u8>),
    Ended,
    Nothing,
}

impl Link for SoupLink {
    fn turn(&mut self, session: u64, now: UnixNanos, out: &mut Vec<Copied>) -> bool {
        if self.of != session {
            // Another day of the gate's: what was copied of the one before has other names.
            (self.of, self.conn, self.kept) = (session, None, None);
        }
        if let Some(name) = self.name.filter(|_| self.kept.is_none())
            && let Err(error) = self.enter(name, out)
        {
            self.said.once(format!("copies cannot be kept: {error}"));
            return false;
        }
        if self.conn.is_none() {
            self.connect(now);
        }
        let came = self.read(now, out);
        let Some((end, session)) = &mut self.conn else { return came };
        match session.due(now) {
            Ok(Some(heartbeat)) => {
                let room = end.room(HEADER_LEN);
                if let Some(bytes) = room.and_then(|room| session.send(heartbeat, &[], room, now)) {
                    end.wrote(bytes);
                }
            }
            Ok(None) => {}
            Err(fault) => {
                self.lose(format!("the connection is ended: {fault}"));
                return came;
            }
        }
        // A connection that is over is noticed when it is read.
        end.flush().ok();
        came
    }

    fn is_up(&self) -> bool {
        self.conn.as_ref().is_some_and(|(_, session)| session.is_in())
    }

    fn compared(&mut self, key: u64) {
        if let Some(Err(error)) = self.kept.as_mut().map(|kept| kept.compared(key)) {
            self.said.once(format!("copies cannot be kept: {error}"));
        }
    }

    fn others(&self) -> u64 {
        0
    }

    fn take_said(&mut self) -> Vec<String> {
        self.said.take()
    }
}
