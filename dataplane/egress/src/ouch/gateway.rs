//! The gateway: one thread's work, a turn at a time.

use super::book::{Book, Held};
use super::clock::SteadyClock;
use super::copies::{CopySource, SoupLink};
use super::counters::{Count, Counters};
use super::dialect::{Dialect, SessionKey};
use super::names::{CURRENT, file_name, keep_name};
use super::sides::{Firm, FirmConn, Venue};
use super::told::Told;
use super::words::Token;
use crate::log::write_file;
use crate::orders::{OrderPort, PortError};
use crate::owner::{Owner, OwnerIndex};
use crate::reconcile::tap::Tap;
use crate::reconcile::{CopyError, CopyInSetup};
use crate::said::Said;
use crate::socket::End;
use crate::store::{Record, Store, StoreError};
use gate::OrderEvent;
use std::collections::{HashMap, HashSet, VecDeque};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use types::{InstrumentId, Nanos, Side, UnixNanos};

/// How often the gateway looks after what cannot wait for ever and need not be at once.
const CHORES: Nanos = Nanos(1_000_000);

/// How often it looks whether the daemon is still the one it attached to.
const PORT_CHORES: Nanos = Nanos(50_000_000);

/// How long a gateway that stops waits for the venue's answers to its cancels.
const GRACE: Nanos = Nanos(1_000_000_000);

/// A day of 24 hours.
const DAY_NS: u64 = 86_400_000_000_000;

/// Who logs in where.
#[derive(Clone, Debug)]
pub struct Logins {
    /// The firm's user name.
    pub firm_username: String,
    /// Its password.
    pub firm_password: String,
    /// The gateway's user name at the venue.
    pub venue_username: String,
    /// Its password.
    pub venue_password: String,
}

/// What a gateway is.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The version that both sides speak.
    pub dialect: Dialect,
    /// The MPIDs of [`Owner::others`], in their order. Without any, every order is of the first owner, whatever its MPID.
    pub mpids: Vec<[u8; 4]>,
    /// Who logs in where.
    pub logins: Logins,
    /// Whether each open order is cancelled when the firm's connection ends.
    pub cancel_on_disconnect: bool,
    /// Whether each open order that a person's halt or trip covers is cancelled.
    pub cancel_on_halt: bool,
    /// Where its streams are kept.
    pub store_dir: PathBuf,
    /// Copies that come in, and who sends them.
    pub copy_in: Option<(CopyInSetup, CopySource)>,
}

impl Setup {
    /// Whose an order is that is entered for this MPID, blank for the session's own; none where it is nobody's.
    pub(super) fn owner_of(&self, mpid: [u8; 4]) -> Option<OwnerIndex> {
        if self.mpids.is_empty() || mpid == [b' '; 4] {
            return Some(OwnerIndex::default());
        }
        self.mpids
            .iter()
            .zip(OwnerIndex::all().skip(1))
            .find(|(known, _)| **known == mpid)
            .map(|found| found.1)
    }
}

/// Where a gateway is between its firm and its venue.
#[derive(Clone, Debug)]
pub struct Network {
    /// Where the firm connects to.
    pub listen: SocketAddr,
    /// Where the venue is.
    pub venue: SocketAddr,
    /// Whose orders they are.
    pub owner: Owner,
}

/// Why there is no gateway.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GatewayError {
    /// The appliance did not take it in.
    #[error(transparent)]
    Port(#[from] PortError),
    /// Its stream cannot be kept.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Copies that come in cannot be taken.
    #[error(transparent)]
    Copy(#[from] CopyError),
    /// The system said no.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// The system's reason.
        source: std::io::Error,
    },
}

/// The venue's session that the gateway is in, and what is kept of it.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) name: [u8; 10],
    pub(super) key: SessionKey,
    pub(super) store: Store,
    /// Questions for the next number that were sent, and answers to them, over all connections.
    pub(super) asked: u64,
    pub(super) answered: u64,
    /// Executions that were told, by their number here: how many shares.
    pub(super) executions: HashMap<u64, u32>,
    /// Orders and replacements of a version without numbers.
    pub(super) used: HashSet<u64>,
}

/// A gateway.
#[derive(Debug)]
pub struct Gateway {
    pub(super) setup: Setup,
    pub(super) port: OrderPort,
    pub(super) session: Option<Session>,
    pub(super) book: Book,
    pub(super) firm: Firm,
    pub(super) venue: Venue,
    pub(super) counters: Counters,
    /// The highest number that any order, replacement or request had.
    pub(super) last_number: u32,
    /// Orders, replacements and questions sent to the venue.
    pub(super) sent: u64,
    /// Midnight as the venue counts from it, once it has told.
    pub(super) midnight: Option<u64>,
    /// The venue said something that cannot be read, or left something out: no order passes until a person has looked.
    pub(super) is_at_odds: bool,
    /// The disk took none of the stream when it was last looked at.
    pub(super) is_disk_full: bool,
    /// Orders of which the firm was told that they never came, and that the gate still holds.
    owes_back: Vec<u64>,
    /// Everything here goes by its steady time, but for what the gate judges and the venue says.
    pub(super) clock: SteadyClock,
    chores_at: UnixNanos,
    port_at: UnixNanos,
    stop_by: Option<UnixNanos>,
    /// What is worth a line to a person.
    pub(super) said: Said,
    /// Where drop copies are reconciled.
    pub(super) tap: Option<Tap>,
}

/// The file that says why gateway and venue do not agree.
const AT_ODDS: &str = "at-odds";

impl Gateway {
    /// Attaches to the appliance, reads what is kept, and listens for the firm. The venue is tried from the first turn on.
    ///
    /// # Errors
    /// [`GatewayError`].
    pub fn open(setup: Setup, network: Network) -> Result<Self, GatewayError> {
        let Network { listen, venue, owner } = network;
        let at = || io(format!("listening on {listen}"));
        let listener = TcpListener::bind(listen).map_err(at())?;
        listener.set_nonblocking(true).map_err(at())?;
        let port = OrderPort::attach(owner)?;
        let mut gateway = Self::begin(setup, port, (Some(listener), Venue::new(Some(venue))))?;
        if let Some((copies, source)) = &gateway.setup.copy_in {
            let link = SoupLink::open(copies, gateway.setup.dialect, source);
            gateway.tap = Some(crate::reconcile::start(copies, link)?);
        }
        Ok(gateway)
    }

    /// A gateway between a firm and a venue that are connected to it already, at `now`. It listens for nobody else, and a side that ends is
    /// not tried again: for both in one process, with a clock of its own.
    ///
    /// # Errors
    /// [`GatewayError`].
    pub fn between(
        setup: Setup,
        port: OrderPort,
        (firm, venue): (UnixStream, UnixStream),
        now: UnixNanos,
    ) -> Result<Self, GatewayError> {
        let mut gateway = Self::begin(setup, port, (None, Venue::new(None)))?;
        let now = gateway.clock.take(now);
        let end = End::new(firm).map_err(io("the firm's connection".to_owned()))?;
        gateway.firm.candidates.push_back(FirmConn::new(end, now));
        gateway.connected(venue, now);
        Ok(gateway)
    }

    fn begin(
        setup: Setup,
        port: OrderPort,
        (listener, venue): (Option<TcpListener>, Venue),
    ) -> Result<Self, GatewayError> {
        let mut gateway = Self {
            port,
            session: None,
            book: Book::new(),
            firm: Firm { listener, conn: None, candidates: VecDeque::new() },
            venue,
            counters: Counters::default(),
            last_number: 0,
            sent: 1,
            midnight: None,
            is_at_odds: false,
            is_disk_full: false,
            owes_back: Vec::new(),
            clock: SteadyClock::default(),
            chores_at: UnixNanos(0),
            port_at: UnixNanos(0),
            stop_by: None,
            said: Said::default(),
            tap: None,
            setup,
        };
        let current = gateway.setup.store_dir.join(CURRENT);
        match std::fs::read(&current) {
            Ok(name) => {
                let name = <[u8; 10]>::try_from(&name[..]).map_err(|_| {
                    let found = std::io::Error::new(std::io::ErrorKind::InvalidData, "not ten bytes");
                    io(current.display().to_string())(found)
                })?;
                gateway.enter(name)?;
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(io(current.display().to_string())(error)),
        }
        Ok(gateway)
    }

    /// Enters a session: what is kept of it is read, and what the gate holds open is found again.
    pub(super) fn enter(&mut self, name: [u8; 10]) -> Result<(), GatewayError> {
        let dialect = self.setup.dialect;
        let (key, mut told) = (SessionKey::of(&name), Told::default());
        let dir = self.setup.store_dir.clone();
        let take = |record: Record<'_>| told.take(dialect, key, &record);
        let odds = dir.join(AT_ODDS);
        if odds.exists() {
            self.is_at_odds = true;
            let what = "no order passes until a person has looked and removed the file";
            self.said.push(format!("{} says why gateway and venue were at odds: {what}", odds.display()));
        }
        let (store, torn) = Store::open(&dir, &file_name(&name), take)?;
        if torn > 0 {
            self.said.push(format!("a record of {torn} bytes was not written whole, and was cut off"));
        }
        keep_name(&dir, CURRENT, &name).map_err(io(dir.join(CURRENT).display().to_string()))?;
        self.last_number = told.last_number;
        self.book.clear();
        let is_empty = store.is_empty();
        let (asked, answered) = (told.asked, told.answered);
        let (executions, used) = (std::mem::take(&mut told.executions), told.used.clone());
        self.session = Some(Session { name, key, store, asked, answered, executions, used });
        self.find_again(&told);
        self.port.look_at_halts_anew();
        if let Some(tap) = &self.tap
            && let Some(whole) = self.whole()
        {
            // Names of another session are others.
            tap.whole(whole);
        }
        if is_empty && self.book.len() > 0 {
            self.be_at_odds("the gate holds orders of a session of which nothing is kept");
        }
        Ok(())
    }

    /// Orders that the gate holds: as the stream tells them, or, where it does not, as ones that the venue has not answered. One that is
    /// done by the stream counts for its replacement alone. Those that the firm was told never came are of a gateway that was killed before
    /// it gave them back.
    fn find_again(&mut self, told: &Told) {
        let Some(key) = self.session.as_ref().map(|session| session.key) else { return };
        let open: Vec<_> = self.port.open_orders().collect();
        let mut strange = 0;
        for mut order in open {
            let of_order = [order.id, order.replacement];
            self.owes_back.extend(of_order.iter().filter(|id| told.released.contains(id)));
            if told.released.contains(&order.replacement) {
                order.replacement = 0;
            }
            let known = told.orders.get(&order.id);
            let token = known.map(|known| known.0).or_else(|| self.setup.dialect.token(key, order.id));
            let Some(token) = token else {
                strange += 1;
                continue;
            };
            let (leaves, executed) = known.map_or((order.leaves.0, 0), |known| (known.1, known.2));
            let held = Held {
                token,
                text: [b' '; 14],
                owner: self.port.owner_of(order.strategy, order.account),
                instrument: order.instrument,
                side: order.side,
                qty: leaves.saturating_add(executed),
                executed,
                answered: known.is_some(),
                // The firm's connection ended with the gateway.
                cancelling: self.setup.cancel_on_disconnect,
                cancel_sent: false,
                replaces: 0,
                replacement: 0,
                sent: 0,
            };
            self.note_number(token);
            if !told.is_done(order.id) {
                self.book.add(order.id, held);
            }
            if let Some(token) = self.setup.dialect.token(key, order.replacement) {
                self.note_number(token);
                // For how many shares it is only the venue knows by now.
                let (answered, replaces, qty, executed) = (false, order.id, 0, 0);
                self.book.add(order.replacement, Held { token, answered, replaces, qty, executed, ..held });
            }
        }
        if strange > 0 {
            let what = "open orders are of another session, or were never answered; they count until a person settles them";
            self.said.push(format!("{strange} {what}"));
        }
    }

    /// Gateway and venue do not agree: no order passes until a person has looked, not even after a new start.
    pub(super) fn be_at_odds(&mut self, why: &str) {
        let path = self.setup.store_dir.join(AT_ODDS);
        let kept = write_file(&path, format!("{why}\n").as_bytes());
        let file = match kept {
            Ok(()) => format!("removed {}", path.display()),
            Err(error) => format!("looked ({} cannot be written: {error})", path.display()),
        };
        self.is_at_odds = true;
        self.said
            .once(format!("{why}: no order passes until a person has {file} and started the gateway again"));
    }

    /// What the feed numbered anew, after the daemon was started anew.
    pub(super) fn renumber(&mut self) {
        let open: HashMap<u64, InstrumentId> =
            self.port.open_orders().map(|order| (order.id, order.instrument)).collect();
        for (id, held) in self.book.iter_mut() {
            let of = if held.replaces == 0 { id } else { &held.replaces };
            held.instrument = open.get(of).copied().unwrap_or(InstrumentId::ALL);
        }
    }

    /// Numbers rise: those up to this one are used.
    pub(super) fn note_number(&mut self, token: Token) {
        if self.setup.dialect.has_numbers() {
            self.last_number = self.last_number.max(token.number());
        }
    }

    /// Nanoseconds since midnight, as the venue counts; before it has told, since midnight UTC.
    pub(super) fn since_midnight(&self) -> u64 {
        let now = self.clock.wall();
        now.0.saturating_sub(self.midnight.unwrap_or(now.0 - now.0 % DAY_NS)) % DAY_NS
    }

    /// Does what there is to do at `now`, and says whether that was anything.
    pub fn turn(&mut self, now: UnixNanos) -> bool {
        let now = self.clock.take(now);
        for id in std::mem::take(&mut self.owes_back) {
            self.settle(OrderEvent::Rejected { id });
        }
        self.obey_halts(now);
        let firm = self.turn_firm(now);
        let venue = self.turn_venue(now);
        let chores = now >= self.chores_at;
        if chores {
            self.chores_at = UnixNanos(now.0.saturating_add(CHORES.0));
            self.chores_of_firm(now);
            self.chores_of_venue(now);
            self.chores_of_port(now);
            self.chores_of_disk(now);
            self.reconcile();
        }
        firm || venue
    }

    /// Attaches anew where the daemon is another.
    fn chores_of_port(&mut self, now: UnixNanos) {
        if now < self.port_at {
            return;
        }
        self.port_at = UnixNanos(now.0.saturating_add(PORT_CHORES.0));
        self.port.let_go_of_the_dead();
        if !self.port.is_attached() {
            match self.port.attach_anew() {
                Ok(()) => {
                    self.counters.add(Count::Reattached);
                    self.renumber();
                    self.said.push(self.port.attached_anew());
                }
                Err(error) => self.said.once(format!("not attached: {error}")),
            }
        }
    }

    /// Cancels what a halt or a trip covers, as soon as it is latched. What cannot be sent is sent when the venue is back.
    fn obey_halts(&mut self, now: UnixNanos) {
        if !self.setup.cancel_on_halt {
            return;
        }
        while let Some(halted) = self.port.halted(self.clock.wall()) {
            let mut orders = 0;
            for (_, held) in self.book.iter_mut() {
                let is_new = halted.covers(held.instrument, held.owner) && !held.cancelling;
                held.cancelling |= is_new;
                orders += u64::from(is_new);
            }
            self.counters.add_all(Count::HaltCancels, orders);
            self.said.push(format!("a halt, a trip or a lost daemon: {orders} open orders are cancelled"));
            self.venue.owes_cancels = true;
            self.send_cancels(now);
        }
    }

    /// Begins to stop: no order passes any more, and, where that is configured, each open one is cancelled.
    pub fn stop(&mut self, now: UnixNanos) {
        let now = self.clock.take(now);
        if self.stop_by.is_none() {
            self.stop_by = Some(UnixNanos(now.0.saturating_add(GRACE.0)));
            if self.setup.cancel_on_disconnect {
                self.cancel_all(now);
            }
        }
    }

    /// Whether orders are refused because the gateway stops.
    pub(super) const fn is_stopping(&self) -> bool {
        self.stop_by.is_some()
    }

    /// Whether it has stopped: nothing is open, or the venue has had its time. It has logged out then.
    pub fn has_stopped(&mut self, now: UnixNanos) -> bool {
        let now = self.clock.take(now);
        let waits = self.setup.cancel_on_disconnect && self.book.len() > 0;
        let has_stopped = self.stop_by.is_some_and(|by| now >= by || !waits);
        if has_stopped {
            self.leave_both(now);
        }
        has_stopped
    }

    /// What was counted.
    #[must_use]
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Orders that may still trade, and records that the daemon was not told of.
    #[must_use]
    pub fn open_and_lost(&self) -> (usize, u64) {
        (self.book.len(), self.port.lost())
    }

    /// What a person should know, since the last call.
    pub fn take_said(&mut self) -> Vec<String> {
        self.said.take()
    }

    /// As [`OrderPort::audits`].
    #[must_use]
    pub fn audits(&self) -> bool {
        self.port.audits()
    }
}

/// The error of what was tried.
fn io(what: String) -> impl FnOnce(std::io::Error) -> GatewayError {
    move |source| GatewayError::Io { what, source }
}

/// The side of an order, where the firm did not say it anew.
pub(super) fn side_of(said: Option<Side>, held: &Held) -> Side {
    said.unwrap_or(held.side)
}
