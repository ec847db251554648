//! What other limits would have made of an order's quantity, as far as its row in the verdict log tells.
//!
//! A row has the order, the reason and the tier of its moment. The officer's limits and the policy of a configuration give the largest
//! quantity of that tier, and that is what is judged again, alone. What is not in the log is not guessed: prices, positions, values,
//! how far a limit had opened after a calm or was bounded by a head of the model, and whether the order replaced another.

use control::config::Plan;
use control::names::SymbolName;
use gate::{RejectReason, effective_limits};
use types::Tier;

/// What a row says of one order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen<'a> {
    pub(crate) symbol: &'a str,
    pub(crate) qty: &'a str,
    pub(crate) decision: &'a str,
    pub(crate) slug: &'a str,
    pub(crate) tier: &'a str,
}

/// What would have become of it, and the limit that says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Again {
    /// What did.
    Same,
    /// It passed, and would have been refused for its quantity.
    Refused(u32),
    /// It was refused for its quantity, and would not have been; what the checks behind would have said is not known.
    NotForQuantity(u32),
    /// The row names no symbol, quantity or tier that there is.
    Unknown,
}

/// Whether an order was refused for its quantity by the officer's or the live limit.
fn is_for_quantity(slug: &str) -> bool {
    [RejectReason::QtyStatic, RejectReason::QtyDynamic].iter().any(|reason| reason.slug() == slug)
}

/// The largest quantity of one order in an instrument while it is in a tier: the officer's base while it is normal.
fn max_qty(plan: &Plan, symbol: SymbolName, tier: Tier) -> u32 {
    let envelope = plan.limits.envelope(symbol);
    match tier {
        Tier::Normal => envelope.base().max_qty.0,
        Tier::Elevated | Tier::High | Tier::Critical => {
            effective_limits(envelope, tier, &plan.overlay).limits().max_qty.0
        }
    }
}

/// Judges the quantity of an order again, by the limits of `plan`.
pub(crate) fn judge(plan: &Plan, seen: &Seen<'_>) -> Again {
    // What nobody scored was held to the officer's base, as in tier Normal.
    let name = if seen.tier == Tier::UNKNOWN { Tier::Normal.as_str() } else { seen.tier };
    let tier = Tier::ALL.into_iter().find(|tier| tier.as_str() == name);
    let (Ok(symbol), Ok(qty), Some(tier)) = (seen.symbol.parse(), seen.qty.parse::<u32>(), tier) else {
        return Again::Unknown;
    };
    let limit = max_qty(plan, symbol, tier);
    match (seen.decision, qty > limit) {
        (gate::WOULD_REJECT, over) => match (seen.slug.split(' ').any(is_for_quantity), over) {
            (true, false) => Again::NotForQuantity(limit),
            (false, true) => Again::Refused(limit),
            (true, true) | (false, false) => Again::Same,
        },
        ("reject", false) if is_for_quantity(seen.slug) => Again::NotForQuantity(limit),
        ("reject", _) => Again::Same,
        ("accept" | "flag", true) => Again::Refused(limit),
        ("accept" | "flag", false) => Again::Same,
        _ => Again::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use control::config::load;

    fn plan(max_qty: &str) -> Plan {
        let file = tempfile::NamedTempFile::new().unwrap();
        let symbol = format!("[limits.symbol.FUTX]\nmax_qty = {max_qty}\n");
        std::fs::write(file.path(), symbol).unwrap();
        load(&[file.path().to_owned()], &[]).unwrap_or_else(|errors| panic!("{errors}"))
    }

    #[test]
    fn only_the_quantity_is_judged_again() {
        let plan = plan("{ floor = 10, base = 100, cap = 200 }");
        let judge =
            |qty, decision, slug, tier| judge(&plan, &Seen { symbol: "FUTX", qty, decision, slug, tier });
        let limits = Tier::ALL.map(|tier| max_qty(&plan, "FUTX".parse().unwrap(), tier));
        assert_eq!(limits, [100, 50, 10, 10], "base, half, a tenth, floor");
        assert_eq!(judge("100", "accept", "", "normal"), Again::Same);
        assert_eq!(judge("101", "accept", "", "normal"), Again::Refused(100));
        assert_eq!(judge("101", "accept", "", "unknown"), Again::Refused(100));
        assert_eq!(judge("51", "flag", "", "elevated"), Again::Refused(50));
        let audited = |qty, slug| judge(qty, "would reject", slug, "normal");
        assert_eq!(audited("101", "POS_LONG QTY_STATIC"), Again::Same);
        assert_eq!(audited("101", "POS_LONG"), Again::Refused(100));
        assert_eq!(audited("100", "POS_LONG QTY_STATIC"), Again::NotForQuantity(100));
        assert_eq!(audited("100", "POS_LONG"), Again::Same);
        assert_eq!(judge("200", "reject", "QTY_DYNAMIC", "high"), Again::Same);
        assert_eq!(judge("10", "reject", "QTY_DYNAMIC", "high"), Again::NotForQuantity(10));
        assert_eq!(judge("90", "reject", "QTY_STATIC", "normal"), Again::NotForQuantity(100));
        // Whatever else refused it would have done so again.
        assert_eq!(judge("900", "reject", "HALTED_INSTRUMENT", "normal"), Again::Same);
        assert_eq!(judge("1", "reject", "QTY_ERRMODEL", "normal"), Again::Same);
        for (qty, decision, tier) in
            [("x", "accept", "normal"), ("1", "accept", "none"), ("1", "maybe", "normal")]
        {
            assert_eq!(judge(qty, decision, "", tier), Again::Unknown);
        }
    }
}
