//! The client's end of the control socket.

use crate::protocol::{
    Command, FrameError, Outcome, PROTOCOL_VERSION, Refusal, Reply, Request, Response, read_frame,
    write_frame,
};
use serde::Deserialize;
use std::io::{self, ErrorKind};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long an answer may take. Proving a large audit log is the longest command.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// Why there is no answer, or not the one asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// Nobody is there.
    #[error("no appliance at {}: {source}; {}", path.display(), hint(source))]
    Unreachable {
        /// The socket.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The connection failed after it was made.
    #[error("the appliance at {} did not answer: {source}", path.display())]
    NoAnswer {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: FrameError,
    },
    /// The daemon speaks another version.
    #[error(
        "the appliance speaks protocol version {found}, this portcullisctl {PROTOCOL_VERSION}: use the one of its release"
    )]
    Version {
        /// The daemon's version.
        found: u64,
    },
    /// What came is no answer.
    #[error("the appliance answered what this portcullisctl cannot read: {cause}")]
    Unreadable {
        /// Where and what.
        cause: String,
    },
    /// The daemon said no.
    #[error("{}", .0.message)]
    Refused(Refusal),
}

/// What to do about a socket that cannot be reached.
fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::NotFound => "start it (systemctl start portcullis), or name its socket with --socket",
        ErrorKind::ConnectionRefused => {
            "it has stopped without removing its socket: start it (systemctl start portcullis)"
        }
        ErrorKind::PermissionDenied => "your user may not open this socket: ask to be put into its group",
        _ => "name its socket with --socket",
    }
}

impl ClientError {
    /// `portcullisctl`'s exit code.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Unreachable { .. } | Self::NoAnswer { .. } => 5,
            Self::Version { .. } => 6,
            Self::Unreadable { .. } => 1,
            Self::Refused(refusal) => refusal.kind.exit_code(),
        }
    }
}

/// A connection to the daemon.
#[derive(Debug)]
pub struct Client {
    stream: UnixStream,
    path: PathBuf,
    id: u64,
}

impl Client {
    /// Connects.
    ///
    /// # Errors
    /// [`ClientError::Unreachable`].
    pub fn connect(path: &Path) -> Result<Self, ClientError> {
        let connect = || {
            let stream = UnixStream::connect(path)?;
            stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
            stream.set_write_timeout(Some(ANSWER_TIMEOUT))?;
            Ok(stream)
        };
        let stream =
            connect().map_err(|source| ClientError::Unreachable { path: path.to_owned(), source })?;
        Ok(Self { stream, path: path.to_owned(), id: 0 })
    }

    /// Sends one command and waits for its answer.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn call(&mut self, command: Command) -> Result<Reply, ClientError> {
        self.id += 1;
        let request = Request { version: PROTOCOL_VERSION, id: self.id, command };
        let body =
            serde_json::to_vec(&request).map_err(|e| ClientError::Unreadable { cause: e.to_string() })?;
        let no_answer = |source| ClientError::NoAnswer { path: self.path.clone(), source };
        // A daemon that refuses the connection says why and hangs up, perhaps before it has read anything: what it said
        // matters more than that it no longer listens.
        let sent = write_frame(&mut self.stream, &body);
        let answer = match (sent, read_frame(&mut self.stream)) {
            (_, Ok(answer)) => answer,
            (Err(error), Err(_)) | (Ok(()), Err(error)) => return Err(no_answer(error)),
        };
        self.read_answer(&answer)
    }

    fn read_answer(&self, bytes: &[u8]) -> Result<Reply, ClientError> {
        #[derive(Deserialize)]
        struct Envelope {
            version: u64,
        }
        let unreadable = |e: serde_json::Error| ClientError::Unreadable { cause: e.to_string() };
        let envelope: Envelope = serde_json::from_slice(bytes).map_err(unreadable)?;
        if envelope.version != u64::from(PROTOCOL_VERSION) {
            return Err(ClientError::Version { found: envelope.version });
        }
        let response: Response = serde_json::from_slice(bytes).map_err(unreadable)?;
        match response.outcome {
            Outcome::Error(refusal) => Err(ClientError::Refused(refusal)),
            Outcome::Ok(_) if response.id != self.id => {
                let cause = format!("found an answer to request {}, wanted one to {}", response.id, self.id);
                Err(ClientError::Unreadable { cause })
            }
            Outcome::Ok(reply) => Ok(reply),
        }
    }
}
