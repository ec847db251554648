//! What a gate tells of what it holds: open orders by their names, its cells, its bytes.

use super::*;
use std::{string::ToString as _, vec, vec::Vec};

/// A rig that accepts orders in instrument `id`, too.
fn rig_with(id: InstrumentId) -> Rig {
    let mut rig = Rig::new();
    for class in [ClassId(0), CLASS] {
        rig.statics.publish(id, class, &envelope(), &static_terms(), NOW).expect("a row");
        rig.dynamics.publish(id, class, &envelope().clamp(&LIVE), &terms(Tier::Normal), NOW).expect("a row");
    }
    rig.references.publish(id, &top()).expect("a row");
    rig
}

#[test]
fn open_orders_are_told_with_instrument_and_strategy() {
    for (instrument, strategy) in
        [(0, 0), (0, 1), (1, 1), (2, 0), (2, 1)].map(|(i, s)| (InstrumentId(i), StrategyId(s)))
    {
        let mut rig = rig_with(instrument);
        rig.take(&OrderIntent { instrument, strategy, ..order(5) });
        let told: Vec<_> =
            rig.gate.open_orders().map(|o| (o.id, o.instrument, o.strategy, o.px, o.leaves)).collect();
        assert_eq!(told, vec![(5, instrument, strategy, px("100.00"), Qty(100))]);
        let exposure = rig.gate.exposure(instrument, strategy).expect("a cell");
        assert_ne!(exposure, rig.gate.exposure(instrument, StrategyId(1 - strategy.0)).expect("a cell"));
    }
}

#[test]
fn who_is_not_the_gates_has_no_cell() {
    let rig = Rig::new();
    let has =
        |instrument, strategy| rig.gate.cell_index(InstrumentId(instrument), StrategyId(strategy)).is_some();
    assert!(has(2, 1));
    assert!(!has(3, 0) && !has(2, 2) && !has(u32::MAX, 0) && !has(0, u16::MAX));
}

#[test]
fn an_own_order_is_met_in_its_instrument_under_whichever_strategy() {
    for instrument in [0, 1, 2].map(InstrumentId) {
        for strategy in [0, 1].map(StrategyId) {
            let mut rig = rig_with(instrument);
            rig.take(&OrderIntent { instrument, strategy, px: px("100.01"), ..sell(5) });
            let own = |instrument| rig.gate.own_price(&OrderIntent { instrument, ..order(6) });
            assert_eq!(own(instrument), Some(px("100.01").0.unsigned_abs()));
            assert_eq!(own(InstrumentId((instrument.0 + 1) % 3)), None, "in another one");
        }
    }
}

#[test]
fn what_a_gate_holds_is_the_sum_of_its_parts() {
    let bytes = |strategies: &[StrategyConfig], open_orders_max, accounts| {
        let config = GateConfig { strategies, open_orders_max, accounts, ..CONFIG };
        Rig::bare(&config, true).gate.bytes()
    };
    let three = [STRATEGIES[0], STRATEGIES[1], STRATEGIES[1]];
    let least = bytes(&STRATEGIES, 16, 2);
    let (wider, longer, more) = (
        bytes(&three, 16, 2) - least,
        bytes(&STRATEGIES, 4_096, 2) - least,
        bytes(&STRATEGIES, 16, 9) - least,
    );
    assert!(wider > 0 && longer > 0 && more > 0);
    assert_eq!(bytes(&three, 4_096, 9), least + wider + longer + more);
}

#[test]
fn a_position_that_cannot_be_set_is_named() {
    let mut rig = Rig::new();
    let error = rig.gate.set_position(InstrumentId(3), STRATEGY, ACCOUNT, 7).expect_err("no such instrument");
    assert_eq!(error.to_string(), "cannot hold a position of 7 in instrument 3, strategy 1, account 1");
}
