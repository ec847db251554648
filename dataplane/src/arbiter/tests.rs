//! What servers answer, and what a channel begins with.

use super::sequencer::Arbiter;
use super::{ArbiterConfig, Arrival, Deliver, Hole, RecoveryConfig, Request, Start};
use crate::session::{Head, SessionId};
use types::{Nanos, UnixNanos};

/// Writes down what comes out; there is room for so many of the packets that waited.
struct Log(Vec<String>, usize, bool);

impl Deliver for Log {
    fn packet(&mut self, head: &Head, _payload: &[u8], skip: u16, arrival: Arrival) {
        self.0.push(format!("{}..{} @{}", head.seq + u64::from(skip), head.next_seq(), arrival.line));
        self.1 = self.1.saturating_sub(1);
    }
    fn hole(&mut self, hole: Hole, _arrival: Arrival) {
        self.0.push(format!("lost {}+{}", hole.first, hole.count));
    }
    fn heartbeat(&mut self, head: &Head, _arrival: Arrival) {
        self.0.push(format!("beat {}", head.seq));
    }
    fn session(&mut self, session: SessionId, _interrupted: bool, _arrival: Arrival) {
        self.0.push(format!("session {}", session.0[0]));
    }
    fn end_of_session(&mut self, arrival: Arrival) {
        self.0.push(format!("end at {}", arrival.at.0));
    }
    fn request(&mut self, request: Request) {
        self.0.push(format!("ask {} for {}+{}", request.server, request.first, request.count));
    }
    fn recovering(&mut self, begins: bool, _arrival: Arrival) {
        assert_ne!(begins, self.2, "said once");
        self.2 = begins;
        self.0.push(format!("recovering {begins}"));
    }
    fn has_room(&self) -> bool {
        self.1 > 0
    }
}

const RECOVERY: RecoveryConfig = RecoveryConfig {
    servers: 1,
    request_messages: 8,
    answer_within: Nanos(100),
    tries_max: 3,
    give_up_after: Nanos(10_000),
    missing_max: 10,
};

const CONFIG: ArbiterConfig = ArbiterConfig {
    slots: 4,
    slot_bytes: 8,
    timeout: Nanos(20),
    start: Start::Anywhere,
    jump_max: 1_000,
    confirm_packets: 3,
    recovery: Some(RECOVERY),
};

struct Rig {
    arbiter: Arbiter,
    log: Log,
    now: u64,
}

impl Rig {
    fn new(config: ArbiterConfig) -> Self {
        Self { arbiter: Arbiter::new(config), log: Log(vec![], usize::MAX, false), now: 0 }
    }

    /// Recovery is under way: 100 was delivered, 101 to 104 are missing, 105 and 106 wait.
    fn asking() -> Self {
        let mut rig = Self::new(CONFIG);
        [100, 105, 106].into_iter().for_each(|seq| rig.packet(0, seq, 1));
        rig.pass(20);
        assert_eq!(rig.take(), ["session 1", "100..101 @0", "recovering true", "ask 0 for 101+4"]);
        rig
    }

    fn head(session: u8, seq: u64, count: u16) -> Head {
        Head { session: SessionId([session; 10]), seq, count, end: false, sent: UnixNanos(0) }
    }

    fn arrival(&self, line: u8) -> Arrival {
        Arrival { at: UnixNanos(self.now), ts_recv: UnixNanos(self.now), line, offset: 0 }
    }

    fn packet(&mut self, line: u8, seq: u64, count: u16) {
        self.take_in(line, &Self::head(1, seq, count));
    }

    fn take_in(&mut self, line: u8, head: &Head) {
        let arrival = self.arrival(line);
        self.arbiter.on_packet(head, b"payload", arrival, &mut self.log);
    }

    fn answer(&mut self, head: &Head) {
        let arrival = self.arrival(0);
        self.arbiter.on_answer(head, b"payload", 0, arrival, &mut self.log);
    }

    fn pass(&mut self, ns: u64) {
        self.now += ns;
        self.arbiter.on_time(UnixNanos(self.now), &mut self.log);
    }

    fn take(&mut self) -> Vec<String> {
        std::mem::take(&mut self.log.0)
    }
}

#[test]
fn what_a_server_brought_is_counted_as_its_own() {
    let mut rig = Rig::asking();
    rig.answer(&Rig::head(1, 101, 3));
    rig.answer(&Rig::head(1, 104, 1));
    let told = rig.take();
    assert_eq!(told[0], "101..104 @255");
    assert_eq!(told[told.len() - 4..], ["104..105 @255", "105..106 @0", "106..107 @0", "recovering false"]);
    let stats = rig.arbiter.stats();
    assert_eq!((stats.recovery.recovered, stats.lines[0].won), (4, 3));
    assert_eq!((stats.recovery.refused(), stats.recovery.failed, stats.missing), (0, 0, 0));
}

/// The log fails where it is said twice.
#[test]
fn what_is_asked_for_and_doubted_at_once_is_old_once_and_new_when_both_are_over() {
    let mut rig = Rig::asking();
    let old = |told: &[String]| {
        told.iter().filter(|line| line.starts_with("recovering")).cloned().collect::<Vec<_>>()
    };
    (1..3).for_each(|seq| rig.take_in(0, &Rig::head(2, seq, 1)));
    rig.pass(30);
    assert!(rig.arbiter.doubted && old(&rig.take()).is_empty());
    // It fills the hole, and says that the session goes on.
    rig.answer(&Rig::head(1, 101, 4));
    assert_eq!(old(&rig.take()), ["recovering false"]);
    assert!(!rig.arbiter.doubted && rig.arbiter.recovering.is_none());
}

/// An answer of something else than was asked for, and what of it is counted.
#[test]
fn an_answer_that_nobody_asked_for_is_counted_and_changes_nothing() {
    let end = Head { end: true, ..Rig::head(1, 102, 1) };
    for unasked in [
        Rig::head(1, 100, 1),
        Rig::head(1, 105, 1),
        Rig::head(1, 102, 0),
        Rig::head(1, 104, 4),
        Rig::head(1, 107, 1),
        end,
    ] {
        let mut rig = Rig::asking();
        rig.answer(&unasked);
        rig.answer(&unasked);
        assert_eq!(rig.arbiter.stats().recovery.unasked_answers, 2, "{unasked:?}");
        assert_eq!((rig.take(), rig.arbiter.next_seq()), (vec![], 101), "{unasked:?}");
    }
    let mut rig = Rig::asking();
    (0..2).for_each(|_| rig.answer(&Rig::head(2, 101, 1)));
    (0..3).for_each(|_| rig.arbiter.note_bad_answer());
    let recovery = rig.arbiter.stats().recovery;
    assert_eq!((recovery.foreign_answers, recovery.bad_answers, recovery.refused()), (2, 3, 5));
    // Before the time of the hole has come nobody was asked.
    let mut rig = Rig::new(CONFIG);
    [100, 105, 106].into_iter().for_each(|seq| rig.packet(0, seq, 1));
    rig.take();
    rig.answer(&Rig::head(1, 101, 4));
    assert_eq!((rig.take(), rig.arbiter.stats().recovery.unasked_answers), (vec![], 1));
}

#[test]
fn an_answer_that_is_next_needs_no_slot() {
    let mut rig = Rig::new(ArbiterConfig { slots: 2, ..CONFIG });
    [100, 105, 106].into_iter().for_each(|seq| rig.packet(0, seq, 1));
    rig.pass(20);
    rig.take();
    rig.answer(&Rig::head(1, 103, 1));
    assert_eq!(rig.arbiter.next_seq(), 101, "there is none for one further on");
    rig.answer(&Rig::head(1, 101, 4));
    assert_eq!(rig.arbiter.next_seq(), 107);
}

#[test]
fn as_many_messages_as_may_be_missing_are_asked_for_and_no_more() {
    for (seq, asked) in [(111, true), (112, false)] {
        let mut rig = Rig::new(CONFIG);
        [100, seq, seq + 1].into_iter().for_each(|seq| rig.packet(0, seq, 1));
        rig.pass(20);
        let told = rig.take();
        assert_eq!(told.contains(&"recovering true".to_owned()), asked, "{told:?}");
        assert_eq!(told.contains(&"lost 101+11".to_owned()), !asked, "{told:?}");
    }
}

#[test]
fn a_jump_that_is_believed_is_asked_for_where_it_may_be() {
    let recovery = Some(RecoveryConfig { missing_max: 5_000, ..RECOVERY });
    for (first, asked) in [(5_101, true), (5_102, false)] {
        let mut rig = Rig::new(ArbiterConfig { recovery, ..CONFIG });
        rig.packet(0, 100, 1);
        (first..first + 3).for_each(|seq| rig.packet(0, seq, 1));
        rig.pass(20);
        let told = rig.take();
        assert_eq!(told.iter().any(|line| line == "ask 0 for 101+8"), asked, "{told:?}");
        assert_eq!(told.iter().any(|line| line.starts_with("lost")), !asked, "{told:?}");
    }
}

/// A server's answer says nothing of what a line claims meanwhile.
#[test]
fn an_answer_refutes_no_claim() {
    let mut rig = Rig::asking();
    (1..3).for_each(|seq| rig.take_in(0, &Rig::head(2, seq, 1)));
    rig.answer(&Rig::head(1, 101, 1));
    assert_eq!(rig.arbiter.stats().stray_sessions, 0);
    rig.take_in(0, &Rig::head(2, 3, 1));
    assert!(rig.take().contains(&"session 2".to_owned()), "the third packet confirms it");
}

#[test]
fn the_first_session_begins_with_messages_or_with_two_packets_without() {
    // One of a feed whose sessions have no name.
    for session in [0, 1] {
        let mut rig = Rig::new(CONFIG);
        rig.take_in(0, &Rig::head(session, 9, 2));
        assert_eq!(rig.take(), [format!("session {session}"), "9..11 @0".to_owned()]);
        assert_eq!(rig.arbiter.stats().stray_sessions, 0);
    }
    let mut rig = Rig::new(CONFIG);
    rig.packet(0, 9, 0);
    assert!(rig.take().is_empty());
    rig.packet(0, 9, 0);
    assert_eq!(rig.take(), ["session 1", "beat 9"]);
    assert_eq!((rig.arbiter.stats().lines[0].packets, rig.arbiter.stats().sessions), (2, 1));
}

#[test]
fn what_a_heartbeat_said_before_the_first_messages_counts_if_it_is_of_their_session() {
    let mut rig = Rig::new(CONFIG);
    rig.packet(0, 9, 0);
    rig.packet(0, 11, 1);
    assert_eq!((rig.take(), rig.arbiter.next_seq()), (vec!["session 1".to_owned(), "beat 9".to_owned()], 9));
    let mut rig = Rig::new(CONFIG);
    rig.take_in(0, &Rig::head(2, 9, 0));
    rig.packet(0, 11, 1);
    assert_eq!(
        (rig.take(), rig.arbiter.next_seq()),
        (vec!["session 1".to_owned(), "11..12 @0".to_owned()], 12)
    );
    assert_eq!(rig.arbiter.stats().stray_sessions, 1);
}

#[test]
fn an_input_without_a_packet_has_no_session() {
    let mut rig = Rig::new(CONFIG);
    rig.arbiter.finish(&mut rig.log);
    assert_eq!((rig.take(), rig.arbiter.stats().sessions), (vec![], 0));
}

#[test]
fn copies_of_a_claim_that_is_believed_count_for_their_lines() {
    let mut rig = Rig::new(ArbiterConfig { recovery: None, ..CONFIG });
    [0, 1].into_iter().for_each(|line| rig.packet(line, 100, 1));
    for seq in 1..4 {
        [0, 1, 1].into_iter().for_each(|line| rig.take_in(line, &Rig::head(2, seq, 5)));
    }
    assert!(rig.take().contains(&"session 2".to_owned()));
    let lines = &rig.arbiter.stats().lines;
    let counted = [0, 1].map(|line: usize| (lines[line].packets, lines[line].messages));
    assert_eq!(counted, [(4, 16), (7, 31)]);
}

const ALONE: ArbiterConfig = ArbiterConfig { recovery: None, ..CONFIG };

#[test]
fn without_room_a_hole_that_is_due_stays_until_there_is_some() {
    let mut rig = Rig::new(ALONE);
    [100, 105, 106].into_iter().for_each(|seq| rig.packet(0, seq, 1));
    rig.take();
    rig.log.1 = 0;
    rig.pass(20);
    assert!(rig.take().is_empty() && rig.arbiter.is_waiting());
    rig.log.1 = 9;
    rig.pass(0);
    assert_eq!(rig.take(), ["lost 101+4", "105..106 @0", "106..107 @0"]);
}

#[test]
fn what_finds_no_room_at_the_end_of_an_input_is_lost() {
    let mut rig = Rig::new(ALONE);
    [100, 105, 107].into_iter().for_each(|seq| rig.packet(0, seq, 1));
    rig.take();
    rig.log.1 = 0;
    rig.arbiter.finish(&mut rig.log);
    assert_eq!((rig.take(), rig.arbiter.is_waiting()), (vec!["lost 101+7".to_owned()], false));
    assert_eq!((rig.arbiter.stats().last_seq, rig.arbiter.stats().missing), (107, 7));
}

/// The line that told of a hole brings what lies before it: it told of none.
#[test]
fn a_hole_whose_line_goes_on_below_it_is_not_given_up() {
    let mut rig = Rig::new(ALONE);
    [100, 105, 106, 101].into_iter().for_each(|seq| rig.packet(0, seq, 1));
    rig.take();
    rig.pass(1_000);
    assert!(rig.take().is_empty());
}

#[test]
fn a_packet_said_again_at_once_by_its_own_line_tells_of_no_hole() {
    let mut rig = Rig::new(ALONE);
    [100, 105, 105].into_iter().for_each(|seq| rig.packet(0, seq, 1));
    rig.take();
    rig.pass(1_000);
    assert!(rig.take().is_empty());
    rig.packet(1, 105, 1);
    rig.pass(20);
    assert_eq!(rig.take(), ["lost 101+4", "105..106 @0"], "another line says so, too");
}

/// The second of two packets to come is the one that makes a hole known, whichever has the higher number.
#[test]
fn a_hole_is_known_since_the_later_of_the_two_that_tell_of_it() {
    let mut rig = Rig::new(ALONE);
    [0, 1].into_iter().for_each(|line| rig.packet(line, 100, 1));
    rig.packet(0, 106, 1);
    rig.now = 10;
    rig.packet(1, 105, 1);
    rig.take();
    rig.pass(19);
    assert!(rig.take().is_empty());
    rig.pass(1);
    assert_eq!(rig.take()[0], "lost 101+4");
}

#[test]
fn copies_of_what_waits_are_duplicates_and_a_heartbeat_beyond_it_is_news() {
    let mut rig = Rig::new(ALONE);
    [100, 102, 103, 104].into_iter().for_each(|seq| rig.packet(0, seq, 1));
    [104, 103, 102].into_iter().for_each(|seq| rig.packet(1, seq, 1));
    assert_eq!((rig.arbiter.stats().duplicates, rig.arbiter.stats().reordered), (3, 3));
    rig.packet(0, 109, 0);
    assert_eq!(rig.arbiter.stats().reordered, 4);
    rig.take();
    rig.arbiter.finish(&mut rig.log);
    assert_eq!(
        rig.take(),
        ["lost 101+1", "102..103 @0", "103..104 @0", "104..105 @0", "lost 105+4", "beat 109"]
    );
    let stats = rig.arbiter.stats();
    assert_eq!((stats.lines[0].missing, stats.lines[1].missing), (5, 0));
}

#[test]
fn what_a_line_skipped_is_counted_by_its_messages() {
    let mut rig = Rig::new(ALONE);
    [100, 105].into_iter().for_each(|seq| rig.packet(2, seq, 1));
    (0..3).for_each(|_| rig.arbiter.note_bad(2));
    rig.arbiter.note_bad(3);
    let lines = &rig.arbiter.stats().lines;
    assert_eq!((lines[2].missing, lines[2].bad, lines[3].bad, lines[0].bad), (4, 3, 1, 0));
}

#[test]
fn what_a_line_brings_after_a_stray_far_ahead_of_it_is_not_missing() {
    let mut rig = Rig::new(ALONE);
    [0, 1].into_iter().for_each(|line| rig.packet(line, 100, 1));
    rig.packet(0, 1_000, 0);
    let counted = |rig: &Rig| (rig.arbiter.stats().lines[0].missing, rig.arbiter.line_so_far(0).missing);
    assert_eq!(counted(&rig), (899, 0), "nobody knows yet whether it goes on there");
    for seq in 101..1_000 {
        // One that it loses.
        if seq != 500 {
            rig.packet(0, seq, 1);
        }
        rig.packet(1, seq, 1);
        assert_eq!(rig.arbiter.line_so_far(0).missing, 0);
    }
    assert_eq!(counted(&rig), (1, 0));
    rig.packet(0, 1_000, 1);
    assert_eq!(counted(&rig), (1, 1), "it has gone on beyond what it said");
    assert_eq!((rig.arbiter.stats().stray_jumps, rig.arbiter.stats().lines[1].missing), (1, 0));
    // What it skips and goes on beyond is missing.
    [1_005, 1_006].into_iter().for_each(|seq| rig.packet(0, seq, 1));
    assert_eq!(counted(&rig), (5, 5));
}

#[test]
fn a_channel_accepts_its_own_session_and_before_it_any() {
    let mut rig = Rig::new(ALONE);
    let [one, two] = [1, 2].map(|n| SessionId([n; 10]));
    assert!(rig.arbiter.accepts(one) && rig.arbiter.accepts(two));
    rig.packet(0, 100, 1);
    assert!(rig.arbiter.accepts(one) && !rig.arbiter.accepts(two));
}

#[test]
fn the_last_number_that_a_session_may_reach_is_a_jump_and_the_next_is_none() {
    let mut rig = Rig::new(ALONE);
    rig.packet(0, 100, 1);
    rig.packet(0, 1 << 62, 1);
    assert_eq!(rig.arbiter.stats().implausible, 0);
    rig.packet(0, (1 << 62) + 1, 1);
    assert_eq!(rig.arbiter.stats().implausible, 1);
    rig.packet(0, 101, 1);
    assert_eq!(rig.arbiter.stats().stray_jumps, 1);
}

/// At the end of an input one packet is still no evidence, and of another session two are none.
#[test]
fn at_the_end_of_an_input_only_a_jump_told_of_twice_is_believed() {
    for (claims, lost) in [(1, false), (2, true)] {
        let mut rig = Rig::new(ALONE);
        rig.packet(0, 100, 1);
        (5_000..5_000 + claims).for_each(|seq| rig.packet(0, seq, 1));
        rig.arbiter.finish(&mut rig.log);
        assert_eq!(rig.take().contains(&"lost 101+4899".to_owned()), lost);
    }
    let mut rig = Rig::new(ALONE);
    rig.packet(0, 100, 1);
    [1, 2].into_iter().for_each(|seq| rig.take_in(0, &Rig::head(2, seq, 1)));
    rig.arbiter.finish(&mut rig.log);
    assert!(!rig.take().contains(&"session 2".to_owned()));
    assert_eq!((rig.arbiter.stats().stray_sessions, rig.arbiter.stats().sessions), (2, 1));
}

#[test]
fn the_newest_holes_are_remembered_and_no_more() {
    let mut rig = Rig::new(ArbiterConfig { slots: 0, ..ALONE });
    // Every other number is lost: 66 holes, of which two have to be forgotten.
    (0..67).for_each(|n| rig.packet(0, 101 + 2 * n, 1));
    assert_eq!(rig.arbiter.stats().gaps, 66);
    for (seq, late) in [(102, 0), (104, 0), (106, 1), (232, 2)] {
        rig.packet(1, seq, 1);
        assert_eq!(rig.arbiter.stats().late, late, "{seq}");
    }
    assert_eq!(rig.arbiter.stats().duplicates, 2);
}

/// A hole that came up while servers were asked is asked for in its turn, not only when its own time has come.
#[test]
fn what_comes_up_while_servers_are_asked_does_not_wait_for_its_own_time() {
    let mut rig = Rig::new(ArbiterConfig { timeout: Nanos(500), ..CONFIG });
    [100, 105, 106].into_iter().for_each(|seq| rig.packet(0, seq, 1));
    rig.pass(500);
    rig.pass(10);
    [110, 111].into_iter().for_each(|seq| rig.packet(0, seq, 1));
    rig.answer(&Rig::head(1, 101, 4));
    let asked = "ask 0 for 107+3".to_owned();
    assert!(rig.take().contains(&asked));
    rig.pass(99);
    assert!(rig.take().is_empty());
    rig.pass(1);
    assert_eq!(rig.take(), [asked], "again, since nobody answered");
}

/// It may be the first of a sequence that begins again: whatever is next, another line has to bring it.
#[test]
fn what_is_next_and_far_behind_its_own_line_is_no_jump() {
    let mut rig = Rig::new(ArbiterConfig { jump_max: 10, slots: 8, ..ALONE });
    rig.packet(1, 100, 1);
    [100, 110, 120, 130].into_iter().for_each(|seq| rig.packet(0, seq, 1));
    rig.packet(0, 101, 1);
    assert_eq!(rig.arbiter.next_seq(), 101);
    rig.packet(1, 101, 1);
    let stats = rig.arbiter.stats();
    assert_eq!((rig.arbiter.next_seq(), stats.stray_restarts, stats.stray_jumps), (102, 1, 0));
}

#[test]
fn a_request_is_unanswered_when_its_time_is_over_and_no_sooner() {
    let mut rig = Rig::asking();
    rig.pass(99);
    assert_eq!(rig.arbiter.stats().recovery.unanswered, 0);
    rig.pass(1);
    assert_eq!(rig.arbiter.stats().recovery.unanswered, 1);
}

#[test]
fn requests_cover_what_is_missing_once_and_are_given_up_with_what_came_otherwise() {
    let recovery = Some(RecoveryConfig { missing_max: 100, ..RECOVERY });
    let mut rig = Rig::new(ArbiterConfig { slots: 64, recovery, ..CONFIG });
    [100, 121, 122].into_iter().for_each(|seq| rig.packet(0, seq, 1));
    rig.pass(20);
    assert_eq!(rig.take()[3..], ["ask 0 for 101+8", "ask 0 for 109+8", "ask 0 for 117+4"]);
    rig.pass(1);
    assert!(rig.take().is_empty(), "all of it is asked for");
    assert_eq!(rig.arbiter.stats().recovery.requests, 3);
    // A part of the first: what is left of it is asked for again, and no more.
    rig.answer(&Rig::head(1, 101, 2));
    assert_eq!(rig.take(), ["101..103 @255", "ask 0 for 103+6"]);
    // A line brings the rest of it: only two requests are left to be answered.
    rig.packet(1, 103, 6);
    rig.pass(1);
    rig.pass(99);
    assert_eq!(rig.arbiter.stats().recovery.unanswered, 2);
}

#[test]
fn a_recovery_without_news_for_too_long_is_given_up_and_news_begin_the_time_again() {
    let recovery = Some(RecoveryConfig { tries_max: u32::MAX, give_up_after: Nanos(1_000), ..RECOVERY });
    let mut rig = Rig::new(ArbiterConfig { recovery, ..CONFIG });
    [100, 105, 106].into_iter().for_each(|seq| rig.packet(0, seq, 1));
    rig.pass(20);
    rig.pass(900);
    rig.answer(&Rig::head(1, 101, 1));
    rig.take();
    rig.pass(999);
    assert!(!rig.take().iter().any(|line| line.starts_with("lost")));
    rig.pass(1);
    assert!(rig.take().contains(&"lost 102+3".to_owned()));
    // One without any news, looked at in between.
    let mut rig = Rig::new(ArbiterConfig { recovery, ..CONFIG });
    [100, 105, 106].into_iter().for_each(|seq| rig.packet(0, seq, 1));
    [20, 500, 499].into_iter().for_each(|ns| rig.pass(ns));
    assert!(!rig.take().iter().any(|line| line.starts_with("lost")));
    rig.pass(1);
    assert!(rig.take().contains(&"lost 101+4".to_owned()));
}

#[test]
fn servers_that_do_not_answer_are_asked_in_turn() {
    let recovery = Some(RecoveryConfig { servers: 3, ..RECOVERY });
    let mut rig = Rig::new(ArbiterConfig { recovery, ..CONFIG });
    [100, 105, 106].into_iter().for_each(|seq| rig.packet(0, seq, 1));
    rig.pass(20);
    (0..8).for_each(|_| rig.pass(100));
    let told = rig.take();
    let asked: String =
        told.iter().filter_map(|line| line.strip_prefix("ask ")).map(|line| &line[..1]).collect();
    assert_eq!(asked, "012201120");
}

#[test]
fn what_recovery_went_through_adds_up() {
    let one = super::RecoveryStats {
        requests: 1,
        unanswered: 2,
        recovered: 4,
        bad_answers: 8,
        foreign_answers: 16,
        unasked_answers: 32,
        failed: 64,
    };
    let mut two = one;
    two.add(&one);
    two.add(&one);
    let wanted = super::RecoveryStats {
        requests: 3,
        unanswered: 6,
        recovered: 12,
        bad_answers: 24,
        foreign_answers: 48,
        unasked_answers: 96,
        failed: 192,
    };
    assert_eq!((two, two.refused()), (wanted, 168));
}

/// The slots are full: the first packet that waits has to go, and no other.
#[test]
fn full_slots_without_room_let_one_packet_go() {
    let mut rig = Rig::new(ArbiterConfig { slots: 2, ..ALONE });
    [100, 102, 103].into_iter().for_each(|seq| rig.packet(0, seq, 1));
    rig.take();
    rig.log.1 = 0;
    rig.packet(0, 105, 1);
    assert_eq!(rig.take(), ["lost 101+1", "102..103 @0"]);
    rig.log.1 = 9;
    rig.arbiter.finish(&mut rig.log);
    assert_eq!(rig.take(), ["103..104 @0", "lost 104+1", "105..106 @0"]);
}

#[test]
fn a_packet_is_believed_as_far_ahead_and_behind_as_the_bound_says() {
    let mut rig = Rig::new(ArbiterConfig { jump_max: 10, ..ALONE });
    (100..120).for_each(|seq| rig.packet(0, seq, 1));
    for (seq, duplicates) in [(110, 1), (109, 1)] {
        rig.packet(0, seq, 1);
        assert_eq!(rig.arbiter.stats().duplicates, duplicates, "{seq}");
    }
    let mut rig = Rig::new(ArbiterConfig { jump_max: 10, ..ALONE });
    rig.packet(0, 100, 1);
    rig.packet(0, 112, 1);
    assert!(!rig.arbiter.is_waiting());
    rig.packet(0, 111, 1);
    assert!(rig.arbiter.is_waiting());
}

/// Until servers are asked for what is missing before it, and have answered.
#[test]
fn what_a_doubted_jump_made_old_is_old_until_its_hole_is_filled() {
    let recovery = Some(RecoveryConfig { missing_max: 5_000, ..RECOVERY });
    let mut rig = Rig::new(ArbiterConfig { recovery, ..CONFIG });
    [100, 2_000, 2_001].into_iter().for_each(|seq| rig.packet(0, seq, 1));
    rig.pass(20);
    assert_eq!(rig.take().last().map(String::as_str), Some("recovering true"));
    rig.packet(0, 2_002, 1);
    assert!(rig.take().is_empty());
    rig.packet(1, 101, 1_899);
    assert_eq!(rig.take().last().map(String::as_str), Some("recovering false"));
}

/// Two told of it, and their line went on below it: it tells of it once more where it goes on beyond.
#[test]
fn a_hole_of_which_nobody_told_any_more_is_known_when_its_line_goes_on_beyond_it() {
    let mut rig = Rig::new(ALONE);
    [100, 105, 101, 107, 102].into_iter().for_each(|seq| rig.packet(0, seq, 1));
    rig.take();
    rig.pass(1_000);
    assert!(rig.take().is_empty());
    rig.packet(0, 109, 1);
    rig.pass(0);
    assert_eq!(rig.take(), ["lost 103+2", "105..106 @0"]);
}

/// Writes down when what was delivered became old, new, or disputed, by both clocks.
#[derive(Default)]
struct Times(Vec<(&'static str, u64, u64)>);

impl Deliver for Times {
    fn packet(&mut self, _: &Head, _: &[u8], _: u16, _: Arrival) {}
    fn hole(&mut self, _: Hole, _: Arrival) {}
    fn heartbeat(&mut self, _: &Head, _: Arrival) {}
    fn session(&mut self, _: SessionId, _: bool, _: Arrival) {}
    fn end_of_session(&mut self, _: Arrival) {}
    fn recovering(&mut self, begins: bool, arrival: Arrival) {
        self.0.push((if begins { "old" } else { "new" }, arrival.at.0, arrival.ts_recv.0));
    }
    fn contradicted(&mut self, arrival: Arrival) {
        self.0.push(("disputed", arrival.at.0, arrival.ts_recv.0));
    }
}

/// Stamps are a thousand later than arrivals.
#[test]
fn what_is_old_new_or_disputed_is_so_since_one_moment_by_both_clocks() {
    let config =
        ArbiterConfig { recovery: Some(RecoveryConfig { missing_max: 5_000, ..RECOVERY }), ..CONFIG };
    let run = |packets: &[(u8, u64, u16, &[u8], u64)], until: u64| {
        let (mut arbiter, mut times) = (Arbiter::new(config), Times::default());
        for (line, seq, count, payload, at) in packets {
            let arrival =
                Arrival { at: UnixNanos(*at), ts_recv: UnixNanos(1_000 + at), line: *line, offset: 0 };
            arbiter.on_time(arrival.at, &mut times);
            arbiter.on_packet(&Rig::head(1, *seq, *count), payload, arrival, &mut times);
        }
        arbiter.on_time(UnixNanos(until), &mut times);
        times.0
    };
    // Asked for since the first packet that waits for it, and whole since the last one.
    let filled: [(u8, u64, u16, &[u8], u64); 4] =
        [(0, 100, 1, b"p", 0), (0, 105, 1, b"p", 1), (0, 106, 1, b"p", 5), (0, 101, 4, b"p", 30)];
    assert_eq!(run(&filled, 30), [("old", 1, 1_001), ("new", 5, 1_005)]);
    // In doubt since the second packet had stood for as long as a hole may, and not for less than nothing.
    let doubted: [(u8, u64, u16, &[u8], u64); 8] = [
        (0, 100, 1, b"p", 0),
        (1, 100, 1, b"p", 0),
        (0, 2_000, 1, b"p", 2),
        (0, 2_001, 1, b"p", 3),
        (0, 2_002, 1, b"p", 4),
        (1, 2_000, 1, b"p", 31),
        (1, 101, 1_899, b"p", 40),
        (0, 2_003, 1, b"p", 41),
    ];
    assert_eq!(run(&doubted, 41), [("old", 23, 1_023), ("new", 23, 1_023)]);
    // Disputed when no copy has come in time.
    let disputed: [(u8, u64, u16, &[u8], u64); 4] =
        [(0, 100, 1, b"p", 0), (1, 100, 1, b"p", 0), (0, 101, 1, b"p", 1), (1, 101, 1, b"x", 2)];
    assert_eq!(run(&disputed, 50), [("disputed", 22, 1_022)]);
}

#[test]
fn what_is_asked_for_is_asked_for_again_though_its_line_goes_on_within_it() {
    let mut rig = Rig::asking();
    rig.packet(0, 102, 1);
    assert!(rig.take().is_empty());
    rig.pass(100);
    assert_eq!(rig.take(), ["ask 0 for 101+1", "ask 0 for 103+2"]);
}
