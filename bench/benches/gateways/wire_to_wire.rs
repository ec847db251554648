//! From when an order is due to when the venue has read it.

use crate::fix::Fix;
use crate::ouch::Ouch;
use crate::street::{Firm, ReadAt, Row, Shared, Speech, desk, drain, run_gateway, run_relay, run_venue};
use hdrhistogram::Histogram;
use stage::hist::latency_histogram;
use std::net::TcpListener;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Orders a second, and how many: the second load is a burst, since no officer can let more than 20,000 a second through for long.
const LOADS: [(u64, u32); 2] = [(10_000, 50_000), (100_000, 60_000)];

/// The first share of the orders warms up, and is not counted: one in so many.
const WARM_UP: u32 = 10;

/// Orders at most before the first one passes.
const PROBES: u32 = 2_000;

/// How long the last order may take.
const LAST_ORDER: Duration = Duration::from_secs(10);

/// Every row, and what is to be said beside the table.
pub(crate) fn all() -> (Vec<Row>, Vec<String>) {
    let (mut rows, mut told) = (Vec::new(), Vec::new());
    for (rate, count) in LOADS {
        let mut row = |name: String, (histogram, line): (Histogram<u64>, String)| {
            told.push(format!("{name}: {line}"));
            rows.push((name, histogram));
        };
        row(format!("relay-ouch-{rate}"), measure::<Ouch>(false, rate, count));
        row(format!("gateway-ouch-{rate}"), measure::<Ouch>(true, rate, count));
        row(format!("relay-fix-{rate}"), measure::<Fix>(false, rate, count));
        row(format!("gateway-fix-{rate}"), measure::<Fix>(true, rate, count));
    }
    (rows, told)
}

/// One row: its latencies, and how many of its orders came.
fn measure<S: Speech>(gated: bool, rate: u64, count: u32) -> (Histogram<u64>, String) {
    let shared = Shared::new();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let venue_at = listener.local_addr().expect("a port");
    let read_at: ReadAt = (0..=count + PROBES).map(|_| AtomicU64::new(0)).collect();
    let desk = desk();
    let socket = desk.socket.clone();
    let threads = [run_venue::<S>(listener, false, &shared, &read_at), drain(desk, &shared)];
    let (listen, between) =
        if gated { run_gateway::<S>(&socket, venue_at, &shared) } else { run_relay(venue_at, &shared) };
    let mut firm = Firm::<S>::log_in(listen);
    let first = firm.begin(1, &shared);
    let orders: Vec<Vec<u8>> = (first..first + count).map(|number| firm.order(number)).collect();
    let (begin, gap) = (shared.ns() + 1_000_000, 1_000_000_000 / rate);
    let due = |number: u32| begin + u64::from(number - first) * gap;
    let mut next = first;
    while next < first + count {
        // All that is due by now, in one piece where several are.
        let mut bytes = Vec::new();
        while next < first + count && due(next) <= shared.ns() {
            bytes.extend_from_slice(&orders[(next - first) as usize]);
            next += 1;
        }
        firm.send(&bytes);
        firm.hear();
    }
    let all = || {
        read_at[first as usize..(first + count) as usize]
            .iter()
            .filter(|at| at.load(Ordering::Relaxed) > 0)
            .count()
    };
    let deadline = Instant::now() + LAST_ORDER;
    while all() < count as usize && Instant::now() < deadline {
        firm.hear();
    }
    shared.stop.store(true, Ordering::Relaxed);
    threads.into_iter().chain([between]).for_each(|thread| thread.join().expect("a thread that ends well"));
    let mut histogram = latency_histogram();
    for number in first + count / WARM_UP..first + count {
        let at = read_at[number as usize].load(Ordering::Relaxed);
        if at > 0 {
            histogram.record(at.saturating_sub(due(number)).max(1)).expect("within the histogram's range");
        }
    }
    (histogram, format!("{} of {count} orders came", all()))
}
