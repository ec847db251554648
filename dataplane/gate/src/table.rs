//! The two limit tables, one record per (instrument, strategy class), one writer each.
//!
//! The **static** table is the officer's (writer: control). The **dynamic** table is the model's (writer: scorer). They
//! are two, not one with two writers, so that a dead scorer cannot keep an officer from tightening, and a dead daemon
//! leaves the static rows standing.
//!
//! A writer handle is unique: it is not `Clone`, and making a table is the only way to get one. Readers are cheap to
//! clone. All memory is taken when the table is made.

use types::{InstrumentId, UnixNanos};

use crate::{
    ids::{AccountId, ClassId},
    intent::OrderIntent,
    lately::Lately,
    lease::Lease,
    limits::{Effective, Envelope, RiskLimits},
    located::{Located, Locates, UnlocatedRow},
    memory::{Memory, Private, Row},
    record::{
        DYNAMIC_WORDS, DynamicHot, LimitRecord, Permission, RowWord, STATIC_WORDS, StaticRecord, StaticTerms,
        Terms,
    },
    restriction::{Restriction, Restrictions},
    slot::{SeqSlot, SlotFault},
    sync::{AtomicU64, Ordering},
    table_error::{ROWS_MAX, ReadFault, TableError, TableSizeError, UnknownRow},
    twin::TwinSlot,
};

/// A rectangle of slots, shared by its writer and its readers.
struct Grid<S: 'static> {
    slots: &'static [S],
    instruments: usize,
    classes: usize,
}

impl<S> Clone for Grid<S> {
    fn clone(&self) -> Self {
        Self { ..*self }
    }
}

impl<S: Row> Grid<S> {
    fn lay_out(memory: &mut impl Memory, instruments: usize, classes: usize) -> Result<Self, TableError> {
        let rows = checked_rows(instruments, classes)?;
        Ok(Self { slots: memory.rows(rows)?, instruments, classes })
    }

    /// Both indexes are checked: a class out of range would else fall into the next instrument's row.
    #[inline(always)]
    fn row(&self, instrument: InstrumentId, class: ClassId) -> Option<usize> {
        let (i, c) = (instrument.index(), usize::from(class.0));
        ((i < self.instruments) & (c < self.classes)).then(|| i.wrapping_mul(self.classes).wrapping_add(c))
    }

    #[inline(always)]
    fn slot(&self, instrument: InstrumentId, class: ClassId) -> Option<&S> {
        self.slots.get(self.row(instrument, class)?)
    }

    fn bytes(&self) -> usize {
        size_of_val(self.slots)
    }
}

/// `a × b`, when it is 1 to [`ROWS_MAX`].
pub(crate) fn checked_rows(a: usize, b: usize) -> Result<usize, TableSizeError> {
    a.checked_mul(b)
        .filter(|rows| (1..=ROWS_MAX).contains(rows))
        .ok_or(TableSizeError { instruments: a, classes: b })
}

/// The dynamic table: makes its two ends.
#[derive(Debug)]
pub struct LimitTable;

impl LimitTable {
    /// A dynamic table with no record in it, of the static table's size, whose writer clamps every record under the
    /// officer's cap as it publishes and notes under which. An order then needs one line of limits, not two.
    ///
    /// # Errors
    /// [`TableError`] when it would have no row or more than [`ROWS_MAX`].
    pub fn create_within(statics: &StaticReader) -> Result<(LimitWriter, LimitReader), TableError> {
        let (instruments, classes) = statics.shape();
        let reader = LimitReader::lay_out(&mut Private, instruments, classes)?;
        Ok((LimitWriter::of(&reader, Some(statics)), reader))
    }

    /// A dynamic table whose writer does not know the static one. The gate then clamps on every order: the same verdicts,
    /// more slowly.
    ///
    /// # Errors
    /// [`TableError`] when it would have no row or more than [`ROWS_MAX`].
    pub fn create(instruments: usize, classes: usize) -> Result<(LimitWriter, LimitReader), TableError> {
        let reader = LimitReader::lay_out(&mut Private, instruments, classes)?;
        Ok((LimitWriter::of(&reader, None), reader))
    }
}

/// The scorer's end of the dynamic table. There is one.
pub struct LimitWriter {
    grid: Grid<TwinSlot<DYNAMIC_WORDS>>,
    statics: Option<StaticReader>,
    lately: Lately,
}

impl core::fmt::Debug for LimitWriter {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "LimitWriter({} x {})", self.grid.instruments, self.grid.classes)
    }
}

/// What the scorer's end needs of a static record.
struct OfficersWord {
    cap: Option<RiskLimits>,
    epoch: u32,
    forget_before: UnixNanos,
}

impl LimitWriter {
    /// The writing end of a table that nobody writes yet, within the officer's caps where they are known.
    pub(crate) fn of(table: &LimitReader, statics: Option<&StaticReader>) -> Self {
        let grid = table.grid.clone();
        Self { lately: Lately::new(grid.slots.len()), grid, statics: statics.cloned() }
    }

    /// Publishes limits that hold from `now` for the lease of `terms`, clamped under the officer's cap where the table
    /// knows it. A lease of zero takes back what the record before had widened, never what it had tightened. Wait-free.
    ///
    /// # Errors
    /// [`UnknownRow`].
    #[inline]
    pub fn publish(
        &mut self,
        instrument: InstrumentId,
        class: ClassId,
        limits: &Effective,
        terms: &Terms,
        now: UnixNanos,
    ) -> Result<(), UnknownRow> {
        let row = self.grid.row(instrument, class).ok_or(UnknownRow { instrument, class })?;
        let slot = self.grid.slots.get(row).ok_or(UnknownRow { instrument, class })?;
        let officer = self.officer(row);
        let limits = officer.cap.map_or(*limits.limits(), |cap| cap.tighter(limits.limits()));
        let &Terms { tier, score, lease, version, cause } = terms;
        // What is said after a person has had the model's word forgotten was not forgotten, whatever a clock that was set back says.
        // To who reads that clock it is then of the future, and tightens alone.
        let forgotten = officer.forget_before;
        let granted = if forgotten.0 == 0 { now } else { now.max(UnixNanos(forgotten.0.saturating_add(1))) };
        let mut record =
            LimitRecord { limits, tier, score, lease: Lease::new(granted, lease), version, cause };
        let [front_words, spare_words] = slot.own_both();
        let remembered = |record: &LimitRecord| record.lease.granted > officer.forget_before;
        let [front, spare] = [front_words, spare_words].map(|words| words.map(LimitRecord::unpack));
        if record.lease.span.0 == 0
            && let Some(before) = front.or(spare).filter(remembered)
        {
            record.limits = record.limits.tighter(&before.limits);
            record.tier = record.tier.max(before.tier);
        }
        // Beside it stays the one that it replaces, with what was replaced lately and not forgotten.
        let kept = front_words.zip(front).map(|(words, front)| {
            let kept = self.lately.keep(row, spare.filter(remembered), front, &record);
            kept.pack(LimitRecord::unpack_hot(words).epoch)
        });
        slot.write_beside(kept, record.pack(officer.epoch));
        Ok(())
    }

    /// The officer's word on a row; no cap and epoch 0, which no order trusts, when there is none to be read.
    ///
    /// The epoch is read before the cap: should the officer publish in between, the record carries the old epoch over the
    /// new cap, and orders clamp for themselves until the next publication.
    fn officer(&self, row: usize) -> OfficersWord {
        let unknown = OfficersWord { cap: None, epoch: 0, forget_before: UnixNanos(0) };
        let Some(statics) = &self.statics else { return unknown };
        let epoch = statics.row_word(row).map_or(0, RowWord::stamp);
        match statics.read_row(row).map(StaticRecord::unpack) {
            Ok(StaticRecord { cap, forget_before, .. }) => {
                OfficersWord { cap: Some(cap), epoch, forget_before }
            }
            Err(_) => unknown,
        }
    }

    /// Leaves a row as a scorer would that dies in the middle of a record.
    #[cfg(all(test, not(loom)))]
    pub(crate) fn abandon(&mut self, instrument: InstrumentId, class: ClassId) {
        self.grid.slot(instrument, class).expect("a row").abandon();
    }

    /// The same, in the middle of what is kept beside it.
    #[cfg(all(test, not(loom)))]
    pub(crate) fn abandon_spare(&mut self, instrument: InstrumentId, class: ClassId) {
        self.grid.slot(instrument, class).expect("a row").abandon_spare();
    }
}

/// A reader of the dynamic table.
#[derive(Clone)]
pub struct LimitReader {
    grid: Grid<TwinSlot<DYNAMIC_WORDS>>,
}

impl core::fmt::Debug for LimitReader {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "LimitReader({} x {})", self.grid.instruments, self.grid.classes)
    }
}

impl LimitReader {
    /// A table with no record in it.
    pub(crate) fn lay_out(
        memory: &mut impl Memory,
        instruments: usize,
        classes: usize,
    ) -> Result<Self, TableError> {
        Ok(Self { grid: Grid::lay_out(memory, instruments, classes)? })
    }

    /// The newest record of a row, whether its lease holds or not.
    ///
    /// # Errors
    /// [`ReadFault`].
    pub fn read(&self, instrument: InstrumentId, class: ClassId) -> Result<LimitRecord, ReadFault> {
        let slot = self.grid.slot(instrument, class).ok_or(ReadFault::UnknownRow)?;
        slot.read::<DYNAMIC_WORDS>().map(LimitRecord::unpack).map_err(ReadFault::Slot)
    }

    /// What an order needs of a row, found by its place in a table of the same shape.
    #[inline(always)]
    pub(crate) fn read_hot(&self, row: usize) -> Result<DynamicHot, SlotFault> {
        let slot = self.grid.slots.get(row).ok_or(SlotFault::Empty)?;
        slot.read::<DYNAMIC_WORDS>().map(LimitRecord::unpack_hot)
    }

    /// What is kept beside the newest record: the one before it, with whatever was said lately that is tighter.
    /// None beside the first.
    ///
    /// # Errors
    /// Its writer died in it: what was said lately is not known.
    pub(crate) fn read_previous(&self, row: usize) -> Result<Option<DynamicHot>, SlotFault> {
        let slot = self.grid.slots.get(row).ok_or(SlotFault::Empty)?;
        Ok(slot.read_previous::<DYNAMIC_WORDS>()?.map(LimitRecord::unpack_hot))
    }

    /// Instruments and classes of the table.
    #[must_use]
    pub fn shape(&self) -> (usize, usize) {
        (self.grid.instruments, self.grid.classes)
    }

    /// Bytes of its slots and of what their writer keeps of each row, for the boot report.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.grid.bytes() + Lately::bytes(self.grid.slots.len())
    }
}

/// The static table: makes its two ends.
#[derive(Debug)]
pub struct StaticTable;

impl StaticTable {
    /// A static table with no record in it: every order is refused until an officer's limits are published.
    ///
    /// # Errors
    /// [`TableError`] when it would have no row or more than [`ROWS_MAX`].
    pub fn create(instruments: usize, classes: usize) -> Result<(StaticWriter, StaticReader), TableError> {
        Self::create_locating(instruments, classes, 0)
    }

    /// The same, for gates that hold the sells of so many `accounts` to what is located for each ([`StaticWriter::locate`]); none for gates
    /// that do not.
    ///
    /// # Errors
    /// [`TableError`].
    pub fn create_locating(
        instruments: usize,
        classes: usize,
        accounts: u16,
    ) -> Result<(StaticWriter, StaticReader), TableError> {
        let reader = StaticReader::lay_out(&mut Private, (instruments, classes), accounts)?;
        Ok((StaticWriter::of(&reader), reader))
    }
}

/// Control's end of the static table. There is one.
pub struct StaticWriter {
    table: StaticReader,
}

impl core::fmt::Debug for StaticWriter {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "StaticWriter({} x {})", self.table.grid.instruments, self.table.grid.classes)
    }
}

impl StaticWriter {
    /// The writing end of a table that nobody writes yet.
    pub(crate) fn of(table: &StaticReader) -> Self {
        Self { table: table.clone() }
    }

    /// Publishes the officer's word on one row: the envelope's cap as hard bounds, its base as what holds without a
    /// model. Orders checked from the next one on are held to it. Wait-free.
    ///
    /// # Errors
    /// [`UnknownRow`].
    pub fn publish(
        &mut self,
        instrument: InstrumentId,
        class: ClassId,
        envelope: &Envelope,
        terms: &StaticTerms,
        now: UnixNanos,
    ) -> Result<(), UnknownRow> {
        let (cap, base) = (*envelope.cap(), *envelope.base());
        let &StaticTerms { lot, permission, version } = terms;
        let unknown = UnknownRow { instrument, class };
        let row = self.table.row(instrument, class).ok_or(unknown)?;
        let forget_before = self.table.own(row).map_or(UnixNanos(0), |record| record.forget_before);
        let permission = self.table.restrictions.listed(instrument, permission);
        let record = StaticRecord { cap, base, lot, permission, version, published: now, forget_before };
        self.write(row, &record).ok_or(unknown)
    }

    /// Takes back the model's word on a row: what it granted up to `now` counts no more, not even what it had tightened.
    /// A person's way out of a tier whose scorer is dead. Wait-free.
    ///
    /// # Errors
    /// [`UnknownRow`], also when no officer's limits were published for it.
    pub fn forget(
        &mut self,
        instrument: InstrumentId,
        class: ClassId,
        now: UnixNanos,
    ) -> Result<(), UnknownRow> {
        let unknown = UnknownRow { instrument, class };
        let row = self.table.row(instrument, class).ok_or(unknown)?;
        let record = self.table.own(row).ok_or(unknown)?;
        self.write(row, &StaticRecord { forget_before: now, ..record }).ok_or(unknown)
    }

    /// Says for whom an instrument is on the restricted list, all classes; what was said before holds no more. It may come before
    /// the officer's limits, and outlasts them. In force for orders checked from the next one on, wait-free; an order that is
    /// being checked meets what held before or what holds now, and never less than both.
    ///
    /// # Errors
    /// [`UnknownRow`].
    pub fn restrict(
        &mut self,
        instrument: InstrumentId,
        restriction: &Restriction,
    ) -> Result<(), UnknownRow> {
        let unknown = UnknownRow { instrument, class: ClassId(0) };
        // First: a row that says `Listed` is asked for whom.
        self.table.restrictions.write(instrument, restriction).ok_or(unknown)?;
        for class in (0..self.table.grid.classes).filter_map(|class| u8::try_from(class).ok()) {
            let class = ClassId(class);
            let row = self.table.row(instrument, class).ok_or(UnknownRow { instrument, class })?;
            let Some(record) = self.table.own(row) else { continue };
            let permission = self.table.restrictions.listed(instrument, record.permission);
            if permission != record.permission {
                self.write(row, &StaticRecord { permission, ..record }).ok_or(unknown)?;
            }
        }
        Ok(())
    }

    /// Says how much of an instrument is located for an account; what was said before holds no more. In force for orders checked from
    /// the next one on, wait-free.
    ///
    /// # Errors
    /// [`UnlocatedRow`], also where the gates are held to no locates.
    pub fn locate(
        &mut self,
        instrument: InstrumentId,
        account: AccountId,
        located: Located,
    ) -> Result<(), UnlocatedRow> {
        self.table.locates.write(instrument, account, located).ok_or(UnlocatedRow { instrument, account })
    }

    fn write(&mut self, row: usize, record: &StaticRecord) -> Option<()> {
        let StaticReader { grid, words, .. } = &self.table;
        let (slot, word) = (grid.slots.get(row)?, words.get(row)?);
        slot.write(record.pack());
        // After the record: whoever sees the new epoch sees the new cap.
        let epoch = RowWord(word.load(Ordering::Relaxed)).next_epoch();
        word.store(RowWord::new(epoch, record.permission, record.lot).0, Ordering::Release);
        Some(())
    }

    /// Leaves the list as a writer would that dies in the middle of an instrument's.
    #[cfg(all(test, not(loom)))]
    pub(crate) fn abandon_restriction(&mut self, instrument: InstrumentId) {
        self.table.restrictions.abandon(instrument);
    }

    /// Leaves a row as a writer would that dies in the middle of a record.
    #[cfg(all(test, not(loom)))]
    pub(crate) fn abandon(&mut self, instrument: InstrumentId, class: ClassId) {
        self.table.grid.slot(instrument, class).expect("a row").abandon();
    }
}

/// A reader of the static table.
#[derive(Clone)]
pub struct StaticReader {
    grid: Grid<SeqSlot<STATIC_WORDS>>,
    /// One [`RowWord`] per row.
    words: &'static [AtomicU64],
    /// One [`Restriction`] per instrument.
    restrictions: Restrictions,
    locates: Locates,
}

impl core::fmt::Debug for StaticReader {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "StaticReader({} x {})", self.grid.instruments, self.grid.classes)
    }
}

impl StaticReader {
    /// A table with no record in it.
    pub(crate) fn lay_out(
        memory: &mut impl Memory,
        (instruments, classes): (usize, usize),
        located_accounts: u16,
    ) -> Result<Self, TableError> {
        let grid = Grid::lay_out(memory, instruments, classes)?;
        let words = memory.rows(grid.slots.len())?;
        let restrictions = Restrictions::lay_out(memory, instruments)?;
        let locates = Locates::lay_out(memory, instruments, located_accounts)?;
        Ok(Self { grid, words, restrictions, locates })
    }

    /// The newest record of a row.
    ///
    /// # Errors
    /// [`ReadFault`].
    pub fn read(&self, instrument: InstrumentId, class: ClassId) -> Result<StaticRecord, ReadFault> {
        let row = self.row(instrument, class).ok_or(ReadFault::UnknownRow)?;
        self.read_row(row).map(StaticRecord::unpack).map_err(ReadFault::Slot)
    }

    /// Until when the model's word on an instrument was forgotten: for every class, and for the one that was told last. None where
    /// no officer's limits can be read.
    pub(crate) fn forgotten(&self, instrument: InstrumentId) -> Option<(UnixNanos, UnixNanos)> {
        let classes = (0..self.grid.classes).filter_map(|class| u8::try_from(class).ok().map(ClassId));
        let told = classes.filter_map(|class| self.read(instrument, class).ok());
        told.fold(None, |all: Option<(UnixNanos, UnixNanos)>, StaticRecord { forget_before: at, .. }| {
            Some(all.map_or((at, at), |(first, last)| (first.min(at), last.max(at))))
        })
    }

    /// Where the table keeps a row.
    pub(crate) fn row(&self, instrument: InstrumentId, class: ClassId) -> Option<usize> {
        self.grid.row(instrument, class)
    }

    /// The record of a row.
    pub(crate) fn read_row(&self, row: usize) -> Result<[u64; STATIC_WORDS], SlotFault> {
        self.grid.slots.get(row).ok_or(SlotFault::Empty)?.read::<STATIC_WORDS>()
    }

    /// The record of a row, to the thread that writes it.
    fn own(&self, row: usize) -> Option<StaticRecord> {
        self.grid.slots.get(row)?.own().map(StaticRecord::unpack)
    }

    /// What a row's `permission` is to one order.
    #[inline(always)]
    pub(crate) fn permission_of(&self, permission: Permission, order: &OrderIntent) -> Permission {
        self.restrictions.permission_of(permission, order)
    }

    /// For how many accounts something can be located; 0 where nobody is held to it.
    pub(crate) const fn located_accounts(&self) -> usize {
        self.locates.accounts()
    }

    /// What is located for an account at `now`.
    pub(crate) fn located(&self, instrument: InstrumentId, account: AccountId, now: UnixNanos) -> i64 {
        self.locates.qty(instrument, account, now)
    }

    /// The word of a row.
    #[inline(always)]
    pub(crate) fn row_word(&self, row: usize) -> Option<RowWord> {
        self.words.get(row).map(|word| RowWord(word.load(Ordering::Acquire)))
    }

    /// Instruments and classes of the table.
    #[must_use]
    pub fn shape(&self) -> (usize, usize) {
        (self.grid.instruments, self.grid.classes)
    }

    /// Bytes of its slots, for the boot report.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.grid.bytes() + size_of_val(self.words) + self.restrictions.bytes() + self.locates.bytes()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::{
        limits::{Parameter, RiskLimits},
        record::{LimitCause, Permission},
        score::FixedScore,
    };
    use types::{Nanos, Qty, Tier};

    const LIMITS: RiskLimits = RiskLimits {
        max_qty: Qty(500),
        max_notional_micros: 1_000_000,
        collar_bps: 500,
        passive_min_ticks: 1,
        max_pos_long: 5_000,
        max_pos_short: 4_000,
        order_rate_per_s: 100,
        order_burst: 20,
        margin_bps: 10_000,
    };

    #[test]
    fn a_published_record_is_what_a_reader_reads_in_its_row_and_no_other() {
        let (mut writer, reader) = LimitTable::create(3, 2).unwrap();
        let envelope = Envelope::fixed(LIMITS).unwrap();
        let terms = Terms {
            tier: Tier::High,
            score: FixedScore::from_f64(0.35).unwrap(),
            lease: Nanos::SECOND,
            version: 7,
            cause: LimitCause::Tighten,
        };
        let (instrument, class, now) = (InstrumentId(1), ClassId(1), UnixNanos(42));
        writer.publish(instrument, class, &envelope.clamp(&LIMITS), &terms, now).unwrap();
        let record = reader.read(instrument, class).unwrap();
        assert_eq!((record.limits, record.tier, record.version), (LIMITS, Tier::High, 7));
        assert_eq!((record.lease, record.cause), (Lease::new(now, Nanos::SECOND), LimitCause::Tighten));
        for (i, c) in [(0, 0), (0, 1), (1, 0), (2, 0), (2, 1)] {
            assert_eq!(reader.read(InstrumentId(i), ClassId(c)), Err(ReadFault::Slot(SlotFault::Empty)));
        }
    }

    #[test]
    fn rows_outside_the_table_are_unknown_even_where_the_index_would_fall_inside() {
        let (mut writer, reader) = LimitTable::create(3, 2).unwrap();
        let envelope = Envelope::fixed(LIMITS).unwrap();
        let terms = Terms {
            tier: Tier::Normal,
            score: FixedScore::ZERO,
            lease: Nanos::SECOND,
            version: 1,
            cause: LimitCause::Boot,
        };
        for (i, c) in [(0, 2), (3, 0), (u32::MAX, 0)] {
            let (instrument, class) = (InstrumentId(i), ClassId(c));
            assert_eq!(reader.read(instrument, class), Err(ReadFault::UnknownRow));
            let error = writer.publish(instrument, class, &envelope.clamp(&LIMITS), &terms, UnixNanos(1));
            assert_eq!(error, Err(UnknownRow { instrument, class }));
        }
    }

    #[test]
    fn a_static_row_gives_cap_base_lot_and_permission() {
        let (mut writer, reader) = StaticTable::create(2, 1).unwrap();
        let cap = LIMITS.with(Parameter::MaxQty, 900).unwrap();
        let envelope = Envelope::new(LIMITS, LIMITS, cap).unwrap();
        let (instrument, class) = (InstrumentId(1), ClassId(0));
        let terms = StaticTerms { lot: Qty(100), permission: Permission::Restricted, version: 3 };
        writer.publish(instrument, class, &envelope, &terms, UnixNanos(9)).unwrap();
        let record = reader.read(instrument, class).unwrap();
        assert_eq!((record.cap, record.base, record.lot), (cap, LIMITS, Qty(100)));
        assert_eq!(
            (record.permission, record.version, record.published),
            (Permission::Restricted, 3, UnixNanos(9))
        );
    }

    #[test]
    fn tables_without_rows_or_with_too_many_are_refused() {
        for (i, c) in [(0, 1), (1, 0), (ROWS_MAX, 2), (usize::MAX, 2)] {
            let error = TableError::Size(TableSizeError { instruments: i, classes: c });
            assert_eq!(LimitTable::create(i, c).unwrap_err(), error);
        }
    }
}
