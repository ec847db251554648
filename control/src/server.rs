//! The control socket: a Unix listener on threads of its own. Who asks is what the kernel says (`SO_PEERCRED`).
//!
//! Everything a client can hold is bounded: message size, time per message, connections per user, per role and in all. Who
//! has no role is told so and hung up on. Seats are kept for those who may tighten, and more for officers (`seats`). The thread that
//! lets connections in waits for nobody: not for a lock that is held over a disk, and not for a client.

mod seats;

use crate::controller::{Asked, Controller, least_role};
use crate::descriptors::WithDescriptors;
use crate::names::Name;
use crate::protocol::{
    BadEnvelope, Command, FrameError, Outcome, PROTOCOL_VERSION, Refusal, RefusalKind, Reply, Response,
    parse_request, read_frame, write_frame,
};
use crate::roles::{Peer, Role};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use seats::{Activity, Seats, Use, waits};
use std::fs::{self, Permissions};
use std::io::{self, ErrorKind, Read};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use types::{Nanos, UnixNanos};

/// How long a connection may be silent, and how long a message may take to come.
const MESSAGE_TIMEOUT: Duration = Duration::from_secs(5);
/// How often the accept loop looks whether to stop.
const STOP_POLL: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };
/// How long commands that have begun may take when the server stops, and how much longer once their clients were hung up on.
const STOP_MAX: Duration = Duration::from_secs(2);

/// Why the control socket cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// A daemon answers there.
    #[error("control socket {}: another appliance is listening on it; stop it, or give this one its own instance.socket", path.display())]
    InUse {
        /// The socket.
        path: PathBuf,
    },
    /// Something else has the name.
    #[error("control socket {}: found a file that is no socket; it is left alone, give instance.socket another path", path.display())]
    NotASocket {
        /// The path.
        path: PathBuf,
    },
    /// The system said no.
    #[error("control socket {}: {what}: {source}", path.display())]
    Io {
        /// The socket.
        path: PathBuf,
        /// What was tried.
        what: &'static str,
        /// The system's reason.
        source: io::Error,
    },
}

/// The running control socket. Dropping it closes and removes the socket.
#[derive(Debug)]
pub struct Server {
    path: PathBuf,
    /// Device and inode of our socket file: only that one is removed.
    identity: (u64, u64),
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    controller: Arc<Controller>,
    stop: AtomicBool,
    seats: Mutex<Seats>,
}

impl Server {
    /// Listens at `path`, mode 0660, and serves `controller` until stopped.
    ///
    /// # Errors
    /// [`ServerError`]. A socket file that nobody listens on any more is replaced.
    pub fn start(controller: Arc<Controller>, path: &Path) -> Result<Self, ServerError> {
        let (listener, identity) = listen(path)?;
        let shared = Shared { controller, stop: AtomicBool::new(false), seats: Mutex::default() };
        let shared = Arc::new(shared);
        let theirs = Arc::clone(&shared);
        let acceptor = thread::Builder::new()
            .name("control".to_owned())
            .spawn(move || accept(&listener, &theirs))
            .map_err(fail(path, "no thread for it"))?;
        Ok(Self { path: path.to_owned(), identity, shared, acceptor: Some(acceptor) })
    }

    /// Takes no new connection, lets commands that have begun end, and removes the socket.
    pub fn stop(mut self) {
        self.shut();
    }

    fn shut(&mut self) {
        let Some(acceptor) = self.acceptor.take() else { return };
        self.shared.stop.store(true, Ordering::Relaxed);
        // The acceptor joins the connections; a panic in it has been printed and there is nothing left to stop.
        drop(acceptor.join());
        if identity_of(&self.path).is_ok_and(|found| found == self.identity) {
            drop(fs::remove_file(&self.path));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shut();
    }
}

fn fail<'a>(path: &'a Path, what: &'static str) -> impl FnOnce(io::Error) -> ServerError + 'a {
    move |source| ServerError::Io { path: path.to_owned(), what, source }
}

fn identity_of(path: &Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|found| (found.dev(), found.ino()))
}

/// Makes the listener under another name, closes its permissions, then gives it its own: nobody ever connects to a
/// socket with the wrong mode, and a stale file is replaced in one step.
fn listen(path: &Path) -> Result<(UnixListener, (u64, u64)), ServerError> {
    match fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_socket() => {
            return Err(ServerError::NotASocket { path: path.to_owned() });
        }
        Ok(_) if UnixStream::connect(path).is_ok() => {
            return Err(ServerError::InUse { path: path.to_owned() });
        }
        Err(e) if e.kind() != ErrorKind::NotFound => return Err(fail(path, "cannot be looked at")(e)),
        _ => {}
    }
    let mut fresh = path.as_os_str().to_owned();
    fresh.push(".new");
    let fresh = PathBuf::from(fresh);
    if let Err(e) = fs::remove_file(&fresh)
        && e.kind() != ErrorKind::NotFound
    {
        return Err(fail(path, "a leftover of an earlier start cannot be removed")(e));
    }
    let listener =
        UnixListener::bind(&fresh).map_err(fail(path, "cannot be made (does its directory exist?)"))?;
    fs::set_permissions(&fresh, Permissions::from_mode(0o660))
        .map_err(fail(path, "its mode cannot be set"))?;
    listener.set_nonblocking(true).map_err(fail(path, "cannot be made non-blocking"))?;
    let identity = identity_of(&fresh).map_err(fail(path, "cannot be looked at"))?;
    fs::rename(&fresh, path).map_err(fail(path, "cannot be given its name"))?;
    Ok((listener, identity))
}

fn accept(listener: &UnixListener, shared: &Arc<Shared>) {
    let mut threads: Vec<JoinHandle<()>> = Vec::new();
    let mut number = 0_u64;
    while !shared.stop.load(Ordering::Relaxed) {
        let ready = poll(&mut [PollFd::new(listener, PollFlags::IN)], Some(&STOP_POLL));
        threads.retain(|thread| !thread.is_finished());
        if !matches!(ready, Ok(n) if n > 0) {
            continue;
        }
        match listener.accept() {
            Ok((stream, _)) => {
                number += 1;
                threads.extend(admit(stream, number, threads.len(), shared));
            }
            // The client is gone again, or descriptors ran out: the poll's timeout keeps this from spinning.
            Err(_) => thread::sleep(Duration::from_millis(10)),
        }
    }
    // Ends the wait for the next command; an answer on its way still goes out. Who does not take it is hung up on.
    for how in [Shutdown::Read, Shutdown::Both] {
        shared.seats().streams().for_each(|stream| drop(stream.shutdown(how)));
        let by = Instant::now() + STOP_MAX;
        while threads.iter().any(|thread| !thread.is_finished()) && Instant::now() < by {
            thread::sleep(Duration::from_millis(5));
        }
    }
    // One that waits for a disk that hangs is left to the end of the process.
    threads.into_iter().filter(JoinHandle::is_finished).for_each(|thread| drop(thread.join()));
}

impl Shared {
    fn seats(&self) -> MutexGuard<'_, Seats> {
        // Whole after every statement.
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes a listener beside `path` as a start would, and takes it away again. What it returns speaks against a start now.
///
/// # Errors
/// [`ServerError`], when a start would fail whatever else runs.
pub fn check(path: &Path) -> Result<Option<String>, ServerError> {
    match fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_socket() => {
            return Err(ServerError::NotASocket { path: path.to_owned() });
        }
        Ok(_) if UnixStream::connect(path).is_ok() => {
            let error = ServerError::InUse { path: path.to_owned() };
            return Ok(Some(format!("{error}; a start now would fail")));
        }
        Err(e) if e.kind() != ErrorKind::NotFound => return Err(fail(path, "cannot be looked at")(e)),
        _ => {}
    }
    let mut trial = path.as_os_str().to_owned();
    trial.push(".chk");
    let trial = PathBuf::from(trial);
    drop(fs::remove_file(&trial));
    let bound = UnixListener::bind(&trial).map_err(fail(path, "cannot be made (does its directory exist?)"));
    drop(fs::remove_file(&trial));
    bound.map(|_| None)
}

/// Takes one connection: of somebody with a role, when there is room for it.
fn admit(stream: UnixStream, number: u64, threads: usize, shared: &Arc<Shared>) -> Option<JoinHandle<()>> {
    stream.set_nonblocking(false).ok()?;
    stream.set_read_timeout(Some(MESSAGE_TIMEOUT)).ok()?;
    stream.set_write_timeout(Some(MESSAGE_TIMEOUT)).ok()?;
    let credentials = rustix::net::sockopt::socket_peercred(&stream).ok()?;
    let (uid, gid) = (credentials.uid.as_raw(), credentials.gid.as_raw());
    let peer = Peer { uid, gid, pid: credentials.pid.as_raw_nonzero().get() };
    let activity = Activity::new();
    let seat = |role| shared.seats().take(number, (uid, role), &stream, &activity, threads);
    let given = match shared.controller.admit(&shared.controller.actor(peer)).and_then(seat) {
        Ok(given) => given,
        Err(refusal) => {
            drop(answer(&stream, 0, Outcome::Error(refusal)));
            return None;
        }
    };
    let place = Place { number, shared: Arc::clone(shared) };
    let thread = thread::Builder::new()
        .name(format!("control-{number}"))
        .spawn(move || serve(&stream, peer, (given, &activity), &place.shared));
    thread.ok()
}

/// Answers one client until it hangs up, is silent for too long, or stops making sense.
fn serve(stream: &UnixStream, peer: Peer, seat: (Use, &Activity), shared: &Shared) {
    let activity = seat.1;
    while !shared.stop.load(Ordering::Relaxed) {
        let (id, outcome, go_on, descriptors) =
            match read_frame(&mut Impatient::new(stream, &shared.controller)) {
                Ok(bytes) => {
                    activity.begin();
                    let done = obey(&bytes, stream, peer, seat, &shared.controller);
                    activity.end();
                    done
                }
                Err(error @ FrameError::TooLarge { .. }) => {
                    (0, refusal(RefusalKind::BadRequest, error.to_string()), false, Vec::new())
                }
                Err(_) => return,
            };
        if answer_with(stream, id, outcome, &descriptors).is_err() || !go_on {
            return;
        }
    }
}

const fn refusal(kind: RefusalKind, message: String) -> Outcome {
    Outcome::Error(Refusal { kind, message })
}

/// Does what one message asks for: its number, what came of it, whether another message makes sense, and the descriptors that go
/// with the answer.
fn obey(
    bytes: &[u8],
    stream: &UnixStream,
    peer: Peer,
    (given, activity): (Use, &Activity),
    controller: &Controller,
) -> (u64, Outcome, bool, Vec<OwnedFd>) {
    let request = match parse_request(bytes) {
        Ok(request) => request,
        Err(error @ BadEnvelope::Version { id, .. }) => {
            return (id, refusal(RefusalKind::VersionMismatch, error.to_string()), false, Vec::new());
        }
        Err(BadEnvelope::Malformed { id, cause }) => {
            return (id, refusal(RefusalKind::BadRequest, cause), false, Vec::new());
        }
    };
    if let Err(refused) = given.takes(&request.command) {
        return (request.id, Outcome::Error(refused), false, Vec::new());
    }
    if least_role(&request.command) != Role::Viewer {
        activity.changes();
    }
    if let Command::Attach { client } = &request.command {
        return attach(request.id, client, stream, peer, controller);
    }
    let there = || waits(stream);
    let asked = Asked::by(controller.clock_now(), request.wait_ms.map(Duration::from_millis), &there);
    let actor = controller.actor(peer);
    let outcome = match controller.execute_asked(&actor, request.command, &asked) {
        Ok(reply) => Outcome::Ok(reply),
        Err(refusal) => Outcome::Error(refusal),
    };
    (request.id, outcome, true, Vec::new())
}

/// Hands the connection over: it stands for the order process from now on, and takes no further command.
fn attach(
    id: u64,
    client: &Name,
    stream: &UnixStream,
    peer: Peer,
    controller: &Controller,
) -> (u64, Outcome, bool, Vec<OwnedFd>) {
    let lifeline = match stream.try_clone() {
        Ok(lifeline) => lifeline,
        Err(e) => return (id, refusal(RefusalKind::Failed, e.to_string()), false, Vec::new()),
    };
    match controller.attach(peer, client, lifeline) {
        Ok((grant, descriptors)) => (id, Outcome::Ok(Reply::Attached(Box::new(grant))), false, descriptors),
        Err(refused) => (id, Outcome::Error(refused), true, Vec::new()),
    }
}

/// An answer with descriptors: they come with its first bytes.
fn answer_with(
    stream: &UnixStream,
    id: u64,
    outcome: Outcome,
    descriptors: &[OwnedFd],
) -> Result<(), FrameError> {
    if descriptors.is_empty() {
        return answer(stream, id, outcome);
    }
    let body =
        serde_json::to_vec(&Response { version: PROTOCOL_VERSION, id, outcome }).map_err(io::Error::from)?;
    write_frame(&mut WithDescriptors { stream, descriptors }, &body)
}

fn answer(mut stream: &UnixStream, id: u64, outcome: Outcome) -> Result<(), FrameError> {
    let response = Response { version: PROTOCOL_VERSION, id, outcome };
    let body = serde_json::to_vec(&response).map_err(io::Error::from)?;
    match write_frame(&mut stream, &body) {
        Err(error @ FrameError::TooLarge { .. }) => {
            let refusal =
                Refusal { kind: RefusalKind::Failed, message: format!("the answer does not fit: {error}") };
            let outcome = Outcome::Error(refusal);
            let body = serde_json::to_vec(&Response { version: PROTOCOL_VERSION, id, outcome })
                .map_err(io::Error::from)?;
            write_frame(&mut stream, &body)
        }
        outcome => outcome,
    }
}

/// A reader that gives up on a message that comes in crumbs: the whole of it has to come within [`MESSAGE_TIMEOUT`],
/// where the socket's own limit begins again with every byte.
struct Impatient<'a> {
    stream: &'a UnixStream,
    controller: &'a Controller,
    deadline: UnixNanos,
}

impl<'a> Impatient<'a> {
    fn new(stream: &'a UnixStream, controller: &'a Controller) -> Self {
        let deadline = controller.clock_now().plus(Nanos(MESSAGE_TIMEOUT.as_nanos() as u64));
        Self { stream, controller, deadline }
    }
}

impl Read for Impatient<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.controller.clock_now() > self.deadline {
            return Err(ErrorKind::TimedOut.into());
        }
        let mut stream = self.stream;
        stream.read(into)
    }
}

/// A connection's seat; given back however its thread ends.
struct Place {
    number: u64,
    shared: Arc<Shared>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.shared.seats().leave(self.number);
    }
}
