//! The fat-finger limits: for each instrument the largest order that is not likely to be a mistake, by how far its
//! price lies through the opposite touch. Two copies of a seqlock line per instrument, one writer.
//!
//! ```text
//! words 0-3  sixteen sizes of 16 bits, bucket 0 lowest
//!         4  granted_ns:64
//!         5  version:32 at 32 | lease_ms:16
//! size       exponent:5 at 11 | mantissa:11; its value is mantissa × 2^exponent
//! ```
//!
//! A size is rounded down, and keeps its eleven leading bits: exact up to 2,048 and never more than a thousandth too small
//! above. Zero stays zero.
//!
//! **Buckets.** 0: the price does not reach the opposite touch. 1: it is the touch, as is that of a market order. 2 to 14: it
//! lies through it by at most 1, 2, 4, … 4,096 bps of the mid. 15: farther, or there is no touch, mid or price to tell from.
//! The model that is published is one of the same buckets (`gpu::FatFingerLaw::bucket`).
//!
//! **What holds without it?** A fat-finger limit only ever takes away from what the officer and the live limit allow, so losing it
//! must give nothing back: one beyond its lease holds on, and of one from the future and those before it the tightest holds.
//! It ends with the next one, when its publisher withdraws it (a lease of zero), or when a person has reset what the model
//! said. A row that was never published gives no limit.

use types::{InstrumentId, Nanos, Qty, UnixNanos};

use crate::{
    intent::OrderIntent,
    judged::Judged,
    lately::{Lately, Said},
    lease::Lease,
    memory::{Memory, Private},
    quote::Quote,
    slot::SlotFault,
    table::StaticReader,
    table_error::{ROWS_MAX, ReadFault, TableError, TableSizeError},
    twin::TwinSlot,
};

/// Price distances that are told apart.
pub const FAT_FINGER_BUCKETS: usize = 16;

/// The size of no fat-finger limit: no order is larger.
pub(crate) const UNLIMITED: u32 = u32::MAX;

const SIZE_WORDS: usize = 4;
const FAT_FINGER_WORDS: usize = 6;

#[cfg(not(loom))]
const _: () = assert!(size_of::<TwinSlot<FAT_FINGER_WORDS>>() == 128);

/// Bits of a packed size's mantissa.
const MANTISSA_BITS: u32 = 11;

/// The largest size of each bucket; no bucket's is above that of the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FatFingerLimits([Qty; FAT_FINGER_BUCKETS]);

impl FatFingerLimits {
    /// A fat-finger limit that allows no more in a bucket than `sizes` says of it, nor than of any bucket before: a price farther
    /// through the touch never excuses a larger order.
    #[must_use]
    pub fn new(sizes: [Qty; FAT_FINGER_BUCKETS]) -> Self {
        let mut least = Qty(u32::MAX);
        Self(sizes.map(|size| {
            least = least.min(size);
            least
        }))
    }

    /// The sizes, bucket by bucket.
    #[must_use]
    pub const fn sizes(&self) -> &[Qty; FAT_FINGER_BUCKETS] {
        &self.0
    }
}

/// The largest packed size that is not above `qty`.
const fn pack_size(qty: u32) -> u64 {
    let exponent = (u32::BITS - qty.leading_zeros()).saturating_sub(MANTISSA_BITS);
    ((exponent << MANTISSA_BITS) | (qty >> exponent)) as u64
}

/// The value of the lowest 16 bits.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "five bits and eleven")]
const fn unpack_size(word: u64) -> u32 {
    let exponent = (word >> MANTISSA_BITS) as u32 & 0x1F;
    (word as u32 & ((1 << MANTISSA_BITS) - 1)).wrapping_shl(exponent)
}

/// The sizes in their words.
fn pack_sizes(sizes: &[Qty; FAT_FINGER_BUCKETS]) -> [u64; SIZE_WORDS] {
    let mut words = [0; SIZE_WORDS];
    for (word, four) in words.iter_mut().zip(sizes.chunks_exact(4)) {
        *word = four.iter().rev().fold(0, |word, size| word << 16 | pack_size(size.0));
    }
    words
}

/// The size of a bucket, 0 for one that there is not.
#[inline(always)]
fn size_of_bucket(words: &[u64; SIZE_WORDS], bucket: u32) -> u32 {
    let word = words.get(bucket as usize >> 2).copied().unwrap_or(0);
    unpack_size(word.wrapping_shr((bucket & 3) << 4))
}

/// One record of the fat-finger table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FatFingerEntry {
    /// The sizes as the gate holds orders to them: those published, rounded down.
    pub sizes: FatFingerLimits,
    /// From when and for how long they hold; a span of zero is a fat-finger limit that was withdrawn.
    pub lease: Lease,
    /// The publisher's running number.
    pub version: u32,
}

/// A record as an order needs it.
#[derive(Clone, Copy, Debug)]
struct FatFingerHot {
    words: [u64; SIZE_WORDS],
    lease: Lease,
}

impl FatFingerHot {
    #[inline(always)]
    const fn unpack(words: [u64; FAT_FINGER_WORDS]) -> Self {
        let [w0, w1, w2, w3, granted, terms] = words;
        let lease = Lease { granted: UnixNanos(granted), span: Nanos((terms & 0xFFFF) * 1_000_000) };
        Self { words: [w0, w1, w2, w3], lease }
    }

    /// The largest size of a bucket.
    #[inline(always)]
    fn size(&self, bucket: u32) -> u32 {
        size_of_bucket(&self.words, bucket)
    }

    /// Whether its lease holds at `now`. A lease of zero never holds, not even for the clock skew that
    /// [`Lease::holds`] allows a publisher.
    #[inline(always)]
    const fn holds(&self, now: UnixNanos) -> bool {
        self.lease.span.0 != 0 && self.lease.holds(now)
    }

    /// Whether it is still the last word beyond its lease: neither withdrawn nor forgotten.
    fn is_remembered(&self, forget_before: UnixNanos) -> bool {
        self.lease.span.0 != 0 && self.lease.granted > forget_before
    }
}

impl Said for FatFingerEntry {
    fn lease(&self) -> Lease {
        self.lease
    }

    /// One that is withdrawn allows everything.
    fn tightened_by(&self, older: &Self) -> Self {
        match (self.lease.span.0, older.lease.span.0) {
            (_, 0) => *self,
            (0, _) => *older,
            _ => {
                let mut sizes = *self.sizes.sizes();
                for (size, its) in sizes.iter_mut().zip(older.sizes.sizes()) {
                    *size = (*size).min(*its);
                }
                Self { sizes: FatFingerLimits(sizes), ..*self }
            }
        }
    }

    fn loosened_by(&self, next: &Self) -> bool {
        let mut sizes = self.sizes.sizes().iter().zip(next.sizes.sizes());
        let (withdrawn, nothing) = (next.lease.span.0 == 0, self.lease.span.0 == 0);
        !nothing && (withdrawn || sizes.any(|(mine, next)| mine < next))
    }
}

impl FatFingerEntry {
    fn pack(&self) -> [u64; FAT_FINGER_WORDS] {
        let &Self { sizes, lease, version } = self;
        let [w0, w1, w2, w3] = pack_sizes(sizes.sizes());
        [w0, w1, w2, w3, lease.granted.0, (lease.span.0 / 1_000_000) | u64::from(version) << 32]
    }

    fn unpack(words: [u64; FAT_FINGER_WORDS]) -> Self {
        let hot = FatFingerHot::unpack(words);
        let mut sizes = [Qty(0); FAT_FINGER_BUCKETS];
        for (bucket, size) in (0..).zip(&mut sizes) {
            *size = Qty(hot.size(bucket));
        }
        Self { sizes: FatFingerLimits(sizes), lease: hot.lease, version: (words[5] >> 32) as u32 }
    }
}

/// What holds beyond a fat-finger limit's lease.
#[cold]
#[inline(never)]
fn blind_size(
    slot: &TwinSlot<FAT_FINGER_WORDS>,
    fat_finger: &FatFingerHot,
    bucket: u32,
    now: UnixNanos,
    forget_before: UnixNanos,
) -> u32 {
    let size = |fat_finger: &FatFingerHot| {
        if fat_finger.is_remembered(forget_before) { fat_finger.size(bucket) } else { UNLIMITED }
    };
    if !fat_finger.lease.is_future(now) {
        return size(fat_finger);
    }
    match slot.read_previous::<FAT_FINGER_WORDS>() {
        Ok(Some(words)) => size(fat_finger).min(size(&FatFingerHot::unpack(words))),
        Ok(None) => size(fat_finger),
        // Its writer died in it: nobody knows what was said lately.
        Err(_) => 0,
    }
}

/// The bucket of an order's price; of a market order, of the worst price that it `reaches`, where that is known.
#[inline(always)]
fn bucket_of(order: &OrderIntent, quote: &Quote, reaches: u64) -> u32 {
    let Judged { buys, market, far, priced, px, .. } = Judged::of(order, quote);
    let px = if market && reaches != 0 { reaches } else { px };
    let through = if buys { px.wrapping_sub(far) } else { far.wrapping_sub(px) };
    bucket((priced && far != 0).then_some(through.cast_signed()), quote)
}

/// The bucket of a price that lies `through` the opposite touch, in 1e-9; `None` is a price or touch that there is not.
#[inline(always)]
fn bucket(through: Option<i64>, quote: &Quote) -> u32 {
    let Some(through) = through else { return LAST };
    if through <= 0 {
        return u32::from(through == 0);
    }
    // With one side only, the reference stands for the mid, if there is one.
    let both = quote.bid != 0 && quote.ask != 0;
    let twice_mid = if both { quote.bid.wrapping_add(quote.ask) } else { quote.twice_ref };
    doubling(through.unsigned_abs(), twice_mid)
}

const LAST: u32 = FAT_FINGER_BUCKETS as u32 - 1;

/// The bucket of a price that lies through the touch: 2 for at most 1 bps of the mid, and one more for each doubling.
#[inline(always)]
fn doubling(through: u64, twice_mid: u64) -> u32 {
    // through / mid > 2^n / 10^4 is off > twice_mid << n. The first n for which it is not is the difference of the two
    // lengths in bits, or one more.
    let (off, edge) = (u128::from(through) * 20_000, u128::from(twice_mid));
    let doublings = edge.leading_zeros().saturating_sub(off.leading_zeros());
    let beyond = off > edge.wrapping_shl(doublings);
    doublings.saturating_add(2).saturating_add(u32::from(beyond)).min(LAST)
}

/// The fat-finger table: makes its two ends.
#[derive(Debug)]
pub struct FatFingerTable;

impl FatFingerTable {
    /// A table with no fat-finger limit in it, of the static table's instruments: it limits nothing until the first. All its memory is
    /// allocated here.
    ///
    /// # Errors
    /// [`TableError`] when there is no instrument or more than [`ROWS_MAX`].
    pub fn create(statics: &StaticReader) -> Result<(FatFingerWriter, FatFingerReader), TableError> {
        let (instruments, _) = statics.shape();
        let reader = FatFingerReader::lay_out(&mut Private, instruments)?;
        Ok((FatFingerWriter::of(&reader, statics), reader))
    }
}

/// An instrument the table does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownFatFinger(pub InstrumentId);

impl core::fmt::Display for UnknownFatFinger {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "no fat-finger row for instrument {}", self.0.0)
    }
}

impl core::error::Error for UnknownFatFinger {}

/// The scorer's end of the fat-finger table. There is one.
pub struct FatFingerWriter {
    rows: FatFingerReader,
    statics: StaticReader,
    lately: Lately,
}

impl core::fmt::Debug for FatFingerWriter {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "FatFingerWriter({} instruments)", self.rows.instruments())
    }
}

impl FatFingerWriter {
    /// The writing end of a table that nobody writes yet.
    pub(crate) fn of(rows: &FatFingerReader, statics: &StaticReader) -> Self {
        Self { lately: Lately::new(rows.slots.len()), rows: rows.clone(), statics: statics.clone() }
    }

    /// Publishes a fat-finger limit that holds from `now` for the lease, cut to whole milliseconds and to [`Lease::SPAN_MAX`]; a
    /// lease of zero, or of less than a millisecond, withdraws the one there is. Wait-free.
    ///
    /// # Errors
    /// [`UnknownFatFinger`].
    #[inline]
    pub fn publish(
        &mut self,
        instrument: InstrumentId,
        fat_finger: &FatFingerLimits,
        lease: Nanos,
        version: u32,
        now: UnixNanos,
    ) -> Result<(), UnknownFatFinger> {
        let slot = self.rows.slots.get(instrument.index()).ok_or(UnknownFatFinger(instrument))?;
        // What is said after a person has had the model's word forgotten was not forgotten, whatever a clock that was set back says
        // ([`crate::LimitWriter::publish`]).
        let forgotten = self.statics.forgotten(instrument);
        let granted = forgotten.map_or(now, |(_, last)| now.max(UnixNanos(last.0.saturating_add(1))));
        let record = FatFingerEntry { sizes: *fat_finger, lease: Lease::new(granted, lease), version };
        let [front, kept] = slot.own_both().map(|words| words.map(FatFingerEntry::unpack));
        // Forgotten is what is so for every class.
        let kept = kept.filter(|kept| forgotten.is_none_or(|(first, _)| kept.lease.granted > first));
        let kept = front.map(|front| self.lately.keep(instrument.index(), kept, front, &record).pack());
        slot.write_beside(kept, record.pack());
        Ok(())
    }

    /// Leaves a row as a writer would that dies in the middle of a record.
    #[cfg(all(test, not(loom)))]
    pub(crate) fn abandon(&mut self, instrument: InstrumentId) {
        self.rows.slots.get(instrument.index()).expect("a row").abandon();
    }

    /// The same, in the middle of what is kept beside it.
    #[cfg(all(test, not(loom)))]
    pub(crate) fn abandon_spare(&mut self, instrument: InstrumentId) {
        self.rows.slots.get(instrument.index()).expect("a row").abandon_spare();
    }
}

/// A reader of the fat-finger table.
#[derive(Clone)]
pub struct FatFingerReader {
    slots: &'static [TwinSlot<FAT_FINGER_WORDS>],
}

impl core::fmt::Debug for FatFingerReader {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "FatFingerReader({} instruments)", self.slots.len())
    }
}

impl FatFingerReader {
    /// A table with no fat-finger limit in it.
    pub(crate) fn lay_out(memory: &mut impl Memory, instruments: usize) -> Result<Self, TableError> {
        if instruments == 0 || instruments > ROWS_MAX {
            return Err(TableSizeError { instruments, classes: 1 }.into());
        }
        Ok(Self { slots: memory.rows(instruments)? })
    }

    /// The newest fat-finger limit of an instrument, whether its lease holds or not.
    ///
    /// # Errors
    /// [`ReadFault`].
    pub fn read(&self, instrument: InstrumentId) -> Result<FatFingerEntry, ReadFault> {
        let slot = self.slots.get(instrument.index()).ok_or(ReadFault::UnknownRow)?;
        slot.read::<FAT_FINGER_WORDS>().map(FatFingerEntry::unpack).map_err(ReadFault::Slot)
    }

    /// The largest size an order that `reaches` a price of the book is held to at `now`; [`UNLIMITED`] when no fat-finger limit was published, or it was withdrawn. What was
    /// granted until `forget_before` is forgotten once its lease has ended.
    #[inline(always)]
    pub(crate) fn size_for(
        &self,
        order: &OrderIntent,
        (quote, reaches): (&Quote, u64),
        now: UnixNanos,
        forget_before: impl FnOnce() -> UnixNanos,
    ) -> u32 {
        let Some(slot) = self.slots.get(order.instrument.index()) else { return UNLIMITED };
        let words = match slot.read::<FAT_FINGER_WORDS>() {
            Ok(words) => words,
            Err(SlotFault::Empty) => return UNLIMITED,
            Err(SlotFault::Torn) => return 0,
        };
        let fat_finger = FatFingerHot::unpack(words);
        let bucket = bucket_of(order, quote, reaches);
        if fat_finger.holds(now) {
            return fat_finger.size(bucket);
        }
        blind_size(slot, &fat_finger, bucket, now, forget_before())
    }

    /// How many instruments it has.
    #[must_use]
    pub fn instruments(&self) -> usize {
        self.slots.len()
    }

    /// Bytes of its slots and of what their writer keeps of each row, for the boot report.
    #[must_use]
    pub fn bytes(&self) -> usize {
        size_of_val(self.slots) + Lately::bytes(self.slots.len())
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::SlotFault;
    use proptest::prelude::*;

    fn table(instruments: usize) -> (FatFingerWriter, FatFingerReader) {
        let (_, statics) = crate::StaticTable::create(instruments, 1).unwrap();
        FatFingerTable::create(&statics).unwrap()
    }

    fn quote(bid: u64, ask: u64, twice_ref: u64) -> Quote {
        Quote { bid, ask, twice_ref, ..Quote::NOTHING }
    }

    #[test]
    fn packed_sizes_are_the_documented_ones() {
        for (qty, word, value) in [
            (0, 0, 0),
            (1, 1, 1),
            (2_047, 2_047, 2_047),
            (2_048, 1 << 11 | 1_024, 2_048),
            (2_049, 1 << 11 | 1_024, 2_048),
            (2_050, 1 << 11 | 1_025, 2_050),
            (1_000_000, 9 << 11 | 1_953, 999_936),
            (u32::MAX, 21 << 11 | 2_047, 4_292_870_144),
        ] {
            assert_eq!((pack_size(qty), unpack_size(pack_size(qty))), (word, value), "{qty}");
        }
    }

    #[test]
    fn any_sixteen_bits_are_a_size() {
        for word in 0..=u64::from(u16::MAX) {
            let (exponent, mantissa) = (word >> 11, word & 2_047);
            // What no size packs to, an exponent beyond 21, is cut to 32 bits.
            assert_eq!(u64::from(unpack_size(word)), mantissa << exponent & u64::from(u32::MAX));
        }
    }

    #[test]
    fn a_fat_finger_limit_never_rises() {
        let sizes = core::array::from_fn(|i| Qty([9, 5, 7, 5, 4, 100, 0, 1][i & 7]));
        let mut want = [9, 5, 5, 5, 4, 4, 0, 0].to_vec();
        want.resize(FAT_FINGER_BUCKETS, 0);
        let made: std::vec::Vec<_> = FatFingerLimits::new(sizes).sizes().iter().map(|size| size.0).collect();
        assert_eq!(made, want);
    }

    #[test]
    fn buckets_double_from_one_basis_point_of_the_mid() {
        // A mid of 100: a bps is 0.01, in 1e-9.
        const BPS: i64 = 10_000_000;
        let hundred = quote(99_990_000_000, 100_010_000_000, 1);
        for (through, bucket) in [
            (i64::MIN, 0),
            (-1, 0),
            (0, 1),
            (1, 2),
            (BPS, 2),
            (BPS + 1, 3),
            (2 * BPS, 3),
            (2 * BPS + 1, 4),
            (4 * BPS, 4),
            (4 * BPS + 1, 5),
            (1_024 * BPS, 12),
            (1_024 * BPS + 1, 13),
            (4_096 * BPS, 14),
            (4_096 * BPS + 1, 15),
            (i64::MAX, 15),
        ] {
            assert_eq!(super::bucket(Some(through), &hundred), bucket, "{through}");
        }
        assert_eq!(super::bucket(None, &hundred), 15);
    }

    #[test]
    fn the_mid_is_that_of_both_sides_and_else_the_reference() {
        // A mid of 90, a reference of 100: 8 bps are 0.072 and 0.08.
        let wide = quote(80_000_000_000, 100_000_000_000, 200_000_000_000);
        assert_eq!(bucket(Some(72_000_000), &wide), 5, "8 bps of the mid");
        assert_eq!(bucket(Some(72_000_001), &wide), 6);
        let crossed = quote(100_000_000_000, 80_000_000_000, 0);
        assert_eq!(bucket(Some(72_000_001), &crossed), 6);
        for one_side in
            [quote(0, 100_000_000_000, 200_000_000_000), quote(100_000_000_000, 0, 200_000_000_000)]
        {
            assert_eq!(bucket(Some(80_000_000), &one_side), 5, "8 bps of the reference");
            assert_eq!(bucket(Some(80_000_001), &one_side), 6);
        }
        for through in [1, i64::MAX] {
            assert_eq!(bucket(Some(through), &quote(0, 100_000_000_000, 0)), 15, "no mid to tell from");
        }
    }

    /// The published model's reading, `gpu::FatFingerLaw::bucket`, in its own arithmetic.
    fn bucket_of_bps(bps: f64) -> u32 {
        if bps <= 0.0 {
            return u32::from(bps == 0.0);
        }
        (2..15_u32).find(|b| bps <= 2.0_f64.powi(b.cast_signed() - 2)).unwrap_or(15)
    }

    fn any_word() -> impl Strategy<Value = u64> {
        (1..=1_u64 << 59, 0..59_u32).prop_map(|(px, shift)| (px >> shift).max(1))
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 20_000, ..ProptestConfig::default() })]

        #[test]
        fn packing_never_gives_more_and_at_most_a_thousandth_less(qty: u32, shift in 0..32_u32) {
            let qty = qty >> shift;
            let back = unpack_size(pack_size(qty));
            prop_assert!(pack_size(qty) <= u64::from(u16::MAX));
            prop_assert!(back <= qty && u64::from(qty - back) * 1_000 <= u64::from(qty), "{} {}", qty, back);
            prop_assert!(qty > 2_048 || back == qty);
        }

        #[test]
        fn packing_keeps_the_order_of_sizes(a: u32, b: u32) {
            prop_assert!(unpack_size(pack_size(a.min(b))) <= unpack_size(pack_size(a.max(b))));
        }

        #[test]
        fn the_bucket_is_that_of_the_plain_reading(
            bid in any_word(), ask in any_word(), through in any_word(), near in 0..13_u32, off in -2..=2_i64,
        ) {
            let row = quote(bid, ask, 1);
            // Anywhere, and around an edge.
            let edge = i64::try_from((u128::from(bid + ask) << near) / 20_000).unwrap_or(i64::MAX);
            for through in [through.cast_signed(), edge.saturating_add(off)] {
                let beyond = |b: &u32| i128::from(through) * 20_000 <= i128::from(bid + ask) << (b - 2);
                let exact = match through {
                    ..0 => 0,
                    0 => 1,
                    _ => (2..15).find(beyond).unwrap_or(15),
                };
                prop_assert_eq!(bucket(Some(through), &row), exact);
                #[expect(clippy::cast_precision_loss, reason = "compared apart from the edges")]
                let bps = 2e4 * through as f64 / (bid + ask) as f64;
                let close = (0..13).any(|n| (bps / f64::from(1 << n) - 1.0).abs() < 1e-9);
                prop_assert!(close || bucket_of_bps(bps) == exact, "{} {}", bps, exact);
            }
        }

        #[test]
        fn a_published_fat_finger_limit_is_read_back_rounded_down_in_its_row_and_no_other(
            sizes in prop::array::uniform16(any::<u32>()), lease in 0..200_000_000_000_u64, version: u32, now: u64,
        ) {
            let (mut writer, reader) = table(3);
            let fat_finger = FatFingerLimits::new(sizes.map(Qty));
            let (row, lease, now) = (InstrumentId(1), Nanos(lease), UnixNanos(now));
            writer.publish(row, &fat_finger, lease, version, now).unwrap();
            let read = reader.read(row).unwrap();
            prop_assert_eq!((read.lease, read.version), (Lease::new(now, lease), version));
            for (got, put) in read.sizes.sizes().iter().zip(fat_finger.sizes()) {
                prop_assert_eq!(got.0, unpack_size(pack_size(put.0)));
            }
            prop_assert_eq!(FatFingerLimits::new(*read.sizes.sizes()), read.sizes, "still never rising");
            for other in [0, 2] {
                prop_assert_eq!(reader.read(InstrumentId(other)), Err(ReadFault::Slot(SlotFault::Empty)));
            }
        }
    }

    #[test]
    fn rows_and_sizes_that_there_are_not_are_refused() {
        use std::string::ToString;
        let (mut writer, reader) = table(2);
        let fat_finger = FatFingerLimits::new([Qty(1); FAT_FINGER_BUCKETS]);
        for i in [2, u32::MAX] {
            let row = InstrumentId(i);
            let refused = writer.publish(row, &fat_finger, Nanos::SECOND, 1, UnixNanos(1));
            assert_eq!(refused, Err(UnknownFatFinger(row)));
            assert_eq!(reader.read(row), Err(ReadFault::UnknownRow));
        }
        assert_eq!(UnknownFatFinger(InstrumentId(2)).to_string(), "no fat-finger row for instrument 2");
        writer.abandon(InstrumentId(0));
        assert_eq!(
            reader.read(InstrumentId(0)),
            Err(ReadFault::Slot(SlotFault::Empty)),
            "no whole record yet"
        );
        assert_eq!((reader.instruments(), reader.bytes()), (2, 272));
        for instruments in [0, ROWS_MAX + 1, usize::MAX] {
            let error = FatFingerReader::lay_out(&mut Private, instruments).unwrap_err();
            assert_eq!(error, TableError::Size(TableSizeError { instruments, classes: 1 }));
        }
    }

    /// Whatever bucket it is in; and one that is withdrawn allows everything.
    #[test]
    fn a_fat_finger_limit_that_allows_more_of_anything_loosens_the_one_before_it() {
        let of = |near: u32, far: u32, span_ms: u64| {
            let sizes = core::array::from_fn(|bucket| Qty(if bucket < 8 { near } else { far }));
            let lease = Lease::new(UnixNanos(1), Nanos(span_ms * 1_000_000));
            FatFingerEntry { sizes: FatFingerLimits::new(sizes), lease, version: 1 }
        };
        let (said, withdrawn) = (of(400, 300, 5), of(400, 300, 0));
        for (next, loosened) in [
            (of(400, 300, 5), false),
            (of(399, 300, 5), false),
            (of(400, 301, 5), true),
            (of(401, 1, 5), true),
            (of(1, 1, 0), true),
        ] {
            assert_eq!(
                (said.loosened_by(&next), withdrawn.loosened_by(&next)),
                (loosened, false),
                "{next:?}"
            );
        }
        // Of what is withdrawn nothing tightens, and whatever else was said tightens it.
        let tight = of(1, 1, 0);
        assert_eq!([said.tightened_by(&tight), tight.tightened_by(&said)], [said; 2]);
        assert_eq!(withdrawn.tightened_by(&tight), withdrawn);
    }
}
