//! The receiver on simulated lines: what arrives, what is lost, and what the books are told.

use std::collections::{BTreeSet, VecDeque};

use dataplane::arbiter::{ArbiterConfig, LineStats, Start};
use dataplane::source::{Layer, Packet, SourceStatus};
use dataplane::{
    ChannelConfig, EventTx, Feed, FeedConfig, FeedKind, PacketSource, Receiver, ReceiverHops, SourceError,
};
use proptest::prelude::*;
use stage::{GapTx, HopHistogram, LiveClock, LosslessTx, OsClock, RingRx, Stage, WorkStatus, ring};
use types::{Action, BookEvent, ChannelWord, EndWord, GapCause, Nanos, Qty, UnixNanos};
use wire::frame::LinkType;

use crate::common::without_join;
use crate::wirekit::{LINES, SESSION, add, adds, end_of_session, frame, mold};

/// Frames that wait in memory, with the stamp they carry: a port that gives at most `burst` a poll, and has an end or not.
struct Port {
    frames: VecDeque<(u64, Vec<u8>)>,
    burst: usize,
    ends: bool,
}

impl PacketSource for Port {
    fn next_burst(
        &mut self,
        max: usize,
        mut sink: impl FnMut(Packet<'_>) -> bool,
    ) -> Result<SourceStatus, SourceError> {
        if self.ends && self.frames.is_empty() {
            return Ok(SourceStatus::End);
        }
        for _ in 0..max.min(self.burst) {
            let Some((ts, bytes)) = self.frames.pop_front() else { break };
            let layer = Layer::Frame(LinkType::Ethernet);
            if !sink(Packet { bytes: &bytes, ts: UnixNanos(ts), layer, offset: 0 }) {
                break;
            }
        }
        Ok(SourceStatus::Open)
    }

    fn name(&self) -> &str {
        "port"
    }
}

fn config() -> FeedConfig {
    FeedConfig {
        channels: vec![ChannelConfig { lines: LINES.to_vec() }],
        arbiter: ArbiterConfig { timeout: Nanos(1_000), ..ArbiterConfig::default() },
        ..FeedConfig::new(FeedKind::Itch50)
    }
}

/// A live receiver of these frames, all without stamps, and its ring.
fn live(
    payloads: &[(usize, Vec<u8>)],
    config: &FeedConfig,
    depth: usize,
) -> (Receiver<Port>, RingRx<BookEvent>) {
    let frames = payloads.iter().map(|(line, payload)| (0, frame(LINES[*line], payload))).collect();
    let (tx, rx) = ring(depth);
    let tx = EventTx::Live(GapTx::new(tx, 16));
    (Receiver::new("receiver", Port { frames, burst: 64, ends: false }, config, tx).unwrap(), rx)
}

fn drain(rx: &mut RingRx<BookEvent>) -> Vec<BookEvent> {
    let mut events = Vec::new();
    rx.drain(usize::MAX, |chunk| events.extend_from_slice(chunk));
    without_join(events)
}

/// Actions and sequence numbers.
fn brief(events: &[BookEvent]) -> Vec<(Action, u64)> {
    events.iter().map(|e| (e.action, e.seq.0)).collect()
}

#[test]
fn a_full_ring_costs_events_and_says_so() {
    let (mut receiver, mut rx) = live(&[(0, adds(1, 20))], &config(), 8);
    assert_eq!(receiver.poll(UnixNanos(5)).items, 1);
    let first = drain(&mut rx);
    assert_eq!(first.len(), 7, "and the word about the join");
    assert_eq!((first[0].action, first[6].seq.0), (Action::Define, 6));
    receiver.housekeep(UnixNanos(6));
    let gap = drain(&mut rx);
    assert_eq!((gap[0].action, gap[0].order_id, gap[0].seq.0, gap[0].aux), (Action::Gap, 7, 20, 14));
    assert_eq!(gap[0].qty, Qty(GapCause::RingFull as u32));
    let counters: Vec<_> = receiver.counters().iter().collect();
    assert!(counters.contains(&("lost_events", 14)) && counters.contains(&("messages", 20)));
    assert!(counters.contains(&("ring_gaps", 1)), "{counters:?}");
    assert!(counters.contains(&("lost_definitions", 0)), "the definition had room");
}

#[test]
fn a_definition_that_is_lost_for_good_is_counted_by_itself() {
    let (tx, _rx) = ring(1);
    let tx = EventTx::Live(GapTx::new(tx, 0));
    let frames = vec![(0, frame(LINES[0], &adds(1, 20)))].into();
    let mut receiver =
        Receiver::new("receiver", Port { frames, burst: 64, ends: false }, &config(), tx).unwrap();
    receiver.poll(UnixNanos(5));
    receiver.housekeep(UnixNanos(6));
    let counters: Vec<_> = receiver.counters().iter().collect();
    assert!(
        counters.contains(&("lost_events", 21)) && counters.contains(&("lost_definitions", 1)),
        "{counters:?}"
    );
}

/// The venue's clock stands still, a packet a second, and then the ring is full.
#[test]
fn what_is_said_of_a_late_channel_is_said_again_behind_a_full_ring() {
    // Midnight in New York.
    let at = |s: u64| UnixNanos((1_577_682_000 + s) * Nanos::SECOND.0 + 2_000);
    let stamped = |s, payload: &[u8]| (at(s).0, frame(LINES[0], payload));
    let frames = (0..12).map(|n| stamped(n, &adds(n + 1, 1))).chain([stamped(12, &adds(13, 30))]).collect();
    let (tx, mut rx) = ring(16);
    let tx = EventTx::Live(GapTx::new(tx, 16));
    let mut receiver =
        Receiver::new("receiver", Port { frames, burst: 1, ends: false }, &config(), tx).unwrap();
    let words = |rx: &mut RingRx<BookEvent>| {
        let events = drain(rx);
        let of_channel = events.iter().filter(|event| event.action == Action::Channel);
        of_channel.map(|event| ChannelWord::from_u64(event.aux)).collect::<Vec<_>>()
    };
    let mut said = Vec::new();
    for n in 0..12 {
        receiver.poll(at(n));
        said.extend(words(&mut rx));
    }
    assert_eq!(said, [ChannelWord::Late]);
    receiver.poll(at(12));
    assert_eq!(words(&mut rx), []);
    receiver.housekeep(at(12));
    assert_eq!(words(&mut rx), [ChannelWord::Heard, ChannelWord::Late]);
    receiver.housekeep(at(12));
    assert_eq!(words(&mut rx), [], "once");
    let counters: Vec<_> = receiver.counters().iter().collect();
    assert!(
        counters.contains(&("late_channels", 1)) && counters.contains(&("lag_ns", 10_999_999_960)),
        "{counters:?}"
    );
    assert_eq!((receiver.stats().late_spells, receiver.stats().longest_lag_ns), (1, 10_999_999_960));
}

/// A segment of IEX with one system event of this time, or a heartbeat where it has none.
fn segment(seq: u64, event: Option<UnixNanos>, sent: UnixNanos) -> Vec<u8> {
    let message =
        event.map(|at| [&[10, 0, b'S', b'R'][..], &at.0.to_le_bytes()].concat()).unwrap_or_default();
    let (length, count) = (message.len() as u16, u16::from(event.is_some()));
    let mut segment = vec![1, 0];
    segment.extend(wire::iex::PROTOCOL_DEEP_1_0.to_le_bytes());
    segment.extend([1_u32, 7].map(u32::to_le_bytes).concat());
    segment.extend([length, count].map(u16::to_le_bytes).concat());
    segment.extend([0, seq, sent.0].map(u64::to_le_bytes).concat());
    segment.extend(message);
    segment
}

#[test]
fn a_heartbeat_makes_no_channel_late_and_none_in_time() {
    let at = |tenths: u64| UnixNanos((1_577_682_000 + 34_200) * Nanos::SECOND.0 + tenths * 100_000_000);
    let ago = |now: UnixNanos, s: u64| UnixNanos(now.0 - s * Nanos::SECOND.0);
    let (mut frames, mut seq, mut tenth) = (VecDeque::new(), 1, 0);
    let mut sends = |count: u64, lag_s: Option<u64>, sent_lag_s: u64| {
        for _ in 0..count {
            tenth += 1;
            let now = at(tenth);
            let segment = segment(seq, lag_s.map(|s| ago(now, s)), ago(now, sent_lag_s));
            frames.push_back((now.0, frame(LINES[0], &segment)));
            seq += u64::from(lag_s.is_some());
        }
    };
    sends(20, Some(0), 0);
    // Sent an hour ago, as it says.
    sends(20, None, 3_600);
    sends(20, Some(60), 0);
    // Sent now.
    sends(20, None, 0);
    sends(1, Some(60), 0);
    sends(20, None, 0);
    sends(2, Some(0), 0);
    let config = FeedConfig { channels: config().channels, ..FeedConfig::new(FeedKind::Deep) };
    let (tx, mut rx) = ring(256);
    let mut receiver = Receiver::new(
        "receiver",
        Port { frames, burst: 1, ends: false },
        &config,
        EventTx::Live(GapTx::new(tx, 16)),
    )
    .unwrap();
    for tenth in 1..=tenth {
        receiver.poll(at(tenth));
    }
    let said: Vec<_> = drain(&mut rx)
        .iter()
        .filter(|event| event.action == Action::Channel)
        .map(|event| (ChannelWord::from_u64(event.aux), event.ts_recv))
        .collect();
    assert_eq!(said, [(ChannelWord::Late, at(48)), (ChannelWord::InTime, at(103))]);
}

/// The busy one of two channels falls a minute behind, for longer than the distance of any is remembered.
#[test]
fn a_late_channel_says_nothing_of_the_times_of_another() {
    let midnight = 1_577_682_000 * Nanos::SECOND.0;
    let at = |n: u64| UnixNanos(midnight + 34_200 * Nanos::SECOND.0 + n * 1_000_000);
    let add = |n: u64, lag: u64, seq: u64| {
        let since_midnight = at(n).0 - midnight - lag * Nanos::SECOND.0;
        wire::itch50::AddOrder::new(7, 0, since_midnight, seq, b'B', 100, *b"TEST    ", 10_000)
    };
    let mut next = [1, 1];
    let frames = (0..9_000).map(|n| {
        let channel = usize::from(n % 4 != 0);
        let lag = if channel == 1 && n > 100 { 60 } else { 0 };
        let seq = next[channel];
        next[channel] += 1;
        let message = wire::IntoBytes::as_bytes(&add(n, lag, seq)).to_vec();
        (at(n).0, frame(LINES[channel], &mold(SESSION, seq, &[message])))
    });
    let frames: VecDeque<_> = frames.collect();
    let channels = LINES.iter().map(|line| ChannelConfig { lines: vec![*line] }).collect();
    let config = FeedConfig { channels, ..config() };
    let (tx, mut rx) = ring(64);
    let tx = EventTx::Live(GapTx::new(tx, 16));
    let mut receiver =
        Receiver::new("receiver", Port { frames, burst: 1, ends: false }, &config, tx).unwrap();
    let (mut late, mut adds) = (Vec::new(), 0);
    for n in 0..9_000 {
        receiver.poll(at(n));
        for event in drain(&mut rx) {
            let lag = if event.channel == 1 && n > 100 { 60 } else { 0 };
            if event.action == Action::OrderAdd {
                adds += 1;
                assert_eq!(event.ts_event, UnixNanos(at(n).0 - lag * Nanos::SECOND.0), "{n}: {event:?}");
            } else if event.action == Action::Channel {
                late.push((event.channel, ChannelWord::from_u64(event.aux)));
            }
        }
    }
    assert_eq!((adds, receiver.stats().event_time_outliers()), (9_000, 0));
    assert_eq!(late, [(1, ChannelWord::Late)]);
}

#[test]
fn a_hole_turns_the_books_stale_once_its_time_is_up() {
    let (mut receiver, mut rx) = live(&[(0, adds(1, 1)), (0, adds(4, 1)), (0, adds(5, 1))], &config(), 64);
    receiver.poll(UnixNanos(100));
    assert_eq!(brief(&drain(&mut rx)), [(Action::Define, 1), (Action::OrderAdd, 1)]);
    // Nothing more arrives; only time passes.
    assert_eq!(receiver.poll(UnixNanos(1_099)).status, WorkStatus::Idle);
    assert!(drain(&mut rx).is_empty());
    receiver.poll(UnixNanos(1_100));
    let events = drain(&mut rx);
    assert_eq!(brief(&events), [(Action::Gap, 3), (Action::OrderAdd, 4), (Action::OrderAdd, 5)]);
    assert_eq!((events[0].order_id, events[0].aux, events[0].qty), (2, 2, Qty(GapCause::Sequence as u32)));
    let stats = receiver.stats();
    assert_eq!((stats.gaps, stats.missing, stats.messages, stats.first_seq, stats.last_seq), (1, 2, 3, 1, 5));
}

#[test]
fn heartbeats_and_the_end_of_a_session_become_events() {
    let beat = mold(SESSION, 3, &[]);
    let payloads =
        [(0, adds(1, 2)), (0, beat.clone()), (1, beat), (0, end_of_session(3)), (1, end_of_session(3))];
    let (mut receiver, mut rx) = live(&payloads, &config(), 64);
    receiver.poll(UnixNanos(100));
    let events = drain(&mut rx);
    let actions: Vec<_> = events.iter().map(|e| e.action).collect();
    let wanted =
        [Action::Define, Action::OrderAdd, Action::OrderAdd, Action::Time, Action::Time, Action::SessionEnd];
    assert_eq!(actions, wanted);
    assert_eq!(receiver.stats().heartbeats, 2);
    receiver.housekeep(UnixNanos(101));
    let counters: Vec<_> = receiver.counters().iter().collect();
    assert!(counters.contains(&("heartbeats", 2)) && counters.contains(&("sessions", 1)), "{counters:?}");
}

#[test]
fn a_damaged_message_costs_itself_and_the_trust_in_the_books() {
    let mut short = add(2);
    short.pop();
    let mut sideless = add(4);
    sideless[19] = b'?';
    let messages = [add(1), short, add(3), sideless, b"?unknown".to_vec(), add(6)];
    let (mut receiver, mut rx) = live(&[(0, mold(SESSION, 1, &messages))], &config(), 64);
    receiver.poll(UnixNanos(100));
    let events = drain(&mut rx);
    let wanted = [
        (Action::Define, 1),
        (Action::OrderAdd, 1),
        (Action::Gap, 2),
        (Action::OrderAdd, 3),
        (Action::OrderAdd, 6),
    ];
    assert_eq!(brief(&events), wanted);
    assert_eq!((events[2].qty, events[2].aux), (Qty(GapCause::Malformed as u32), 0));
    let stats = receiver.stats();
    assert_eq!((stats.messages, stats.bad_fields, stats.messages_unknown), (6, 1, 1));
    // The second message begins behind the headers (42), the packet's head (20), the first message and two lengths.
    let errors: Vec<_> = stats.errors().map(|(slug, e)| (slug, e.count, e.first_offset)).collect();
    assert_eq!(errors, [("bad_length", 1, 42 + 20 + 2 + 36 + 2)]);
}

#[test]
fn a_damaged_copy_is_filled_from_the_other_line() {
    let mut damaged = adds(2, 2);
    damaged.truncate(damaged.len() - 1);
    let payloads = [(0, adds(1, 1)), (0, damaged), (0, adds(4, 1)), (1, adds(2, 2))];
    let (mut receiver, mut rx) = live(&payloads, &config(), 64);
    receiver.poll(UnixNanos(100));
    let seqs: Vec<_> = drain(&mut rx).iter().skip(1).map(|e| (e.action, e.seq.0)).collect();
    assert_eq!(seqs, [1, 2, 3, 4].map(|n| (Action::OrderAdd, n)));
    let stats = receiver.stats();
    assert_eq!((stats.gaps, stats.errors_total(), stats.reordered), (0, 1, 1));
}

#[test]
fn traffic_of_other_groups_is_counted_and_left_alone() {
    let (mut receiver, mut rx) = live(&[(0, adds(1, 1)), (1, adds(1, 1))], &config(), 64);
    let single = FeedConfig { channels: vec![ChannelConfig { lines: vec![LINES[0]] }], ..config() };
    let (mut one_line, mut one_rx) = live(&[(0, adds(1, 1)), (1, adds(2, 1))], &single, 64);
    receiver.poll(UnixNanos(1));
    one_line.poll(UnixNanos(1));
    assert_eq!((drain(&mut rx).len(), drain(&mut one_rx).len()), (2, 2));
    assert_eq!((receiver.stats().other_traffic, receiver.stats().duplicates), (0, 1));
    assert_eq!((one_line.stats().other_traffic, one_line.stats().duplicates), (1, 0));
}

#[test]
fn lines_are_learnt_by_their_session() {
    let learning = FeedConfig { channels: Vec::new(), ..config() };
    let other_session = mold(*b"OTHER00001", 1, &[add(1)]);
    let payloads = [(0, adds(1, 2)), (1, other_session), (1, adds(2, 2)), (0, adds(4, 1))];
    let (mut receiver, mut rx) = live(&payloads, &learning, 64);
    receiver.poll(UnixNanos(1));
    assert_eq!(drain(&mut rx).len(), 5);
    let stats = receiver.stats();
    assert_eq!((stats.sessions, stats.other_traffic, stats.duplicates, stats.last_seq), (1, 1, 1, 4));
}

/// Orders whose references tell that they are of another telling of the same numbers.
fn retold(seq: u64, count: u64) -> Vec<u8> {
    mold(SESSION, seq, &(seq..seq + count).map(|n| add(1_000_000 + n)).collect::<Vec<_>>())
}

#[test]
fn a_session_that_begins_again_soon_in_other_packets_is_followed() {
    let single = FeedConfig { channels: vec![ChannelConfig { lines: vec![LINES[0]] }], ..config() };
    // The same messages in other packets are repeated, and others are not.
    let payloads = [
        (0, adds(1, 2)),
        (0, adds(3, 2)),
        (0, adds(1, 4)),
        (0, retold(1, 3)),
        (0, retold(4, 3)),
        (0, retold(7, 3)),
    ];
    let (mut receiver, mut rx) = live(&payloads, &single, 64);
    receiver.poll(UnixNanos(1));
    let stats = receiver.stats();
    assert_eq!((stats.restarts, stats.duplicates, stats.missing, stats.messages), (1, 4, 0, 4 + 9));
    let events = drain(&mut rx);
    let gaps: Vec<_> = events.iter().filter(|e| e.action == Action::Gap).map(|e| e.qty.0).collect();
    let [contradicted, changed] = [GapCause::Contradicted, GapCause::SessionChange].map(|cause| cause as u32);
    assert_eq!(gaps, [contradicted, changed]);
    let orders = events.iter().filter(|e| e.action == Action::OrderAdd).map(|e| e.order_id).skip(4);
    assert!(orders.eq((1..10).map(|n| 1_000_000 + n)), "all of the new telling");
}

#[test]
fn what_two_lines_say_differently_doubts_the_books() {
    let payloads = [
        (0, adds(1, 2)),
        (1, adds(1, 2)),
        (0, adds(3, 2)),
        (1, retold(3, 2)),
        (0, adds(5, 1)),
        (1, retold(4, 2)),
    ];
    let (mut receiver, mut rx) = live(&payloads, &config(), 64);
    receiver.poll(UnixNanos(1));
    assert!(drain(&mut rx).iter().all(|e| e.action != Action::Gap), "a copy that agrees may come");
    receiver.poll(UnixNanos(1_001));
    let gaps = drain(&mut rx).iter().filter(|e| e.action == Action::Gap).map(|e| e.qty.0).collect::<Vec<_>>();
    assert_eq!(gaps, [GapCause::Contradicted as u32], "also where they cut their packets differently");
    let stats = receiver.stats();
    assert_eq!((stats.dropped.contradicted, stats.duplicates, stats.gaps, stats.messages), (2, 2, 0, 5));
}

#[test]
fn one_forged_packet_under_a_delivered_number_leaves_the_books_alone() {
    // The real copy comes after it, whole or in other packets, or came before.
    for copies in [vec![adds(3, 2)], vec![adds(3, 1), adds(4, 1)]] {
        for before in 0..=copies.len() {
            let mut payloads = vec![(0, adds(1, 2)), (1, adds(1, 2)), (0, adds(3, 2))];
            payloads.extend(copies.iter().map(|copy| (1, copy.clone())));
            payloads.insert(3 + before, (1, retold(3, 2)));
            payloads.push((0, adds(5, 1)));
            let (mut receiver, mut rx) = live(&payloads, &config(), 64);
            receiver.poll(UnixNanos(1));
            receiver.poll(UnixNanos(1_001));
            let events = drain(&mut rx);
            assert!(events.iter().all(|e| e.action != Action::Gap), "{before} of {}", copies.len());
            let stats = receiver.stats();
            assert_eq!((stats.dropped.contradicted, stats.gaps, stats.messages), (1, 0, 5));
        }
    }
}

#[test]
fn books_are_old_while_a_jump_or_another_session_is_doubted() {
    for (session, seq) in [(SESSION, 1 << 30), (*b"TEST000002", 1)] {
        let claim = |seq| (0, mold(session, seq, &[add(1)]));
        let (mut receiver, mut rx) = live(&[(0, adds(1, 1)), claim(seq), claim(seq + 1)], &config(), 64);
        receiver.poll(UnixNanos(1_000));
        receiver.poll(UnixNanos(1_999));
        assert_eq!(drain(&mut rx).len(), 2, "they may be strays");
        receiver.poll(UnixNanos(2_000));
        let old = drain(&mut rx);
        assert_eq!((brief(&old), old[0].qty.0), (vec![(Action::Gap, 0)], GapCause::Recovering as u32));
        receiver.housekeep(UnixNanos(2_000));
        assert_eq!(receiver.counters().get(20), 1, "no status says that it is live");
    }
}

#[test]
fn a_session_that_breaks_off_is_a_gap() {
    let next = |seq| (0, mold(*b"TEST000002", seq, &[add(seq)]));
    let payloads = [(0, adds(5, 1)), next(1), next(2), next(3)];
    let (mut receiver, mut rx) = live(&payloads, &config(), 64);
    receiver.poll(UnixNanos(1));
    let events = drain(&mut rx);
    // Locates are given anew in a new session, so the instrument is defined again, under its number.
    let wanted = [(Action::OrderAdd, 5), (Action::Gap, 0), (Action::Define, 1), (Action::OrderAdd, 1)];
    assert_eq!(brief(&events[1..5]), wanted);
    assert_eq!(
        brief(&events[5..]),
        [(Action::OrderAdd, 2), (Action::OrderAdd, 3)],
        "none of the three is lost"
    );
    assert_eq!(events[3].instrument, events[0].instrument);
    assert_eq!(events[2].qty, Qty(GapCause::SessionChange as u32));
    assert_eq!(receiver.stats().sessions, 2);
}

#[test]
fn a_new_session_after_an_end_believes_no_book_of_the_last() {
    let next = |seq| (0, mold(*b"TEST000002", seq, &[add(seq)]));
    let end = || (0, end_of_session(2));
    let payloads = [(0, adds(1, 1)), end(), end(), end(), next(1), next(2), next(3)];
    let (mut receiver, mut rx) = live(&payloads, &config(), 64);
    receiver.poll(UnixNanos(1));
    let events = drain(&mut rx);
    let at = |action| events.iter().position(|e| e.action == action).unwrap();
    assert!(at(Action::SessionEnd) < at(Action::Gap), "{:?}", brief(&events));
    assert_eq!(events[at(Action::Gap)].qty, Qty(GapCause::SessionChange as u32));
}

#[test]
fn an_end_and_its_taking_back_are_said_and_counted() {
    let end = |line| (line, end_of_session(2));
    let payloads =
        [(0, adds(1, 1)), (1, adds(1, 1)), end(0), end(1), (0, adds(2, 1)), (1, adds(2, 1)), (0, adds(3, 1))];
    let (mut receiver, mut rx) = live(&payloads[..4], &config(), 64);
    receiver.poll(UnixNanos(1));
    receiver.housekeep(UnixNanos(1));
    let value = |receiver: &Receiver<Port>, name: &str| {
        receiver.counters().iter().find(|(known, _)| *known == name).map(|(_, n)| n)
    };
    let counted = ["ends", "ends_taken_back"];
    assert_eq!(counted.map(|name| value(&receiver, name)), [Some(1), Some(0)]);
    let words = |events: &[BookEvent]| -> Vec<u64> {
        events.iter().filter(|e| e.action == Action::SessionEnd).map(|e| e.aux).collect()
    };
    assert_eq!(words(&drain(&mut rx)), [EndWord::Channel as u64]);
    let (mut receiver, mut rx) = live(&payloads, &config(), 64);
    receiver.poll(UnixNanos(1));
    receiver.housekeep(UnixNanos(1));
    assert_eq!(counted.map(|name| value(&receiver, name)), [Some(1), Some(1)]);
    let events = drain(&mut rx);
    assert_eq!(words(&events), [EndWord::Channel as u64, EndWord::TakenBack as u64]);
    assert_eq!(events.last().map(|e| (e.action, e.seq.0)), Some((Action::OrderAdd, 3)));
    let stats = receiver.stats();
    assert_eq!((stats.ends, stats.ends_taken_back, stats.dropped.stray_ends, stats.gaps), (1, 1, 1, 0));
}

#[test]
fn strays_are_dropped_by_cause_and_lines_are_counted() {
    let stray = mold(*b"TEST000002", 1, &[]);
    let far = mold(SESSION, 1 << 40, &[]);
    let payloads =
        [(0, adds(1, 1)), (1, adds(1, 1)), (0, stray), (0, far), (0, end_of_session(2)), (0, adds(2, 2))];
    let mut damaged = adds(4, 1);
    damaged.pop();
    let payloads = [&payloads[..], &[(1, damaged), (1, adds(4, 1))]].concat();
    let (mut receiver, mut rx) = live(&payloads, &config(), 64);
    receiver.poll(UnixNanos(1));
    let adds: Vec<_> =
        drain(&mut rx).iter().filter(|e| e.action == Action::OrderAdd).map(|e| e.seq.0).collect();
    assert_eq!(adds, [1, 2, 3, 4]);
    let stats = receiver.stats();
    let dropped: Vec<_> = stats.dropped_by_cause().into_iter().filter(|(_, n)| *n > 0).collect();
    assert_eq!(dropped, [("stray_sessions", 1), ("stray_jumps", 1), ("stray_ends", 1)]);
    receiver.housekeep(UnixNanos(1));
    let counted = receiver.counters();
    let by_cause = counted.iter().filter_map(|(name, n)| Some((name.strip_prefix("dropped_")?, n)));
    assert!(by_cause.eq(stats.dropped_by_cause()), "each cause is a counter of its own, in their order");
    let lines: Vec<_> = stats.lines.iter().map(|l| (l.group, l.stats)).collect();
    assert_eq!(lines.iter().map(|l| l.0).collect::<Vec<_>>(), LINES);
    let brief = |s: LineStats| (s.packets, s.messages, s.won, s.missing, s.bad);
    assert_eq!([brief(lines[0].1), brief(lines[1].1)], [(3, 3, 3, 0, 0), (2, 2, 1, 2, 1)]);
}

#[test]
fn joining_late_is_a_loss_when_the_start_is_known() {
    let strict = FeedConfig {
        arbiter: ArbiterConfig { start: Start::At(1), timeout: Nanos(0), ..config().arbiter },
        ..config()
    };
    let (mut receiver, mut rx) = live(&[(0, adds(100, 1)), (0, adds(101, 1))], &strict, 64);
    receiver.poll(UnixNanos(1));
    let events = drain(&mut rx);
    let (define, add) = ((Action::Define, 100), |seq| (Action::OrderAdd, seq));
    assert_eq!(brief(&events), [(Action::Gap, 99), define, add(100), add(101)]);
    assert_eq!((events[0].order_id, events[0].aux), (1, 99));
}

#[test]
fn live_events_carry_stamps_and_hops_are_measured() {
    let start = stage::Clock::now(&OsClock);
    let clock = || LiveClock::Os(OsClock);
    let (nic_decode, mut nic_reader) = HopHistogram::new("nic-decode", start, 2);
    let (decode_ring, mut ring_reader) = HopHistogram::new("decode-ring", start, 2);
    let hops = ReceiverHops { clock: clock(), nic_decode, decode_ring, sample_every: 1, interval: Nanos(0) };
    let (receiver, mut rx) = live(&[(0, adds(1, 3))], &config(), 64);
    let mut receiver = receiver.with_hops(hops).with_publish_stamps(clock());
    receiver.poll(start);
    receiver.poll(stage::Clock::now(&OsClock));
    receiver.housekeep(stage::Clock::now(&OsClock));
    let events = drain(&mut rx);
    assert!(events.iter().all(|e| e.ts_recv == start && e.pub_delta_ns > 0), "{events:?}");
    for reader in [&mut nic_reader, &mut ring_reader] {
        let mut recorded = 0;
        let outcome: Result<usize, std::convert::Infallible> = reader.collect(|interval| {
            recorded += interval.histogram.len();
            Ok(())
        });
        // The second poll found no packet and measured nothing.
        assert_eq!((outcome, recorded), (Ok(1), 1), "{}", reader.hop());
    }
}

/// A port that plays a recording.
struct Recording(Port);

impl PacketSource for Recording {
    fn next_burst(
        &mut self,
        max: usize,
        sink: impl FnMut(Packet<'_>) -> bool,
    ) -> Result<SourceStatus, SourceError> {
        self.0.next_burst(max, sink)
    }

    fn name(&self) -> &str {
        self.0.name()
    }

    fn stamps_arrival(&self) -> bool {
        false
    }
}

/// Longest `nic_decode` of a burst that `port` stamped an hour ago, and the stamp its events carry.
fn stamped_an_hour_ago<S: PacketSource>(port: impl FnOnce(Port) -> S) -> (u64, UnixNanos) {
    let now = stage::Clock::now(&OsClock);
    let stamp = now.0 - 3_600 * Nanos::SECOND.0;
    let frames = [(stamp, frame(LINES[0], &adds(1, 3)))].into();
    let (nic_decode, mut reader) = HopHistogram::new("nic-decode", now, 2);
    let (decode_ring, _) = HopHistogram::new("decode-ring", now, 2);
    let clock = LiveClock::Os(OsClock);
    let hops = ReceiverHops { clock, nic_decode, decode_ring, sample_every: 1, interval: Nanos(0) };
    let (tx, mut rx) = ring(64);
    let source = port(Port { frames, burst: 64, ends: false });
    let tx = EventTx::Live(GapTx::new(tx, 64));
    let mut receiver = Receiver::new("receiver", source, &config(), tx).unwrap().with_hops(hops);
    receiver.poll(now);
    receiver.housekeep(stage::Clock::now(&OsClock));
    let mut longest = 0;
    let outcome: Result<usize, std::convert::Infallible> = reader.collect(|interval| {
        longest = interval.histogram.max();
        Ok(())
    });
    assert_eq!(outcome, Ok(1));
    (longest, drain(&mut rx)[0].ts_recv)
}

#[test]
fn a_recordings_stamps_are_the_events_and_no_latency() {
    let ago = |ts: UnixNanos| stage::Clock::now(&OsClock).since(ts).0 / Nanos::SECOND.0;
    let (live, stamp) = stamped_an_hour_ago(|port| port);
    // The histogram's range ends before an hour; what counts is that it is far from what a poll takes.
    assert!(live >= 1_000_000_000 && ago(stamp) >= 3_600, "{live} ns");
    let (recorded, stamp) = stamped_an_hour_ago(Recording);
    assert!((1..1_000_000_000).contains(&recorded), "{recorded} ns from the poll's begin");
    assert!(ago(stamp) >= 3_600, "the events keep the recording's stamp");
}

#[test]
fn in_a_replay_the_stamps_decide_what_is_late() {
    let at = |us: u64, seq| (us * 1_000, frame(LINES[0], &adds(seq, 1)));
    let run = |delay_us: u64| {
        let (tx, mut rx) = ring(64);
        let tx = EventTx::Replay(LosslessTx::new(tx));
        let frames = [at(10, 1), at(11, 3), at(11, 4), at(11 + delay_us, 2)].into();
        let mut receiver =
            Receiver::new("receiver", Port { frames, burst: 1, ends: true }, &config(), tx).unwrap();
        // The clock of the replay stands still all the while.
        while receiver.poll(UnixNanos(0)).status != WorkStatus::Done {}
        (brief(&drain(&mut rx)[2..]), receiver.stats().late)
    };
    let (add, gap) = (Action::OrderAdd, Action::Gap);
    assert_eq!(run(0), (vec![(add, 2), (add, 3), (add, 4)], 0));
    assert_eq!(run(1), (vec![(gap, 2), (add, 3), (add, 4)], 1), "the timeout is a microsecond");
}

/// A payload of `count` add orders in a datagram as large as that takes.
fn huge(seq: u64, count: u64) -> Vec<u8> {
    let mut payload = vec![0; 65_507];
    let mut packet = wire::moldudp64::PacketBuilder::new(&mut payload, SESSION, seq).unwrap();
    assert!((seq..seq + count).all(|n| packet.push(&add(n))));
    let len = packet.finish();
    payload.truncate(len);
    payload
}

#[test]
fn the_largest_datagrams_fit_however_small_the_ring() {
    const EACH: u64 = 1_720;
    let framed = |seq| {
        let mut frame = vec![0; 65_549];
        let source = std::net::SocketAddrV4::new(std::net::Ipv4Addr::new(10, 0, 0, 1), 26_000);
        let path = wire::frame::UdpPath::multicast([2, 0, 0, 0, 0, 1], source, LINES[0]);
        let len = path.write(&mut frame, &huge(seq, EACH)).unwrap();
        frame.truncate(len);
        (1, frame)
    };
    let frames = (0..64).map(|n| framed(n * EACH + 1)).collect();
    let (tx, mut rx) = ring(100);
    let tx = EventTx::Replay(LosslessTx::new(tx));
    let port = Port { frames, burst: 64, ends: true };
    let mut receiver = Receiver::new("receiver", port, &config(), tx).unwrap();
    let mut events = 0;
    while receiver.poll(UnixNanos(0)).status != WorkStatus::Done {
        events += rx.drain(usize::MAX, |_| ()) as u64;
    }
    events += rx.drain(usize::MAX, |_| ()) as u64;
    assert_eq!((receiver.stats().messages, events), (64 * EACH, 64 * EACH + 2));
}

#[test]
fn channels_that_give_up_together_do_so_within_the_buffer() {
    let group = |n: u8| std::net::SocketAddrV4::new(std::net::Ipv4Addr::new(233, 54, 12, n), 26_477);
    let channels = (0..32).map(|n| ChannelConfig { lines: vec![group(n)] }).collect();
    let config = FeedConfig { channels, ..config() };
    // On each channel the second message is lost and 60 full packets wait for it.
    let mut frames = VecDeque::new();
    for n in 0..32 {
        frames.push_back((0, frame(group(n), &adds(1, 1))));
        frames.extend((0..60).map(|p| (0, frame(group(n), &adds(3 + p * 30, 30)))));
    }
    let (tx, mut rx) = ring(1 << 17);
    let tx = EventTx::Live(GapTx::new(tx, 64));
    let mut receiver =
        Receiver::new("receiver", Port { frames, burst: 64, ends: false }, &config, tx).unwrap();
    while receiver.poll(UnixNanos(5)).status == WorkStatus::Busy {}
    assert_eq!(receiver.stats().messages, 32);
    for later in 0..40 {
        receiver.poll(UnixNanos(10_000 + later));
    }
    let stats = receiver.stats();
    assert_eq!((stats.messages, stats.gaps, stats.missing), (32 * 1_801, 32, 32));
    assert_eq!(drain(&mut rx).iter().filter(|e| e.action == Action::OrderAdd).count(), 32 * 1_801);
}

/// What becomes of one packet on one line: lost, or sent with this delay.
type Fate = Option<u64>;

fn fates() -> impl Strategy<Value = Vec<(u64, Fate, Fate)>> {
    let fate = || prop::option::weighted(0.85, 0_u64..400);
    prop::collection::vec((1_u64..6, fate(), fate()), 1..80)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Two lines with loss, skew and reordering, in a replay: each message that any line brought comes out once, in
    /// order, and each that none brought lies in exactly one gap event.
    #[test]
    fn every_message_becomes_an_event_or_lies_in_a_gap(packets in fates(), depth in 1_usize..40) {
        let mut frames = Vec::new();
        let mut brought = BTreeSet::new();
        let mut seq = 1;
        for (i, &(count, a, b)) in packets.iter().enumerate() {
            for (line, delay) in [(0, a), (1, b)] {
                let Some(delay) = delay else { continue };
                brought.extend(seq..seq + count);
                frames.push((1_000 + 100 * i as u64 + delay, frame(LINES[line], &adds(seq, count))));
            }
            seq += count;
        }
        frames.sort_by_key(|(ts, _)| *ts);
        let (tx, mut rx) = ring(depth);
        let tx = EventTx::Replay(LosslessTx::new(tx));
        let port = Port { frames: frames.into(), burst: 7, ends: true };
        let roomy = ArbiterConfig { start: Start::At(1), ..ArbiterConfig::default() };
        let config = FeedConfig { arbiter: roomy, ..config() };
        let mut receiver = Receiver::new("receiver", port, &config, tx).unwrap();
        let mut events = Vec::new();
        while receiver.poll(UnixNanos(0)).status != WorkStatus::Done {
            events.extend(drain(&mut rx));
        }
        events.extend(drain(&mut rx));
        let mut next = 1;
        for event in events.iter().filter(|e| e.action != Action::Define) {
            if event.action == Action::Gap {
                prop_assert_eq!(event.order_id, next);
                prop_assert!((next..next + event.aux).all(|n| !brought.contains(&n)));
                next += event.aux;
            } else {
                prop_assert_eq!((event.action, event.seq.0, event.order_id), (Action::OrderAdd, next, next));
                prop_assert!(brought.contains(&next));
                next += 1;
            }
        }
        prop_assert_eq!(next, brought.last().map_or(1, |last| last + 1));
    }
}
