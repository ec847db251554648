//! The order port: one order thread of the appliance, as a gateway's protocol uses it. Protocol orders become what the gate
//! judges, and the thread attaches again where the daemon was started anew.

use crate::halt::{HaltWatch, Halted};
use crate::owner::{Counted, Owner, OwnerIndex};
use attach::{AttachError, LastWords, OrderThread};
use control::client::ClientError;
use control::protocol::RefusalKind;
use gate::{
    AccountId, Booked, BreakerKey, BreakerState, Decision, FixedScore, Flags, LimitsSource, OpenOrder,
    OrderEvent, OrderIntent, OrderType, RejectReason, Reservation, Settlement, StrategyId, TimeInForce,
    Verdict,
};
use std::collections::HashMap;
use std::time::Duration;
use types::{InstrumentId, Nanos, Px, Qty, Side, Symbol, Tier, UnixNanos};

/// Symbols whose numbers are remembered at most; as many as a configuration can have instruments.
const SYMBOLS_MAX: usize = 65_536;

/// How long the daemon may take to answer when the port attaches.
const ATTACH_TIMEOUT: Duration = Duration::from_secs(1);

/// A daemon whose socket is open and that says nothing for so many times as long as it may hangs, and is lost. Below that it is busy: orders
/// are refused, and none is cancelled for a disk that was slow.
const HANGS_TIMES: u64 = 5;

/// What one look adds at most to how long a daemon has been silent.
const LOOK_MAX: Nanos = Nanos(100_000_000);

/// How long a daemon has been silent, by looks that follow each other: a clock that is set, and a process that stood still, count for little.
#[derive(Clone, Copy, Debug, Default)]
struct Silence {
    heard: UnixNanos,
    looked_at: UnixNanos,
    silent_for: Nanos,
}

impl Silence {
    /// A daemon that was last heard of at `heard`, by its own clock, is looked at. One that was not heard of yet is beginning.
    fn look(&mut self, heard: UnixNanos, now: UnixNanos) -> Nanos {
        let since = now.0.saturating_sub(self.looked_at.0).min(LOOK_MAX.0);
        let is_news = heard != self.heard || heard == UnixNanos(0);
        self.silent_for = if is_news { Nanos(0) } else { Nanos(self.silent_for.0.saturating_add(since)) };
        (self.heard, self.looked_at) = (heard, now);
        self.silent_for
    }
}

/// What is said of an order while there is no gate.
const DAEMON_LOST: Verdict = Verdict {
    limit: 0,
    value: 0,
    score: FixedScore::ZERO,
    version: 0,
    reason: Some(RejectReason::DaemonLost),
    decision: Decision::Reject,
    tier: Tier::Normal,
    source: LimitsSource::None,
    flags: Flags::NONE,
};

/// Why there is no port.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PortError {
    /// The appliance did not take the client in.
    #[error(transparent)]
    Attach(#[from] AttachError),
    /// The client does not have what the gateway is to trade.
    #[error("found a client without {what} {name:?}, wanted the one of the gateway")]
    NotOwned {
        /// `strategy` or `account`.
        what: &'static str,
        /// Its name.
        name: String,
    },
}

impl PortError {
    /// Whether waiting may help: the daemon is away or comes up, or the process before this one is still there.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        let Self::Attach(AttachError::Daemon(error)) = self else { return false };
        let ClientError::Refused(refusal) = error else { return true };
        !matches!(refusal.kind, RefusalKind::NotFound | RefusalKind::Denied)
    }
}

/// What a protocol asks for.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// The client order id as a number.
    pub id: u64,
    /// What it counts to.
    pub owner: OwnerIndex,
    /// The instrument.
    pub instrument: InstrumentId,
    /// What to do.
    pub side: Side,
    /// How much.
    pub qty: Qty,
    /// At which price; [`Px::NONE`] for a market order.
    pub px: Px,
    /// For how long.
    pub tif: TimeInForce,
}

/// An order thread, with the numbers of what a gateway trades.
#[derive(Debug)]
pub struct OrderPort {
    owner: Owner,
    /// None between a daemon that has gone and the next one.
    thread: Option<OrderThread>,
    /// What orders count to, by their [`OwnerIndex`].
    counted: Vec<(StrategyId, AccountId)>,
    numbers: HashMap<Symbol, InstrumentId>,
    halts: HaltWatch,
    /// What the last daemon says of halts, also when nothing is attached to it any more.
    words: Option<LastWords>,
    silence: Silence,
    /// The last daemon's end of the connection is closed.
    is_orphan: bool,
    /// The daemon that is there does not take the client in: of a halt nobody would hear.
    is_shut_out: bool,
}

impl OrderPort {
    /// Attaches to the appliance.
    ///
    /// # Errors
    /// [`PortError`].
    pub fn attach(owner: Owner) -> Result<Self, PortError> {
        let mut port = Self::unattached(owner);
        port.attach_anew()?;
        Ok(port)
    }

    /// The port of a thread that is attached already: one that an appliance in this process has let in.
    ///
    /// # Errors
    /// [`PortError::NotOwned`].
    pub fn of(owner: Owner, thread: OrderThread) -> Result<Self, PortError> {
        let mut port = Self::unattached(owner);
        port.take_place(thread)?;
        Ok(port)
    }

    fn unattached(owner: Owner) -> Self {
        Self {
            owner,
            thread: None,
            counted: Vec::new(),
            numbers: HashMap::with_capacity(SYMBOLS_MAX),
            halts: HaltWatch::new(&[]),
            words: None,
            silence: Silence::default(),
            is_orphan: false,
            is_shut_out: false,
        }
    }

    /// Attaches where it is not attached.
    ///
    /// # Errors
    /// [`PortError`]; it can be tried again.
    pub fn attach_anew(&mut self) -> Result<(), PortError> {
        let attached = self.try_to_attach();
        self.is_shut_out = attached.as_ref().is_err_and(|error| !error.may_pass());
        attached
    }

    fn try_to_attach(&mut self) -> Result<(), PortError> {
        let Owner { socket, client, .. } = &self.owner;
        self.take_place(OrderThread::attach(socket, client, ATTACH_TIMEOUT)?)
    }

    fn take_place(&mut self, thread: OrderThread) -> Result<(), PortError> {
        let numbered = |counted: &Counted| {
            let Counted { strategy, account } = counted;
            let not_owned = |what, name: &dyn ToString| PortError::NotOwned { what, name: name.to_string() };
            let strategy = thread.strategy(strategy).ok_or_else(|| not_owned("strategy", strategy))?;
            let account = thread.account(account).ok_or_else(|| not_owned("account", account))?;
            Ok::<_, PortError>((strategy, account))
        };
        self.counted = self.owner.all().map(numbered).collect::<Result<_, _>>()?;
        self.numbers.clear();
        (self.words, self.silence) = (Some(thread.words().clone()), Silence::default());
        self.is_orphan = false;
        self.thread = Some(thread);
        self.look_at_halts_anew();
        Ok(())
    }

    /// What is halted or tripped is told again by [`OrderPort::halted`]: orders are known that were not when it was told.
    pub(crate) fn look_at_halts_anew(&mut self) {
        self.halts = HaltWatch::new(&self.counted).auditing(self.audits());
        let open = self.thread.iter().flat_map(OrderThread::open_orders);
        open.for_each(|order| self.halts.watch(order.instrument));
    }

    /// Whether orders can be judged and answers taken note of.
    #[must_use]
    pub const fn is_attached(&self) -> bool {
        self.thread.is_some()
    }

    /// Whether the daemon has put the client in audit mode: orders that break a limit leave.
    #[must_use]
    pub fn audits(&self) -> bool {
        self.thread.as_ref().is_some_and(OrderThread::audits)
    }

    /// What is said of having attached anew.
    pub(crate) fn attached_anew(&self) -> String {
        let audits = if self.audits() { ", in audit mode: no limit stops an order" } else { "" };
        format!("attached to the appliance anew{audits}")
    }

    /// Lets go of a daemon that has gone. A system call: not for the order path.
    ///
    /// Only where the next one already listens: until then the ring takes what the venue says.
    pub fn let_go_of_the_dead(&mut self) -> bool {
        self.is_orphan |= self.thread.as_ref().is_some_and(OrderThread::is_orphaned);
        let is_back = || std::os::unix::net::UnixStream::connect(&self.owner.socket).is_ok();
        if self.is_orphan && self.thread.is_some() && is_back() {
            self.thread = None;
            return true;
        }
        false
    }

    /// The number of a symbol; one that no gate has while the feed has not named it.
    pub fn instrument(&mut self, symbol: Symbol) -> InstrumentId {
        if let Some(known) = self.numbers.get(&symbol) {
            return *known;
        }
        let found = self.thread.as_ref().and_then(|thread| thread.instrument(symbol));
        if let Some(found) = found.filter(|_| self.numbers.len() < SYMBOLS_MAX) {
            self.numbers.insert(symbol, found);
            self.halts.watch(found);
        }
        found.unwrap_or(InstrumentId::ALL)
    }

    /// Whether a new order may leave.
    ///
    /// # Errors
    /// Why it may not.
    pub fn reserve(&mut self, wanted: &Wanted, now: UnixNanos) -> Result<Reservation, RejectReason> {
        answer(self.judge(wanted, now))
    }

    /// Whether `wanted` may replace the open order `replaced`.
    ///
    /// # Errors
    /// Why it may not.
    pub fn replace(
        &mut self,
        replaced: u64,
        wanted: &Wanted,
        now: UnixNanos,
    ) -> Result<Reservation, RejectReason> {
        answer(self.judge_replacement(replaced, wanted, now))
    }

    /// As [`OrderPort::reserve`], with everything the gate says: for protocols that tell the firm.
    pub fn judge(&mut self, wanted: &Wanted, now: UnixNanos) -> (Verdict, Option<Reservation>) {
        let order = self.intent(wanted);
        self.thread.as_mut().map_or((DAEMON_LOST, None), |thread| thread.reserve(&order, now))
    }

    /// As [`OrderPort::replace`], with everything the gate says.
    pub fn judge_replacement(
        &mut self,
        replaced: u64,
        wanted: &Wanted,
        now: UnixNanos,
    ) -> (Verdict, Option<Reservation>) {
        let order = self.intent(wanted);
        self.thread.as_mut().map_or((DAEMON_LOST, None), |thread| thread.replace(replaced, &order, now))
    }

    /// Gives back what could not be sent.
    pub fn release(&mut self, reservation: Reservation, now: UnixNanos) {
        if let Some(thread) = &mut self.thread {
            thread.release(reservation, now);
        }
    }

    /// Takes note of what the venue says; [`Settlement::UnknownOrder`] while there is no daemon, when nobody may ask.
    pub fn settle(&mut self, event: OrderEvent, now: UnixNanos) -> Settlement {
        self.thread.as_mut().map_or(Settlement::UnknownOrder, |thread| thread.settle(event, now))
    }

    /// The venue is asked to take an order back, which always passes and counts as a message and as a cancel.
    pub fn cancel(&mut self, id: u64, now: UnixNanos) {
        if let Some(thread) = &mut self.thread {
            thread.cancel(id, now);
        }
    }

    /// Orders that a halt or a trip wants cancelled from now on; told once, so ask until there are none. Reads shared memory alone,
    /// whether or not the daemon lives, and whether or not the port is attached to one.
    pub(crate) fn halted(&mut self, now: UnixNanos) -> Option<Halted> {
        let words = self.words.as_ref()?;
        let silent_for = self.silence.look(words.heard(), now);
        let times = if self.is_orphan { 1 } else { HANGS_TIMES };
        let is_silent = |most: Nanos| silent_for.0 > most.0.saturating_mul(times);
        let is_lost = self.is_shut_out || words.silence_max().is_some_and(is_silent);
        self.halts.look(|key| words.breaker(key), is_lost, now)
    }

    /// Whether an order, or a replacement under way, counts.
    pub(crate) fn is_open(&self, id: u64) -> bool {
        self.thread.as_ref().is_some_and(|thread| thread.is_open(id))
    }

    /// What of an open order may still trade by the gate's books.
    pub(crate) fn left(&self, id: u64) -> Option<u32> {
        self.thread.as_ref().and_then(|thread| thread.left(id)).map(|left| left.0)
    }

    /// What an order that counts to these is of; its own where it is none of them, whose orders nobody else sends.
    pub(crate) fn owner_of(&self, strategy: StrategyId, account: AccountId) -> OwnerIndex {
        let mut places = self.counted.iter().zip(OwnerIndex::all());
        places
            .find(|(counted, _)| **counted == (strategy, account))
            .map_or_else(OwnerIndex::default, |found| found.1)
    }

    /// Whether a halt or a trip, whoever's, keeps orders of the first owner in `instrument` back now.
    pub(crate) fn is_closed(&self, instrument: InstrumentId) -> bool {
        let (strategy, account) = self.numbers_of(OwnerIndex::default());
        let keys = [
            BreakerKey::Firm,
            BreakerKey::Account(account),
            BreakerKey::Strategy(strategy),
            BreakerKey::Instrument(instrument),
        ];
        let is_open = |key| {
            let breaker = self.words.as_ref().and_then(|words| words.breaker(key));
            breaker.is_some_and(|breaker| breaker.state == BreakerState::Open)
        };
        !keys.into_iter().all(is_open)
    }

    /// Every order that counts.
    pub fn open_orders(&self) -> impl Iterator<Item = OpenOrder> {
        self.thread.iter().flat_map(OrderThread::open_orders)
    }

    /// The executions that the gate remembers, oldest first. Not for the order path.
    pub fn executions(&self) -> impl Iterator<Item = (u64, Booked)> {
        self.thread.iter().flat_map(OrderThread::executions)
    }

    /// Records that found the ring full.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.thread.as_ref().map_or(0, OrderThread::lost)
    }

    /// The numbers of what an order counts to; of none that there is, those that no gate knows.
    fn numbers_of(&self, owner: OwnerIndex) -> (StrategyId, AccountId) {
        let none = (StrategyId(u16::MAX), AccountId(u16::MAX));
        self.counted.get(owner.index()).copied().unwrap_or(none)
    }

    fn intent(&self, wanted: &Wanted) -> OrderIntent {
        let (strategy, account) = self.numbers_of(wanted.owner);
        OrderIntent {
            cl_ord_id: wanted.id,
            px: wanted.px,
            instrument: wanted.instrument,
            qty: wanted.qty,
            strategy,
            account,
            side: wanted.side,
            order_type: if wanted.px == Px::NONE { OrderType::Market } else { OrderType::Limit },
            tif: wanted.tif,
        }
    }
}

/// The event of an execution that the venue numbers, at `px`; [`Px::NONE`] where it says no price that can be, which the gate then
/// takes for the worst at which the order may have traded.
pub(crate) fn executed(id: u64, execution: u64, qty: Qty, px: Px) -> OrderEvent {
    if px.is_some() {
        OrderEvent::ExecutedAt { id, execution, qty, px }
    } else {
        OrderEvent::Executed { id, execution, qty }
    }
}

/// A gate that lets an order through reserves it; one that could not is taken for a full table.
fn answer((verdict, reservation): (Verdict, Option<Reservation>)) -> Result<Reservation, RejectReason> {
    reservation.ok_or(verdict.reason.unwrap_or(RejectReason::TableFull))
}

#[cfg(test)]
mod tests {
    use super::*;
    use control::names::Name;
    use gate::{Breaker, BreakerCause, BreakerTable, BreakerWriter};
    use std::path::PathBuf;

    const SECOND: u64 = 1_000_000_000;

    /// A port that is attached to nobody, whose last daemon has these tables and may be silent for `silence_max`.
    fn port(silence_max: Nanos) -> (OrderPort, BreakerWriter) {
        let (mut writer, reader) = BreakerTable::create(1, 1, 4).expect("a table");
        writer.set_unset(Breaker { state: BreakerState::Open, cause: BreakerCause::Boot, episode: 0 });
        writer.alive(UnixNanos(100 * SECOND));
        let name = |name: &str| name.parse::<Name>().expect("a name");
        let socket = PathBuf::from("/nonexistent/control.sock");
        let own = Counted { strategy: name("s"), account: name("a") };
        let owner = Owner { socket, client: name("c"), own, others: Vec::new() };
        let counted = vec![(StrategyId(0), AccountId(0))];
        let mut halts = HaltWatch::new(&counted);
        halts.watch(InstrumentId(2));
        let words = Some(LastWords::new(reader, silence_max));
        let (numbers, silence) = (HashMap::new(), Silence::default());
        let (thread, is_orphan, is_shut_out) = (None, true, false);
        let port =
            OrderPort { owner, thread, counted, numbers, halts, words, silence, is_orphan, is_shut_out };
        (port, writer)
    }

    /// The first look in `ms` looks, a millisecond apart, that finds everything halted.
    fn halted_after(port: &mut OrderPort, from: u64, ms: u64) -> Option<u64> {
        (0..ms).find(|at| port.halted(UnixNanos(from + at * 1_000_000)) == Some(Halted::All))
    }

    #[test]
    fn a_port_that_is_attached_to_nobody_obeys_the_last_words() {
        let (mut port, mut writer) = port(Nanos(0));
        let now = UnixNanos(1_000 * SECOND);
        assert_eq!(port.halted(now), None, "a client that goes on without its daemon");
        let trip = Breaker { state: BreakerState::Tripped, cause: BreakerCause::Officer, episode: 3 };
        writer.set(BreakerKey::Instrument(InstrumentId(2)), trip).expect("a scope");
        assert!(port.is_closed(InstrumentId(2)) && !port.is_closed(InstrumentId(1)));
        assert_eq!(port.halted(now), Some(Halted::In(InstrumentId(2))));
        assert_eq!(port.halted(now), None);
        writer.set(BreakerKey::Firm, trip).expect("a scope");
        assert!(port.is_closed(InstrumentId(1)));
        assert_eq!(port.halted(now), Some(Halted::All));
        let wanted = Wanted {
            id: 1,
            owner: OwnerIndex::default(),
            instrument: InstrumentId(1),
            side: Side::Bid,
            qty: Qty(1),
            px: Px(1),
            tif: TimeInForce::Day,
        };
        assert_eq!(port.reserve(&wanted, now).err(), Some(RejectReason::DaemonLost));
    }

    #[test]
    fn a_daemon_that_is_silent_for_too_long_halts_who_is_not_to_go_on_without_it() {
        let (mut port, mut writer) = port(Nanos(SECOND));
        // Silence is counted from the first look, whatever the daemon's clock says.
        assert_eq!(halted_after(&mut port, 500 * SECOND, 5_000), Some(1_001));
        assert_eq!(halted_after(&mut port, 510 * SECOND, 5_000), None, "told once");
        writer.alive(UnixNanos(102 * SECOND));
        assert_eq!(port.halted(UnixNanos(515 * SECOND)), None);
        // A clock that is set by an hour, either way, is no silence of an hour.
        assert_eq!(port.halted(UnixNanos(4_115 * SECOND)), None);
        assert_eq!(port.halted(UnixNanos(515 * SECOND)), None);
        assert_eq!(halted_after(&mut port, 515 * SECOND, 5_000), Some(901), "and again");
        writer.alive(UnixNanos(103 * SECOND));
        assert_eq!(port.halted(UnixNanos(530 * SECOND)), None);
        // Busy for four seconds; hanging after five.
        port.is_orphan = false;
        assert_eq!(halted_after(&mut port, 530 * SECOND, 9_000), Some(5_001));
        writer.alive(UnixNanos(0));
        assert_eq!(halted_after(&mut port, 600 * SECOND, 5_000), None, "a daemon that begins");
    }

    /// The daemon that is not there may be tomorrow's; one that refuses the client will not tell it of a halt.
    #[test]
    fn a_daemon_that_does_not_take_the_client_in_halts_it_and_one_that_is_away_does_not() {
        let (mut port, _writer) = port(Nanos(0));
        let error = port.attach_anew().expect_err("there is no daemon");
        assert!(error.may_pass() && port.halted(UnixNanos(200 * SECOND)).is_none());
        port.is_shut_out = true;
        assert_eq!(port.halted(UnixNanos(200 * SECOND)), Some(Halted::All));
        assert!(port.attach_anew().is_err());
        assert_eq!(port.halted(UnixNanos(200 * SECOND)), None, "it is away again");
    }
}
