//! Breakers: one atomic word per scope, read on every order, written by control alone.
//!
//! A word that was never set, or holds a pattern that is no state, is *unreadable* and refuses every order: a process
//! that starts, or maps zeroed memory, is disarmed until control has read its latch file and opened each scope by name.
//! Keeping a trip over a restart is control's work; the word is what the order thread sees of it.
//!
//! **Two writers, two words.** The model trips an instrument the moment it enters Critical, before control has written its
//! latch. That trip is a word of its own beside the instrument's breaker, written by the scorer alone ([`TripWriter`]): it
//! counts the trips of the instrument, and what is not in control's word yet ([`BreakerWriter::take_trips`]) refuses every
//! order. So no trip waits for a cold thread, none is lost between the two, and a dead scorer keeps nobody from resetting.
//!
//! Words of one kind share cache lines with each other and with nothing else: they are written a few times a day, so
//! sharing costs nothing, while a line for each of 8,192 instruments would cost half a megabyte of cache. The firm's
//! word has a line of its own.

use types::{InstrumentId, UnixNanos};

use crate::{
    ids::{AccountId, StrategyId},
    intent::OrderIntent,
    memory::{Memory, Private, Row, Sealed},
    sync::{AtomicU32, AtomicU64, Ordering},
    table_error::{ROWS_MAX, TableError, TableSizeError},
};

/// What a breaker lets through. Append-only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum BreakerState {
    /// Every order.
    Open = 1,
    /// Orders that can only reduce a position.
    ReduceOnly = 2,
    /// None.
    Tripped = 3,
}

impl BreakerState {
    /// The word used in files and on screens.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::ReduceOnly => "reduce-only",
            Self::Tripped => "tripped",
        }
    }
}

/// Who or what set a breaker. Append-only: the audit log stores the number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum BreakerCause {
    /// Set when the process started, from the configuration.
    Boot = 1,
    /// An officer.
    Officer = 2,
    /// The model entered Critical.
    Model = 3,
    /// Restored from the persisted latch.
    Latch = 4,
    /// The appliance itself, over executions that were repeated.
    Watchdog = 5,
}

/// Which breaker, by dense number. (An officer names one by `control`'s `Scope`, in names.)
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BreakerKey {
    /// Everything.
    Firm,
    /// One account.
    Account(AccountId),
    /// One strategy.
    Strategy(StrategyId),
    /// One instrument.
    Instrument(InstrumentId),
}

impl core::fmt::Display for BreakerKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Firm => f.write_str("firm"),
            Self::Account(id) => write!(f, "account {}", id.0),
            Self::Strategy(id) => write!(f, "strategy {}", id.0),
            Self::Instrument(id) => write!(f, "instrument {}", id.0),
        }
    }
}

/// One breaker as set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Breaker {
    /// What it lets through.
    pub state: BreakerState,
    /// Why.
    pub cause: BreakerCause,
    /// The writer's running number of trips, so that a reset names the trip it resets; 0 while a trip is in force and not latched yet.
    pub episode: u16,
}

impl Breaker {
    const fn pack(self) -> HaltWord {
        HaltWord(self.state as u32 | (self.cause as u32) << 8 | (self.episode as u32) << 16)
    }
}

/// A breaker's word as the order thread reads it. Zero, the content of fresh memory, is no state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HaltWord(u32);

impl HaltWord {
    /// Non-zero unless the state is Open. Or-ing the four words of an order decides the common case in one branch.
    #[inline(always)]
    pub(crate) const fn closed_bits(self) -> u32 {
        (self.0 ^ BreakerState::Open as u32) & 0xFF
    }

    /// The state; `None` when the word holds none.
    #[inline(always)]
    pub(crate) const fn state(self) -> Option<BreakerState> {
        match self.0 & 0xFF {
            1 => Some(BreakerState::Open),
            2 => Some(BreakerState::ReduceOnly),
            3 => Some(BreakerState::Tripped),
            _ => None,
        }
    }

    /// Whether it was the model or a watchdog that closed it: of anything else, and of what cannot be told, a person is taken to have.
    pub(crate) const fn is_automatic(self) -> bool {
        matches!(self.unpack(), Some(Breaker { cause: BreakerCause::Model | BreakerCause::Watchdog, .. }))
    }

    #[expect(clippy::cast_possible_truncation, reason = "the fields' widths in the word")]
    const fn unpack(self) -> Option<Breaker> {
        let Some(state) = self.state() else { return None };
        let cause = match (self.0 >> 8) as u8 {
            1 => BreakerCause::Boot,
            2 => BreakerCause::Officer,
            3 => BreakerCause::Model,
            4 => BreakerCause::Latch,
            5 => BreakerCause::Watchdog,
            _ => return None,
        };
        Some(Breaker { state, cause, episode: (self.0 >> 16) as u16 })
    }
}

/// What the order thread makes of a trip by the model that control has not taken over.
const UNTAKEN: Breaker = Breaker { state: BreakerState::Tripped, cause: BreakerCause::Model, episode: 0 };

/// An instrument's two words.
#[derive(Default)]
#[repr(C)]
struct InstrumentWords {
    /// Control's: the breaker in the low half, in the high half the model's trips that control has taken over.
    control: AtomicU64,
    /// The scorer's: the model's trips so far.
    trips: AtomicU32,
}

impl InstrumentWords {
    /// The breaker as it binds an order.
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "the halves of the word")]
    fn word(&self) -> HaltWord {
        // Relaxed: whichever of the two is seen older, they differ, and the order is refused. That a trip is not seen later than
        // limits published after it, the reader's acquire fence after those limits sees to.
        let control = self.control.load(Ordering::Relaxed);
        let taken = (control >> 32) as u32 == self.trips.load(Ordering::Relaxed);
        if taken { HaltWord(control as u32) } else { UNTAKEN.pack() }
    }

    /// Control's word alone.
    #[expect(clippy::cast_possible_truncation, reason = "the low half")]
    fn set(&self) -> HaltWord {
        HaltWord(self.control.load(Ordering::Relaxed) as u32)
    }

    /// Changes the half of control's word that holds the breaker. Control is its only writer.
    fn put(&self, word: HaltWord) {
        let taken = self.control.load(Ordering::Relaxed) >> 32 << 32;
        self.control.store(taken | u64::from(word.0), Ordering::Release);
    }
}

impl Sealed for InstrumentWords {}
impl Row for InstrumentWords {}

/// The firm's word, and when its writer last said that it lives, on a line of their own.
#[derive(Default)]
#[repr(C, align(64))]
struct Lonely(AtomicU32, AtomicU64);

impl Sealed for Lonely {}
impl Row for Lonely {}

/// The breakers of one appliance: makes their two ends.
#[derive(Debug)]
pub struct BreakerTable;

impl BreakerTable {
    /// Breakers for so many scopes, every one unreadable until set.
    ///
    /// # Errors
    /// [`TableError`] when there is no instrument or more than [`ROWS_MAX`].
    pub fn create(
        accounts: u16,
        strategies: u16,
        instruments: usize,
    ) -> Result<(BreakerWriter, BreakerReader), TableError> {
        let reader = BreakerReader::lay_out(&mut Private, accounts, strategies, instruments)?;
        Ok((BreakerWriter::of(&reader), reader))
    }
}

/// A breaker the table does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownBreaker(pub BreakerKey);

impl core::fmt::Display for UnknownBreaker {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "no breaker for {}", self.0)
    }
}

impl core::error::Error for UnknownBreaker {}

/// Control's end of the breakers. There is one.
pub struct BreakerWriter {
    words: BreakerReader,
    trips: Option<TripWriter>,
}

/// The scorer's end: the model's trips. There is one.
pub struct TripWriter {
    words: &'static [InstrumentWords],
}

impl core::fmt::Debug for TripWriter {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "TripWriter({} instruments)", self.words.len())
    }
}

impl TripWriter {
    /// Trips one instrument; orders checked from now on see it. Gives the number of the trip, by which control takes it over.
    /// Wait-free.
    ///
    /// # Errors
    /// [`UnknownBreaker`].
    pub fn trip(&mut self, instrument: InstrumentId) -> Result<u32, UnknownBreaker> {
        let words =
            self.words.get(instrument.index()).ok_or(UnknownBreaker(BreakerKey::Instrument(instrument)))?;
        let number = words.trips.load(Ordering::Relaxed).wrapping_add(1);
        words.trips.store(number, Ordering::Release);
        Ok(number)
    }
}

impl core::fmt::Debug for BreakerWriter {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "BreakerWriter({} instruments)", self.words.instruments.len())
    }
}

impl BreakerWriter {
    /// The writing end of breakers that nobody writes yet.
    pub(crate) fn of(words: &BreakerReader) -> Self {
        Self { words: words.clone(), trips: Some(TripWriter { words: words.instruments }) }
    }

    /// Sets one breaker; orders checked from the next one on see it. Wait-free.
    ///
    /// # Errors
    /// [`UnknownBreaker`].
    pub fn set(&mut self, key: BreakerKey, breaker: Breaker) -> Result<(), UnknownBreaker> {
        if let BreakerKey::Instrument(id) = key {
            self.words.instruments.get(id.index()).ok_or(UnknownBreaker(key))?.put(breaker.pack());
        } else {
            let word = self.words.word(key).ok_or(UnknownBreaker(key))?;
            word.store(breaker.pack().0, Ordering::Release);
        }
        Ok(())
    }

    /// Says that control lives at `now`. Gates that ask for it ([`crate::GateConfig::daemon_age_max`]) refuse every order once it
    /// has not been said for too long. Wait-free.
    pub fn alive(&mut self, now: UnixNanos) {
        self.words.firm.1.store(now.0, Ordering::Release);
    }

    /// The end that the scorer trips with; none the second time.
    pub fn trip_writer(&mut self) -> Option<TripWriter> {
        self.trips.take()
    }

    /// From now on the breaker of `instrument` as set says all about the model's trips up to `number`: to be called when they
    /// are in it. A reset alone takes nothing over: a trip that came after what it resets still refuses every order.
    ///
    /// # Errors
    /// [`UnknownBreaker`].
    pub fn take_trips(&mut self, instrument: InstrumentId, number: u32) -> Result<(), UnknownBreaker> {
        let key = BreakerKey::Instrument(instrument);
        let words = self.words.instruments.get(instrument.index()).ok_or(UnknownBreaker(key))?;
        words.control.store(u64::from(number) << 32 | u64::from(words.set().0), Ordering::Release);
        Ok(())
    }

    /// The number of the model's last trip of `instrument`, while control has not taken it over ([`Self::take_trips`]).
    #[must_use]
    pub fn untaken_trips(&self, instrument: InstrumentId) -> Option<u32> {
        let words = self.words.instruments.get(instrument.index())?;
        let taken = (words.control.load(Ordering::Relaxed) >> 32) as u32;
        Some(words.trips.load(Ordering::Acquire)).filter(|trips| *trips != taken)
    }

    /// From now on the breaker of `strategy` as set says all about its stops for repeated executions up to `number`
    /// ([`crate::Gate::repeat_stops`]): to be called when they are in it. A reset alone takes nothing over.
    ///
    /// # Errors
    /// [`UnknownBreaker`].
    pub fn take_repeats(&mut self, strategy: StrategyId, number: u32) -> Result<(), UnknownBreaker> {
        let word = self.words.repeats.get(usize::from(strategy.0));
        word.ok_or(UnknownBreaker(BreakerKey::Strategy(strategy)))?.store(number, Ordering::Release);
        Ok(())
    }

    /// Sets every breaker that was never set (or is unreadable) to `breaker`; how a start ends, after the latches are
    /// restored.
    pub fn set_unset(&mut self, breaker: Breaker) {
        let BreakerReader { firm, accounts, strategies, instruments, repeats: _ } = &self.words;
        let all = core::iter::once(&firm.0).chain(accounts.iter()).chain(strategies.iter());
        for word in all.filter(|word| HaltWord(word.load(Ordering::Relaxed)).unpack().is_none()) {
            word.store(breaker.pack().0, Ordering::Release);
        }
        for words in instruments.iter().filter(|words| words.set().unpack().is_none()) {
            words.put(breaker.pack());
        }
    }
}

/// A reader of the breakers.
#[derive(Clone)]
pub struct BreakerReader {
    firm: &'static Lonely,
    accounts: &'static [AtomicU32],
    strategies: &'static [AtomicU32],
    instruments: &'static [InstrumentWords],
    /// By strategy: how many of its stops for repeated executions are in its breaker.
    repeats: &'static [AtomicU32],
}

impl core::fmt::Debug for BreakerReader {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "BreakerReader({} instruments)", self.instruments.len())
    }
}

/// The four words of one order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OrderBreakers {
    pub firm: HaltWord,
    pub account: HaltWord,
    pub strategy: HaltWord,
    pub instrument: HaltWord,
    /// How long their writer has said nothing, where that is too long; else 0.
    pub silent_ns: u64,
}

impl OrderBreakers {
    /// All of them open.
    pub(crate) const OPEN: Self = {
        let open = HaltWord(BreakerState::Open as u32);
        Self { firm: open, account: open, strategy: open, instrument: open, silent_ns: 0 }
    };

    /// Non-zero unless all four are open and their writer lives.
    #[inline(always)]
    pub(crate) const fn closed_bits(&self) -> u32 {
        let Self { firm, account, strategy, instrument, silent_ns } = self;
        let words =
            firm.closed_bits() | account.closed_bits() | strategy.closed_bits() | instrument.closed_bits();
        words | (*silent_ns != 0) as u32
    }

    /// The firm's breaker, every other scope open: for an order whose other scopes do not exist.
    pub(crate) const fn firm_alone(self) -> Self {
        Self { firm: self.firm, silent_ns: self.silent_ns, ..Self::OPEN }
    }
}

impl BreakerReader {
    /// Breakers of which none was ever set.
    pub(crate) fn lay_out(
        memory: &mut impl Memory,
        accounts: u16,
        strategies: u16,
        instruments: usize,
    ) -> Result<Self, TableError> {
        if instruments == 0 || instruments > ROWS_MAX {
            return Err(TableSizeError { instruments, classes: 1 }.into());
        }
        Ok(Self {
            firm: memory.row()?,
            accounts: memory.rows(accounts.into())?,
            strategies: memory.rows(strategies.into())?,
            instruments: memory.rows(instruments)?,
            repeats: memory.rows(strategies.into())?,
        })
    }

    /// When their writer was last heard of ([`BreakerWriter::alive`]); 0 before it was.
    #[must_use]
    pub fn heard(&self) -> UnixNanos {
        UnixNanos(self.firm.1.load(Ordering::Relaxed))
    }

    /// How many of a strategy's stops for repeated executions are in its breaker.
    pub(crate) fn taken_repeats(&self, strategy: StrategyId) -> u32 {
        // Acquire: whoever sees that a stop was taken over sees the breaker that it is in.
        self.repeats.get(usize::from(strategy.0)).map_or(0, |taken| taken.load(Ordering::Acquire))
    }

    /// The word of a key other than an instrument.
    fn word(&self, key: BreakerKey) -> Option<&AtomicU32> {
        match key {
            BreakerKey::Firm => Some(&self.firm.0),
            BreakerKey::Account(id) => self.accounts.get(usize::from(id.0)),
            BreakerKey::Strategy(id) => self.strategies.get(usize::from(id.0)),
            BreakerKey::Instrument(_) => None,
        }
    }

    /// One breaker; `None` when it was never set, is unreadable, or the scope is unknown.
    #[must_use]
    pub fn get(&self, key: BreakerKey) -> Option<Breaker> {
        match key {
            BreakerKey::Instrument(id) => self.instruments.get(id.index())?.word().unpack(),
            BreakerKey::Firm | BreakerKey::Account(_) | BreakerKey::Strategy(_) => {
                HaltWord(self.word(key)?.load(Ordering::Acquire)).unpack()
            }
        }
    }

    /// Whether all four of one order are open and their writer was not silent for longer than `silent_max_ns`; of a scope that does not
    /// exist, no.
    #[inline(always)]
    pub(crate) fn all_open(&self, order: &OrderIntent, now: UnixNanos, silent_max_ns: u64) -> bool {
        let &OrderIntent { account, strategy, instrument, .. } = order;
        let heard = self.firm.1.load(Ordering::Relaxed);
        let is_open = |word: HaltWord| word.closed_bits() == 0;
        let loaded = |word: &AtomicU32| is_open(HaltWord(word.load(Ordering::Relaxed)));
        (now.0 <= heard || now.0.wrapping_sub(heard) <= silent_max_ns)
            && loaded(&self.firm.0)
            && self.accounts.get(usize::from(account.0)).is_some_and(loaded)
            && self.strategies.get(usize::from(strategy.0)).is_some_and(loaded)
            && self.instruments.get(instrument.index()).is_some_and(|words| is_open(words.word()))
    }

    /// The four words of one order; a scope that does not exist reads as unreadable. Their writer may be silent for
    /// `silent_max_ns`.
    #[inline(always)]
    pub(crate) fn of_order(&self, order: &OrderIntent, now: UnixNanos, silent_max_ns: u64) -> OrderBreakers {
        let &OrderIntent { account, strategy, instrument, .. } = order;
        let silent_ns = now.0.saturating_sub(self.firm.1.load(Ordering::Relaxed));
        let load = |word: Option<&AtomicU32>| HaltWord(word.map_or(0, |w| w.load(Ordering::Relaxed)));
        OrderBreakers {
            firm: load(Some(&self.firm.0)),
            account: load(self.accounts.get(usize::from(account.0))),
            strategy: load(self.strategies.get(usize::from(strategy.0))),
            instrument: self.instruments.get(instrument.index()).map_or(HaltWord(0), InstrumentWords::word),
            silent_ns: if silent_ns > silent_max_ns { silent_ns } else { 0 },
        }
    }

    /// How many accounts, strategies and instruments have a breaker.
    #[must_use]
    pub fn shape(&self) -> (usize, usize, usize) {
        (self.accounts.len(), self.strategies.len(), self.instruments.len())
    }

    /// Bytes of the words, for the boot report.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let Self { firm, accounts, strategies, instruments, repeats } = self;
        let words = size_of_val(*accounts) + size_of_val(*strategies) + size_of_val(*repeats);
        size_of_val(*firm) + words + size_of_val(*instruments)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::string::ToString as _;

    const OPEN: Breaker = Breaker { state: BreakerState::Open, cause: BreakerCause::Boot, episode: 0 };
    const TRIP: Breaker = Breaker { state: BreakerState::Tripped, cause: BreakerCause::Officer, episode: 9 };

    /// The words of an order of these.
    fn of(reader: &BreakerReader, account: u16, strategy: u16, instrument: u32) -> OrderBreakers {
        let (account, strategy) = (AccountId(account), StrategyId(strategy));
        let order =
            OrderIntent { account, strategy, instrument: InstrumentId(instrument), ..crate::tests::order(1) };
        reader.of_order(&order, UnixNanos(7), 7)
    }

    #[test]
    fn a_breaker_that_was_never_set_is_unreadable_and_closed() {
        let (_writer, reader) = BreakerTable::create(1, 1, 2).unwrap();
        assert_eq!(reader.get(BreakerKey::Firm), None);
        let words = of(&reader, 0, 0, 1);
        assert!(words.firm.closed_bits() != 0 && words.firm.state().is_none());
    }

    #[test]
    fn each_scope_is_set_and_read_alone() {
        let (mut writer, reader) = BreakerTable::create(2, 2, 2).unwrap();
        let scopes = [
            BreakerKey::Firm,
            BreakerKey::Account(AccountId(1)),
            BreakerKey::Strategy(StrategyId(1)),
            BreakerKey::Instrument(InstrumentId(1)),
        ];
        for tripped in scopes {
            for scope in scopes {
                writer.set(scope, if scope == tripped { TRIP } else { OPEN }).unwrap();
            }
            for scope in scopes {
                assert_eq!(reader.get(scope), Some(if scope == tripped { TRIP } else { OPEN }), "{scope}");
            }
            let w = of(&reader, 1, 1, 1);
            let closed = [w.firm, w.account, w.strategy, w.instrument].map(|word| word.closed_bits() != 0);
            assert_eq!(closed, scopes.map(|scope| scope == tripped));
        }
    }

    #[test]
    fn an_order_passes_when_all_four_of_its_breakers_are_open_and_not_otherwise() {
        let states = [BreakerState::Open, BreakerState::ReduceOnly, BreakerState::Tripped];
        let word = |state| Breaker { state, ..TRIP }.pack();
        for n in 0..81 {
            let of = [1, 3, 9, 27].map(|place| states[n / place % 3]);
            let [firm, account, strategy, instrument] = of.map(word);
            let words = OrderBreakers { firm, account, strategy, instrument, silent_ns: 0 };
            assert_eq!(words.closed_bits() == 0, of == [BreakerState::Open; 4], "{of:?}");
            assert_ne!(OrderBreakers { silent_ns: 1, ..words }.closed_bits(), 0, "their writer is silent");
            let never_set = OrderBreakers { firm: HaltWord(0), silent_ns: 1, ..words };
            assert_ne!(never_set.closed_bits(), 0, "and one was never set");
        }
    }

    #[test]
    fn what_is_set_is_read_back_and_named() {
        let causes = [
            BreakerCause::Boot,
            BreakerCause::Officer,
            BreakerCause::Model,
            BreakerCause::Latch,
            BreakerCause::Watchdog,
        ];
        let states = [
            (BreakerState::Open, "open"),
            (BreakerState::ReduceOnly, "reduce-only"),
            (BreakerState::Tripped, "tripped"),
        ];
        let (mut writer, reader) = BreakerTable::create(1, 1, 1).unwrap();
        for (state, name) in states {
            assert_eq!(state.as_str(), name);
            for cause in causes {
                let breaker = Breaker { state, cause, episode: 0xA55A };
                for scope in [BreakerKey::Firm, BreakerKey::Instrument(InstrumentId(0))] {
                    writer.set(scope, breaker).unwrap();
                    assert_eq!(reader.get(scope), Some(breaker));
                }
            }
        }
        let keys = [BreakerKey::Account(AccountId(7)), BreakerKey::Strategy(StrategyId(8))];
        assert_eq!(keys.map(|key| key.to_string()), ["account 7", "strategy 8"]);
        assert_eq!(UnknownBreaker(BreakerKey::Firm).to_string(), "no breaker for firm");
        assert_eq!(BreakerKey::Instrument(InstrumentId(9)).to_string(), "instrument 9");
    }

    #[test]
    fn a_table_has_one_instrument_at_least_and_no_more_than_there_are_rows() {
        assert!(BreakerTable::create(1, 1, 0).is_err());
        assert!(BreakerTable::create(1, 1, ROWS_MAX + 1).is_err());
        let (_writer, reader) = BreakerTable::create(2, 3, ROWS_MAX).unwrap();
        assert_eq!(reader.shape(), (2, 3, ROWS_MAX));
        assert_eq!(reader.bytes(), 64 + 2 * 4 + 2 * 3 * 4 + ROWS_MAX * 16);
    }

    #[test]
    fn opening_what_was_never_set_leaves_a_restored_trip_alone() {
        let (mut writer, reader) = BreakerTable::create(1, 1, 3).unwrap();
        let latch = Breaker { state: BreakerState::Tripped, cause: BreakerCause::Latch, episode: 3 };
        writer.set(BreakerKey::Instrument(InstrumentId(1)), latch).unwrap();
        writer.set_unset(OPEN);
        assert_eq!(reader.get(BreakerKey::Instrument(InstrumentId(1))), Some(latch));
        assert_eq!(reader.get(BreakerKey::Instrument(InstrumentId(2))), Some(OPEN));
        assert_eq!(reader.get(BreakerKey::Firm), Some(OPEN));
    }

    #[test]
    fn a_trip_by_the_model_holds_until_control_has_it_and_no_reset_passes_over_it() {
        let (mut control, reader) = BreakerTable::create(1, 1, 2).unwrap();
        let mut model = control.trip_writer().unwrap();
        assert!(control.trip_writer().is_none(), "one scorer");
        control.set_unset(OPEN);
        let id = InstrumentId(1);
        let (scope, closed) =
            (BreakerKey::Instrument(id), || of(&reader, 0, 0, id.0).instrument.closed_bits() != 0);
        assert!(!closed());
        assert_eq!(control.untaken_trips(id), None);
        assert_eq!(model.trip(id), Ok(1));
        assert_eq!(control.untaken_trips(id), Some(1));
        assert_eq!(control.untaken_trips(InstrumentId(0)), None, "the other instrument");
        assert_eq!(reader.get(scope), Some(UNTAKEN));
        assert_eq!(reader.get(BreakerKey::Instrument(InstrumentId(0))), Some(OPEN), "the other instrument");
        // An officer resets what was there before, not knowing of the trip.
        control.set(scope, OPEN).unwrap();
        assert!(closed());
        let latched = Breaker { state: BreakerState::Tripped, cause: BreakerCause::Model, episode: 4 };
        control.set(scope, latched).unwrap();
        control.take_trips(id, 1).unwrap();
        assert_eq!(reader.get(scope), Some(latched));
        assert_eq!(control.untaken_trips(id), None);
        assert_eq!(model.trip(id), Ok(2));
        control.take_trips(id, 1).unwrap();
        control.set(scope, OPEN).unwrap();
        assert_eq!(control.untaken_trips(id), Some(2));
        assert!(closed(), "the second trip has not been taken over");
        control.take_trips(id, 2).unwrap();
        assert!(!closed());
        control.set(scope, TRIP).unwrap();
        control.set(scope, OPEN).unwrap();
        assert!(!closed(), "what was taken over stays so");
        let beyond = InstrumentId(2);
        assert_eq!(model.trip(beyond), Err(UnknownBreaker(BreakerKey::Instrument(beyond))));
        assert_eq!(control.untaken_trips(beyond), None);
        assert_eq!(control.take_trips(beyond, 1), Err(UnknownBreaker(BreakerKey::Instrument(beyond))));
    }

    #[test]
    fn scopes_that_do_not_exist_are_named() {
        let (mut writer, reader) = BreakerTable::create(1, 1, 1).unwrap();
        let scope = BreakerKey::Account(AccountId(1));
        assert_eq!(writer.set(scope, OPEN), Err(UnknownBreaker(scope)));
        assert_eq!(reader.get(scope), None);
        let words = of(&reader, 1, 0, 0);
        assert_eq!(words.account.state(), None);
    }

    #[test]
    fn no_pattern_but_the_three_is_a_state() {
        for pattern in 0..=255_u32 {
            let word = HaltWord(pattern | 0x0100);
            assert_eq!(word.state().is_some(), (1..=3).contains(&pattern));
            assert_eq!(word.closed_bits() == 0, pattern == 1);
        }
    }
}
