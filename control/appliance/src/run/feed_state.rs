//! The word for a feed's state in `status`, and what it says of a line.

use crate::line::health::FeedHealth;
use stage::CounterReader;
use types::{Nanos, UnixNanos};

/// What the receiver has counted of a feed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counted {
    pub(super) ended: bool,
    pub(super) messages: u64,
    pub(super) recovering: bool,
    /// A channel is late by its own stamps.
    pub(super) late: bool,
}

/// The word for a feed's state in `status`. What the receiver has counted and the books have not yet heard of, or not of every channel, is
/// on its way for as long after `started`, when the stages began, as a silence may last.
pub(super) fn feed_state(
    counted: Counted,
    health: &FeedHealth,
    (started, stale_after): (UnixNanos, Nanos),
    now: UnixNanos,
) -> &'static str {
    let Counted { ended, messages, recovering, late } = counted;
    let heard = health.heard.get();
    let on_its_way = messages == 0 || (!recovering && now.since(started) <= stale_after);
    if ended {
        "ended"
    } else if heard.0 == 0 && on_its_way {
        "silent"
    } else if late {
        "late"
    } else if recovering {
        "recovering"
    } else if health.gap_open() || now.since(heard) > stale_after {
        "stale"
    } else {
        "live"
    }
}

/// Since when a line that was last heard, or begun to be listened to, at `heard` is dead: silent for longer than its feed may
/// be, in a feed that has not ended.
pub(super) fn dead_since(
    ended: bool,
    heard: UnixNanos,
    stale_after: Nanos,
    now: UnixNanos,
) -> Option<UnixNanos> {
    (!ended && now.since(heard) > stale_after).then_some(heard)
}

/// The count of this name, 0 where there is none.
pub(super) fn value(counters: &CounterReader, name: &str) -> u64 {
    counters.iter().find(|(known, _)| *known == name).map_or(0, |(_, count)| count)
}

/// How often sessions of a receiver's channels ended, and went on after that; and on which channel last.
pub(super) fn ends(counters: &CounterReader) -> [(u64, Option<u8>); 2] {
    [("ends", "ended_channel"), ("ends_taken_back", "resumed_channel")].map(|(count, last)| {
        let often = value(counters, count);
        (often, (often > 0).then(|| u8::try_from(value(counters, last)).unwrap_or(u8::MAX)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::line::health::Channels;
    use types::BookEvent;

    fn events(channels: &[u8]) -> Vec<BookEvent> {
        channels.iter().map(|&channel| BookEvent { channel, ..BookEvent::EMPTY }).collect()
    }

    #[test]
    fn a_feed_is_silent_live_late_stale_or_ended() {
        let health = FeedHealth::default();
        let times = (UnixNanos(900), Nanos(100));
        let counted = Counted { messages: 5, ..Counted::default() };
        let of = |counted, now| feed_state(counted, &health, times, UnixNanos(now));
        let state = |ended, messages, now| of(Counted { ended, messages, ..counted }, now);
        assert_eq!(state(false, 0, 1_000), "silent");
        assert_eq!(state(false, 7, 1_000), "silent", "it was received, and the books have not taken it yet");
        assert_eq!([state(false, 7, 1_001), state(false, 0, 1_001)], ["stale", "silent"]);
        assert_eq!(of(Counted { recovering: true, ..counted }, 1_000), "recovering");
        let mut channels = Channels::new(1, health.clone());
        channels.note(&events(&[0]), false, UnixNanos(1_000));
        assert_eq!([state(false, 5, 1_100), state(false, 5, 1_101)], ["live", "stale"]);
        assert_eq!(state(false, 0, 1_050), "live", "heartbeats alone are a live feed");
        let late = Counted { late: true, ..counted };
        assert_eq!([of(late, 1_100), of(Counted { recovering: true, ..late }, 1_101)], ["late"; 2]);
        assert_eq!(of(Counted { ended: true, ..late }, 1_100), "ended");
        channels.note(&events(&[0]), true, UnixNanos(2_000));
        assert_eq!([state(false, 5, 2_001), state(true, 5, 2_001)], ["stale", "ended"]);
        let recovering = |ended| of(Counted { ended, recovering: true, ..counted }, 2_001);
        assert_eq!([recovering(false), recovering(true)], ["recovering", "ended"]);
    }

    #[test]
    fn a_line_is_dead_since_it_was_last_heard() {
        let dead = |ended, now| dead_since(ended, UnixNanos(1_000), Nanos(100), UnixNanos(now));
        assert_eq!([dead(false, 1_100), dead(false, 1_101)], [None, Some(UnixNanos(1_000))]);
        assert_eq!(dead(true, 9_000), None, "after the end nobody is missed");
    }
}
