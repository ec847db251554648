//! The client's end of the control socket.

use crate::descriptors::TakingDescriptors;
use crate::names::Name;
use crate::protocol::{
    Command, FrameError, GRANT_DESCRIPTORS, Grant, Outcome, PROTOCOL_VERSION, Refusal, Reply, Request,
    Response, read_frame, write_frame,
};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with, sockopt};
use serde::Deserialize;
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where the socket is looked for when no argument names one.
const SOCKET_VARIABLE: &str = "PORTCULLIS_SOCKET";

/// The socket of a packaged appliance.
const SOCKET_DEFAULT: &str = "/run/portcullis/control.sock";

/// The control socket: the argument's, else the environment's, else the default. An empty name is none.
#[must_use]
pub fn socket_of(named: Option<&Path>) -> PathBuf {
    let named = named.map(Path::to_owned).or_else(|| std::env::var_os(SOCKET_VARIABLE).map(PathBuf::from));
    named.filter(|path| !path.as_os_str().is_empty()).unwrap_or_else(|| SOCKET_DEFAULT.into())
}

/// Why there is no answer, or not the one asked for.
#[derive(Debug, thiserror::Error)]
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
#[expect(clippy::wildcard_enum_match_arm, reason = "the system has more reasons than there is advice")]
fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::NotFound => {
            "start it (systemctl start portcullis), or name its socket with --socket or PORTCULLIS_SOCKET"
        }
        ErrorKind::WouldBlock => "it takes no connections: it hangs or has been stopped (SIGSTOP)",
        ErrorKind::ConnectionRefused => {
            "it has stopped without removing its socket: start it (systemctl start portcullis)"
        }
        ErrorKind::PermissionDenied => "your user may not open this socket: ask to be put into its group",
        _ => "name its socket with --socket or PORTCULLIS_SOCKET",
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

impl ClientError {
    /// One word for it, as JSON has it.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "unreachable",
            Self::NoAnswer { .. } => "no_answer",
            Self::Version { .. } => "version_mismatch",
            Self::Unreadable { .. } => "unreadable",
            Self::Refused(refusal) => refusal.kind.as_str(),
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
    /// Connects; neither that nor an answer may take longer than `timeout`.
    ///
    /// # Errors
    /// [`ClientError::Unreachable`].
    pub fn connect(path: &Path, timeout: Duration) -> Result<Self, ClientError> {
        let reach = || -> io::Result<UnixStream> {
            let fd = socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
            // Holds for connecting, too: a daemon that is stopped takes connections until its queue is full.
            sockopt::set_socket_timeout(&fd, sockopt::Timeout::Send, Some(timeout))?;
            sockopt::set_socket_timeout(&fd, sockopt::Timeout::Recv, Some(timeout))?;
            connect(&fd, &SocketAddrUnix::new(path)?)?;
            Ok(fd.into())
        };
        let stream = reach().map_err(|source| ClientError::Unreachable { path: path.to_owned(), source })?;
        Ok(Self { stream, path: path.to_owned(), id: 0 })
    }

    /// Sends one command and waits for its answer.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn call(&mut self, command: Command) -> Result<Reply, ClientError> {
        self.send(command, None)
    }

    /// [`Client::call`] of a command that is not to loosen anything later than `wait` from now.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn call_within(&mut self, command: Command, wait: Duration) -> Result<Reply, ClientError> {
        self.send(command, Some(wait))
    }

    /// Attaches this process as `client`: what it is given, the descriptors that come with it, and the connection, which stands for
    /// the process as long as it is held.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn attach(mut self, client: &Name) -> Result<(Grant, Vec<OwnedFd>, UnixStream), ClientError> {
        let mut descriptors = Vec::new();
        let reply = self.send_to(Command::Attach { client: client.clone() }, None, Some(&mut descriptors))?;
        if let Reply::Attached(grant) = reply
            && descriptors.len() == GRANT_DESCRIPTORS
        {
            return Ok((*grant, descriptors, self.stream));
        }
        let cause = format!("found {} descriptors, wanted {GRANT_DESCRIPTORS}", descriptors.len());
        Err(ClientError::Unreadable { cause })
    }

    fn send(&mut self, command: Command, wait: Option<Duration>) -> Result<Reply, ClientError> {
        self.send_to(command, wait, None)
    }

    fn send_to(
        &mut self,
        command: Command,
        wait: Option<Duration>,
        descriptors: Option<&mut Vec<OwnedFd>>,
    ) -> Result<Reply, ClientError> {
        self.id += 1;
        let wait_ms = wait.map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
        let request = Request { version: PROTOCOL_VERSION, id: self.id, command, wait_ms };
        let body =
            serde_json::to_vec(&request).map_err(|e| ClientError::Unreadable { cause: e.to_string() })?;
        let no_answer = |source| ClientError::NoAnswer { path: self.path.clone(), source };
        // A daemon that refuses the connection says why and hangs up, perhaps before it has read anything: what it said
        // matters more than that it no longer listens.
        let sent = write_frame(&mut self.stream, &body);
        let read = match descriptors {
            None => read_frame(&mut self.stream),
            Some(descriptors) => read_frame(&mut TakingDescriptors { stream: &self.stream, descriptors }),
        };
        let answer = match (sent, read) {
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
