//! Connections are made beside the thread that must not wait.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::time::Duration;
use types::{Nanos, UnixNanos};

/// How long the other end may take to accept, and how long to wait before it is tried again.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const CONNECT_PAUSE: Nanos = Nanos(200_000_000);

/// Connects to one address, again and again, on a thread beside the one that must not wait.
#[derive(Debug)]
pub(crate) struct Connector {
    to: SocketAddr,
    tried_at: Option<UnixNanos>,
    pending: Option<Receiver<io::Result<TcpStream>>>,
}

impl Connector {
    pub(crate) const fn new(to: SocketAddr) -> Self {
        Self { to, tried_at: None, pending: None }
    }

    /// A connection, once there is one; begins to make one where none is being made.
    pub(crate) fn poll(&mut self, now: UnixNanos) -> Option<TcpStream> {
        if let Some(pending) = &self.pending {
            return match pending.try_recv() {
                Err(TryRecvError::Empty) => None,
                answer => {
                    self.pending = None;
                    answer.ok().and_then(Result::ok)
                }
            };
        }
        if self.tried_at.is_some_and(|tried| now >= tried && now.since(tried) < CONNECT_PAUSE) {
            return None;
        }
        self.tried_at = Some(now);
        let (to, (give, take)) = (self.to, sync_channel(1));
        self.pending = Some(take);
        std::thread::spawn(move || {
            // The gateway may have ended meanwhile: then nobody takes it.
            let _ = give.send(TcpStream::connect_timeout(&to, CONNECT_TIMEOUT));
        });
        None
    }
}
