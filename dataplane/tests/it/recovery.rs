//! Recovery against a naive oracle: whatever two lines lose, and whatever the servers answer, every message comes once and in order
//! or is said to be lost, nothing that a server made up comes at all, and with one server that answers nothing is lost.

use std::collections::BTreeSet;

use dataplane::arbiter::{
    Arbiter, ArbiterConfig, Arrival, Deliver, Hole, REQUESTS_MAX, RecoveryConfig, Request, Start,
};
use dataplane::session::{Head, SessionId};
use proptest::prelude::*;
use types::{Nanos, UnixNanos};

const SESSION: SessionId = SessionId([1; 10]);
/// Time between two looks at the clock.
const STEP: u64 = 10;

/// What a server does with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Server {
    /// Answers with at most so many messages, after so long.
    Honest { messages: u16, delay: u64 },
    /// Answers every other request only.
    Lossy,
    /// Never answers.
    Silent,
    /// Answers of another session.
    OtherSession,
    /// Answers with messages further on than those asked for.
    OtherSequence,
    /// Answers with messages that nobody has sent yet.
    Future,
    /// Bytes that are no packet.
    Garbage,
    /// Repeats what everybody has.
    Past,
}

/// What came out, in order.
#[derive(Default)]
struct Outcome {
    delivered: Vec<u64>,
    lost: Vec<u64>,
    requests: Vec<Request>,
    recovering: bool,
    /// How many of the packets that waited may still go on in this call.
    room: usize,
}

impl Outcome {
    fn next(&self) -> u64 {
        let last = |v: &Vec<u64>| v.last().map_or(1, |n| n + 1);
        last(&self.delivered).max(last(&self.lost))
    }
}

impl Deliver for Outcome {
    fn packet(&mut self, head: &Head, payload: &[u8], skip: u16, _arrival: Arrival) {
        assert_eq!(payload, payload_of(head.seq, head.count), "what the venue sent, and nothing else");
        let first = head.seq + u64::from(skip);
        assert!(skip < head.count && first == self.next(), "{first} is not next");
        self.delivered.extend(first..head.next_seq());
        self.room = self.room.saturating_sub(1);
    }
    fn hole(&mut self, hole: Hole, _arrival: Arrival) {
        assert!(hole.count > 0 && hole.first == self.next());
        self.lost.extend(hole.first..hole.first + hole.count);
    }
    fn heartbeat(&mut self, head: &Head, _arrival: Arrival) {
        assert_eq!(head.seq, self.next(), "a heartbeat only counts when nothing is missing");
    }
    fn session(&mut self, _session: SessionId, _interrupted: bool, _arrival: Arrival) {}
    fn end_of_session(&mut self, _arrival: Arrival) {}
    fn request(&mut self, request: Request) {
        assert_eq!(request.session, SESSION);
        assert!(request.count > 0 && request.first >= self.next(), "{request:?} asks for what is there");
        self.requests.push(request);
    }
    fn recovering(&mut self, begins: bool, _arrival: Arrival) {
        assert_ne!(self.recovering, begins, "said once");
        self.recovering = begins;
    }
    fn has_room(&self) -> bool {
        self.room > 0
    }
}

fn payload_of(seq: u64, count: u16) -> Vec<u8> {
    (0..u64::from(count)).flat_map(|i| (seq + i).to_le_bytes()).collect()
}

fn head(session: SessionId, seq: u64, count: u16) -> Head {
    Head { session, seq, count, end: false, sent: UnixNanos(0) }
}

/// What a server sends; none is garbage.
type Answered = Option<(Head, Vec<u8>)>;

/// The arbiter, the servers, and answers under way.
struct Rig {
    arbiter: Arbiter,
    outcome: Outcome,
    servers: Vec<Server>,
    /// Time of arrival, server, answer.
    answers: Vec<(u64, u8, Answered)>,
    asked: usize,
    now: u64,
}

impl Rig {
    fn new(config: ArbiterConfig, servers: &[Server]) -> Self {
        let arbiter = Arbiter::new(config);
        Self {
            arbiter,
            outcome: Outcome::default(),
            servers: servers.to_vec(),
            answers: vec![],
            asked: 0,
            now: 1,
        }
    }

    fn packet(&mut self, line: u8, seq: u64, count: u16, room: usize) {
        let at = UnixNanos(self.now);
        self.outcome.room = room;
        let arrival = Arrival { at, ts_recv: at, line, offset: 0 };
        let payload = payload_of(seq, count);
        self.arbiter.on_packet(&head(SESSION, seq, count), &payload, arrival, &mut self.outcome);
    }

    /// Moves time on, takes answers in and requests to their servers.
    fn step(&mut self, sent: u64, room: usize) {
        self.now += STEP;
        let at = UnixNanos(self.now);
        self.outcome.room = room;
        self.arbiter.on_time(at, &mut self.outcome);
        let (due, later): (Vec<_>, Vec<_>) = self.answers.drain(..).partition(|answer| answer.0 <= self.now);
        self.answers = later;
        for (_, server, answer) in due {
            let arrival = Arrival { at, ts_recv: at, line: 0, offset: 0 };
            match answer {
                None => self.arbiter.note_bad_answer(),
                Some((head, payload)) => {
                    self.arbiter.on_answer(&head, &payload, server, arrival, &mut self.outcome);
                }
            }
        }
        for request in std::mem::take(&mut self.outcome.requests) {
            self.asked += 1;
            let Request { first, count, server, .. } = request;
            assert!(first + u64::from(count) <= sent + 1, "nobody has shown that there is so much");
            let answer =
                |session, first, count| Some((head(session, first, count), payload_of(first, count)));
            let (delay, answer) = match self.servers[usize::from(server)] {
                Server::Honest { messages, delay } => (delay, answer(SESSION, first, count.min(messages))),
                Server::Lossy if self.asked.is_multiple_of(2) => (1, answer(SESSION, first, count.min(7))),
                Server::Lossy | Server::Silent => continue,
                Server::OtherSession => (1, answer(SessionId([9; 10]), first, count)),
                Server::OtherSequence => (1, answer(SESSION, first + 1_000_000, count)),
                Server::Future => (1, answer(SESSION, sent + 1, 3)),
                Server::Garbage => (1, None),
                Server::Past => (1, answer(SESSION, 1, 1)),
            };
            self.answers.push((self.now + delay, server, answer));
        }
    }
}

fn liar() -> impl Strategy<Value = Server> {
    prop::sample::select(vec![
        Server::Silent,
        Server::OtherSession,
        Server::OtherSequence,
        Server::Future,
        Server::Garbage,
        Server::Past,
    ])
}

fn honest() -> impl Strategy<Value = Server> {
    prop_oneof![
        3 => (1_u16..20, 0_u64..60).prop_map(|(messages, delay)| Server::Honest { messages, delay }),
        1 => Just(Server::Lossy),
    ]
}

/// Of each packet: messages, which line loses it, whether it is repeated, and how many steps pass after it.
type Fate = (u16, [bool; 2], bool, u8);

fn fates() -> impl Strategy<Value = Vec<Fate>> {
    let lost = || prop::bool::weighted(0.3);
    prop::collection::vec((1_u16..5, [lost(), lost()], any::<bool>(), 0_u8..4), 1..120)
}

fn config(servers: usize, slots: usize) -> ArbiterConfig {
    ArbiterConfig {
        slots,
        slot_bytes: 256,
        timeout: Nanos(20),
        start: Start::At(1),
        recovery: Some(RecoveryConfig {
            servers: servers as u8,
            request_messages: 8,
            answer_within: Nanos(100),
            tries_max: 6,
            give_up_after: Nanos(20_000),
            missing_max: 10_000,
        }),
        ..ArbiterConfig::default()
    }
}

/// Sends packets over two lines; the last three are lost nowhere.
fn play(rig: &mut Rig, fates: &[Fate], room: usize) -> u64 {
    let mut seq = 1;
    let quiet = (1, [false, false], false, 3);
    for &(count, lost, repeated, steps) in fates.iter().chain(&[quiet; 3]) {
        for (line, lost) in (0..).zip(lost) {
            for _ in 0..=u8::from(repeated) {
                if !lost {
                    rig.packet(line, seq, count, room);
                }
            }
        }
        seq += u64::from(count);
        (0..steps).for_each(|_| rig.step(seq - 1, room));
    }
    (0..5_000).for_each(|_| rig.step(seq - 1, room));
    seq - 1
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Any loss on both lines, any liars beside one server that answers: all comes, in order, once.
    #[test]
    fn with_one_server_that_answers_nothing_is_lost(
        fates in fates(),
        (liars, honest, at) in (prop::collection::vec(liar(), 0..3), honest(), 0_usize..4),
        room in 1_usize..4,
    ) {
        let mut servers = liars;
        servers.insert(at.min(servers.len()), honest);
        let mut rig = Rig::new(config(servers.len(), 512), &servers);
        let last = play(&mut rig, &fates, room);
        prop_assert_eq!(&rig.outcome.delivered, &(1..=last).collect::<Vec<_>>());
        prop_assert!(rig.outcome.lost.is_empty() && !rig.outcome.recovering);
        let stats = rig.arbiter.stats();
        let brought: u64 = stats.lines.iter().map(|line| line.won).sum();
        prop_assert_eq!(stats.recovery.recovered + brought, last);
        prop_assert_eq!((stats.recovery.failed, stats.gaps), (0, 0));
    }

    /// Nobody but liars, or too few slots: every message is delivered or said to be lost, once; what a line brought in time and
    /// what no server can have made up is all that comes; and the recovery is over in the end.
    #[test]
    fn without_one_all_that_is_lost_is_said(
        fates in fates(),
        servers in prop::collection::vec(prop_oneof![3 => liar(), 1 => honest()], 1..4),
        (slots, room) in (1_usize..8, 1_usize..4),
    ) {
        let mut rig = Rig::new(config(servers.len(), slots), &servers);
        let last = play(&mut rig, &fates, room);
        prop_assert!(!rig.outcome.recovering && !rig.arbiter.is_waiting());
        let told: BTreeSet<u64> = rig.outcome.delivered.iter().chain(&rig.outcome.lost).copied().collect();
        prop_assert_eq!(told.len(), rig.outcome.delivered.len() + rig.outcome.lost.len());
        prop_assert_eq!(told, (1..=last).collect::<BTreeSet<_>>());
        let stats = rig.arbiter.stats();
        prop_assert_eq!(stats.missing, rig.outcome.lost.len() as u64);
        prop_assert!(stats.recovery.failed >= stats.gaps);
    }
}

#[test]
fn requests_are_bounded_and_wait_for_their_answers() {
    let mut rig = Rig::new(config(1, 64), &[Server::Silent]);
    rig.packet(0, 1, 1, 9);
    for seq in [900, 901] {
        rig.packet(0, seq, 1, 9);
    }
    (0..3).for_each(|_| rig.step(901, 9));
    assert_eq!(rig.asked, REQUESTS_MAX);
    (0..5).for_each(|_| rig.step(901, 9));
    assert_eq!(rig.asked, REQUESTS_MAX, "their time is not over");
    assert!(rig.outcome.recovering);
    (0..200).for_each(|_| rig.step(901, 9));
    assert_eq!(rig.outcome.lost, (2..900).collect::<Vec<_>>(), "a server that never answers is left");
    assert_eq!(rig.arbiter.stats().recovery.unanswered, 6 * REQUESTS_MAX as u64);
    assert!(!rig.outcome.recovering);
}

#[test]
fn a_hole_that_nobody_could_fill_in_time_is_not_asked_for() {
    let mut rig = Rig::new(config(1, 64), &[Server::Honest { messages: 8, delay: 1 }]);
    for seq in [20_000, 20_001] {
        rig.packet(0, seq, 1, 9);
    }
    (0..4).for_each(|_| rig.step(20_001, 9));
    assert_eq!((rig.asked, rig.outcome.lost.len()), (0, 19_999));
    assert!(!rig.outcome.recovering);
}

#[test]
fn a_join_in_mid_session_is_a_hole_from_the_beginning() {
    let mut rig = Rig::new(config(1, 64), &[Server::Honest { messages: 8, delay: 1 }]);
    for seq in [5_000, 5_001] {
        rig.packet(0, seq, 1, 9);
    }
    (0..600).for_each(|_| rig.step(5_001, 9));
    assert_eq!(rig.outcome.delivered, (1..=5_001).collect::<Vec<_>>());
}
