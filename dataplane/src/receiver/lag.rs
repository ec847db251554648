//! How late each channel is by its own stamps: a feed that comes out of a full buffer, or of a venue that lags, shows an old market
//! as if it were this one.
//!
//! Clocks differ, and captures are played years after they were made, so a channel is held against itself: the nearest that the venue's
//! time came to that of arrival, in two packets in a row, is its norm. Behind that by more than [`late_after`], packet after packet, it
//! is late, until two in a row are not. A packet that is young by the clock of arrivals is never late: a clock that ran ahead for a
//! while and was set right leaves no doubt behind; nor does one whose stamps jump back by half a day. Each start learns the norm anew.

use types::{Nanos, UnixNanos};

/// Packets in a row that are behind before the channel is late; two are enough that are as far apart as it may be silent.
const BEHIND_MAX: u32 = 8;
/// After so many more it is said again: the word may have been lost on its way.
const SAID_AGAIN: u32 = 1_024;
/// Who jumps back so far was not late before: its stamps are of another clock, as of the next capture's.
const OTHER_CLOCK: i64 = 12 * 3_600 * 1_000_000_000;
/// How far the venue's clock may be ahead of ours where it is the same.
const AHEAD_MAX: i64 = 1_000_000_000;

/// The bounds of how far a channel may be behind, wherever in between it may be silent as long: stamps tell of a quiet venue's lag as
/// soon as of a busy one's, and a machine that is held up for a moment is no lag.
const AFTER: std::ops::RangeInclusive<Nanos> = Nanos(1_000_000_000)..=Nanos(3_000_000_000);

/// How far a channel may be behind that may be silent for `silent_after`.
pub(super) fn late_after(silent_after: Nanos) -> Nanos {
    silent_after.clamp(*AFTER.start(), *AFTER.end())
}

/// One channel. A distance is the venue's time minus that of arrival.
#[derive(Clone, Copy, Debug)]
struct Channel {
    /// Of the last packet, and the largest that two in a row had; the smallest number before any.
    last: i64,
    norm: i64,
    /// Packets in a row that were behind, when the first of them came, and packets in a row since that were not.
    behind: u32,
    behind_since: UnixNanos,
    in_time: u32,
    is_late: bool,
}

impl Channel {
    const UNHEARD: Self = Self {
        last: i64::MIN,
        norm: i64::MIN,
        behind: 0,
        behind_since: UnixNanos(0),
        in_time: 0,
        is_late: false,
    };

    /// How far a packet at this distance is behind the norm.
    const fn behind(&self, distance: i64) -> u64 {
        let behind = self.norm.saturating_sub(distance);
        if behind > 0 { behind.unsigned_abs() } else { 0 }
    }
}

/// What is to be told of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// It is late: what it says is of a market that is over.
    Late,
    /// It no longer is.
    InTime,
}

/// All channels.
#[derive(Debug)]
pub(super) struct Lag {
    /// In nanoseconds.
    after: i64,
    channels: Vec<Channel>,
}

impl Lag {
    /// Channels that are late when they are behind by more than `after`.
    pub(super) fn new(after: Nanos, channels: usize) -> Self {
        let after = i64::try_from(after.0).unwrap_or(i64::MAX);
        Self { after, channels: vec![Channel::UNHEARD; channels] }
    }

    /// A packet of `channel` arrived at `arrival`, its venue time `distance` nanoseconds from that.
    #[inline]
    pub(super) fn note(&mut self, channel: u8, distance: i64, arrival: UnixNanos) -> Option<Turn> {
        let of = self.channels.get_mut(usize::from(channel))?;
        let both = distance.min(of.last);
        of.last = distance;
        of.norm = of.norm.max(both);
        let is_behind = distance < of.norm.saturating_sub(self.after);
        if is_behind || of.behind > 0 { self.judge(channel, distance, arrival) } else { None }
    }

    /// `channel` was silent: what comes now may have waited in a buffer, and the first packet that is behind is enough.
    #[cold]
    pub(super) fn doubt(&mut self, channel: u8) {
        if let Some(of) = self.channels.get_mut(usize::from(channel)) {
            of.behind = of.behind.max(BEHIND_MAX - 1);
        }
    }

    #[cold]
    fn judge(&mut self, channel: u8, distance: i64, arrival: UnixNanos) -> Option<Turn> {
        let of = &mut self.channels[usize::from(channel)];
        let is_young = (-self.after..=AHEAD_MAX).contains(&distance);
        if is_young || distance >= of.norm.saturating_sub(self.after) {
            of.in_time += 1;
            if of.in_time < 2 {
                return None;
            }
            (of.behind, of.in_time) = (0, 0);
            return std::mem::take(&mut of.is_late).then_some(Turn::InTime);
        }
        if of.behind == 0 {
            of.behind_since = arrival;
        } else if !of.is_late && distance < of.norm.saturating_sub(OTHER_CLOCK) {
            (of.norm, of.behind, of.in_time) = (distance, 0, 0);
            return None;
        }
        (of.behind, of.in_time) = (of.behind.saturating_add(1), 0);
        if of.is_late {
            return of.behind.is_multiple_of(SAID_AGAIN).then_some(Turn::Late);
        }
        let for_long = of.behind > 1 && arrival.since(of.behind_since).0 > self.after.unsigned_abs();
        of.is_late = of.behind >= BEHIND_MAX || for_long;
        of.is_late.then_some(Turn::Late)
    }

    /// Channels that are late.
    pub(super) fn late(&self) -> usize {
        self.channels.iter().filter(|of| of.is_late).count()
    }

    /// How far the last packet of the channel that lags most is behind its norm.
    pub(super) fn worst(&self) -> Nanos {
        let heard = self.channels.iter().filter(|of| of.norm != i64::MIN);
        Nanos(heard.map(|of| of.behind(of.last)).max().unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: i64 = 1_000_000_000;
    const MS: i64 = 1_000_000;
    const YEAR: i64 = 365 * 86_400 * S;

    /// A channel at which packets come a tenth of a second apart, and what was told, by packet.
    struct Rig {
        lag: Lag,
        now: i64,
        told: Vec<(usize, Turn)>,
        packets: usize,
    }

    impl Rig {
        fn new() -> Self {
            Self { lag: Lag::new(Nanos(3 * 1_000_000_000), 2), now: YEAR, told: Vec::new(), packets: 0 }
        }

        fn packet(&mut self, distance: i64) {
            self.now += 100 * MS;
            if let Some(turn) = self.lag.note(0, distance, UnixNanos(self.now.unsigned_abs())) {
                self.told.push((self.packets, turn));
            }
            self.packets += 1;
        }

        fn packets(&mut self, count: usize, distance: i64) {
            (0..count).for_each(|_| self.packet(distance));
        }

        fn take(&mut self) -> Vec<(usize, Turn)> {
            std::mem::take(&mut self.told)
        }
    }

    #[test]
    fn a_feed_behind_its_norm_is_late_until_two_packets_in_a_row_are_not() {
        // Of our age, played a year later, and with stamps ahead.
        for norm in [-40_000, -YEAR, YEAR] {
            let mut rig = Rig::new();
            rig.packets(100, norm);
            rig.packets(8, norm - 3 * S - MS);
            assert_eq!(rig.take(), [(107, Turn::Late)], "{norm}");
            assert_eq!((rig.lag.late(), rig.lag.worst()), (1, Nanos(3_001_000_000)));
            rig.packet(norm);
            rig.packet(norm - 60 * S);
            rig.packet(norm);
            assert!(rig.take().is_empty(), "one packet in time is none");
            rig.packet(norm - 2 * S);
            assert_eq!(rig.take(), [(111, Turn::InTime)], "{norm}");
            assert_eq!((rig.lag.late(), rig.lag.worst()), (0, Nanos(2_000_000_000)));
        }
    }

    #[test]
    fn one_packet_or_a_few_that_speak_of_long_ago_are_not_late_and_nor_is_what_is_as_late_as_a_silence_may_be()
     {
        let mut rig = Rig::new();
        rig.packets(100, -MS);
        for few in 1..8 {
            rig.packets(few, -9 * 3_600 * S);
            rig.packets(2, -MS);
        }
        rig.packets(100, -MS - 3 * S);
        assert!(rig.take().is_empty());
    }

    #[test]
    fn two_packets_half_a_day_behind_are_of_another_clock_unless_it_crept_there() {
        let mut rig = Rig::new();
        rig.packets(5, -MS);
        rig.packets(20, -YEAR);
        assert_eq!((rig.take(), rig.lag.worst()), (Vec::new(), Nanos(0)));
        rig.packets(8, -YEAR - 9 * S);
        assert_eq!(rig.take(), [(32, Turn::Late)], "held against what is new");
        let mut rig = Rig::new();
        (0..20).for_each(|n| rig.packet(-n * 3_600 * S));
        assert_eq!((rig.take(), rig.lag.late()), (vec![(9, Turn::Late)], 1));
    }

    #[test]
    fn a_slow_channel_is_late_once_it_was_so_for_as_long_as_it_may_be_silent() {
        let mut rig = Rig::new();
        rig.packets(5, 0);
        rig.packet(-4 * S);
        rig.now += 3 * S;
        rig.packet(-4 * S);
        assert_eq!(rig.take(), [(6, Turn::Late)]);
    }

    #[test]
    fn behind_a_silence_the_first_packet_that_is_behind_is_enough() {
        let mut rig = Rig::new();
        rig.packets(5, 0);
        rig.now += 8 * S;
        rig.lag.doubt(0);
        rig.packets(2, -8 * S);
        assert_eq!(rig.take(), [(5, Turn::Late)]);
        rig.packets(2, 0);
        assert_eq!(rig.take(), [(8, Turn::InTime)]);
        rig.lag.doubt(0);
        rig.packets(2, 0);
        rig.packet(-8 * S);
        assert!(rig.take().is_empty(), "two in time are beyond doubt");
        rig.lag.doubt(9);
    }

    #[test]
    fn a_lag_that_grows_and_a_clock_that_stands_still_are_late() {
        let mut rig = Rig::new();
        rig.packets(10, 0);
        (1..200).for_each(|n| rig.packet(-n * 50 * MS));
        assert_eq!(rig.take().first(), Some(&(77, Turn::Late)), "60 steps are three seconds, then eight");
    }

    #[test]
    fn who_catches_up_is_held_against_the_nearest_that_it_came() {
        let mut rig = Rig::new();
        // A start in the middle of a lag takes that for the norm.
        rig.packets(100, -60 * S);
        (0..600).for_each(|n| rig.packet(-60 * S + n * 100 * MS));
        assert!(rig.take().is_empty());
        rig.packets(8, -60 * S);
        assert_eq!(rig.take(), [(707, Turn::Late)]);
    }

    #[test]
    fn a_clock_that_was_ahead_for_a_while_and_is_ours_again_is_in_time() {
        let mut rig = Rig::new();
        rig.packets(10, -MS);
        rig.packets(5_000, 3_600 * S);
        rig.packets(5_000, -MS);
        assert!(rig.take().is_empty());
        // One packet ahead is no norm; where the clock is another one, a step back of it is late.
        let mut rig = Rig::new();
        rig.packets(10, -YEAR);
        rig.packet(-YEAR + 60 * S);
        rig.packets(10, -YEAR);
        assert!(rig.take().is_empty());
        rig.packets(2, -YEAR + 60 * S);
        rig.packets(8, -YEAR);
        assert_eq!(rig.take(), [(30, Turn::Late)]);
    }

    #[test]
    fn it_is_said_again_since_the_word_may_be_lost() {
        let mut rig = Rig::new();
        rig.packets(2, 0);
        rig.packets(3_000, -9 * S);
        assert_eq!(rig.take(), [(9, Turn::Late), (1_025, Turn::Late), (2_049, Turn::Late)]);
        assert_eq!(rig.lag.note(1, 0, UnixNanos(9)), None, "the other channel is not late");
        assert_eq!(rig.lag.note(2, 0, UnixNanos(9)), None, "there is none");
    }
}
