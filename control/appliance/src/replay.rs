//! `portcullis replay`: captures through the whole line, deterministically.

use crate::cli::{self, SourceKind, Table, WrongUsage};
use crate::feeds::{feed_config, receive_capture};
use crate::latency::Latency;
use crate::line::book_files::BookFiles;
use crate::line::ends::Received;
use crate::line::gate_tables::Listens;
use crate::line::names::NameTable;
use crate::line::order_file::OrderFile;
use crate::line::runner::{Finished, run_inline, run_pinned};
use crate::line::score_sink::{LimitFiles, ScoreFile};
use crate::line::spec::{DeskSpec, Follows, LineFeed, LineFiles, LineSpec, Pace, ScorerSpec};
use crate::line::topology;
use crate::line::verdict_log::VerdictSheet;
use crate::named::{lower_case, unheard, unheard_symbols};
use crate::orders::{self, OrderRow};
use crate::output::{OutputDir, tell};
use crate::scorer::load_model;
use crate::summary::Summary;
use crate::tables::{self, BookTables, Filter, Sheet};
use anyhow::{Context, Result, bail};
use clap::ValueEnum as _;
use control::config::{Plan, load};
use dataplane::{FeedStats, FileOptions, ItchFraming, Midnight};
use featurizer::capture::FeatureWriter;
use featurizer::slippage::SlippageWriter;
use gpu::Model;
use stage::LiveClock;
use std::sync::Arc;
use std::time::Instant;
use types::{FeedInput, Nanos, UnixNanos};

/// What every replay writes.
const SUMMARY: &str = "summary.json";
/// What tables were called once: those of an earlier release tell of other input, too.
const FORMER_TABLES: [&str; 2] = ["surface.csv", "costs.parquet"];
/// Milliseconds as the command line counts them.
const MICRO: u64 = 1_000;

pub(crate) fn run(args: &cli::Replay) -> Result<()> {
    let plan = load(args.config.as_slice(), &[])?;
    lower_case(&plan).iter().for_each(|warning| tell(format_args!("warning: {warning}")));
    let model = (!args.static_limits).then(|| load_model(args.model.as_deref())).transpose()?;
    let orders: Arc<[OrderRow]> = match &args.orders {
        Some(path) => orders::read(path)?.into(),
        None => Arc::default(),
    };
    let mut out = OutputDir::create(&args.out)?;
    let mut latency = Latency::default();
    let (files, verdicts) = create_outputs(args, &mut out)?;
    let inputs = Inputs { args, plan: &plan, model: model.as_ref(), orders };
    let start = Instant::now();
    let finished = inputs.run(files, verdicts, &mut latency)?;
    let finished = if args.feed.is_one() { finished.whole()? } else { finished };
    let Finished { mut stats, featurizer, damage, .. } = finished;
    let elapsed_s = start.elapsed().as_secs_f64();
    if let Some(damage) = &damage {
        stats.source.cut = Some(damage.to_string());
    }
    tell_of_input(args, &stats)?;
    let refused = featurizer.counters().books.table_full;
    if refused > 0 {
        let room = plan.book.orders;
        tell(format_args!(
            "warning: {refused} orders or price levels found no room, and their books are stale: book.orders is {room}"
        ));
    }
    let heard = || featurizer.books().filter_map(|book| book.symbol());
    for warning in unheard(&plan, heard()).into_iter().chain(unheard_symbols(&args.symbols, heard())) {
        tell(format_args!("warning: {warning}"));
    }
    let names = args.inputs.iter().map(|p| p.display().to_string()).collect();
    let mut summary = Summary::new(names, args.feed, &stats, &featurizer, elapsed_s);
    if let Some(model) = &model {
        let strangers = featurizer.books().filter_map(|book| book.symbol()).filter(|s| !model.knows(*s));
        summary.uncalibrated = strangers.map(|symbol| symbol.to_string()).collect();
        if !summary.uncalibrated.is_empty() {
            let count = summary.uncalibrated.len();
            tell(format_args!(
                "warning: {count} of {} instruments are uncalibrated: model {} has no profile of them (summary.json names them)",
                summary.symbols,
                model.id()
            ));
        }
    }
    out.write(SUMMARY, (serde_json::to_string_pretty(&summary)? + "\n").as_bytes())?;
    latency.collect();
    latency.write(out.file("latency.hlog")?)?;
    out.commit()?;
    tell(format_args!(
        "{} messages of {} packets in {elapsed_s:.2} s; outputs in {}",
        summary.messages,
        summary.packets,
        args.out.display()
    ));
    damage.map_or(Ok(()), |damage| Err(damage.into()))
}

/// Says what the input lacks, and what of it was left out.
///
/// # Errors
/// With `--strict`, where it ends early.
fn tell_of_input(args: &cli::Replay, stats: &FeedStats) -> Result<()> {
    if let Some(cut) = &stats.source.cut {
        if args.strict {
            bail!("{cut}");
        }
        tell(format_args!("warning: {cut}; everything before it is in the outputs"));
    }
    if stats.packets == 0 {
        tell("warning: the input has no packet");
    }
    let left_out: u64 = stats.left_out.iter().map(|group| group.packets).sum();
    if left_out > 0 {
        let groups = stats.left_out.iter().map(|group| format!("{} ({})", group.group, group.packets));
        tell(format_args!(
            "warning: {left_out} packets that may be of {} are of another session, and are left out: {}; \
             the configuration can name the groups of a feed",
            args.feed,
            groups.collect::<Vec<_>>().join(", ")
        ));
    }
    Ok(())
}

/// What a replay runs.
struct Inputs<'a> {
    args: &'a cli::Replay,
    plan: &'a Plan,
    model: Option<&'a Model>,
    orders: Arc<[OrderRow]>,
}

impl Inputs<'_> {
    fn run(&self, files: LineFiles, verdicts: Option<Sheet>, latency: &mut Latency) -> Result<Finished<()>> {
        let Self { args, plan, model, orders } = self;
        let pace = Pace::Simulated { score_latency: Nanos(args.score_latency_us.saturating_mul(MICRO)) };
        let (clock, _) = LiveClock::best();
        let (feed, events) = open_feed(args, (plan, pace), latency, &clock)?;
        let scorer = |model| crate::scorer::open(plan, model).map(|scorer| ScorerSpec { model, scorer });
        let spec = LineSpec {
            plan,
            pace,
            clock,
            scorer: model.map(scorer).transpose()?,
            files,
            desks: desks(orders, plan, model.is_some())?,
            observer: (),
            follows: Follows::Nobody,
            latency,
        };
        let (line, ends) = topology::build(spec, vec![LineFeed::only(plan, events)])?;
        let file = verdicts.map(|sheet| VerdictSheet { sheet, orders: Arc::clone(orders) });
        let log = ends.verdicts.into_iter().next();
        // Without orders the table has a heading and no rows.
        let log = match (log, file) {
            (Some(records), file) => Some(topology::verdict_log(records, file)),
            (None, Some(file)) => {
                file.sheet.finish()?;
                None
            }
            (None, None) => None,
        };
        if args.pinned { run_pinned(line, log, feed) } else { run_inline(line, log, feed, progress()) }
    }
}

fn open_feed(
    args: &cli::Replay,
    line: (&Plan, Pace),
    latency: &mut Latency,
    clock: &LiveClock,
) -> Result<Received> {
    let mut config = feed_config(line.0, args.feed);
    if let Some(date) = args.date {
        config.midnight = Midnight::At(date.eastern_midnight());
    }
    // On a thread of its own the receiver swaps histograms all the time; a replay reads them once, at its end.
    let measured = (!args.pinned).then_some((latency, clock));
    match args.source {
        SourceKind::File => {
            let itch_framing =
                if args.lenient_framing { ItchFraming::TypeDriven } else { ItchFraming::LengthPrefixed };
            let files = (args.inputs.as_slice(), FileOptions { itch_framing });
            topology::receive_files(line, files, &config, measured)
        }
        SourceKind::Dpdk => match args.inputs.as_slice() {
            [one] if args.feed.input() == FeedInput::Packets => receive_capture(line, one, &config, measured),
            [_] => bail!(WrongUsage(format!(
                "--source dpdk: feed {} comes in archives, without packets; use --source file",
                args.feed
            ))),
            many => bail!(WrongUsage(format!(
                "--source dpdk: found {} inputs, wanted one: net_pcap merges nothing",
                many.len()
            ))),
        },
    }
}

pub(crate) fn create_outputs(args: &cli::Replay, out: &mut OutputDir) -> Result<(LineFiles, Option<Sheet>)> {
    let tables = Table::value_variants().iter().map(|table| table.file());
    out.replace(SUMMARY, tables.chain(FORMER_TABLES));
    let filter = Filter::new(&args.symbols);
    let levels = usize::from(args.depth);
    let mut sheet = |table: Table, heading: &str| -> Result<Option<Sheet>> {
        if !args.write.contains(&table) {
            return Ok(None);
        }
        Ok(Some(Sheet::begin(table.file(), out.file(table.file())?, heading)))
    };
    let bbo = sheet(Table::Bbo, BookTables::BBO_HEADING)?;
    let depth = sheet(Table::Depth, &BookTables::depth_heading(levels))?;
    let tables = BookTables::new(bbo, depth, levels, filter.clone());
    let scores = sheet(Table::Scores, tables::SCORES_HEADING)?;
    let limits = sheet(Table::Limits, tables::LIMITS_HEADING)?;
    let fat_finger = sheet(Table::FatFinger, &tables::fat_finger_heading())?;
    let verdicts = sheet(Table::Verdicts, tables::VERDICTS_HEADING)?;
    let wanted = args.write.contains(&Table::Features);
    let capture = wanted.then(|| FeatureWriter::create(&out.pending(Table::Features.file()))).transpose()?;
    let wanted = args.write.contains(&Table::Slippage);
    let slippage =
        wanted.then(|| SlippageWriter::create(&out.pending(Table::Slippage.file()))).transpose()?;
    let files = LineFiles {
        books: Some(BookFiles::new(tables, capture, slippage, filter.clone())),
        limits: Some(LimitFiles::new(limits, fat_finger, filter.clone())),
        scores: scores.map(|sheet| ScoreFile::new(sheet, filter)),
    };
    Ok((files, verdicts))
}

fn desks(orders: &Arc<[OrderRow]>, plan: &Plan, adaptive: bool) -> Result<Vec<DeskSpec>> {
    if orders.is_empty() {
        return Ok(Vec::new());
    }
    let listens = if adaptive { Listens::to_model(plan) } else { Listens::Nothing };
    Ok(vec![desk(orders, listens, true)?])
}

/// A desk for the orders of a file.
///
/// # Errors
/// More names than there are numbers.
pub(crate) fn desk(orders: &Arc<[OrderRow]>, listens: Listens, measured: bool) -> Result<DeskSpec> {
    let names = NameTable::of(orders);
    let (strategies, accounts) = names.counts();
    // A gate has at least one of each, also where no order names any.
    let strategies = u16::try_from(strategies.max(1)).context("too many strategies in the orders")?;
    let accounts = u16::try_from(accounts.max(1)).context("too many accounts in the orders")?;
    let source = Some(Box::new(OrderFile::new(Arc::clone(orders))) as Box<_>);
    Ok(DeskSpec { accounts, strategies, listens, names, source, route: None, measured, shared: false })
}

/// A counter of replayed market time on stderr, where that is a terminal.
fn progress() -> impl FnMut(UnixNanos) -> Result<()> {
    let bar = indicatif::ProgressBar::new_spinner();
    let mut polls = 0_u32;
    move |now| {
        polls = polls.wrapping_add(1);
        if polls.is_multiple_of(1024) {
            bar.set_message(format!("replayed to {} UTC", crate::report::clock(now, 0)));
            bar.tick();
        }
        Ok(())
    }
}
