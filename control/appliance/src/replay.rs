//! `portcullis replay`: captures through the whole line, deterministically.

use crate::cli::{self, SourceKind, Table};
use crate::desk::{Desk, Judgement, Listens};
use crate::desk_stage::DeskObserver;
use crate::latency::Latency;
use crate::orders::{self, OrderRow};
use crate::output::OutputDir;
use crate::pipeline::{AnyFeed, Line, LineFiles, LineParts, event_ring};
use crate::summary::Summary;
use crate::tables::{self, BookTables, Filter, Sheet};
use anyhow::{Context, Result, bail};
use control::config::{Plan, load};
use dataplane::{EventTx, FeedConfig, FileOptions, ItchFraming, Midnight, ReceiverHops, open_files};
use featurizer::capture::FeatureWriter;
use featurizer::costs::CostWriter;
use gpu::Model;
use stage::LiveClock;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;
use types::{FeedInput, Nanos, UnixNanos};

pub(crate) fn run(args: &cli::Replay) -> Result<()> {
    let plan = load(args.config.as_slice(), &[])?;
    let model = (!args.static_limits).then(|| load_model(args.model.as_deref())).transpose()?;
    let orders: Arc<[OrderRow]> = match &args.orders {
        Some(path) => orders::read(path)?.into(),
        None => Arc::default(),
    };
    let mut out = OutputDir::create(&args.out)?;
    let mut latency = Latency::default();
    let (files, verdicts) = create_outputs(args, &mut out)?;
    let (tx, events) = event_ring(&plan);
    let feed = open_feed(args, &plan, tx, &mut latency)?;
    let desks = desks(&orders, &plan, model.is_some(), &mut latency)?;
    let parts = LineParts {
        plan: &plan,
        model: model.as_ref(),
        files,
        desks,
        observer: Clerk { orders, verdicts },
        score_latency: Nanos(args.score_latency_us.saturating_mul(1_000)),
        latency: &mut latency,
    };
    let line = Line::new(parts, events)?;
    let start = Instant::now();
    let finished = if args.pinned { line.run_pinned(feed)? } else { line.run_inline(feed, progress())? };
    let elapsed_s = start.elapsed().as_secs_f64();
    if let Some(sheet) = finished.observer.verdicts {
        sheet.finish()?;
    }
    if let Some(cut) = &finished.stats.source.cut {
        if args.strict {
            bail!("{cut}");
        }
        eprintln!("warning: {cut}; everything before it is in the outputs");
    }
    let inputs = args.inputs.iter().map(|p| p.display().to_string()).collect();
    let summary = Summary::new(inputs, args.feed, &finished.stats, finished.books.featurizer(), elapsed_s);
    out.write("summary.json", (serde_json::to_string_pretty(&summary)? + "\n").as_bytes())?;
    latency.collect();
    latency.write(out.file("latency.hlog")?, UnixNanos(0))?;
    out.commit()?;
    eprintln!(
        "{} messages of {} packets in {elapsed_s:.2} s; outputs in {}",
        summary.messages,
        summary.packets,
        args.out.display()
    );
    Ok(())
}

/// The model to score with: the one in `dir`, or the one built in.
pub(crate) fn load_model(dir: Option<&Path>) -> Result<Model> {
    match dir {
        Some(dir) => Model::load(dir).with_context(|| format!("model {}", dir.display())),
        None => Model::shipped().context("the built-in model"),
    }
}

fn open_feed(args: &cli::Replay, plan: &Plan, tx: EventTx, latency: &mut Latency) -> Result<AnyFeed> {
    let mut config = crate::feeds::feed_config(&plan.book, args.feed);
    if let Some(date) = args.date {
        config.midnight = Midnight::At(date.eastern_midnight());
    }
    // On a thread of its own the receiver swaps histograms all the time; a replay reads them once, at its end.
    let hops = (!args.pinned).then(|| receiver_hops(latency));
    match args.source {
        SourceKind::File => {
            let itch_framing =
                if args.lenient_framing { ItchFraming::TypeDriven } else { ItchFraming::LengthPrefixed };
            Ok(open_files("receiver", &args.inputs, &config, FileOptions { itch_framing }, tx, hops)?)
        }
        SourceKind::Dpdk => match args.inputs.as_slice() {
            [one] if args.feed.input() == FeedInput::Packets => open_dpdk(one, &config, tx, hops),
            [_] => bail!(
                "--source dpdk: feed {} comes in archives, without packets; use --source file",
                args.feed
            ),
            many => bail!("--source dpdk: found {} inputs, wanted one: net_pcap merges nothing", many.len()),
        },
    }
}

/// Measures every sixteenth burst: a stamp costs as much as a message.
pub(crate) fn receiver_hops(latency: &mut Latency) -> ReceiverHops {
    let (clock, _) = LiveClock::best();
    ReceiverHops {
        clock,
        nic_decode: latency.hop("nic_decode", UnixNanos(0)),
        decode_ring: latency.hop("decode_ring", UnixNanos(0)),
        sample_every: 16,
        interval: Nanos(0),
    }
}

/// A capture through DPDK's net_pcap driver.
#[cfg(feature = "dpdk")]
pub(crate) fn open_dpdk(
    path: &Path,
    config: &FeedConfig,
    tx: EventTx,
    hops: Option<ReceiverHops>,
) -> Result<AnyFeed> {
    let source = crate::dpdk_source::open_capture(path)?;
    let receiver = dataplane::Receiver::new("receiver", source, config, tx)?;
    Ok(Box::new(match hops {
        Some(hops) => receiver.with_hops(hops),
        None => receiver,
    }))
}

/// Without DPDK in the build there is no such driver, and plain file reading is not a stand-in for it.
#[cfg(not(feature = "dpdk"))]
pub(crate) fn open_dpdk(
    _path: &Path,
    _config: &FeedConfig,
    _tx: EventTx,
    _hops: Option<ReceiverHops>,
) -> Result<AnyFeed> {
    bail!("this build has no DPDK (built with --no-default-features); use --source file")
}

fn create_outputs(args: &cli::Replay, out: &mut OutputDir) -> Result<(LineFiles, Option<Sheet>)> {
    let filter = Filter::new(&args.symbols)?;
    let levels = usize::from(args.depth);
    let mut sheet = |table: Table, name: &'static str, heading: &str| -> Result<Option<Sheet>> {
        if !args.write.contains(&table) {
            return Ok(None);
        }
        Ok(Some(Sheet::begin(name, out.file(name)?, heading)))
    };
    let tables = BookTables {
        bbo: sheet(Table::Bbo, "bbo.csv", BookTables::BBO_HEADING)?,
        depth: sheet(Table::Depth, "depth.csv", &BookTables::depth_heading(levels))?,
        levels,
        filter: filter.clone(),
        held: None,
    };
    let scores = sheet(Table::Scores, "scores.csv", tables::SCORES_HEADING)?;
    let limits = sheet(Table::Limits, "limits.csv", tables::LIMITS_HEADING)?;
    let surface = sheet(Table::Surface, "surface.csv", &tables::surface_heading())?;
    let verdicts = sheet(Table::Verdicts, "verdicts.csv", tables::VERDICTS_HEADING)?;
    let wanted = args.write.contains(&Table::Features);
    let capture = wanted.then(|| FeatureWriter::create(&out.pending("features.parquet"))).transpose()?;
    let wanted = args.write.contains(&Table::Costs);
    let costs = wanted.then(|| CostWriter::create(&out.pending("costs.parquet"))).transpose()?;
    Ok((LineFiles { tables, capture, costs, scores, limits, surface, filter }, verdicts))
}

fn desks(orders: &Arc<[OrderRow]>, plan: &Plan, adaptive: bool, latency: &mut Latency) -> Result<Vec<Desk>> {
    if orders.is_empty() {
        return Ok(Vec::new());
    }
    let listens = if adaptive { Listens::to_model(plan) } else { Listens::Nothing };
    let mut desk =
        Desk::new(Arc::clone(orders), plan.limits.clone(), plan.book.instruments as usize, listens)?;
    desk.measure(latency.hop("publish", UnixNanos(0)), latency.hop("gate", UnixNanos(0)));
    Ok(vec![desk])
}

/// Writes what the gate says.
struct Clerk {
    orders: Arc<[OrderRow]>,
    verdicts: Option<Sheet>,
}

impl DeskObserver for Clerk {
    fn judged(&mut self, _desk: usize, judgement: &Judgement) {
        if let Some(sheet) = &mut self.verdicts {
            sheet.verdict(&self.orders[judgement.order], judgement);
        }
    }
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
