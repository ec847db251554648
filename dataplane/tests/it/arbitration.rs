//! Arbitration against a naive oracle, over simulated pairs of lines that lose, repeat, delay and reorder packets.

use std::collections::{BTreeMap, BTreeSet};

use dataplane::arbiter::{Arbiter, ArbiterConfig, Arrival, Deliver, Hole, Start};
use dataplane::session::{Head, SessionId};
use proptest::prelude::*;
use types::{Nanos, UnixNanos};

/// What came out, in order.
#[derive(Default)]
struct Outcome {
    delivered: Vec<u64>,
    lost: Vec<u64>,
}

impl Outcome {
    /// The next number that may come out.
    fn next(&self) -> u64 {
        let last = |v: &Vec<u64>| v.last().map_or(1, |n| n + 1);
        last(&self.delivered).max(last(&self.lost))
    }
}

impl Deliver for Outcome {
    fn packet(&mut self, head: &Head, payload: &[u8], skip: u16, _arrival: Arrival) {
        assert_eq!(payload, payload_of(head.seq, head.count), "the payload belongs to its head");
        let first = head.seq + u64::from(skip);
        assert!(skip < head.count && first == self.next(), "{first} is not next");
        self.delivered.extend(first..head.next_seq());
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
}

fn payload_of(seq: u64, count: u16) -> Vec<u8> {
    (0..u64::from(count)).flat_map(|i| (seq + i).to_le_bytes()).collect()
}

/// One packet's fate on one line.
#[derive(Clone, Copy, Debug)]
struct Fate {
    lost: bool,
    repeated: bool,
    delay: u64,
}

fn fate() -> impl Strategy<Value = Fate> {
    (prop::bool::weighted(0.15), prop::bool::weighted(0.1), 0_u64..40)
        .prop_map(|(lost, repeated, delay)| Fate { lost, repeated, delay })
}

/// Packets of 0 to 4 messages, sent every 10 ns, with their fates on two lines; line B is behind by the skew.
fn story() -> impl Strategy<Value = (Vec<(u16, Fate, Fate)>, u64)> {
    (prop::collection::vec((0_u16..5, fate(), fate()), 1..120), 0_u64..60)
}

/// The arrivals of a story in order of time: time, line, first number, count.
fn arrivals(packets: &[(u16, Fate, Fate)], skew: u64) -> Vec<(u64, u8, u64, u16)> {
    let mut out = Vec::new();
    let mut seq = 1;
    for (i, &(count, a, b)) in packets.iter().enumerate() {
        for (line, fate, skew) in [(0, a, 0), (1, b, skew)] {
            let at = 10 * i as u64 + fate.delay + skew;
            if !fate.lost {
                out.push((at, line, seq, count));
                if fate.repeated {
                    out.push((at + 15, line, seq, count));
                }
            }
        }
        seq += u64::from(count);
    }
    out.sort_by_key(|&(at, line, ..)| (at, line));
    out
}

fn run(arrivals: &[(u64, u8, u64, u16)], config: ArbiterConfig) -> (Arbiter, Outcome) {
    let mut arbiter = Arbiter::new(config);
    let mut outcome = Outcome::default();
    for &(at, line, seq, count) in arrivals {
        let head = Head { session: SessionId::default(), seq, count, end: false, sent: UnixNanos(0) };
        let arrival = Arrival { at: UnixNanos(at), ts_recv: UnixNanos(at), line, offset: 0 };
        arbiter.on_packet(&head, &payload_of(seq, count), arrival, &mut outcome);
    }
    arbiter.finish(&mut outcome);
    (arbiter, outcome)
}

/// The oracle: every number that any copy brought, and the highest number that anybody heard of.
fn heard(arrivals: &[(u64, u8, u64, u16)]) -> (BTreeSet<u64>, u64) {
    let brought = arrivals.iter().flat_map(|&(_, _, seq, count)| seq..seq + u64::from(count)).collect();
    let end = arrivals.iter().map(|&(_, _, seq, count)| seq + u64::from(count)).max().unwrap_or(1);
    (brought, end)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// With room and time enough, what comes out is exactly what any line brought.
    #[test]
    fn nothing_that_arrived_is_lost_within_the_window((packets, skew) in story()) {
        let arrivals = arrivals(&packets, skew);
        let config = ArbiterConfig { slots: 256, slot_bytes: 64, timeout: Nanos(1_000_000), start: Start::At(1), ..ArbiterConfig::default() };
        let (arbiter, outcome) = run(&arrivals, config);
        let (brought, end) = heard(&arrivals);
        prop_assert_eq!(&outcome.delivered, &brought.iter().copied().collect::<Vec<_>>());
        let missing: Vec<u64> = (1..end).filter(|n| !brought.contains(n)).collect();
        prop_assert_eq!(&outcome.lost, &missing);
        prop_assert_eq!(arbiter.stats().late, 0);
    }

    /// Whatever the bounds: each number comes out once, in order, delivered or lost; copies add up.
    #[test]
    fn every_message_comes_out_once((packets, skew) in story(), slots in 0_usize..6, slot_bytes in 0_usize..40, timeout in 1_u64..80) {
        let arrivals = arrivals(&packets, skew);
        let config = ArbiterConfig { slots, slot_bytes, timeout: Nanos(timeout), start: Start::At(1), ..ArbiterConfig::default() };
        let (arbiter, outcome) = run(&arrivals, config);
        let (brought, end) = heard(&arrivals);
        let mut all: Vec<u64> = outcome.delivered.iter().chain(&outcome.lost).copied().collect();
        all.sort_unstable();
        prop_assert_eq!(all, (1..end).collect::<Vec<_>>());
        prop_assert!(outcome.delivered.iter().all(|n| brought.contains(n)));
        let stats = arbiter.stats();
        prop_assert_eq!(stats.delivered, outcome.delivered.len() as u64);
        prop_assert_eq!(stats.missing, outcome.lost.len() as u64);
        check_copies(&arrivals, &outcome, stats)?;
    }
}

/// Copies beyond the first are duplicates; copies of what was given up are late.
fn check_copies(
    arrivals: &[(u64, u8, u64, u16)],
    outcome: &Outcome,
    stats: &dataplane::arbiter::ArbiterStats,
) -> Result<(), TestCaseError> {
    let mut copies: BTreeMap<u64, u64> = BTreeMap::new();
    for &(_, _, seq, count) in arrivals {
        (seq..seq + u64::from(count)).for_each(|n| *copies.entry(n).or_default() += 1);
    }
    let of = |n: &u64| copies.get(n).copied().unwrap_or(0);
    let duplicates: u64 = outcome.delivered.iter().map(|n| of(n) - 1).sum();
    let late: u64 = outcome.lost.iter().map(of).sum();
    prop_assert_eq!((stats.duplicates, stats.late), (duplicates, late));
    Ok(())
}
