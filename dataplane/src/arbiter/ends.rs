//! The end of a session: when it is believed, and when it is taken back.

use super::contract::{Arrival, Deliver, LINES_MAX, SERVER_LINE};
use super::doubt::{EndClaim, GoingOn};
use super::sequencer::Arbiter;
use crate::session::Head;

impl Arbiter {
    /// The session is over.
    pub(super) fn conclude(&mut self, out: &mut impl Deliver) {
        let arrival = self.end.arrival();
        self.end = EndClaim::default();
        self.questioned = self.doubt.is_open();
        self.ended = true;
        self.going_on = GoingOn { from: self.next, ..GoingOn::default() };
        out.end_of_session(arrival);
    }

    /// Takes in that a line brought messages of after the end, `packets` of them in sequence. One packet takes no end back: that asks
    /// for what an end asks for.
    #[cold]
    pub(super) fn go_on(&mut self, arrival: Arrival, packets: u32, out: &mut impl Deliver) {
        if arrival.line == SERVER_LINE {
            return;
        }
        let lines = self.lines(arrival.at);
        let going = &mut self.going_on;
        going.lines |= 1 << (usize::from(arrival.line) % LINES_MAX);
        going.packets = going.packets.saturating_add(packets);
        let is_said_by_all = lines.count_ones() > 1 && going.lines & lines == lines;
        if is_said_by_all || going.packets >= self.config.confirm_packets {
            self.ended = false;
            self.stats.stray_ends += 1;
            out.end_taken_back(arrival);
        }
    }

    /// A heartbeat or the end of the session; one from a line that lags behind says nothing.
    pub(super) fn deliver_empty(&mut self, head: &Head, arrival: Arrival, out: &mut impl Deliver) {
        if head.end && self.ended {
            // What came in between was not the session that goes on.
            self.going_on = GoingOn { from: self.going_on.from, ..GoingOn::default() };
            return;
        }
        if head.seq < self.next {
            return;
        }
        if !head.end {
            if self.questioned {
                self.refute(arrival, out);
            }
            out.heartbeat(head, arrival);
        } else {
            self.end.add(arrival);
            self.questioned = true;
            if self.end.is_confirmed(self.config.confirm_packets, self.lines(arrival.at)) {
                self.conclude(out);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::UnixNanos;

    use crate::arbiter::{ArbiterConfig, Hole};
    use crate::session::SessionId;

    /// Writes down ends, and those that were taken back.
    #[derive(Default)]
    struct Log(Vec<&'static str>);

    impl Deliver for Log {
        fn packet(&mut self, _: &Head, _: &[u8], _: u16, _: Arrival) {
            self.0.push("packet");
        }
        fn hole(&mut self, hole: Hole, _: Arrival) {
            panic!("{hole:?}");
        }
        fn heartbeat(&mut self, _: &Head, _: Arrival) {}
        fn session(&mut self, _: SessionId, _: bool, _: Arrival) {}
        fn end_of_session(&mut self, _: Arrival) {
            self.0.push("end");
        }
        fn end_taken_back(&mut self, _: Arrival) {
            self.0.push("back");
        }
    }

    /// What comes of words: a line, and the number of a packet with one message; `x` before it for one that says something else, `!` for the
    /// end, `.` for a heartbeat. Two lines have brought 1 and 2, unless one is alone.
    fn told(lines: &str, words: &str) -> Vec<&'static str> {
        let mut arbiter = Arbiter::new(ArbiterConfig { slots: 4, slot_bytes: 8, ..ArbiterConfig::default() });
        let mut log = Log::default();
        let begin: String =
            ["1", "2"].iter().flat_map(|n| lines.chars().map(move |line| format!("{line}{n} "))).collect();
        for (at, word) in begin.split_whitespace().chain(words.split_whitespace()).enumerate() {
            let (line, rest) = (word.as_bytes()[0] - b'a', &word[1..]);
            let (payload, rest) = rest.strip_prefix('x').map_or((b"so", rest), |rest| (b"no", rest));
            let seq = rest.trim_end_matches(['!', '.']);
            let (count, end) = (u16::from(seq == rest), rest.ends_with('!'));
            let seq = seq.parse().unwrap();
            let head = Head { session: SessionId([1; 10]), seq, count, end, sent: UnixNanos(0) };
            arbiter.on_packet(&head, payload, from(line, at as u64), &mut log);
        }
        log.0.retain(|word| *word != "packet");
        log.0
    }

    #[test]
    fn an_end_is_taken_back_by_every_line_or_by_enough_packets_in_sequence_and_by_no_single_packet() {
        for words in [
            // Copies on both lines.
            "a3! b3! a3 b3",
            "a3! b3! b3 a3",
            "a3! b3! a3 a4 b4",
            // As many in sequence as make any claim, though the other line says nothing.
            "a3! b3! a3 a4 a5",
        ] {
            assert_eq!(told("ab", words), ["end", "back"], "{words}");
        }
        for words in [
            "a3! b3! a3",
            // Again and again, or with a contradiction, a heartbeat, or what came before the end.
            "a3! b3! a3 a3 a3 a3",
            "a3! b3! a3 bx3",
            "a3! b3! a3 b4. b4.",
            "a3! b3! a3 b2 b1",
            "a3! b3! a3. b3. a3. b3.",
            "a3! b3! a3 a4",
            // The end said once more.
            "a3! b3! a3 a4 b3! a5 a6",
        ] {
            assert_eq!(told("ab", words), ["end"], "{words}");
        }
        assert_eq!(told("a", "a3! a3! a3! a3 a4"), ["end"]);
        assert_eq!(told("a", "a3! a3! a3! a3 a4 a5 a6"), ["end", "back"]);
        assert_eq!(told("a", "a3! a3! a3! b3"), ["end"], "a line that nothing else was heard of");
        // And again.
        assert_eq!(told("ab", "a3! b3! a3 b3 a4! b4! a4 b4"), ["end", "back", "end", "back"]);
    }

    fn from(line: u8, at: u64) -> Arrival {
        Arrival { at: UnixNanos(at), ts_recv: UnixNanos(at), line, offset: 0 }
    }
}
