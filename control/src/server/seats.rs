//! The seats of the control socket: who is connected, and who makes room for whom.
//!
//! Where a share is full, the first to go is a connection whose other side has hung up, then the one that has been idle for longest,
//! then one whose command only looks. Where all of them change something, one seat more for each user takes a halt or a trip and
//! nothing else, so that no disk that hangs keeps anybody from stopping.

use crate::protocol::{Command, Refusal, RefusalKind};
use crate::roles::Role;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::collections::BTreeMap;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Connections at once.
const CONNECTIONS_MAX: usize = 64;
/// Those of them that traders and viewers may have together; the rest is kept for officers.
const TRADER_CONNECTIONS_MAX: usize = 48;
/// Those that viewers may have; the rest is kept for who may tighten.
const VIEWER_CONNECTIONS_MAX: usize = 24;
/// Connections at once of one user.
const CONNECTIONS_PER_USER_MAX: usize = 8;
/// Seats beyond those for halts and trips, one a user.
const CLOSING_SEATS_MAX: usize = 32;
/// How long one of those is kept for whoever says nothing.
const CLOSING_IDLE_MAX: Duration = Duration::from_secs(1);
/// Threads at once, those that do the command of somebody who has lost the seat among them.
const THREADS_MAX: usize = 2 * CONNECTIONS_MAX + CLOSING_SEATS_MAX;

/// What a connection is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Work {
    /// Nothing, since when.
    Idle(Instant),
    /// A command that only looks, or one that is still being read.
    Looking,
    /// A command that changes something.
    Changing,
}

/// What a connection is at, for who looks for room.
#[derive(Debug)]
pub(super) struct Activity(Mutex<Work>);

impl Activity {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(Work::Idle(Instant::now()))))
    }

    fn set(&self, work: Work) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = work;
    }

    fn get(&self) -> Work {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A message came in.
    pub(super) fn begin(&self) {
        self.set(Work::Looking);
    }

    /// The message wants something changed.
    pub(super) fn changes(&self) {
        self.set(Work::Changing);
    }

    /// What it wanted is done.
    pub(super) fn end(&self) {
        self.set(Work::Idle(Instant::now()));
    }
}

/// One connection.
#[derive(Debug)]
struct Seat {
    uid: u32,
    role: Role,
    stream: UnixStream,
    activity: Arc<Activity>,
    /// One of those for a halt or a trip alone.
    closes: bool,
}

impl Seat {
    /// Ends the connection; true, always.
    fn hang_up(&self) -> bool {
        drop(self.stream.shutdown(Shutdown::Both));
        true
    }
}

/// Whether the other side has not hung up. One that has only ended its sending still waits for an answer.
pub(super) fn waits(stream: &UnixStream) -> bool {
    let mut ends = [PollFd::new(stream, PollFlags::empty())];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    let polled = poll(&mut ends, Some(&now));
    polled.is_ok() && !ends[0].revents().intersects(PollFlags::HUP | PollFlags::ERR)
}

/// What a connection may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// Everything its user may do.
    Any,
    /// A halt or a trip: everything else of its user's is busy.
    Closing,
}

impl Use {
    /// Whether a command may come over such a connection.
    ///
    /// # Errors
    /// [`Refusal`], for what is neither a halt nor a trip.
    pub(super) fn takes(self, command: &Command) -> Result<(), Refusal> {
        match (self, command) {
            (Self::Any, _) | (Self::Closing, Command::Halt { .. } | Command::BreakerTrip { .. }) => Ok(()),
            (Self::Closing, _) => Err(busy(
                "every connection that there may be is busy changing something; one is kept, for a halt or a trip: try again",
            )),
        }
    }
}

fn busy(message: &str) -> Refusal {
    Refusal { kind: RefusalKind::Busy, message: message.to_owned() }
}

/// All seats.
#[derive(Debug, Default)]
pub(super) struct Seats(BTreeMap<u64, Seat>);

/// Connections that those of this role and lower ones may have together.
const fn seats_of(role: Role) -> usize {
    match role {
        Role::Order | Role::Viewer => VIEWER_CONNECTIONS_MAX,
        Role::Trader => TRADER_CONNECTIONS_MAX,
        Role::RiskOfficer | Role::RiskAdmin => CONNECTIONS_MAX,
    }
}

impl Seats {
    /// Gives the `number`th connection, of `uid` in `role`, a seat, with `threads` running; for what.
    ///
    /// # Errors
    /// [`Refusal`]: there is none, and nobody makes room.
    pub(super) fn take(
        &mut self,
        number: u64,
        (uid, role): (u32, Role),
        stream: &UnixStream,
        activity: &Arc<Activity>,
        threads: usize,
    ) -> Result<Use, Refusal> {
        let may_go_on = threads < THREADS_MAX;
        let given = if self.make_room(uid, role, may_go_on) {
            Use::Any
        } else {
            // Whoever has one and does nothing with it has had it.
            let done = |seat: &Seat| match seat.activity.get() {
                Work::Idle(since) => since.elapsed() >= CLOSING_IDLE_MAX || !waits(&seat.stream),
                Work::Looking | Work::Changing => false,
            };
            self.0.retain(|_, seat| !(seat.closes && done(seat) && seat.hang_up()));
            let kept = self.0.values().filter(|seat| seat.closes);
            let (all, own) =
                kept.fold((0, 0), |(all, own), seat| (all + 1, own + usize::from(seat.uid == uid)));
            if role < Role::Trader || all >= CLOSING_SEATS_MAX || own > 0 || !may_go_on {
                let most = CONNECTIONS_PER_USER_MAX.min(seats_of(role));
                return Err(busy(&format!(
                    "the connections that your user ({most}) or your role and lower ones ({}) may have are busy: try again",
                    seats_of(role)
                )));
            }
            Use::Closing
        };
        if let Ok(stream) = stream.try_clone() {
            let activity = Arc::clone(activity);
            self.0.insert(number, Seat { uid, role, stream, activity, closes: given == Use::Closing });
        }
        Ok(given)
    }

    /// Gives a seat back.
    pub(super) fn leave(&mut self, number: u64) {
        self.0.remove(&number);
    }

    /// The connections.
    pub(super) fn streams(&self) -> impl Iterator<Item = &UnixStream> {
        self.0.values().map(|seat| &seat.stream)
    }

    /// Whether there is room for one more of `uid` in `role`, or somebody has made it. With `may_go_on`, those too make room whose
    /// command goes on without a seat.
    fn make_room(&mut self, uid: u32, role: Role, may_go_on: bool) -> bool {
        self.make_room_in(|seat| seat.uid == uid, CONNECTIONS_PER_USER_MAX, may_go_on)
            && self.make_room_in(|seat| seat.role <= role, seats_of(role), may_go_on)
    }

    fn make_room_in(&mut self, of_share: impl Fn(&Seat) -> bool, most: usize, may_go_on: bool) -> bool {
        let share = || self.0.iter().filter(|(_, seat)| !seat.closes && of_share(seat));
        if share().count() < most {
            return true;
        }
        // The less is lost with it, the sooner one goes.
        let worth = |seat: &Seat| match seat.activity.get() {
            Work::Idle(since) if waits(&seat.stream) => Some((1, Some(since))),
            Work::Idle(_) => Some((0, None)),
            _ if !may_go_on => None,
            _ if !waits(&seat.stream) => Some((0, None)),
            Work::Looking => Some((2, None)),
            Work::Changing => None,
        };
        let first = share().filter_map(|(number, seat)| worth(seat).map(|worth| (worth, *number))).min();
        let Some(gone) = first.and_then(|(_, number)| self.0.remove(&number)) else { return false };
        gone.hang_up()
    }
}
