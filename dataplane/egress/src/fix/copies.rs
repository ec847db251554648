//! Copies over FIX: execution reports of a session that this side only listens to.

use crate::connect::Connector;
use crate::fix::copy_in::FixCopies;
use crate::fix::setup::{CopyPlace, CopySource};
use crate::log::make_folder;
use crate::reconcile::kept::Kept;
use crate::reconcile::words::Copied;
use crate::reconcile::{CopyInSetup, Link};
use crate::said::Said;
use std::io;
use std::net::TcpListener;
use types::UnixNanos;

/// How copies come.
#[derive(Debug)]
enum Door {
    Listener(TcpListener),
    Connector(Connector),
}

/// A session that copies come over.
#[derive(Debug)]
pub(super) struct FixLink {
    copies: FixCopies,
    door: Door,
    accounts: Vec<String>,
    setup: CopyInSetup,
    kept: Option<Kept>,
    others: u64,
    said: Said,
}

impl FixLink {
    /// Opens the session's store, and listens where the sender connects.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn open(setup: &CopyInSetup, source: &CopySource) -> io::Result<Self> {
        let CopySource { version, place, ids, heartbeat_s, accounts } = source;
        make_folder(&setup.store_dir)?;
        let connects = matches!(place, CopyPlace::Connect(_));
        let copies = FixCopies::open(&setup.store_dir, *version, ids, *heartbeat_s, connects)?;
        let door = match place {
            CopyPlace::Listen(at) => {
                let listener = TcpListener::bind(at)?;
                listener.set_nonblocking(true)?;
                Door::Listener(listener)
            }
            CopyPlace::Connect(to) => Door::Connector(Connector::new(*to)),
        };
        Ok(Self {
            copies,
            door,
            accounts: accounts.clone(),
            setup: setup.clone(),
            kept: None,
            others: 0,
            said: Said::default(),
        })
    }

    fn connect(&mut self, now: UnixNanos) {
        let stream = match &mut self.door {
            // One party at a time: who has not logged on gives way, and a second one is closed.
            Door::Listener(listener) => listener.accept().ok().map(|(stream, _)| stream),
            Door::Connector(_) if self.copies.is_connected() => None,
            Door::Connector(connector) => connector.poll(now),
        };
        if let Some(stream) = stream
            && !self.copies.take(stream, now)
        {
            self.said.once("a second connection was closed".to_owned());
        }
    }
}

impl Link for FixLink {
    fn turn(&mut self, session: u64, now: UnixNanos, out: &mut Vec<Copied>) -> bool {
        if self.kept.is_none() {
            match Kept::open(&self.setup.store_dir, "fix.copies", session, out) {
                Ok(kept) => self.kept = Some(kept),
                Err(error) => {
                    self.said.once(format!("copies cannot be kept: {error}"));
                    return false;
                }
            }
        }
        self.connect(now);
        let Self { copies, accounts, kept, others, .. } = self;
        let before = out.len();
        let (came, lines) = copies.turn(now, &mut |account, said| {
            let is_ours = accounts.is_empty() || accounts.iter().any(|ours| ours.as_bytes() == account);
            if !is_ours {
                *others += u64::from(!said.is_empty());
            } else if !said.is_empty()
                && let Some(kept) = kept
            {
                kept.keep(0, session, &said)?;
                out.extend(said);
            }
            Ok(())
        });
        lines.into_iter().for_each(|line| self.said.once(line));
        came || out.len() > before
    }

    fn is_up(&self) -> bool {
        self.copies.is_up()
    }

    fn compared(&mut self, key: u64) {
        if let Some(Err(error)) = self.kept.as_mut().map(|kept| kept.compared(key)) {
            self.said.once(format!("copies cannot be kept: {error}"));
        }
    }

    fn others(&self) -> u64 {
        self.others
    }

    fn take_said(&mut self) -> Vec<String> {
        self.said.take()
    }
}

#[cfg(test)]
#[path = "copies_tests.rs"]
mod tests;
