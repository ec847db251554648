//! Nanoseconds per event of the books and features, on a synthetic equity day.
//!
//! `cargo run --release -p featurizer --example book_bench [-- EVENTS [ROUNDS [ROW]]]`
//!
//! 8,000 instruments with activity by a power law, 1 M orders live before the clock starts, then adds 43.6 %, deletes 42.3 %,
//! replaces 8.7 %, executions 2.5 %, reductions 1.2 % and trades the rest; prices near the touch with a heavy tail, deletes mostly
//! of recent orders, ids in steps of four with holes as Nasdaq numbers them. Every row applies the same events; the checksum of
//! the quote stream must agree between all rows that read quotes. Rows are interleaved over the rounds. Time is this thread's
//! time on a CPU as the kernel accounts it, so that a busy machine distorts the figures less; the caches it shares still count.

use featurizer::{BookLimits, Books, Featurizer, FeaturizerConfig, PageKind};
use types::{Action, BookEvent, EventFlags, InstrumentId, Px, Qty, Side, Symbol, UnixNanos};

const INSTRUMENTS: usize = 8_000;
const LIVE: usize = 1_000_000;
const CENT: i64 = 10_000_000;
const START: u64 = 1_700_000_000_000_000_000;

/// Seconds this thread has spent on a CPU.
fn cpu_seconds() -> f64 {
    let text =
        std::fs::read_to_string("/proc/thread-self/schedstat").expect("a kernel with scheduler statistics");
    let ns: u64 =
        text.split_whitespace().next().and_then(|n| n.parse().ok()).expect("run time in nanoseconds");
    ns as f64 / 1e9
}

/// xorshift64*: seeded, so that every run applies the same events.
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(n)) >> 64) as u64
    }

    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[derive(Clone, Copy)]
struct Live {
    id: u64,
    qty: u32,
    instrument: u32,
    side: Side,
}

struct Generator {
    rng: Rng,
    cumulative: Vec<f64>,
    mids: Vec<i64>,
    /// Orders in order of arrival; a quantity of zero is an order that has gone.
    log: Vec<Live>,
    live: usize,
    last_id: u64,
    ns_per_event: u64,
    now: u64,
    /// The venue's own books, so that no order it accepts crosses another.
    books: Books,
}

impl Generator {
    fn new(ns_per_event: u64) -> Self {
        let mut rng = Rng(0x9e37_79b9_7f4a_7c15);
        let mut total = 0.0;
        let cumulative = (0..INSTRUMENTS)
            .map(|rank| {
                total += 1.0 / (rank as f64 + 10.0);
                total
            })
            .collect();
        let mids = (0..INSTRUMENTS).map(|_| 500 + rng.below(40_000) as i64).collect();
        let books = Books::new(&limits(PageKind::Huge)).expect("memory");
        Self {
            rng,
            cumulative,
            mids,
            log: Vec::new(),
            live: 0,
            last_id: 1_000,
            ns_per_event,
            now: START,
            books,
        }
    }

    fn instrument(&mut self) -> u32 {
        let wanted = self.rng.unit() * self.cumulative[INSTRUMENTS - 1];
        let rank = self.cumulative.partition_point(|c| *c < wanted);
        // Ranks are spread over the numbers, as symbols are over the alphabet.
        (rank * 4_793 % INSTRUMENTS) as u32
    }

    fn event(&mut self, action: Action, of: &Live) -> BookEvent {
        self.now += self.ns_per_event;
        BookEvent {
            action,
            order_id: of.id,
            instrument: InstrumentId(of.instrument),
            side: of.side,
            qty: Qty(of.qty),
            flags: EventFlags::LAST,
            ts_event: UnixNanos(self.now),
            ts_recv: UnixNanos(self.now),
            ..BookEvent::EMPTY
        }
    }

    fn price(&mut self, instrument: u32, side: Side) -> Px {
        let mid = &mut self.mids[instrument as usize];
        if self.rng.below(200) == 0 {
            *mid = (*mid + self.rng.below(3) as i64 - 1).max(300);
        }
        let mid = *mid;
        // Geometric near the touch, one in twenty far away.
        let away = if self.rng.below(20) == 0 {
            self.rng.below(mid.unsigned_abs() / 4) as i64
        } else {
            (-self.rng.unit().max(1e-9).ln() * 4.0) as i64
        };
        let book = self.books.book(InstrumentId(instrument)).expect("in range");
        let other = book.best(side.opposite()).px;
        let px = CENT * if side == Side::Bid { mid - 1 - away } else { mid + 1 + away };
        match side {
            Side::Bid if other.is_some() => Px(px.min(other.0 - CENT)),
            Side::Ask if other.is_some() => Px(px.max(other.0 + CENT)),
            _ => Px(px),
        }
    }

    fn new_order(&mut self, instrument: u32, side: Side) -> Live {
        self.last_id += 4 * (1 + self.rng.below(3));
        let order = Live { id: self.last_id, qty: 1 + self.rng.below(5) as u32 * 100, instrument, side };
        self.log.push(order);
        self.live += 1;
        order
    }

    fn add(&mut self) -> BookEvent {
        let instrument = self.instrument();
        let side = if self.rng.below(2) == 0 { Side::Bid } else { Side::Ask };
        let order = self.new_order(instrument, side);
        let px = self.price(instrument, side);
        BookEvent { px, ..self.event(Action::OrderAdd, &order) }
    }

    /// A live order, mostly a recent one: the age is log-uniform.
    fn pick(&mut self) -> usize {
        loop {
            let age = (self.rng.unit() * (self.log.len() as f64).ln()).exp() as usize;
            let at = self.log.len().saturating_sub(age.max(1));
            if let Some(found) = (at.saturating_sub(64)..=at).rev().find(|at| self.log[*at].qty > 0) {
                return found;
            }
        }
    }

    fn next(&mut self) -> BookEvent {
        let event = self.draw();
        self.books.lend().apply(&event);
        event
    }

    fn draw(&mut self) -> BookEvent {
        let kind = self.rng.below(1_000);
        if kind < 436 || self.live < 100 {
            return self.add();
        }
        if kind >= 982 {
            let instrument = self.instrument();
            let of = Live { id: 0, qty: 100, instrument, side: Side::Bid };
            let px = self.price(instrument, Side::Bid);
            return BookEvent { px, ..self.event(Action::Trade, &of) };
        }
        let at = self.pick();
        let old = self.log[at];
        let (action, whole) = match kind {
            436..859 => (Action::OrderDelete, true),
            859..946 => (Action::OrderReplace, true),
            946..971 => (Action::OrderExecute, self.rng.below(2) == 0),
            _ => (Action::OrderReduce, false),
        };
        let qty = if whole { old.qty } else { (old.qty / 2).max(1) };
        self.log[at].qty -= qty;
        self.live -= usize::from(self.log[at].qty == 0);
        let event = BookEvent { qty: Qty(qty), ..self.event(action, &old) };
        if action != Action::OrderReplace {
            return event;
        }
        let new = self.new_order(old.instrument, old.side);
        let px = self.price(old.instrument, old.side);
        BookEvent { aux: new.id, px, qty: Qty(new.qty), ..event }
    }
}

struct Day {
    preload: Vec<BookEvent>,
    events: Vec<BookEvent>,
}

fn day(events: usize, ns_per_event: u64) -> Day {
    let mut generator = Generator::new(0);
    let mut preload: Vec<BookEvent> = (0..INSTRUMENTS as u32)
        .map(|i| {
            let symbol = Symbol::new(&format!("S{i}")).expect("a short name");
            BookEvent {
                order_id: symbol.to_word(),
                px: Px(CENT),
                ..generator.event(Action::Define, &Live { id: 0, qty: 0, instrument: i, side: Side::Bid })
            }
        })
        .collect();
    for definition in &preload {
        generator.books.lend().apply(definition);
    }
    while generator.live < LIVE {
        // A third of the morning's orders are gone again before the clock starts.
        let event = if generator.rng.below(4) == 0 && generator.live > 1_000 {
            let at = generator.pick();
            let old = std::mem::replace(&mut generator.log[at].qty, 0);
            let of = Live { qty: old, ..generator.log[at] };
            generator.live -= 1;
            generator.event(Action::OrderDelete, &of)
        } else {
            generator.add()
        };
        generator.books.lend().apply(&event);
        preload.push(event);
    }
    generator.ns_per_event = ns_per_event;
    Day { preload, events: (0..events).map(|_| generator.next()).collect() }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    Scan,
    Book,
    Quotes,
    Features,
}

struct Row {
    name: &'static str,
    what: What,
    lookahead: usize,
    pages: PageKind,
    times: Vec<f64>,
    checksum: u64,
}

fn limits(pages: PageKind) -> BookLimits {
    BookLimits { instruments: 8_192, pages, ..BookLimits::default() }
}

fn mix(sum: u64, word: u64) -> u64 {
    (sum ^ word).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(17)
}

fn run_books(row: &Row, day: &Day) -> (f64, u64) {
    let mut books = Books::new(&limits(row.pages)).expect("memory");
    let mut lent = books.lend();
    for event in &day.preload {
        if lent.apply(event).effect.changes_levels() {
            let _ = lent.refresh_quote(event.instrument);
        }
    }
    let mut sum = 0_u64;
    let block = row.lookahead.max(1);
    let start = cpu_seconds();
    for chunk in day.events.chunks(block.min(featurizer::AHEAD_MAX)) {
        let ahead = lent.look_ahead(chunk);
        for coming in ahead.iter() {
            let (event, applied) = (coming.event(), lent.apply_coming(coming));
            if row.what == What::Quotes
                && applied.effect.changes_levels()
                && lent.refresh_quote(event.instrument).is_some()
            {
                let bbo = lent.bbo(event.instrument);
                sum = mix(sum, bbo.bid.px.0.cast_unsigned() ^ bbo.ask.qty);
                sum = mix(sum, bbo.ask.px.0.cast_unsigned() ^ bbo.bid.qty);
            }
        }
    }
    (cpu_seconds() - start, sum)
}

/// Counts vectors, keeps nothing.
struct CountVectors(u64);

impl featurizer::FeatureSink for CountVectors {
    fn offer(&mut self, vectors: &[types::FeatureVector]) -> usize {
        self.0 += vectors.len() as u64;
        vectors.len()
    }
}

fn run_features(row: &Row, day: &Day) -> (f64, u64) {
    let config = FeaturizerConfig {
        books: limits(row.pages),
        lookahead: row.lookahead,
        ..FeaturizerConfig::default()
    };
    let mut featurizer = Featurizer::new(&config).expect("memory");
    let mut vectors = CountVectors(0);
    let mut sinks = (&mut vectors, &mut (), &mut ());
    featurizer.apply(&day.preload, &mut sinks);
    let start = cpu_seconds();
    for chunk in day.events.chunks(256) {
        featurizer.apply(chunk, &mut sinks);
    }
    (cpu_seconds() - start, vectors.0)
}

fn run(row: &mut Row, day: &Day) {
    let (seconds, checksum) = match row.what {
        What::Scan => {
            let start = cpu_seconds();
            let sum = day.events.iter().fold(0, |sum, e| mix(sum, e.order_id ^ u64::from(e.qty.0)));
            (cpu_seconds() - start, sum)
        }
        What::Book | What::Quotes => run_books(row, day),
        What::Features => run_features(row, day),
    };
    row.times.push(seconds * 1e9 / day.events.len() as f64);
    row.checksum = checksum;
}

fn main() {
    let mut arguments = std::env::args().skip(1).filter_map(|a| a.parse::<usize>().ok());
    let events = arguments.next().unwrap_or(4_000_000);
    let rounds = arguments.next().unwrap_or(3);
    let only = arguments.next();
    let row =
        |name, what, lookahead, pages| Row { name, what, lookahead, pages, times: Vec::new(), checksum: 0 };
    let (huge, ordinary) = (PageKind::Huge, PageKind::Ordinary);
    let mut rows = [
        row("reading the events alone", What::Scan, 0, huge),
        row("book, 4 KiB pages", What::Book, 0, ordinary),
        row("book, 4 KiB pages, touch 64", What::Book, 64, ordinary),
        row("book, 2 MiB pages", What::Book, 0, huge),
        row("book, 2 MiB pages, touch 16", What::Book, 16, huge),
        row("book, 2 MiB pages, touch 32", What::Book, 32, huge),
        row("book, 2 MiB pages, touch 64", What::Book, 64, huge),
        row("book, 2 MiB pages, touch 128", What::Book, 128, huge),
        row("book + BBO, 4 KiB pages", What::Quotes, 0, ordinary),
        row("book + BBO, 4 KiB pages, touch 64", What::Quotes, 64, ordinary),
        row("book + BBO, 2 MiB pages", What::Quotes, 0, huge),
        row("book + BBO, 2 MiB pages, touch 64", What::Quotes, 64, huge),
        row("+ features, 2 MiB pages", What::Features, 0, huge),
        row("+ features, 2 MiB pages, touch 64", What::Features, 64, huge),
    ];
    let flow = day(events, 0);
    let chosen = only.map_or(0..rows.len(), |n| n..n + 1);
    for _ in 0..rounds {
        rows[chosen.clone()].iter_mut().for_each(|row| run(row, &flow));
    }
    let books = Books::new(&limits(huge)).expect("memory").memory();
    println!("{events} events, {rounds} rounds, {} MiB in the books, huge: {:?} MiB", books.bytes >> 20, {
        books.huge_bytes.map(|b| b >> 20)
    });
    println!("{:<46}{:>8}{:>8}{:>8}   checksum", "ns per event", "median", "min", "max");
    for row in &mut rows[chosen] {
        row.times.sort_by(f64::total_cmp);
        let (median, min, max) = (row.times[rounds / 2], row.times[0], row.times[rounds - 1]);
        println!("{:<46}{median:>8.1}{min:>8.1}{max:>8.1}   {:016x}", row.name, row.checksum);
    }
    if only.is_none() {
        grid_cost(events.min(1_000_000));
    }
}

/// What closing a grid point costs: the same flow with and without time passing.
fn grid_cost(events: usize) {
    let mut row = Row {
        name: "",
        what: What::Features,
        lookahead: 64,
        pages: PageKind::Huge,
        times: Vec::new(),
        checksum: 0,
    };
    run(&mut row, &day(events, 0));
    run(&mut row, &day(events, 5_000));
    let points = (events * 5_000 / 100_000_000).max(1);
    let us = (row.times[1] - row.times[0]) * events as f64 / points as f64 / 1e3;
    println!(
        "a grid point of {INSTRUMENTS} instruments at 200,000 events a second: {us:.0} us, {} vectors",
        row.checksum / points as u64
    );
}
