//! The stage as a whole: what it publishes for what it is given.

use gate::{ClassId, Envelope, LimitCause, LimitTable, RiskLimits};
use stage::{Stage as _, Work};
use types::{
    BookState, FEATURE_COUNT, FeatureId, FeatureVector, FeedIndex, InstrumentId, MODEL_FEATURE_COUNT, Nanos,
    Qty, StaleCause, Symbol, Tier, UnixNanos, WALK_COUNT,
};

use super::counters::Count;
use super::polled::PolledScorer;
use super::record::{ScoreObserver, ScoreRecord};
use super::state::{BatchConfig, ScorerStage, ScorerStageConfig};
use crate::heads::Head;
use crate::heads::fat_finger::{random_head as random_fat_finger, sizes_within};
use crate::heads::slippage::{largest_size, random_head as random_slippage};
use crate::inputs::PerSymbol;
use crate::model::{Calibration, Channel, ChannelLaws, Model, RawScore};
use crate::network::Increments;
use crate::policy::config::{FatFingerConfig, PolicyConfig, SlippageConfig, Uncalibrated, WidenConfig};
use crate::policy::rows::tests::{BASE, envelope};
use crate::policy::tier::{TierCause, TierChange};
use crate::policy::update::{FatFingerUpdate, LimitSink, LimitUpdate};
use crate::score::{ReferenceScorer, Scorer, Staged, StagedScorer};
use crate::synthetic::{ALL_VALID, DAY_NS, GRID_NS, Market, model};
use proptest::prelude::*;

/// A backend that gives what the vector says: a feature of no side is the raw score, invalid means none.
#[derive(Default)]
struct Told {
    batches: Vec<usize>,
}

impl Scorer for Told {
    fn name(&self) -> &'static str {
        "told"
    }

    fn define(&mut self, _: InstrumentId, _: Symbol) {}

    fn score(&mut self, rows: &[FeatureVector], out: &mut [Option<RawScore>]) {
        self.batches.push(rows.len());
        for (row, out) in rows.iter().zip(out) {
            #[expect(clippy::cast_possible_truncation, reason = "test scores")]
            let raw =
                RawScore { raw: row.values[RAW] as f32, top3: [5, 6, 9], contributions: [0.5, 0.3, 0.1] };
            *out = (row.valid != 0).then_some(raw);
        }
    }
}

#[derive(Default)]
struct Heard {
    scores: Vec<ScoreRecord>,
    changes: Vec<(InstrumentId, TierChange)>,
}

impl ScoreObserver for Heard {
    fn scored(&mut self, record: &ScoreRecord) {
        self.scores.push(*record);
    }

    fn tier_changed(&mut self, instrument: InstrumentId, change: &TierChange, _: Option<&ScoreRecord>) {
        self.changes.push((instrument, *change));
    }
}

#[derive(Default)]
struct Sent(Vec<LimitUpdate>);

impl LimitSink for Sent {
    fn limit(&mut self, update: &LimitUpdate, _: UnixNanos) {
        self.0.push(*update);
    }
}

/// A scorer elsewhere: a batch is ready when it has been asked for so often.
struct Elsewhere {
    scorer: Staged<Told>,
    delay: u32,
    asked: u32,
}

impl Scorer for Elsewhere {
    fn name(&self) -> &'static str {
        "elsewhere"
    }

    fn define(&mut self, _: InstrumentId, _: Symbol) {}

    fn score(&mut self, rows: &[FeatureVector], out: &mut [Option<RawScore>]) {
        self.scorer.score(rows, out);
    }
}

impl StagedScorer for Elsewhere {
    fn stage(&mut self, place: usize, row: &FeatureVector) {
        self.scorer.stage(place, row);
    }

    fn start(&mut self) {
        assert!(self.asked >= self.delay, "one batch at a time");
        self.asked = 0;
        self.scorer.start();
    }

    fn is_ready(&mut self) -> bool {
        self.asked += 1;
        self.asked >= self.delay
    }

    fn result(&self, place: usize) -> Option<RawScore> {
        assert!(self.asked >= self.delay, "not ready");
        self.scorer.result(place)
    }

    fn head(&self, head: Head, place: usize) -> Option<Increments> {
        self.scorer.head(head, place)
    }
}

/// The feature that stands for a raw score.
const RAW: usize = FeatureId::Ofi100Ms as usize;

type TestStage = ScorerStage<Staged<Told>, Sent, Heard>;

fn policy() -> PolicyConfig {
    PolicyConfig::default()
}

fn stage_with(policy: PolicyConfig) -> TestStage {
    stage_of(policy, BatchConfig::WHOLE_GRID, Staged::new(Told::default(), 3))
}

/// Three instruments, two classes, envelopes on all rows but (2, 1).
fn stage_of<S: StagedScorer>(
    policy: PolicyConfig,
    batch: BatchConfig,
    scorer: S,
) -> ScorerStage<S, Sent, Heard> {
    let config = ScorerStageConfig { instrument_count_max: 3, class_count: 2, batch, policy };
    let mut stage = ScorerStage::new(config, model(), scorer, Sent::default(), Heard::default()).unwrap();
    for (i, name) in ["AAA", "BBB", "CCC"].into_iter().enumerate() {
        let instrument = InstrumentId(u32::try_from(i).unwrap());
        assert!(stage.define(instrument, Symbol::new(name).unwrap()));
        for class in [0, 1].map(ClassId) {
            if (i, class.0) != (2, 1) {
                assert!(stage.set_envelope(instrument, class, &envelope()));
            }
        }
    }
    stage
}

fn ts(grid: u64) -> UnixNanos {
    UnixNanos(DAY_NS + grid * GRID_NS)
}

/// The raw score that shows as `score`.
fn raw(score: f32) -> f64 {
    let calibration = &model().calibrations().pooled;
    let (mut low, mut high) = (0.0, 1e6);
    for _ in 0..200 {
        let middle = 0.5 * (low + high);
        if calibration.score(middle).unwrap() < score { low = middle } else { high = middle }
    }
    high
}

/// A live vector that scores `score`.
fn scored(instrument: u32, grid: u64, score: f32) -> FeatureVector {
    let mut values = [0.0; FEATURE_COUNT];
    values[RAW] = raw(score);
    // A deep touch, no spread, no movement: no witness has anything to say.
    values[FeatureId::TopDepth as usize] = 20.0;
    let book_state = BookState::Live.to_u8();
    FeatureVector {
        ts: ts(grid),
        instrument: InstrumentId(instrument),
        values,
        valid: u64::from(ALL_VALID),
        book_state,
        ..FeatureVector::EMPTY
    }
}

fn unscored(instrument: u32, grid: u64) -> FeatureVector {
    FeatureVector { valid: 0, ..scored(instrument, grid, 0.0) }
}

fn lost(instrument: u32, grid: u64) -> FeatureVector {
    FeatureVector { book_state: BookState::Stale(StaleCause::Gap).to_u8(), ..unscored(instrument, grid) }
}

/// One grid point with these vectors; gives what was published.
fn grid(stage: &mut TestStage, at: u64, vectors: &[FeatureVector]) -> Vec<LimitUpdate> {
    stage.sink.0.clear();
    stage.on_vectors(vectors, ts(at));
    assert!(stage.sink.0.is_empty(), "nothing is published before the grid point ends");
    stage.on_vectors(&[FeatureVector::end_of_grid(ts(at))], ts(at));
    stage.sink.0.clone()
}

/// The order size published for the first class of instrument 0.
fn qty(updates: &[LimitUpdate]) -> u32 {
    updates.iter().find(|u| u.instrument.0 == 0).expect("published").limits.limits().max_qty.0
}

#[test]
fn nothing_is_published_before_the_first_score_and_every_row_after_it() {
    let mut stage = stage_with(policy());
    assert!(grid(&mut stage, 0, &[unscored(0, 0), lost(1, 0)]).is_empty());
    assert!(grid(&mut stage, 9, &[]).is_empty());
    let updates = grid(&mut stage, 10, &[scored(0, 10, 0.01), scored(2, 10, 0.01)]);
    let rows: Vec<(u32, u8)> = updates.iter().map(|u| (u.instrument.0, u.class.0)).collect();
    assert_eq!(rows, [(0, 0), (0, 1), (2, 0)], "row (2, 1) has no envelope");
    for update in &updates {
        assert_eq!(
            (update.cause, update.tier, update.lease),
            (LimitCause::Boot, Tier::Normal, Nanos::SECOND)
        );
        assert_eq!((update.limits.limits(), update.top3, update.trip), (&BASE, [5, 6, 9], false));
        assert_eq!(update.ts, ts(10));
    }
    assert_eq!(updates.iter().map(|u| u.version).collect::<Vec<_>>(), [1, 2, 3]);
}

#[test]
fn leases_are_renewed_at_every_grid_point_for_quiet_instruments_too() {
    let mut stage = stage_with(policy());
    grid(&mut stage, 0, &[scored(0, 0, 0.01), scored(1, 0, 0.01)]);
    for at in 1..50 {
        let updates = grid(&mut stage, at, &[scored(1, at, 0.01)]);
        assert_eq!(updates.len(), 4);
        assert!(
            updates
                .iter()
                .all(|u| u.cause == LimitCause::Renew && u.lease == Nanos::SECOND && u.ts == ts(at))
        );
    }
}

#[test]
fn the_whole_grid_point_is_scored_in_one_call_newest_vector_first() {
    let mut stage = stage_with(policy());
    grid(&mut stage, 0, &[scored(2, 0, 0.01), scored(0, 0, 0.9), scored(1, 0, 0.01), scored(0, 0, 0.02)]);
    assert_eq!(stage.scorer.scorer().batches, [3]);
    let of_0: Vec<f32> =
        stage.observer.scores.iter().filter(|s| s.instrument.0 == 0).map(|s| s.score).collect();
    assert!(of_0.len() == 1 && (of_0[0] - 0.02).abs() < 1e-4, "{of_0:?}");
}

#[test]
fn a_crash_tightens_at_once_trips_once_and_waits_for_a_person() {
    let mut stage = stage_with(policy());
    grid(&mut stage, 0, &[scored(0, 0, 0.01)]);
    let elevated = [grid(&mut stage, 1, &[scored(0, 1, 0.06)]), grid(&mut stage, 2, &[scored(0, 2, 0.06)])];
    assert_eq!((qty(&elevated[0]), qty(&elevated[1])), (500, 250));
    let high = grid(&mut stage, 3, &[scored(0, 3, 0.35)]);
    assert_eq!((qty(&high), high[0].tier, high[0].cause), (50, Tier::High, LimitCause::Tighten));
    assert_eq!(high[0].score.micros() / 1_000, 350);
    assert!(!grid(&mut stage, 4, &[scored(0, 4, 0.9)])[0].trip);
    let critical = grid(&mut stage, 5, &[scored(0, 5, 0.9)]);
    assert!(critical.iter().all(|u| u.trip && u.tier == Tier::Critical) && critical.len() == 2);
    assert_eq!(qty(&critical), 10, "the floor");
    for at in 6..1_000 {
        let updates = grid(&mut stage, at, &[scored(0, at, 0.0)]);
        assert!(updates.iter().all(|u| !u.trip && u.tier == Tier::Critical && u.cause == LimitCause::Renew));
    }
    assert_eq!(stage.reset(InstrumentId(0), ts(1_000)).unwrap().cause, TierCause::Reset);
    let relaxed = grid(&mut stage, 1_001, &[scored(0, 1_001, 0.0)]);
    assert_eq!((qty(&relaxed), relaxed[0].tier, relaxed[0].cause), (50, Tier::High, LimitCause::Relax));
    assert_eq!(stage.counters().get(Count::Trips as usize), 1);
    let tiers: Vec<Tier> = stage.observer.changes.iter().map(|(_, change)| change.to).collect();
    assert_eq!(tiers, [Tier::Elevated, Tier::High, Tier::Critical, Tier::High]);
}

#[test]
fn two_witnesses_turn_one_score_into_a_trip() {
    let mut stage = stage_with(policy());
    let mut vector = scored(0, 0, 0.9);
    let mut bear_out = |feature: FeatureId, value: f64| vector.set(feature, value);
    bear_out(FeatureId::TopDepth, 1.0);
    bear_out(FeatureId::Rv1S, 500.0);
    let updates = grid(&mut stage, 0, &[vector]);
    assert!(updates[0].trip && updates[0].cause == LimitCause::Boot, "{:?}", updates[0]);
    assert_eq!(stage.observer.scores[0].witnesses.count(), 2);
    assert_eq!(stage.observer.changes[0].1.cause, TierCause::Witnesses);
}

#[test]
fn a_lost_book_revokes_at_once_and_comes_back_elevated() {
    let mut stage = stage_with(policy());
    grid(&mut stage, 0, &[scored(0, 0, 0.01)]);
    let revoked = grid(&mut stage, 1, &[lost(0, 1)]);
    assert!(revoked.len() == 2 && revoked.iter().all(|u| u.lease == Nanos(0)));
    assert_eq!((revoked[0].limits.limits(), revoked[0].cause), (&BASE, LimitCause::Revoke));
    assert!(grid(&mut stage, 2, &[]).is_empty(), "silence does not bring the picture back");
    let elevated = grid(&mut stage, 3, &[]);
    assert_eq!(stage.tier(InstrumentId(0)), Tier::Elevated);
    assert_eq!(elevated.len(), 2, "the gate is told of the tier that the stage is in");
    assert!(
        elevated.iter().all(|u| (u.tier, u.cause, u.lease) == (Tier::Elevated, LimitCause::Revoke, Nanos(0)))
    );
    assert_eq!(elevated[0].limits.limits(), &BASE);
    assert!(grid(&mut stage, 3, &[]).is_empty());
    let back = grid(&mut stage, 4, &[scored(0, 4, 0.01)]);
    assert_eq!((qty(&back), back[0].tier, back[0].cause), (250, Tier::Elevated, LimitCause::Boot));
    for at in 5..104 {
        assert_eq!(qty(&grid(&mut stage, at, &[])), 250);
    }
    assert_eq!(qty(&grid(&mut stage, 104, &[])), 500, "ten calm seconds after the first score");
    assert_eq!(stage.counters().get(Count::Revocations as usize), 4);
}

#[test]
fn time_that_nobody_watched_is_no_calm_time() {
    let stepped = |ahead: u64| {
        let mut stage = stage_with(policy());
        grid(&mut stage, 0, &[scored(0, 0, 0.9)]);
        assert_eq!(stage.tier(InstrumentId(0)), Tier::High);
        grid(&mut stage, 1, &[scored(0, 1, 0.01)]);
        grid(&mut stage, 1 + ahead, &[scored(0, 1 + ahead, 0.01)]);
        stage.tier(InstrumentId(0))
    };
    let mut stage = stage_with(policy());
    grid(&mut stage, 0, &[scored(0, 0, 0.9)]);
    for at in 1..=300 {
        grid(&mut stage, at, &[]);
    }
    assert_eq!(stage.tier(InstrumentId(0)), Tier::High, "its score was not calm");
    assert_eq!(stepped(700), Tier::High, "the venue's clock went 70 s ahead between two packets");
    // What is watched at least once a lease is watched: a venue may have little to say.
    let mut stage = stage_with(policy());
    grid(&mut stage, 0, &[scored(0, 0, 0.9)]);
    for at in (10..=300).step_by(10) {
        grid(&mut stage, at, &[scored(0, at, 0.01)]);
        assert_eq!(stage.tier(InstrumentId(0)), Tier::High);
    }
    grid(&mut stage, 310, &[scored(0, 310, 0.01)]);
    assert_eq!(stage.tier(InstrumentId(0)), Tier::Elevated, "thirty seconds, a score each");
}

#[test]
fn missing_scores_are_borne_for_two_grid_points() {
    let mut stage = stage_with(policy());
    grid(&mut stage, 0, &[scored(0, 0, 0.01)]);
    assert_eq!(grid(&mut stage, 1, &[unscored(0, 1)])[0].cause, LimitCause::Renew);
    assert_eq!(grid(&mut stage, 2, &[])[0].cause, LimitCause::Renew);
    let third = grid(&mut stage, 3, &[unscored(0, 3)]);
    assert!(third[0].lease == Nanos(0) && third[0].tier == Tier::Elevated);
    assert_eq!(stage.observer.changes[0].1.cause, TierCause::Stale);
}

#[test]
fn a_book_is_not_scored_before_its_windows_are_full() {
    let mut stage = stage_with(PolicyConfig { warmup_ns: 1_000_000_000, ..policy() });
    for at in 0..10 {
        assert!(grid(&mut stage, at, &[scored(0, at, 0.9)]).is_empty());
    }
    assert_eq!(grid(&mut stage, 10, &[scored(0, 10, 0.01)])[0].cause, LimitCause::Boot);
    // After a gap the windows fill again.
    grid(&mut stage, 11, &[lost(0, 11)]);
    let told: Vec<_> = (12..22).map(|at| grid(&mut stage, at, &[scored(0, at, 0.9)])).collect();
    let told: Vec<_> = told.into_iter().flatten().map(|u| (u.tier, u.cause, u.lease)).collect();
    assert_eq!(told, [(Tier::Elevated, LimitCause::Revoke, Nanos(0)); 2], "each class once, of the tier");
    assert_eq!(grid(&mut stage, 22, &[scored(0, 22, 0.01)])[0].tier, Tier::Elevated);
    assert_eq!(stage.observer.scores.len(), 2);
    assert_eq!(stage.counters().get(Count::Scored as usize), 2);
}

#[test]
fn going_blind_in_a_high_tier_keeps_its_limits() {
    let mut stage = stage_with(policy());
    grid(&mut stage, 0, &[scored(0, 0, 0.5)]);
    for at in 1..1_000 {
        let updates = grid(&mut stage, at, &[lost(0, at)]);
        assert!(updates[0].lease > Nanos(0) && updates[0].tier == Tier::High);
        assert_eq!((qty(&updates), updates[0].cause), (50, LimitCause::Renew));
    }
}

#[test]
fn a_vector_that_lags_its_grid_point_is_never_scored() {
    let mut stage = stage_with(policy());
    grid(&mut stage, 10, &[scored(0, 7, 0.01), scored(1, 6, 0.01)]);
    assert_eq!(stage.observer.scores.len(), 1);
    assert_eq!(stage.observer.scores[0].instrument, InstrumentId(0));
    assert_eq!(stage.counters().get(Count::Late as usize), 1);
}

#[test]
fn a_score_says_the_values_of_its_drivers_and_none_where_they_were_imputed() {
    let mut stage = stage_with(policy());
    let mut vector = scored(0, 0, 0.5);
    vector.set(FeatureId::Ofi1S, 12.5);
    vector.set(FeatureId::TradeToOrder, 0.25);
    vector.set(FeatureId::MicropriceOffset, f64::NAN);
    grid(&mut stage, 0, &[vector]);
    let record = stage.observer.scores.last().copied().unwrap();
    // The backend names features 5, 6 and 9: order flow over a second, the micro-price, and trades per order message.
    assert_eq!(record.values, [Some(12.5), None, Some(0.25)]);
}

#[test]
fn instruments_beyond_the_stage_are_counted_and_get_nothing() {
    let mut stage = stage_with(policy());
    assert!(!stage.define(InstrumentId(3), Symbol::new("D").unwrap()));
    assert!(!stage.set_envelope(InstrumentId(3), ClassId(0), &envelope()));
    assert!(!stage.set_envelope(InstrumentId(0), ClassId(2), &envelope()));
    assert!(grid(&mut stage, 0, &[scored(3, 0, 0.9), scored(u32::MAX, 0, 0.9)]).is_empty());
    assert_eq!(stage.counters().get(Count::UnknownInstrument as usize), 2);
    assert_eq!(stage.tier(InstrumentId(3)), Tier::Normal);
}

#[test]
fn an_officers_envelope_shows_at_the_next_grid_point() {
    let mut stage = stage_with(policy());
    grid(&mut stage, 0, &[scored(0, 0, 0.5)]);
    let base = RiskLimits { max_qty: Qty(300), ..BASE };
    let tighter = Envelope::new(*envelope().floor(), base, base).unwrap();
    assert!(stage.set_envelope(InstrumentId(0), ClassId(0), &tighter));
    let updates = grid(&mut stage, 1, &[]);
    assert_eq!((updates[0].cause, qty(&updates)), (LimitCause::Officer, 30));
    assert_eq!(updates[1].cause, LimitCause::Renew);
}

#[test]
fn a_long_calm_widens_and_the_first_sign_of_unrest_ends_it() {
    let widen = WidenConfig { enabled: true, calm_ns: 10_000_000_000, ..WidenConfig::default() };
    let mut stage = stage_with(PolicyConfig { widen, ..policy() });
    grid(&mut stage, 0, &[scored(0, 0, 0.01)]);
    for at in 1..100 {
        assert_eq!(qty(&grid(&mut stage, at, &[])), 500);
    }
    let wide = grid(&mut stage, 100, &[]);
    assert_eq!((qty(&wide), wide[0].cause), (525, LimitCause::Widen));
    let calm_no_more = grid(&mut stage, 101, &[scored(0, 101, 0.04)]);
    assert_eq!((qty(&calm_no_more), calm_no_more[0].cause), (500, LimitCause::Tighten));
}

#[test]
fn a_policy_that_cannot_work_makes_no_stage() {
    let policy = PolicyConfig { lease_ns: 1, ..policy() };
    let batch = BatchConfig::WHOLE_GRID;
    let config = ScorerStageConfig { instrument_count_max: 1, class_count: 1, batch, policy };
    let made = ScorerStage::new(config, model(), Staged::new(Told::default(), 1), Sent::default(), ());
    assert!(made.err().unwrap().to_string().contains("lease_ns is 1"));
}

/// A scorer one of whose heads says the same of every row.
struct Priced(Staged<Told>, Head, Option<Increments>);

impl Scorer for Priced {
    fn name(&self) -> &'static str {
        "priced"
    }

    fn define(&mut self, _: InstrumentId, _: Symbol) {}

    fn score(&mut self, rows: &[FeatureVector], out: &mut [Option<RawScore>]) {
        self.0.score(rows, out);
    }
}

impl StagedScorer for Priced {
    fn stage(&mut self, place: usize, row: &FeatureVector) {
        self.0.stage(place, row);
    }

    fn start(&mut self) {
        self.0.start();
    }

    fn is_ready(&mut self) -> bool {
        true
    }

    fn result(&self, place: usize) -> Option<RawScore> {
        self.0.result(place)
    }

    fn head(&self, head: Head, _: usize) -> Option<Increments> {
        self.2.filter(|_| head == self.1)
    }
}

/// Keeps the newest sizes by price distance.
#[derive(Default)]
struct FatFingers(Vec<FatFingerUpdate>);

impl LimitSink for FatFingers {
    fn limit(&mut self, _: &LimitUpdate, _: UnixNanos) {}

    fn fat_finger(&mut self, update: &FatFingerUpdate, _: UnixNanos) {
        self.0.push(*update);
    }
}

#[test]
fn orders_are_no_larger_than_what_is_likely_meant_at_their_price() {
    let model = model().clone().with_heads(|heads| heads.fat_finger = Some(random_fat_finger(1))).unwrap();
    let config = ScorerStageConfig {
        instrument_count_max: 1,
        class_count: 1,
        batch: BatchConfig::WHOLE_GRID,
        policy: PolicyConfig { fat_finger: FatFingerConfig { error_probability_max: 0.1 }, ..policy() },
    };
    let unheaded = Staged::new(Told::default(), 1);
    let unheaded = ScorerStage::new(config.clone(), self::model(), unheaded, FatFingers::default(), ());
    assert!(unheaded.err().unwrap().to_string().contains("the model has no fat-finger network"));

    let scorer = Priced(Staged::new(Told::default(), 1), Head::FatFinger, Some([1.0; 16]));
    let mut stage = ScorerStage::new(config, &model, scorer, FatFingers::default(), ()).unwrap();
    stage.define(InstrumentId(0), Symbol::new("AAA").unwrap());
    let mut at = |grid: u64, touch: f64, mut vector: FeatureVector| {
        vector.set(FeatureId::TopDepth, f64::ln(touch));
        stage.on_vectors(&[vector, FeatureVector::end_of_grid(ts(grid))], ts(grid));
        *stage.sink.0.last().unwrap()
    };
    let law = model.heads().fat_finger.as_ref().unwrap().law_of(Symbol::new("AAA").unwrap());
    let want = |touch: f64| sizes_within(0.1, &law, &[1.0; 16], f64::ln(touch).exp());
    let first = at(0, 1_000.0, scored(0, 0, 0.01));
    assert_eq!((*first.sizes.sizes(), first.lease), (want(1_000.0), policy().lease()));
    // A thinner book makes them smaller at once; they stay while the picture is lost, and are told on.
    let thin = at(1, 10.0, scored(0, 1, 0.01));
    assert_eq!(*thin.sizes.sizes(), want(10.0));
    for grid in 2..9 {
        let told = at(grid, 1_000.0, lost(0, grid));
        assert_eq!((told.sizes, told.ts), (thin.sizes, ts(grid)));
        assert_ne!(told.version, thin.version);
    }
}

#[test]
fn orders_are_no_larger_than_what_the_book_bears() {
    let model = model().clone().with_heads(|heads| heads.slippage = Some(random_slippage(1))).unwrap();
    let slippage = SlippageConfig { limit_bps: 4.0 };
    let config = ScorerStageConfig {
        instrument_count_max: 1,
        class_count: 1,
        batch: BatchConfig::WHOLE_GRID,
        policy: PolicyConfig { slippage, ..policy() },
    };
    let unheaded =
        ScorerStage::new(config.clone(), self::model(), Staged::new(Told::default(), 1), Sent::default(), ());
    assert!(unheaded.err().unwrap().to_string().contains("the model has no slippage network"));

    let scorer = Priced(Staged::new(Told::default(), 1), Head::Slippage, Some([1.0; 16]));
    let mut stage = ScorerStage::new(config, &model, scorer, Sent::default(), Heard::default()).unwrap();
    // AAA's unit is 0.5 bps for the first size and grows with its root; on top of a walk of a quarter of it, 4 bps are spent
    // between 4 and 8 times the touch.
    let symbol = Symbol::new("AAA").unwrap();
    stage.define(InstrumentId(0), symbol);
    stage.set_envelope(InstrumentId(0), ClassId(0), &envelope());
    let walk: [f32; WALK_COUNT] = core::array::from_fn(|i| 0.125 * f32::from(1_u8 << (i % 8)).sqrt());
    let mut at = |grid: u64, says: Option<f32>, touch: f64, vector: FeatureVector| {
        stage.scorer.2 = says.map(|v| [v; 16]);
        let mut vector = vector;
        if touch > 0.0 {
            vector.set(FeatureId::TopDepth, f64::ln(touch));
            vector.walk_bps = walk;
        }
        stage.sink.0.clear();
        stage.on_vectors(&[vector, FeatureVector::end_of_grid(ts(grid))], ts(grid));
        let update = *stage.sink.0.last().unwrap();
        (update.limits.limits().max_qty.0, update.cause)
    };
    let scale = model.heads().slippage.as_ref().unwrap().scale(symbol);
    let multiple = largest_size(&scale.slippage_bps(&walk, &[1.0; 16])[0], 4.0);
    assert!(multiple > 4.0 && multiple < 8.0, "{multiple}");
    let bound = |touch: f64| (f64::from(multiple) * touch + 1e-6) as u32;
    let calm = |grid| scored(0, grid, 0.01);
    assert_eq!(at(0, Some(1.0), 1_000.0, calm(0)), (500, LimitCause::Boot));
    assert_eq!(at(1, Some(1.0), 30.0, calm(1)), (bound(30.0), LimitCause::Slippage));
    // It comes back a hundredth at a time, and stays without news, and when the picture is lost.
    assert_eq!(at(2, Some(1.0), 1_000.0, calm(2)), (bound(30.0) + bound(30.0) / 100, LimitCause::Slippage));
    let held = bound(30.0) + bound(30.0) / 100;
    assert_eq!(at(3, None, 1_000.0, calm(3)), (held, LimitCause::Renew));
    for grid in 4..12 {
        assert_eq!(at(grid, Some(1.0), 1_000.0, lost(0, grid)), (held, LimitCause::Renew));
    }
    assert_eq!(at(12, Some(1.0), 1.0, calm(12)).0, 10, "the floor");
    // A live book that prices nothing bears nothing, scored or not, whatever the head says.
    for (first, says) in [(13, None), (63, Some(1.0))] {
        for grid in first..first + 49 {
            at(grid, Some(1.0), 1_000.0, calm(grid));
        }
        let last = first + 49;
        assert!(at(last, Some(1.0), 1_000.0, calm(last)).0 > 40);
        let blind = if says.is_none() { unscored(0, last + 1) } else { calm(last + 1) };
        assert_eq!(at(last + 1, says, 0.0, blind).0, 10);
    }
}

fn early(row_count_max: usize, wait_ns: u64) -> BatchConfig {
    BatchConfig { row_count_max, wait_max: Nanos(wait_ns), overlapped: true }
}

fn published(updates: &[LimitUpdate]) -> Vec<(u32, u64)> {
    let mut rows: Vec<_> = updates.iter().map(|u| (u.instrument.0, u.ts.0)).collect();
    rows.dedup();
    rows
}

#[test]
fn a_vector_waits_for_no_other_longer_than_the_configuration_says() {
    let mut stage = stage_of(policy(), early(2, 50), Staged::new(Told::default(), 3));
    let now = |ns| UnixNanos(ts(0).0 + ns);
    stage.on_vectors(&[scored(1, 0, 0.01)], now(0));
    assert_eq!(stage.tick(now(49)), 0, "not yet");
    assert_eq!(stage.tick(now(50)), 1);
    assert_eq!(published(&stage.sink.0), [(1, ts(0).0)]);
    stage.on_vectors(&[scored(0, 0, 0.01)], now(60));
    assert_eq!(stage.tick(now(61)), 0, "not yet");
    stage.on_vectors(&[scored(2, 0, 0.01)], now(62));
    assert_eq!(stage.tick(now(62)), 0, "full, and begun at once");
    assert_eq!(published(&stage.sink.0), [(1, ts(0).0), (0, ts(0).0), (2, ts(0).0)]);
    // At the end nothing is left to say of this grid point, and at the next one silence is held.
    stage.sink.0.clear();
    stage.on_vectors(&[FeatureVector::end_of_grid(ts(0))], now(70));
    assert_eq!(published(&stage.sink.0), []);
    stage.on_vectors(&[FeatureVector::end_of_grid(ts(1))], ts(1));
    assert_eq!(published(&stage.sink.0), [0, 1, 2].map(|i| (i, ts(1).0)));
    assert_eq!(stage.scorer.scorer().batches, [1, 2, 0, 0]);
}

#[test]
fn each_feed_has_a_grid_of_its_own() {
    let mut stage = stage_of(policy(), BatchConfig::WHOLE_GRID, Staged::new(Told::default(), 3));
    let second = FeedIndex::new(1).unwrap();
    stage.set_feed(InstrumentId(2), second);
    let published = |stage: &mut ScorerStage<_, Sent, Heard>| published(&std::mem::take(&mut stage.sink.0));
    let ends = |at: u64, feed: FeedIndex| FeatureVector::end_of_grid(ts(at)).of_feed(feed);
    // The second feed's clock is a hundred grid points behind: what it brings early is of its own time, and not late.
    stage.on_vectors(&[scored(0, 100, 0.01), scored(2, 0, 0.01), ends(100, FeedIndex::FIRST)], ts(100));
    assert_eq!(published(&mut stage), [(0, ts(100).0), (2, ts(0).0)]);
    stage.on_vectors(&[ends(0, second)], ts(100));
    assert_eq!(published(&mut stage), [], "what it said of this grid point has been told");
    // Silence of one is held at its own grid points, and at nobody else's.
    stage.on_vectors(&[ends(101, FeedIndex::FIRST)], ts(101));
    assert_eq!(published(&mut stage), [(0, ts(101).0)]);
    stage.on_vectors(&[ends(1, second)], ts(101));
    assert_eq!(published(&mut stage), [(2, ts(1).0)]);
    // What was never named, and may be of any feed, says nothing of the first one's time.
    stage.on_vectors(&[scored(5, 200, 0.01), scored(0, 102, 0.01), ends(102, FeedIndex::FIRST)], ts(102));
    assert_eq!(published(&mut stage), [(0, ts(102).0)]);
    let count =
        |named: &str| stage.counters().iter().find(|(name, _)| *name == named).map(|(_, value)| value);
    assert_eq!((count("late"), count("unscored")), (Some(0), Some(0)));
}

#[test]
fn a_burst_is_cut_into_batches_and_an_old_vector_is_late_among_its_like() {
    let mut stage = stage_of(policy(), early(2, u64::MAX), Staged::new(Told::default(), 3));
    let burst = [0, 1, 2].map(|i| scored(i, 0, 0.01));
    stage.on_vectors(&burst, ts(0));
    stage.on_vectors(&[FeatureVector::end_of_grid(ts(0))], ts(0));
    assert_eq!(stage.scorer.scorer().batches, [2, 1]);
    // Four grid points on, two vectors of the first make a batch of their own: no picture of the present.
    stage.on_vectors(&[FeatureVector::end_of_grid(ts(4))], ts(4));
    let count = |stage: &ScorerStage<_, Sent, Heard>, name| {
        stage.counters().iter().find(|(n, _)| *n == name).map(|(_, value)| value)
    };
    assert_eq!(count(&stage, "late"), Some(0));
    stage.on_vectors(&[scored(0, 0, 0.9), scored(1, 0, 0.9)], ts(4));
    assert_eq!(count(&stage, "late"), Some(2));
    assert_eq!(stage.tier(InstrumentId(0)), Tier::Normal);
}

#[test]
fn vectors_are_taken_while_a_batch_is_scored_elsewhere() {
    let scorer = Elsewhere { scorer: Staged::new(Told::default(), 3), delay: 3, asked: 3 };
    let mut stage = stage_of(policy(), early(usize::MAX, u64::MAX), scorer);
    stage.on_vectors(&[scored(0, 0, 0.01), FeatureVector::end_of_grid(ts(0))], ts(0));
    stage.on_vectors(&[scored(1, 1, 0.01), scored(0, 1, 0.9)], ts(1));
    assert_eq!((stage.tick(ts(1)), published(&stage.sink.0)), (0, vec![]));
    assert_eq!((stage.tick(ts(1)), published(&stage.sink.0)), (1, vec![(0, ts(0).0)]));
    assert_eq!(stage.tier(InstrumentId(0)), Tier::Normal, "the newer vector is in the next batch");
    // The next grid point waits for the batch before it, and the end of input for the last.
    stage.on_vectors(&[FeatureVector::end_of_grid(ts(1)), FeatureVector::end_of_grid(ts(2))], ts(2));
    stage.await_batch(ts(2));
    let last = [(0, ts(1).0), (1, ts(1).0), (0, ts(2).0), (1, ts(2).0)];
    assert_eq!(published(&stage.sink.0)[1..], last);
    assert!(stage.tier(InstrumentId(0)) >= Tier::High);
}

/// What a grid point may bring one instrument.
fn anything() -> impl Strategy<Value = Vec<(u32, u8, f32)>> {
    prop::collection::vec((0_u32..3, 0_u8..4, 0.0_f32..1.0), 0..4)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    /// However vectors are cut into batches, each grid point ends with the same limits.
    #[test]
    fn batches_leave_no_trace(
        grids in prop::collection::vec(prop::collection::vec((0_u8..5, 0.0_f32..1.0), 3), 1..40),
        (rows, wait_ns, delay) in (1_usize..5, 0_u64..4, 1_u32..4),
    ) {
        let scorer = Elsewhere { scorer: Staged::new(Told::default(), 3), delay, asked: delay };
        let mut early = stage_of(policy(), early(rows, wait_ns), scorer);
        let mut whole = stage_with(policy());
        for (at, brought) in grids.iter().enumerate() {
            let at = u64::try_from(at).unwrap();
            early.sink.0.clear();
            let mut vectors: Vec<FeatureVector> = vec![];
            for (i, (kind, score)) in (0..).zip(brought) {
                vectors.extend(match kind {
                    0 => None,
                    1 => Some(unscored(i, at)),
                    2 => Some(lost(i, at)),
                    _ => Some(scored(i, at, *score)),
                });
            }
            let mut want = grid(&mut whole, at, &vectors);
            for (i, vector) in (0..).zip(&vectors) {
                let now = UnixNanos(ts(at).0 + i);
                early.on_vectors(&[*vector], now);
                early.tick(now);
            }
            early.on_vectors(&[FeatureVector::end_of_grid(ts(at))], ts(at));
            early.await_batch(ts(at));
            let mut found = core::mem::take(&mut early.sink.0);
            for updates in [&mut want, &mut found] {
                updates.sort_by_key(|u| (u.instrument, u.class));
                updates.iter_mut().for_each(|u| u.version = 0);
            }
            prop_assert_eq!(found, want);
        }
    }

    #[test]
    fn limits_stay_in_the_envelope_and_never_loosen_by_going_blind(grids in prop::collection::vec(anything(), 1..120)) {
        let mut stage = stage_with(policy());
        let mut in_force: [Option<LimitUpdate>; 3] = [None; 3];
        for (at, seen) in grids.into_iter().enumerate() {
            let at = at as u64;
            let vectors: Vec<FeatureVector> = seen.iter().map(|&(instrument, kind, score)| match kind {
                0 => lost(instrument, at),
                1 => unscored(instrument, at),
                _ => scored(instrument, at, score),
            }).collect();
            let updates = grid(&mut stage, at, &vectors);
            for update in updates.into_iter().filter(|u| u.class == ClassId(0)) {
                let limits = update.limits.limits();
                prop_assert_eq!(limits.first_looser_than(envelope().cap()), None);
                prop_assert_eq!(envelope().floor().first_looser_than(limits), None);
                let before = &mut in_force[update.instrument.index()];
                let fresh = vectors.iter().any(|v| v.instrument == update.instrument && v.valid != 0);
                if let (false, Some(before)) = (fresh, &before) {
                    // Less than ten seconds long: nothing relaxes by calm, so nothing may relax at all.
                    prop_assert!(at > 100 || limits.first_looser_than(before.limits.limits()).is_none());
                }
                *before = Some(update);
            }
        }
    }
}

/// The test model with a law of order flow: excesses of 5 and more in two percent of calm rows, with a scale of 2.
fn with_flow() -> Model {
    let knots = (0..197).map(|i| 5.0 * f64::from(i) / 196.0).collect();
    // As many clusters as rows in the tail: each is an alarm of its own.
    let (rows, clusters) = (1_000, 20);
    let law = Calibration { knots, tail_share: 0.02, shape: 0.0, scale: 2.0, rows, clusters };
    let laws = Channel::BESIDE.map(|_| PerSymbol { pooled: law.clone(), symbols: Vec::new() });
    model().clone().with_channels(ChannelLaws(laws)).unwrap()
}

/// A stage of one instrument called `name` under `model`.
fn stage_for(model: &Model, name: &str, policy: PolicyConfig) -> TestStage {
    let batch = BatchConfig::WHOLE_GRID;
    let config = ScorerStageConfig { instrument_count_max: 1, class_count: 1, batch, policy };
    let scorer = Staged::new(Told::default(), 1);
    let mut stage = ScorerStage::new(config, model, scorer, Sent::default(), Heard::default()).unwrap();
    stage.define(InstrumentId(0), Symbol::new(name).unwrap());
    stage.set_envelope(InstrumentId(0), ClassId(0), &envelope());
    stage
}

/// A calm vector while `selling` has gone so far beyond the usual.
fn selling(grid: u64, selling: f64) -> FeatureVector {
    let mut vector = scored(0, grid, 0.0);
    vector.set(FeatureId::SellingCampaign, selling);
    vector.set(FeatureId::BuyingCampaign, 0.0);
    vector.set(FeatureId::SellingCampaignRun, 11.0);
    for usual in [FeatureId::SpreadInUsual, FeatureId::DepthInUsual, FeatureId::OrdersInUsual] {
        vector.set(usual, 1.0);
    }
    vector.set(FeatureId::Move10S, 0.0);
    vector.set(FeatureId::Move2M, 0.0);
    vector
}

#[test]
fn selling_that_adds_up_alone_is_high_and_never_critical() {
    let model = with_flow();
    let mut stage = stage_for(&model, "AAA", policy());
    assert_eq!(grid(&mut stage, 0, &[selling(0, 5.0)])[0].tier, Tier::Normal);
    // Six channels are heard: 0.02 exp(-(s - 5)/2) is 1e-6 over 6 at 28.39.
    assert_eq!(grid(&mut stage, 1, &[selling(1, 28.3)])[0].tier, Tier::Normal);
    assert_eq!(grid(&mut stage, 2, &[selling(2, 28.5)])[0].tier, Tier::High);
    let record = *stage.observer.scores.last().unwrap();
    assert_eq!((record.channel, record.values[0]), (Channel::Flow, Some(11.0)));
    assert_eq!(record.top3[0], FeatureId::SellingCampaignRun as u8);
    for at in 3..20 {
        assert_eq!(
            grid(&mut stage, at, &[selling(at, 1e3)])[0].tier,
            Tier::High,
            "the book has not given way"
        );
    }
    let mut vector = selling(20, 1e3);
    vector.set(FeatureId::TopDepth, 1.0);
    vector.set(FeatureId::SpreadBps, 1e3);
    assert_eq!(
        grid(&mut stage, 20, &[vector])[0].tier,
        Tier::High,
        "two witnesses of a campaign are no crash"
    );
    vector.values[RAW] = raw(0.99);
    vector.ts = ts(21);
    assert_eq!(grid(&mut stage, 21, &[vector])[0].tier, Tier::Critical);
    assert_eq!(stage.observer.scores.last().unwrap().channel, Channel::Flow, "whose word is the stronger");
}

#[test]
fn two_channels_and_two_witnesses_are_critical_of_an_instrument_that_the_model_knows() {
    let model = with_flow();
    let falling = |grid: u64, value: f64, gives_way: bool| {
        let mut vector = selling(grid, 1e3);
        vector.set(FeatureId::Move10S, value);
        if gives_way {
            vector.set(FeatureId::TopDepth, 1.0);
            vector.set(FeatureId::SpreadBps, 1e3);
        }
        vector
    };
    let mut stage = stage_for(&model, "AAA", policy());
    for (at, vector) in [falling(0, -1e3, false), falling(1, -28.3, true)].into_iter().enumerate() {
        assert_eq!(grid(&mut stage, at as u64, &[vector])[0].tier, Tier::High, "{at}");
    }
    let critical = grid(&mut stage, 2, &[falling(2, -28.5, true)]);
    assert!(critical[0].tier == Tier::Critical && critical[0].trip);
    // The usual of a stranger is not known, and so no witness.
    let mut stage = stage_for(&model, "NEW", policy());
    assert_eq!(grid(&mut stage, 0, &[falling(0, -1e3, true)])[0].tier, Tier::High);
}

#[test]
fn an_instrument_that_the_model_does_not_know_is_elevated_and_its_flow_is_heard() {
    let model = with_flow();
    let mut stage = stage_for(&model, "NEW", policy());
    let first = grid(&mut stage, 0, &[selling(0, 0.0)]);
    assert_eq!((first[0].tier, qty(&first)), (Tier::Elevated, 250));
    assert_eq!(stage.observer.changes[0].1.cause, TierCause::Uncalibrated);
    // What the autoencoder makes of a stranger means nothing.
    let mut strange = selling(1, 0.0);
    strange.values[RAW] = raw(0.99);
    assert_eq!(grid(&mut stage, 1, &[strange])[0].tier, Tier::Elevated);
    for at in 2..400 {
        assert_eq!(grid(&mut stage, at, &[selling(at, 0.0)])[0].tier, Tier::Elevated, "never calmer");
    }
    assert_eq!(grid(&mut stage, 400, &[selling(400, 30.0)])[0].tier, Tier::High);
    for at in 401..1_200 {
        grid(&mut stage, at, &[selling(at, 0.0)]);
    }
    assert_eq!(stage.tier(InstrumentId(0)), Tier::Elevated);

    let base = PolicyConfig { uncalibrated: Uncalibrated::Static, ..policy() };
    let mut stage = stage_for(&model, "NEW", base);
    let first = grid(&mut stage, 0, &[selling(0, 0.0)]);
    assert_eq!((first[0].tier, qty(&first)), (Tier::Normal, 500));
    assert_eq!(grid(&mut stage, 1, &[selling(1, 30.0)])[0].tier, Tier::High);
}

#[test]
fn what_is_not_known_never_widens() {
    let widen = WidenConfig { enabled: true, calm_ns: 10_000_000_000, ..WidenConfig::default() };
    let policy = PolicyConfig { widen, uncalibrated: Uncalibrated::Static, ..policy() };
    let model = with_flow();
    let unknown = |at| FeatureVector { valid: u64::from(ALL_VALID), ..selling(at, 0.0) };
    let known = |at| selling(at, 0.0);
    for (name, vector, wide) in [
        ("AAA", &known as &dyn Fn(u64) -> FeatureVector, 525),
        ("AAA", &unknown, 500),
        ("NEW", &unknown, 500),
        ("NEW", &known, 500),
    ] {
        let mut stage = stage_for(&model, name, policy.clone());
        for at in 0..150 {
            grid(&mut stage, at, &[vector(at)]);
        }
        assert_eq!(qty(&grid(&mut stage, 150, &[])), wide, "{name}");
    }
    // Once it is known, the calm begins.
    let mut stage = stage_for(&model, "AAA", policy);
    grid(&mut stage, 0, &[unknown(0)]);
    assert_eq!(qty(&grid(&mut stage, 150, &[known(150)])), 500);
    for at in 151..250 {
        assert_eq!(qty(&grid(&mut stage, at, &[])), 500);
    }
    assert_eq!(qty(&grid(&mut stage, 250, &[])), 525);
}

#[test]
fn critical_waits_for_the_longest_window_and_for_every_feature() {
    let policy = PolicyConfig { critical_after_ns: 60 * 1_000_000_000, ..policy() };
    let mut stage = stage_for(model(), "AAA", policy);
    for at in 0..600 {
        assert!(grid(&mut stage, at, &[scored(0, at, 0.99)])[0].tier <= Tier::High);
    }
    for at in 600..620 {
        let mut vector = scored(0, at, 0.99);
        vector.set(FeatureId::Rv1M, f64::NAN);
        assert_eq!(grid(&mut stage, at, &[vector])[0].tier, Tier::High);
    }
    assert_eq!(grid(&mut stage, 620, &[scored(0, 620, 0.99)])[0].tier, Tier::High, "the first that counts");
    assert_eq!(grid(&mut stage, 621, &[scored(0, 621, 0.99)])[0].tier, Tier::Critical);
}

#[test]
fn a_quieter_and_more_liquid_market_raises_no_tier() {
    let batch = BatchConfig::WHOLE_GRID;
    let config = ScorerStageConfig { instrument_count_max: 1, class_count: 1, batch, policy: policy() };
    let scorer = Staged::new(ReferenceScorer::new(model(), 1), 1);
    let mut stage = ScorerStage::new(config, model(), scorer, Sent::default(), Heard::default()).unwrap();
    stage.define(InstrumentId(0), Symbol::new("CCC").unwrap());
    stage.set_envelope(InstrumentId(0), ClassId(0), &envelope());
    let mut market = Market::new("CCC", 9.0, 11);
    for at in 0..400 {
        let row = market.row(at, 0.0);
        let mut vector = FeatureVector { instrument: InstrumentId(0), ts: ts(at), ..FeatureVector::EMPTY };
        vector.values[..MODEL_FEATURE_COUNT].copy_from_slice(&row.values);
        vector.valid = row.valid.into();
        vector.book_state = BookState::Live.to_u8();
        // From the hundredth on the spread narrows to a tenth, the touch fills fifty-fold, prices hardly move.
        if at >= 100 {
            let better = |id: FeatureId, value: f64, of: &mut FeatureVector| of.set(id, value);
            better(FeatureId::SpreadBps, 0.1 * row.values[FeatureId::SpreadBps as usize], &mut vector);
            better(FeatureId::TopDepth, 4.0 + row.values[FeatureId::TopDepth as usize], &mut vector);
            better(FeatureId::Rv1S, 0.0, &mut vector);
            better(FeatureId::Rv1M, 0.05 * row.values[FeatureId::Rv1M as usize], &mut vector);
            better(FeatureId::Resilience, 1.0, &mut vector);
        }
        stage.on_vectors(&[vector, FeatureVector::end_of_grid(ts(at))], ts(at));
        assert_eq!(
            stage.tier(InstrumentId(0)),
            Tier::Normal,
            "grid point {at}: {:?}",
            stage.observer.scores.last()
        );
    }
}

/// The crash of a synthetic market, scored by the real model, into the gate's own table.
#[test]
fn a_synthetic_crash_runs_from_vectors_to_the_gates_table() {
    let (mut writer, reader) = LimitTable::create(1, 1).unwrap();
    let mut trips = Vec::new();
    let sink = |update: &LimitUpdate, now: UnixNanos| {
        if update.trip {
            trips.push(update.ts);
        }
        update.publish(&mut writer, now).unwrap();
    };
    let batch = BatchConfig::WHOLE_GRID;
    let config = ScorerStageConfig { instrument_count_max: 1, class_count: 1, batch, policy: policy() };
    let scorer = Staged::new(ReferenceScorer::new(model(), 1), 1);
    let mut stage = ScorerStage::new(config, model(), scorer, sink, Heard::default()).unwrap();
    stage.define(InstrumentId(0), Symbol::new("AAA").unwrap());
    stage.set_envelope(InstrumentId(0), ClassId(0), &envelope());
    let mut market = Market::new("AAA", 1.0, 4_321);
    let mut tiers = Vec::new();
    for at in 0..700 {
        // Ten calm grid points a second for a minute, then ten seconds into the crash.
        let stress = if at < 600 { 0.0 } else { f64::from(u32::try_from(at - 600).unwrap()) / 50.0 };
        let row = market.row(at, stress);
        let mut vector = FeatureVector {
            ts: ts(at),
            instrument: InstrumentId(0),
            valid: row.valid.into(),
            ..FeatureVector::EMPTY
        };
        vector.values[..MODEL_FEATURE_COUNT].copy_from_slice(&row.values);
        vector.book_state = BookState::Live.to_u8();
        stage.on_vectors(&[vector, FeatureVector::end_of_grid(ts(at))], ts(at));
        let record = reader.read(InstrumentId(0), ClassId(0)).unwrap();
        assert!(record.lease.holds(ts(at)));
        tiers.push((record.tier, record.limits.max_qty.0));
    }
    assert!(tiers[..600].iter().all(|t| *t == (Tier::Normal, 500)), "false alarm in the calm minute");
    assert_eq!(*tiers.last().unwrap(), (Tier::Critical, 10));
    let seen_at = |tier| tiers.iter().position(|t| t.0 >= tier).unwrap();
    assert!(
        seen_at(Tier::High) < seen_at(Tier::Critical) + 1 && seen_at(Tier::Critical) < 660,
        "{:?}",
        &tiers[600..]
    );
    let worst = stage.observer.scores.last().unwrap();
    assert!(worst.score > 0.99 && worst.witnesses.count() >= 2);
    drop(stage);
    assert_eq!(trips.len(), 1);
}

#[test]
fn the_polled_scorer_drains_its_ring_and_ends_with_it() {
    let (mut tx, rx) = stage::ring(16);
    let mut polled = PolledScorer::new(rx, 8, stage_with(policy()));
    assert_eq!(polled.poll(ts(0)), Work::IDLE);
    tx.send(&[scored(0, 0, 0.01), FeatureVector::end_of_grid(ts(0))]);
    assert_eq!(polled.poll(ts(0)), Work::of(2));
    assert_eq!(polled.stage_mut().sink_mut().0.len(), 2);
    drop(tx);
    assert_eq!(polled.poll(ts(1)), Work::DONE);
}

/// Notes when it hears of what.
#[derive(Default)]
struct Times(Vec<(&'static str, UnixNanos, UnixNanos)>);

impl LimitSink for Times {
    fn limit(&mut self, update: &LimitUpdate, now: UnixNanos) {
        self.0.push(("limit", update.ts, now));
    }

    fn end_of_grid(&mut self, ts: UnixNanos, now: UnixNanos) {
        self.0.push(("end", ts, now));
    }
}

#[test]
fn in_vector_time_a_publication_is_of_the_moment_at_which_its_grid_point_was_known_to_be_over() {
    let config = ScorerStageConfig {
        instrument_count_max: 1,
        class_count: 1,
        batch: BatchConfig::WHOLE_GRID,
        policy: policy(),
    };
    let scorer = Staged::new(Told::default(), 1);
    let mut stage = ScorerStage::new(config, model(), scorer, Times::default(), ()).unwrap();
    stage.define(InstrumentId(0), Symbol::new("A").unwrap());
    stage.set_envelope(InstrumentId(0), ClassId(0), &envelope());
    let (mut tx, rx) = stage::ring(16);
    let mut polled = PolledScorer::new(rx, 8, stage);
    polled.use_vector_time();
    let marker = |n, known| FeatureVector { ts_recv: known, ..FeatureVector::end_of_grid(ts(n)) };
    let known = [ts(0).plus(Nanos(7)), ts(1).plus(Nanos(9))];
    tx.send(&[scored(0, 0, 0.01), marker(0, known[0]), scored(0, 1, 0.01), marker(1, known[1])]);
    polled.poll(UnixNanos(1));
    let told = &polled.stage_mut().sink_mut().0;
    let [a, b] = known;
    assert_eq!(*told, [("limit", ts(0), a), ("end", ts(0), a), ("limit", ts(1), b), ("end", ts(1), b)]);
}

#[test]
fn an_instrument_begins_in_the_tier_that_was_kept_and_leaves_it_by_scores_alone() {
    let mut stage = stage_with(policy());
    stage.begin_in(InstrumentId(0), Tier::High, ts(0));
    let kept = std::mem::take(&mut stage.sink.0);
    assert_eq!(kept.len(), 2, "every class");
    for update in &kept {
        let found = (update.tier, update.lease, update.limits.limits().max_qty.0, update.trip);
        assert_eq!(found, (Tier::High, Nanos(0), 50, false));
    }
    // No score yet, and nothing is said that would take it back.
    assert!(grid(&mut stage, 1, &[unscored(0, 1)]).is_empty());
    let dwell = policy().tier.high.dwell_ns / GRID_NS;
    let first = policy().warmup_ns / GRID_NS + 1;
    for at in first..first + dwell {
        let published = grid(&mut stage, at, &[scored(0, at, 0.01)]);
        assert!(published.is_empty() || qty(&published) == 50, "grid point {at}");
    }
    let mut tiers = (first + dwell..first + dwell + 40).map(|at| {
        grid(&mut stage, at, &[scored(0, at, 0.01)]);
        stage.tier(InstrumentId(0))
    });
    assert!(tiers.any(|tier| tier == Tier::Elevated), "calm that was seen leads out of it");
    // What has been scored is no longer told.
    stage.begin_in(InstrumentId(0), Tier::Critical, ts(9_000));
    assert_ne!(stage.tier(InstrumentId(0)), Tier::Critical);
}
