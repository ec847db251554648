//! What gate and tables say that they hold, for the boot report, is what they ask the allocator for.
#![allow(unsafe_code, reason = "a global allocator can only be written with it")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use gate::{
    ActivityLimits, BreakerTable, ClassId, ExposureLimits, FatFingerTable, Gate, GateConfig, GateTables,
    GroupConfig, GroupKind, LimitTable, ProfitRules, RefRules, RefTable, RepeatedExecutions, SelfMatch,
    StaticTable, StrategyConfig,
};
use types::{Nanos, TickTable};

thread_local! {
    /// Bytes that this thread has asked for and not given back.
    static HELD: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: every call is passed on unchanged to the system's allocator, which upholds the contract; counting touches a
// thread-local cell without a destructor and does not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD.set(HELD.get().wrapping_add(layout.size()));
        // SAFETY: the caller upholds `alloc`'s contract, which is the same here.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        HELD.set(HELD.get().wrapping_sub(layout.size()));
        // SAFETY: `ptr` came from `System.alloc` with this layout, since `alloc` passes both on.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What `make` makes, and the bytes that it holds.
fn held<T>(make: impl FnOnce() -> T) -> (T, usize) {
    let before = HELD.get();
    let made = make();
    (made, HELD.get().wrapping_sub(before))
}

const INSTRUMENTS: usize = 37;
const ACCOUNTS: u16 = 5;
const STRATEGY: StrategyConfig = StrategyConfig { class: ClassId(0), order_rate_per_s: 100, order_burst: 10 };
const EXPOSED: ExposureLimits = ExposureLimits { gross_micros: 1, ..ExposureLimits::NONE };

fn tables(strategies: u16) -> GateTables {
    let (_, statics) = StaticTable::create(INSTRUMENTS, 3).expect("a table");
    let (_, dynamics) = LimitTable::create_within(&statics).expect("a table");
    let (_, references) = RefTable::create(INSTRUMENTS).expect("a table");
    let (_, breakers) = BreakerTable::create(ACCOUNTS, strategies, INSTRUMENTS).expect("a table");
    GateTables { statics, dynamics: Some(dynamics), fat_finger: None, references, breakers }
}

#[track_caller]
fn says_what_it_holds(config: &GateConfig<'_>) {
    let config = GateConfig { accounts: ACCOUNTS, open_orders_max: 100, recent_orders: 29, ..*config };
    let tables = tables(u16::try_from(config.strategies.len()).expect("few"));
    let (gate, bytes) = held(|| Gate::new(&config, tables).expect("a gate"));
    assert_eq!(gate.bytes(), bytes);
}

#[test]
fn a_gate_says_what_it_holds_whatever_it_counts() {
    let plain = GateConfig { strategies: &[STRATEGY; 7], ..GateConfig::DEFAULT };
    says_what_it_holds(&plain);
    says_what_it_holds(&GateConfig { strategies: &[STRATEGY], ..plain });
    says_what_it_holds(&GateConfig { account_positions: true, ..plain });
    says_what_it_holds(&GateConfig { self_match: SelfMatch::Account, ..plain });
    says_what_it_holds(&GateConfig { self_match: SelfMatch::Firm, ..plain });
    says_what_it_holds(&GateConfig { repeat_window: Nanos::SECOND, ..plain });
    let window = Nanos::SECOND;
    says_what_it_holds(&GateConfig { window, ..plain });
    says_what_it_holds(&GateConfig { window, strategy_activity: &[ActivityLimits::NONE; 3], ..plain });
    says_what_it_holds(&GateConfig { window, account_activity: &[ActivityLimits::NONE; 2], ..plain });
    says_what_it_holds(&GateConfig {
        repeated_executions: Some(RepeatedExecutions { most: 3, window }),
        ..plain
    });
    let profit = Some(ProfitRules { day_start: Nanos(0), fee_nanos_per_unit: 1, settlement_age_max_days: 3 });
    says_what_it_holds(&GateConfig { profit, ..plain });
    for mark_age_max in [Nanos(0), Nanos::SECOND] {
        let marked = GateConfig { mark_age_max, ..plain };
        says_what_it_holds(&GateConfig { strategy_limits: &[EXPOSED, ExposureLimits::NONE], ..marked });
        says_what_it_holds(&GateConfig {
            account_limits: &[ExposureLimits::NONE, EXPOSED, EXPOSED],
            ..marked
        });
        let credit = ExposureLimits { credit_micros: 1, ..ExposureLimits::NONE };
        says_what_it_holds(&GateConfig { account_limits: &[credit, EXPOSED], ..marked });
        says_what_it_holds(&GateConfig {
            profit,
            strategy_loss: &[5],
            account_loss: &[u64::MAX, 6],
            ..marked
        });
        let group = |limits, loss_micros| GroupConfig { kind: GroupKind::Desk, limits, loss_micros };
        let groups = &[
            group(EXPOSED, u64::MAX),
            group(ExposureLimits::NONE, 7),
            group(ExposureLimits::NONE, u64::MAX),
        ];
        says_what_it_holds(&GateConfig {
            profit,
            groups,
            strategy_groups: &[[Some(1), None, None]; 4],
            ..marked
        });
    }
}

#[test]
fn tables_say_what_they_hold() {
    let ((_, statics), bytes) = held(|| StaticTable::create(INSTRUMENTS, 3).expect("a table"));
    assert_eq!(statics.bytes(), bytes);
    let ends = held(|| StaticTable::create_locating(INSTRUMENTS, 3, ACCOUNTS).expect("a table"));
    assert_eq!(ends.0.1.bytes(), ends.1);
    let ((_, dynamics), bytes) = held(|| LimitTable::create_within(&statics).expect("a table"));
    assert_eq!(dynamics.bytes(), bytes);
    let ((_, references), bytes) = held(|| RefTable::create(INSTRUMENTS).expect("a table"));
    assert_eq!(references.bytes(), bytes);
    let rules = RefRules { tick_tables: &[TickTable::US_EQUITY; 3], ..RefRules::DEFAULT };
    let (ends, bytes) = held(|| RefTable::create_under(INSTRUMENTS, &rules).expect("a table"));
    assert_eq!(ends.1.bytes(), bytes);
    let ((_, fat_finger), bytes) = held(|| FatFingerTable::create(&statics).expect("a table"));
    assert_eq!(fat_finger.bytes(), bytes);
    let ((_, breakers), bytes) = held(|| BreakerTable::create(ACCOUNTS, 7, INSTRUMENTS).expect("a table"));
    assert_eq!(breakers.bytes(), bytes);
}
