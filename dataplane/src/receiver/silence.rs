//! When each channel was heard last, and which fell silent: a channel that says nothing for long says neither that its market is
//! calm nor that its books still stand.

use types::{ChannelWord, Nanos, UnixNanos};

/// One channel.
#[derive(Clone, Copy, Debug, Default)]
struct Heard {
    /// Zero before the first time.
    at: UnixNanos,
    /// That it is silent has been told.
    told: bool,
    /// Its session is over: silence is what it should keep.
    ended: bool,
}

/// What is to be told of a channel that is heard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Break {
    /// It had been silent since then, which has not been told.
    pub(super) silent_from: Option<UnixNanos>,
    /// It was silent, and is no longer.
    pub(super) heard_again: bool,
}

/// All channels.
#[derive(Debug)]
pub(super) struct Silence {
    after: Nanos,
    channels: Vec<Heard>,
}

impl Silence {
    /// Channels that count as silent when nothing was heard for longer than `after`.
    pub(super) fn new(after: Nanos, channels: usize) -> Self {
        Self { after, channels: vec![Heard::default(); channels] }
    }

    /// `channel` is heard at `at`.
    #[inline]
    pub(super) fn hear(&mut self, channel: u8, at: UnixNanos) -> Break {
        let Some(heard) = self.channels.get_mut(usize::from(channel)) else { return Break::default() };
        let silent_from = heard.falls_silent(self.after, at);
        let heard_again = heard.told || silent_from.is_some();
        *heard = Heard { at: heard.at.max(at), told: false, ended: false };
        Break { silent_from, heard_again }
    }

    /// Whether `channel` has fallen silent by `now`, and since when it counts as that: told once.
    #[inline]
    pub(super) fn check(&mut self, channel: u8, now: UnixNanos) -> Option<UnixNanos> {
        let heard = self.channels.get_mut(usize::from(channel))?;
        let silent_from = heard.falls_silent(self.after, now);
        heard.told |= silent_from.is_some();
        silent_from
    }

    /// What holds of `channel`; none where it was never heard.
    pub(super) fn word(&self, channel: u8) -> Option<ChannelWord> {
        let heard = self.channels.get(usize::from(channel)).filter(|heard| heard.at.0 != 0)?;
        Some(if heard.told { ChannelWord::Silent } else { ChannelWord::Heard })
    }

    /// The session of `channel` is over.
    pub(super) fn end(&mut self, channel: u8) {
        if let Some(heard) = self.channels.get_mut(usize::from(channel)) {
            heard.ended = true;
        }
    }
}

impl Heard {
    fn falls_silent(&self, after: Nanos, now: UnixNanos) -> Option<UnixNanos> {
        let expected = self.at.0 != 0 && !self.told && !self.ended;
        (expected && now.since(self.at) > after).then(|| self.at.plus(after))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AFTER: Nanos = Nanos(3_000);

    #[test]
    fn a_silence_is_told_once_and_ends_once() {
        let mut silence = Silence::new(AFTER, 2);
        assert_eq!(silence.check(0, UnixNanos(1 << 40)), None, "never heard, never silent");
        assert_eq!(silence.hear(0, UnixNanos(1_000)), Break::default());
        silence.hear(1, UnixNanos(1_500));
        assert_eq!(silence.check(0, UnixNanos(4_000)), None, "not longer than that");
        assert_eq!(silence.check(0, UnixNanos(4_001)), Some(UnixNanos(4_000)));
        assert_eq!(silence.check(0, UnixNanos(9_000)), None, "known");
        assert_eq!(silence.check(1, UnixNanos(4_500)), None, "the other one goes on");
        let words = [0, 1, 2].map(|channel| silence.word(channel));
        assert_eq!(words, [Some(ChannelWord::Silent), Some(ChannelWord::Heard), None]);
        let back = Break { silent_from: None, heard_again: true };
        assert_eq!(silence.hear(0, UnixNanos(9_500)), back);
        assert_eq!(silence.hear(0, UnixNanos(9_600)), Break::default());
        // Nobody looked in between, as where a recording is read.
        let both = Break { silent_from: Some(UnixNanos(12_600)), heard_again: true };
        assert_eq!(silence.hear(0, UnixNanos(60_000)), both);
    }

    #[test]
    fn a_channel_whose_session_is_over_may_be_silent_until_it_is_heard() {
        let mut silence = Silence::new(AFTER, 1);
        silence.hear(0, UnixNanos(1_000));
        silence.end(0);
        assert_eq!(silence.check(0, UnixNanos(90_000)), None);
        assert_eq!(silence.hear(0, UnixNanos(91_000)), Break::default());
        assert_eq!(silence.check(0, UnixNanos(95_000)), Some(UnixNanos(94_000)));
    }
}
