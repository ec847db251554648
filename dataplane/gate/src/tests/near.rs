//! Limits that are broken are limits that are near.

use proptest::prelude::*;

use super::*;
use crate::{Flags, WarnShare};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// The fast path asks for nearness alone where a check says that whoever breaks it is near. One said so of that is not, and an
    /// order would pass that breaks it.
    #[test]
    fn whoever_breaks_a_check_that_nearness_stands_for_is_near(
        qty in 1_u32..700, ticks in 9_000_i64..11_000, sells: bool, at_market: bool, position in -3_000_i64..3_000,
        (max_qty, max_notional_micros, max_pos) in (1_u32..600, 1_i64..70_000_000_000, 0_i64..2_500), model: bool, new: bool,
        left in 0_u32..=1 << 15,
    ) {
        let warn = WarnShare::leaving(left).unwrap();
        let mut rig = Rig::with(&GateConfig { warn, ..CONFIG }, model);
        rig.take(&OrderIntent { qty: Qty(10), ..order(1) });
        rig.hold(position);
        let limits = RiskLimits { max_qty: Qty(max_qty), max_notional_micros, max_pos_long: max_pos, max_pos_short: max_pos, ..LIVE };
        rig.publish_live(&limits, Tier::Normal, NOW);
        let side = if sells { Side::Ask } else { Side::Bid };
        let limit = OrderIntent { qty: Qty(qty), px: Px(ticks * CENT.0), side, ..order(2) };
        let asked = if at_market { OrderIntent { qty: Qty(qty), ..market(2, side) } } else { limit };
        let (flags, reasons) = if new {
            let explained = rig.gate.explain(&asked, NOW);
            (explained.verdict.flags, explained.breaches().map(|breach| breach.reason).collect())
        } else {
            let (verdict, _) = rig.gate.replace(1, &asked, NOW);
            (verdict.flags, verdict.reason.into_iter().collect::<std::vec::Vec<_>>())
        };
        for reason in reasons {
            prop_assert!(flags.has(Flags::NEAR_LIMIT) || !reason.is_near_before(), "{reason}, and not near");
        }
    }
}

#[test]
fn nearness_stands_for_quantity_value_and_position() {
    use RejectReason as R;
    let all: std::vec::Vec<_> = R::ALL.into_iter().filter(|reason| reason.is_near_before()).collect();
    assert_eq!(all, [R::QtyStatic, R::QtyDynamic, R::Value, R::PosLong, R::PosShort]);
}

/// At seven tenths, as near as parts of 65,536 come to it from below, and at the whole limit.
#[test]
fn an_order_is_near_above_the_share_that_is_configured_on_either_path() {
    let flags = |warn, model, asked: &OrderIntent, limits: &RiskLimits, position| {
        let mut rig = Rig::with(&GateConfig { warn, ..CONFIG }, model);
        rig.publish_live(limits, Tier::Normal, NOW);
        rig.hold(position);
        let near = rig.accepts(asked).flags.has(Flags::NEAR_LIMIT);
        // The fast path flags nothing, so it lets no such order through.
        assert!(!model || rig.fast(asked, NOW) != near);
        near
    };
    let (tenths, whole) = (WarnShare::leaving(19_661).unwrap(), WarnShare::leaving(0).unwrap());
    let buys = |qty| OrderIntent { qty: Qty(qty), ..order(1) };
    for model in [true, false] {
        // The base has 400 and 1,000 where the model's has 500 and 2,000.
        let (max, most) = if model { (500, 2_000) } else { (400, 1_000) };
        let near = |warn, qty| flags(warn, model, &buys(qty), &LIVE, 0);
        assert_eq!([max * 7 / 10, max * 7 / 10 + 1].map(|qty| near(tenths, qty)), [false, true]);
        assert!(!near(whole, max), "what is at a limit is not beyond it");
        let holding = |warn, position| flags(warn, model, &buys(100), &LIVE, position);
        assert_eq!([most * 7 / 10 - 100, most * 7 / 10 - 99].map(|p| holding(tenths, p)), [false, true]);
        assert!(!holding(whole, most - 100));
    }
    let worth = |warn, max_notional_micros| {
        flags(warn, true, &buys(175), &RiskLimits { max_notional_micros, ..LIVE }, 0)
    };
    assert_eq!(
        [25_001_000_000, 24_999_000_000].map(|most| worth(tenths, most)),
        [false, true],
        "of 17,500 dollars"
    );
    assert!(!worth(whole, 17_500_000_000));
}
