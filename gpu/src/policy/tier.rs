//! From calibrated scores to a tier, with persistence on the way up and hysteresis on the way down. Up is immediate, down goes one tier at a time, Critical is left by a person alone.

use serde::{Deserialize, Serialize};
use types::{Nanos, Tier, UnixNanos};

/// Scores remembered for "m of n".
const HISTORY: usize = 3;

/// When a tier is entered and left.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Band {
    /// Score that counts towards entering.
    pub enter: f32,
    /// How many of the last three scores must reach it.
    pub enter_count: u8,
    /// The score must stay below this …
    pub leave: f32,
    /// … for this long.
    pub dwell_ns: u64,
}

/// When Critical is entered. There is no way out of it here.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CriticalBand {
    /// Score that counts.
    pub enter: f32,
    /// How many of the last three scores must reach it …
    pub enter_count: u8,
    /// … within this span.
    pub within_ns: u64,
    /// Non-ML witnesses with which a single such score suffices.
    pub witness_count: u8,
}

/// When tiers change.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TierConfig {
    /// Elevated.
    pub elevated: Band,
    /// High.
    pub high: Band,
    /// Critical.
    pub critical: CriticalBand,
    /// Grid points in a row without a score after which the picture counts as lost and the tier as at least Elevated.
    pub missing_count_max: u8,
}

impl Default for TierConfig {
    fn default() -> Self {
        Self {
            elevated: Band { enter: 0.05, enter_count: 2, leave: 0.03, dwell_ns: 10_000_000_000 },
            high: Band { enter: 0.30, enter_count: 1, leave: 0.20, dwell_ns: 30_000_000_000 },
            critical: CriticalBand { enter: 0.80, enter_count: 2, within_ns: 300_000_000, witness_count: 2 },
            missing_count_max: 3,
        }
    }
}

/// A tier table that could not work.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum TierConfigError {
    /// A threshold is out of order.
    #[error("tiers: {key} is {found}, wanted {wanted} {bound}")]
    Threshold {
        /// Name of the setting.
        key: &'static str,
        /// Its value.
        found: f32,
        /// How it must compare.
        wanted: &'static str,
        /// With what.
        bound: f32,
    },
    /// A count is outside what is remembered.
    #[error("tiers: {key} is {found}, wanted 1 to {most}")]
    Count {
        /// Name of the setting.
        key: &'static str,
        /// Its value.
        found: u8,
        /// Largest value.
        most: u8,
    },
    /// Leaving at once would chatter.
    #[error("tiers: {key} is {found}, wanted at least {least}")]
    Dwell {
        /// Name of the setting.
        key: &'static str,
        /// Its value.
        found: u64,
        /// Smallest value.
        least: u64,
    },
}

impl TierConfig {
    /// Shortest dwell: below a second a tier could change with every heartbeat of the market.
    pub const DWELL_NS_MIN: u64 = 1_000_000_000;

    /// Checks that the table is one: thresholds rise with the tier, each is left below where it is entered.
    ///
    /// # Errors
    /// The first setting that is out of order.
    pub fn check(&self) -> Result<(), TierConfigError> {
        let Self { elevated, high, critical, .. } = self;
        let above = |key, found: f32, bound: f32| {
            let fault = TierConfigError::Threshold { key, found, wanted: "above", bound };
            if found > bound { Ok(()) } else { Err(fault) }
        };
        let at_most = |key, found: f32, bound: f32| {
            let fault = TierConfigError::Threshold { key, found, wanted: "at most", bound };
            if found <= bound { Ok(()) } else { Err(fault) }
        };
        above("elevated.leave", elevated.leave, 0.0)?;
        at_most("elevated.leave", elevated.leave, elevated.enter)?;
        above("high.enter", high.enter, elevated.enter)?;
        above("high.leave", high.leave, elevated.leave)?;
        at_most("high.leave", high.leave, high.enter)?;
        above("critical.enter", critical.enter, high.enter)?;
        at_most("critical.enter", critical.enter, 1.0)?;
        let most = HISTORY as u8;
        for (key, found, most) in [
            ("elevated.enter_count", elevated.enter_count, most),
            ("high.enter_count", high.enter_count, most),
            ("critical.enter_count", critical.enter_count, most),
            ("critical.witness_count", critical.witness_count, u8::MAX),
            ("missing_count_max", self.missing_count_max, u8::MAX),
        ] {
            if found == 0 || found > most {
                return Err(TierConfigError::Count { key, found, most });
            }
        }
        let least = Self::DWELL_NS_MIN;
        for (key, found) in [("elevated.dwell_ns", elevated.dwell_ns), ("high.dwell_ns", high.dwell_ns)] {
            if found < least {
                return Err(TierConfigError::Dwell { key, found, least });
            }
        }
        Ok(())
    }

    /// The band of a tier that is left by itself.
    const fn band(&self, tier: Tier) -> Option<&Band> {
        match tier {
            Tier::Elevated => Some(&self.elevated),
            Tier::High => Some(&self.high),
            Tier::Normal | Tier::Critical => None,
        }
    }
}

/// Why a tier changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TierCause {
    /// Scores reached the tier.
    Score,
    /// One score, borne out by enough non-ML witnesses.
    Witnesses,
    /// The model does not know the instrument.
    Uncalibrated,
    /// The scores stayed calm for the dwell.
    Calm,
    /// The scores failed to come.
    Stale,
    /// A person reset it.
    Reset,
}

/// One change of tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TierChange {
    /// When, in event time.
    pub ts: UnixNanos,
    /// The tier left.
    pub from: Tier,
    /// The tier entered.
    pub to: Tier,
    /// Why.
    pub cause: TierCause,
}

/// One scored moment.
#[derive(Clone, Copy, Debug)]
struct Seen {
    ts: UnixNanos,
    score: f32,
    /// It may lead to Critical.
    may_trip: bool,
}

/// The tier of one instrument.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TierMachine {
    tier: Tier,
    /// No score leads below it.
    floor: Tier,
    /// Newest first.
    history: [Option<Seen>; HISTORY],
    /// Since when the score has stayed below the current tier's exit.
    calm_since: Option<UnixNanos>,
}

impl TierMachine {
    /// The current tier.
    #[inline]
    #[must_use]
    pub(crate) const fn tier(&self) -> Tier {
        self.tier
    }

    /// Says below which tier no score leads from now on.
    pub(crate) const fn set_floor(&mut self, floor: Tier) {
        self.floor = floor;
    }

    /// The last score, while it still says something: none before the first, after a reset or a stale spell.
    #[inline]
    #[must_use]
    pub(crate) fn score(&self) -> Option<f32> {
        self.history[0].map(|seen| seen.score)
    }

    /// Begins in `tier`, in which the process before this one ended. Scores lead out of it as out of any other.
    pub(crate) const fn begin_in(&mut self, tier: Tier) {
        self.tier = tier;
    }

    /// A fresh score at `now`, with the number of non-ML witnesses that speak for stress at the same moment. Without `may_trip` it
    /// leads to High at most, however high it is. A score that is NaN changes nothing: the caller treats it as missing.
    pub(crate) fn on_score(
        &mut self,
        config: &TierConfig,
        now: UnixNanos,
        score: f32,
        witness_count: u8,
        may_trip: bool,
    ) -> Option<TierChange> {
        if score.is_nan() {
            return None;
        }
        self.history.rotate_right(1);
        self.history[0] = Some(Seen { ts: now, score, may_trip });
        let (mut reached, mut cause) = self.reached(config, now, witness_count);
        if reached < self.floor {
            (reached, cause) = (self.floor, TierCause::Uncalibrated);
        }
        if reached > self.tier {
            self.calm_since = None;
            return Some(self.change(now, reached, cause));
        }
        self.calm_down(config, now, score)
    }

    /// A grid point at which the instrument had nothing new: its book and windows are as they were, so its last score
    /// still holds. It counts as calm time, never as fresh evidence of stress.
    pub(crate) fn on_hold(&mut self, config: &TierConfig, now: UnixNanos) -> Option<TierChange> {
        let score = self.score()?;
        self.calm_down(config, now, score)
    }

    /// The picture is lost: what is calm must be seen to be from now on anew.
    pub(crate) const fn on_lost(&mut self) {
        self.calm_since = None;
    }

    /// Nobody saw the last `unseen` of the time up to the next grid point: it is no calm time.
    pub(crate) fn skip(&mut self, unseen: Nanos) {
        self.calm_since = self.calm_since.map(|since| UnixNanos(since.0.saturating_add(unseen.0)));
    }

    /// The scores failed to come for too long: at least Elevated, and what was seen before no longer counts.
    pub(crate) fn on_stale(&mut self, now: UnixNanos) -> Option<TierChange> {
        self.history = [None; HISTORY];
        self.calm_since = None;
        (self.tier < Tier::Elevated).then(|| self.change(now, Tier::Elevated, TierCause::Stale))
    }

    /// A person takes the instrument down one tier: it comes down from there as the scores allow, since the reset says that the
    /// person has looked, not that the market is calm.
    pub(crate) fn reset(&mut self, now: UnixNanos) -> Option<TierChange> {
        let below = match self.tier {
            Tier::Normal => return None,
            Tier::Elevated => Tier::Normal,
            Tier::High => Tier::Elevated,
            Tier::Critical => Tier::High,
        };
        self.history = [None; HISTORY];
        self.calm_since = None;
        Some(self.change(now, below, TierCause::Reset))
    }

    fn change(&mut self, ts: UnixNanos, to: Tier, cause: TierCause) -> TierChange {
        let from = core::mem::replace(&mut self.tier, to);
        TierChange { ts, from, to, cause }
    }

    /// How many of the remembered scores are at least `level`, not older than `within_ns`.
    fn count(&self, level: f32, now: UnixNanos, within_ns: u64) -> u8 {
        self.count_of(|seen| seen.score >= level && now.since(seen.ts).0 <= within_ns)
    }

    fn count_of(&self, counts: impl Fn(&Seen) -> bool) -> u8 {
        self.history.iter().flatten().filter(|seen| counts(seen)).count() as u8
    }

    /// The highest tier that the remembered scores reach.
    fn reached(&self, config: &TierConfig, now: UnixNanos, witness_count: u8) -> (Tier, TierCause) {
        let critical = &config.critical;
        let trips = |seen: &Seen| seen.may_trip && seen.score >= critical.enter;
        if self.count_of(|seen| trips(seen) && now.since(seen.ts).0 <= critical.within_ns)
            >= critical.enter_count
        {
            return (Tier::Critical, TierCause::Score);
        }
        let newest = self.score().unwrap_or(0.0);
        if self.history[0].as_ref().is_some_and(trips) && witness_count >= critical.witness_count {
            return (Tier::Critical, TierCause::Witnesses);
        }
        if self.count(config.high.enter, now, u64::MAX) >= config.high.enter_count
            && newest >= config.high.enter
        {
            return (Tier::High, TierCause::Score);
        }
        let elevated = &config.elevated;
        if self.count(elevated.enter, now, u64::MAX) >= elevated.enter_count && newest >= elevated.enter {
            return (Tier::Elevated, TierCause::Score);
        }
        (Tier::Normal, TierCause::Calm)
    }

    /// One tier down when the score has been below the exit for the dwell.
    fn calm_down(&mut self, config: &TierConfig, now: UnixNanos, score: f32) -> Option<TierChange> {
        let band = config.band(self.tier).filter(|_| self.tier > self.floor)?;
        if score >= band.leave {
            self.calm_since = None;
            return None;
        }
        let since = *self.calm_since.get_or_insert(now);
        if now.since(since).0 < band.dwell_ns {
            return None;
        }
        let lower = if self.tier == Tier::High { Tier::Elevated } else { Tier::Normal };
        let change = self.change(now, lower, TierCause::Calm);
        // The next step down needs its own dwell, which can begin now.
        let calm = config.band(lower).is_some_and(|band| score < band.leave);
        self.calm_since = calm.then_some(now);
        Some(change)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const GRID_NS: u64 = 100_000_000;
    const S: u64 = 1_000_000_000;

    fn config() -> TierConfig {
        TierConfig::default()
    }

    /// Feeds one score per grid point from `from` on and gives the tiers after each.
    fn run(machine: &mut TierMachine, from: u64, scores: &[f32]) -> Vec<Tier> {
        let feed = |(i, &score): (usize, &f32)| {
            machine.on_score(&config(), UnixNanos((from + i as u64) * GRID_NS), score, 0, true);
            machine.tier()
        };
        scores.iter().enumerate().map(feed).collect()
    }

    #[test]
    fn the_default_table_is_the_design_table_and_checks() {
        let table = config();
        assert_eq!(
            (table.elevated.enter, table.elevated.leave, table.elevated.dwell_ns),
            (0.05, 0.03, 10 * S)
        );
        assert_eq!((table.high.enter, table.high.leave, table.high.dwell_ns), (0.30, 0.20, 30 * S));
        assert_eq!((table.critical.enter, table.critical.within_ns), (0.80, 300_000_000));
        table.check().unwrap();
    }

    #[test]
    fn tables_out_of_order_are_refused_by_name() {
        let mut table = config();
        table.high.leave = 0.31;
        assert_eq!(table.check().unwrap_err().to_string(), "tiers: high.leave is 0.31, wanted at most 0.3");
        let mut table = config();
        table.elevated.enter_count = 4;
        assert_eq!(table.check().unwrap_err().to_string(), "tiers: elevated.enter_count is 4, wanted 1 to 3");
        let mut table = config();
        table.elevated.enter = f32::NAN;
        assert!(table.check().is_err());
    }

    #[test]
    fn the_ends_of_each_setting_are_inside() {
        let change = |change: fn(&mut TierConfig)| {
            let mut table = config();
            change(&mut table);
            table.check().map_err(|error| error.to_string())
        };
        assert_eq!(
            change(|t| t.elevated.leave = 0.0),
            Err("tiers: elevated.leave is 0, wanted above 0".to_owned())
        );
        assert!(change(|t| t.high.enter = t.elevated.enter).is_err());
        assert_eq!(change(|t| t.elevated.leave = t.elevated.enter), Ok(()));
        assert_eq!(change(|t| t.critical.enter = 1.0), Ok(()));
        assert_eq!(change(|t| (t.high.enter_count, t.critical.witness_count) = (3, u8::MAX)), Ok(()));
        assert!(change(|t| t.high.enter_count = 0).is_err());
        assert_eq!(change(|t| t.high.dwell_ns = TierConfig::DWELL_NS_MIN), Ok(()));
        assert!(change(|t| t.high.dwell_ns = TierConfig::DWELL_NS_MIN - 1).is_err());
        assert_eq!(change(|t| t.high.dwell_ns = TierConfig::DWELL_NS_MIN + 1), Ok(()));
    }

    #[test]
    fn calm_that_was_interrupted_begins_anew() {
        let mut m = TierMachine::default();
        run(&mut m, 0, &[0.5, 0.01]);
        assert_eq!(m.tier(), Tier::High);
        let dwell = config().high.dwell_ns;
        m.on_hold(&config(), UnixNanos(GRID_NS + dwell - 1));
        m.on_lost();
        m.on_hold(&config(), UnixNanos(GRID_NS + dwell + S));
        assert_eq!(m.tier(), Tier::High, "it has been seen for a moment only");
        m.on_hold(&config(), UnixNanos(GRID_NS + 2 * dwell + S));
        assert_eq!(m.tier(), Tier::Elevated);
    }

    #[test]
    fn high_waits_for_as_many_scores_as_it_is_told_and_for_a_new_one_among_them() {
        let mut table = config();
        table.high.enter_count = 2;
        let mut m = TierMachine::default();
        let mut tiers = |scores: &[f32]| {
            let on = |(at, &score): (u64, &f32)| {
                m.on_score(&table, UnixNanos(at * GRID_NS), score, 0, true);
                m.tier()
            };
            (0..).zip(scores).map(on).last().unwrap()
        };
        assert_eq!(tiers(&[0.01, 0.5]), Tier::Normal, "one high score, the first of any kind");
        assert_eq!(tiers(&[0.01, 0.5, 0.5, 0.01]), Tier::High);
        let mut m = TierMachine::default();
        for (at, score) in (0..).zip([0.5, 0.01]) {
            m.on_score(&table, UnixNanos(at * GRID_NS), score, 0, true);
        }
        table.high.enter_count = 1;
        m.on_score(&table, UnixNanos(2 * GRID_NS), 0.01, 0, true);
        assert_eq!(m.tier(), Tier::Normal, "the high score is not the newest");
    }

    #[test]
    fn losing_the_picture_in_a_tier_above_normal_changes_no_tier() {
        let mut m = TierMachine::default();
        run(&mut m, 0, &[0.5]);
        assert_eq!((m.on_stale(UnixNanos(S)), m.tier()), (None, Tier::High));
        let mut m = TierMachine::default();
        assert_eq!(m.on_stale(UnixNanos(S)).map(|change| change.to), Some(Tier::Elevated));
        assert_eq!(m.on_stale(UnixNanos(2 * S)), None, "it is Elevated already");
    }

    #[test]
    fn a_score_at_the_exit_of_the_next_tier_down_is_not_below_it() {
        let mut m = TierMachine::default();
        run(&mut m, 0, &[0.5]);
        run(&mut m, 1, &[0.01; 300]);
        // High is left with this score, which is where Elevated would be left, and so not calm.
        assert_eq!(run(&mut m, 301, &[0.03]), [Tier::Elevated]);
        assert_eq!(run(&mut m, 302, &[0.01; 100]).last(), Some(&Tier::Elevated));
        assert_eq!(run(&mut m, 402, &[0.01]), [Tier::Normal]);
    }

    #[test]
    fn elevated_needs_two_of_three() {
        use Tier::{Elevated, Normal};
        let mut m = TierMachine::default();
        assert_eq!(
            run(&mut m, 0, &[0.06, 0.01, 0.01, 0.06, 0.01, 0.05]),
            [Normal, Normal, Normal, Normal, Normal, Elevated]
        );
    }

    #[test]
    fn high_needs_one_and_skips_elevated() {
        let mut m = TierMachine::default();
        assert_eq!(run(&mut m, 0, &[0.01, 0.30]), [Tier::Normal, Tier::High]);
    }

    #[test]
    fn critical_needs_two_of_three_within_the_span() {
        let mut m = TierMachine::default();
        assert_eq!(run(&mut m, 0, &[0.9, 0.1, 0.8]), [Tier::High, Tier::High, Tier::Critical]);
        // The same scores, four seconds apart.
        let mut m = TierMachine::default();
        for i in 0..3 {
            m.on_score(&config(), UnixNanos(i * 4 * S), 0.9, 0, true);
            assert_eq!(m.tier(), Tier::High);
        }
    }

    #[test]
    fn critical_needs_one_score_with_two_witnesses() {
        let mut m = TierMachine::default();
        assert_eq!(m.on_score(&config(), UnixNanos(0), 0.85, 1, true).unwrap().to, Tier::High);
        let change = m.on_score(&config(), UnixNanos(4 * S), 0.85, 2, true).unwrap();
        assert_eq!(
            (change.from, change.to, change.cause),
            (Tier::High, Tier::Critical, TierCause::Witnesses)
        );
        let mut m = TierMachine::default();
        assert_eq!(m.on_score(&config(), UnixNanos(0), 0.5, 3, true).unwrap().to, Tier::High);
    }

    #[test]
    fn the_way_down_takes_each_dwell_and_one_tier_at_a_time() {
        let mut m = TierMachine::default();
        run(&mut m, 0, &[0.5]);
        let tiers = run(&mut m, 1, &[0.01; 500]);
        let first = |tier| tiers.iter().position(|t| *t == tier).unwrap() as u64;
        // Calm from grid point 1: High is left 30 s later, Elevated 10 s after that.
        assert_eq!(first(Tier::Elevated), 30 * S / GRID_NS);
        assert_eq!(first(Tier::Normal), 40 * S / GRID_NS);
    }

    #[test]
    fn one_score_above_the_exit_starts_the_dwell_again() {
        let mut m = TierMachine::default();
        run(&mut m, 0, &[0.5]);
        run(&mut m, 1, &[0.01; 299]);
        run(&mut m, 300, &[0.2]);
        assert_eq!(run(&mut m, 301, &[0.01; 300]).last(), Some(&Tier::High));
        assert_eq!(run(&mut m, 601, &[0.01]), [Tier::Elevated]);
    }

    #[test]
    fn a_quiet_instrument_calms_down_on_its_last_score() {
        let mut m = TierMachine::default();
        run(&mut m, 0, &[0.06, 0.06, 0.01]);
        assert_eq!(m.tier(), Tier::Elevated);
        assert_eq!(m.on_hold(&config(), UnixNanos(9 * S)), None);
        assert_eq!(m.on_hold(&config(), UnixNanos(11 * S)).unwrap().to, Tier::Normal);
        // A held score above the exit holds the tier for ever.
        run(&mut m, 200, &[0.5]);
        assert_eq!(m.on_hold(&config(), UnixNanos(9_999 * S)), None);
        assert_eq!(m.tier(), Tier::High);
    }

    #[test]
    fn missing_scores_raise_to_elevated_and_forget() {
        let mut m = TierMachine::default();
        run(&mut m, 0, &[0.9]);
        assert_eq!(m.on_stale(UnixNanos(S)), None);
        assert_eq!(m.tier(), Tier::High);
        let mut m = TierMachine::default();
        run(&mut m, 0, &[0.01, 0.06]);
        let change = m.on_stale(UnixNanos(S)).unwrap();
        assert_eq!((change.to, change.cause), (Tier::Elevated, TierCause::Stale));
        assert_eq!(m.on_hold(&config(), UnixNanos(99 * S)), None, "nothing seen, nothing calm");
    }

    #[test]
    fn a_reset_goes_down_one_tier_and_starts_from_nothing() {
        let mut m = TierMachine::default();
        run(&mut m, 0, &[0.9, 0.9]);
        let change = m.reset(UnixNanos(S)).unwrap();
        assert_eq!((change.from, change.to, change.cause), (Tier::Critical, Tier::High, TierCause::Reset));
        let mut further = m;
        let down: Vec<Tier> =
            core::iter::from_fn(|| further.reset(UnixNanos(S)).map(|change| change.to)).collect();
        assert_eq!(down, [Tier::Elevated, Tier::Normal]);
        assert_eq!(
            m.on_score(&config(), UnixNanos(S), 0.9, 0, true),
            None,
            "one score alone does not trip again"
        );
        assert_eq!(m.on_score(&config(), UnixNanos(S + GRID_NS), 0.9, 0, true).unwrap().to, Tier::Critical);
    }

    /// What can happen to a machine at a grid point.
    #[derive(Clone, Copy, Debug)]
    enum Step {
        Score(f32, u8),
        Hold,
        Stale,
    }

    fn steps() -> impl Strategy<Value = Vec<(u64, Step)>> {
        let level = prop_oneof![
            Just(0.01_f32),
            Just(0.04),
            Just(0.06),
            Just(0.25),
            Just(0.4),
            Just(0.9),
            0.0_f32..1.0
        ];
        let step = prop_oneof![
            8 => (level, 0_u8..3).prop_map(|(score, witnesses)| Step::Score(score, witnesses)),
            2 => Just(Step::Hold),
            1 => Just(Step::Stale),
        ];
        prop::collection::vec((prop_oneof![Just(GRID_NS), Just(5 * S), Just(31 * S)], step), 1..600)
    }

    fn apply(m: &mut TierMachine, now: UnixNanos, step: Step) -> Option<TierChange> {
        match step {
            Step::Score(score, witnesses) => m.on_score(&config(), now, score, witnesses, true),
            Step::Hold => m.on_hold(&config(), now),
            Step::Stale => m.on_stale(now),
        }
    }

    proptest! {
        #[test]
        fn tiers_do_not_chatter(steps in steps()) {
            let (mut m, mut now) = (TierMachine::default(), 0);
            let mut changes: Vec<TierChange> = Vec::new();
            for (gap, step) in steps {
                now += gap;
                changes.extend(apply(&mut m, UnixNanos(now), step));
            }
            // Each step down takes at least 10 s, each cycle of three up-steps needs three down: 6 downs and 3 + 6 ups
            // fit into any minute.
            for change in &changes {
                let minute = changes.iter().filter(|c| c.ts >= change.ts && c.ts.0 < change.ts.0 + 60 * S).count();
                prop_assert!(minute <= 16, "{minute} changes in a minute");
            }
            for pair in changes.windows(2) {
                let down = pair[1].to < pair[1].from;
                prop_assert_eq!(pair[0].to, pair[1].from);
                prop_assert!(!down || (pair[1].to as u8 + 1 == pair[1].from as u8 && pair[1].ts.since(pair[0].ts).0 >= 10 * S));
            }
        }

        #[test]
        fn critical_is_never_left_without_a_person(steps in steps(), at in 0_usize..300) {
            let (mut m, mut now) = (TierMachine::default(), 0);
            for (i, (gap, step)) in steps.into_iter().enumerate() {
                now += gap;
                if i == at {
                    m.on_score(&config(), UnixNanos(now), 0.95, 2, true);
                    prop_assert_eq!(m.tier(), Tier::Critical);
                }
                let before = m.tier();
                apply(&mut m, UnixNanos(now), step);
                prop_assert!(before < Tier::Critical || m.tier() == Tier::Critical);
            }
        }

        #[test]
        fn up_is_immediate(steps in steps()) {
            let (mut m, mut now) = (TierMachine::default(), 0);
            for (gap, step) in steps {
                now += gap;
                apply(&mut m, UnixNanos(now), step);
                if let Step::Score(score, witnesses) = step {
                    prop_assert!(score < 0.30 || m.tier() >= Tier::High);
                    prop_assert!(score < 0.80 || witnesses < 2 || m.tier() == Tier::Critical);
                }
            }
        }

        #[test]
        fn a_score_that_is_no_number_changes_nothing(steps in steps()) {
            let (mut a, mut b, mut now) = (TierMachine::default(), TierMachine::default(), 0);
            for (gap, step) in steps {
                now += gap;
                a.on_score(&config(), UnixNanos(now), f32::NAN, 3, true);
                apply(&mut a, UnixNanos(now), step);
                apply(&mut b, UnixNanos(now), step);
                prop_assert_eq!(a.tier(), b.tier());
            }
        }
    }
}
