//! Venue time, held against the time of arrival.
//!
//! One message with a time ahead of the others would move every clock that follows event time, and nothing would be new to it
//! until that time has come. So a message's time is believed only up to its packet's arrival plus the distance to arrival that
//! packets have lately shown; what is further ahead is counted and takes the time of the message before, until a second packet
//! agrees. A packet alone moves no clock: the distance is the largest that two packets in a row had. It follows clocks that
//! drift, and captures whose stamps are wrong altogether.

use types::UnixNanos;

const SECOND: u64 = 1_000_000_000;
const DAY: u64 = 86_400 * SECOND;
/// How far ahead of the learnt distance one message may be: the way from the venue takes longer for some packets than for
/// others. Half of the grid that follows event time.
const SLACK: u64 = 50_000_000;
/// How far ahead of its arrival the first message may be: clocks differ.
const FIRST_AHEAD: u64 = SECOND;
/// How far behind: directories are sent with the times of the night before. Less than a day, or midnight would be missed.
const BEHIND: u64 = 12 * 3_600 * SECOND;
/// A first message as far from its arrival as that is of another age than its capture's stamps, and no mistake.
const OTHER_AGE: u64 = 7 * DAY;
/// How near to each other the distances of two messages are that agree.
const NEAR: u64 = SECOND;
/// Up to here, two packets that agree are believed: a clock that steps, a capture that is played faster than it was made.
const STEP: u64 = 10 * SECOND;
/// Messages in a row that agree on a distance beyond, of more than one packet, before it is believed.
const AGREED: u32 = 64;
/// Packets after which a distance that no two of them had any more is forgotten; twice as many at most.
const PACKETS_REMEMBERED: u32 = 1_024;

/// The largest distance to arrival that two packets in a row had, of the last thousand or two.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Lead {
    /// The largest of the packets before these, and of these.
    before: i64,
    current: i64,
    packets: u32,
    /// The last packet's.
    last: i64,
}

impl Lead {
    /// Nothing but `distance` is known.
    const fn of(distance: i64) -> Self {
        Self { before: distance, current: distance, packets: 0, last: distance }
    }

    #[inline]
    fn note(&mut self, distance: i64) {
        let shared = distance.min(self.last);
        self.last = distance;
        self.packets += 1;
        if self.packets == PACKETS_REMEMBERED {
            self.before = self.current;
            self.current = shared;
            self.packets = 0;
        }
        self.current = self.current.max(shared);
    }

    #[inline]
    fn largest(&self) -> i64 {
        self.before.max(self.current)
    }
}

/// Messages in a row that agree on a distance which is not believed yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Rival {
    distance: i64,
    messages: u32,
    /// The packet of the first, and the last time believed when it came: none was believed since.
    packet: u64,
    last: UnixNanos,
}

/// Judges the times of one feed's messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EventTime {
    /// Times from `low` on, `width` nanoseconds, are believed.
    low: u64,
    width: u64,
    /// Arrival of the packet, in whole microseconds; 0 where nothing tells of it.
    arrival: u64,
    /// The latest time believed of the packet; 0 before its first message.
    peak: u64,
    /// The latest that was not; 0 where there is none.
    said: u64,
    lead: Lead,
    /// The first time believed, and the last.
    first: UnixNanos,
    last: UnixNanos,
    /// Times that were not.
    outliers: u64,
    /// Packets that arrived.
    packets: u64,
    rival: Rival,
}

impl Default for EventTime {
    fn default() -> Self {
        Self {
            low: 0,
            // Nothing is believed at once: the first message goes through `judge`.
            width: 0,
            arrival: 0,
            peak: 0,
            said: 0,
            lead: Lead::of(0),
            first: UnixNanos(0),
            last: UnixNanos(0),
            outliers: 0,
            packets: 0,
            rival: Rival::default(),
        }
    }
}

impl EventTime {
    /// The packet whose messages follow arrived at `ts`; zero when nobody knows. Arrivals count in whole microseconds, which is
    /// all that DPDK's `net_pcap` keeps of a capture's stamps: the same messages must be believed whichever way it is read.
    #[inline]
    pub(crate) fn arrived(&mut self, ts: UnixNanos) {
        if let Some(distance) = self.distance() {
            self.lead.note(distance);
        }
        (self.peak, self.said) = (0, 0);
        self.arrival = ts.0 / 1_000 * 1_000;
        self.packets = self.packets.wrapping_add(1);
        if self.last.0 != 0 {
            self.open();
        }
    }

    /// The message that follows stands, in a file in order of time, where those around it say that it is `ts`.
    pub(crate) fn stands_at(&mut self, ts: UnixNanos) {
        self.arrived(ts);
        if self.last.0 != 0 && self.arrival != 0 {
            self.low = self.latest().saturating_sub(SECOND);
            self.width = SECOND + SLACK;
        }
    }

    /// Believes times near the arrival, if there is one; all, if not.
    #[inline]
    fn open(&mut self) {
        let known = self.arrival != 0;
        self.low = if known { self.latest().saturating_sub(BEHIND) } else { 0 };
        self.width = if known { BEHIND + SLACK } else { u64::MAX };
    }

    /// The venue's time of the arrival, as far as it is learnt.
    #[inline]
    fn latest(&self) -> u64 {
        self.arrival.saturating_add_signed(self.lead.largest())
    }

    /// The time to believe of a message that says `ts`.
    #[inline]
    pub(crate) fn believe(&mut self, ts: UnixNanos) -> UnixNanos {
        if !self.believe_plain(ts) {
            self.last = self.judge(ts);
            self.peak = self.peak.max(self.last.0);
        }
        self.last
    }

    /// Believes `ts` where it is near enough to what is known; else false, and nothing has changed.
    #[inline(always)]
    pub(crate) fn believe_plain(&mut self, ts: UnixNanos) -> bool {
        let near = ts.0.wrapping_sub(self.low) <= self.width;
        if near {
            self.last = ts;
            self.peak = self.peak.max(ts.0);
        }
        near
    }

    /// The first time believed, 0 before any.
    pub(crate) const fn first(&self) -> UnixNanos {
        self.first
    }

    /// The last time believed.
    pub(crate) const fn last(&self) -> UnixNanos {
        self.last
    }

    /// What the venue's clock showed, at the latest, when the packet arrived, as far as its messages and those before tell: one
    /// that speaks of long ago does not set the clock back.
    pub(crate) fn clock(&self) -> UnixNanos {
        let latest = self.latest();
        UnixNanos(if self.peak.saturating_add(SECOND) < latest { latest } else { self.peak })
    }

    /// How far the latest time believed of the packet is ahead of its arrival; none before one is, or where nothing tells of an arrival.
    #[inline]
    pub(crate) fn distance(&self) -> Option<i64> {
        (self.peak != 0 && self.arrival != 0).then(|| distance(self.peak, self.arrival))
    }

    /// The same of a time that was believed of it.
    pub(crate) fn distance_of(&self, ts: UnixNanos) -> Option<i64> {
        (self.arrival != 0).then(|| distance(ts.0, self.arrival))
    }

    /// The same of the latest time that it said and that was not believed; none where every one was.
    #[inline]
    pub(crate) fn unbelieved(&self) -> Option<i64> {
        (self.said != 0 && self.arrival != 0).then(|| distance(self.said, self.arrival))
    }

    /// Times at this distance to their arrival are believed from now on, of which something else tells. Gives that of this packet.
    pub(crate) fn step_to(&mut self, distance: i64) -> UnixNanos {
        (self.lead, self.rival) = (Lead::of(distance), Rival::default());
        self.open();
        self.last = UnixNanos(self.arrival.saturating_add_signed(distance));
        self.peak = self.peak.max(self.last.0);
        self.last
    }

    /// What another channel of the feed begins with: the same clock, and nothing counted.
    pub(crate) fn follow(&self) -> Self {
        Self { first: UnixNanos(0), outliers: 0, ..self.clone() }
    }

    /// Takes in what another channel of the feed saw, for who asks for all of it.
    pub(crate) fn take_in(&mut self, other: &Self) {
        let began = [self.first, other.first].into_iter().filter(|first| first.0 != 0);
        self.first = began.min().unwrap_or_default();
        self.last = self.last.max(other.last);
        self.outliers += other.outliers;
    }

    /// Times that were not believed.
    pub(crate) fn outliers(&self) -> u64 {
        self.outliers
    }

    #[cold]
    #[inline(never)]
    fn judge(&mut self, ts: UnixNanos) -> UnixNanos {
        if self.last.0 == 0 {
            self.first = self.begin(ts);
            return self.first;
        }
        if let Some(other_day) = self.of_other_day(ts) {
            return other_day;
        }
        let distance = distance(ts.0, self.arrival);
        if !self.agrees(distance) {
            self.outliers += 1;
            self.said = self.said.max(ts.0);
            return self.last;
        }
        self.lead = Lead::of(distance);
        self.rival = Rival::default();
        self.open();
        ts
    }

    /// A session that runs over midnight: its clock began again, the day did not, or the other way round.
    fn of_other_day(&self, ts: UnixNanos) -> Option<UnixNanos> {
        let days = [ts.0.checked_add(DAY), ts.0.checked_sub(DAY)];
        days.into_iter().flatten().find(|day| day.wrapping_sub(self.low) <= self.width).map(UnixNanos)
    }

    /// The first message tells how far the venue's clock is from the arrivals', unless it is too far ahead to be believed alone.
    fn begin(&mut self, ts: UnixNanos) -> UnixNanos {
        self.open();
        if self.arrival == 0 {
            return ts;
        }
        let first = distance(ts.0, self.arrival);
        let strange = first > FIRST_AHEAD.cast_signed() || first < -BEHIND.cast_signed();
        if strange && let Some(other_day) = self.of_other_day(ts) {
            return other_day;
        }
        if (FIRST_AHEAD..OTHER_AGE).contains(&u64::try_from(first).unwrap_or(0)) {
            self.outliers += 1;
            let last = UnixNanos(self.arrival);
            self.rival = Rival { distance: first, messages: AGREED - 1, packet: self.packets, last };
            return last;
        }
        self.lead = Lead::of(first);
        self.open();
        ts
    }

    /// Whether enough messages in a row were at about `distance` to their arrival.
    fn agrees(&mut self, distance: i64) -> bool {
        let rival = &mut self.rival;
        if rival.messages == 0 || rival.last != self.last || distance.abs_diff(rival.distance) > NEAR {
            *rival = Rival { distance, messages: 1, packet: self.packets, last: self.last };
            return false;
        }
        rival.messages = rival.messages.saturating_add(1);
        let step = distance.abs_diff(self.lead.largest()) <= STEP;
        rival.packet != self.packets && (step || rival.messages >= AGREED)
    }
}

/// How far `ts` is ahead of `arrival`.
#[inline]
fn distance(ts: u64, arrival: u64) -> i64 {
    // Both are less than 2^63 but for times that nobody believes.
    ts.wrapping_sub(arrival).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIDNIGHT: u64 = 1_577_682_000 * SECOND;
    const OPEN: u64 = MIDNIGHT + 34_200 * SECOND;
    const MS: u64 = 1_000_000;

    fn at(time: &mut EventTime, arrival: u64, said: u64) -> u64 {
        time.arrived(UnixNanos(arrival));
        time.believe(UnixNanos(said)).0
    }

    #[test]
    fn a_time_ahead_of_its_arrival_is_counted_and_not_followed() {
        for ahead in [51 * MS, 200 * MS, SECOND, 9_900 * MS, 11 * 3_600 * SECOND, 1 << 48] {
            let mut time = EventTime::default();
            assert_eq!(at(&mut time, OPEN, OPEN - 5), OPEN - 5);
            assert_eq!(at(&mut time, OPEN + MS, OPEN + MS + ahead), OPEN - 5, "{ahead}");
            // More of the same packet agree with nothing.
            assert_eq!(time.believe(UnixNanos(OPEN + MS + ahead + 1)).0, OPEN - 5, "{ahead}");
            assert_eq!(at(&mut time, OPEN + 2 * MS, OPEN + 2 * MS), OPEN + 2 * MS);
            // One alone in between never adds up.
            for k in 3..100 {
                let now = OPEN + k * MS;
                let said = if k % 2 == 1 { now + ahead } else { now };
                assert!(at(&mut time, now, said) <= now, "{ahead} {k}");
            }
            assert_eq!(time.outliers(), 2 + 49, "{ahead}");
        }
    }

    #[test]
    fn single_packets_a_little_ahead_do_not_move_what_is_believed() {
        let mut time = EventTime::default();
        let mut ahead = 40 * MS;
        for k in 0..1_000 {
            let now = OPEN + k * MS;
            let said = if k % 2 == 1 { now + ahead } else { now };
            if at(&mut time, now, said) == now + ahead && k % 2 == 1 {
                ahead += 40 * MS;
            }
            assert!(ahead <= 80 * MS, "it crept to {ahead}");
        }
    }

    #[test]
    fn a_clock_that_steps_or_drifts_is_followed() {
        let mut time = EventTime::default();
        assert_eq!(at(&mut time, OPEN, OPEN), OPEN);
        assert_eq!(at(&mut time, OPEN + 1_000, OPEN + 3 * SECOND), OPEN);
        assert_eq!(at(&mut time, OPEN + 2_000, OPEN + 3 * SECOND + 9), OPEN + 3 * SECOND + 9);
        assert_eq!(time.outliers(), 1);
        // A packet that was late is behind, and is believed.
        assert_eq!(at(&mut time, OPEN + 2 * SECOND, OPEN + 4 * SECOND), OPEN + 4 * SECOND);
        // The venue's clock is set back: after so many packets what is ahead is measured by where it is now.
        for k in 0..u64::from(2 * PACKETS_REMEMBERED) + 2 {
            let now = OPEN + 5 * SECOND + k * MS;
            assert_eq!(at(&mut time, now, now), now);
        }
        let (now, last) = (OPEN + 10 * SECOND, time.last().0);
        assert_eq!(at(&mut time, now, now + SECOND), last);
    }

    #[test]
    fn a_message_of_long_ago_does_not_set_the_clock_back() {
        let mut time = EventTime::default();
        let (night, now) = (OPEN - 9 * 3_600 * SECOND, OPEN + 60 * SECOND);
        at(&mut time, OPEN, OPEN - 7);
        assert_eq!(time.clock().0, OPEN - 7);
        assert_eq!(at(&mut time, now, night), night);
        assert_eq!(time.clock().0, now - 7);
        time.believe(UnixNanos(now - 3));
        assert_eq!(time.clock().0, now - 3);
    }

    #[test]
    fn a_clock_that_began_again_at_midnight_goes_on() {
        let mut time = EventTime::default();
        let before = MIDNIGHT + DAY - SECOND;
        assert_eq!(at(&mut time, before, before), before);
        // The venue counts from a midnight of its own, the receiver still from the session's.
        assert_eq!(at(&mut time, before + 2 * SECOND, MIDNIGHT + SECOND), MIDNIGHT + DAY + SECOND);
        assert_eq!(time.outliers(), 0);
        // Joined after midnight: the venue counts on, the receiver from the midnight just past.
        let mut time = EventTime::default();
        assert_eq!(at(&mut time, MIDNIGHT + SECOND, MIDNIGHT + DAY + SECOND), MIDNIGHT + SECOND);
        assert_eq!(at(&mut time, MIDNIGHT + 2 * SECOND, MIDNIGHT + DAY + 2 * SECOND), MIDNIGHT + 2 * SECOND);
        assert_eq!(time.outliers(), 0);
    }

    #[test]
    fn a_capture_with_wrong_stamps_keeps_its_distance() {
        let (stamp, year) = (MIDNIGHT, 365 * DAY);
        for said in [stamp + year, stamp - year] {
            let mut time = EventTime::default();
            assert_eq!(at(&mut time, stamp, said), said);
            assert_eq!(at(&mut time, stamp + 7, said + 9), said + 9);
            assert_eq!(at(&mut time, stamp + 8, said + 20 * DAY), said + 9);
            assert_eq!(time.outliers(), 1);
        }
        // Of another time zone: the second packet confirms it.
        let mut time = EventTime::default();
        let zone = 5 * 3_600 * SECOND;
        assert_eq!(at(&mut time, stamp, stamp + zone), stamp);
        assert_eq!(at(&mut time, stamp + 7, stamp + zone + 7), stamp + zone + 7);
    }

    #[test]
    fn a_wrong_first_message_is_not_believed() {
        for ahead in [2 * SECOND, 9_900 * MS, 40 * 3_600 * SECOND] {
            let mut time = EventTime::default();
            assert_eq!(at(&mut time, MIDNIGHT, MIDNIGHT + ahead), MIDNIGHT, "{ahead}");
            assert_eq!(at(&mut time, MIDNIGHT + 99, MIDNIGHT + 98), MIDNIGHT + 98);
            assert_eq!(at(&mut time, MIDNIGHT + 100, MIDNIGHT + 99), MIDNIGHT + 99);
            assert_eq!(time.outliers(), 1);
        }
    }

    #[test]
    fn what_stands_in_order_of_time_is_where_it_stands() {
        let mut time = EventTime::default();
        let mut stands = |at, said| {
            time.stands_at(UnixNanos(at));
            time.believe(UnixNanos(said)).0
        };
        assert_eq!(stands(OPEN, OPEN), OPEN);
        assert_eq!(stands(OPEN, OPEN + 11 * 3_600 * SECOND), OPEN);
        assert_eq!(stands(OPEN, OPEN - 9 * 3_600 * SECOND), OPEN);
        assert_eq!(stands(OPEN + 60 * SECOND, OPEN + 60 * SECOND), OPEN + 60 * SECOND);
        assert_eq!(time.outliers(), 2);
    }

    #[test]
    fn a_channel_begins_with_the_clock_of_another_and_goes_on_by_itself() {
        let mut one = EventTime::default();
        assert_eq!(at(&mut one, OPEN, OPEN + 60 * SECOND), OPEN);
        assert_eq!(at(&mut one, OPEN + 9, OPEN + 60 * SECOND + 9), OPEN + 60 * SECOND + 9);
        let mut two = one.follow();
        assert_eq!((two.first().0, two.outliers()), (0, 0));
        assert_eq!(at(&mut two, OPEN + 20, OPEN + 60 * SECOND + 20), OPEN + 60 * SECOND + 20);
        // The one lags for as long as it takes to forget where it was; the other does not.
        for k in 0..5_000 {
            let now = OPEN + k * MS;
            assert_eq!(at(&mut one, now, now), now);
            assert_eq!(at(&mut two, now, now + 60 * SECOND), now + 60 * SECOND);
        }
        let mut both = one.clone();
        both.take_in(&two);
        assert_eq!((both.first(), both.last(), both.outliers()), (one.first(), two.last(), 1));
        let mut both = two.clone();
        both.take_in(&one);
        assert_eq!((both.first(), both.last(), both.outliers()), (one.first(), two.last(), 1));
    }

    #[test]
    fn who_is_told_so_believes_another_distance_at_once() {
        let mut time = EventTime::default();
        for k in 0..5_000 {
            assert_eq!(
                at(&mut time, OPEN + k * MS, OPEN + k * MS - 60 * SECOND),
                OPEN + k * MS - 60 * SECOND
            );
        }
        let now = OPEN + 5_000 * MS;
        assert!(at(&mut time, now, now - 5) < now - 59 * SECOND, "alone it is an outlier");
        assert_eq!(time.unbelieved(), Some(-5));
        assert_eq!((time.step_to(-5).0, time.last().0, time.clock().0), (now - 5, now - 5, now - 5));
        assert_eq!(at(&mut time, now + MS, now + MS - 5), now + MS - 5);
    }

    #[test]
    fn where_nothing_tells_of_an_arrival_everything_is_believed() {
        let mut time = EventTime::default();
        assert_eq!(time.believe(UnixNanos(5)).0, 5);
        assert_eq!(time.believe(UnixNanos(DAY)).0, DAY);
        assert_eq!((time.first().0, time.last().0, time.outliers()), (5, DAY, 0));
    }
}
