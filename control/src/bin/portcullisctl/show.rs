//! Answers as people, programs and spreadsheets want them.

use crate::cli::Format;
use crate::feeds;
use crate::halts;
use crate::load;
use crate::pulse;
use crate::sheet::{Field, Sheet};
use crate::words::{ago, n, span};
use anyhow::Result;
use control::names::Name;
use control::protocol::{
    BookGroup, BreakerRow, Changed, ClientQuota, ExplainReply, GatewayStatus, LatchHealth, LevelRow,
    LimitDiff, LimitRow, PROTOCOL_VERSION, Reconciliation, StageCounters, StatusReply, TierRow,
};
use control::stamp::Stamp;
use gate::RejectReason;
use serde::Serialize;
use serde_json::{Value, json};
use std::io::{ErrorKind, Write};

/// Prints to stdout; a reader that has seen enough (`| head`) is no failure.
pub(crate) fn print(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() != ErrorKind::BrokenPipe => Err(e.into()),
        _ => Ok(()),
    }
}

/// Says what went wrong: one line on stderr, and for programs the same as JSON on stdout, where they look for an answer.
pub(crate) fn failure(format: Format, message: &str, kind: &str, exit_code: u8) {
    if format == Format::Json {
        let error = json!({ "kind": kind, "message": message, "exit_code": exit_code });
        drop(print(&format!("{:#}\n", json!({ "version": PROTOCOL_VERSION, "error": error }))));
    }
    // Nobody may be reading stderr.
    drop(writeln!(std::io::stderr(), "portcullisctl: {message}"));
}

/// Prints one answer: a sheet for people and spreadsheets, the thing itself for programs. `people` stands before the
/// sheet, or instead of an empty one.
pub(crate) fn answer(
    format: Format,
    name: &str,
    value: &impl Serialize,
    sheet: &Sheet,
    people: &str,
) -> Result<()> {
    print(&text_of(format, name, value, sheet, people))
}

/// What [`answer`] prints.
fn text_of(format: Format, name: &str, value: &impl Serialize, sheet: &Sheet, people: &str) -> String {
    match format {
        Format::Json => format!("{:#}\n", json!({ "version": PROTOCOL_VERSION, name: value })),
        Format::Csv => sheet.for_spreadsheets(),
        Format::Table if sheet.is_empty() => people.to_owned(),
        Format::Table => format!("{people}{}", sheet.for_people()),
    }
}

pub(crate) fn status(format: Format, status: &StatusReply) -> Result<()> {
    print(&status_text(format, status))
}

/// The status as it is printed.
pub(crate) fn status_text(format: Format, status: &StatusReply) -> String {
    let mut sheet = Sheet::new(&["what", "value"]);
    let mut line = |what: &str, value: Field| sheet.row(vec![Field::text(what), value]);
    for alarm in &status.alarms {
        line("ALARM", Field::Alarm(alarm.clone()));
    }
    let up = span(status.started, status.now);
    line("instance", Field::text(format!("{} (build {}, up {up})", status.instance, status.build)));
    line("state", state(status));
    audit_mode(status).into_iter().for_each(|said| line("AUDIT MODE", said));
    if let LatchHealth::Damaged(why) = &status.latch {
        let out = format!("state on disk could not be believed: {why}; a risk_admin ends this with `resume`");
        line("latch", Field::Alarm(out));
    }
    let tripped =
        if status.breakers == 0 { "all armed".to_owned() } else { format!("{} tripped", status.breakers) };
    line("breakers", Field::alarm_if(status.breakers > 0, tripped));
    let t = &status.tiers;
    let unknown = if t.unknown > 0 { format!(", {} unknown", t.unknown) } else { String::new() };
    let tiers = format!(
        "{} normal, {} elevated, {} high, {} critical{unknown}",
        t.normal, t.elevated, t.high, t.critical
    );
    line("tiers", Field::alarm_if(t.critical > 0, tiers));
    if let Some(o) = &status.orders {
        let (accepted, flagged, rejected) = (n(o.accepted), n(o.flagged), n(o.rejected));
        line("orders", Field::text(format!("{accepted} accepted, {flagged} flagged, {rejected} rejected")));
    }
    for row in &status.halts {
        line("closed", halts::field(row));
    }
    for (name, said) in gateways(status) {
        line(&name, said);
    }
    if let Some(missing) = &status.settlement_missing {
        line("settlement", Field::Alarm(missing.to_string()));
    }
    if !status.books.is_empty() {
        let waits = status.books.iter().any(|group| !group.symbols.is_empty());
        line("books", Field::alarm_if(waits, books(&status.books)));
    }
    for feed in &status.feeds {
        for (name, said) in feeds::rows(feed, status.now) {
            line(&name, said);
        }
    }
    if let Some(said) = book_troubles(&status.counters) {
        line("events", Field::text(said));
    }
    line("scorer", scorer(status));
    for (name, said) in load::rows(&status.load, span_ns(status)) {
        line(&name, said);
    }
    line("audit", Field::text(format!("{} records, head {}", n(status.audit.records), status.audit.head)));
    let r = &status.refused;
    if r.total > 0 {
        let unrecorded = if r.unrecorded > 0 {
            format!(", {} of them counted alone, without a record", n(r.unrecorded))
        } else {
            String::new()
        };
        line("refused", Field::text(format!("{} commands and connections{unrecorded}", n(r.total))));
    }
    for (name, said) in status.events.iter().flat_map(pulse::rows) {
        line(&name, said);
    }
    line("clock", Field::Moment(Some(status.now)));
    text_of(format, "status", status, &sheet, "")
}

/// Which clients no limit stops, where there are any.
fn audit_mode(status: &StatusReply) -> Option<Field> {
    let named: Vec<&str> = status.audit_mode.iter().map(Name::as_str).collect();
    let out = format!("no limit stops an order of {}: only halts of a person do", named.join(", "));
    (!named.is_empty()).then_some(Field::Alarm(out))
}

/// How long the daemon has run.
fn span_ns(status: &StatusReply) -> u64 {
    status.now.0.since(status.started.0).0
}

/// `open` only while orders can pass.
fn state(status: &StatusReply) -> Field {
    match (&status.halt, &status.closed) {
        (Some(halt), _) => {
            Field::Alarm(format!("HALTED since {:.3} by {}: {}", halt.since, halt.by, or_dash(&halt.reason)))
        }
        (None, Some(why)) => Field::Alarm(format!("no order can pass: {why}")),
        (None, None) if status.reduce_only => {
            Field::Alarm("reduce only: orders that reduce a position can pass, no others".to_owned())
        }
        (None, None) => Field::text("open: orders can pass"),
    }
}

/// What scores, with which model, and how lately.
fn scorer(status: &StatusReply) -> Field {
    let s = &status.scorer;
    let (model, scored, last) = (or_dash(&s.model), n(s.scored), ago(s.last, status.now));
    let unknown = match s.uncalibrated {
        0 => String::new(),
        count => format!(", {} instruments uncalibrated", n(count)),
    };
    Field::text(format!("{}, model {model}, {scored} scored, last {last}{unknown}", s.backend))
}

/// Symbols named of a state's books; JSON has more of them.
const NAMED_MAX: usize = 5;

/// How many books are live, and which are not.
fn books(groups: &[BookGroup]) -> String {
    let said = groups.iter().map(|group| {
        let named: Vec<String> = group.symbols.iter().take(NAMED_MAX).map(ToString::to_string).collect();
        let more = if group.count as usize > named.len() { ", ..." } else { "" };
        let names = if named.is_empty() { String::new() } else { format!(": {}{more}", named.join(", ")) };
        format!("{} {}{names}", n(u64::from(group.count)), group.state)
    });
    said.collect::<Vec<_>>().join("; ")
}

fn or_dash(text: &str) -> &str {
    if text.is_empty() { "-" } else { text }
}

/// Limits of levels of the firm; the lowest of each are marked.
pub(crate) fn levels(format: Format, rows: &[LevelRow]) -> Result<()> {
    let mut sheet = Sheet::new(&["limit", "unit", "scope", "value", "lowest", "quotas"]);
    let quota = |of: &ClientQuota| {
        let used = of.used.map_or_else(|| "-".to_owned(), |used| used.to_string());
        format!("{} {} of {}", of.client, used, of.quota)
    };
    for row in rows {
        let quotas: Vec<_> = row.quotas.iter().map(quota).collect();
        sheet.row(vec![
            Field::text(&row.limit),
            Field::text(&row.unit),
            Field::text(&row.scope),
            Field::number(row.value),
            Field::text(if row.lowest { "yes" } else { "" }),
            Field::text(quotas.join("; ")),
        ]);
    }
    let none = if rows.is_empty() { "Nothing is limited there, nor above it.\n" } else { "" };
    answer(format, "levels", &rows, &sheet, none)
}

pub(crate) fn limits(format: Format, rows: &[LimitRow], warn_bps: u32) -> Result<()> {
    let mut sheet = Sheet::new(&[
        "symbol",
        "limit",
        "unit",
        "floor",
        "base",
        "cap",
        "effective",
        "source",
        "tier",
        "set_by",
        "set_at",
    ]);
    for row in rows {
        sheet.row(vec![
            Field::text(row.symbol),
            Field::text(&row.key),
            Field::text(&row.unit),
            Field::number(row.floor),
            Field::number(row.base),
            Field::number(row.cap),
            Field::number(row.effective),
            Field::text(&row.source),
            Field::alarm_if(row.tier == "critical", &row.tier),
            Field::text(&row.set_by),
            Field::Moment(row.set_at),
        ]);
    }
    let people = match warn_bps {
        _ if rows.is_empty() => "No instrument has been defined yet.\n".to_owned(),
        0 => String::new(),
        share => {
            format!("An order above {} % of a limit has the flag near_limit.\n", f64::from(share) / 100.0)
        }
    };
    answer(format, "limits", &rows, &sheet, &people)
}

pub(crate) fn limits_changed(format: Format, diffs: &[LimitDiff], dry_run: bool) -> Result<()> {
    let mut sheet = Sheet::new(&["symbol", "limit", "unit", "before", "after", "direction"]);
    for diff in diffs {
        sheet.row(vec![
            Field::text(diff.symbol),
            Field::text(&diff.key),
            Field::text(&diff.unit),
            Field::number(diff.before),
            Field::number(diff.after),
            Field::text(&diff.direction),
        ]);
    }
    let people = if dry_run { "Nothing was changed; this would be:\n" } else { "" };
    let note = diffs.iter().find(|diff| !diff.note.is_empty());
    let note = note.map_or_else(String::new, |diff| format!("{}: {}.\n", diff.symbol, diff.note));
    answer(format, "limits_changed", &diffs, &sheet, &format!("{note}{people}"))
}

pub(crate) fn breakers(format: Format, rows: &[BreakerRow]) -> Result<()> {
    let mut sheet = Sheet::new(&["scope", "state", "cause", "episode", "since", "by", "reason", "ticket"]);
    for row in rows {
        sheet.row(vec![
            Field::text(scope_word(row)),
            Field::Alarm(if row.scope.is_none() { "halted".to_owned() } else { row.state.clone() }),
            Field::text(&row.cause),
            Field::Text(row.episode.to_string()),
            Field::Moment(Some(row.since)),
            Field::text(&row.by),
            Field::text(&row.reason),
            Field::text(&row.ticket),
        ]);
    }
    answer(
        format,
        "breakers",
        &rows,
        &sheet,
        if rows.is_empty() { "No breaker is tripped: all are armed.\n" } else { "" },
    )
}

/// The halt covers the firm.
pub(crate) fn scope_word(row: &BreakerRow) -> String {
    row.scope.as_ref().map_or_else(|| "firm".to_owned(), ToString::to_string)
}

pub(crate) fn changed(format: Format, changed: &Changed) -> Result<()> {
    let mut sheet =
        Sheet::new(&["changed", "episode", "audit_seq", "message", "effective_after_us", "durable_after_us"]);
    let us = |time: Option<u64>| Field::Text(time.map_or_else(String::new, |us| us.to_string()));
    sheet.row(vec![
        Field::text(changed.changed),
        Field::Text(changed.episode.to_string()),
        Field::Text(changed.audit_seq.to_string()),
        Field::text(&changed.message),
        us(changed.effective_after_us),
        us(changed.durable_after_us),
    ]);
    match format {
        Format::Table => print(&format!("{}\n", changed.message)),
        Format::Json | Format::Csv => answer(format, "changed", changed, &sheet, ""),
    }
}

pub(crate) fn tiers(format: Format, rows: &[TierRow]) -> Result<()> {
    let mut columns = vec!["symbol", "tier", "score", "since", "book", "drivers"];
    let several = rows.iter().any(|row| !row.feed.is_empty());
    columns.extend(several.then_some("feed"));
    let mut sheet = Sheet::new(&columns);
    for row in rows {
        let feed = several.then(|| Field::text(&row.feed));
        let fields = vec![
            Field::text(row.symbol),
            Field::alarm_if(matches!(row.tier.as_str(), "high" | "critical"), &row.tier),
            Field::text(&row.score),
            Field::Moment(row.since),
            Field::alarm_if(row.book.starts_with("stale"), &row.book),
            Field::text(drivers(row)),
        ];
        sheet.row(fields.into_iter().chain(feed).collect());
    }
    answer(
        format,
        "tiers",
        &rows,
        &sheet,
        if rows.is_empty() { "No instrument has been defined yet.\n" } else { "" },
    )
}

/// What drove the score, by name, value and unit; by name alone where the appliance is of a release that said no more.
fn drivers(row: &TierRow) -> String {
    if row.driver_values.is_empty() {
        return row.drivers.join("; ");
    }
    row.driver_values.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

pub(crate) fn explain(format: Format, reply: &ExplainReply) -> Result<()> {
    // For people the sentence has both numbers, in units that people use.
    let numbers: &[&str] = if format == Format::Table { &[] } else { &["limit", "value"] };
    let mut sheet = Sheet::new(&[&["decision", "code", "slug", "sentence"], numbers].concat());
    for breach in &reply.breaches {
        let mut row = vec![
            Field::alarm_if(reply.decision == "reject", &reply.decision),
            Field::Text(breach.code.to_string()),
            Field::text(&breach.slug),
            Field::text(&breach.sentence),
        ];
        row.extend([breach.limit, breach.value].iter().take(numbers.len()).map(Field::text));
        sheet.row(row);
    }
    if reply.breaches.is_empty() {
        let flags = reply.flags.join(", ");
        let sentence = if flags.is_empty() {
            "breaks no limit".to_owned()
        } else {
            format!("breaks no limit; flags: {flags}")
        };
        let mut row: Vec<_> = [&reply.decision, "", "", &sentence].map(Field::text).into();
        row.extend(numbers.iter().map(|_| Field::text("")));
        sheet.row(row);
    }
    if format != Format::Table {
        return answer(format, "explain", reply, &sheet, "");
    }
    print(&sheet.for_people())?;
    if reply.limits.is_empty() {
        return print("\nThe order was refused before any limit was read.\n");
    }
    let mut limits = Sheet::new(&["limit_in_force", "value", "unit"]);
    for row in &reply.limits {
        limits.row(vec![Field::text(&row.key), Field::number(row.value), Field::text(&row.unit)]);
    }
    let score = if reply.score.is_empty() { String::new() } else { format!(", score {}", reply.score) };
    let head = format!("\nLimits: {}; tier {}{score}\n", reply.source, reply.tier);
    print(&format!("{head}{}", limits.for_people()))
}

pub(crate) fn codes(format: Format) -> Result<()> {
    let mut sheet = Sheet::new(&["code", "slug", "fix_103", "sentence", "fails_closed_on"]);
    let mut all = Vec::new();
    for reason in RejectReason::ALL {
        sheet.row(vec![
            Field::Text(reason.code().to_string()),
            Field::text(reason.slug()),
            Field::Text(reason.fix_ord_rej_reason().to_string()),
            Field::text(reason.sentence()),
            Field::text(reason.fails_closed_on()),
        ]);
        all.push(json!({
            "code": reason.code(),
            "slug": reason.slug(),
            "fix_ord_rej_reason": reason.fix_ord_rej_reason(),
            "sentence": reason.sentence(),
            "fails_closed_on": reason.fails_closed_on(),
        }));
    }
    answer(format, "codes", &all, &sheet, "")
}

pub(crate) fn records(format: Format, records: &[Value]) -> Result<()> {
    let mut sheet =
        Sheet::new(&["seq", "time", "user", "role", "action", "target", "reason", "ticket", "result"]);
    let word = |value: &Value| {
        value
            .as_str()
            .map_or_else(|| if value.is_null() { String::new() } else { value.to_string() }, str::to_owned)
    };
    for record in records {
        let actor = &record["actor"];
        sheet.row(vec![
            Field::Text(word(&record["seq"])),
            record["ts"].as_str().map_or(Field::Moment(None), |ts| {
                ts.parse().map_or_else(|_| Field::text(ts), |at| Field::Moment(Some(at)))
            }),
            Field::Text(word(&actor["user"])),
            Field::Text(word(&actor["role"])),
            Field::Text(word(&record["action"])),
            Field::Text(word(&record["target"])),
            Field::Text(word(&record["reason"])),
            Field::Text(word(&record["ticket"])),
            Field::Text(word(&record["result"])),
        ]);
    }
    answer(format, "records", &records, &sheet, "")
}

/// What the featurizer could not place, or place in time; none when it could everything.
fn book_troubles(counters: &StageCounters) -> Option<String> {
    const SAID: [(&str, &str); 9] = [
        ("late_events", "late"),
        ("unknown_orders", "of unknown orders"),
        ("unknown_levels", "of levels that were not there"),
        ("duplicate_orders", "of orders that were there"),
        ("over_reductions", "that took more than there was"),
        ("table_full", "without room in a table"),
        ("bad_events", "damaged"),
        ("missing_quantity", "without a quantity"),
        ("recentres_refused", "too far from a book's prices"),
    ];
    let counted = counters.get("featurizer")?;
    let said: Vec<String> = SAID
        .iter()
        .filter_map(|(name, what)| {
            counted.get(*name).filter(|count| **count > 0).map(|count| format!("{} {what}", n(*count)))
        })
        .collect();
    (!said.is_empty()).then(|| said.join(", "))
}

/// The daemon's own gateways, and how drop copies agree with the gates of those that take some.
fn gateways(status: &StatusReply) -> Vec<(String, Field)> {
    let own = status.gateways.iter().map(|GatewayStatus { name, down }| {
        let said = down.as_ref().map_or_else(|| "it runs".to_owned(), ToString::to_string);
        (format!("gateway {name}"), Field::alarm_if(down.is_some(), said))
    });
    let copies = status.reconciliations.iter();
    own.chain(copies.map(|row| (format!("copies {}", row.gateway), reconciliation(row, status.now))))
        .collect()
}

/// How drop copies agree with a gate: the last break in what each side says.
fn reconciliation(row: &Reconciliation, now: Stamp) -> Field {
    let Reconciliation { matched, waiting, breaks, last_breaks, .. } = row;
    let down = row.down(now).map_or_else(
        || format!("they come since {:.3}", row.since),
        |(since, why)| format!("NOTHING IS RECONCILED since {since:.3}: {why}"),
    );
    let last = last_breaks.last().map_or_else(String::new, |text| format!("; the last: {text}"));
    let text = format!("{down}; {} agree, {} wait, {} differ{last}", n(*matched), n(*waiting), n(*breaks));
    Field::alarm_if(row.down(now).is_some() || *breaks > 0, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_books_could_not_place_is_said_only_where_there_is_some() {
        let of = |rows: &[(&str, u64)]| {
            let counted = rows.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
            book_troubles(&StageCounters::from([("featurizer".to_owned(), counted)]))
        };
        assert_eq!(of(&[("events", 9), ("late_events", 0)]), None);
        let said = of(&[("events", 9), ("unknown_orders", 1_200), ("late_events", 3)]);
        assert_eq!(said.as_deref(), Some("3 late, 1,200 of unknown orders"));
        assert_eq!(book_troubles(&StageCounters::default()), None);
    }
}
