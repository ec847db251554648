//! How late each channel is by its own stamps: a feed that comes out of a full buffer, or of a venue that lags, shows an old market
//! as if it were this one.
//!
//! Clocks differ, and captures are played years after they were made, so a channel is held against itself: the nearest that the venue's
//! time came to that of arrival, in two packets in a row, is its norm. Behind that by more than [`late_after`], packet after packet, it
//! is late, until two in a row are not. Each start learns the norm anew: where a venue's clock ran ahead and was set right, nothing else
//! tells that from a lag.
//!
//! The clock of arrivals may be set, too. So there are two norms, one of what it showed and one without what it was steered by, and who is
//! in time by either is: a clock that was slow and is set right falls behind the first, one that is fast and set back every night behind
//! the second, and a lag behind both. Half a day at once is no lag, but another clock, as of the next capture.

use types::{ChannelWord, Nanos, UnixNanos};

/// The bounds of how far a channel may be behind, wherever in between it may be silent as long: stamps tell of a quiet venue's lag as
/// soon as of a busy one's, and a machine that is held up for a moment is no lag.
const AFTER: std::ops::RangeInclusive<Nanos> = Nanos(1_000_000_000)..=Nanos(3_000_000_000);

/// How far a channel may be behind that may be silent for `silent_after`.
pub(super) fn late_after(silent_after: Nanos) -> Nanos {
    silent_after.clamp(*AFTER.start(), *AFTER.end())
}

/// Packets in a row that are behind before the channel is late; two are enough that are as far apart as it may be silent.
const BEHIND_MAX: u32 = 8;
/// Who jumps back so far was not late before: its stamps are of another clock.
const OTHER_CLOCK: i64 = 12 * 3_600 * 1_000_000_000;
/// Packets in a row after which a norm that another one contradicts is given up.
const APART_MAX: u32 = 1_024;
/// How far ahead of the norm a time may be that was not believed, and still say that its packet is no older than that.
const AHEAD_MAX: i64 = 1_000_000_000;
/// No distance yet.
const NONE: i64 = i64::MIN;

/// The nearest that venue time came to arrival, by one reckoning of that. A distance is the venue's time minus that of arrival.
#[derive(Clone, Copy, Debug)]
struct Norm {
    /// Of the last packet.
    last: i64,
    /// The largest that two in a row had.
    nearest: i64,
}

impl Norm {
    const UNKNOWN: Self = Self { last: NONE, nearest: NONE };

    #[inline]
    fn note(&mut self, distance: i64) {
        self.nearest = self.nearest.max(distance.min(self.last));
        self.last = distance;
    }

    /// How far the last packet is behind.
    #[inline]
    const fn behind(&self) -> i64 {
        self.nearest.saturating_sub(self.last)
    }
}

/// One channel.
#[derive(Clone, Copy, Debug)]
struct Channel {
    /// By what the clock of arrivals showed, and by that without what it was steered by.
    shown: Norm,
    steady: Norm,
    /// Packets in a row that were behind, when the first of them came, and packets in a row since that were not.
    behind: u32,
    behind_since: UnixNanos,
    in_time: u32,
    /// Packets in a row that were in time by one reckoning alone.
    apart: u32,
    is_late: bool,
}

impl Channel {
    const UNHEARD: Self = Self {
        shown: Norm::UNKNOWN,
        steady: Norm::UNKNOWN,
        behind: 0,
        behind_since: UnixNanos(0),
        in_time: 0,
        apart: 0,
        is_late: false,
    };

    /// How far the last packet is behind.
    #[inline]
    fn lag(&self) -> i64 {
        self.shown.behind().min(self.steady.behind())
    }

    /// How far it is behind by the reckoning that says most.
    #[inline]
    fn most(&self) -> i64 {
        self.shown.behind().max(self.steady.behind())
    }

    /// A packet is in time by one reckoning alone. After enough of them the other learns anew: what its norm was is over for good.
    fn converge(&mut self) {
        self.apart += 1;
        if self.apart == APART_MAX {
            self.apart = 0;
            let stale =
                if self.shown.behind() > self.steady.behind() { &mut self.shown } else { &mut self.steady };
            stale.nearest = stale.last;
        }
    }
}

/// All channels.
#[derive(Debug)]
pub(super) struct Lag {
    /// In nanoseconds.
    after: i64,
    channels: Vec<Channel>,
    spells: u64,
    longest: Nanos,
}

impl Lag {
    /// Channels that are late when they are behind by more than `after`.
    pub(super) fn new(after: Nanos, channels: usize) -> Self {
        let after = i64::try_from(after.0).unwrap_or(i64::MAX);
        Self { after, channels: vec![Channel::UNHEARD; channels], spells: 0, longest: Nanos(0) }
    }

    /// Gives the word that is to be told of it. A packet of `channel` arrived at `arrival`, by a clock that was steered by `steered_ns`; its venue time is `distance` nanoseconds
    /// from that.
    #[inline]
    pub(super) fn note(
        &mut self,
        channel: u8,
        distance: i64,
        steered_ns: i64,
        arrival: UnixNanos,
    ) -> Option<ChannelWord> {
        let of = self.channels.get_mut(usize::from(channel))?;
        of.shown.note(distance);
        of.steady.note(distance.saturating_add(steered_ns));
        if of.most() > self.after || of.behind > 0 {
            return self.judge(channel, arrival);
        }
        of.apart = 0;
        None
    }

    /// As [`Lag::note`], of a packet none of whose times was believed, since they are ahead of what other channels say: it is as old as it
    /// says, or as the norm where it says that it is a little younger.
    #[cold]
    pub(super) fn note_unbelieved(
        &mut self,
        channel: u8,
        distance: i64,
        steered_ns: i64,
        arrival: UnixNanos,
    ) -> Option<ChannelWord> {
        let nearest = self.channels.get(usize::from(channel))?.shown.nearest;
        let says = nearest.saturating_sub(OTHER_CLOCK)..=nearest.saturating_add(AHEAD_MAX);
        if nearest == NONE || !says.contains(&distance) {
            return None;
        }
        self.note(channel, distance.min(nearest), steered_ns, arrival)
    }

    /// `channel` was silent: what comes now may have waited in a buffer, and the first packet that is behind is enough.
    #[cold]
    pub(super) fn doubt(&mut self, channel: u8) {
        if let Some(of) = self.channels.get_mut(usize::from(channel)) {
            of.behind = of.behind.max(BEHIND_MAX - 1);
        }
    }

    #[cold]
    fn judge(&mut self, channel: u8, arrival: UnixNanos) -> Option<ChannelWord> {
        let of = &mut self.channels[usize::from(channel)];
        if of.lag() <= self.after {
            if of.most() > self.after {
                of.converge();
            }
            of.in_time = of.in_time.saturating_add(1);
            if of.in_time < 2 {
                return None;
            }
            (of.behind, of.in_time) = (0, 0);
            return std::mem::take(&mut of.is_late).then_some(ChannelWord::InTime);
        }
        let is_other_clock = !of.is_late && of.lag() > OTHER_CLOCK;
        if is_other_clock && of.behind == 1 {
            (of.shown.nearest, of.steady.nearest) = (of.shown.last, of.steady.last);
            (of.behind, of.in_time) = (0, 0);
            return None;
        }
        if of.behind == 0 {
            of.behind_since = arrival;
        } else if is_other_clock {
            // Behind a silence: the next capture may be of days later.
            of.behind = 0;
        }
        if of.in_time > 0 {
            // Strays with packets in time between them are no neighbours, however far they are apart.
            of.behind_since = arrival;
        }
        (of.behind, of.in_time) = (of.behind.saturating_add(1), 0);
        self.longest = self.longest.max(Nanos(u64::try_from(of.lag()).unwrap_or(0)));
        if of.is_late {
            return None;
        }
        let for_long = of.behind > 1 && arrival.since(of.behind_since).0 > self.after.unsigned_abs();
        of.is_late = of.behind >= BEHIND_MAX || for_long;
        self.spells += u64::from(of.is_late);
        of.is_late.then_some(ChannelWord::Late)
    }

    /// What holds of `channel`; none where nothing tells.
    pub(super) fn word(&self, channel: u8) -> Option<ChannelWord> {
        let of = self.channels.get(usize::from(channel)).filter(|of| of.shown.nearest != NONE)?;
        Some(if of.is_late { ChannelWord::Late } else { ChannelWord::InTime })
    }

    /// How often a channel became late, and how far a packet was behind at most that was behind by more than a channel may be.
    pub(super) const fn so_far(&self) -> (u64, Nanos) {
        (self.spells, self.longest)
    }

    /// Channels that are late.
    pub(super) fn late(&self) -> usize {
        self.channels.iter().filter(|of| of.is_late).count()
    }

    /// How far the last packet of the channel that lags most is behind its norm.
    pub(super) fn worst(&self) -> Nanos {
        let heard = self.channels.iter().filter(|of| of.shown.nearest != NONE);
        Nanos(heard.map(|of| u64::try_from(of.lag()).unwrap_or(0)).max().unwrap_or(0))
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
        told: Vec<(usize, ChannelWord)>,
        packets: usize,
    }

    impl Rig {
        fn new() -> Self {
            Self { lag: Lag::new(Nanos(3 * 1_000_000_000), 2), now: YEAR, told: Vec::new(), packets: 0 }
        }

        fn packet(&mut self, distance: i64) {
            self.steered(distance, 0);
        }

        /// A packet while the clock of arrivals was steered.
        fn steered(&mut self, distance: i64, steered_ns: i64) {
            self.now += 100 * MS;
            if let Some(word) = self.lag.note(0, distance, steered_ns, UnixNanos(self.now.unsigned_abs())) {
                self.told.push((self.packets, word));
            }
            self.packets += 1;
        }

        fn packets(&mut self, count: usize, distance: i64) {
            (0..count).for_each(|_| self.packet(distance));
        }

        fn take(&mut self) -> Vec<(usize, ChannelWord)> {
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
            assert_eq!(rig.take(), [(107, ChannelWord::Late)], "{norm}");
            assert_eq!((rig.lag.late(), rig.lag.worst()), (1, Nanos(3_001_000_000)));
            rig.packet(norm);
            rig.packet(norm - 60 * S);
            rig.packet(norm);
            assert!(rig.take().is_empty(), "one packet in time is none");
            rig.packet(norm - 2 * S);
            assert_eq!(rig.take(), [(111, ChannelWord::InTime)], "{norm}");
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
        assert_eq!(rig.take(), [(32, ChannelWord::Late)], "held against what is new");
        let mut rig = Rig::new();
        (0..20).for_each(|n| rig.packet(-n * 3_600 * S));
        assert_eq!((rig.take(), rig.lag.late()), (vec![(9, ChannelWord::Late)], 1));
    }

    #[test]
    fn a_slow_channel_is_late_once_it_was_so_for_as_long_as_it_may_be_silent() {
        let mut rig = Rig::new();
        rig.packets(5, 0);
        rig.packet(-4 * S);
        rig.now += 3 * S;
        rig.packet(-4 * S);
        assert_eq!(rig.take(), [(6, ChannelWord::Late)]);
    }

    #[test]
    fn behind_a_silence_the_first_packet_that_is_behind_is_enough() {
        let mut rig = Rig::new();
        rig.packets(5, 0);
        rig.now += 8 * S;
        rig.lag.doubt(0);
        rig.packets(2, -8 * S);
        assert_eq!(rig.take(), [(5, ChannelWord::Late)]);
        rig.packets(2, 0);
        assert_eq!(rig.take(), [(8, ChannelWord::InTime)]);
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
        assert_eq!(
            rig.take().first(),
            Some(&(77, ChannelWord::Late)),
            "60 steps are three seconds, then eight"
        );
    }

    #[test]
    fn who_catches_up_is_held_against_the_nearest_that_it_came() {
        let mut rig = Rig::new();
        // A start in the middle of a lag takes that for the norm.
        rig.packets(100, -60 * S);
        (0..600).for_each(|n| rig.packet(-60 * S + n * 100 * MS));
        assert!(rig.take().is_empty());
        rig.packets(8, -60 * S);
        assert_eq!(rig.take(), [(707, ChannelWord::Late)]);
    }

    #[test]
    fn one_packet_ahead_is_no_norm_and_who_falls_back_is_late_however_young_by_our_clock() {
        let mut rig = Rig::new();
        rig.packets(10, 0);
        rig.packet(60 * S);
        rig.packets(10, 0);
        assert!(rig.take().is_empty());
        rig.packets(2, 60 * S);
        rig.packets(8, 0);
        assert_eq!(rig.take(), [(30, ChannelWord::Late)], "ours may be what is wrong");
    }

    #[test]
    fn a_clock_of_arrivals_that_is_set_makes_no_lag_and_hides_none() {
        // It was slow by a minute, and is set right: steered to what it is.
        let mut rig = Rig::new();
        rig.packets(10, 60 * S);
        (0..600).for_each(|n| rig.steered(60 * S - n * 100 * MS, n * 100 * MS));
        (0..100).for_each(|_| rig.steered(0, 60 * S));
        assert_eq!((rig.take(), rig.lag.worst()), (Vec::new(), Nanos(0)));
        (0..8).for_each(|_| rig.steered(-60 * S, 60 * S));
        assert_eq!(rig.take().len(), 1, "a lag as large as that was");
        // It runs fast by two seconds a day, and is set back every night.
        let mut rig = Rig::new();
        for night in 0..9 {
            (0..20).for_each(|n| rig.steered(-n * 100 * MS, -2 * night * S));
        }
        assert!(rig.take().is_empty());
        (0..8).for_each(|_| rig.steered(-5 * S, -18 * S));
        assert_eq!(rig.take().len(), 1);
        // Slow at the start and set right, and then that, night after night.
        let mut rig = Rig::new();
        rig.packets(10, 5 * S);
        for night in 0..9 {
            (0..1_100).for_each(|_| rig.steered(0, (5 - 2 * night) * S));
        }
        assert!(rig.take().is_empty());
        (0..8).for_each(|_| rig.steered(-4 * S, -11 * S));
        assert_eq!(rig.take().len(), 1);
    }

    #[test]
    fn what_another_channel_makes_unbelievable_is_as_old_as_it_says() {
        let mut rig = Rig::new();
        let unbelieved = |rig: &mut Rig, distance| {
            rig.now += 100 * MS;
            rig.lag.note_unbelieved(0, distance, 0, UnixNanos(rig.now.unsigned_abs()))
        };
        assert_eq!(unbelieved(&mut rig, 0), None, "nothing is known yet");
        rig.packets(10, -MS);
        assert!((0..20).all(|n| unbelieved(&mut rig, n * 10 * MS).is_none()));
        let told: Vec<_> = (0..9).filter_map(|_| unbelieved(&mut rig, -9 * S)).collect();
        assert_eq!(told, [ChannelWord::Late]);
        // What is far ahead ends nothing.
        assert!((0..20).all(|_| unbelieved(&mut rig, 3_600 * S).is_none()));
        assert_eq!(
            (unbelieved(&mut rig, 0), unbelieved(&mut rig, -2 * MS)),
            (None, Some(ChannelWord::InTime))
        );
    }

    #[test]
    fn each_channel_is_late_by_itself_and_says_so_again_to_whoever_asks() {
        let mut rig = Rig::new();
        let words = |rig: &Rig| [0, 1, 2].map(|channel| rig.lag.word(channel));
        assert_eq!(words(&rig), [None; 3]);
        rig.packets(2, 0);
        rig.packets(3_000, -9 * S);
        assert_eq!(rig.take(), [(9, ChannelWord::Late)]);
        assert_eq!([1, 1, 2].map(|channel| rig.lag.note(channel, 0, 0, UnixNanos(9))), [None; 3]);
        assert_eq!(words(&rig), [Some(ChannelWord::Late), Some(ChannelWord::InTime), None]);
        assert_eq!(rig.lag.so_far(), (1, Nanos(9_000_000_000)));
    }

    #[test]
    fn strays_that_are_far_apart_with_packets_in_time_between_them_are_not_late() {
        let mut rig = Rig::new();
        rig.packets(5, 0);
        for n in 0..6 {
            rig.now += 2 * S;
            rig.packet(-60 * S);
            rig.now += 2 * S;
            rig.packet(0);
            if n % 2 == 0 {
                rig.packet(0);
            }
        }
        assert!(rig.take().is_empty());
    }
}
