//! One forged packet ahead of what is next, and packets that a network brings out of their order.

use proptest::prelude::*;
use types::{Nanos, UnixNanos};
use wire::moldudp64::PacketBuilder;

use super::sequencer::Arbiter;
use super::{ArbiterConfig, Arrival, Deliver, Hole, Start};
use crate::session::{Head, Messages, SessionId, Transport};

const TIMEOUT: u64 = 100;
/// What a message of a forged packet says.
const FORGED: u8 = b'!';

/// Writes down the messages that were delivered, of MoldUDP64, and what was lost and doubted.
#[derive(Default)]
struct Log {
    messages: Vec<(u64, u8)>,
    lost: Vec<(u64, u64)>,
    doubted: usize,
    beats: Vec<u64>,
}

impl Deliver for Log {
    fn packet(&mut self, head: &Head, payload: &[u8], skip: u16, _: Arrival) {
        let messages = Transport::MoldUdp64.messages(payload).into_iter().flatten();
        let numbered = (head.seq..).zip(messages.map(|message| message.unwrap()[0]));
        self.messages.extend(numbered.skip(usize::from(skip)));
    }
    fn hole(&mut self, hole: Hole, _: Arrival) {
        self.lost.push((hole.first, hole.count));
    }
    fn heartbeat(&mut self, head: &Head, _: Arrival) {
        self.beats.push(head.seq);
    }
    fn session(&mut self, _: SessionId, _: bool, _: Arrival) {}
    fn end_of_session(&mut self, _: Arrival) {}
    fn recovering(&mut self, _: bool, _: Arrival) {
        self.doubted += 1;
    }
    fn contradicted(&mut self, _: Arrival) {
        self.doubted += 1;
    }
    fn messages<'p>(&self, payload: &'p [u8]) -> Option<Messages<'p>> {
        Transport::MoldUdp64.messages(payload)
    }
}

struct Rig {
    arbiter: Arbiter,
    log: Log,
    now: u64,
}

impl Rig {
    fn new() -> Self {
        let config = ArbiterConfig {
            slots: 64,
            slot_bytes: 64,
            timeout: Nanos(TIMEOUT),
            start: Start::Anywhere,
            jump_max: 1_000,
            confirm_packets: 3,
            recovery: None,
        };
        Self { arbiter: Arbiter::new(config), log: Log::default(), now: 0 }
    }

    /// A packet of `count` messages, each of which says its own number, or that it is forged.
    fn packet(&mut self, line: u8, seq: u64, count: u16, forged: bool) {
        let mut bytes = [0; 64];
        let mut builder = PacketBuilder::new(&mut bytes, *b"SESSION001", seq).unwrap();
        for n in seq..seq + u64::from(count) {
            assert!(builder.push(&[if forged { FORGED } else { said(n) }]));
        }
        let len = builder.finish();
        let head = Head { session: SessionId([1; 10]), seq, count, end: false, sent: UnixNanos(0) };
        let at = UnixNanos(self.now);
        let arrival = Arrival { at, ts_recv: at, line, offset: 0 };
        self.arbiter.on_packet(&head, &bytes[..len], arrival, &mut self.log);
    }

    /// Packets as words: the line, a letter, and the number; forged ones have a capital, `*` lets the time of a hole pass, and a number
    /// with a dot is a heartbeat.
    fn take(&mut self, packets: &str) {
        for word in packets.split_whitespace() {
            if word == "*" {
                self.now += TIMEOUT;
                self.arbiter.on_time(UnixNanos(self.now), &mut self.log);
                continue;
            }
            let (letter, seq) = (word.as_bytes()[0], &word[1..]);
            let (seq, count) = seq.strip_suffix('.').map_or((seq, 1), |seq| (seq, 0));
            let line = letter.to_ascii_lowercase() - b'a';
            self.packet(line, seq.parse().unwrap(), count, letter.is_ascii_uppercase());
        }
    }

    /// What was delivered, in its order: `!` for each message of a forged packet.
    fn delivered(&self) -> String {
        let say = |(seq, said): &(u64, u8)| if *said == FORGED { "!".into() } else { seq.to_string() };
        self.log.messages.iter().map(say).collect::<Vec<String>>().join(" ")
    }
}

fn said(seq: u64) -> u8 {
    b'a' + (seq % 26) as u8
}

#[test]
fn one_forged_packet_ahead_on_one_of_two_lines_is_a_stray() {
    for packets in [
        // Its line goes on below it, and either brings the real one.
        "a1 b1 A3 a2 b2 a3 b3",
        "a1 b1 A3 a2 b2 b3 a3",
        "a1 b1 B3 a2 b2 a3 b3",
        "a1 b1 A3 a2 a3 b2 b3",
        "a1 b1 A4 a2 b2 a3 b3 a4 b4",
        // Its line is behind, and brings nothing before it is its turn.
        "a1 b1 a2 B4 a3 a4 b2 b3 b4",
        // The real ones wait, too.
        "a1 b1 A3 a3 b3 a2",
        // The feed is quiet for longer than a hole may stay open, and says so by heartbeats.
        "a1 b1 A3 a2 b2 * * a3. b3. * a3. b3. * a3 b3",
        "a1 b1 B3 * a2 * * a3. * a3 * b2 b3",
        // The line that said so is alone, and goes on in time.
        "a1 A3 a2 a3 a4",
        "a1 A5 a2 a3 a4 * * a5",
    ] {
        let mut rig = Rig::new();
        rig.take(packets);
        rig.take("* *");
        let count = if packets.contains('5') {
            5
        } else if packets.contains('4') {
            4
        } else {
            3
        };
        assert_eq!(rig.delivered(), ["1 2 3", "1 2 3 4", "1 2 3 4 5"][count - 3], "{packets}");
        let stats = *rig.arbiter.stats();
        assert_eq!((stats.stray_jumps, stats.contradicted, stats.stray_restarts), (1, 0, 0), "{packets}");
        rig.arbiter.finish(&mut rig.log);
        assert_eq!((rig.log.doubted, rig.log.lost.len()), (0, 0), "{packets}");
        assert!(!rig.arbiter.is_timed());
    }
}

/// Each comes out in order, and none is lost: at once where something says that it is so, at the latest when a hole would be given up.
#[test]
fn what_overtook_a_few_of_its_line_is_delivered() {
    for (packets, delivered) in [
        // The other line brings it, had brought it, or comes to what follows it.
        ("a1 b1 a3 a2 b2 b3", "1 2 3"),
        ("a1 b1 a3 b3 a2", "1 2 3"),
        ("a1 b1 a3 a2 b2 a4 b4", "1 2 3 4"),
        // Its own goes on behind it, and is alone.
        ("a1 a3 a2 a4", "1 2 3 4"),
        ("a1 a4 a2 a3 a5", "1 2 3 4 5"),
        ("a1 a3 a2 a4.", "1 2 3"),
        // Nothing more comes of a line that is alone.
        ("a1 a3 a2 *", "1 2 3"),
        ("a1 a4 a2 a3 *", "1 2 3 4"),
        // Or that the other does not speak for: something else must say that there is more.
        ("a1 b1 a3 a2 b2 a4 *", "1 2 3 4"),
        ("a1 b1 a3 a2 b2 b4 *", "1 2 3"),
        ("a1 b1 a3 a2 b2 b4 * b5", "1 2 3 4 5"),
        ("a1 b1 a3 a2 b2 b4 * a4", "1 2 3 4"),
        ("a1 b1 a3 a2 b2 b4. *", "1 2 3"),
        // A line that lost what the other brings, as ever.
        ("a1 b1 a3 a4 b2", "1 2 3 4"),
        ("a1 b1 a3 b2 a4", "1 2 3 4"),
        ("a1 b1 a3 b2 b4 *", "1 2 3"),
        ("a1 b1 a3 b2 b4 * b5.", "1 2 3 4"),
    ] {
        let mut rig = Rig::new();
        rig.take(packets);
        assert_eq!(rig.delivered(), delivered, "{packets}");
        assert_eq!((rig.log.lost.len(), rig.arbiter.stats().stray_jumps), (0, 0), "{packets}");
    }
    // Before that it waits.
    for packets in ["a1 a3 a2", "a1 b1 a3 a2 b2 a4", "a1 b1 a3 b2", "a1 b1 a3 a2 b2 * *"] {
        let mut rig = Rig::new();
        rig.take(packets);
        assert_eq!(rig.delivered(), "1 2", "{packets}");
        rig.arbiter.finish(&mut rig.log);
        assert!(rig.delivered().starts_with("1 2 3") && rig.log.lost.is_empty(), "{packets}");
    }
}

#[test]
fn where_the_other_line_lost_something_it_is_believed_before_the_one_that_went_on_below_its_packet() {
    let mut rig = Rig::new();
    rig.take("a1 b1 A3 b3 a2 a3 *");
    assert_eq!((rig.delivered().as_str(), rig.log.doubted), ("1 2 3", 0));
    // Which of the two was so was not known at first.
    assert_eq!((rig.arbiter.stats().contradicted, rig.arbiter.stats().stray_jumps), (1, 0));
}

#[test]
fn of_two_that_came_out_of_order_under_one_number_nobody_knows_which_is_so() {
    let mut rig = Rig::new();
    rig.take("a1 b1 A3 b3 a2 b2");
    assert_eq!((rig.delivered().as_str(), rig.arbiter.stats().contradicted), ("1 2 3", 1));
    rig.take("*");
    assert_eq!((rig.log.doubted, rig.arbiter.stats().stray_jumps), (1, 0));
}

#[test]
fn a_hole_behind_a_packet_in_doubt_is_found_in_its_time() {
    let mut rig = Rig::new();
    rig.take("a1 b1 a3 a2 b2 a5 a6");
    assert_eq!(rig.delivered(), "1 2");
    rig.take("*");
    assert_eq!((rig.delivered().as_str(), &rig.log.lost[..]), ("1 2 3 5 6", &[(4, 1)][..]));
}

#[test]
fn a_stray_heartbeat_ahead_is_counted_when_its_line_has_brought_what_it_said_was_there() {
    let mut rig = Rig::new();
    rig.take("a1 b1 A9.");
    (2..9).for_each(|seq| [0, 1].into_iter().for_each(|line| rig.packet(line, seq, 1, false)));
    assert_eq!((rig.arbiter.stats().stray_jumps, rig.log.beats.len()), (1, 0));
    assert!(!rig.arbiter.is_waiting());
    // One that the network brought early is a heartbeat.
    rig.take("a11. a9 a10");
    assert_eq!((rig.arbiter.stats().stray_jumps, &rig.log.beats[..]), (1, &[11][..]));
}

#[test]
fn what_no_line_ever_came_to_is_forgotten_at_the_end() {
    let mut rig = Rig::new();
    rig.take("a1 A500");
    (2..40).for_each(|seq| rig.packet(0, seq, 1, false));
    rig.arbiter.finish(&mut rig.log);
    assert_eq!((rig.log.messages.len(), rig.log.lost.len(), rig.arbiter.stats().stray_jumps), (39, 0, 1));
    // As many as a network may bring out of order do not make it one.
    let mut rig = Rig::new();
    rig.take("a1 a500");
    (2..18).for_each(|seq| rig.packet(0, seq, 1, false));
    rig.arbiter.finish(&mut rig.log);
    assert_eq!((&rig.log.lost[..], rig.arbiter.stats().stray_jumps), (&[(18, 482)][..], 0));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Two lines that lose nothing, one as far behind the other as it likes and the feed as quiet as it likes, packets of some messages,
    /// and one forged packet ahead of what is next, of any numbers: what comes out is what comes out without it.
    #[test]
    fn one_forged_packet_ahead_changes_nothing_that_two_whole_lines_bring(
        packets in prop::collection::vec((1_u16..5, 0_u64..9, 0_u64..3), 2..40),
        at in 0_usize..80, line in 0_u8..2, ahead in 1_u64..60, count in 0_u16..5,
    ) {
        let (mut order, mut next, mut latest, mut when) = (Vec::new(), 2, 0, 0);
        for (messages, behind, pause) in packets {
            // Some pauses are longer than a hole may stay open.
            when += 1 + pause * TIMEOUT * 3 / 4;
            latest = latest.max(when + behind * TIMEOUT / 3);
            order.extend([(when, 0, next, messages), (latest, 1, next, messages)]);
            next += u64::from(messages);
        }
        order.sort_unstable();
        let mut rig = Rig::new();
        rig.take("a1 b1");
        let (before, after) = order.split_at(at % order.len());
        let mut forged = None;
        for (n, part) in [before, after].into_iter().enumerate() {
            for (when, line, seq, messages) in part {
                rig.now = *when;
                rig.arbiter.on_time(UnixNanos(rig.now), &mut rig.log);
                rig.packet(*line, *seq, *messages, false);
            }
            if n == 0 {
                let seq = rig.arbiter.next_seq() + ahead;
                forged = Some(seq);
                rig.packet(line, seq, count, true);
            }
        }
        let wanted: Vec<_> = (1..next).map(|seq| (seq, said(seq))).collect();
        prop_assert_eq!(&rig.log.messages, &wanted);
        prop_assert_eq!((rig.log.doubted, rig.log.lost.len(), rig.arbiter.stats().contradicted), (0, 0, 0));
        // One without messages that few packets were below may be a heartbeat that came early.
        let reached = forged.is_some_and(|seq| seq + u64::from(count) <= next);
        prop_assert!(rig.arbiter.stats().stray_jumps == u64::from(reached) || count == 0);
    }
}
