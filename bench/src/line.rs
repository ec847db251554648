//! The market-data line on one thread, cut where it can be measured: bytes, frames, messages, events, books, features.
//!
//! Every rig takes a piece of a [`crate::day::Day`] and returns a number that depends on all of the work, so that the
//! work stays and rigs that should agree can be compared.

use dataplane::decode::{Decoder, DecoderSetup, EventBuffer, FeedDecoder, Place};
use dataplane::stats::FeedStats;
use featurizer::{
    AHEAD_MAX, Book, BookLimits, Books, BooksMut, BuildError, Effect, Featurizer, FeaturizerConfig,
    MemoryReport, Observer, OnFull, PageKind, TopOfBookSink,
};
use stage::{RingRx, RingTx, ring};
use types::{BookEvent, EventFlags, FeatureVector, FeedKind, InstrumentId, TopOfBook, UnixNanos};
use wire::framing::Frames;
use wire::itch50::{self, Msg};

/// Events handed on at once: the featurizer's chunk.
pub const CHUNK: usize = 256;

/// Events whose lines are read ahead of the first one applied: the featurizer's default.
pub const LOOKAHEAD: usize = 64;

/// Most instruments, the product's default.
const INSTRUMENTS_MAX: usize = 16_384;

/// Midnight of the day, Unix nanoseconds: 2019-10-30 in New York.
pub const MIDNIGHT: UnixNanos = UnixNanos(1_572_408_000_000_000_000);

/// Adds all bytes up, eight at a time: the cost of looking at them at all.
#[must_use]
pub fn sum(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let words = words.iter().fold(0_u64, |sum, word| sum.wrapping_add(u64::from_le_bytes(*word)));
    rest.iter().fold(words, |sum, &byte| sum.wrapping_add(byte.into()))
}

/// Finds every message and looks at its type alone.
///
/// # Panics
/// When the bytes are no stream of messages.
#[must_use]
pub fn walk(bytes: &[u8]) -> u64 {
    Frames::new(bytes).fold(0, |sum, frame| {
        let message = frame.expect("whole messages");
        sum.wrapping_add(u64::from(message[0])).wrapping_add(message.len() as u64)
    })
}

/// Finds every message, checks it and reads every field that a book needs.
///
/// # Panics
/// When the bytes are no stream of ITCH 5.0 messages.
#[must_use]
pub fn decode(bytes: &[u8]) -> u64 {
    Frames::new(bytes).fold(0, |sum, frame| {
        let message = itch50::decode(frame.expect("whole messages")).expect("ITCH 5.0");
        sum.wrapping_add(fields(&message))
    })
}

/// Time, locate and the fields of one message, folded into a number.
#[inline(always)]
#[expect(clippy::wildcard_enum_match_arm, reason = "the rest has no fields that a book takes")]
fn fields(message: &Msg<'_>) -> u64 {
    let common = message.header().map_or(0, |h| h.timestamp.ns() ^ u64::from(h.locate.get()));
    let own = match message {
        Msg::AddOrder(a) => order(a.order_ref.get(), a.shares.get(), a.price.raw()) ^ u64::from(a.side),
        Msg::AddOrderMpid(f) => order(f.order_ref.get(), f.shares.get(), f.price.raw()) ^ u64::from(f.side),
        Msg::OrderDelete(d) => d.order_ref.get(),
        Msg::OrderReplace(u) => {
            u.original_order_ref.get() ^ order(u.new_order_ref.get(), u.shares.get(), u.price.raw())
        }
        Msg::OrderExecuted(e) => order(e.order_ref.get(), e.executed_shares.get(), 0) ^ e.match_number.get(),
        Msg::OrderExecutedWithPrice(c) => {
            order(c.order_ref.get(), c.executed_shares.get(), c.execution_price.raw())
        }
        Msg::OrderCancel(x) => order(x.order_ref.get(), x.cancelled_shares.get(), 0),
        Msg::Trade(p) => order(p.match_number.get(), p.shares.get(), p.price.raw()),
        _ => 0,
    };
    common.wrapping_add(own)
}

#[inline(always)]
fn order(reference: u64, shares: u32, price: u32) -> u64 {
    reference.wrapping_add(u64::from(shares) << 32 | u64::from(price))
}

/// The decoder as the receiver drives it, without packets and sequence numbers.
#[derive(Debug)]
pub struct Events {
    decoder: FeedDecoder,
    buffer: EventBuffer,
    stats: FeedStats,
    place: Place,
}

impl Default for Events {
    fn default() -> Self {
        Self::new()
    }
}

impl Events {
    /// A decoder that has seen nothing.
    #[must_use]
    pub fn new() -> Self {
        let (instruments_max, ticks) = (INSTRUMENTS_MAX, FeedKind::Itch50.tick_table().into());
        let setup = DecoderSetup { midnight: MIDNIGHT, instruments_max, ticks };
        Self {
            decoder: FeedDecoder::new(FeedKind::Itch50, &setup).expect("ITCH comes in packets"),
            // A message means two events at most.
            buffer: EventBuffer::new(CHUNK + 2),
            stats: FeedStats::default(),
            place: Place { seq: 0, ts_recv: MIDNIGHT, channel: 0, offset: 0 },
        }
    }

    /// Decodes all messages and hands their events on in chunks.
    ///
    /// # Panics
    /// When the bytes are no stream of ITCH 5.0 messages.
    #[inline]
    pub fn each_chunk(&mut self, bytes: &[u8], mut take: impl FnMut(&[BookEvent])) {
        for frame in Frames::new(bytes) {
            self.push(frame.expect("whole messages"));
            if self.buffer.len() >= CHUNK {
                self.hand_on(&mut take);
            }
        }
        self.hand_on(&mut take);
    }

    /// Decodes one message and hands its events on at once.
    ///
    /// # Panics
    /// When the bytes are no ITCH 5.0 message.
    #[inline]
    pub fn one(&mut self, message: &[u8], mut take: impl FnMut(&[BookEvent])) {
        self.push(message);
        self.hand_on(&mut take);
    }

    #[inline(always)]
    fn push(&mut self, message: &[u8]) {
        self.place.seq = self.place.seq.wrapping_add(1);
        self.decoder
            .decode(message, &self.place, &mut self.buffer, &mut self.stats)
            .expect("the generator's messages are ITCH 5.0");
    }

    #[inline(always)]
    fn hand_on(&mut self, take: &mut impl FnMut(&[BookEvent])) {
        let pending = self.buffer.pending();
        take(pending);
        let len = pending.len();
        self.buffer.advance(len);
    }
}

/// Decodes to events and looks at each.
pub fn events(decoder: &mut Events, bytes: &[u8]) -> u64 {
    let mut seen = 0_u64;
    decoder
        .each_chunk(bytes, |events| seen = events.iter().fold(seen, |sum, e| sum.wrapping_add(e.order_id)));
    seen
}

/// Decoder and ring ends on one thread: what the copy through the ring costs when nobody waits.
#[derive(Debug)]
pub struct RingRig {
    events: Events,
    tx: RingTx<BookEvent>,
    rx: RingRx<BookEvent>,
    out: Box<[BookEvent; CHUNK + 2]>,
}

impl Default for RingRig {
    fn default() -> Self {
        Self::new()
    }
}

impl RingRig {
    /// A ring of 65,536 events, which leaves the second-level cache as the live one does.
    #[must_use]
    pub fn new() -> Self {
        let (tx, rx) = ring(1 << 16);
        Self { events: Events::new(), tx, rx, out: Box::new([BookEvent::EMPTY; CHUNK + 2]) }
    }

    /// Decodes, pushes each chunk, pops it, and looks at each event.
    pub fn run(&mut self, bytes: &[u8]) -> u64 {
        let Self { events, tx, rx, out } = self;
        let mut seen = 0_u64;
        events.each_chunk(bytes, |chunk| {
            tx.send(chunk);
            let popped = rx.recv(&mut out[..]);
            seen = out[..popped].iter().fold(seen, |sum, e| sum.wrapping_add(e.order_id));
        });
        seen
    }
}

/// What a books rig does beside keeping the books.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BookOptions {
    /// Pages the tables ask for.
    pub pages: PageKind,
    /// Events read ahead; 0: none.
    pub lookahead: usize,
    /// Whether the best bid and offer are read after every event that may have changed them.
    pub bbo: bool,
}

impl BookOptions {
    /// As the product runs.
    pub const PRODUCT: Self = Self { pages: PageKind::Huge, lookahead: LOOKAHEAD, bbo: true };
}

/// Decoder and books.
#[derive(Debug)]
pub struct BookRig {
    events: Events,
    books: Books,
    options: BookOptions,
}

impl BookRig {
    /// Empty books, at the product's default bounds.
    ///
    /// # Errors
    /// A machine without the memory.
    pub fn new(options: BookOptions) -> Result<Self, BuildError> {
        Self::with_limits(&BookLimits { pages: options.pages, ..BookLimits::default() }, options)
    }

    /// Empty books at other bounds; the pages are those of `limits`.
    ///
    /// # Errors
    /// A bound out of its range, or a machine without the memory.
    pub fn with_limits(limits: &BookLimits, options: BookOptions) -> Result<Self, BuildError> {
        Ok(Self { events: Events::new(), books: Books::new(limits)?, options })
    }

    /// Decodes and applies. With BBO, the result is a checksum over the stream of best bids and offers; without, the number
    /// of events that changed a book.
    pub fn run(&mut self, bytes: &[u8]) -> u64 {
        let Self { events, books, options } = self;
        let mut sum = 0;
        events.each_chunk(bytes, |chunk| {
            let mut lent = books.lend();
            sum = apply(&mut lent, chunk, *options, sum);
        });
        sum
    }

    /// Decodes and applies one message.
    #[inline]
    pub fn one(&mut self, message: &[u8]) -> u64 {
        let Self { events, books, options } = self;
        let mut sum = 0;
        events.one(message, |chunk| sum = apply(&mut books.lend(), chunk, *options, 0));
        sum
    }

    /// What the tables occupy, and in which pages.
    #[must_use]
    pub fn memory(&self) -> MemoryReport {
        self.books.memory()
    }

    /// The books.
    #[must_use]
    pub fn books(&self) -> &Books {
        &self.books
    }
}

/// Applies one chunk as the featurizer does, without features.
#[inline]
fn apply(books: &mut BooksMut<'_>, chunk: &[BookEvent], options: BookOptions, mut sum: u64) -> u64 {
    if options.lookahead == 0 || chunk.len() == 1 {
        return chunk.iter().fold(sum, |sum, event| {
            let changed = books.apply(event).effect.changes_levels();
            after(books, event, changed, options, sum)
        });
    }
    for block in chunk.chunks(options.lookahead.min(AHEAD_MAX)) {
        let ahead = books.look_ahead(block);
        for coming in ahead.iter() {
            let effect = books.apply_coming(coming).effect;
            if effect > Effect::Changed {
                books.doubt_other();
            }
            let changed = effect.changes_levels();
            sum = after(books, coming.event(), changed, options, sum);
        }
    }
    sum
}

#[inline(always)]
fn after(books: &mut BooksMut<'_>, event: &BookEvent, changed: bool, options: BookOptions, sum: u64) -> u64 {
    if options.bbo { read_bbo(books, event, changed, sum) } else { sum.wrapping_add(changed.into()) }
}

/// Reads the best quotes after a whole venue event that concerns one instrument.
#[inline(always)]
fn read_bbo(books: &mut BooksMut<'_>, event: &BookEvent, changed: bool, sum: u64) -> u64 {
    let readable = changed && event.flags.has(EventFlags::LAST);
    if readable && books.refresh_quote(event.instrument).is_some() {
        fold_bbo(sum, &books.bbo(event.instrument))
    } else {
        sum
    }
}

/// One best bid and offer into a checksum over a stream of them.
#[inline]
fn fold_bbo(sum: u64, bbo: &featurizer::Bbo) -> u64 {
    let quote = bbo.bid.px.0.cast_unsigned().rotate_left(7)
        ^ bbo.ask.px.0.cast_unsigned()
        ^ bbo.bid.qty.rotate_left(32)
        ^ bbo.ask.qty.rotate_left(48);
    // The multiplier of Knuth's MMIX generator: order matters, and no bit gets lost.
    (sum ^ quote).wrapping_mul(6_364_136_223_846_793_005)
}

/// Counts what comes out, and drops it.
#[derive(Debug, Default)]
pub struct Outlet {
    /// Feature vectors and grid markers taken.
    pub vectors: u64,
    /// Tops of books told.
    pub tops: u64,
}

impl featurizer::FeatureSink for Outlet {
    fn offer(&mut self, vectors: &[FeatureVector]) -> usize {
        self.vectors += vectors.len() as u64;
        vectors.len()
    }
}

impl TopOfBookSink for Outlet {
    #[inline]
    fn top(&mut self, _instrument: InstrumentId, top: &TopOfBook) {
        self.tops += u64::from(top.bid.is_some() | top.ask.is_some());
    }
}

/// Checksum over the best bids and offers the featurizer tells an observer of.
#[derive(Debug, Default)]
pub struct BboChecksum {
    /// The checksum, comparable with [`BookRig::run`].
    pub sum: u64,
}

impl Observer for BboChecksum {
    #[inline]
    fn on_bbo(&mut self, event: &BookEvent, book: &Book<'_>) {
        // A clear of everything is told of once per book and is no message's own event.
        if event.flags.has(EventFlags::LAST) && event.instrument == book.instrument() {
            self.sum = fold_bbo(self.sum, book.bbo());
        }
    }
}

/// Decoder and featurizer: books, best quotes, features, the grid.
#[derive(Debug)]
pub struct FeatureRig {
    events: Events,
    featurizer: Featurizer,
    /// What came out.
    pub outlet: Outlet,
    tops: Outlet,
}

impl FeatureRig {
    /// An empty featurizer, at the product's defaults.
    ///
    /// # Errors
    /// A machine without the memory.
    pub fn new() -> Result<Self, BuildError> {
        let config = FeaturizerConfig { on_full: OnFull::KeepDirty, ..FeaturizerConfig::default() };
        Ok(Self {
            events: Events::new(),
            featurizer: Featurizer::new(&config)?,
            outlet: Outlet::default(),
            tops: Outlet::default(),
        })
    }

    /// Decodes and applies; the result is the number of events whose top of book was told.
    pub fn run(&mut self, bytes: &[u8]) -> u64 {
        self.observed(bytes, &mut ());
        self.tops.tops
    }

    /// The same with a checksum over best bids and offers, to compare with [`BookRig::run`].
    pub fn checksum(&mut self, bytes: &[u8]) -> u64 {
        let mut observer = BboChecksum::default();
        self.observed(bytes, &mut observer);
        observer.sum
    }

    fn observed<O: Observer>(&mut self, bytes: &[u8], observer: &mut O) {
        let Self { events, featurizer, outlet, tops } = self;
        events.each_chunk(bytes, |chunk| {
            let mut sinks = (&mut *outlet, &mut *tops, &mut *observer);
            featurizer.apply(chunk, &mut sinks);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::day::{Day, SMALL};

    #[test]
    fn all_ways_to_the_best_quotes_agree() {
        let day = Day::generate(&SMALL);
        let variants = [
            BookOptions::PRODUCT,
            BookOptions { lookahead: 0, ..BookOptions::PRODUCT },
            BookOptions { pages: PageKind::Ordinary, ..BookOptions::PRODUCT },
        ];
        let mut sums: Vec<u64> = variants
            .map(|options| {
                let mut rig = BookRig::new(options).unwrap();
                rig.run(day.preload());
                rig.run(day.segment(0))
            })
            .to_vec();
        let mut rig = FeatureRig::new().unwrap();
        rig.run(day.preload());
        sums.push(rig.checksum(day.segment(0)));
        let mut rig = BookRig::new(BookOptions::PRODUCT).unwrap();
        rig.run(day.preload());
        sums.push(
            Frames::new(day.segment(0)).fold(0, |sum, frame| one_by_one(&mut rig, sum, frame.unwrap())),
        );
        assert!(sums[0] != 0 && sums.iter().all(|&sum| sum == sums[0]), "{sums:?}");
        assert_eq!(rig.books().counters().unknown_orders, 0);
    }

    fn one_by_one(rig: &mut BookRig, mut sum: u64, message: &[u8]) -> u64 {
        let BookRig { events, books, options } = rig;
        events.one(message, |chunk| sum = apply(&mut books.lend(), chunk, *options, sum));
        sum
    }

    #[test]
    fn the_rigs_see_every_message() {
        let day = Day::generate(&SMALL);
        let bytes = day.segment(1);
        let mut decoder = Events::new();
        let direct = events(&mut decoder, bytes);
        assert_eq!(RingRig::new().run(bytes), direct);
        assert_eq!(decoder.stats.messages, 100_000);
        assert!(decode(bytes) != decode(day.segment(0)) && walk(bytes) != 0);
        assert_eq!(sum(&[1; 17]), 0x0101_0101_0101_0101_u64 * 2 + 1);
    }
}
