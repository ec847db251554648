//! Venue time, held against the time of arrival.
//!
//! One message with a time far in the future would move every clock that follows event time, and nothing would be new to it
//! afterwards. So a message's time is believed only near its packet's arrival; what is not believed is counted and takes the
//! time of the message before. Captures whose stamps are wrong altogether keep a constant distance: it is learnt from the
//! first message, and anew when many messages in a row agree on another.

use types::UnixNanos;

const SECOND: u64 = 1_000_000_000;
const DAY: u64 = 86_400 * SECOND;
/// How far ahead of its arrival a message may be: clocks differ.
const AHEAD: u64 = 10 * SECOND;
/// How far behind: directories are sent with the times of the night before. Less than a day, or midnight would be missed.
const BEHIND: u64 = 12 * 3_600 * SECOND;
/// How far ahead of the message before one may be where nothing tells of an arrival.
const AHEAD_OF_LAST: u64 = 12 * 3_600 * SECOND;
/// Messages in a row that agree on another distance to arrival before it is believed.
const AGREED: u32 = 64;

/// Judges the times of one feed's messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EventTime {
    /// Times from `low` on, `width` nanoseconds, are believed.
    low: u64,
    width: u64,
    /// Arrival of the packet, and what is added to it; 0 where nothing tells of an arrival.
    arrival: u64,
    offset: i64,
    /// The first time believed, and the last.
    first: UnixNanos,
    last: UnixNanos,
    /// Times that were not.
    outliers: u64,
    /// How many messages in a row were at about `rival` from their arrival, none of them believed since `rival_last`.
    rivals: u32,
    rival: i64,
    rival_last: UnixNanos,
}

impl Default for EventTime {
    fn default() -> Self {
        Self {
            low: 0,
            // Nothing is believed at once: the first message goes through `judge`.
            width: 0,
            arrival: 0,
            offset: 0,
            first: UnixNanos(0),
            last: UnixNanos(0),
            outliers: 0,
            rivals: 0,
            rival: 0,
            rival_last: UnixNanos(0),
        }
    }
}

impl EventTime {
    /// The packet whose messages follow arrived at `ts`; zero when nobody knows.
    #[inline]
    pub(crate) fn arrived(&mut self, ts: UnixNanos) {
        self.arrival = ts.0;
        if self.last.0 != 0 {
            self.open();
        }
    }

    /// Believes times near the arrival, if there is one.
    fn open(&mut self) {
        if self.arrival != 0 {
            self.low = self.arrival.saturating_add_signed(self.offset).saturating_sub(BEHIND);
            self.width = BEHIND + AHEAD;
        }
    }

    /// Where nothing tells of an arrival, times are held against the message before.
    pub(crate) fn follow(&mut self) {
        if self.last.0 == 0 {
            return;
        }
        self.low = self.last.0.saturating_sub(BEHIND);
        self.width = BEHIND + AHEAD_OF_LAST;
    }

    /// The time to believe of a message that says `ts`.
    #[inline]
    pub(crate) fn believe(&mut self, ts: UnixNanos) -> UnixNanos {
        if !self.believe_plain(ts) {
            self.last = self.judge(ts);
        }
        self.last
    }

    /// Believes `ts` where it is near enough to what is known; else false, and nothing has changed.
    #[inline(always)]
    pub(crate) fn believe_plain(&mut self, ts: UnixNanos) -> bool {
        let near = ts.0.wrapping_sub(self.low) <= self.width;
        if near {
            self.last = ts;
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

    /// Times that were not believed.
    pub(crate) fn outliers(&self) -> u64 {
        self.outliers
    }

    #[cold]
    #[inline(never)]
    fn judge(&mut self, ts: UnixNanos) -> UnixNanos {
        if self.last.0 == 0 {
            self.first = ts;
            self.open();
            if ts.0.wrapping_sub(self.low) > self.width {
                self.learn(ts);
            }
            return ts;
        }
        // A session that runs over midnight: its clock began again, the day did not.
        for other_day in [ts.0.checked_add(DAY), ts.0.checked_sub(DAY)].into_iter().flatten() {
            if other_day.wrapping_sub(self.low) <= self.width {
                return UnixNanos(other_day);
            }
        }
        self.outliers += 1;
        let distance = self.distance(ts);
        let agrees = self.rival_last == self.last && distance.abs_diff(self.rival) <= AHEAD;
        self.rivals = if agrees { self.rivals + 1 } else { 1 };
        if !agrees {
            self.rival = distance;
            self.rival_last = self.last;
        }
        if self.rivals < AGREED {
            return self.last;
        }
        self.rivals = 0;
        self.learn(ts);
        ts
    }

    fn distance(&self, ts: UnixNanos) -> i64 {
        let from = if self.arrival == 0 { self.last.0 } else { self.arrival };
        i64::try_from(i128::from(ts.0) - i128::from(from)).unwrap_or(i64::MAX)
    }

    /// Takes the distance of a message to its arrival for the feed's.
    fn learn(&mut self, ts: UnixNanos) {
        self.last = ts;
        if self.arrival == 0 {
            self.follow();
        } else {
            self.offset = self.distance(ts);
            self.open();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIDNIGHT: u64 = 1_577_682_000 * SECOND;

    fn at(time: &mut EventTime, arrival: u64, said: u64) -> u64 {
        time.arrived(UnixNanos(arrival));
        time.believe(UnixNanos(said)).0
    }

    #[test]
    fn a_time_far_ahead_of_its_arrival_is_counted_and_not_followed() {
        let mut time = EventTime::default();
        let open = MIDNIGHT + 34_200 * SECOND;
        assert_eq!(at(&mut time, open, open - 5), open - 5);
        assert_eq!(at(&mut time, open + 1, MIDNIGHT + (1 << 48) - 1), open - 5);
        assert_eq!(at(&mut time, open + 2, open + 2 + AHEAD), open + 2 + AHEAD, "clocks differ");
        assert_eq!(at(&mut time, open + 2, open + 3 + AHEAD), open + 2 + AHEAD);
        assert_eq!(at(&mut time, open + 3, open + 1), open + 1);
        assert_eq!(time.outliers(), 2);
    }

    #[test]
    fn a_clock_that_began_again_at_midnight_goes_on() {
        let mut time = EventTime::default();
        let before = MIDNIGHT + DAY - SECOND;
        assert_eq!(at(&mut time, before, before), before);
        // The venue counts from a midnight of its own, the receiver still from the session's.
        assert_eq!(at(&mut time, before + 2 * SECOND, MIDNIGHT + SECOND), MIDNIGHT + DAY + SECOND);
        // Without arrivals, too.
        let mut time = EventTime::default();
        assert_eq!(time.believe(UnixNanos(86_399 * SECOND)).0, 86_399 * SECOND);
        time.follow();
        assert_eq!(time.believe(UnixNanos(SECOND)).0, DAY + SECOND);
        time.follow();
        assert_eq!(time.believe(UnixNanos((1 << 48) - 1)).0, DAY + SECOND);
        assert_eq!(time.outliers(), 1);
    }

    #[test]
    fn a_capture_with_wrong_stamps_keeps_its_distance() {
        let mut time = EventTime::default();
        let (stamp, year) = (MIDNIGHT, 365 * DAY);
        assert_eq!(at(&mut time, stamp, stamp + year), stamp + year);
        assert_eq!(at(&mut time, stamp + 7, stamp + year + 9), stamp + year + 9);
        assert_eq!(at(&mut time, stamp + 8, stamp + 2 * year), stamp + year + 9);
        assert_eq!(time.outliers(), 1);
    }

    #[test]
    fn a_wrong_first_message_is_outvoted() {
        let mut time = EventTime::default();
        let late = MIDNIGHT + 40 * 3_600 * SECOND;
        assert_eq!(at(&mut time, MIDNIGHT, late), late);
        for n in 1..u64::from(AGREED) {
            assert_eq!(at(&mut time, MIDNIGHT + n, MIDNIGHT + n), late, "{n}");
        }
        assert_eq!(at(&mut time, MIDNIGHT + 99, MIDNIGHT + 98), MIDNIGHT + 98);
        assert_eq!(at(&mut time, MIDNIGHT + 100, MIDNIGHT + 99), MIDNIGHT + 99);
    }
}
