//! `portcullis demo`: the flash crash, live through DPDK, with the same orders through two gateways to the simulated venue: one whose gate
//! has the officer's limits alone, and one that listens to the model.

use crate::answers;
use crate::cli;
use crate::feeds::{feed_config, receive_capture};
use crate::hist;
use crate::judged::{ADAPTIVE, Judged, STATIC};
use crate::latency::{Latency, fingerprint};
use crate::line::desk::Desk;
use crate::line::desk_stage::DeskObserver;
use crate::line::gate_tables::Listens;
use crate::line::notes::{BookNote, VerdictRecord};
use crate::line::runner::run_inline;
use crate::line::spec::{DeskSpec, Follows, LineFeed, LineFiles, LineSpec, Pace, ScorerSpec};
use crate::line::topology;
use crate::markout;
use crate::order_path::{self, Answers};
use crate::orders::{self, OrderRow};
use crate::output::{OutputDir, say, tell};
use crate::report::{Planted, Report, Sample, clock};
use crate::stopped;
use crate::tables::outcome;
use anyhow::{Context, Result, anyhow};
use control::config::{Plan, load};
use gate::{RejectReason, Verdict};
use gpu::{Model, ScoreRecord};
use stage::{LiveClock, RingRx};
use std::collections::VecDeque;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use types::{FeedKind, InstrumentId, Nanos, Px, Symbol, Tier, UnixNanos};

/// The demo's limits, laid over the built-in configuration.
const DEMO_TOML: &str = include_str!("demo.toml");

const SCENARIO: &str = "flash-crash";

/// Minutes from the scenario's begin at 14:28:30 to more than ten minutes after the low.
const MINUTES: u64 = 13;

/// When stopped orders are marked for the last time: so long after the low.
const AFTER_LOW: Nanos = Nanos(600 * Nanos::SECOND.0);

/// New York's offset from UTC on the simulated day, a day of summer time.
const UTC_OFFSET_S: i64 = -4 * 3_600;

/// Names of the two gateways, in the order of their desks.
const GATEWAYS: [&str; 2] = ["static", "adaptive"];

/// What a replay charges from grid point to enforced limit; measured batches take a fraction of it.
const SCORE_LATENCY: Nanos = Nanos(1_000_000);

pub(crate) fn run(args: &cli::Demo) -> Result<()> {
    let mut out = OutputDir::create(&args.out)?;
    let plan = demo_plan(&args.out)?;
    let model = crate::scorer::load_model(args.model.as_deref())?;
    let options =
        simulator::Options { seed: args.seed, minutes: Some(MINUTES), ..simulator::Options::default() };
    let simulation = simulator::Scenario::build(SCENARIO, &options)?;
    tell(format_args!(
        "simulating {SCENARIO}, seed {}: agents trading, no script of prices",
        simulation.seed()
    ));
    let written = simulation.write(&args.out)?;
    let focus = simulation.profiles().next().context("a scenario has instruments")?;
    let orders: Arc<[OrderRow]> = orders::read(&written.orders)?.into();
    let mut latency = Latency::default();
    let pace = Pace::Simulated { score_latency: SCORE_LATENCY };
    let (clock, _) = LiveClock::best();
    let config = feed_config(&plan, FeedKind::Itch50);
    let (feed, events) =
        receive_capture((&plan, pace), &written.pcap, &config, Some((&mut latency, &clock)))?;
    let deaf = Arc::new(AtomicBool::new(false));
    let story_end = story_end(&orders);
    let told = [(); 2].map(|()| Answers::of(orders.len()));
    let show = Show {
        story_end,
        ..Show::new(focus.symbol, tick_of(focus.tick_1e4), Arc::clone(&orders), Arc::clone(&deaf))
    };
    let spec = LineSpec {
        plan: &plan,
        pace,
        clock,
        scorer: Some(ScorerSpec { model: &model, scorer: crate::scorer::open(&plan, &model)? }),
        files: LineFiles::default(),
        desks: desks(&orders, &plan, (&args.out.join("gateways"), simulation.seed()), &told)?,
        observer: show,
        follows: Follows::Screen,
        latency: &mut latency,
    };
    heading(&model, args)?;
    let (mut line, ends) = topology::build(spec, vec![LineFeed::only(&plan, events)])?;
    line.desk.observer_mut().listen(ends.verdicts, ends.scores);
    let mut pace = pace_of(args, deaf, story_end);
    let finished = run_inline(line, None, feed, |now| {
        untroubled(&told)?;
        pace(now)
    })?
    .whole()?;
    latency.collect();
    let planted = Planted::read(&written.truth).context("cannot read what was planted")?;
    let low = planted.low;
    let mut report = Report { planted, ..finished.observer.report(&model, &latency, simulation.seed()) };
    drop(finished.featurizer);
    take_answers(&mut report.judged, &told)?;
    mark_stopped(&mut report.judged, &orders, &plan, (&written.pcap, low))?;
    out.write("report.html", report.html().as_bytes())?;
    let summary = stopped::json(&report.judged, planted_id(&report), simulation.seed());
    out.write("summary.json", format!("{summary:#}\n").as_bytes())?;
    latency.write(out.file("latency.hlog")?)?;
    out.commit()?;
    closing(&report, &args.out)
}

/// The built-in configuration with the demo's limits, which are left beside the report for `replay --config`.
fn demo_plan(dir: &Path) -> Result<Plan> {
    let path = dir.join("demo.toml");
    std::fs::write(&path, DEMO_TOML).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(load(&[path], &["book.instruments=1024".to_owned(), "book.orders=1048576".to_owned()])?)
}

fn tick_of(tick_1e4: u32) -> Px {
    Px::from_1e4(i64::from(tick_1e4))
}

/// The end of the minute in which the firm sends its last order: what comes later is played as fast as it goes, for the marks alone.
fn story_end(orders: &[OrderRow]) -> UnixNanos {
    UnixNanos(orders.last().map_or(0, |last| last.ts.0.next_multiple_of(60 * Nanos::SECOND.0)))
}

fn planted_id(report: &Report) -> Option<&str> {
    report.planted.order.as_ref().map(|(_, id)| id.as_str())
}

/// Measures what the orders would have come to that the adaptive gate alone stopped, in the market of a capture whose low was at
/// `low`.
fn mark_stopped(
    judged: &mut [Judged],
    orders: &[OrderRow],
    plan: &Plan,
    (pcap, low): (&Path, Option<UnixNanos>),
) -> Result<()> {
    // Orders are judged in the order of the file.
    let stopped: Vec<_> = judged.iter_mut().zip(orders).filter(|(judged, _)| judged.is_stopped()).collect();
    let rows: Vec<&OrderRow> = stopped.iter().map(|(_, row)| *row).collect();
    let found = markout::measure(pcap, plan, &rows, low.map(|low| low.plus(AFTER_LOW)))?;
    stopped.into_iter().zip(found).for_each(|((judged, _), found)| judged.markout = found);
    Ok(())
}

/// Two desks whose gateways carry the same orders: on the officer's limits alone, and on the model's.
fn desks(
    orders: &Arc<[OrderRow]>,
    plan: &Plan,
    (dir, seed): (&Path, u64),
    told: &[Answers; 2],
) -> Result<Vec<DeskSpec>> {
    let listens = [(Listens::Nothing, false), (Listens::to_model(plan), true)];
    let desk = |(((listens, measured), name), told): (((Listens, bool), &'static str), &Answers)| {
        let route = order_path::route(plan, orders, (name, dir, seed), told.clone());
        let desk = crate::replay::desk(orders, listens, measured)?;
        Ok(DeskSpec { source: None, route: Some(route), shared: true, ..desk })
    };
    listens.into_iter().zip(GATEWAYS).zip(told).map(desk).collect()
}

/// Fails with what went wrong on the way of the orders, if anything did.
fn untroubled(told: &[Answers; 2]) -> Result<()> {
    told.iter().find_map(Answers::trouble).map_or(Ok(()), |trouble| Err(anyhow!(trouble)))
}

/// Takes what the firm was told of its orders, which were judged in the order of the file.
fn take_answers(judged: &mut [Judged], told: &[Answers; 2]) -> Result<()> {
    untroubled(told)?;
    let [fixed, adaptive] = told.each_ref().map(Answers::all);
    for (order, answers) in judged.iter_mut().zip(fixed.into_iter().zip(adaptive)) {
        order.answers = answers.into();
    }
    Ok(())
}

/// Holds each packet up to `story_end` back until the wall clock has reached its time; ends the run when nobody reads any more.
fn pace_of(
    args: &cli::Demo,
    deaf: Arc<AtomicBool>,
    story_end: UnixNanos,
) -> impl FnMut(UnixNanos) -> Result<()> {
    let (speed, headless) = (args.speed, args.headless);
    let mut begin: Option<(Instant, UnixNanos)> = None;
    move |now| {
        if deaf.load(Ordering::Relaxed) {
            return Err(std::io::Error::from(std::io::ErrorKind::BrokenPipe).into());
        }
        let (started, first) = *begin.get_or_insert_with(|| (Instant::now(), now));
        let due = Duration::from_nanos((now.since(first).0 as f64 / speed) as u64);
        let ahead = due.saturating_sub(started.elapsed());
        if !headless && now <= story_end && ahead > Duration::from_micros(50) {
            std::thread::sleep(ahead);
        }
        Ok(())
    }
}

fn heading(model: &Model, args: &cli::Demo) -> Result<()> {
    let pace = if args.headless {
        "as fast as it goes".to_owned()
    } else {
        format!("at {} times market speed", args.speed)
    };
    tell(format_args!("playing through DPDK net_pcap {pace}; model {}", model.id()));
    say(format_args!(
        "{:8} {:>9} {:>6} {:>6} {:>8} {:>11} {:>9}  what the gates did",
        "time", "mid", "spread", "score", "tier", "max static", "adaptive"
    ))
}

fn closing(report: &Report, dir: &Path) -> Result<()> {
    let stopped: Vec<_> = report.judged.iter().filter(|j| j.is_stopped()).collect();
    let lots: u32 = stopped.iter().map(|j| j.qty).sum();
    say(format_args!(
        "\n{} orders; the adaptive gate alone stopped {} of them, {lots} lots",
        report.judged.len(),
        stopped.len()
    ))?;
    let answered = answers::sentences(&report.judged, planted_id(report));
    answered.iter().try_for_each(|sentence| say(format_args!("{sentence}")))?;
    if !stopped.is_empty() {
        say(format_args!("what they would have earned or lost, in currency:"))?;
        say(format_args!("{}", stopped::text(&report.judged)))?;
        let said = stopped::sentences(&report.judged, planted_id(report));
        said.iter().try_for_each(|sentence| say(format_args!("{sentence}")))?;
    }
    say(format_args!("{}", hist::text(&report.hops)))?;
    say(format_args!("report: {}", dir.join("report.html").display()))?;
    std::io::stdout().flush().context("cannot write to stdout")
}

/// Follows one instrument and both gates, says each market second what it sees, and keeps it for the report.
struct Show {
    symbol: Symbol,
    tick: Px,
    orders: Arc<[OrderRow]>,
    instrument: Option<InstrumentId>,
    top: Option<types::TopOfBook>,
    record: Option<ScoreRecord>,
    tier: Tier,
    samples: Vec<Sample>,
    marks: Vec<(UnixNanos, String)>,
    judged: Vec<Judged>,
    said_second: u64,
    /// Until when each second is shown; later only what happens, and each minute.
    story_end: UnixNanos,
    /// What each gate said.
    verdicts: Vec<RingRx<VerdictRecord>>,
    scores: Option<RingRx<ScoreRecord>>,
    /// Scores of the instrument whose grid point is still to come.
    scored: VecDeque<ScoreRecord>,
    /// Nobody reads what is said.
    deaf: Arc<AtomicBool>,
}

impl Show {
    fn new(symbol: Symbol, tick: Px, orders: Arc<[OrderRow]>, deaf: Arc<AtomicBool>) -> Self {
        Self {
            symbol,
            tick,
            orders,
            instrument: None,
            top: None,
            record: None,
            tier: Tier::Normal,
            samples: Vec::new(),
            marks: Vec::new(),
            judged: Vec::new(),
            said_second: 0,
            story_end: UnixNanos(u64::MAX),
            verdicts: Vec::new(),
            scores: None,
            scored: VecDeque::new(),
            deaf,
        }
    }

    /// What the gates and the scorer say is read from these rings.
    fn listen(&mut self, verdicts: Vec<RingRx<VerdictRecord>>, scores: Option<RingRx<ScoreRecord>>) {
        (self.verdicts, self.scores) = (verdicts, scores);
    }

    /// Takes what was said up to the grid point `ts`.
    fn hear(&mut self, ts: UnixNanos) {
        let mut records = Vec::new();
        for (desk, ring) in self.verdicts.iter_mut().enumerate() {
            ring.drain(usize::MAX, |new| records.extend(new.iter().map(|record| (desk, *record))));
        }
        records.iter().for_each(|(desk, record)| self.judge(*desk, record));
        let Self { scores: Some(scores), scored, instrument, .. } = self else { return };
        scores.drain(usize::MAX, |new| {
            scored.extend(new.iter().filter(|record| Some(record.instrument) == *instrument));
        });
        while let Some(record) = self.scored.pop_front_if(|record| record.ts <= ts) {
            self.record = Some(record);
        }
    }

    fn mid(&self) -> Px {
        match self.top {
            Some(t) if t.bid.is_some() && t.ask.is_some() => Px(t.bid.0.midpoint(t.ask.0)),
            _ => Px::NONE,
        }
    }

    fn spread_ticks(&self) -> i64 {
        self.top.filter(|_| self.mid().is_some()).map_or(0, |t| (t.ask.0 - t.bid.0) / self.tick.0.max(1))
    }

    fn sample(&mut self, ts: UnixNanos, instrument: InstrumentId, desks: &[Desk]) -> Sample {
        let max_qty = |desk: usize| desks.get(desk).map_or(0, |d| d.max_qty(instrument, ts));
        let mid = self.mid();
        let spread_ticks = self.top.filter(|_| mid.is_some()).map(|_| self.spread_ticks() as f64);
        let depth = self.top.map(|t| (t.bid_qty + t.ask_qty) as f64).filter(|d| *d > 0.0);
        Sample {
            ts,
            mid,
            spread_ticks,
            top_depth: depth.map(f64::ln),
            score: self.record.map(|r| f64::from(r.score)),
            tier: self.tier,
            adaptive_max_qty: max_qty(ADAPTIVE),
            static_max_qty: max_qty(STATIC),
        }
    }

    fn say(&self, sample: &Sample, what: &str) {
        let line = format!(
            "{:8} {:>9} {:>6} {:>6} {:>8} {:>11} {:>9}  {what}",
            clock(sample.ts, UTC_OFFSET_S),
            sample.mid.to_string(),
            self.spread_ticks(),
            sample.score.map_or_else(|| "-".to_owned(), |s| format!("{s:.3}")),
            sample.tier,
            sample.static_max_qty,
            sample.adaptive_max_qty
        );
        if say(format_args!("{}", line.trim_end())).is_err() {
            self.deaf.store(true, Ordering::Relaxed);
        }
    }

    fn why(record: &ScoreRecord) -> String {
        let names = record.top3.iter().filter_map(|id| types::FEATURES.get(usize::from(*id)));
        names.map(|f| f.plain).collect::<Vec<_>>().join(", ")
    }

    fn judge(&mut self, desk: usize, record: &VerdictRecord) {
        let Some(order) = self.orders.get(record.tag as usize) else { return };
        if desk == STATIC {
            self.judged.push(Judged {
                ts: order.ts,
                cl_ord_id: order.cl_ord_id.clone(),
                strategy: order.strategy.clone(),
                symbol: order.symbol.clone(),
                side: order.side,
                qty: order.qty.0,
                px: order.px,
                fixed: outcome(&record.verdict).to_owned(),
                adaptive: String::new(),
                sentence: String::new(),
                markout: None,
                answers: Default::default(),
            });
        } else if let Some(row) = self.judged.get_mut(record.tag as usize) {
            outcome(&record.verdict).clone_into(&mut row.adaptive);
            row.sentence = sentence(&record.verdict, &row.symbol);
        }
    }

    fn order_line(&self, judged: &Judged) -> String {
        format!(
            "order {}: {} {} {} at {}: static {}, adaptive {}",
            judged.cl_ord_id,
            judged.side.as_order_str(),
            judged.qty,
            judged.symbol,
            if judged.px.is_some() { judged.px.to_string() } else { "market".to_owned() },
            judged.fixed,
            judged.sentence
        )
    }

    /// The report, when the run is over.
    fn report(mut self, model: &Model, latency: &Latency, seed: u64) -> Report {
        self.hear(UnixNanos(u64::MAX));
        let totals = latency.totals();
        let mut environment = vec![
            ("Scenario".to_owned(), format!("{SCENARIO}, seed {seed}, simulated")),
            ("Model".to_owned(), model.id().to_owned()),
        ];
        environment.extend(
            fingerprint()
                .iter()
                .filter_map(|l| l.split_once(": "))
                // How a host was booted is its owner's business; a report is passed on.
                .filter(|(key, _)| ["Version", "CPU", "Kernel"].contains(key))
                .map(|(k, v)| (k.to_owned(), v.to_owned())),
        );
        Report {
            title: format!("Flash crash in {}: static limits beside adaptive ones", self.symbol),
            symbol: self.symbol.to_string(),
            model: model.id().to_owned(),
            environment,
            samples: self.samples,
            judged: self.judged,
            marks: self.marks,
            story_end: self.story_end,
            planted: Planted::default(),
            hops: totals.iter().map(|(hop, histogram)| hist::row(hop, histogram)).collect(),
            utc_offset_s: UTC_OFFSET_S,
        }
    }
}

/// The verdict in words. The gate knows an instrument by its number, a reader by its symbol.
fn sentence(verdict: &Verdict, symbol: &str) -> String {
    match verdict.reason {
        Some(reason) if reason == RejectReason::HaltedInstrument => {
            format!("{}: {symbol} is halted.", reason.slug())
        }
        Some(_) | None => verdict.to_string(),
    }
}

impl DeskObserver for Show {
    fn book(&mut self, note: &BookNote) {
        match note {
            BookNote::Define { defined, .. } if defined.symbol == self.symbol => {
                self.instrument = Some(defined.instrument);
            }
            BookNote::Top { instrument, top } if Some(*instrument) == self.instrument => {
                self.top = Some(*top);
            }
            BookNote::Define { .. }
            | BookNote::Depth { .. }
            | BookNote::Top { .. }
            | BookNote::Complete { .. }
            | BookNote::Grid(_) => {}
        }
    }

    fn grid(&mut self, ts: UnixNanos, desks: &[Desk]) {
        self.hear(ts);
        let Some(instrument) = self.instrument else { return };
        let before = self.tier;
        self.tier = self.record.map_or(Tier::Normal, |r| r.tier);
        let sample = self.sample(ts, instrument, desks);
        let second = ts.0 / Nanos::SECOND.0;
        let in_story = ts <= self.story_end;
        // After it the chart shows ten minutes: a sample a second is more than it can draw.
        if in_story || second != self.said_second {
            self.samples.push(sample);
        }
        let mut said = Vec::new();
        if self.tier != before {
            let why = self.record.as_ref().map(Self::why).unwrap_or_default();
            let change = if self.tier > before { "up" } else { "down" };
            said.push(format!("tier {change} to {}: {why}", self.tier));
            self.marks.push((ts, self.tier.to_string()));
        }
        let fresh = self.judged.iter().rev().take_while(|j| ts.since(j.ts) < Nanos(100 * Nanos::MILLI.0));
        let differing: Vec<_> = fresh.filter(|j| j.fixed != j.adaptive).map(|j| self.order_line(j)).collect();
        said.extend(differing.into_iter().rev());
        let is_due = second != self.said_second && (in_story || second.is_multiple_of(60));
        if said.is_empty() && is_due {
            self.say(&sample, "");
        }
        self.said_second = second;
        said.iter().for_each(|what| self.say(&sample, what));
    }
}
