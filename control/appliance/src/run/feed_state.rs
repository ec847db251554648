//! The word for a feed's state in `status`, and what it says of a line.

use crate::line::health::FeedHealth;
use types::{Nanos, UnixNanos};

/// The word for a feed's state in `status`.
pub(super) fn feed_state(
    ended: bool,
    messages: u64,
    recovering: bool,
    health: &FeedHealth,
    stale_after: Nanos,
    now: UnixNanos,
) -> &'static str {
    let heard = health.heard.get();
    if ended {
        "ended"
    } else if messages == 0 && heard.0 == 0 {
        "silent"
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::line::health::Channels;
    use types::BookEvent;

    fn events(channels: &[u8]) -> Vec<BookEvent> {
        channels.iter().map(|&channel| BookEvent { channel, ..BookEvent::EMPTY }).collect()
    }

    #[test]
    fn a_feed_is_silent_live_stale_or_ended() {
        let health = FeedHealth::default();
        let state =
            |ended, messages, now| feed_state(ended, messages, false, &health, Nanos(100), UnixNanos(now));
        assert_eq!(state(false, 0, 1_000), "silent");
        let mut channels = Channels::new(1, health.clone());
        channels.note(&events(&[0]), false, UnixNanos(1_000));
        assert_eq!([state(false, 5, 1_100), state(false, 5, 1_101)], ["live", "stale"]);
        assert_eq!(state(false, 0, 1_050), "live", "heartbeats alone are a live feed");
        channels.note(&events(&[0]), true, UnixNanos(2_000));
        assert_eq!([state(false, 5, 2_001), state(true, 5, 2_001)], ["stale", "ended"]);
        let recovering = |ended| feed_state(ended, 5, true, &health, Nanos(100), UnixNanos(2_001));
        assert_eq!([recovering(false), recovering(true)], ["recovering", "ended"]);
    }

    #[test]
    fn a_line_is_dead_since_it_was_last_heard() {
        let dead = |ended, now| dead_since(ended, UnixNanos(1_000), Nanos(100), UnixNanos(now));
        assert_eq!([dead(false, 1_100), dead(false, 1_101)], [None, Some(UnixNanos(1_000))]);
        assert_eq!(dead(true, 9_000), None, "after the end nobody is missed");
    }
}
