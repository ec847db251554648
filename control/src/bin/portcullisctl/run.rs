//! From the command line to the daemon and back.

use crate::arguments::Confirmed;
use crate::cli::{
    Audit, Breaker, Cli, Command, Filter, Gate, Limits, Order, PositionChange, Positions, Tier, Verify,
};
use crate::cli_ops::{Lists, Proposals};
use crate::reach::{connect, timeout};
use crate::{closing, holdings, ops, proof, show};
use anyhow::{Context, Result, bail};
use control::audit::{AuditKey, VerifyOptions, read_anchors, verify};
use control::client::{Client, ClientError};
use control::names::SymbolName;
use control::protocol::{
    BreakerRow, Command as Ask, HoldingsFilter, OrderQuery, PositionSetting, Reason, Reply, Ticket, TripMode,
    VerifyReply,
};
use std::io::{BufRead, IsTerminal, Write};
use std::path::Path;
use std::time::Duration;

/// The exit code of an audit log that holds by its hashes and was checked with no key.
const NOT_PROVEN: u8 = 3;

/// The process's exit code for an error.
pub(crate) fn exit_code(error: &anyhow::Error) -> u8 {
    error.downcast_ref::<ClientError>().map_or(1, ClientError::exit_code)
}

/// The word for an error's kind in JSON: the appliance's own for what it refused.
pub(crate) fn kind(error: &anyhow::Error) -> &'static str {
    error.downcast_ref::<ClientError>().map_or("failed", ClientError::kind)
}

/// Runs one command; the exit code of an answer that is a finding (a broken chain) is not 0 either.
pub(crate) fn run(cli: &Cli) -> Result<u8> {
    let request = match &cli.command {
        Command::Audit(Audit::Verify(Verify { dir: Some(dir), partial, head, key, anchors })) => {
            let key = key_of(dir, key.as_deref())?;
            let anchors =
                anchors.as_ref().map_or_else(|| Ok(Vec::new()), |path| read_anchors(path, key.as_ref()))?;
            let options = VerifyOptions { partial: *partial, head: head.clone(), key, anchors };
            return verified(cli, &verify(dir, &options)?);
        }
        Command::Gate(Gate::Codes) => return show::codes(cli.output).map(|()| 0),
        Command::Completions(wanted) => return ops::completions(wanted).map(|()| 0),
        Command::Man(wanted) => return ops::man(wanted).map(|()| 0),
        Command::Events(events) => return ops::events(cli, events).map(|()| 0),
        Command::Status { watch: true } => return ops::watch(cli, show::status_text).map(|()| 0),
        Command::Status { watch: false } => Ask::Status,
        Command::Alerts(command) => ops::alerts_request(command),
        Command::Proposals(command) => ops::proposals_request(command),
        Command::Limits(command) => limits_request(command),
        Command::Lists(Lists::Reload { dry_run, why }) => {
            Ask::ListsReload { dry_run: *dry_run, reason: why.reason.clone(), ticket: why.ticket.clone() }
        }
        Command::Breaker(command) => breaker_request(command),
        Command::Halt(halt) => {
            Ask::Halt { reason: Reason::of_halt(&halt.reason), ticket: Ticket::of_halt(&halt.ticket) }
        }
        Command::Resume(confirmed) => {
            Ask::Resume { reason: confirmed.why.reason.clone(), ticket: confirmed.why.ticket.clone() }
        }
        Command::Tier(command) => tier_request(command),
        Command::Gate(Gate::Explain(order)) => Ask::GateExplain { order: query(order) },
        Command::Positions(command) => positions_request(command),
        Command::Orders(filter) => Ask::Orders { filter: filter_of(filter) },
        Command::Sessions { client } => Ask::Sessions { client: client.clone() },
        Command::Audit(Audit::Tail { count }) => Ask::AuditTail { count: *count },
        Command::Audit(Audit::Verify(Verify { dir: None, .. })) => Ask::AuditVerify,
    };
    confirm(cli)?;
    let mut client = connect(cli)?;
    #[expect(clippy::wildcard_enum_match_arm, reason = "`answer` decides on what came to all the rest")]
    match request {
        Ask::LimitsShow { symbol, .. } => limits_show(cli, &mut client, symbol)?,
        Ask::TierShow { symbol, .. } => tier_show(cli, &mut client, symbol)?,
        Ask::BreakerList { .. } => show::breakers(cli.output, &breakers(&mut client)?)?,
        request => {
            let dry_run = matches!(request, Ask::LimitsSet { dry_run: true, .. });
            let closed = closing::closed_by(&request);
            let reply = match (client.call_within(request, timeout(cli))?, closed) {
                (Reply::Changed(changed), Some(scope)) => {
                    let followed = (&mut client, &scope, wait(cli));
                    return closing::changed(cli.output, changed, followed).map(|()| 0);
                }
                (reply, _) => reply,
            };
            return answer(cli, reply, dry_run);
        }
    }
    Ok(0)
}

/// How long somebody who closes something waits for what becomes of open orders.
fn wait(cli: &Cli) -> Duration {
    let seconds = if let Command::Halt(halt) = &cli.command {
        halt.wait_s
    } else if let Command::Breaker(Breaker::Trip { wait_s, .. }) = &cli.command {
        *wait_s
    } else {
        0
    };
    Duration::from_secs(seconds.into())
}

/// The key that was named, or the one beside the log where it can be read.
fn key_of(dir: &Path, named: Option<&Path>) -> Result<Option<AuditKey>> {
    match named {
        Some(path) => {
            let key =
                AuditKey::read(path)?.with_context(|| format!("{}: no such key file", path.display()))?;
            Ok(Some(key))
        }
        None => Ok(AuditKey::read(&dir.with_file_name("audit.key")).ok().flatten()),
    }
}

/// Prints an answer that came in one piece.
fn answer(cli: &Cli, reply: Reply, dry_run: bool) -> Result<u8> {
    let format = cli.output;
    match reply {
        Reply::Status(status) => show::status(format, &status)?,
        Reply::Limits(page) => show::limits(format, &page.rows, page.warn_bps)?,
        Reply::Levels(rows) => show::levels(format, &rows)?,
        Reply::LimitsChanged(diffs) => show::limits_changed(format, &diffs, dry_run)?,
        Reply::Breakers(page) => show::breakers(format, &page.rows)?,
        Reply::Changed(changed) => show::changed(format, &changed)?,
        Reply::Tiers(page) => show::tiers(format, &page.rows)?,
        Reply::Explain(explained) => show::explain(format, &explained)?,
        Reply::AuditRecords(records) => show::records(format, &records)?,
        Reply::Verified(found) => return verified(cli, &found),
        Reply::Positions(listing) => holdings::positions(format, &listing)?,
        Reply::Orders(listing) => holdings::orders(format, &listing)?,
        Reply::Sessions(listing) => holdings::sessions(format, &listing)?,
        Reply::Alerts(page) => ops::alerts(format, &page)?,
        Reply::Proposals(rows) => ops::proposals(format, &rows)?,
        Reply::Proposed(row) => return ops::proposed(format, &row),
        Reply::Events(page) => bail!("found {} events that nobody asked for", page.rows.len()),
        // No command of this program asks for it.
        Reply::Attached(grant) => bail!("found the tables of an order process ({})", grant.build),
        Reply::Noted => bail!("found an answer to what gateways say"),
        Reply::TierMap(page) => bail!("found the tiers of {} instruments at once", page.cells.len()),
    }
    Ok(0)
}

fn verified(cli: &Cli, found: &VerifyReply) -> Result<u8> {
    proof::verified(cli.output, found)?;
    Ok(match (&found.broken, found.is_proven()) {
        (Some(_), _) => 1,
        (None, true) => 0,
        (None, false) => NOT_PROVEN,
    })
}

fn limits_request(command: &Limits) -> Ask {
    match command {
        Limits::Show { symbol, scopes } if scopes.is_empty() => {
            Ask::LimitsShow { symbol: *symbol, after: None }
        }
        Limits::Show { scopes, .. } => Ask::LevelsShow { scopes: scopes.clone() },
        Limits::Set { symbol, changes, dry_run, why } => Ask::LimitsSet {
            symbol: *symbol,
            changes: changes.clone(),
            dry_run: *dry_run,
            reason: why.reason.clone(),
            ticket: why.ticket.clone(),
        },
    }
}

fn breaker_request(command: &Breaker) -> Ask {
    match command {
        Breaker::List => Ask::BreakerList { after: None },
        Breaker::Trip { scope, reduce_only, why, .. } => Ask::BreakerTrip {
            scope: scope.clone(),
            mode: if *reduce_only { TripMode::ReduceOnly } else { TripMode::Tripped },
            reason: why.reason.clone(),
            ticket: why.ticket.clone(),
        },
        Breaker::Reset { scope, confirmed } => {
            let (reason, ticket) = (confirmed.why.reason.clone(), confirmed.why.ticket.clone());
            Ask::BreakerReset { scope: scope.clone(), reason, ticket }
        }
    }
}

fn tier_request(command: &Tier) -> Ask {
    match command {
        Tier::Show { symbol } => Ask::TierShow { symbol: *symbol, after: None },
        Tier::Reset { symbol, confirmed } => {
            let (reason, ticket) = (confirmed.why.reason.clone(), confirmed.why.ticket.clone());
            Ask::TierReset { symbol: *symbol, reason, ticket }
        }
    }
}

fn positions_request(command: &Positions) -> Ask {
    let Some(PositionChange::Set { client, strategy, account, symbol, position, why }) = &command.change
    else {
        return Ask::Positions { filter: filter_of(&command.filter) };
    };
    let (client, strategy, account) = (client.clone(), strategy.clone(), account.clone());
    let setting = PositionSetting { client, strategy, account, symbol: *symbol, position: *position };
    Ask::PositionSet { setting, reason: why.reason.clone(), ticket: why.ticket.clone() }
}

fn filter_of(filter: &Filter) -> HoldingsFilter {
    let Filter { client, strategy, account, symbol } = filter;
    let (client, strategy, account) = (client.clone(), strategy.clone(), account.clone());
    HoldingsFilter { client, strategy, account, symbol: *symbol }
}

fn query(order: &Order) -> OrderQuery {
    let Order { symbol, side, qty, px, strategy, account, tif } = order;
    let (strategy, account) = (strategy.clone(), account.clone());
    OrderQuery { symbol: *symbol, side: *side, qty: *qty, px: *px, strategy, account, tif: *tif }
}

fn limits_show(cli: &Cli, client: &mut Client, symbol: Option<SymbolName>) -> Result<()> {
    let (mut rows, mut after) = (Vec::new(), None);
    loop {
        let Reply::Limits(page) = client.call(Ask::LimitsShow { symbol, after })? else {
            bail!("the appliance answered something else than limits");
        };
        rows.extend(page.rows);
        after = page.next;
        if after.is_none() {
            return show::limits(cli.output, &rows, page.warn_bps);
        }
    }
}

fn tier_show(cli: &Cli, client: &mut Client, symbol: Option<SymbolName>) -> Result<()> {
    let (mut rows, mut after) = (Vec::new(), None);
    loop {
        let Reply::Tiers(page) = client.call(Ask::TierShow { symbol, after })? else {
            bail!("the appliance answered something else than tiers");
        };
        rows.extend(page.rows);
        after = page.next;
        if after.is_none() {
            return show::tiers(cli.output, &rows);
        }
    }
}

fn breakers(client: &mut Client) -> Result<Vec<BreakerRow>> {
    let (mut rows, mut after) = (Vec::new(), None);
    loop {
        let Reply::Breakers(page) = client.call(Ask::BreakerList { after })? else {
            bail!("the appliance answered something else than its breakers");
        };
        rows.extend(page.rows);
        after = page.next;
        if after.is_none() {
            return Ok(rows);
        }
    }
}

/// Before something is opened: says what is closed, since when, by whom and why, and has the scope typed.
fn confirm(cli: &Cli) -> Result<()> {
    let (scope, consequence, confirmed): (String, &str, &Confirmed) = match &cli.command {
        Command::Resume(confirmed) => {
            ("firm".to_owned(), "Orders of the whole firm will pass again", confirmed)
        }
        Command::Breaker(Breaker::Reset { scope, confirmed }) => {
            (scope.to_string(), "Orders in this scope will pass again", confirmed)
        }
        Command::Tier(Tier::Reset { symbol, confirmed }) => {
            (format!("instrument:{symbol}"), "What the model tightened here is taken back", confirmed)
        }
        Command::Proposals(Proposals::Approve { id, confirmed }) => {
            (format!("proposal:{id}"), "It will be done in your name and its proposer's", confirmed)
        }
        // Nothing that is closed is opened: questions, what tightens, limits that never pass their cap, and what has been typed
        // already, the number of a position or a list.
        Command::Status { .. }
        | Command::Events(_)
        | Command::Alerts(_)
        | Command::Proposals(_)
        | Command::Limits(Limits::Show { .. } | Limits::Set { .. })
        | Command::Lists(_)
        | Command::Breaker(Breaker::List | Breaker::Trip { .. })
        | Command::Halt(_)
        | Command::Tier(Tier::Show { .. })
        | Command::Gate(_)
        | Command::Positions(_)
        | Command::Orders(_)
        | Command::Sessions { .. }
        | Command::Audit(_)
        | Command::Completions(_)
        | Command::Man(_) => return Ok(()),
    };
    if confirmed.yes {
        return Ok(());
    }
    // A connection of its own, which ends before somebody begins to type: the appliance waits for no one.
    for row in breakers(&mut connect(cli)?)?.iter().filter(|row| show::scope_word(row) == scope) {
        let state = if row.scope.is_none() { "halted" } else { row.state.as_str() };
        let why = if row.reason.is_empty() { "no reason given" } else { &row.reason };
        eprintln!("{scope} {state} since {:.3} by {} (episode {}): {why}", row.since, row.by, row.episode);
    }
    if let Command::Proposals(Proposals::Approve { id, .. }) = &cli.command {
        for row in ops::waiting(&mut connect(cli)?)?.iter().filter(|row| row.id == *id) {
            let change = if row.change.is_empty() { String::new() } else { format!(" {}", row.change) };
            eprintln!(
                "{scope}: {} {}{change}, by {} at {:.3}: {}",
                row.action, row.target, row.by, row.at, row.reason
            );
        }
    }
    eprint!("{consequence}. Type {scope} to go on: ");
    std::io::stderr().flush().context("stderr")?;
    let mut typed = String::new();
    std::io::stdin().lock().read_line(&mut typed).context("stdin")?;
    if !std::io::stdin().is_terminal() {
        eprintln!();
    }
    if typed.trim() != scope {
        bail!("nothing was changed: found {:?}, wanted {scope:?} (or --yes)", typed.trim());
    }
    Ok(())
}
