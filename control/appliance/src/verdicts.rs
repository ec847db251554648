//! `portcullis verdicts`: what the gate said of orders, out of the verdict log that `run` and `replay` write.
//!
//! Of another configuration only what becomes of each order's quantity can be told: the log holds neither the time in force of an order,
//! nor the venue's answers, nor the prices and limits of the moment.

use crate::again::{self, Again, Seen};
use crate::cli::{Format, Verdicts, VerdictsCommand, VerdictsFilter};
use crate::output::{say, tell};
use crate::tables::VERDICTS_HEADING;
use anyhow::{Context, Result, anyhow, ensure};
use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use control::cause::one_line;
use control::config::{Plan, load};
use control::stamp::Stamp;
use serde::Serialize;
use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;
use types::UnixNanos;

/// One row, as the log has it, without how long the check took.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Row {
    time: String,
    cl_ord_id: String,
    account: String,
    strategy: String,
    symbol: String,
    side: String,
    qty: String,
    px: String,
    decision: String,
    code: String,
    slug: String,
    limit: String,
    value: String,
    tier: String,
    score: String,
    #[serde(skip)]
    at: UnixNanos,
}

/// Columns of a row.
const COLUMNS: [&str; 15] = [
    "time",
    "cl_ord_id",
    "account",
    "strategy",
    "symbol",
    "side",
    "qty",
    "px",
    "decision",
    "code",
    "slug",
    "limit",
    "value",
    "tier",
    "score",
];

impl Row {
    /// The row of a record of the log.
    fn of(record: &csv::StringRecord) -> Result<Self> {
        let wanted = VERDICTS_HEADING.split(',').count();
        ensure!(record.len() == wanted, "found {} fields, wanted {wanted}", record.len());
        let field = |at: usize| record.get(at).unwrap_or_default().to_owned();
        let ns = field(0);
        let at = UnixNanos(ns.parse().map_err(|_| anyhow!("found {ns:?}, wanted a time in nanoseconds"))?);
        Ok(Self {
            time: Stamp(at).to_string(),
            cl_ord_id: field(1),
            account: field(2),
            strategy: field(3),
            symbol: field(4),
            side: field(5),
            qty: field(6),
            px: field(7),
            decision: field(8),
            code: field(9),
            slug: field(10),
            limit: field(11),
            value: field(12),
            tier: field(13),
            score: field(14),
            at,
        })
    }

    fn cells(&self) -> [&str; 15] {
        [
            &self.time,
            &self.cl_ord_id,
            &self.account,
            &self.strategy,
            &self.symbol,
            &self.side,
            &self.qty,
            &self.px,
            &self.decision,
            &self.code,
            &self.slug,
            &self.limit,
            &self.value,
            &self.tier,
            &self.score,
        ]
    }

    /// Whether it is of what was asked for.
    fn is_of(&self, filter: &VerdictsFilter) -> bool {
        let is = |wanted: &Option<String>, found: &str| wanted.as_ref().is_none_or(|wanted| wanted == found);
        let names = |wanted: &String, list: &str| list.split(' ').any(|one| one == wanted);
        let reason = filter
            .reason
            .as_ref()
            .is_none_or(|reason| names(reason, &self.slug) || names(reason, &self.code));
        is(&filter.account, &self.account)
            && is(&filter.strategy, &self.strategy)
            && is(&filter.symbol, &self.symbol)
            && filter.decision.is_none_or(|decision| decision.as_str() == self.decision)
            && reason
            && filter.from.is_none_or(|from| self.at >= from.0)
            && filter.until.is_none_or(|until| self.at < until.0)
    }
}

pub(crate) fn run(args: &Verdicts) -> Result<()> {
    match &args.command {
        VerdictsCommand::Show { log, filter, last, output } => show(log, filter, *last as usize, *output),
        VerdictsCommand::Stats { log, filter, output } => stats(log, filter, *output),
        VerdictsCommand::Replay { log, config, set, filter, last, output } => {
            let plan = load(std::slice::from_ref(config), set)?;
            replay(log, &plan, filter, *last as usize, *output)
        }
    }
}

/// Hands every row of a log that `filter` shows to `take`. A last row that is still being written is left out.
fn rows(log: &Path, filter: &VerdictsFilter, mut take: impl FnMut(Row) -> Result<()>) -> Result<()> {
    let named = || log.display().to_string();
    let source: Box<dyn Read> = if log == Path::new("-") {
        Box::new(std::io::stdin().lock())
    } else {
        Box::new(File::open(log).with_context(|| format!("cannot read {}", named()))?)
    };
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(BufReader::new(source));
    let heading = reader.headers().with_context(named)?.iter().collect::<Vec<_>>().join(",");
    ensure!(
        heading == VERDICTS_HEADING,
        "{}: found the heading {heading:?}, wanted {VERDICTS_HEADING:?}: is it a verdicts.csv?",
        named()
    );
    let mut bad: Option<anyhow::Error> = None;
    let mut record = csv::StringRecord::new();
    while reader.read_record(&mut record).with_context(named)? {
        // What is no row and has rows behind it is damage.
        if let Some(error) = bad {
            return Err(error);
        }
        let line = record.position().map_or(0, csv::Position::line);
        match Row::of(&record) {
            Ok(row) if row.is_of(filter) => take(row)?,
            Ok(_) => {}
            Err(error) => bad = Some(error.context(format!("{}: line {line}", named()))),
        }
    }
    if let Some(error) = bad {
        tell(format_args!(
            "warning: {}: the last row is not whole and is left out",
            one_line(error.as_ref())
        ));
    }
    Ok(())
}

fn table(heading: &[&str], rows: impl Iterator<Item = Vec<String>>) -> comfy_table::Table {
    let mut table = comfy_table::Table::new();
    table.load_style(UTF8_HORIZONTAL_ONLY).set_header(heading);
    rows.for_each(|row| _ = table.add_row(row));
    table
}

/// A row for spreadsheets.
fn csv_line<'a>(cells: impl IntoIterator<Item = &'a str>) -> Result<String> {
    let mut writer =
        csv::WriterBuilder::new().terminator(csv::Terminator::Any(b'\n')).from_writer(Vec::new());
    writer.write_record(cells)?;
    let line = String::from_utf8(writer.into_inner().map_err(|error| anyhow!("{error}"))?)?;
    Ok(line.trim_end().to_owned())
}

fn show(log: &Path, filter: &VerdictsFilter, last: usize, format: Format) -> Result<()> {
    let mut kept: VecDeque<Row> = VecDeque::new();
    let mut before = 0_u64;
    rows(log, filter, |row| {
        if kept.len() == last {
            kept.pop_front();
            before += 1;
        }
        kept.push_back(row);
        Ok(())
    })?;
    if before > 0 {
        tell(format_args!("{before} earlier rows are not shown: see --last"));
    }
    match format {
        Format::Table => {
            let all = kept.iter().map(|row| row.cells().map(str::to_owned).to_vec());
            say(format_args!("{}", table(&COLUMNS, all)))
        }
        Format::Json => say(format_args!("{}", serde_json::to_string_pretty(&kept)?)),
        Format::Csv => {
            say(format_args!("{}", COLUMNS.join(",")))?;
            kept.iter().try_for_each(|row| say(format_args!("{}", csv_line(row.cells())?)))
        }
    }
}

/// A row that another configuration would have judged otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Changed {
    #[serde(flatten)]
    row: Row,
    /// `refused`, or `not_for_quantity`.
    again: &'static str,
    /// The configuration's largest quantity of the tier.
    again_limit: u32,
}

/// What a configuration would have made of the quantities of a log.
#[derive(Debug, Default)]
struct Replayed {
    all: u64,
    refused: u64,
    not_for_quantity: u64,
    unknown: u64,
    /// The last ones.
    changed: VecDeque<Changed>,
}

impl Replayed {
    fn take(&mut self, row: Row, plan: &Plan, last: usize) {
        let Row { symbol, qty, decision, slug, tier, .. } = &row;
        let (again, again_limit) = match again::judge(plan, &Seen { symbol, qty, decision, slug, tier }) {
            Again::Same => ("", 0),
            Again::Unknown => {
                self.unknown += 1;
                ("", 0)
            }
            Again::Refused(limit) => {
                self.refused += 1;
                ("refused", limit)
            }
            Again::NotForQuantity(limit) => {
                self.not_for_quantity += 1;
                ("not_for_quantity", limit)
            }
        };
        self.all += 1;
        if again.is_empty() {
            return;
        }
        if self.changed.len() == last {
            self.changed.pop_front();
        }
        self.changed.push_back(Changed { row, again, again_limit });
    }

    /// What it comes to, in a sentence.
    fn sentence(&self) -> String {
        let Self { all, refused, not_for_quantity, unknown, .. } = self;
        let others = all - refused - not_for_quantity - unknown;
        let unread = if *unknown > 0 { format!(", {unknown} cannot be told") } else { String::new() };
        format!(
            "{all} orders: {refused} would have been refused for their quantity, {not_for_quantity} would not have been refused for it, \
             {others} stay as they were{unread}"
        )
    }
}

fn replay(log: &Path, plan: &Plan, filter: &VerdictsFilter, last: usize, format: Format) -> Result<()> {
    let mut replayed = Replayed::default();
    rows(log, filter, |row| {
        replayed.take(row, plan, last);
        Ok(())
    })?;
    let shown = replayed.changed.len() as u64;
    let before = replayed.refused + replayed.not_for_quantity - shown;
    if before > 0 {
        tell(format_args!("{before} earlier rows are not shown: see --last"));
    }
    let cells = |changed: &Changed| {
        let [time, cl_ord_id, account, strategy, symbol, side, qty, px, decision, _, slug, limit, _, tier, _] =
            changed.row.cells();
        let again_limit = changed.again_limit.to_string();
        let then = [time, cl_ord_id, account, strategy, symbol, side, qty, px, tier, decision, slug, limit];
        then.into_iter().chain([changed.again, &again_limit]).map(str::to_owned).collect::<Vec<_>>()
    };
    match format {
        Format::Table => {
            say(format_args!("{}", replayed.sentence()))?;
            if shown > 0 {
                say(format_args!("{}", table(&REPLAY_COLUMNS, replayed.changed.iter().map(cells))))?;
            }
            Ok(())
        }
        Format::Json => {
            let Replayed { all, refused, not_for_quantity, unknown, changed } = &replayed;
            let all = serde_json::json!({
                "orders": all, "refused": refused, "not_for_quantity": not_for_quantity, "unknown": unknown, "changed": changed,
            });
            say(format_args!("{all:#}"))
        }
        Format::Csv => {
            say(format_args!("{}", REPLAY_COLUMNS.join(",")))?;
            let mut changed = replayed.changed.iter().map(cells);
            changed.try_for_each(|cells| say(format_args!("{}", csv_line(cells.iter().map(String::as_str))?)))
        }
    }
}

/// Columns of a row that would have been judged otherwise.
const REPLAY_COLUMNS: [&str; 14] = [
    "time",
    "cl_ord_id",
    "account",
    "strategy",
    "symbol",
    "side",
    "qty",
    "px",
    "tier",
    "decision",
    "slug",
    "limit",
    "again",
    "again_limit",
];

/// How many rows have one value in a column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Count {
    by: &'static str,
    value: String,
    orders: u64,
    /// Hundredths of a percent of all.
    share_bps: u64,
}

/// What the rows are counted by.
const BY: [&str; 6] = ["decision", "reason", "tier", "strategy", "account", "symbol"];

/// Values of one column that are counted apart: the others of a column of many are counted together.
const VALUES_MAX: usize = 10_000;

/// What values that were too many are counted under.
const OTHERS: &str = "(others)";

/// Counts rows.
#[derive(Debug, Default)]
struct Tally {
    all: u64,
    counts: [BTreeMap<String, u64>; BY.len()],
}

impl Tally {
    fn take(&mut self, row: Row) {
        self.all += 1;
        let Row { decision, slug, tier, strategy, account, symbol, .. } = row;
        // In audit mode an order has every reason that it breaks.
        let reasons = slug.split(' ').map(str::to_owned).collect();
        let columns = [vec![decision], reasons, vec![tier], vec![strategy], vec![account], vec![symbol]];
        for (counts, values) in self.counts.iter_mut().zip(columns) {
            for value in values {
                let apart = counts.len() < VALUES_MAX || counts.contains_key(&value);
                *counts.entry(if apart { value } else { OTHERS.to_owned() }).or_default() += 1;
            }
        }
    }

    /// Every count, the columns in their order, the largest of each first. What was let out has no reason.
    fn rows(&self) -> Vec<Count> {
        let mut all = Vec::new();
        for (by, counts) in BY.into_iter().zip(&self.counts) {
            let mut of: Vec<_> =
                counts.iter().filter(|(value, _)| by != "reason" || !value.is_empty()).collect();
            of.sort_by_key(|(value, count)| (std::cmp::Reverse(**count), *value));
            all.extend(of.into_iter().map(|(value, count)| Count {
                by,
                value: value.clone(),
                orders: *count,
                // Shares of fewer than 2^50 rows.
                share_bps: count.saturating_mul(10_000) / self.all.max(1),
            }));
        }
        all
    }
}

fn stats(log: &Path, filter: &VerdictsFilter, format: Format) -> Result<()> {
    let mut tally = Tally::default();
    rows(log, filter, |row| {
        tally.take(row);
        Ok(())
    })?;
    let counts = tally.rows();
    let share = |count: &Count| format!("{}.{:02} %", count.share_bps / 100, count.share_bps % 100);
    match format {
        Format::Table => {
            let all =
                counts.iter().map(|c| vec![c.by.to_owned(), c.value.clone(), c.orders.to_string(), share(c)]);
            let mut table = table(&["by", "value", "orders", "share"], all);
            for column in table.column_iter_mut().skip(2) {
                column.set_cell_alignment(comfy_table::CellAlignment::Right);
            }
            say(format_args!("{} orders\n{table}", tally.all))
        }
        Format::Json => {
            let all = serde_json::json!({ "orders": tally.all, "counts": counts });
            say(format_args!("{all:#}"))
        }
        Format::Csv => {
            say(format_args!("by,value,orders,share_bps"))?;
            counts.iter().try_for_each(|c| {
                let (orders, share) = (c.orders.to_string(), c.share_bps.to_string());
                say(format_args!("{}", csv_line([c.by, c.value.as_str(), orders.as_str(), share.as_str()])?))
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    const LOG: &str = "\
1700000000000000000,1,A,mm1,FUTX,buy,10,100.00,accept,0,,,,normal,0.1,40
1700000001000000000,2,A,mm1,FUTX,buy,900,100.00,reject,600,QTY_STATIC,500,900,normal,0.1,40
1700000002000000000,3,B,mm2,ESX,sell,10,,flag,0,,,,elevated,0.7,40
";

    fn log(text: &str) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        write!(file, "{VERDICTS_HEADING}\n{text}").unwrap();
        file
    }

    fn ids(text: &str, filter: &VerdictsFilter) -> Result<Vec<String>> {
        let (log, mut ids) = (log(text), Vec::new());
        rows(log.path(), filter, |row| {
            ids.push(row.cl_ord_id);
            Ok(())
        })?;
        Ok(ids)
    }

    #[test]
    fn rows_are_those_that_were_asked_for() {
        let of = |change: fn(&mut VerdictsFilter)| {
            let mut filter = VerdictsFilter::default();
            change(&mut filter);
            ids(LOG, &filter).unwrap().concat()
        };
        let second = |text: &str| Some(text.parse::<Stamp>().unwrap());
        assert_eq!(second("2023-11-14T22:13:21Z").unwrap().0, UnixNanos(1_700_000_001_000_000_000));
        assert_eq!(of(|_| {}), "123");
        assert_eq!(of(|f| f.strategy = Some("mm1".to_owned())), "12");
        assert_eq!(of(|f| f.account = Some("B".to_owned())), "3");
        assert_eq!(of(|f| f.symbol = Some("ESX".to_owned())), "3");
        assert_eq!(of(|f| f.reason = Some("QTY_STATIC".to_owned())), "2");
        assert_eq!(of(|f| f.reason = Some("600".to_owned())), "2");
        assert_eq!(of(|f| f.decision = clap::ValueEnum::from_str("flag", false).ok()), "3");
        assert_eq!(of(|f| f.from = "2023-11-14T22:13:21Z".parse().ok()), "23");
        assert_eq!(of(|f| f.until = "2023-11-14T22:13:21Z".parse().ok()), "1");
    }

    #[test]
    fn an_order_of_audit_mode_is_found_and_counted_by_each_reason() {
        let row = "1700000003000000000,4,A,mm1,FUTX,buy,900,100.00,would reject,600 1000,QTY_STATIC POS_LONG,500,900,normal,0.1,40\n";
        let text = format!("{LOG}{row}");
        let of = |reason: &str| {
            let filter = VerdictsFilter { reason: Some(reason.to_owned()), ..VerdictsFilter::default() };
            ids(&text, &filter).unwrap().concat()
        };
        assert_eq!([of("POS_LONG"), of("1000"), of("QTY_STATIC"), of("QTY")], ["4", "4", "24", ""]);
        let decision = clap::ValueEnum::from_str("would-reject", false).ok();
        let would = VerdictsFilter { decision, ..VerdictsFilter::default() };
        assert_eq!(ids(&text, &would).unwrap(), ["4"]);
        let (log, mut tally) = (log(&text), Tally::default());
        rows(log.path(), &VerdictsFilter::default(), |row| {
            tally.take(row);
            Ok(())
        })
        .unwrap();
        let all = tally.rows();
        let orders =
            |by, value| all.iter().find(|count| count.by == by && count.value == value).unwrap().orders;
        assert_eq!((orders("decision", "would reject"), orders("decision", "reject")), (1, 1));
        assert_eq!((orders("reason", "QTY_STATIC"), orders("reason", "POS_LONG"), tally.all), (2, 1, 4));
    }

    #[test]
    fn a_last_row_that_is_not_whole_is_left_out_and_damage_is_told() {
        let cut = &LOG[..LOG.len() - 30];
        assert_eq!(ids(cut, &VerdictsFilter::default()).unwrap(), ["1", "2"]);
        let damaged = LOG.replacen("1700000001000000000", "yesterday", 1);
        let error = format!("{:#}", ids(&damaged, &VerdictsFilter::default()).unwrap_err());
        assert!(error.contains("line 3: found \"yesterday\", wanted a time in nanoseconds"), "{error}");
        let other = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(other.path(), "a,b\n1,2\n").unwrap();
        let error = rows(other.path(), &VerdictsFilter::default(), |_| Ok(())).unwrap_err().to_string();
        assert!(error.contains("found the heading \"a,b\"") && error.contains("verdicts.csv"), "{error}");
    }

    #[test]
    fn a_replay_counts_every_row_and_keeps_the_last_that_change() {
        let config = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(
            config.path(),
            "[limits.symbol.FUTX]\nmax_qty = { floor = 1, base = 9, cap = 1000 }\n",
        )
        .unwrap();
        let plan = load(&[config.path().to_owned()], &[]).unwrap_or_else(|errors| panic!("{errors}"));
        let more = format!(
            "{LOG}1700000003000000000,4,A,mm1,FUTX,buy,9,100.00,reject,600,QTY_STATIC,5,9,normal,0.1,40\n"
        );
        let (log, mut replayed) = (log(&more), Replayed::default());
        rows(log.path(), &VerdictsFilter::default(), |row| {
            replayed.take(row, &plan, 1);
            Ok(())
        })
        .unwrap();
        let said = "4 orders: 1 would have been refused for their quantity, 1 would not have been refused for it, 2 stay as they were";
        assert_eq!(replayed.sentence(), said);
        let kept: Vec<_> =
            replayed.changed.iter().map(|c| (c.row.cl_ord_id.as_str(), c.again, c.again_limit)).collect();
        assert_eq!(kept, [("4", "not_for_quantity", 9)]);
    }

    #[test]
    fn shares_are_of_all_and_the_largest_stand_first() {
        let (log, mut tally) = (log(LOG), Tally::default());
        rows(log.path(), &VerdictsFilter::default(), |row| {
            tally.take(row);
            Ok(())
        })
        .unwrap();
        let rows = tally.rows();
        let of = |by: &str| -> Vec<(String, u64, u64)> {
            let of = rows.iter().filter(|count| count.by == by);
            of.map(|count| (count.value.clone(), count.orders, count.share_bps)).collect()
        };
        assert_eq!(of("reason"), [("QTY_STATIC".to_owned(), 1, 3_333)]);
        assert_eq!(of("tier"), [("normal".to_owned(), 2, 6_666), ("elevated".to_owned(), 1, 3_333)]);
        assert_eq!(of("decision").len(), 3);
    }
}
