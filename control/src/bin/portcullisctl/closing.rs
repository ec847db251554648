//! A halt or a trip, and what becomes of open orders after it: asked until none is left, for as long as whoever asks wants to wait.

use crate::cli::Format;
use crate::halts::sentence;
use crate::show;
use anyhow::Result;
use control::client::{Client, ClientError};
use control::names::Scope;
use control::protocol::{Changed, Command as Ask, HaltRow, Reply, TripMode};
use std::io::Write;
use std::time::{Duration, Instant};

/// How often the appliance is asked. It takes what order processes say every few milliseconds.
const PAUSE: Duration = Duration::from_millis(20);

/// The scope that a command closes; none of one that closes nothing, or not wholly.
pub(crate) fn closed_by(request: &Ask) -> Option<Scope> {
    if let Ask::BreakerTrip { scope, mode: TripMode::Tripped, .. } = request {
        return Some(scope.clone());
    }
    matches!(request, Ask::Halt { .. }).then_some(Scope::Firm)
}

/// Prints that it is closed, at once for people, and then what became of the orders in it.
pub(crate) fn changed(
    format: Format,
    mut changed: Changed,
    (client, scope, wait): (&mut Client, &Scope, Duration),
) -> Result<()> {
    if format == Format::Table {
        show::changed(format, &changed)?;
    }
    match follow(client, scope, wait) {
        Ok(rows) => changed.halts = rows,
        // It is closed all the same, and gateways cancel without the appliance.
        Err(error) => drop(writeln!(std::io::stderr(), "what became of open orders is not known: {error}")),
    }
    if format != Format::Table {
        return show::changed(format, &changed);
    }
    show::print(&changed.halts.iter().map(|row| format!("{}\n", sentence(row))).collect::<String>())
}

/// Asks until no order is left in `scope`, twice in a row, or `wait` is over.
fn follow(client: &mut Client, scope: &Scope, wait: Duration) -> Result<Vec<HaltRow>, ClientError> {
    let end = Instant::now() + wait;
    let (mut rows, mut quiet) = (Vec::new(), 0);
    while quiet < 2 && Instant::now() < end {
        let Reply::Status(status) = client.call(Ask::Status)? else { return Ok(rows) };
        // A desk and a trader are closed by their strategies.
        let is_within = |row: &HaltRow| {
            row.scope == *scope
                || matches!((scope, &row.scope), (Scope::Desk(_) | Scope::Trader(_), Scope::Strategy(_)))
        };
        rows = status.halts.into_iter().filter(is_within).collect();
        quiet = if rows.iter().all(|row| row.open == 0) { quiet + 1 } else { 0 };
        std::thread::sleep(PAUSE);
    }
    Ok(rows)
}
