//! One synthetic ITCH 5.0 day, cut into a preload and equal segments.

use std::ops::Range;

use simulator::traffic::{Tails, TrafficConfig, generate};
use wire::framing::Frames;

/// Bytes of a length prefix.
const PREFIX: usize = 2;
/// Where a message's 48-bit timestamp stands (TotalView-ITCH 5.0 section 1, after type, locate and tracking number).
const TIMESTAMP: Range<usize> = 5..11;

/// The day the benchmarks run on unless they say otherwise: 8,000 symbols, 1.9 million live orders before the first timed
/// message, 9 million messages after it. A segment takes some 10 ms: long against the time it takes to warm
/// a cache, short against the time another process takes to spoil one.
pub const FULL: DayConfig = DayConfig {
    symbols: 8_000,
    preload_orders: 1_900_000,
    segments: 60,
    segment: 150_000,
    skipped_refs: 0,
    tails: Tails::Near,
};

/// Slots of the product's default order table, which a venue's references come round to again.
const TURN: u64 = 1 << 24;

/// The same day later: references have come round to the slots of the preloaded orders, each of which that still lives is met by a
/// new order with its slot.
pub const WRAPPED: DayConfig = DayConfig { skipped_refs: TURN - FULL.preload_orders as u64, ..FULL };

/// A wrapped day with heavy tails: a hundred thousand levels beyond the ladders, and orders that live so long that they fill the side
/// table.
pub const HEAVY: DayConfig = DayConfig { tails: Tails::Heavy, ..WRAPPED };

/// The same shape as [`FULL`] for tests and instruction counts.
pub const SMALL: DayConfig =
    DayConfig { symbols: 500, preload_orders: 20_000, segments: 2, segment: 100_000, ..FULL };

/// How large a day is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DayConfig {
    /// Symbols.
    pub symbols: u16,
    /// Orders live before the first segment.
    pub preload_orders: u32,
    /// Segments.
    pub segments: usize,
    /// Messages in each of them.
    pub segment: usize,
    /// Order references that pass between the preload and the first segment.
    pub skipped_refs: u64,
    /// How far orders stand from the touch, and how long they stay.
    pub tails: Tails,
}

/// A day in memory: length-prefixed messages, as NASDAQ's daily files have them.
#[derive(Clone, Debug)]
pub struct Day {
    bytes: Vec<u8>,
    preload_end: usize,
    /// Ends of the segments in `bytes`.
    ends: Vec<usize>,
    segment: usize,
    by_type: [u64; 256],
    symbols: u16,
}

impl Day {
    /// Generates the day, always the same one for the same configuration.
    ///
    /// # Panics
    /// When the generator makes something that is no stream of messages.
    #[must_use]
    pub fn generate(config: &DayConfig) -> Self {
        let traffic = generate(&TrafficConfig {
            seed: 20_191_030,
            symbols: config.symbols,
            preload_orders: config.preload_orders,
            messages: (config.segments * config.segment) as u64,
            skipped_refs: config.skipped_refs,
            tails: config.tails,
        });
        let mut ends = Vec::with_capacity(config.segments);
        let mut frames = Frames::new(&traffic.bytes[traffic.steady_offset..]);
        for _ in 0..config.segments {
            for _ in 0..config.segment {
                frames.next().expect("as many messages as were ordered").expect("whole messages");
            }
            let within = usize::try_from(frames.offset()).expect("the day is in memory");
            ends.push(traffic.steady_offset + within);
        }
        Self {
            preload_end: traffic.steady_offset,
            ends,
            segment: config.segment,
            by_type: traffic.steady_by_type,
            symbols: config.symbols,
            bytes: traffic.bytes,
        }
    }

    /// The same messages with other times: message i of the stream, preload included, comes `i * gap_ns` after the first.
    ///
    /// The generator spreads whatever it makes over a trading day. For what depends on event time (the feature grid) the
    /// rate has to be a real one.
    ///
    /// # Panics
    /// Never: the stream was walked when it was made.
    #[must_use]
    pub fn retimed(&self, gap_ns: u64) -> Self {
        let mut out = self.clone();
        let mut at = 0;
        let mut ns = 34_200_000_000_000_u64;
        while at + PREFIX <= out.bytes.len() {
            let len = usize::from(u16::from_be_bytes([out.bytes[at], out.bytes[at + 1]]));
            let message = &mut out.bytes[at + PREFIX..at + PREFIX + len];
            message[TIMESTAMP].copy_from_slice(&ns.to_be_bytes()[2..]);
            ns += gap_ns;
            at += PREFIX + len;
        }
        out
    }

    /// Directory and live orders: what comes before anything that is timed.
    #[must_use]
    pub fn preload(&self) -> &[u8] {
        &self.bytes[..self.preload_end]
    }

    /// One segment.
    ///
    /// # Panics
    /// When the day has no such segment.
    #[must_use]
    pub fn segment(&self, i: usize) -> &[u8] {
        let start = if i == 0 { self.preload_end } else { self.ends[i - 1] };
        &self.bytes[start..self.ends[i]]
    }

    /// Number of segments.
    #[must_use]
    pub fn segments(&self) -> usize {
        self.ends.len()
    }

    /// Messages in each segment.
    #[must_use]
    pub fn segment_messages(&self) -> usize {
        self.segment
    }

    /// Symbols.
    #[must_use]
    pub fn symbols(&self) -> u16 {
        self.symbols
    }

    /// The mix of the segments, most frequent type first, in per cent.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a share for people")]
    pub fn mix(&self) -> String {
        let total: u64 = self.by_type.iter().sum();
        let mut kinds: Vec<(u8, u64)> = (0..=255_u8).zip(self.by_type).filter(|&(_, n)| n > 0).collect();
        kinds.sort_by_key(|&(_, n)| std::cmp::Reverse(n));
        let share =
            |&(kind, n): &(u8, u64)| format!("{} {:.1} %", char::from(kind), 100.0 * n as f64 / total as f64);
        kinds.iter().map(share).collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::itch50;

    const TINY: DayConfig =
        DayConfig { symbols: 20, preload_orders: 300, segments: 3, segment: 1_000, ..FULL };

    fn count(bytes: &[u8]) -> usize {
        Frames::new(bytes).flatten().filter(|message| itch50::decode(message).is_ok()).count()
    }

    #[test]
    fn segments_tile_the_day_and_have_their_size() {
        let day = Day::generate(&TINY);
        // Two system events, two directory messages per symbol, the orders, the opening.
        assert_eq!(count(day.preload()), 3 + 2 * 20 + 300);
        let bytes: usize = (0..day.segments()).map(|i| day.segment(i).len()).sum();
        assert_eq!(day.preload().len() + bytes, day.bytes.len());
        assert!((0..3).all(|i| count(day.segment(i)) == 1_000));
        assert!(day.mix().starts_with("A 4"), "{}", day.mix());
    }

    #[test]
    fn retiming_changes_times_alone() {
        let day = Day::generate(&TINY);
        let again = day.retimed(250);
        let times = |day: &Day| -> Vec<u64> {
            let message = |frame| itch50::decode(frame).unwrap().header().unwrap().timestamp.ns();
            Frames::new(&day.bytes).map(|frame| message(frame.unwrap())).collect()
        };
        assert!(times(&again).windows(2).all(|pair| pair[1] - pair[0] == 250));
        assert_ne!(times(&day), times(&again));
        let strip = |day: &Day| -> Vec<u8> {
            Frames::new(&day.bytes)
                .flat_map(|frame| {
                    let frame = frame.unwrap();
                    [&frame[..TIMESTAMP.start], &frame[TIMESTAMP.end..]].concat()
                })
                .collect()
        };
        assert_eq!(strip(&day), strip(&again));
    }
}
