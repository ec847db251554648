//! Drop copies that come in: what the venue, or who clears, says that the firm's orders did, against what the gate knows of them.
//!
//! A thread beside the one that carries orders takes the copies, over FIX or over a read-only login of SoupBinTCP, and is told by the order
//! thread what the gate does. `ledger` compares; what differs is put in doubt at the gate, where orders of it that add are refused until a
//! person has set the position, and the daemon is told what each side says.

mod engine;
pub(crate) mod kept;
mod ledger;
pub(crate) mod tap;
pub(crate) mod words;

pub use self::engine::CopyError;
pub(crate) use self::engine::{Link, start};

use control::names::Name;
use std::path::PathBuf;
use types::Nanos;

/// Copies that a gateway takes, whoever sends them.
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
}
