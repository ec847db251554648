//! From a halt to the last cancel at the venue.

use crate::fix::Fix;
use crate::ouch::Ouch;
use crate::street::{Firm, PATIENCE, ReadAt, Row, Shared, Speech, desk, run_gateway, run_venue};
use gate::{Breaker, BreakerCause, BreakerState};
use hdrhistogram::Histogram;
use stage::hist::latency_histogram;
use std::net::TcpListener;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Halts of a row.
const ROUNDS: u16 = 200;

/// Orders that are open at each.
const OPEN: [u32; 2] = [1, 100];

/// Between two looks at what the venue has read.
const PAUSE: Duration = Duration::from_micros(20);

/// Every row.
pub(crate) fn all() -> Vec<Row> {
    let mut rows = Vec::new();
    for orders in OPEN {
        rows.push((format!("kill-ouch-{orders}"), measure::<Ouch>(orders)));
        rows.push((format!("kill-fix-{orders}"), measure::<Fix>(orders)));
    }
    rows
}

fn wait(what: &str, firm: &mut Firm<impl Speech>, counter: &AtomicU64, wanted: u64) {
    let deadline = Instant::now() + PATIENCE;
    while counter.load(Ordering::Acquire) < wanted {
        assert!(Instant::now() < deadline, "waited in vain for {wanted} {what}");
        firm.hear();
        // Gateway and venue do not wait; whoever only looks on leaves them the CPU.
        std::thread::sleep(PAUSE);
    }
}

/// One row: `orders` rest, a halt is latched, all of them are cancelled; again and again.
fn measure<S: Speech>(orders: u32) -> Histogram<u64> {
    let shared = Shared::new();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let venue_at = listener.local_addr().expect("a port");
    let read_at: ReadAt = [].into();
    let mut desk = desk();
    let venue = run_venue::<S>(listener, true, &shared, &read_at);
    let (listen, gateway) = run_gateway::<S>(&desk.socket, venue_at, &shared);
    let mut firm = Firm::<S>::log_in(listen);
    let mut next = firm.begin(1, &shared);
    let mut histogram = latency_histogram();
    // The first round clears what the beginning left open, and is not counted.
    for round in 0..=ROUNDS {
        settle(&mut firm);
        let (before, cancelled) =
            (shared.orders.load(Ordering::Acquire), shared.cancels.load(Ordering::Acquire));
        let wanted = if round == 0 { 0 } else { orders };
        for _ in 0..wanted {
            let order = firm.order(next);
            firm.send(&order);
            next += 1;
        }
        wait("orders", &mut firm, &shared.orders, before + u64::from(wanted));
        let episode = round + 1;
        let at = shared.ns();
        desk.set_breaker(Breaker { state: BreakerState::Tripped, cause: BreakerCause::Officer, episode });
        wait("cancels", &mut firm, &shared.cancels, cancelled + u64::from(wanted.max(1)));
        let last = shared.cancelled_at.load(Ordering::Relaxed);
        if round > 0 {
            histogram.record(last.saturating_sub(at).max(1)).expect("within the histogram's range");
        }
        settle(&mut firm);
        desk.drain();
        desk.set_breaker(Breaker { state: BreakerState::Open, cause: BreakerCause::Boot, episode: 0 });
    }
    shared.stop.store(true, Ordering::Relaxed);
    [venue, gateway].into_iter().for_each(|thread| thread.join().expect("a thread that ends well"));
    histogram
}

/// What is on its way arrives, and the gateway looks at the word again.
fn settle(firm: &mut Firm<impl Speech>) {
    let end = Instant::now() + Duration::from_millis(10);
    while Instant::now() < end {
        firm.hear();
        std::thread::sleep(PAUSE);
    }
}
