//! Drop copies that come in: what the venue, or who clears, says that the firm's orders did, against what the gate knows of them.
//!
//! A thread beside the one that carries orders takes the copies, over FIX or over a read-only login of SoupBinTCP, and is told by the order
//! thread what the gate does. `ledger` compares; what differs is put in doubt at the gate, where orders of it that add are refused until a
//! person has set the position, and the daemon is told what each side says.

mod engine;
mod fix;
mod kept;
mod ledger;
mod soup;
pub(crate) mod tap;
pub(crate) mod words;

pub use self::engine::CopyError;
pub(crate) use self::engine::start;

use crate::fix::{CompIds, Version};
use crate::ouch::Dialect;
use control::names::Name;
use std::net::SocketAddr;
use std::path::PathBuf;
use types::Nanos;

/// Copies that a gateway takes.
#[derive(Clone, Debug)]
pub struct CopyInSetup {
    /// The gateway's name, under which the daemon is told.
    pub gateway: Name,
    /// Whose gateway it is.
    pub client: Name,
    /// The daemon's control socket.
    pub socket: PathBuf,
    /// How long what one side says waits for the other.
    pub grace: Nanos,
    /// Where what was copied is kept.
    pub store_dir: PathBuf,
    /// Who sends them.
    pub source: CopySource,
}

/// Who sends copies, and how.
#[derive(Clone, Debug)]
pub enum CopySource {
    /// Execution reports over a session of FIX.
    Fix {
        /// The version.
        version: Version,
        /// Which side connects.
        place: CopyPlace,
        /// Who speaks.
        ids: CompIds,
        /// HeartBtInt (108) where this side connects, in seconds.
        heartbeat_s: u16,
        /// Account (1) of the reports that are the gateway's; all where empty.
        accounts: Vec<String>,
    },
    /// The messages of another session's stream, over a login of SoupBinTCP that sends nothing.
    Soup {
        /// The version of OUCH.
        dialect: Dialect,
        /// The venue's port for copies.
        connect: SocketAddr,
        /// User name.
        username: String,
        /// Password.
        password: String,
    },
}

/// Which side of a session of FIX connects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CopyPlace {
    /// The sender does, to this address.
    Listen(SocketAddr),
    /// The gateway does.
    Connect(SocketAddr),
}
