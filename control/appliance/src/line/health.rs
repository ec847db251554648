//! When the feed and the scorer last did something, and whether the feed lacks anything: written by the stages' own
//! threads, read by `status` and by the gate's clock of unchanged quotes. The same rule in every clock.

use control::stamp::Stamp;
use stage::CounterReader;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use types::{BookEvent, UnixNanos};

/// A time that one stage writes and anybody reads; zero is never.
#[derive(Clone, Debug, Default)]
pub(crate) struct Moment(Arc<AtomicU64>);

impl Moment {
    pub(crate) fn set(&self, at: UnixNanos) {
        self.0.store(at.0, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> UnixNanos {
        UnixNanos(self.0.load(Ordering::Relaxed))
    }

    /// For people; none for never.
    pub(crate) fn stamp(&self) -> Option<Stamp> {
        Some(self.get()).filter(|at| at.0 > 0).map(Stamp)
    }
}

/// Notes when a counter moves.
#[derive(Debug)]
pub(crate) struct LastMoved {
    counters: CounterReader,
    index: usize,
    seen: u64,
    at: Moment,
}

impl LastMoved {
    /// Watches the counter called `name`; one that the set lacks never moves.
    pub(crate) fn new(counters: CounterReader, name: &str) -> Self {
        let index = counters.iter().position(|(n, _)| n == name).unwrap_or(usize::MAX);
        Self { counters, index, seen: 0, at: Moment::default() }
    }

    /// Where it is noted.
    pub(crate) fn moment(&self) -> Moment {
        self.at.clone()
    }

    /// Takes note of whether the counter has moved since the last look.
    pub(crate) fn look(&mut self, now: UnixNanos) {
        let value = self.counters.get(self.index);
        if value != self.seen {
            self.seen = value;
            self.at.set(now);
        }
    }
}

/// How a feed is, as the stage that applies its events sees it.
#[derive(Clone, Debug, Default)]
pub(crate) struct FeedHealth {
    /// Up to when every channel has been heard.
    pub(crate) heard: Moment,
    gap_open: Arc<AtomicBool>,
}

impl FeedHealth {
    pub(crate) fn gap_open(&self) -> bool {
        self.gap_open.load(Ordering::Relaxed)
    }
}

/// When each channel was last heard.
#[derive(Debug)]
pub(crate) struct Channels {
    heard: Box<[UnixNanos]>,
    health: FeedHealth,
}

impl Channels {
    /// `count` channels, at least one, none heard.
    pub(crate) fn new(count: usize, health: FeedHealth) -> Self {
        Self { heard: vec![UnixNanos(0); count.max(1)].into(), health }
    }

    /// Takes note of events that were taken in at `now`. Gives the time up to which all channels are known to have lived
    /// and to lack nothing, which is when a quote that has not changed was last right; none while a gap is open.
    pub(crate) fn note(&mut self, events: &[BookEvent], gap_open: bool, now: UnixNanos) -> Option<UnixNanos> {
        let complete = match &mut *self.heard {
            [only] => {
                *only = now;
                now
            }
            several => {
                for event in events {
                    if let Some(heard) = several.get_mut(usize::from(event.channel)) {
                        *heard = now;
                    }
                }
                several.iter().copied().min().unwrap_or(UnixNanos(0))
            }
        };
        self.health.heard.set(complete);
        self.health.gap_open.store(gap_open, Ordering::Relaxed);
        Some(complete).filter(|_| !gap_open)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(channels: &[u8]) -> Vec<BookEvent> {
        channels.iter().map(|&channel| BookEvent { channel, ..BookEvent::EMPTY }).collect()
    }

    #[test]
    fn unchanged_quotes_stay_right_as_long_as_every_channel_lives() {
        let health = FeedHealth::default();
        let mut channels = Channels::new(2, health.clone());
        let mut note = |list: &[u8], gap, now| channels.note(&events(list), gap, UnixNanos(now));
        assert_eq!(note(&[0, 0], false, 10), Some(UnixNanos(0)), "channel 1 was never heard");
        assert_eq!(note(&[1], false, 20), Some(UnixNanos(10)));
        assert_eq!(note(&[1, 0], false, 30), Some(UnixNanos(30)));
        assert_eq!(note(&[1], false, 40), Some(UnixNanos(30)), "channel 0 is silent");
        assert_eq!(note(&[0, 7], false, 50), Some(UnixNanos(40)), "a channel nobody has counts for none");
        assert_eq!(health.heard.get(), UnixNanos(40));
    }

    #[test]
    fn nothing_is_known_to_be_right_while_a_gap_is_open() {
        let health = FeedHealth::default();
        let mut channels = Channels::new(1, health.clone());
        assert_eq!(channels.note(&events(&[0]), false, UnixNanos(10)), Some(UnixNanos(10)));
        assert_eq!(channels.note(&events(&[0]), true, UnixNanos(20)), None);
        assert!(health.gap_open() && health.heard.get() == UnixNanos(20), "it lives and lacks something");
        assert_eq!(channels.note(&events(&[0]), false, UnixNanos(30)), Some(UnixNanos(30)));
        assert!(!health.gap_open());
    }

    #[test]
    fn a_counter_that_moves_is_noted_once() {
        let (reader, [a, b]) = stage::counters("test", ["a", "b"]);
        let mut last = LastMoved::new(reader.clone(), "b");
        let at = last.moment();
        last.look(UnixNanos(10));
        assert_eq!(at.stamp(), None);
        b.add(1);
        last.look(UnixNanos(20));
        a.add(1);
        last.look(UnixNanos(30));
        assert_eq!(at.stamp(), Some(Stamp(UnixNanos(20))));
        let mut missing = LastMoved::new(reader, "c");
        missing.look(UnixNanos(40));
        assert_eq!(missing.moment().stamp(), None);
    }
}
