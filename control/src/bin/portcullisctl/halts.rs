//! What became of open orders in what a person has closed, in words.

use crate::sheet::Field;
use crate::words::n;
use control::protocol::HaltRow;

/// One client's orders, for people.
pub(crate) fn sentence(row: &HaltRow) -> String {
    let HaltRow { client, scope, cancelled, filled, filled_qty, open, last_after_us, .. } = row;
    let (cancelled, filled, traded) = (n(*cancelled), n(*filled), n(*filled_qty));
    let last = last_after_us.map_or_else(String::new, |us| {
        format!("; the last answer after {}.{:03} ms", us / 1_000, us % 1_000)
    });
    let open = if *open == 0 { "none is open".to_owned() } else { format!("{} STILL OPEN", n(*open)) };
    format!(
        "{client} in {scope}: {cancelled} cancelled, {filled} filled in full, {traded} traded meanwhile, {open}{last}"
    )
}

/// The same, for `status`.
pub(crate) fn field(row: &HaltRow) -> Field {
    Field::alarm_if(row.open > 0, sentence(row))
}
