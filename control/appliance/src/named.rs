//! Instruments that the configuration names: limits or ticks for one that no feed has are a slip of the keyboard, and hold for
//! nobody.

use control::config::Plan;
use std::collections::BTreeSet;
use types::Symbol;

/// The instruments that the configuration has limits or ticks of.
fn named(plan: &Plan) -> BTreeSet<Symbol> {
    let limits = plan.limits.by_symbol.keys().map(|name| name.symbol());
    limits.chain(plan.ticks.by_symbol.keys().copied()).collect()
}

/// A warning for each that is written in lower case alone, as no feed writes one.
pub(crate) fn lower_case(plan: &Plan) -> Vec<String> {
    let is_lower = |symbol: &Symbol| {
        let name = symbol.as_str();
        name.bytes().any(|b| b.is_ascii_lowercase()) && !name.bytes().any(|b| b.is_ascii_uppercase())
    };
    let warning = |symbol: Symbol| {
        let upper = symbol.as_str().to_ascii_uppercase();
        format!(
            "the configuration names {symbol}; feeds write {upper}, and what is set for {symbol} holds for nobody"
        )
    };
    named(plan).into_iter().filter(is_lower).map(warning).collect()
}

/// What to say when the input is over and has named only `heard`; nothing when it has named all.
pub(crate) fn unheard(plan: &Plan, heard: impl Iterator<Item = Symbol>) -> Option<String> {
    unheard_of("the configuration", named(plan), heard)
}

/// The same of the instruments that tables are to be about.
pub(crate) fn unheard_symbols(wanted: &[Symbol], heard: impl Iterator<Item = Symbol>) -> Option<String> {
    unheard_of("--symbols", wanted.iter().copied().collect(), heard)
}

fn unheard_of(
    who: &str,
    mut missing: BTreeSet<Symbol>,
    heard: impl Iterator<Item = Symbol>,
) -> Option<String> {
    heard.for_each(|symbol| _ = missing.remove(&symbol));
    let names: Vec<String> = missing.iter().map(ToString::to_string).collect();
    (!names.is_empty())
        .then(|| format!("{who} names instruments that the input does not: {}", names.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> Plan {
        let set = [
            "limits.symbol.futx.max_qty={ floor = 1, base = 100, cap = 200 }",
            "book.tick.VOD=\"0.5\"",
            "limits.symbol.ABCpA.max_qty={ floor = 1, base = 100, cap = 200 }",
        ];
        control::config::load(&[], &set.map(str::to_owned)).expect("a valid configuration")
    }

    #[test]
    fn a_symbol_in_lower_case_is_told_with_the_one_that_was_meant() {
        let said = lower_case(&plan());
        assert_eq!(said.len(), 1, "a lower-case letter among others is how some venues write: {said:?}");
        assert!(said[0].contains("names futx; feeds write FUTX"), "{said:?}");
    }

    #[test]
    fn what_the_input_does_not_name_is_told_once_it_is_over() {
        let symbol = |name: &str| Symbol::new(name).expect("a symbol");
        let heard = |names: &[&str]| unheard(&plan(), names.iter().map(|name| symbol(name)));
        let all = "the configuration names instruments that the input does not: ABCpA, VOD, futx";
        assert_eq!(heard(&["FUTX"]).as_deref(), Some(all));
        assert_eq!(heard(&["VOD", "futx", "ABCpA", "OTHER"]), None);
    }
}
