//! Latency histograms per hop, and the two file formats latency engineers already have readers for.
//!
//! A hop's recorder belongs to the thread that measures; full intervals travel to a cold thread over a ring and come back
//! empty, so recording never allocates, locks or waits. [`HistLog`] writes HdrHistogram's interval log (`.hlog`),
//! [`read_hlog`] reads it back, [`write_hgrm`] writes the percentile text (`.hgrm`) that the plotters take.

mod base64;
mod hgrm;
mod log;

pub use hgrm::write_hgrm;
pub use log::{HistLog, HistLogError, HlogContents, TaggedHistogram, read_hlog};

use hdrhistogram::Histogram;
use rtrb::{Consumer, Producer, RingBuffer};
use types::{Nanos, UnixNanos};

/// Shortest latency told apart from zero.
pub const LATENCY_NS_MIN: u64 = 1;
/// Longest latency recorded; what is longer counts as this.
pub const LATENCY_NS_MAX: u64 = 10_000_000_000;
/// Significant decimal digits.
pub const DIGITS: u8 = 3;

/// An empty histogram with the bounds all hops share: 1 ns to 10 s at three digits, 196 KiB.
///
/// # Panics
///
/// Never: the bounds are constants that the histogram accepts.
#[must_use]
pub fn latency_histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(LATENCY_NS_MIN, LATENCY_NS_MAX, DIGITS).expect("constant bounds are valid")
}

/// What one hop recorded between two swaps.
#[derive(Debug)]
pub struct Interval {
    /// Start of the interval.
    pub start: UnixNanos,
    /// End of the interval.
    pub end: UnixNanos,
    /// Latencies in nanoseconds.
    pub histogram: Box<Histogram<u64>>,
}

/// The recording end of one hop.
#[derive(Debug)]
pub struct HopHistogram {
    hop: &'static str,
    active: Interval,
    full: Producer<Interval>,
    empty: Consumer<Interval>,
}

impl HopHistogram {
    /// Makes both ends for the hop called `hop` (the tag in the log: no comma, space or line break), with `spares` histograms that
    /// wait for or at the cold thread beside the one being recorded into. Everything is allocated here.
    ///
    /// # Panics
    ///
    /// When `hop` cannot be a tag.
    #[must_use]
    pub fn new(hop: &'static str, start: UnixNanos, spares: usize) -> (Self, HopReader) {
        assert!(log::is_tag(hop), "{hop:?} cannot be a tag in an interval log");
        let blank = || Interval { start, end: start, histogram: Box::new(latency_histogram()) };
        let (full_tx, full_rx) = RingBuffer::new(spares);
        let (mut empty_tx, empty_rx) = RingBuffer::new(spares);
        for _ in 0..spares {
            // Room for exactly the spares was just made.
            let _ = empty_tx.push(blank());
        }
        let recorder = Self { hop, active: blank(), full: full_tx, empty: empty_rx };
        (recorder, HopReader { hop, full: full_rx, empty: empty_tx })
    }

    /// Name of the hop.
    #[must_use]
    pub fn hop(&self) -> &'static str {
        self.hop
    }

    /// Records one latency; what exceeds ten seconds counts as ten seconds.
    #[inline]
    pub fn record(&mut self, latency: Nanos) {
        self.active.histogram.saturating_record(latency.0);
    }

    /// Records the time from `from` to `to`; zero when the clock says that `to` came first.
    #[inline]
    pub fn record_between(&mut self, from: UnixNanos, to: UnixNanos) {
        self.record(to.since(from));
    }

    /// Ends the interval at `now` and hands it to the reader. When the reader still holds every spare, the interval goes
    /// on instead, so that nothing is lost; returns whether it was handed over.
    pub fn swap(&mut self, now: UnixNanos) -> bool {
        let Ok(mut next) = self.empty.pop() else { return false };
        next.start = now;
        let mut done = std::mem::replace(&mut self.active, next);
        done.end = now;
        // Cannot be full: there are as many places as intervals besides the active one.
        self.full.push(done).is_ok()
    }

    /// Ends the interval at `now` if it has lasted `length` or longer.
    #[inline]
    pub fn swap_after(&mut self, now: UnixNanos, length: Nanos) -> bool {
        now.since(self.active.start) >= length && self.swap(now)
    }

    /// The interval being recorded, for a run without a cold thread.
    #[must_use]
    pub fn current(&self) -> &Histogram<u64> {
        &self.active.histogram
    }
}

/// The cold end of one hop.
#[derive(Debug)]
pub struct HopReader {
    hop: &'static str,
    full: Consumer<Interval>,
    empty: Producer<Interval>,
}

impl HopReader {
    /// Name of the hop.
    #[must_use]
    pub fn hop(&self) -> &'static str {
        self.hop
    }

    /// Shows every finished interval to `visit`, then empties its histogram and gives it back to the recorder. Returns
    /// how many there were.
    ///
    /// # Errors
    ///
    /// The first error of `visit`; the interval concerned is given back all the same.
    pub fn collect<E>(&mut self, mut visit: impl FnMut(&Interval) -> Result<(), E>) -> Result<usize, E> {
        let mut seen = 0;
        while let Ok(mut interval) = self.full.pop() {
            let outcome = visit(&interval);
            interval.histogram.reset();
            // Cannot be full: it came from there.
            let _ = self.empty.push(interval);
            outcome?;
            seen += 1;
        }
        Ok(seen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

    fn counts(reader: &mut HopReader) -> Vec<(u64, u64, u64)> {
        let mut out = Vec::new();
        let keep = |i: &Interval| {
            out.push((i.start.0, i.end.0, i.histogram.len()));
            Ok::<(), Infallible>(())
        };
        let _ = reader.collect(keep);
        out
    }

    #[test]
    fn intervals_arrive_whole_and_come_back_empty() {
        let (mut hop, mut reader) = HopHistogram::new("nic-decode", UnixNanos(100), 2);
        for round in 0..10 {
            let start = 100 + round * 10;
            hop.record(Nanos(5));
            hop.record_between(UnixNanos(3), UnixNanos(2));
            assert!(!hop.swap_after(UnixNanos(start + 9), Nanos(10)));
            assert!(hop.swap_after(UnixNanos(start + 10), Nanos(10)));
            assert_eq!(counts(&mut reader), [(start, start + 10, 2)]);
        }
    }

    #[test]
    fn a_late_reader_costs_resolution_in_time_but_no_value() {
        let (mut hop, mut reader) = HopHistogram::new("h", UnixNanos(0), 2);
        let handed: Vec<bool> = (1..=4)
            .map(|n| {
                hop.record(Nanos(n));
                hop.swap(UnixNanos(n))
            })
            .collect();
        assert_eq!(handed, [true, true, false, false]);
        assert_eq!(counts(&mut reader), [(0, 1, 1), (1, 2, 1)]);
        assert!(hop.swap(UnixNanos(5)));
        assert_eq!(counts(&mut reader), [(2, 5, 2)]);
    }

    #[test]
    fn what_is_too_long_counts_as_the_longest() {
        let (mut hop, _reader) = HopHistogram::new("h", UnixNanos(0), 2);
        hop.record(Nanos(u64::MAX));
        assert_eq!(hop.current().len(), 1);
        let longest = hop.current().max();
        assert!((LATENCY_NS_MAX..LATENCY_NS_MAX * 2).contains(&longest), "{longest}");
    }

    #[test]
    #[should_panic(expected = "cannot be a tag")]
    fn a_hop_name_must_be_a_tag() {
        let _ = HopHistogram::new("two words", UnixNanos(0), 2);
    }
}
