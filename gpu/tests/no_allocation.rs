//! After construction the scorer stage allocates nothing.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use gate::{ClassId, Envelope, LimitCause, LimitTable, Parameter, RiskLimits};
use gpu::{
    BatchConfig, FusedScorer, Kernel, LimitUpdate, Model, PolicyConfig, ReferenceScorer, ScorerStage,
    ScorerStageConfig, SlippageConfig, Staged, StagedScorer,
};
use types::{
    BookState, FEATURE_COUNT, FeatureId, FeatureVector, InstrumentId, MODEL_FEATURE_COUNT, Nanos, Qty,
    Symbol, Tier, UnixNanos, WALK_COUNT,
};

/// The system's allocator, counting what the current thread asks of it.
struct Counting;

thread_local! {
    static ALLOCATION_COUNT: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call is passed on unchanged to the system's allocator, which keeps the trait's contract; the counter is
// a constant-initialised thread-local without a destructor, so counting never allocates.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATION_COUNT.set(ALLOCATION_COUNT.get() + 1);
        // SAFETY: the caller's promises about `layout` are the ones `System` asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: `memory` came from `System` with this `layout`, since `alloc` passes everything on.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const INSTRUMENT_COUNT: u32 = 40;
const GRID_NS: u64 = 100_000_000;

const BASE: RiskLimits = RiskLimits {
    max_qty: Qty(500),
    max_notional_micros: 1_000_000_000_000,
    collar_bps: 500,
    passive_min_ticks: 2,
    max_pos_long: 5_000,
    max_pos_short: 5_000,
    order_rate_per_s: 100,
    order_burst: 20,
    margin_bps: 10_000,
};

/// A vector of calm or wild numbers, now and then of a lost book.
fn vector(instrument: u32, grid: u64) -> FeatureVector {
    let wild = (u64::from(instrument) + grid).is_multiple_of(97);
    let lost = (u64::from(instrument) * 31 + grid).is_multiple_of(53);
    let state = if lost { BookState::Recovering } else { BookState::Live };
    // Half of the books hold nothing now and then.
    let thin = instrument >= INSTRUMENT_COUNT / 2 && grid.is_multiple_of(41);
    let mut values = [if wild { 1e6 } else { 0.5 }; FEATURE_COUNT];
    if !wild {
        values[FeatureId::TopDepth as usize] = 10.0;
    }
    FeatureVector {
        ts: UnixNanos(grid * GRID_NS),
        instrument: InstrumentId(instrument),
        valid: (1 << MODEL_FEATURE_COUNT) - 1,
        values,
        book_state: state.to_u8(),
        walk_bps: [if thin { f32::INFINITY } else { 0.5 }; WALK_COUNT],
        ..FeatureVector::EMPTY
    }
}

#[test]
fn a_grid_point_costs_no_allocation() {
    let model = Model::shipped().expect("the shipped model");
    let count = INSTRUMENT_COUNT as usize;
    grid_points_allocate_nothing(&model, Staged::new(ReferenceScorer::new(&model, count), count));
    for kernel in Kernel::ALL.into_iter().filter(|kernel| kernel.is_available()) {
        let fused = FusedScorer::with_kernel(&model, count, kernel).expect("an available kernel");
        grid_points_allocate_nothing(&model, fused);
    }
}

fn grid_points_allocate_nothing(model: &Model, scorer: impl StagedScorer) {
    let count = INSTRUMENT_COUNT as usize;
    let (mut writer, reader) = LimitTable::create(count, 2).expect("a small table");
    let floor = BASE.with(Parameter::MaxQty, 1).expect("in bounds");
    let envelope = Envelope::new(floor, BASE, BASE).expect("in order");
    let held_down = Cell::new(0_u32);
    let sink = |update: &LimitUpdate, now: UnixNanos| {
        held_down.set(held_down.get() + u32::from(update.cause == LimitCause::Slippage));
        update.publish(&mut writer, now).expect("the table has the row");
    };
    let config = ScorerStageConfig {
        instrument_count_max: count,
        class_count: 2,
        batch: BatchConfig { row_count_max: 3, wait_max: Nanos(GRID_NS), overlapped: true },
        policy: PolicyConfig { slippage: SlippageConfig { limit_bps: 5.0 }, ..PolicyConfig::default() },
    };
    let mut stage = ScorerStage::new(config, model, scorer, sink, ()).expect("the default policy");
    for i in 0..INSTRUMENT_COUNT {
        stage.define(InstrumentId(i), known(i));
        for class in [0, 1].map(ClassId) {
            assert!(stage.set_envelope(InstrumentId(i), class, &envelope));
        }
    }
    let mut vectors = [FeatureVector::EMPTY; INSTRUMENT_COUNT as usize + 1];
    let before = ALLOCATION_COUNT.get();
    for grid in 1..400 {
        for (i, slot) in (0..INSTRUMENT_COUNT).zip(&mut vectors) {
            *slot = vector(i, grid);
        }
        let end = UnixNanos(grid * GRID_NS);
        vectors[INSTRUMENT_COUNT as usize] = FeatureVector::end_of_grid(end);
        for vectors in vectors.chunks(2) {
            stage.on_vectors(vectors, end);
            stage.tick(end);
        }
    }
    assert_eq!(ALLOCATION_COUNT.get() - before, 0, "allocations in 399 grid points");
    // It did real work: something was scored, tripped, lost and published, and an order size held down.
    assert!(held_down.get() > 0);
    let counters = stage.counters();
    for (name, value) in counters.iter().filter(|(name, _)| !["late", "unknown_instrument"].contains(name)) {
        assert!(value > 0, "{name} is 0");
    }
    let tiers =
        (0..INSTRUMENT_COUNT).map(|i| reader.read(InstrumentId(i), ClassId(0)).expect("published").tier);
    assert!(tiers.into_iter().any(|tier| tier > Tier::Normal));
}

/// A name that the shipped model has a profile of, and one, the last, that it has not.
fn known(i: u32) -> Symbol {
    const NAMES: [&str; 10] = ["ALFA", "BRVO", "CHRL", "DLTA", "ECHO", "FUTX", "FXTR", "GOLF", "THIN", "NEW"];
    Symbol::new(NAMES[i as usize % NAMES.len()]).expect("a name")
}
