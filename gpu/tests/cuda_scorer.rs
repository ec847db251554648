//! The CUDA scorer with an emulated card: the same bits as the fused CPU scorer, and every batch scored whatever the card does.

use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use gpu::{
    CardModel, CudaScorer, FusedScorer, Head, Model, RawScore, ReferenceScorer, Scorer, StagedScorer,
    open_cuda_scorer,
};
use gpu_cuda::abi::{Mode, Status};
use gpu_cuda::layout::{HEAD_OUTPUTS, Job, Row, Why};
use gpu_cuda::{Card, Change, Fault, HealthConfig, LoadedCard, State};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use stage::clock::OsClock;
use types::{BookState, FEATURE_COUNT, FeatureVector, InstrumentId, MODEL_FEATURE_COUNT, Symbol, UnixNanos};

#[path = "../cuda/tests/support/mod.rs"]
mod support;

/// Where the emulator's sources are, from this package.
const SOURCES: &str = "cuda/tests/emulator";

const INSTRUMENTS: usize = 6;

const PATIENT: HealthConfig = HealthConfig {
    deadline_ns: 20_000_000_000,
    slow_ns: 20_000_000_000,
    slow_count_max: 3,
    rest_ns: 2_000_000,
    rest_ns_max: 8_000_000,
    probation_batches: 2,
    forgiven_ns: 1_000_000_000,
    reopen_count_max: 2,
};

/// What a card does with a batch.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Deed {
    Score,
    Refuse(Status),
    /// The completion word never comes.
    Sleep,
    /// One score is not what it should be.
    Corrupt,
}

/// An emulated card that does as it is told.
struct Scripted {
    card: LoadedCard,
    script: std::vec::IntoIter<Deed>,
    deed: Deed,
    completed: u32,
}

impl Card for Scripted {
    fn row_capacity(&self) -> usize {
        self.card.row_capacity()
    }
    fn staging(&mut self, buffer: usize) -> (&mut [Row], &mut [u32]) {
        self.card.staging(buffer)
    }
    fn submit(&mut self, job: &Job) -> Status {
        self.deed = self.script.next().unwrap_or(Deed::Score);
        match self.deed {
            Deed::Refuse(status) => status,
            Deed::Sleep => {
                self.completed = job.sequence.wrapping_sub(1);
                Status::Ok
            }
            Deed::Score | Deed::Corrupt => self.card.submit(job),
        }
    }
    fn completed(&self) -> u32 {
        if self.deed == Deed::Sleep { self.completed } else { self.card.completed() }
    }
    fn status(&mut self) -> Status {
        Status::Busy
    }
    fn result(&self, buffer: usize, place: usize) -> (f32, Why) {
        let (raw, why) = self.card.result(buffer, place);
        if self.deed == Deed::Corrupt { (raw + 1.0, why) } else { (raw, why) }
    }
    fn head_count(&self) -> usize {
        self.card.head_count()
    }
    fn head(&self, buffer: usize, place: usize, head: usize) -> [f32; HEAD_OUTPUTS] {
        self.card.head(buffer, place, head)
    }
}

fn define(scorer: &mut dyn Scorer) {
    for (i, name) in (0..).zip(["ALFA", "THIN", "NEW", "OTHER"]) {
        scorer.define(InstrumentId(i), Symbol::new(name).unwrap());
    }
}

fn cuda(script: Vec<Deed>, config: HealthConfig) -> (CudaScorer<Scripted, OsClock>, Receiver<Change>) {
    let model = Model::shipped().unwrap();
    let card_model = CardModel::new(&model).unwrap();
    let mut scripts = vec![script].into_iter();
    let mut open = move || {
        let card = card_model.open(support::emulated_library(), Mode::Launch, INSTRUMENTS * 8).ok()?;
        let script = scripts.next().unwrap_or_default().into_iter();
        Some(Scripted { card, script, deed: Deed::Score, completed: 0 })
    };
    let (changes, heard) = channel();
    let on_change = Box::new(move |change: &Change| {
        // A test that listens no more has seen what it wanted.
        let _ = changes.send(*change);
    });
    let card = open().unwrap();
    let mut scorer = CudaScorer::new(card, open, &model, INSTRUMENTS, config, OsClock, on_change).unwrap();
    define(&mut scorer);
    (scorer, heard)
}

fn vector() -> impl Strategy<Value = FeatureVector> {
    let odd = vec![f64::NAN, f64::INFINITY, f64::MAX, f64::MIN, -0.0];
    let value = prop_oneof![40 => -8.0_f64..8.0, 1 => prop::sample::select(odd)];
    let valid = prop_oneof![4 => Just((1_u64 << MODEL_FEATURE_COUNT) - 1), 1 => any::<u64>()];
    // Instruments 4 and 5 are not defined, 9 is beyond the table.
    let instrument = prop::sample::select(vec![0_u32, 1, 2, 3, 4, 5, 9, u32::MAX]);
    (instrument, prop::array::uniform13(value), valid, 0_u8..9, 0_u8..12).prop_map(
        |(instrument, values, valid, state, end)| {
            let mut vector = FeatureVector {
                ts: UnixNanos(1),
                instrument: InstrumentId(instrument),
                valid,
                book_state: if state == 0 { BookState::Empty.to_u8() } else { BookState::Live.to_u8() },
                grid_end: u8::from(end == 0),
                ..FeatureVector::EMPTY
            };
            vector.values[..MODEL_FEATURE_COUNT].copy_from_slice(&values);
            vector
        },
    )
}

fn scored(scorer: &mut dyn Scorer, rows: &[FeatureVector]) -> Vec<Option<RawScore>> {
    let mut out = vec![None; rows.len()];
    scorer.score(rows, &mut out);
    out
}

/// A score bit by bit.
type Bits = (u32, [u8; 3], [u32; 3]);

fn bits(scores: &[Option<RawScore>]) -> Vec<Option<Bits>> {
    scores.iter().map(|s| s.map(|s| (s.raw.to_bits(), s.top3, s.contributions.map(f32::to_bits)))).collect()
}

#[test]
fn the_card_gives_the_shipped_model_the_bits_of_the_fused_scorer() {
    let model = Model::shipped().unwrap();
    let mut runner = TestRunner::new(Config { cases: 10, ..Config::default() });
    runner
        .run(&prop::collection::vec(vector(), 1..40), |rows| {
            let (mut fused, mut reference) =
                (FusedScorer::new(&model, INSTRUMENTS).unwrap(), ReferenceScorer::new(&model, INSTRUMENTS));
            define(&mut fused);
            define(&mut reference);
            let (mut cuda, _heard) = cuda(vec![], PATIENT);
            for _ in 0..PATIENT.probation_batches {
                scored(&mut cuda, &rows);
            }
            prop_assert_eq!(cuda.state(), State::Trusted);
            let found = scored(&mut cuda, &rows);
            prop_assert_eq!(cuda.state(), State::Trusted);
            prop_assert_eq!(bits(&found), bits(&scored(&mut fused, &rows)));
            for (found, want) in found.iter().zip(scored(&mut reference, &rows)) {
                prop_assert_eq!(found.is_some(), want.is_some());
                if let (Some(found), Some(want)) = (found, want) {
                    prop_assert!(
                        (found.raw - want.raw).abs() <= 1e-5 * want.raw.max(1.0),
                        "{found:?} {want:?}"
                    );
                }
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn whatever_the_card_does_the_scores_are_the_same() {
    let model = Model::shipped().unwrap();
    let deed = prop_oneof![
        6 => Just(Deed::Score),
        1 => Just(Deed::Refuse(Status::DeviceLost)),
        1 => Just(Deed::Refuse(Status::OutOfMemory)),
        1 => Just(Deed::Refuse(Status::Kernel)),
        1 => Just(Deed::Sleep),
    ];
    let mut runner = TestRunner::new(Config { cases: 12, ..Config::default() });
    let input = (prop::collection::vec(vector(), 1..6), prop::collection::vec(deed, 0..12));
    runner
        .run(&input, |(rows, script)| {
            let mut fused = FusedScorer::new(&model, INSTRUMENTS).unwrap();
            define(&mut fused);
            let want = bits(&scored(&mut fused, &rows));
            let (mut cuda, _heard) = cuda(script, HealthConfig { deadline_ns: 40_000_000, ..PATIENT });
            for _ in 0..20 {
                prop_assert_eq!(&bits(&scored(&mut cuda, &rows)), &want);
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn rows_are_taken_while_the_card_scores_and_none_is_lost_when_it_fails() {
    let model = Model::shipped().unwrap();
    let deed = prop_oneof![
        4 => Just(Deed::Score),
        1 => Just(Deed::Refuse(Status::DeviceLost)),
        1 => Just(Deed::Refuse(Status::Kernel)),
        2 => Just(Deed::Sleep),
    ];
    let mut runner = TestRunner::new(Config { cases: 12, ..Config::default() });
    let batches = prop::collection::vec(prop::collection::vec(vector(), 1..INSTRUMENTS), 12);
    runner
        .run(&(batches, prop::collection::vec(deed, 0..12), 0..INSTRUMENTS), |(batches, script, ahead)| {
            let mut fused = FusedScorer::new(&model, INSTRUMENTS).unwrap();
            define(&mut fused);
            let (mut cuda, _heard) = cuda(script, HealthConfig { deadline_ns: 10_000_000, ..PATIENT });
            let mut begun = 0;
            for (at, rows) in batches.iter().enumerate() {
                rows.iter().enumerate().skip(begun).for_each(|(place, row)| cuda.stage(place, row));
                // A newer row of an instrument takes its old one's place.
                cuda.stage(rows.len() - 1, &rows[0]);
                cuda.stage(rows.len() - 1, &rows[rows.len() - 1]);
                cuda.start();
                let next = batches.get(at + 1).map_or(&[][..], |next| &next[..ahead.min(next.len())]);
                next.iter().enumerate().for_each(|(place, row)| cuda.stage(place, row));
                begun = next.len();
                while !cuda.is_ready() {
                    std::hint::spin_loop();
                }
                let found: Vec<_> = (0..rows.len()).map(|place| cuda.result(place)).collect();
                prop_assert_eq!(bits(&found), bits(&scored(&mut fused, rows)), "batch {}", at);
                rows.iter().enumerate().for_each(|(place, row)| fused.stage(place, row));
                fused.start();
                for (place, head) in (0..rows.len()).flat_map(|place| Head::ALL.map(|head| (place, head))) {
                    let [found, want] = [cuda.head(head, place), fused.head(head, place)];
                    prop_assert_eq!(
                        found.map(|says| says.map(f32::to_bits)),
                        want.map(|says| says.map(f32::to_bits))
                    );
                }
                prop_assert_eq!(cuda.result(rows.len()), None);
            }
            Ok(())
        })
        .unwrap();
}

fn live_row() -> [FeatureVector; 1] {
    [FeatureVector {
        instrument: InstrumentId(0),
        values: [0.5; FEATURE_COUNT],
        valid: (1 << MODEL_FEATURE_COUNT) - 1,
        book_state: BookState::Live.to_u8(),
        ..FeatureVector::EMPTY
    }]
}

#[test]
fn a_card_that_is_wrong_on_probation_never_scores() {
    let (mut scorer, heard) = cuda(vec![Deed::Score, Deed::Corrupt], PATIENT);
    for _ in 0..2 {
        scored(&mut scorer, &live_row());
    }
    assert_eq!(scorer.state(), State::Resting);
    assert_eq!(heard.recv().unwrap().to_string(), "CPU scores, card rests: scores differ from the CPU's");
    assert_eq!(scorer.failures(), 1);
}

#[test]
fn a_lost_card_is_opened_anew_and_comes_back_by_probation() {
    let script = vec![Deed::Score, Deed::Score, Deed::Refuse(Status::DeviceLost)];
    let (mut scorer, heard) = cuda(script, PATIENT);
    let want = bits(&scored(&mut scorer, &live_row()));
    assert_eq!(want.iter().flatten().count(), 1);
    for _ in 0..400 {
        assert_eq!(bits(&scored(&mut scorer, &live_row())), want);
        std::thread::sleep(Duration::from_millis(5));
        if scorer.failures() == 1 && scorer.state() == State::Trusted {
            break;
        }
    }
    let way: Vec<_> = heard.try_iter().map(|change| (change.to, change.fault)).collect();
    let wanted = [
        (State::Trusted, None),
        (State::Closed, Some(Fault::DeviceLost)),
        (State::Probation, None),
        (State::Trusted, None),
    ];
    assert_eq!(way, wanted);
}

#[test]
fn a_batch_that_was_being_collected_when_the_card_failed_is_the_cpus() {
    let script = vec![Deed::Score, Deed::Score, Deed::Sleep, Deed::Corrupt];
    let patience = HealthConfig { deadline_ns: 400_000_000, rest_ns: 60_000_000_000, ..PATIENT };
    let (mut scorer, _heard) = cuda(script, HealthConfig { rest_ns_max: 60_000_000_000, ..patience });
    let [row] = live_row();
    let want = bits(&scored(&mut scorer, &[row]));
    scored(&mut scorer, &[row]);
    assert_eq!(scorer.state(), State::Trusted);
    for _ in 0..2 {
        // The second batch is on its way to the card while the first, which never comes back, is waited for.
        scorer.stage(0, &row);
        scorer.start();
        scorer.stage(0, &row);
        while !scorer.is_ready() {
            std::hint::spin_loop();
        }
        assert_eq!(bits(&[scorer.result(0)]), want);
        scorer.start();
        assert!(scorer.is_ready(), "the CPU has it at once");
        assert_eq!(bits(&[scorer.result(0)]), want);
        assert_eq!((scorer.state(), scorer.failures()), (State::Resting, 1));
    }
}

#[test]
fn without_a_library_one_line_says_so() {
    let model = Model::shipped().unwrap();
    let absent = Path::new("/nowhere/libgpu_cuda.so");
    let opened = open_cuda_scorer(absent, Mode::Auto, &model, 4, OsClock, Box::new(|_| ()));
    let line = opened.err().unwrap().to_string();
    assert!(
        line.starts_with("cannot open the CUDA scorer: /nowhere/libgpu_cuda.so: ") && !line.contains('\n'),
        "{line}"
    );
}
