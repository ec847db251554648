//! The kernels themselves, run thread by thread on the CPU behind the library's C interface: their arithmetic against double
//! precision, their table, their protocol, and every struct against its mirror.

mod support;

use core::mem::offset_of;
use std::time::{Duration, Instant};

use gpu_cuda::abi::{self, FitConfig, FitEpoch, FitRequest, FitResult, Measure, Memory, Mode, Open, Status};
use gpu_cuda::layout::{self, CardProfile, Control, Job, NetworkParts, Row, Why};
use gpu_cuda::{Card, Feeder, LoadedCard, Scored, StagedRow};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};
use types::MODEL_FEATURE_COUNT;

/// Where the emulator's sources are, from this package.
const SOURCES: &str = "tests/emulator";

/// All valid bits.
const ALL: u16 = (1 << MODEL_FEATURE_COUNT) - 1;

/// xorshift, to fill networks with.
struct Random(u64);

impl Random {
    fn uniform(&mut self, low: f64, high: f64) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        #[expect(clippy::cast_precision_loss, reason = "53 bits")]
        let unit = (self.0 >> 11) as f64 / (1_u64 << 53) as f64;
        low + (high - low) * unit
    }
}

/// Sizes of the layers as trained.
const SIZES: [(usize, usize); 6] = [(26, 32), (32, 16), (16, 4), (4, 16), (16, 32), (32, 13)];

/// A network and profiles, and their scores by the book in double precision.
struct Oracle {
    weights: Vec<Vec<f32>>,
    biases: Vec<Vec<f32>>,
    latent: [(f32, f32); 4],
    inverse_scale: [f32; MODEL_FEATURE_COUNT],
    profiles: Vec<CardProfile>,
    /// Weights and biases of each head's layers.
    heads: Vec<[(Vec<f32>, Vec<f32>); 2]>,
}

#[expect(clippy::cast_possible_truncation, reason = "weights are f32")]
impl Oracle {
    fn new(seed: u64) -> Self {
        let mut r = Random(seed | 1);
        let table =
            |r: &mut Random, n, size: f64| (0..n).map(|_| r.uniform(-size, size) as f32).collect::<Vec<_>>();
        #[expect(clippy::cast_precision_loss, reason = "small numbers")]
        let weights = SIZES.map(|(i, o)| table(&mut r, i * o, (6.0 / i as f64).sqrt())).to_vec();
        let biases = SIZES.map(|(_, o)| table(&mut r, o, 0.3)).to_vec();
        let profile = |r: &mut Random, trained| CardProfile {
            median: core::array::from_fn(|_| r.uniform(-1.0, 3.0)),
            inverse_scale: core::array::from_fn(|_| r.uniform(0.3, 4.0)),
            trained,
            unused: [0; 3],
        };
        Self {
            weights,
            biases,
            latent: core::array::from_fn(|_| (r.uniform(-2.0, -0.5) as f32, r.uniform(0.5, 2.0) as f32)),
            inverse_scale: core::array::from_fn(|_| r.uniform(0.5, 4.0) as f32),
            profiles: vec![profile(&mut r, u32::from(ALL)), profile(&mut r, 0x0ff7)],
            heads: (0..seed % (layout::HEADS_MAX as u64 + 1))
                .map(|_| layout::HEAD_LAYERS.map(|(i, o)| (table(&mut r, i * o, 0.5), table(&mut r, o, 0.3))))
                .collect(),
        }
    }

    fn open(&self, mode: Mode, instruments: usize) -> Feeder<LoadedCard> {
        let layers = core::array::from_fn(|i| (self.weights[i].as_slice(), self.biases[i].as_slice()));
        let heads: Vec<_> = self
            .heads
            .iter()
            .map(|head| head.each_ref().map(|(w, b)| (w.as_slice(), b.as_slice())))
            .collect();
        let parts =
            NetworkParts { layers, latent: self.latent, inverse_scale: self.inverse_scale, heads: &heads };
        let packed = layout::pack(&parts).unwrap();
        let card = LoadedCard::open(support::emulated_library(), mode, &packed, &self.profiles, instruments);
        Feeder::new(card.unwrap())
    }

    fn transform(feature: usize, v: f64) -> f64 {
        match feature {
            0 => (v.max(0.0) + 0.01).ln(),
            7 => (v.max(0.0) + 0.1).ln(),
            8 => (v.max(0.0) + 0.5).ln(),
            4 | 5 => v.asinh(),
            _ => v,
        }
    }

    /// The network's inputs and which features are usable; `None` when too few are.
    fn inputs(&self, row: &Given) -> Option<([f64; 26], u32)> {
        let profile = &self.profiles[usize::from(row.profile)];
        let mut x = [0.0_f64; 26];
        let mut usable = 0_u32;
        for feature in 0..MODEL_FEATURE_COUNT {
            let v = row.values[feature];
            if u32::from(row.valid) & profile.trained & 1 << feature != 0 && v.is_finite() {
                let sigmas =
                    (Self::transform(feature, v) - profile.median[feature]) * profile.inverse_scale[feature];
                x[feature] = f64::from(sigmas.clamp(-10.0, 10.0) as f32);
                usable |= 1 << feature;
            } else {
                x[MODEL_FEATURE_COUNT + feature] = 1.0;
            }
        }
        (usable.count_ones() >= 7).then_some((x, usable))
    }

    /// What head number `head` says.
    fn head(&self, row: &Given, head: usize) -> Option<Vec<f64>> {
        let mut h = self.inputs(row)?.0.to_vec();
        for (weights, biases) in self.heads.get(head)? {
            let outputs = weights.chunks_exact(h.len()).zip(biases).map(|(weights, bias)| {
                let products = weights.iter().zip(&h).map(|(w, x)| f64::from(*w) * x);
                (f64::from(*bias) + products.sum::<f64>()).max(0.0)
            });
            h = outputs.collect();
        }
        Some(h)
    }

    fn assert_heads(&self, row: &Given, feeder: &Feeder<LoadedCard>, job: &Job, place: usize) {
        for head in 0..=self.heads.len() {
            let (found, want) = (feeder.head(job, place, head), self.head(row, head));
            assert_eq!(found.is_some(), want.is_some(), "head {head} of {row:?}");
            for (found, want) in found.iter().flatten().zip(want.iter().flatten()) {
                assert!((f64::from(*found) - want).abs() <= 1e-5 * want.max(1.0), "{found} for {want}");
            }
        }
    }

    /// Raw score, and each feature's share of it.
    fn score(&self, row: &Given) -> Option<(f64, [f64; MODEL_FEATURE_COUNT])> {
        let (x, usable) = self.inputs(row)?;
        let mut h = x.to_vec();
        for (layer, (inputs, outputs)) in SIZES.into_iter().enumerate() {
            h = (0..outputs)
                .map(|o| {
                    let products = (0..inputs).map(|i| f64::from(self.weights[layer][o * inputs + i]) * h[i]);
                    let sum = f64::from(self.biases[layer][o]) + products.sum::<f64>();
                    match layer {
                        2 => sum.clamp(f64::from(self.latent[o].0), f64::from(self.latent[o].1)),
                        5 => sum,
                        _ => sum.max(0.0),
                    }
                })
                .collect();
        }
        let shares = core::array::from_fn(|f| {
            let scaled = (x[f] - h[f]) * f64::from(self.inverse_scale[f]);
            if usable >> f & 1 == 1 { scaled * scaled } else { 0.0 }
        });
        Some((shares.iter().sum::<f64>() / f64::from(usable.count_ones()), shares))
    }

    fn assert_scored(&self, row: &Given, found: Option<Scored>) {
        let want = self.score(row);
        assert_eq!(found.is_some(), want.is_some(), "{row:?}");
        let (Some(found), Some((raw, shares))) = (found, want) else { return };
        assert!(
            (f64::from(found.raw) - raw).abs() <= 1e-5 * raw.max(1.0),
            "{} for {raw}: {row:?}",
            found.raw
        );
        let total = shares.iter().sum::<f64>().max(f64::MIN_POSITIVE);
        let mut sorted = shares;
        sorted.sort_by(|a, b| b.total_cmp(a));
        for (place, largest) in sorted.iter().take(3).enumerate() {
            let feature = usize::from(found.why.feature[place]);
            // Which of two equal shares comes first is a matter of rounding; how large they are is not.
            for want in [shares[feature] / total, largest / total] {
                assert!((f64::from(found.why.share[place]) - want).abs() <= 1e-5, "{found:?} {shares:?}");
            }
        }
    }
}

#[derive(Clone, Debug)]
struct Given {
    instrument: u32,
    profile: u16,
    valid: u16,
    values: [f64; MODEL_FEATURE_COUNT],
}

impl Given {
    fn staged(&self) -> StagedRow<'_> {
        StagedRow {
            instrument: Some(self.instrument),
            profile: self.profile,
            valid: self.valid,
            values: &self.values,
        }
    }
}

fn value() -> impl Strategy<Value = f64> {
    let odd = vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, f64::MIN, -0.0, 5e-324, 1e-9];
    prop_oneof![30 => -20.0_f64..20.0, 3 => -1e-3_f64..1e-3, 1 => prop::sample::select(odd)]
}

fn given(instruments: u32) -> impl Strategy<Value = Given> {
    let valid = prop_oneof![3 => Just(ALL), 2 => any::<u16>()];
    (0..instruments, 0_u16..2, valid, prop::array::uniform13(value()))
        .prop_map(|(instrument, profile, valid, values)| Given { instrument, profile, valid, values })
}

fn finish(feeder: &mut Feeder<LoadedCard>, universe: u32) -> Job {
    let job = feeder.submit(universe).unwrap();
    let start = Instant::now();
    // Time may be up for a kernel that has just ended for want of work: the question wakes it.
    for _ in 0..3 {
        loop {
            match feeder.check(&job, start.elapsed() > Duration::from_secs(20)) {
                Ok(true) => return job,
                Ok(false) => std::hint::spin_loop(),
                Err(_) => break,
            }
        }
    }
    panic!("no answer to {job:?}");
}

/// Batches of every size on either side of a tile, with instruments that come again, and the table after them.
fn batches_agree(mode: Mode) {
    let mut runner = TestRunner::new(Config { cases: 6, ..Config::default() });
    let batches = prop::collection::vec(prop::collection::vec(given(50), 0..40), 1..4);
    runner
        .run(&(batches, any::<u64>()), |(batches, seed)| {
            let oracle = Oracle::new(seed);
            let mut feeder = oracle.open(mode, 50);
            let mut newest: Vec<Option<Given>> = vec![None; 50];
            for batch in &batches {
                let mut here = [false; 50];
                for row in batch {
                    feeder.stage(&row.staged()).unwrap();
                    newest[row.instrument as usize] = Some(row.clone());
                    here[row.instrument as usize] = true;
                }
                let job = finish(&mut feeder, 50);
                for (place, row) in batch.iter().enumerate() {
                    oracle.assert_scored(row, feeder.row(&job, place));
                    oracle.assert_heads(row, &feeder, &job, place);
                }
                for (instrument, row) in newest.iter().enumerate().filter(|(i, _)| !here[*i]) {
                    match row {
                        Some(row) => oracle.assert_scored(row, feeder.instrument(&job, instrument)),
                        None => assert_eq!(feeder.instrument(&job, instrument), None, "never seen"),
                    }
                }
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_launch_per_batch_scores_like_double_precision() {
    batches_agree(Mode::Launch);
}

#[test]
fn a_replayed_graph_scores_like_double_precision() {
    batches_agree(Mode::Graph);
}

#[test]
fn the_persistent_kernel_scores_like_double_precision() {
    batches_agree(Mode::Persistent);
}

#[test]
fn a_row_has_the_same_bits_wherever_it_stands() {
    let oracle = Oracle::new(7);
    let mut runner = TestRunner::deterministic();
    let rows = prop::collection::vec(given(64), 40).new_tree(&mut runner).unwrap().current();
    let mut scores = vec![];
    for mode in [Mode::Launch, Mode::Persistent] {
        for order in [rows.clone(), rows.iter().rev().cloned().collect()] {
            let mut feeder = oracle.open(mode, 64);
            order.iter().for_each(|row| feeder.stage(&row.staged()).unwrap());
            let job = finish(&mut feeder, 0);
            let mut found: Vec<_> = (0..40).map(|place| feeder.row(&job, place)).collect();
            if order[0].values.map(f64::to_bits) != rows[0].values.map(f64::to_bits) {
                found.reverse();
            }
            scores.push(found);
        }
    }
    assert!(scores.iter().all(|found| *found == scores[0]));
    assert!(scores[0].iter().any(Option::is_some));
}

#[test]
fn a_persistent_kernel_that_went_for_want_of_work_comes_back() {
    let oracle = Oracle::new(3);
    let mut feeder = oracle.open(Mode::Persistent, 4);
    let row = Given { instrument: 1, profile: 0, valid: ALL, values: [0.7; MODEL_FEATURE_COUNT] };
    for pause_ms in [0, 900, 0] {
        std::thread::sleep(Duration::from_millis(pause_ms));
        feeder.stage(&row.staged()).unwrap();
        let job = finish(&mut feeder, 4);
        oracle.assert_scored(&row, feeder.row(&job, 0));
        assert_eq!(feeder.card.status(), Status::Ok);
    }
}

#[test]
fn the_library_describes_and_measures_itself() {
    let mut feeder = Oracle::new(1).open(Mode::Auto, 4);
    assert_eq!(feeder.card.describe(), "emulated card");
    assert_eq!(feeder.card.mode(), Mode::Launch);
    let mut samples = [0; 3];
    let job = Job { sequence: 9, ..Job::default() };
    assert_eq!(feeder.card.measure(Measure::LaunchFloor, &job, &mut samples), Ok(()));
    assert_eq!((samples, feeder.card.completed()), ([1; 3], 9));
    assert_eq!(feeder.card.measure(Measure::Device, &job, &mut samples), Err(Status::Unsupported));
}

#[test]
fn a_library_that_does_not_train_says_so() {
    let refusal = gpu_cuda::Trainer::open(support::emulated_library()).unwrap_err().to_string();
    assert!(refusal.ends_with(".so: this library does not train"), "{refusal}");
}

/// The numbers that the emulator read from the kernels' own headers.
#[expect(unsafe_code, reason = "reads a static of the emulator")]
fn layout_of_the_kernels() -> Vec<u32> {
    type Entry = unsafe extern "C" fn(*mut u32) -> *const u32;
    // SAFETY: a library of ours, whose initialisers are the C++ library's.
    let library = unsafe { libloading::Library::new(support::emulated_library()) }.unwrap();
    // SAFETY: the symbol has this type in `library.cpp`.
    let entry = unsafe { library.get::<Entry>(b"portcullis_cuda_layout\0") }.unwrap();
    let mut count = 0;
    // SAFETY: it writes one number and gives the address of a static.
    let numbers = unsafe { entry(&raw mut count) };
    // SAFETY: `count` numbers, which the open library holds; they are copied before it is closed.
    unsafe { core::slice::from_raw_parts(numbers, count as usize) }.to_vec()
}

#[test]
fn both_sides_have_the_same_layout() {
    let found = layout_of_the_kernels();
    let control = offset_of!(Control, request);
    let pointer = size_of::<usize>();
    let wanted = [
        vec![size_of::<Row>(), offset_of!(Row, instrument), offset_of!(Row, profile), offset_of!(Row, valid)],
        vec![
            size_of::<CardProfile>(),
            offset_of!(CardProfile, inverse_scale),
            offset_of!(CardProfile, trained),
        ],
        vec![size_of::<Why>(), offset_of!(Why, feature), offset_of!(Why, scored)],
        vec![
            size_of::<Job>(),
            offset_of!(Job, row_count),
            offset_of!(Job, universe),
            offset_of!(Job, buffer),
        ],
        vec![size_of::<Control>(), control, offset_of!(Control, resident)],
        vec![16 * pointer, 2 * pointer, 4 * pointer, 6 * pointer, 8 * pointer, 10 * pointer],
        vec![15 * pointer, 15 * pointer + size_of::<u32>()],
        vec![size_of::<Open>(), offset_of!(Open, weights), offset_of!(Open, profiles)],
        vec![
            size_of::<Memory>(),
            offset_of!(Memory, changed),
            offset_of!(Memory, raw),
            offset_of!(Memory, why),
            offset_of!(Memory, heads),
        ],
        vec![offset_of!(Memory, completed), offset_of!(Memory, mode)],
        vec![size_of::<abi::Library>(), offset_of!(abi::Library, open), offset_of!(abi::Library, close)],
        vec![offset_of!(abi::Library, train)],
        vec![size_of::<FitConfig>(), offset_of!(FitConfig, patience), offset_of!(FitConfig, learning_rate)],
        vec![offset_of!(FitConfig, worst_share)],
        vec![size_of::<FitEpoch>(), offset_of!(FitEpoch, train_loss), offset_of!(FitEpoch, validation_loss)],
        vec![size_of::<FitRequest>(), offset_of!(FitRequest, config), offset_of!(FitRequest, training_count)],
        vec![offset_of!(FitRequest, training), offset_of!(FitRequest, progress)],
        vec![offset_of!(FitRequest, user)],
        vec![size_of::<FitResult>(), offset_of!(FitResult, epochs), offset_of!(FitResult, validation_loss)],
        vec![offset_of!(FitResult, weights), offset_of!(FitResult, scales)],
        vec![MODEL_FEATURE_COUNT, layout::BUFFER_COUNT, layout::TILE_ROWS as usize, 7, layout::WEIGHT_COUNT],
        vec![
            layout::NOT_KEPT as usize,
            layout::STOP as usize,
            layout::shared_bytes(0) as usize,
            layout::shared_bytes(layout::HEADS_MAX) as usize,
            layout::BLOCK_THREADS as usize,
        ],
        vec![layout::HEAD_WEIGHT_COUNT, layout::HEAD_OUTPUTS, layout::HEADS_MAX],
        (0..6).map(layout::layer_offset).collect(),
        vec![layout::LATENT_MIN, layout::LATENT_MAX, layout::INVERSE_SCALE],
    ];
    let found: Vec<usize> = found.iter().map(|n| *n as usize).collect();
    assert_eq!(found, wanted.concat());
}
