//! Limits that are broken are limits that are near.

use proptest::prelude::*;

use super::*;
use crate::Flags;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// The fast path asks for nearness alone where a check says that whoever breaks it is near. One said so of that is not, and an
    /// order would pass that breaks it.
    #[test]
    fn whoever_breaks_a_check_that_nearness_stands_for_is_near(
        qty in 1_u32..700, ticks in 9_000_i64..11_000, sells: bool, at_market: bool, position in -3_000_i64..3_000,
        (max_qty, max_notional_micros, max_pos) in (1_u32..600, 1_i64..70_000_000_000, 0_i64..2_500), model: bool, new: bool,
    ) {
        let mut rig = Rig::with(&CONFIG, model);
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
