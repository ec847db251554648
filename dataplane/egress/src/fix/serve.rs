//! The gateway: two sockets, two sessions and the gate, a turn at a time on one thread.

use crate::connect::Connector;
use crate::fix::copies::FixLink;
use crate::fix::copying::Copying;
use crate::fix::gateway::{DropCopy, Gatekeeper, Relay};
use crate::fix::link::Link;
use crate::fix::session::{Close, Config, Role, State};
use crate::fix::setup::{CompIds, GatewayError, OwnCancels, SENDING_TIME_TOLERANCE, Setup};
use crate::log::make_folder;
use crate::orders::OrderPort;
use std::io;
use std::net::{SocketAddr, TcpListener};
use types::{Nanos, UnixNanos};

/// How often the gateway looks after what cannot wait for ever and need not be at once.
const CHORES: Nanos = Nanos(50_000_000);

/// How long a gateway that stops waits for both sides to log out, and for the venue's answers to its cancels.
const GRACE: Nanos = Nanos(2_000_000_000);

/// How long the same line is not said again.
const SAY_AGAIN: Nanos = Nanos(10_000_000_000);

/// A gateway.
#[derive(Debug)]
pub struct Gateway(Serving<OrderPort>);

impl Gateway {
    /// Attaches to the appliance, reads what is kept, and listens for the firm. The venue is tried from the first turn on.
    ///
    /// # Errors
    /// [`GatewayError`].
    pub fn open(setup: &Setup, now: UnixNanos) -> Result<Self, GatewayError> {
        let failed = |what: String| move |source| GatewayError::Io { what, source };
        let listener =
            TcpListener::bind(setup.listen).map_err(failed(format!("listening on {}", setup.listen)))?;
        let port = OrderPort::attach(setup.owner.clone())?;
        let dir = &setup.store_dir;
        make_folder(dir).map_err(failed(dir.display().to_string()))?;
        let session = |role, ids: &CompIds| Config {
            version: setup.version,
            role,
            sender: ids.ours.clone(),
            target: ids.theirs.clone(),
            heartbeat_s: u64::from(setup.heartbeat_s),
            reset_on_logon: role == Role::Initiator && setup.reset_at_venue,
            judge_bodies: role == Role::Acceptor,
            user_fields: true,
            sending_time_tolerance: SENDING_TIME_TOLERANCE,
        };
        let firm = session(Role::Acceptor, &setup.firm_ids);
        let venue = session(Role::Initiator, &setup.venue_ids);
        let mut relay = Relay::open(dir, firm, venue, setup.alerts, port, now)
            .map_err(failed(format!("the sessions kept in {}", dir.display())))?;
        relay.desk.takes_mass_cancel = setup.mass_cancel;
        relay.desk.account = Some(setup.account.clone());
        relay.desk.user_tags = Some(setup.user_tags.clone());
        let serving = Serving::new(relay, listener, setup.venue, setup.cancels);
        let mut serving = serving.map_err(failed(format!("listening on {}", setup.listen)))?;
        if let Some(copy) = &setup.drop_copy {
            let listener =
                TcpListener::bind(copy.listen).map_err(failed(format!("listening on {}", copy.listen)))?;
            let copy = DropCopy::open(dir, session(Role::Acceptor, &copy.ids));
            let copy = copy.map_err(failed(format!("the drop copy kept in {}", dir.display())))?;
            serving.copying =
                Some(Copying::new(copy, listener).map_err(failed("listening for the drop copy".to_owned()))?);
        }
        if let Some((copies, source)) = &setup.copy_in {
            serving.relay.desk.tap = Some(crate::reconcile::start(copies, FixLink::open(copies, source))?);
        }
        Ok(Self(serving))
    }

    /// Does what there is to do at `now`, and says whether that was anything.
    pub fn turn(&mut self, now: UnixNanos) -> bool {
        self.0.turn(now)
    }

    /// Begins to stop: no order passes any more, and, where that is configured, each open one is cancelled.
    pub fn stop(&mut self, now: UnixNanos) {
        self.0.stop(now);
    }

    /// Whether it has stopped: both sides are logged out, or have had their time.
    pub fn has_stopped(&mut self, now: UnixNanos) -> bool {
        self.0.has_stopped(now)
    }

    /// What a person should know, since the last call.
    pub fn take_said(&mut self) -> Vec<String> {
        std::mem::take(&mut self.0.said)
    }

    /// As [`OrderPort::audits`].
    #[must_use]
    pub fn audits(&self) -> bool {
        self.0.relay.desk.gate.audits()
    }

    /// Orders that may still trade, and records that the daemon was not told of.
    #[must_use]
    pub fn open_and_lost(&self) -> (usize, u64) {
        let port = &self.0.relay.desk.gate;
        (port.open_orders().count(), port.lost())
    }

    /// What was counted, by name.
    #[must_use]
    pub fn counters(&self) -> Vec<(&'static str, u64)> {
        self.0.counters()
    }
}

/// One of the gateway's two sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Firm,
    Venue,
}

impl End {
    const fn name(self) -> &'static str {
        match self {
            Self::Firm => "firm",
            Self::Venue => "venue",
        }
    }
}

/// Whether the time `at`, which lay at most `span` ahead when it was set, is here; a clock that was set back since does not put it off.
fn is_due(now: UnixNanos, at: UnixNanos, span: Nanos) -> bool {
    now >= at || at.since(now) > span
}

/// A gateway over any gate.
#[derive(Debug)]
pub(crate) struct Serving<G> {
    pub(crate) relay: Relay<G>,
    firm: Link,
    venue: Link,
    listener: TcpListener,
    connector: Connector,
    cancels: OwnCancels,
    was_up: [bool; 2],
    chores_at: UnixNanos,
    stop_by: Option<UnixNanos>,
    refused_connections: u64,
    pub(crate) said: Vec<String>,
    /// What was last said of the gate: not said again and again.
    said_of_gate: Option<String>,
    said_last: (String, UnixNanos),
    is_disk_full: bool,
    pub(crate) copying: Option<Copying>,
}

impl<G: Gatekeeper> Serving<G> {
    /// A gateway that listens for its firm on `listener`.
    ///
    /// # Errors
    /// The listening socket's.
    pub(crate) fn new(
        mut relay: Relay<G>,
        listener: TcpListener,
        venue: SocketAddr,
        cancels: OwnCancels,
    ) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        // The firm's connection ended with the process before this one.
        if cancels.on_disconnect {
            relay.desk.sweep_all();
        }
        Ok(Self {
            relay,
            firm: Link::default(),
            venue: Link::default(),
            listener,
            connector: Connector::new(venue),
            cancels,
            was_up: [false; 2],
            chores_at: UnixNanos(0),
            stop_by: None,
            refused_connections: 0,
            said: Vec::new(),
            said_of_gate: None,
            said_last: (String::new(), UnixNanos(0)),
            is_disk_full: false,
            copying: None,
        })
    }

    /// One turn over both sockets; whether anything came.
    pub(crate) fn turn(&mut self, now: UnixNanos) -> bool {
        self.cancel(now);
        if is_due(now, self.chores_at, CHORES) {
            self.chores_at = now.plus(CHORES);
            let said = self.relay.desk.gate.look_after();
            if said.is_some() && said != self.said_of_gate {
                self.said.extend(said.clone());
            }
            self.said_of_gate = said;
            self.connect(now);
            self.reconcile(now);
        }
        let from_firm = self.read(End::Firm, now);
        // Answers that nobody could take note of stay in the socket.
        let came = self.relay.desk.gate.is_ready() && self.read(End::Venue, now) || from_firm;
        self.relay.tick(now);
        self.write(End::Firm, now);
        self.write(End::Venue, now);
        self.note_up();
        self.note_disk();
        self.copy(now);
        came
    }

    pub(crate) fn stop(&mut self, now: UnixNanos) {
        if self.stop_by.is_some() {
            return;
        }
        self.stop_by = Some(now.plus(GRACE));
        self.relay.desk.stop();
        if self.cancels.on_disconnect {
            self.relay.desk.sweep_all();
            self.cancel(now);
        } else {
            self.relay.venue.core.log_out("the gateway stops", now);
        }
        self.relay.firm.core.log_out("the gateway stops", now);
        if let Some(copying) = &mut self.copying {
            copying.stop(now);
        }
    }

    pub(crate) fn has_stopped(&mut self, now: UnixNanos) -> bool {
        let Some(by) = self.stop_by else { return false };
        // Every cancel is answered: the venue is not needed any more.
        if self.cancels.on_disconnect && self.relay.desk.gate.open_orders().is_empty() {
            self.relay.venue.core.log_out("the gateway stops", now);
        }
        let is_over = is_due(now, by, GRACE);
        let is_down = self.relay.firm.state() == State::Down && self.relay.venue.state() == State::Down;
        if is_over {
            self.close(End::Firm, Close::LoggedOut, now);
            self.close(End::Venue, Close::LoggedOut, now);
        }
        is_down || is_over
    }

    pub(crate) fn counters(&self) -> Vec<(&'static str, u64)> {
        let desk = self.relay.desk.counts();
        let [copies, copies_too_long] = self.copying.as_ref().map_or([0; 2], |copying| copying.copy.copies());
        let (firm, venue) = (self.relay.firm.counts(), self.relay.venue.counts());
        let mut counted = vec![
            ("orders_passed", desk.passed),
            ("orders_refused", desk.refused),
            ("cancels_passed", desk.cancels),
            ("own_cancels", desk.own_cancels),
            ("orders_known_before", desk.known_before),
            ("reports_passed", desk.reports),
            ("executions", desk.executions),
            ("executions_repeated", desk.repeated),
            ("reports_unbooked", desk.unbooked),
            ("firm_received", firm.received),
            ("firm_sent", firm.sent),
            ("firm_resent", firm.resent),
            ("firm_repeated", firm.repeated),
            ("firm_gaps", firm.gaps),
            ("firm_garbled", firm.garbled),
            ("firm_rejected", firm.rejected),
            ("firm_connections_refused", self.refused_connections),
            ("venue_received", venue.received),
            ("venue_sent", venue.sent),
            ("venue_resent", venue.resent),
            ("venue_withheld", venue.withheld),
            ("venue_repeated", venue.repeated),
            ("venue_gaps", venue.gaps),
            ("venue_garbled", venue.garbled),
            ("venue_rejected", venue.rejected),
            ("firm_unkept", self.relay.firm.core.unkept()),
            ("venue_unkept", self.relay.venue.core.unkept()),
            ("copies_sent", copies),
            ("copies_too_long", copies_too_long),
        ];
        counted.extend(self.relay.desk.tap.iter().flat_map(crate::reconcile::tap::Tap::counts));
        counted
    }

    /// A firm has one connection at a time: a second one is closed, whoever it says it is.
    fn connect(&mut self, now: UnixNanos) {
        if let Ok((stream, from)) = self.listener.accept() {
            // Whoever has not logged on by now gives way: a firm's logon comes with its connection.
            if self.relay.firm.state() == State::LoggingOn {
                self.close(End::Firm, Close::LogonTimeout, now);
            }
            if self.firm.is_connected() || self.stop_by.is_some() {
                self.refused_connections += 1;
                self.say(format!("firm: a second connection from {} was closed", from.ip()), now);
            } else if self.firm.take(stream).is_ok() {
                self.relay.firm.connected(now);
            }
        }
        if self.stop_by.is_none()
            && let Some(line) = self.copying.as_mut().and_then(|copying| copying.connect(now))
        {
            self.say(line, now);
        }
        if !self.venue.is_connected()
            && self.stop_by.is_none()
            && let Some(stream) = self.connector.poll(now)
            && self.venue.take(stream).is_ok()
        {
            self.relay.venue.connected(now);
        }
    }

    fn read(&mut self, end: End, now: UnixNanos) -> bool {
        let link = if end == End::Firm { &mut self.firm } else { &mut self.venue };
        match link.read() {
            Ok([]) => false,
            Ok(bytes) => {
                match end {
                    End::Firm => self.relay.receive_from_firm(bytes, now),
                    End::Venue => self.relay.receive_from_venue(bytes, now),
                }
                true
            }
            Err(why) => {
                self.close(end, why, now);
                true
            }
        }
    }

    fn write(&mut self, end: End, now: UnixNanos) {
        let (link, session) = match end {
            End::Firm => (&mut self.firm, &mut self.relay.firm),
            End::Venue => (&mut self.venue, &mut self.relay.venue),
        };
        if let Err(why) = link.flush(session, now) {
            self.close(end, why, now);
        }
    }

    fn close(&mut self, end: End, why: Close, now: UnixNanos) {
        let (link, session) = match end {
            End::Firm => (&mut self.firm, &mut self.relay.firm),
            End::Venue => (&mut self.venue, &mut self.relay.venue),
        };
        if !link.is_connected() {
            return;
        }
        let why = session.closing().unwrap_or(why);
        let words = if session.peer_said().is_empty() { "" } else { ", with the words: " };
        let line = format!("{}: {why}{words}{}", end.name(), session.peer_said());
        // Whoever was told why must be able to read it.
        link.close(why.resets());
        let was_up = session.was_up();
        session.disconnected();
        self.say(line, now);
        self.was_up[end as usize] = false;
        if end == End::Firm && was_up && self.cancels.on_disconnect {
            self.relay.desk.sweep_all();
        }
    }

    /// Sends the gateway's own cancels, those of a halt or a trip as soon as it is latched.
    fn cancel(&mut self, now: UnixNanos) {
        if self.cancels.on_halt && self.relay.desk.obey_halts(now) {
            self.said.push(
                "a halt, a trip or a lost daemon: the open orders that it covers are cancelled".to_owned(),
            );
        }
        if let Err(error) = self.relay.send_sweeps(now) {
            self.say(format!("open orders could not be cancelled: {error}"), now);
        }
        self.write(End::Venue, now);
    }

    /// Tells a person, but not the same again and again.
    fn say(&mut self, line: String, now: UnixNanos) {
        let (last, at) = &self.said_last;
        if *last != line || is_due(now, at.plus(SAY_AGAIN), SAY_AGAIN) {
            self.said.push(line.clone());
            self.said_last = (line, now);
        }
    }

    /// Tells whoever is told beside the firm what the firm was told: after it.
    fn copy(&mut self, now: UnixNanos) {
        let said = self.copying.as_mut().and_then(|copying| copying.turn(&self.relay.firm.core, now));
        if let Some(line) = said {
            self.say(line, now);
        }
    }

    /// Puts in doubt what drop copies say otherwise.
    fn reconcile(&mut self, now: UnixNanos) {
        let is_up = self.relay.venue.state() == State::Up;
        self.relay.desk.reconcile(is_up, now);
        if let Some(tap) = &self.relay.desk.tap {
            self.said.extend(tap.take_said());
        }
    }

    /// Says once that the disk takes nothing, and once that it does again.
    fn note_disk(&mut self) {
        let is_full = self.relay.firm.core.unkept() + self.relay.venue.core.unkept() > 0;
        if is_full != self.is_disk_full {
            self.is_disk_full = is_full;
            let what = if is_full {
                "the sessions cannot be written: cancels and answers pass, and wait in memory, orders are refused"
            } else {
                "the sessions are written again"
            };
            self.said.push(what.to_owned());
        }
    }

    fn note_up(&mut self) {
        for (end, state) in [(End::Firm, self.relay.firm.state()), (End::Venue, self.relay.venue.state())] {
            if state == State::Up && !self.was_up[end as usize] {
                self.was_up[end as usize] = true;
                self.said.push(format!("{}: logged on", end.name()));
                if end == End::Venue {
                    self.relay.desk.sweep_again();
                    if self.relay.venue.begins_anew() {
                        self.relay.desk.cancel_again();
                    }
                }
            }
        }
    }
}
