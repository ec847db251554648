//! Instructions executed by the hot paths, counted by callgrind: the number that does not depend on who else uses the
//! machine, for noticing regressions. Not a time: misses cost nothing here.
//!
//! Needs valgrind and the runner of the same version as the crate: `cargo install gungraun-runner --version 0.20.0`. Without
//! them it says so and succeeds.
#![allow(unsafe_code)]

#[path = "../../benches/support/attached.rs"]
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
    use bench::gate_rig::{Beyond, GateRig, OPEN, STEP, cancelled, orders};
    use bench::line::{BookRig, Events, decode, events};
    use bench_instructions::{COUNT, adds, books, decoder, deletes, flow, gate_flow, gate_rig};
    use gate::OrderIntent;
    use gungraun::{
        Callgrind, EventKind, LibraryBenchmarkConfig, library_benchmark, library_benchmark_group, main,
    };
    use types::UnixNanos;

    /// What a row took when it was last looked at: 2 % more is a failure, and wants a reason and a number of its own.
    fn counted(instructions: u64) -> LibraryBenchmarkConfig {
        let most = instructions + instructions / 50;
        let mut callgrind = Callgrind::default();
        callgrind.hard_limits([(EventKind::Ir, most)]);
        let mut config = LibraryBenchmarkConfig::default();
        config.tool(callgrind);
        config
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
    #[bench::thousand(args = (attached()), config = counted(1_480_589))]
    fn attached_in_rust(rig: (InRust, Vec<(OrderIntent, u64, UnixNanos)>)) -> (usize, InRust) {
        round_trips(rig)
    }

    #[library_benchmark]
    #[bench::thousand(args = (attached()), config = counted(1_759_754))]
    fn attached_in_c(rig: (InC, Vec<(portcullis_gate::Order, u64, UnixNanos)>)) -> (usize, InC) {
        round_trips(rig)
    }

    #[library_benchmark]
    #[bench::thousand(args = (flow()), config = counted(60_166))]
    fn itch_decode(bytes: Vec<u8>) -> (u64, Vec<u8>) {
        (black_box(decode(black_box(&bytes))), bytes)
    }

    #[library_benchmark]
    #[bench::thousand(args = (decoder()), config = counted(114_577))]
    fn itch_to_events((mut decoder, bytes): (Events, Vec<u8>)) -> (u64, Events, Vec<u8>) {
        (black_box(events(&mut decoder, black_box(&bytes))), decoder, bytes)
    }

    #[library_benchmark]
    #[bench::thousand(args = (adds()), config = counted(436_865))]
    fn book_add((mut rig, bytes): (BookRig, Vec<u8>)) -> (u64, BookRig, Vec<u8>) {
        (black_box(rig.run(black_box(&bytes))), rig, bytes)
    }

    #[library_benchmark]
    #[bench::thousand(args = (deletes()), config = counted(408_653))]
    fn book_delete((mut rig, bytes): (BookRig, Vec<u8>)) -> (u64, BookRig, Vec<u8>) {
        (black_box(rig.run(black_box(&bytes))), rig, bytes)
    }

    #[library_benchmark]
    #[bench::thousand(args = (books()), config = counted(441_337))]
    fn book_flow((mut rig, bytes): (BookRig, Vec<u8>)) -> (u64, BookRig, Vec<u8>) {
        (black_box(rig.run(black_box(&bytes))), rig, bytes)
    }

    #[library_benchmark]
    #[bench::thousand(args = (gate_rig(Beyond::Nothing)), config = counted(374_711))]
    #[bench::account(args = (gate_rig(Beyond::Account)), config = counted(463_664))]
    #[bench::repeats(args = (gate_rig(Beyond::Repeats)), config = counted(508_694))]
    #[bench::money(args = (gate_rig(Beyond::Money)), config = counted(777_241))]
    #[bench::exposure(args = (gate_rig(Beyond::Exposure)), config = counted(60_137_848))]
    #[bench::kept(args = (gate_rig(Beyond::Kept)), config = counted(2_171_004))]
    #[bench::levels(args = (gate_rig(Beyond::Levels)), config = counted(5_898_610))]
    #[bench::activity(args = (gate_rig(Beyond::Activity)), config = counted(1_105_582))]
    fn gate_check((gate_rig, orders): (GateRig, Vec<OrderIntent>)) -> (usize, GateRig, Vec<OrderIntent>) {
        let check = |order| usize::from(gate_rig.gate.check(black_box(order), OPEN).accepted());
        (black_box(orders.iter().map(check).sum()), gate_rig, orders)
    }

    #[library_benchmark]
    #[bench::thousand(args = (gate_flow(Beyond::Nothing)), config = counted(650_038))]
    #[bench::account(args = (gate_flow(Beyond::Account)), config = counted(928_773))]
    #[bench::repeats(args = (gate_flow(Beyond::Repeats)), config = counted(1_024_285))]
    #[bench::money(args = (gate_flow(Beyond::Money)), config = counted(1_275_873))]
    #[bench::exposure(args = (gate_flow(Beyond::Exposure)), config = counted(61_326_354))]
    #[bench::kept(args = (gate_flow(Beyond::Kept)), config = counted(5_712_830))]
    #[bench::levels(args = (gate_flow(Beyond::Levels)), config = counted(16_488_044))]
    #[bench::activity(args = (gate_flow(Beyond::Activity)), config = counted(2_148_318))]
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
