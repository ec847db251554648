//! Events, alerts and proposals: asked for and shown; and the loops that go on until they are interrupted.

use crate::cli::{Cli, Format};
use crate::cli_ops::{Alerts, Completions, Events, Man, Proposals};
use crate::reach::connect;
use crate::sheet::{Field, Sheet};
use crate::show::{answer, print};
use crate::words::n;
use anyhow::{Context, Result, bail};
use clap::CommandFactory;
use control::client::{Client, ClientError};
use control::protocol::{
    AlertChoice, AlertRow, AlertsPage, Command as Ask, Event, EventsPage, ProposalRow, RefusalKind, Reply,
    Severity, Silence, StatusReply,
};
use std::io::{ErrorKind, IsTerminal, Write};
use std::thread::sleep;
use std::time::Duration;

/// How often those who follow ask.
const FOLLOW_EVERY: Duration = Duration::from_millis(250);

/// How often a status that is watched is shown.
const WATCH_EVERY: Duration = Duration::from_secs(1);

/// How long one waits who was not answered, before asking again.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Events asked for at once.
const PAGE: u32 = 1_000;

/// The exit code of a change that waits for a second person.
pub(crate) const WAITS: u8 = 7;

/// What a command about alerts asks.
pub(crate) fn alerts_request(command: &Alerts) -> Ask {
    match command {
        Alerts::List => Ask::AlertsList,
        Alerts::Ack { ids, all, reason, ticket } => Ask::AlertsAck {
            alerts: if *all { AlertChoice::All } else { AlertChoice::Ids(ids.clone()) },
            reason: reason.clone(),
            ticket: ticket.clone(),
        },
        Alerts::Silence { kind, scope, minutes, why } => Ask::AlertsSilence {
            silence: Silence { kind: *kind, scope: scope.clone(), minutes: *minutes },
            reason: why.reason.clone(),
            ticket: why.ticket.clone(),
        },
    }
}

/// What a command about proposals asks.
pub(crate) fn proposals_request(command: &Proposals) -> Ask {
    match command {
        Proposals::List => Ask::ProposalsList,
        Proposals::Approve { id, confirmed } => {
            let (reason, ticket) = (confirmed.why.reason.clone(), confirmed.why.ticket.clone());
            Ask::ProposalApprove { id: *id, reason, ticket }
        }
        Proposals::Withdraw { id, why } => {
            Ask::ProposalWithdraw { id: *id, reason: why.reason.clone(), ticket: why.ticket.clone() }
        }
    }
}

/// The proposals that wait.
pub(crate) fn waiting(client: &mut Client) -> Result<Vec<ProposalRow>> {
    let Reply::Proposals(rows) = client.call(Ask::ProposalsList)? else {
        bail!("the appliance answered something else than proposals");
    };
    Ok(rows)
}

fn severity(severity: Severity) -> Field {
    Field::alarm_if(severity >= Severity::Warning, severity)
}

pub(crate) fn alerts(format: Format, page: &AlertsPage) -> Result<()> {
    let mut sheet =
        Sheet::new(&["alert", "severity", "kind", "scope", "state", "since", "last", "count", "text", "by"]);
    for row in &page.rows {
        sheet.row(vec![
            Field::Text(row.id.to_string()),
            severity(row.severity),
            Field::text(row.kind),
            Field::text(&row.scope),
            Field::Text(state(row)),
            Field::Moment(Some(row.since)),
            Field::Moment(Some(row.last)),
            Field::number(row.count),
            Field::text(&row.text),
            Field::text(row.acknowledged.as_ref().map_or("", |note| &note.by)),
        ]);
    }
    let people = if page.rows.is_empty() { "No alerts.\n" } else { "" };
    answer(format, "alerts", page, &sheet, people)?;
    if format == Format::Table && page.more > 0 {
        print(&format!("and {} more\n", n(page.more)))?;
    }
    Ok(())
}

fn state(row: &AlertRow) -> String {
    let state = match (&row.ended, &row.acknowledged) {
        (None, None) => "lasts",
        (None, Some(_)) => "acknowledged",
        (Some(_), _) => "over",
    };
    if row.silenced { format!("{state}, silenced") } else { state.to_owned() }
}

pub(crate) fn proposals(format: Format, rows: &[ProposalRow]) -> Result<()> {
    let sheet = proposal_sheet(rows);
    answer(format, "proposals", &rows, &sheet, if rows.is_empty() { "Nothing waits.\n" } else { "" })
}

fn proposal_sheet(rows: &[ProposalRow]) -> Sheet {
    let mut sheet =
        Sheet::new(&["proposal", "action", "target", "change", "by", "at", "expires", "reason", "ticket"]);
    for row in rows {
        sheet.row(vec![
            Field::Text(row.id.to_string()),
            Field::text(&row.action),
            Field::text(&row.target),
            Field::text(&row.change),
            Field::text(&row.by),
            Field::Moment(Some(row.at)),
            Field::Moment(Some(row.expires)),
            Field::text(&row.reason),
            Field::text(&row.ticket),
        ]);
    }
    sheet
}

/// Says that a change waits for a second person.
pub(crate) fn proposed(format: Format, row: &ProposalRow) -> Result<u8> {
    let done = match row.done.as_str() {
        "" => "Nothing was changed".to_owned(),
        done => format!("{done} is set, which is tighter; the rest is not"),
    };
    let people = format!(
        "{done}: {} {} takes a second person. Proposal {} waits until {:.0}; another officer does it with\n\
         portcullisctl proposals approve {} --reason \"...\"\n",
        row.action, row.target, row.id, row.expires, row.id
    );
    match format {
        Format::Table => print(&people)?,
        Format::Json | Format::Csv => {
            answer(format, "proposed", row, &proposal_sheet(std::slice::from_ref(row)), "")?;
        }
    }
    Ok(WAITS)
}

fn page(client: &mut Client, after: u64) -> Result<EventsPage, ClientError> {
    let Reply::Events(page) = client.call(Ask::Events { after, count: PAGE })? else {
        return Err(ClientError::Unreadable { cause: "found something else than events".to_owned() });
    };
    Ok(page)
}

fn is_wanted(events: &Events, event: &Event) -> bool {
    event.severity >= events.level && events.kind.is_none_or(|kind| kind == event.kind)
}

/// Shows the newest events, and goes on where that was asked for.
pub(crate) fn events(cli: &Cli, events: &Events) -> Result<()> {
    let mut client = connect(cli)?;
    let Reply::Status(status) = client.call(Ask::Status)? else {
        bail!("the appliance answered something else than its status");
    };
    let newest = status.events.map_or(0, |events| events.newest);
    // Enough to find as many as are wanted among others, and never more than two pages for it.
    let window = if events.level > Severity::Info || events.kind.is_some() { 2 * PAGE } else { events.count };
    let (mut after, mut rows) = (newest.saturating_sub(window.into()), Vec::new());
    loop {
        let found = page(&mut client, after)?;
        after = found.next;
        let is_last = found.rows.is_empty() || after >= newest;
        rows.extend(found.rows.into_iter().filter(|event| is_wanted(events, event)));
        if is_last {
            break;
        }
    }
    rows.drain(..rows.len().saturating_sub(events.count as usize));
    if !events.follow {
        return show(cli.output, &rows);
    }
    let mut first = true;
    loop {
        if !show_more(cli.output, &rows, first)? {
            return Ok(());
        }
        first = false;
        sleep(FOLLOW_EVERY);
        rows = match page(&mut client, after) {
            Ok(found) => {
                if found.lost > 0 {
                    eprintln!("portcullisctl: {} events are kept no more", n(found.lost));
                }
                after = found.next;
                found.rows.into_iter().filter(|event| is_wanted(events, event)).collect()
            }
            // Somebody else needed the seat, or the appliance started anew: its journal goes on where it was.
            Err(error) => {
                client = once_more(cli, error)?;
                Vec::new()
            }
        };
    }
}

fn event_sheet(rows: &[Event]) -> Sheet {
    let mut sheet = Sheet::new(&["event", "time", "severity", "kind", "scope", "cause", "text"]);
    for event in rows {
        sheet.row(vec![
            Field::Text(event.seq.to_string()),
            Field::Moment(Some(event.at)),
            severity(event.severity),
            Field::text(event.kind),
            Field::text(&event.scope),
            Field::text(&event.cause),
            Field::text(&event.text),
        ]);
    }
    sheet
}

fn show(format: Format, rows: &[Event]) -> Result<()> {
    answer(format, "events", &rows, &event_sheet(rows), if rows.is_empty() { "No events.\n" } else { "" })
}

/// Shows events as they come; whether somebody still reads them.
fn show_more(format: Format, rows: &[Event], first: bool) -> Result<bool> {
    let mut text = String::new();
    match format {
        Format::Json => {
            for event in rows {
                text.push_str(&serde_json::to_string(event)?);
                text.push('\n');
            }
        }
        Format::Csv => {
            let sheet = event_sheet(rows).for_spreadsheets();
            text.push_str(if first { &sheet } else { sheet.split_once("\r\n").map_or("", |(_, rest)| rest) });
        }
        Format::Table => {
            for Event { seq, at, severity, kind, scope, text: said, .. } in rows {
                text.push_str(&format!("{seq}  {at:.3}  {severity:8}  {kind}  {scope}: {said}\n"));
            }
        }
    }
    write_live(&text)
}

/// Writes at once; whether somebody still reads it.
fn write_live(text: &str) -> Result<bool> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() == ErrorKind::BrokenPipe => Ok(false),
        outcome => outcome.map(|()| true).context("stdout"),
    }
}

/// Another connection after `error`, a moment later; none to an appliance that would say the same again: that whoever asks may not, or what
/// the two of different releases cannot read.
fn once_more(cli: &Cli, error: ClientError) -> Result<Client> {
    let may_pass = match &error {
        ClientError::Refused(refusal) => {
            matches!(refusal.kind, RefusalKind::Busy | RefusalKind::Expired | RefusalKind::Failed)
        }
        ClientError::NoAnswer { .. } | ClientError::Unreachable { .. } => true,
        ClientError::Version { .. } | ClientError::Unreadable { .. } => false,
    };
    if !may_pass {
        return Err(error.into());
    }
    sleep(AGAIN_AFTER);
    Ok(connect(cli)?)
}

/// Shows the status again and again.
pub(crate) fn watch(cli: &Cli, show: impl Fn(Format, &StatusReply) -> String) -> Result<()> {
    let clear = if std::io::stdout().is_terminal() { "\x1b[H\x1b[2J" } else { "" };
    let mut client = connect(cli)?;
    loop {
        let status = match client.call(Ask::Status) {
            Ok(Reply::Status(status)) => status,
            Ok(_) => bail!("the appliance answered something else than its status"),
            Err(error) => {
                client = once_more(cli, error)?;
                continue;
            }
        };
        if !write_live(&format!("{clear}{}", show(cli.output, &status)))? {
            return Ok(());
        }
        sleep(WATCH_EVERY);
    }
}

/// Prints what a shell completes by.
pub(crate) fn completions(wanted: &Completions) -> Result<()> {
    let mut text = Vec::new();
    clap_complete::generate(wanted.shell, &mut Cli::command(), "portcullisctl", &mut text);
    print(&String::from_utf8(text).context("a completion that is no text")?)
}

/// Writes the manual pages, one a command.
pub(crate) fn man(wanted: &Man) -> Result<()> {
    std::fs::create_dir_all(&wanted.out).with_context(|| wanted.out.display().to_string())?;
    clap_mangen::generate_to(Cli::command(), &wanted.out).with_context(|| wanted.out.display().to_string())
}
