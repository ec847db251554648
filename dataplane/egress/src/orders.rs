//! The order port: one order thread of the appliance, as a gateway's protocol uses it. Protocol orders become what the gate
//! judges, and the thread attaches again where the daemon was started anew.

use crate::halt::{HaltWatch, Halted};
use attach::{AttachError, OrderThread};
use control::client::ClientError;
use control::names::Name;
use control::protocol::RefusalKind;
use gate::{
    AccountId, BreakerKey, BreakerState, Decision, FixedScore, Flags, LimitsSource, OpenOrder, OrderEvent,
    OrderIntent, OrderType, RejectReason, Reservation, Settlement, StrategyId, TimeInForce, Verdict,
};
use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;
use types::{InstrumentId, Px, Qty, Side, Symbol, Tier, UnixNanos};

/// Symbols whose numbers are remembered at most; as many as a configuration can have instruments.
const SYMBOLS_MAX: usize = 65_536;

/// How long the daemon may take to answer when the port attaches.
const ATTACH_TIMEOUT: Duration = Duration::from_secs(1);

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

/// Whose orders go through a port.
#[derive(Clone, Debug)]
pub struct Owner {
    /// The daemon's control socket.
    pub socket: PathBuf,
    /// The client to attach as.
    pub client: Name,
    /// The strategy of every order.
    pub strategy: Name,
    /// The account of every order.
    pub account: Name,
}

/// What a protocol asks for.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// The client order id as a number.
    pub id: u64,
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
    strategy: StrategyId,
    account: AccountId,
    numbers: HashMap<Symbol, InstrumentId>,
    halts: HaltWatch,
}

impl OrderPort {
    /// Attaches to the appliance.
    ///
    /// # Errors
    /// [`PortError`].
    pub fn attach(owner: Owner) -> Result<Self, PortError> {
        let numbers = HashMap::with_capacity(SYMBOLS_MAX);
        let (strategy, account) = (StrategyId(0), AccountId(0));
        let halts = HaltWatch::new(account, strategy);
        let mut port = Self { owner, thread: None, strategy, account, numbers, halts };
        port.attach_anew()?;
        Ok(port)
    }

    /// Attaches where it is not attached.
    ///
    /// # Errors
    /// [`PortError`]; it can be tried again.
    pub fn attach_anew(&mut self) -> Result<(), PortError> {
        let Owner { socket, client, strategy, account } = &self.owner;
        let thread = OrderThread::attach(socket, client, ATTACH_TIMEOUT)?;
        let not_owned = |what, name: &Name| PortError::NotOwned { what, name: name.to_string() };
        self.strategy = thread.strategy(strategy).ok_or_else(|| not_owned("strategy", strategy))?;
        self.account = thread.account(account).ok_or_else(|| not_owned("account", account))?;
        self.numbers.clear();
        self.thread = Some(thread);
        self.look_at_halts_anew();
        Ok(())
    }

    /// What is halted or tripped is told again by [`OrderPort::halted`]: orders are known that were not when it was told.
    pub(crate) fn look_at_halts_anew(&mut self) {
        self.halts = HaltWatch::new(self.account, self.strategy);
        let open = self.thread.iter().flat_map(OrderThread::open_orders);
        open.for_each(|order| self.halts.watch(order.instrument));
    }

    /// Whether orders can be judged and answers taken note of.
    #[must_use]
    pub const fn is_attached(&self) -> bool {
        self.thread.is_some()
    }

    /// Lets go of a daemon that has gone. A system call: not for the order path.
    ///
    /// Only where the next one already listens: until then the ring takes what the venue says.
    pub fn let_go_of_the_dead(&mut self) -> bool {
        let is_orphan = self.thread.as_ref().is_some_and(OrderThread::is_orphaned);
        let is_back = || std::os::unix::net::UnixStream::connect(&self.owner.socket).is_ok();
        if is_orphan && is_back() {
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
    /// whether or not the daemon lives.
    pub(crate) fn halted(&mut self, now: UnixNanos) -> Option<Halted> {
        let thread = self.thread.as_ref()?;
        self.halts.look(|key| thread.breaker(key), now)
    }

    /// Whether an order, or a replacement under way, counts.
    pub(crate) fn is_open(&self, id: u64) -> bool {
        self.thread.as_ref().is_some_and(|thread| thread.is_open(id))
    }

    /// Whether a halt or a trip, whoever's, keeps orders in `instrument` back now.
    pub(crate) fn is_closed(&self, instrument: InstrumentId) -> bool {
        let keys = [
            BreakerKey::Firm,
            BreakerKey::Account(self.account),
            BreakerKey::Strategy(self.strategy),
            BreakerKey::Instrument(instrument),
        ];
        let is_open = |key| {
            let breaker = self.thread.as_ref().and_then(|thread| thread.breaker(key));
            breaker.is_some_and(|breaker| breaker.state == BreakerState::Open)
        };
        !keys.into_iter().all(is_open)
    }

    /// Every order that counts.
    pub fn open_orders(&self) -> impl Iterator<Item = OpenOrder> {
        self.thread.iter().flat_map(OrderThread::open_orders)
    }

    /// Records that found the ring full.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.thread.as_ref().map_or(0, OrderThread::lost)
    }

    fn intent(&self, wanted: &Wanted) -> OrderIntent {
        OrderIntent {
            cl_ord_id: wanted.id,
            px: wanted.px,
            instrument: wanted.instrument,
            qty: wanted.qty,
            strategy: self.strategy,
            account: self.account,
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
