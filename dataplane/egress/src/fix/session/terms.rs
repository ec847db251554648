//! What a session is made of, where it stands, and how it ends.

use crate::fix::dictionary::Version;
use std::fmt;
use std::io;
use types::Nanos;

/// Which side of the session this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The peer connects and logs on.
    Acceptor,
    /// This side connects and logs on.
    Initiator,
}

/// What two sides agree on before they talk.
#[derive(Clone, Debug)]
pub struct Config {
    /// The version that is spoken.
    pub version: Version,
    /// Which side this is.
    pub role: Role,
    /// SenderCompID (49) of what is sent.
    pub sender: String,
    /// TargetCompID (56) of what is sent.
    pub target: String,
    /// HeartBtInt (108) that an initiator asks for, in seconds; an acceptor takes the peer's.
    pub heartbeat_s: u64,
    /// Whether every logon begins both directions at 1.
    pub reset_on_logon: bool,
    /// Whether the bodies of the peer's messages are judged by the dictionary.
    pub judge_bodies: bool,
    /// Whether tags that users define may stand in them.
    pub user_fields: bool,
    /// How far SendingTime (52) may be from this side's clock.
    pub sending_time_tolerance: Nanos,
}

/// Why a session's connection is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Close {
    /// Both sides logged out.
    LoggedOut,
    /// The peer ended the connection, or the system did.
    Lost,
    /// The first message was not a logon that this session takes.
    BadLogon,
    /// No logon, or no answer to one, in time.
    LogonTimeout,
    /// The peer did not answer a test request.
    Silent,
    /// The peer did not answer a logout.
    LogoutTimeout,
    /// MsgSeqNum (34) lower than expected, or none: one side has lost its place.
    SequenceTooLow,
    /// Messages that were asked for again did not come.
    GapUnfilled,
    /// A message longer than any may be, or a length that cannot be.
    TooLong,
    /// The peer reads too slowly.
    SlowReader,
    /// The session's store cannot be written.
    Store,
}

impl Close {
    /// Whether the peer needs not be told why any more, so that nothing which still waits may arrive later.
    pub(in crate::fix) const fn resets(self) -> bool {
        matches!(self, Self::Lost | Self::Silent | Self::SlowReader | Self::Store)
    }
}

impl fmt::Display for Close {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LoggedOut => "logged out",
            Self::Lost => "connection lost",
            Self::BadLogon => "not a logon for this session",
            Self::LogonTimeout => "no logon in time",
            Self::Silent => "no answer to a test request",
            Self::LogoutTimeout => "no answer to a logout",
            Self::SequenceTooLow => "sequence number too low",
            Self::GapUnfilled => "messages asked for again did not come",
            Self::TooLong => "a message longer than any may be",
            Self::SlowReader => "the peer reads too slowly",
            Self::Store => "the session's store cannot be written",
        })
    }
}

/// Why a message was not sent; it has no number and is not in the store.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The store did not take it.
    #[error("the session's store: {0}")]
    Store(#[from] io::Error),
    /// It is longer than any may be.
    #[error("the message is longer than any may be")]
    TooLong,
}

/// Where a session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// No connection.
    Down,
    /// Connected, and not yet logged on.
    LoggingOn,
    /// Logged on.
    Up,
    /// Logged on, and a logout sent that the peer has not answered.
    LoggingOut,
}

/// What happened on a session, counted since the process began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Messages that came in sequence.
    pub received: u64,
    /// Messages sent, without those sent again.
    pub sent: u64,
    /// Messages sent again because the peer asked.
    pub resent: u64,
    /// Messages that the peer asked for again and was not sent: orders that have ended, or that a halt keeps back.
    pub withheld: u64,
    /// Pieces of the stream that were no message.
    pub garbled: u64,
    /// Messages that had come before, and were marked so.
    pub repeated: u64,
    /// Gaps in the peer's sequence.
    pub gaps: u64,
    /// Messages refused by the session.
    pub rejected: u64,
}
