//! Instructions executed by the hot paths, counted by callgrind: the number that does not depend on who else uses the
//! machine, for noticing regressions. Not a time: misses cost nothing here.
//!
//! Needs valgrind and the runner of the same version as the crate: `cargo install gungraun-runner --version 0.20.0`. Without
//! them it says so and succeeds.
#![allow(unsafe_code)]

#[path = "support/attached.rs"]
mod attached;

/// The runner starts this very program again under valgrind with this argument.
const UNDER_VALGRIND: &str = "--gungraun-run";

fn main() {
    let counted_now = std::env::args().nth(1).is_some_and(|argument| argument == UNDER_VALGRIND);
    let missing = if counted_now { None } else { missing_tool() };
    match missing {
        Some(why) => println!("skipped: {why}"),
        None => counted::run(),
    }
}

fn missing_tool() -> Option<&'static str> {
    // The same order in which gungraun looks: a path fixed when this was compiled, then PATH.
    if option_env!("GUNGRAUN_RUNNER").is_none() && !on_path("gungraun-runner") {
        return Some("gungraun-runner not installed (cargo install gungraun-runner)");
    }
    (!on_path("valgrind")).then_some("valgrind not installed (Debian: apt-get install valgrind)")
}

fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

mod counted {
    use std::hint::black_box;

    use crate::attached::{INSTRUMENTS, InC, InRust, Way};
    use bench::day::{Day, DayConfig, FULL};
    use bench::gate_rig::{Beyond, GateRig, OPEN, STEP, cancelled, orders};
    use bench::line::{BookOptions, BookRig, Events, decode, events};
    use featurizer::{BookLimits, PageKind};
    use gate::OrderIntent;
    use gungraun::{library_benchmark, library_benchmark_group, main};
    use types::UnixNanos;
    use wire::framing::{Frames, write_message};
    use wire::itch50;

    /// Messages, or orders, in each count: divide by it.
    const COUNT: usize = 1_000;

    const DAY: DayConfig =
        DayConfig { symbols: 64, preload_orders: 4_000, segments: 1, segment: 4_000, ..FULL };

    /// The first [`COUNT`] messages of the day's flow that `wanted` says.
    fn messages(day: &Day, wanted: impl Fn(u8) -> bool) -> Vec<u8> {
        let mut out = vec![0; COUNT * 52];
        let mut at = 0;
        let flow = Frames::new(day.segment(0)).map(|frame| frame.expect("whole messages"));
        for message in flow.filter(|message| wanted(message[0])).take(COUNT) {
            at = write_message(&mut out, at, message).expect("no ITCH message is longer than 50 bytes");
        }
        out.truncate(at);
        out
    }

    fn flow() -> Vec<u8> {
        messages(&Day::generate(&DAY), |_| true)
    }

    fn decoder() -> (Events, Vec<u8>) {
        let day = Day::generate(&DAY);
        let mut decoder = Events::new();
        black_box(events(&mut decoder, day.preload()));
        (decoder, messages(&day, |_| true))
    }

    fn rig() -> (BookRig, Day) {
        let day = Day::generate(&DAY);
        let limits = BookLimits {
            instruments: 64,
            order_slots_log2: 14,
            side_orders: 1_024,
            far_levels: 1 << 14,
            pages: PageKind::Ordinary,
            ..BookLimits::default()
        };
        let mut rig = BookRig::with_limits(&limits, BookOptions::PRODUCT).expect("memory for small books");
        black_box(rig.run(day.preload()));
        (rig, day)
    }

    fn adds() -> (BookRig, Vec<u8>) {
        let (rig, day) = rig();
        (rig, messages(&day, |kind| kind == itch50::AddOrder::TYPE))
    }

    /// Deletions of the first orders of the preload, each of which is there.
    fn deletes() -> (BookRig, Vec<u8>) {
        let (rig, day) = rig();
        let mut out = vec![0; COUNT * 21];
        let mut at = 0;
        let live = Frames::new(day.preload()).filter_map(|frame| {
            match itch50::decode(frame.expect("whole messages")).expect("ITCH 5.0") {
                itch50::Msg::AddOrder(add) => Some((add.locate(), add.order_ref.get())),
                _ => None,
            }
        });
        for (locate, order) in live.take(COUNT) {
            let delete = itch50::OrderDelete::new(locate, 0, 0, order);
            at = write_message(&mut out, at, wire::IntoBytes::as_bytes(&delete)).expect("room for all");
        }
        out.truncate(at);
        (rig, out)
    }

    fn books() -> (BookRig, Vec<u8>) {
        let (rig, day) = rig();
        (rig, messages(&day, |_| true))
    }

    fn gate_rig(beyond: Beyond) -> (GateRig, Vec<OrderIntent>) {
        (GateRig::with(64, beyond), orders(64, COUNT, 42))
    }

    /// Each order with its time.
    fn gate_flow(beyond: Beyond) -> (GateRig, Vec<(OrderIntent, UnixNanos)>) {
        let (rig, orders) = gate_rig(beyond);
        let times = std::iter::successors(Some(OPEN), |now| Some(now.plus(STEP)));
        (rig, orders.into_iter().zip(times.skip(1)).collect())
    }

    /// An attached thread with one order behind it, and each order with its id and time.
    fn attached<W: Way>() -> (W, Vec<(W::Order, u64, UnixNanos)>) {
        let mut way = W::attach();
        let times = std::iter::successors(Some(OPEN), |now| Some(now.plus(STEP)));
        let all = orders(INSTRUMENTS, COUNT, 42);
        let first = OrderIntent { cl_ord_id: u64::MAX, ..all[0] };
        assert!(way.round_trip(&W::order(&first), first.cl_ord_id, OPEN), "it is acceptable");
        let flow = all.into_iter().zip(times.skip(1));
        let flow: Vec<_> = flow.map(|(order, now)| (W::order(&order), order.cl_ord_id, now)).collect();
        way.drain();
        (way, flow)
    }

    fn round_trips<W: Way>((mut way, flow): (W, Vec<(W::Order, u64, UnixNanos)>)) -> (usize, W) {
        let done = flow.iter().map(|(order, id, now)| usize::from(way.round_trip(order, *id, *now))).sum();
        assert_eq!(done, COUNT, "every order is acceptable");
        (black_box(done), way)
    }

    #[library_benchmark]
    #[bench::thousand(attached())]
    fn attached_in_rust(rig: (InRust, Vec<(OrderIntent, u64, UnixNanos)>)) -> (usize, InRust) {
        round_trips(rig)
    }

    #[library_benchmark]
    #[bench::thousand(attached())]
    fn attached_in_c(rig: (InC, Vec<(portcullis_gate::Order, u64, UnixNanos)>)) -> (usize, InC) {
        round_trips(rig)
    }

    #[library_benchmark]
    #[bench::thousand(flow())]
    fn itch_decode(bytes: Vec<u8>) -> (u64, Vec<u8>) {
        (black_box(decode(black_box(&bytes))), bytes)
    }

    #[library_benchmark]
    #[bench::thousand(decoder())]
    fn itch_to_events((mut decoder, bytes): (Events, Vec<u8>)) -> (u64, Events, Vec<u8>) {
        (black_box(events(&mut decoder, black_box(&bytes))), decoder, bytes)
    }

    #[library_benchmark]
    #[bench::thousand(adds())]
    fn book_add((mut rig, bytes): (BookRig, Vec<u8>)) -> (u64, BookRig, Vec<u8>) {
        (black_box(rig.run(black_box(&bytes))), rig, bytes)
    }

    #[library_benchmark]
    #[bench::thousand(deletes())]
    fn book_delete((mut rig, bytes): (BookRig, Vec<u8>)) -> (u64, BookRig, Vec<u8>) {
        (black_box(rig.run(black_box(&bytes))), rig, bytes)
    }

    #[library_benchmark]
    #[bench::thousand(books())]
    fn book_flow((mut rig, bytes): (BookRig, Vec<u8>)) -> (u64, BookRig, Vec<u8>) {
        (black_box(rig.run(black_box(&bytes))), rig, bytes)
    }

    #[library_benchmark]
    #[bench::thousand(gate_rig(Beyond::Nothing))]
    #[bench::account(gate_rig(Beyond::Account))]
    #[bench::repeats(gate_rig(Beyond::Repeats))]
    #[bench::money(gate_rig(Beyond::Money))]
    #[bench::exposure(gate_rig(Beyond::Exposure))]
    #[bench::kept(gate_rig(Beyond::Kept))]
    #[bench::levels(gate_rig(Beyond::Levels))]
    #[bench::activity(gate_rig(Beyond::Activity))]
    fn gate_check((gate_rig, orders): (GateRig, Vec<OrderIntent>)) -> (usize, GateRig, Vec<OrderIntent>) {
        let check = |order| usize::from(gate_rig.gate.check(black_box(order), OPEN).accepted());
        (black_box(orders.iter().map(check).sum()), gate_rig, orders)
    }

    #[library_benchmark]
    #[bench::thousand(gate_flow(Beyond::Nothing))]
    #[bench::account(gate_flow(Beyond::Account))]
    #[bench::repeats(gate_flow(Beyond::Repeats))]
    #[bench::money(gate_flow(Beyond::Money))]
    #[bench::exposure(gate_flow(Beyond::Exposure))]
    #[bench::kept(gate_flow(Beyond::Kept))]
    #[bench::levels(gate_flow(Beyond::Levels))]
    #[bench::activity(gate_flow(Beyond::Activity))]
    fn gate_reserve_settle(
        (mut gate_rig, orders): (GateRig, Vec<(OrderIntent, UnixNanos)>),
    ) -> (usize, GateRig, Vec<(OrderIntent, UnixNanos)>) {
        let mut reserved = 0;
        for (order, now) in &orders {
            let (_, reservation) = gate_rig.gate.reserve(black_box(order), *now);
            reserved += usize::from(reservation.is_some());
            black_box(gate_rig.gate.settle(cancelled(order.cl_ord_id)));
        }
        (black_box(reserved), gate_rig, orders)
    }

    library_benchmark_group!(
        name = line,
        benchmarks = [itch_decode, itch_to_events, book_add, book_delete, book_flow]
    );
    library_benchmark_group!(name = order, benchmarks = [gate_check, gate_reserve_settle]);
    library_benchmark_group!(name = thread, benchmarks = [attached_in_rust, attached_in_c]);

    // Makes a `main` of its own, private to this module.
    main!(library_benchmark_groups = [line, order, thread]);

    pub(crate) fn run() {
        main();
    }
}
