//! One order thread: a gate over the daemon's tables, and a ring in which it says what it does.

use crate::clock::ThreadClock;
use crate::limits::{Limits, config_of};
use crate::record::{CODES, Entry, words_of};
use crate::ring::RingWriter;
use crate::tables::{self, InstrumentNames, Opened};
use crate::words::LastWords;
use control::client::{Client, ClientError};
use control::names::Name;
use control::protocol::Grant;
use gate::{
    AccountId, Booked, ClassId, Decision, Explanation, Exposure, FixedScore, Flags, Gate, GateMode,
    LimitsSource, OpenOrder, OrderEvent, OrderIntent, QuotaFollower, Quotas, RejectReason, Reservation,
    STEP_WORDS, Settlement, Step, StrategyConfig, StrategyId, UnknownPosition, Verdict, rebase,
};
use std::collections::BTreeMap;
use std::fs::File;
use std::hash::{BuildHasher as _, RandomState};
use std::io::{self, Read as _, Seek as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;
use types::{InstrumentId, Nanos, Qty, Symbol, Tier, UnixNanos};

/// Why a process is not attached.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AttachError {
    /// The daemon did not answer, or said no.
    #[error("{0}")]
    Daemon(#[from] ClientError),
    /// What it gave cannot be used.
    #[error("what the appliance gave cannot be used: {0}")]
    Given(String),
    /// The system said no.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// The system's reason.
        source: io::Error,
    },
}

fn given(what: impl ToString) -> AttachError {
    AttachError::Given(what.to_string())
}

fn io_error(what: &'static str) -> impl FnOnce(io::Error) -> AttachError {
    move |source| AttachError::Io { what, source }
}

/// The gate of one order thread, attached to the running appliance. Every order, answer and position goes through it, and is
/// said to the daemon before the call returns: an order is in the daemon's books before it can be sent.
///
/// A process that is forked from the one that attached has a copy of the thread, which lets no order out and says nothing to the
/// daemon ([`OrderThread::is_inherited`]). The lock lasts until the one that attached drops its own, or both have
/// ended.
///
/// The time is the appliance's: the daemon's clock, carried on without it ([`crate::DaemonClock`]). A time that a caller gives is taken
/// where it may be that, as one that was just read from a system clock nobody has set is; for any other (0, too) the thread reads the
/// appliance's itself, through the vDSO. Nothing gets younger by a clock that is set back, and nothing is closed by one that is ahead.
///
/// Nothing but [`OrderThread::attach`] and [`OrderThread::is_orphaned`] allocates, waits or makes a system call.
#[derive(Debug)]
pub struct OrderThread {
    gate: Gate,
    ring: RingWriter,
    names: InstrumentNames,
    strategies: BTreeMap<Name, StrategyId>,
    accounts: BTreeMap<Name, AccountId>,
    /// A bit for each strategy and account that is this client's.
    own: (u64, u64),
    clock: ThreadClock,
    lifeline: UnixStream,
    words: LastWords,
    /// Of limits that are divided among clients; none where none is.
    quotas: Option<QuotaFollower>,
}

impl OrderThread {
    /// Attaches as `client`, which the daemon's configuration declares, over its control socket. The gate holds what the
    /// client's last one held.
    ///
    /// # Errors
    /// [`AttachError`]; nothing has been taken.
    pub fn attach(socket: &Path, client: &Name, timeout: Duration) -> Result<Self, AttachError> {
        let (grant, descriptors, lifeline) = Client::connect(socket, timeout)?.attach(client)?;
        Self::admitted(grant, descriptors, lifeline)
    }

    /// Takes its place with what the appliance gave: tables, ring and steps, and the connection that tells each of the other's end.
    /// [`OrderThread::attach`] has it over the control socket; an appliance in the same process hands it over itself.
    ///
    /// # Errors
    /// [`AttachError`]; nothing has been taken.
    pub fn admitted(
        grant: Grant,
        descriptors: Vec<OwnedFd>,
        lifeline: UnixStream,
    ) -> Result<Self, AttachError> {
        let [memory, ring, steps] =
            <[OwnedFd; 3]>::try_from(descriptors).map_err(|_| given("not three descriptors"))?;
        if grant.build != env!("CARGO_PKG_VERSION") {
            let what = format!("build {}, wanted {}", grant.build, env!("CARGO_PKG_VERSION"));
            return Err(given(what));
        }
        let tick_tables = tables::tick_tables(&grant.rules)
            .ok_or_else(|| given("a tick table whose steps are out of order or without a tick"))?;
        let rules = tables::ref_rules(&grant.rules, &tick_tables);
        let shape = tables::shape_of(grant.shape);
        let Opened { tables, names, clock, quotas } = tables::open(&memory, &shape, &rules, grant.layout)
            .map_err(io_error("the appliance's tables cannot be mapped"))?;
        let strategies = vec![strategy_of(&grant); shape.strategies.into()];
        let limits =
            Limits::of(&grant.rules).ok_or_else(|| given("a group that is no desk, trader or firm"))?;
        let config = config_of(&grant, &strategies, &limits)
            .ok_or_else(|| given("a self_match that is not off, account or firm"))?;
        let words = LastWords::new(tables.breakers.clone(), config.daemon_age_max);
        let mut gate = Gate::new(&config, tables).map_err(given)?;
        gate.set_salt(salt());
        let clock = ThreadClock::new(clock).map_err(io_error("the appliance's clock cannot be followed"))?;
        restore(&mut gate, File::from(steps), clock.newest())?;
        let quotas = match grant.rules.levels.quotas {
            None => None,
            Some(first) => {
                let of = Quotas::of(quotas, first as usize, limits.groups.len());
                let of = of.ok_or_else(|| given("quotas beyond the tables"))?;
                Some(QuotaFollower::new(of, &limits.groups, &mut gate, clock.newest()))
            }
        };
        let ring = RingWriter::open(File::from(ring)).map_err(io_error("the ring cannot be mapped"))?;
        let bits = |numbers: &BTreeMap<Name, u16>| numbers.values().fold(0, |bits, n| bits | bit(*n));
        Ok(Self {
            own: (bits(&grant.strategies), bits(&grant.accounts)),
            strategies: grant.strategies.into_iter().map(|(name, n)| (name, StrategyId(n))).collect(),
            accounts: grant.accounts.into_iter().map(|(name, n)| (name, AccountId(n))).collect(),
            gate,
            ring,
            names,
            clock,
            lifeline,
            words,
            quotas,
        })
    }

    /// The number of an instrument, once the feed has named it. For the start of day: it walks the list.
    #[must_use]
    pub fn instrument(&self, symbol: Symbol) -> Option<InstrumentId> {
        self.names.find(symbol)
    }

    /// The number of one of the client's strategies.
    #[must_use]
    pub fn strategy(&self, name: &Name) -> Option<StrategyId> {
        self.strategies.get(name).copied()
    }

    /// The number of one of the client's accounts.
    #[must_use]
    pub fn account(&self, name: &Name) -> Option<AccountId> {
        self.accounts.get(name).copied()
    }

    /// As [`Gate::reserve`]: whether a new order may leave, and if it may, its reservation.
    pub fn reserve(&mut self, order: &OrderIntent, now: UnixNanos) -> (Verdict, Option<Reservation>) {
        let now = self.clock.take(now);
        if let Some(reason) = self.forbids(order) {
            return (self.refuse(order, reason, now), None);
        }
        self.follow_quotas(now);
        let (verdict, reservation) = self.gate.reserve(order, now);
        let step = reservation.as_ref().map(|reservation| Step::Sent(reservation.sent(order, now)));
        self.say(order, verdict, step, now);
        self.within_quota(order, (verdict, reservation), now)
    }

    /// As [`Gate::replace`]: whether `order` may replace the open order `replaced`.
    pub fn replace(
        &mut self,
        replaced: u64,
        order: &OrderIntent,
        now: UnixNanos,
    ) -> (Verdict, Option<Reservation>) {
        let now = self.clock.take(now);
        if let Some(reason) = self.forbids(order) {
            return (self.refuse(order, reason, now), None);
        }
        self.follow_quotas(now);
        let (verdict, reservation) = self.gate.replace(replaced, order, now);
        let step = reservation.as_ref().map(|reservation| {
            let sent = reservation.sent(order, now);
            Step::Replaced { replaced, sent }
        });
        self.say(order, verdict, step, now);
        self.within_quota(order, (verdict, reservation), now)
    }

    /// As [`Gate::settle`]: takes note of what the venue says happened. Where [`OrderThread::lost`] has grown, it is done here and
    /// the daemon could not be told; so for `release` and `set_position`.
    pub fn settle(&mut self, event: OrderEvent, now: UnixNanos) -> Settlement {
        let now = self.clock.take(now);
        let noted = self.gate.pass_time(now);
        let settled = self.gate.settle(event);
        self.ring.push(now, None, entry(Step::Settled(event), noted == now));
        settled
    }

    /// As [`Gate::cancel`]: the venue is asked to take an order back, which always passes and counts.
    pub fn cancel(&mut self, id: u64, now: UnixNanos) {
        let now = self.clock.take(now);
        let at = self.gate.pass_time(now);
        if self.gate.cancel(id, at) {
            self.ring.push(at, None, Entry::Step(Step::CancelSent { id, at }));
        }
    }

    /// As [`Gate::release`]: the order could not be sent after all.
    pub fn release(&mut self, reservation: Reservation, now: UnixNanos) -> Settlement {
        let now = self.clock.take(now);
        let noted = self.gate.pass_time(now);
        let event = reservation.released();
        let settled = self.gate.release(reservation);
        if settled != Settlement::Ignored {
            self.ring.push(now, None, entry(Step::Settled(event), noted == now));
        }
        settled
    }

    /// As [`Gate::set_position`].
    ///
    /// # Errors
    /// [`UnknownPosition`].
    pub fn set_position(
        &mut self,
        instrument: InstrumentId,
        strategy: StrategyId,
        account: AccountId,
        position: i64,
        now: UnixNanos,
    ) -> Result<(), UnknownPosition> {
        if !self.owns(strategy, account) {
            return Err(UnknownPosition { instrument, strategy, account, position });
        }
        let now = self.clock.take(now);
        let noted = self.gate.pass_time(now);
        self.gate.set_position(instrument, strategy, account, position)?;
        let symbol = self.names.get(instrument);
        let step = Step::Positioned { instrument, strategy, account, position };
        self.ring.push(now, symbol, entry(step, noted == now));
        Ok(())
    }

    /// As [`Gate::explain`]: every breach of an order, without effect; first, what keeps it from the gate.
    #[must_use]
    pub fn explain(&self, order: &OrderIntent, now: UnixNanos) -> Explanation {
        let explained = self.gate.explain(order, self.clock.look(now));
        match self.forbids(order) {
            Some(reason) => explained.led_by(refusal(reason)),
            None => explained,
        }
    }

    /// As [`Gate::exposure`]; `None` for a strategy that is not this client's, too: what it holds is not known here.
    #[must_use]
    pub fn exposure(&self, instrument: InstrumentId, strategy: StrategyId) -> Option<Exposure> {
        let own = self.own.0 & bit(strategy.0) != 0;
        self.gate.exposure(instrument, strategy).filter(|_| own)
    }

    /// As [`Gate::open_orders`]: what is to be asked of the venue after a restart.
    pub fn open_orders(&self) -> impl Iterator<Item = OpenOrder> {
        self.gate.open_orders()
    }

    /// As [`Gate::executions`]: what the venue has told of trades. Not for the order path.
    pub fn executions(&self) -> impl Iterator<Item = (u64, Booked)> {
        self.gate.executions()
    }

    /// What the daemon says of halts and trips, also while it is dead, and when the thread is given up.
    #[must_use]
    pub const fn words(&self) -> &LastWords {
        &self.words
    }

    /// As [`Gate::left`].
    #[must_use]
    pub fn left(&self, id: u64) -> Option<Qty> {
        self.gate.left(id)
    }

    /// As [`Gate::is_open`]: whether an order, or a replacement under way, counts.
    #[must_use]
    pub fn is_open(&self, id: u64) -> bool {
        self.gate.is_open(id)
    }

    /// Records that found the ring full: the daemon was away for too long, and its books are in doubt.
    #[must_use]
    pub const fn lost(&self) -> u64 {
        self.ring.lost()
    }

    /// Whether this process was forked from the one that attached: it must attach as a client of its own.
    #[inline]
    #[must_use]
    pub fn is_inherited(&self) -> bool {
        self.ring.is_inherited()
    }

    /// Whether the daemon this thread is attached to is gone. Attach again then: the new one has read what this one wrote. A
    /// system call: not for the order path.
    #[must_use]
    pub fn is_orphaned(&self) -> bool {
        let quiet = self.lifeline.set_nonblocking(true);
        let mut byte = [0];
        match (quiet, (&self.lifeline).read(&mut byte)) {
            (Ok(()), Err(error)) => error.kind() != io::ErrorKind::WouldBlock,
            (Ok(()), Ok(read)) => read == 0,
            (Err(_), _) => true,
        }
    }

    #[inline]
    fn owns(&self, strategy: StrategyId, account: AccountId) -> bool {
        self.own.0 & bit(strategy.0) != 0 && self.own.1 & bit(account.0) != 0
    }

    #[inline]
    fn is_own(&self, order: &OrderIntent) -> bool {
        self.owns(order.strategy, order.account)
    }

    /// What is another client's, or nobody's, is not for this gate: it would count into the limits of neither. An order that the
    /// daemon could not be told of is not let out.
    #[inline]
    fn forbids(&self, order: &OrderIntent) -> Option<RejectReason> {
        if self.is_own(order) {
            return (!self.ring.has_room_for_an_order()).then_some(RejectReason::DaemonLost);
        }
        let strategy = self.own.0 & bit(order.strategy.0) == 0;
        Some(if strategy { RejectReason::UnknownStrategy } else { RejectReason::UnknownAccount })
    }

    /// Holds the gate to the quotas as they are now.
    #[inline]
    fn follow_quotas(&mut self, now: UnixNanos) {
        if let Some(quotas) = &mut self.quotas {
            quotas.follow(&mut self.gate, now);
        }
    }

    /// What was judged, once it is said in the ring: it stands unless the quotas were published anew meanwhile.
    #[inline]
    fn within_quota(
        &mut self,
        order: &OrderIntent,
        judged: (Verdict, Option<Reservation>),
        now: UnixNanos,
    ) -> (Verdict, Option<Reservation>) {
        match &self.quotas {
            Some(quotas) if judged.1.is_some() && quotas.has_moved() => self.judge_again(order, judged, now),
            Some(_) | None => judged,
        }
    }

    /// An order that was let out by quotas which do not hold any more: it is taken back where it is above those that do.
    #[cold]
    #[inline(never)]
    fn judge_again(
        &mut self,
        order: &OrderIntent,
        (verdict, reservation): (Verdict, Option<Reservation>),
        now: UnixNanos,
    ) -> (Verdict, Option<Reservation>) {
        self.follow_quotas(now);
        match (self.gate.over_quota(order, now), reservation) {
            (Some(reason), Some(reservation)) => {
                let _ = self.release(reservation, now);
                (self.refuse(order, reason, now), None)
            }
            (_, reservation) => (verdict, reservation),
        }
    }

    #[cold]
    fn refuse(&mut self, order: &OrderIntent, reason: RejectReason, now: UnixNanos) -> Verdict {
        let verdict = refusal(reason);
        self.say(order, verdict, None, now);
        verdict
    }

    /// Inlined, as the ring's `push` is: called, it would copy the step twice.
    #[inline(always)]
    fn say(&mut self, order: &OrderIntent, verdict: Verdict, step: Option<Step>, now: UnixNanos) {
        let check = Nanos(0);
        let symbol = self.names.get(order.instrument);
        if verdict.flags.has(Flags::AUDIT) {
            self.say_breaches(order, symbol, now);
        }
        match step {
            Some(step) => self.ring.push(now, symbol, Entry::Sent { step, verdict, check }),
            None => self.ring.push_refused(now, symbol, Entry::Refused { order: *order, verdict, check }),
        }
    }
}

impl OrderThread {
    /// Whether the client is in audit mode: orders that break a limit leave, and what they break is said.
    #[must_use]
    pub fn audits(&self) -> bool {
        self.gate.mode() == GateMode::Audit
    }

    /// Says everything that an order breaks, before the order itself. Where half of the ring waits it is not said, and the order's
    /// verdict alone is.
    #[cold]
    fn say_breaches(&mut self, order: &OrderIntent, symbol: Option<Symbol>, now: UnixNanos) {
        let mut reasons = self.gate.audited();
        loop {
            let mut codes = [0; CODES];
            codes.iter_mut().zip(&mut reasons).for_each(|(code, reason)| *code = reason.code());
            if codes[0] == 0 {
                return;
            }
            self.ring.push_refused(now, symbol, Entry::Breaks { order: order.cl_ord_id, codes });
        }
    }
}

/// What the daemon is told of a step; `timed`: the gate has noted its time.
const fn entry(step: Step, timed: bool) -> Entry {
    if timed { Entry::Step(step) } else { Entry::Untimed(step) }
}

/// The verdict on an order that the gate is not asked of.
const fn refusal(reason: RejectReason) -> Verdict {
    Verdict {
        limit: 0,
        value: 0,
        score: FixedScore::ZERO,
        version: 0,
        reason: Some(reason),
        decision: Decision::Reject,
        tier: Tier::Normal,
        source: LimitsSource::None,
        flags: Flags::NONE,
    }
}

/// A number that another thread's gate does not have, as far as chance allows.
#[expect(clippy::cast_possible_truncation, reason = "half of a random word")]
fn salt() -> u32 {
    RandomState::new().hash_one(0) as u32
}

/// The bit of a number below 64; none of any other.
const fn bit(number: u16) -> u64 {
    if number < 64 { 1 << number } else { 0 }
}

fn strategy_of(grant: &Grant) -> StrategyConfig {
    let (order_rate_per_s, order_burst) = grant.rules.strategy_rate;
    StrategyConfig { class: ClassId(0), order_rate_per_s, order_burst }
}

/// Takes the steps that bring the gate to where it was. What was seen by a clock that was ahead is as of `newest`.
fn restore(gate: &mut Gate, mut steps: File, newest: UnixNanos) -> Result<(), AttachError> {
    let mut bytes = Vec::new();
    steps.rewind().map_err(io_error("the steps cannot be read"))?;
    steps.read_to_end(&mut bytes).map_err(io_error("the steps cannot be read"))?;
    let known = bytes.chunks_exact(8 * STEP_WORDS).map(|step| words_of(step).and_then(Step::unpack));
    let mut steps: Vec<Step> =
        known.collect::<Option<_>>().ok_or_else(|| given("a step of no known kind"))?;
    // How far it was ahead the daemon has told, or this would be the first to know.
    let _ = rebase(&mut steps, newest);
    for step in steps {
        gate.restore(&step).map_err(|error| given(format!("a step that the gate cannot take: {error}")))?;
    }
    Ok(())
}
