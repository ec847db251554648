//! What contradicts the messages that were delivered, and when that is believed.

use types::UnixNanos;

use super::contract::{Arrival, Deliver, LINES_MAX, NEVER};
use super::history::{Contradiction, Standing, Told};
use super::sequencer::Arbiter;
use crate::session::Head;

impl Arbiter {
    /// How a packet that begins before the next number stands to what was delivered. One that agrees ends the contradiction of another.
    #[inline]
    pub(super) fn tell(&mut self, head: &Head, payload: &[u8], arrival: Arrival, out: &impl Deliver) -> Told {
        let told = self.history.tell(head, payload, self.next, arrival.line, out);
        if let Some(stands) = self.contradiction
            && self.history.is_agreed(stands.from)
        {
            self.contradiction = None;
        }
        told
    }

    /// Holds a packet that begins before the next number against what was delivered, and says whether it contradicts that.
    #[inline]
    pub(super) fn hear_again(
        &mut self,
        head: &Head,
        payload: &[u8],
        arrival: Arrival,
        out: &mut impl Deliver,
    ) -> bool {
        let Told::Otherwise(from) = self.tell(head, payload, arrival, out) else { return false };
        self.contradict(from, arrival, out);
        true
    }

    /// Other lines, a bit each, had brought a packet too while it waited.
    #[cold]
    pub(super) fn hear_others(
        &mut self,
        head: &Head,
        payload: &[u8],
        arrival: Arrival,
        others: u8,
        out: &mut impl Deliver,
    ) {
        let lines = (0..LINES_MAX as u8).filter(|line| head.count > 0 && others & 1 << line != 0);
        for line in lines {
            self.hear_again(head, payload, Arrival { line, ..arrival }, out);
        }
    }

    /// Takes in that a packet says something else than the one whose first message that was delivered is `from`.
    #[cold]
    fn contradict(&mut self, from: u64, arrival: Arrival, out: &mut impl Deliver) {
        self.stats.contradicted += 1;
        match self.history.deny(from, arrival.line) {
            Standing::Agreed | Standing::Over => {}
            Standing::Denied => self.dispute(from, arrival, out),
            Standing::Alone => match self.contradiction {
                // What no longer is kept can be told no more.
                Some(first) if first.from != from && self.history.knows(first.from) => {
                    self.history.dispute(first.from);
                    self.dispute(from, arrival, out);
                }
                Some(first) if first.from == from => {}
                _ => {
                    // A packet is no word for the line that nothing else was heard of.
                    let is_alone = (self.lines(arrival.at) & !self.revived).count_ones() < 2;
                    let deadline = if is_alone { NEVER } else { arrival.at.plus(self.config.timeout) };
                    self.contradiction = Some(Contradiction { from, arrival, deadline });
                }
            },
        }
    }

    /// Nobody knows what is so.
    fn dispute(&mut self, from: u64, arrival: Arrival, out: &mut impl Deliver) {
        self.history.dispute(from);
        self.contradiction = None;
        out.contradicted(arrival);
    }

    /// Believes a contradiction that no copy of another line has ended in time.
    #[inline]
    pub(super) fn judge_contradiction(&mut self, now: UnixNanos, out: &mut impl Deliver) {
        if let Some(Contradiction { from, arrival, deadline }) =
            self.contradiction.filter(Contradiction::is_timed)
            && now >= deadline
        {
            let ts_recv = arrival.ts_recv.plus(self.config.timeout);
            self.dispute(from, Arrival { at: deadline, ts_recv, ..arrival }, out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arbiter::{ArbiterConfig, Hole, Start};
    use crate::session::SessionId;
    use proptest::prelude::*;
    use std::cmp::Ordering;
    use types::Nanos;

    const TIMEOUT: u64 = 1_000;

    /// Writes down what was delivered, by number, whether it was forged, and how often that was contradicted.
    #[derive(Default)]
    struct Log {
        delivered: Vec<(u64, bool)>,
        contradicted: Vec<u64>,
    }

    impl Deliver for Log {
        fn packet(&mut self, head: &Head, payload: &[u8], _: u16, _: Arrival) {
            self.delivered.push((head.seq, payload == b"forged"));
        }
        fn hole(&mut self, hole: Hole, _: Arrival) {
            panic!("{hole:?}");
        }
        fn heartbeat(&mut self, _: &Head, _: Arrival) {}
        fn session(&mut self, _: SessionId, _: bool, _: Arrival) {}
        fn end_of_session(&mut self, _: Arrival) {}
        fn contradicted(&mut self, arrival: Arrival) {
            self.contradicted.push(arrival.ts_recv.0);
        }
    }

    struct Rig {
        arbiter: Arbiter,
        log: Log,
        now: u64,
    }

    impl Rig {
        fn new() -> Self {
            let arbiter = Arbiter::new(ArbiterConfig {
                slots: 64,
                slot_bytes: 8,
                timeout: Nanos(TIMEOUT),
                start: Start::Anywhere,
                jump_max: 1_000,
                confirm_packets: 3,
                recovery: None,
            });
            Self { arbiter, log: Log::default(), now: 0 }
        }

        fn packet(&mut self, line: u8, seq: u64, forged: bool) {
            self.now += 1;
            let at = UnixNanos(self.now);
            // Copies on two lines are of one packet, with one time of sending.
            let head = Head { session: SessionId([1; 10]), seq, count: 1, end: false, sent: UnixNanos(0) };
            let payload: &[u8] = if forged { b"forged" } else { b"real" };
            self.arbiter.on_packet(
                &head,
                payload,
                Arrival { at, ts_recv: at, line, offset: 0 },
                &mut self.log,
            );
        }

        /// Packets as words: the line, a letter, and the number; forged ones have a capital.
        fn take(&mut self, packets: &str) {
            for word in packets.split_whitespace() {
                let (line, seq) = word.split_at(1);
                let letter = line.as_bytes()[0];
                self.packet(
                    letter.to_ascii_lowercase() - b'a',
                    seq.parse().unwrap(),
                    letter.is_ascii_uppercase(),
                );
            }
        }

        /// How often the books were said to be contradicted, and packets that contradicted.
        fn counts(&self) -> (usize, u64) {
            (self.log.contradicted.len(), self.arbiter.stats().contradicted)
        }
    }

    #[test]
    fn one_forged_packet_under_a_delivered_number_changes_nothing_where_another_line_has_the_real_one() {
        for packets in [
            // Whichever line it claims, before the copy and after it.
            "a1 b1 a2 b2 A2",
            "a1 b1 a2 b2 B2",
            "a1 b1 a2 A2 b2",
            "a1 b1 a2 B2 b2",
            // The same one again, with others between.
            "a1 b1 a2 b2 A2 A2 a3 b3 A2",
            "a1 b1 a2 B2 B2 a3 b2 B2 b3",
            // The copies came while both waited, and before the other line was heard at all.
            "a1 b1 a3 b3 a2 b2 A3",
            "a1 b1 a3 A3 b3 a2 b2",
            "a1 a2 A2 b1 b2",
        ] {
            let mut rig = Rig::new();
            rig.take(packets);
            assert_eq!(rig.counts().0, 0, "{packets}");
            rig.arbiter.on_time(UnixNanos(rig.now + 10 * TIMEOUT), &mut rig.log);
            rig.arbiter.finish(&mut rig.log);
            assert_eq!(rig.counts().0, 0, "{packets}: later");
            assert!(
                rig.arbiter.stats().contradicted > 0 && !rig.log.delivered.contains(&(2, true)),
                "{packets}"
            );
        }
    }

    #[test]
    fn one_forged_packet_that_came_first_makes_the_books_stale_as_soon_as_both_lines_contradict_it() {
        for (packets, last) in [("a1 b1 A2 a2", "b2"), ("a1 b1 B2 a2", "b2"), ("a1 b1 A2 b2", "a2")] {
            let mut rig = Rig::new();
            rig.take(packets);
            assert_eq!(rig.counts(), (0, 1), "{packets}: one may be a stray");
            rig.take(last);
            assert_eq!(rig.counts(), (1, 2), "{packets} {last}");
            rig.arbiter.on_time(UnixNanos(rig.now + 10 * TIMEOUT), &mut rig.log);
            rig.take("a4 b4 c2");
            assert_eq!(rig.counts().0, 1, "{packets}: said once");
        }
    }

    #[test]
    fn without_a_copy_for_as_long_as_a_hole_may_stay_open_the_books_are_stale() {
        for packets in ["a1 b1 a2 B2", "a1 b1 a2 A2", "a1 b1 A2 a2", "a1 b1 A2 b2", "a1 b1 a2 B2 a3 b3 B2"] {
            let mut rig = Rig::new();
            rig.take(packets);
            let since = if packets.len() > 12 { 4 } else { rig.now };
            rig.arbiter.on_time(UnixNanos(since + TIMEOUT - 1), &mut rig.log);
            assert_eq!(rig.counts().0, 0, "{packets}");
            rig.arbiter.on_time(UnixNanos(since + TIMEOUT + 5), &mut rig.log);
            assert_eq!(rig.log.contradicted, [since + TIMEOUT], "{packets}: since then, whenever one looks");
            // Nor does any come once the input is over.
            let mut rig = Rig::new();
            rig.take(packets);
            rig.arbiter.finish(&mut rig.log);
            assert_eq!(rig.counts().0, 1, "{packets}");
        }
    }

    #[test]
    fn two_that_contradict_before_any_copy_agrees_make_the_books_stale() {
        for (packets, stale) in [
            ("a1 b1 a2 a3 B2 B3", 1),
            ("a1 b1 a2 a3 A2 B3", 1),
            ("a1 b1 a2 A2 B2", 1),
            // A copy of the first came in between.
            ("a1 b1 a2 a3 B2 b2 B3 b3", 0),
            ("a1 b1 a2 b2 a3 b3 A2 A3", 0),
            // Two lines say the one and two the other.
            ("a1 b1 a2 b2 A2 B2", 1),
        ] {
            let mut rig = Rig::new();
            rig.take(packets);
            assert_eq!(rig.counts(), (stale, 2), "{packets}");
        }
    }

    #[test]
    fn a_line_that_is_alone_is_contradicted_by_two_under_different_numbers() {
        for (packets, counts) in [
            ("a1 a2 A2", (0, 1)),
            ("a1 a2 B2", (0, 1)),
            ("a1 A2 a2 a3", (0, 1)),
            ("a1 a2 A2 a3 A2", (0, 2)),
            ("a1 a2 A2 a3 A3", (1, 2)),
            ("a1 a2 A2 a3 A3 a4 A4", (1, 3)),
            ("a1 a2 A2 a3 A3 a4 A4 a5 A5", (2, 4)),
        ] {
            let mut rig = Rig::new();
            rig.take(packets);
            rig.arbiter.on_time(UnixNanos(rig.now + 10 * TIMEOUT), &mut rig.log);
            assert!(!rig.arbiter.contradiction.is_some_and(|stands| stands.is_timed()), "{packets}");
            rig.arbiter.finish(&mut rig.log);
            assert_eq!(rig.counts(), counts, "{packets}");
        }
        // What is kept no longer is no second one.
        let mut rig = Rig::new();
        rig.take("a1 a2 A2");
        (3..40_000).for_each(|seq| rig.packet(0, seq, false));
        rig.take("A39999");
        assert_eq!(rig.counts(), (0, 2));
        rig.take("A39998");
        assert_eq!(rig.counts(), (1, 3));
    }

    proptest! {
        /// Two lines, one as far behind the other as it likes, and one forged packet anywhere: the books are stale if and only if that one
        /// was delivered, and it was if it was exactly what was next. One ahead of that is a stray.
        #[test]
        fn one_forged_packet_makes_books_stale_only_where_it_was_delivered(
            count in 2_u64..30, behind in prop::collection::vec(0_u64..9, 29), at in 0_usize..64, line in 0_u8..2, number in 0_u64..30,
        ) {
            // Each line in its order; the second brings a number once the first is so far ahead.
            let mut order: Vec<(u64, u8, u64)> = (2..=count).map(|seq| (2 * seq, 0, seq)).collect();
            let mut latest = 0;
            for (seq, behind) in (2..=count).zip(behind) {
                latest = latest.max(2 * (seq + behind) + 1);
                order.push((latest, 1, seq));
            }
            order.sort_by_key(|(when, line, seq)| (*when, *line, *seq));
            let forged = 2 + number % (count - 1);
            let at = at % (order.len() + 1);
            let mut rig = Rig::new();
            rig.take("a1 b1");
            let (before, after) = order.split_at(at);
            before.iter().for_each(|(_, line, seq)| rig.packet(*line, *seq, false));
            let next = rig.arbiter.next_seq();
            rig.packet(line, forged, true);
            after.iter().for_each(|(_, line, seq)| rig.packet(*line, *seq, false));
            rig.arbiter.on_time(UnixNanos(rig.now + 10 * TIMEOUT), &mut rig.log);
            rig.arbiter.finish(&mut rig.log);
            let numbers = rig.log.delivered.iter().map(|(seq, _)| *seq);
            prop_assert!(numbers.eq(1..=count), "{:?}", rig.log.delivered);
            prop_assert_eq!(rig.log.delivered.contains(&(forged, true)), forged == next);
            let counted = match forged.cmp(&next) {
                Ordering::Less => (0, 1),
                Ordering::Equal => (1, 2),
                Ordering::Greater => (0, 0),
            };
            prop_assert_eq!(rig.counts(), counted);
            prop_assert_eq!(rig.arbiter.stats().stray_jumps, u64::from(forged > next));
        }
    }
}
