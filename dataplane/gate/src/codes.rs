//! The documentation of the reject codes, generated from the enum so that it cannot drift.

use alloc::{format, string::String};

use crate::{check::Unit, checks::RejectReason};

/// A Markdown page of every reject code, in the order in which the gate decides. `CODES.md` beside this crate is its
/// committed copy, and a test keeps them equal.
#[must_use]
pub fn markdown() -> String {
    let mut out = String::from(
        "# Reject codes\n\n\
         Generated from `RejectReason` by `cargo run -p gate --example codes`; do not edit.\n\n\
         The gate decides in the order of this table: the first breach is the verdict, `explain` lists them all. \
         Numbers and slugs are stored and sent, so they never change meaning; new ones are added. *limit* and *value* \
         are the two numbers of the verdict, in the unit given. *Fails closed on* names the missing or unreadable input \
         that leads to the code.\n\n\
         | Code | Slug | What it says | Unit | FIX 103 | Fails closed on |\n\
         |---:|---|---|---|---:|---|\n",
    );
    for reason in RejectReason::ALL {
        let sentence = reason.sentence().replace("{limit}", "*limit*").replace("{value}", "*value*");
        out += &format!(
            "| {} | {} | {sentence} | {} | {} | {} |\n",
            reason.code(),
            reason.slug(),
            unit_name(reason.unit()),
            reason.fix_ord_rej_reason(),
            reason.fails_closed_on(),
        );
    }
    out += "\nFIX tag 58 carries the slug and the sentence with its numbers, for example \
            `QTY_DYNAMIC: The quantity 200 is above the live limit of 50.`\n";
    out
}

const fn unit_name(unit: Unit) -> &'static str {
    match unit {
        Unit::None => "-",
        Unit::Quantity => "quantity",
        Unit::MicroCurrency => "1e-6 currency",
        Unit::Bps => "bps",
        Unit::Ticks => "ticks",
        Unit::Price => "1e-9 currency",
        Unit::Nanos => "ns",
        Unit::Orders => "orders",
        Unit::OrdersPerSecond => "orders/s",
        Unit::Number => "number",
    }
}
