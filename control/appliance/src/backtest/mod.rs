//! `portcullis backtest`: simulated days through the product's own stages, and what the model is worth on them beside simple rules
//! at the same rate of false alarms.

mod day;
mod judge;
mod report;
mod rules;

use crate::cli;
use crate::output::{say, tell};
use crate::scorer::load_model;
use anyhow::{Context, Result, bail, ensure};
use control::config::{Plan, load};
use day::{Day, Span};
use gpu::Model;
use judge::{Bench, Judged};
use simulator::{MIDNIGHT_UNIX_NS, Options, Planted, Scenario, scenarios};
use std::ops::RangeInclusive;
use std::path::Path;
use types::{Nanos, Symbol, UnixNanos};

/// The scenario that is judged unless a kind is asked for.
const FLASH_CRASH: &str = "flash-crash";

/// The instrument that it strikes.
const FLASH_CRASH_STRIKES: &str = "FUTX";

/// Instruments of a calm day when nothing else is needed, and at most.
const INSTRUMENTS_CALM: u64 = 9;
const INSTRUMENTS_MAX: u64 = 64;

/// When its seller begins, after the first message of the day: 14:28:30 to 14:30:00. It goes on to the end.
const FLASH_CRASH_AFTER: Nanos = Nanos(90 * Nanos::SECOND.0);

/// What all days have in common.
struct Days<'a> {
    plan: &'a Plan,
    model: &'a Model,
    work: &'a Path,
    symbol: Symbol,
    bar: indicatif::ProgressBar,
}

pub(crate) fn run(args: &cli::Backtest) -> Result<()> {
    let plan = load(&[], &[])?;
    let mut model = load_model(args.model.as_deref())?;
    for symbol in &args.without {
        model = model.without(*symbol);
    }
    let kinds = kinds(&args.kind, args.symbol)?;
    let bar = indicatif::ProgressBar::new(count(&args.calm) + count(&args.crash) * kinds.len() as u64);
    let style = indicatif::ProgressStyle::with_template("{bar:30} {pos}/{len} days, {eta} left, {msg}")?;
    bar.set_style(style);
    let days = Days { plan: &plan, model: &model, work: &args.work, symbol: args.symbol, bar };
    let instruments = Some(instruments(args.symbol)?);
    let calm_options = Options { minutes: Some(args.calm_minutes), instruments, ..Options::default() };
    let calm = days.play("calm", &args.calm, calm_options)?;
    let bench = Bench::new(&model, args.symbol, &calm, args.alarms_per_day);
    let judge = |kind: &&'static str| {
        let symbol = (*kind != FLASH_CRASH).then_some(args.symbol);
        let crises = days.play(kind, &args.crash, Options { symbol, ..Options::default() })?;
        Ok(bench.judge(kind, &crises))
    };
    let judged = kinds.iter().map(judge).collect::<Result<Vec<Judged>>>()?;
    days.bar.finish_and_clear();
    match judged.as_slice() {
        [one] if args.kind.is_empty() => say(format_args!("{}", report::text(one)))?,
        several => say(format_args!("{}", report::kinds(several)))?,
    }
    if let Some(path) = &args.json {
        match judged.as_slice() {
            [one] if args.kind.is_empty() => write_json(path, one)?,
            several => write_json(path, several)?,
        }
    }
    Ok(())
}

/// The scenarios that `asked` means: the flash crash where nothing is, every kind of crisis where it is `all`.
///
/// # Errors
/// A name that no scenario with a crisis has; the flash crash, which strikes FUTX alone, for another instrument.
fn kinds(asked: &[String], symbol: Symbol) -> Result<Vec<&'static str>> {
    let crises = || scenarios().map(|info| info.name).filter(|name| has_crisis(name));
    let mut found = Vec::new();
    for name in asked {
        match crises().chain([FLASH_CRASH]).find(|kind| kind == name) {
            Some(kind) => found.push(kind),
            None if name == "all" => found.extend(crises()),
            None => {
                let wanted: Vec<_> = crises().collect();
                bail!("--kind is {name}, wanted all, {FLASH_CRASH} or of {}", wanted.join(", "));
            }
        }
    }
    if found.is_empty() {
        found.push(FLASH_CRASH);
    }
    let elsewhere = symbol.as_str() != FLASH_CRASH_STRIKES && found.contains(&FLASH_CRASH);
    ensure!(
        !elsewhere,
        "--symbol is {symbol}, and {FLASH_CRASH} strikes {FLASH_CRASH_STRIKES}: wanted another --kind, such as down-crash"
    );
    Ok(found)
}

/// How many instruments a calm day has, so that `symbol` is one of them: nine, or as many as it takes.
///
/// # Errors
/// No instrument has the name.
fn instruments(symbol: Symbol) -> Result<u64> {
    let all = Scenario::build("calm", &Options { instruments: Some(INSTRUMENTS_MAX), ..Options::default() })?;
    let names: Vec<Symbol> = all.profiles().map(|profile| profile.symbol).collect();
    let Some(at) = names.iter().position(|name| *name == symbol) else {
        let names: Vec<_> = names.iter().map(Symbol::to_string).collect();
        bail!("--symbol is {symbol}, wanted one of {}", names.join(", "));
    };
    Ok(INSTRUMENTS_CALM.max(at as u64 + 1))
}

/// Whether a crisis is planted in the scenario of this name.
fn has_crisis(name: &str) -> bool {
    Scenario::build(name, &Options::default()).is_ok_and(|simulation| simulation.planted().is_some())
}

fn count(seeds: &RangeInclusive<u64>) -> u64 {
    seeds.end() - seeds.start() + 1
}

impl Days<'_> {
    fn play(
        &self,
        scenario: &'static str,
        seeds: &RangeInclusive<u64>,
        options: Options,
    ) -> Result<Vec<Day>> {
        let of = |seed| {
            self.bar.set_message(format!("{scenario} {seed}"));
            let day = self.day(scenario, &Options { seed: Some(seed), ..options }, seed);
            self.bar.inc(1);
            day.with_context(|| format!("{scenario}, seed {seed}"))
        };
        seeds.clone().map(of).collect()
    }

    /// Simulates one day, plays it through the stages, and leaves nothing of it behind.
    fn day(&self, scenario: &'static str, options: &Options, seed: u64) -> Result<Day> {
        let simulation = Scenario::build(scenario, options)?;
        let written = simulation.write(self.work)?;
        let at = |ns: u64| UnixNanos(MIDNIGHT_UNIX_NS + ns);
        let (start, end) = simulation.span_ns();
        let span = match simulation.planted() {
            Some(Planted { from_ns, until_ns, .. }) => {
                Some(Span { from: at(*from_ns), until: at(*until_ns) })
            }
            None if scenario == FLASH_CRASH => {
                Some(Span { from: at(start).plus(FLASH_CRASH_AFTER), until: at(end) })
            }
            None => None,
        };
        let day = Day::play(self.plan, self.model, &written.pcap, seed, self.symbol, span);
        for path in [&written.pcap, &written.orders, &written.truth, &written.manifest] {
            std::fs::remove_file(path).with_context(|| path.display().to_string())?;
        }
        day
    }
}

fn write_json(path: &Path, judged: &(impl serde::Serialize + ?Sized)) -> Result<()> {
    let text = serde_json::to_string_pretty(judged)? + "\n";
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
    tell(format_args!("results in {}", path.display()));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_those_of_the_list_and_the_flash_crash_strikes_one_instrument() {
        let symbol = |name| Symbol::new(name).unwrap();
        let of = |asked: &[&str], name| {
            let asked: Vec<String> = asked.iter().map(|&kind| kind.to_owned()).collect();
            kinds(&asked, symbol(name)).map_err(|error| error.to_string())
        };
        assert_eq!(of(&[], "FUTX"), Ok(vec!["flash-crash"]));
        assert_eq!(of(&["up-crash", "slow-bleed"], "ALFA"), Ok(vec!["up-crash", "slow-bleed"]));
        let all = of(&["all"], "ALFA").unwrap();
        assert!(all.len() == 7 && all.contains(&"contagion") && !all.contains(&"calm"), "{all:?}");
        let calm = of(&["calm"], "FUTX").unwrap_err();
        assert!(
            calm.starts_with("--kind is calm, wanted all, flash-crash or of down-crash, up-crash, "),
            "{calm}"
        );
        assert!(of(&[], "ALFA").unwrap_err().contains("strikes FUTX"));
    }

    #[test]
    fn a_calm_day_has_the_judged_instrument() {
        let of = |name| instruments(Symbol::new(name).unwrap()).map_err(|error| error.to_string());
        assert_eq!([of("FUTX"), of("THIN"), of("SIM09"), of("SIM63")], [Ok(9), Ok(9), Ok(10), Ok(64)]);
        let none = of("NONE").unwrap_err();
        assert!(none.starts_with("--symbol is NONE, wanted one of FUTX, ALFA, "), "{none}");
    }

    #[test]
    fn a_crisis_is_judged_where_it_strikes_also_as_if_the_model_had_never_seen_it() {
        let folder = tempfile::tempdir().unwrap();
        let (plan, model) = (load(&[], &[]).unwrap(), load_model(None).unwrap());
        let symbol = Symbol::new("BRVO").unwrap();
        let bar = indicatif::ProgressBar::hidden();
        let days = Days { plan: &plan, model: &model, work: folder.path(), symbol, bar };
        let calm = Options { minutes: Some(5), ..Options::default() };
        let calm = days.play("calm", &(11..=11), calm).unwrap();
        let crisis = Options { symbol: Some(symbol), ..Options::default() };
        let crises = days.play("down-crash", &(12..=12), crisis).unwrap();
        assert!(std::fs::read_dir(folder.path()).unwrap().next().is_none(), "nothing stays");
        let judged = Bench::new(&model, symbol, &calm, 1.0).judge("down-crash", &crises);
        assert_eq!((judged.symbol.as_str(), judged.moves), ("BRVO", 1));
        let rule = |name: &str| judged.rules.iter().find(|rule| rule.rule == name).unwrap();
        let leads =
            ["product, all channels", "product, instrument unseen"].map(|name| rule(name).median_lead_s);
        assert!(leads.iter().all(|lead| lead.is_some_and(|s| s > 0.0)), "{leads:?}");
        // Without a profile it is Elevated from its first score on, so nothing enters that tier in the crisis.
        let elevated = [&judged.tiers, &judged.stranger_tiers].map(|tiers| tiers[0].before_move);
        assert_eq!(elevated, [1, 0]);
        assert!(judged.stranger_tiers[1].before_move == 1, "its flow leads to High");
        let text = report::kinds(std::slice::from_ref(&judged));
        assert!(text.contains("| down-crash ") && text.contains("on BRVO"), "{text}");
    }
}
