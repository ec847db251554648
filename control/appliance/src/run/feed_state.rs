//! The word for a feed's state in `status`.

use crate::line::health::FeedHealth;
use types::{Nanos, UnixNanos};

/// The word for a feed's state in `status`.
pub(super) fn feed_state(
    ended: bool,
    messages: u64,
    health: &FeedHealth,
    stale_after: Nanos,
    now: UnixNanos,
) -> &'static str {
    let heard = health.heard.get();
    if ended {
        "ended"
    } else if messages == 0 && heard.0 == 0 {
        "silent"
    } else if health.gap_open() || now.since(heard) > stale_after {
        "stale"
    } else {
        "live"
    }
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
        let state = |ended, messages, now| feed_state(ended, messages, &health, Nanos(100), UnixNanos(now));
        assert_eq!(state(false, 0, 1_000), "silent");
        let mut channels = Channels::new(1, health.clone());
        channels.note(&events(&[0]), false, UnixNanos(1_000));
        assert_eq!([state(false, 5, 1_100), state(false, 5, 1_101)], ["live", "stale"]);
        assert_eq!(state(false, 0, 1_050), "live", "heartbeats alone are a live feed");
        channels.note(&events(&[0]), true, UnixNanos(2_000));
        assert_eq!([state(false, 5, 2_001), state(true, 5, 2_001)], ["stale", "ended"]);
    }
}
