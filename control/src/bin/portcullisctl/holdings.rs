//! What order processes hold and how they are connected, as people, programs and spreadsheets want it.

use crate::cli::Format;
use crate::sheet::{Field, Sheet};
use crate::show::answer;
use crate::words::n;
use anyhow::Result;
use control::protocol::{Listing, OrderRow, OrderSide, PositionRow, SessionRow};
use serde::Serialize;
use std::io::Write;

/// Prints rows; `none` where there are none. That there are more stands before the table, and on stderr beside a spreadsheet.
fn listed<T: Serialize>(
    format: Format,
    name: &str,
    listing: &Listing<T>,
    sheet: &Sheet,
    none: &str,
) -> Result<()> {
    let more = (listing.more > 0).then(|| {
        format!("{} more are not shown: name a client, strategy, account or symbol\n", n(listing.more))
    });
    if let (Format::Csv, Some(more)) = (format, &more) {
        // Nobody may be reading stderr.
        drop(write!(std::io::stderr(), "{more}"));
    }
    let none = listing.rows.is_empty().then(|| format!("{none}\n"));
    answer(format, name, listing, sheet, &none.or(more).unwrap_or_default())
}

fn name(name: Option<&control::names::Name>) -> Field {
    Field::Text(name.map_or_else(String::new, ToString::to_string))
}

pub(crate) fn positions(format: Format, listing: &Listing<PositionRow>) -> Result<()> {
    let mut sheet = Sheet::new(&[
        "client",
        "strategy",
        "account",
        "symbol",
        "position",
        "working_buy",
        "working_sell",
        "worst_long",
        "worst_short",
        "state",
    ]);
    for row in &listing.rows {
        sheet.row(vec![
            Field::text(&row.client),
            Field::text(&row.strategy),
            name(row.account.as_ref()),
            Field::text(row.symbol),
            Field::number(row.position),
            Field::number(row.working_buy),
            Field::number(row.working_sell),
            Field::number(row.worst_long),
            Field::number(row.worst_short),
            Field::alarm_if(row.in_doubt, if row.in_doubt { "in doubt" } else { "reconciled" }),
        ]);
    }
    listed(format, "positions", listing, &sheet, "Nothing is held, works or is in doubt.")
}

pub(crate) fn orders(format: Format, listing: &Listing<OrderRow>) -> Result<()> {
    let mut sheet = Sheet::new(&[
        "client",
        "id",
        "strategy",
        "account",
        "symbol",
        "side",
        "leaves",
        "px",
        "since",
        "replacement",
    ]);
    for row in &listing.rows {
        let side = match row.side {
            OrderSide::Buy => "buy",
            OrderSide::Sell => "sell",
        };
        sheet.row(vec![
            Field::text(&row.client),
            Field::Text(row.id.to_string()),
            Field::text(&row.strategy),
            Field::text(&row.account),
            Field::text(row.symbol),
            Field::text(side),
            Field::number(row.leaves),
            Field::number(row.px),
            Field::Moment(row.since),
            Field::Text(row.replacement.map_or_else(String::new, |id| id.to_string())),
        ]);
    }
    listed(format, "orders", listing, &sheet, "No order is open.")
}

pub(crate) fn sessions(format: Format, listing: &Listing<SessionRow>) -> Result<()> {
    let mut sheet = Sheet::new(&[
        "client",
        "kind",
        "state",
        "pid",
        "user",
        "since",
        "ring",
        "open",
        "accepted",
        "flagged",
        "rejected",
        "lost",
        "damaged",
        "unlogged",
        "positions",
        "mode",
        "would reject",
    ]);
    for row in &listing.rows {
        let counted = |count: u64| {
            if count == 0 { Field::number(0) } else { Field::Alarm(count.to_string()) }
        };
        sheet.row(vec![
            Field::text(&row.client),
            Field::text(&row.kind),
            Field::alarm_if(row.state != "attached" && row.state != "away", &row.state),
            Field::Text(row.pid.map_or_else(String::new, |pid| pid.to_string())),
            Field::text(&row.user),
            Field::Moment(row.since),
            Field::Text(format!("{}/{}", row.ring_waiting, row.ring_records)),
            Field::number(row.open_orders),
            Field::number(row.accepted),
            Field::number(row.flagged),
            Field::number(row.rejected),
            counted(row.lost),
            counted(row.damaged),
            counted(row.unlogged),
            Field::alarm_if(row.in_doubt, if row.in_doubt { "in doubt" } else { "reconciled" }),
            Field::alarm_if(row.mode != "enforce", &row.mode),
            counted(row.would_reject),
        ]);
    }
    listed(format, "sessions", listing, &sheet, "No order process is declared ([client]).")
}
