//! The fused kernels against the reference in double precision, against each other bit for bit, and against themselves in
//! other batches.

use std::fs;

use gpu::{
    Backend, BatchConfig, DenseLayer, FusedAutoencoder, FusedError, FusedScorer, Kernel, LimitUpdate, Model,
    PolicyConfig, RawScore, ReferenceScorer, Scorer, ScorerStage, ScorerStageConfig, Staged, StagedScorer,
    Then, open_scorer,
};
use proptest::prelude::*;
use safetensors::SafeTensors;
use safetensors::tensor::TensorView;
use types::{
    BookState, FEATURE_COUNT, FeatureVector, InstrumentId, MODEL_FEATURE_COUNT, Symbol, Tier, UnixNanos,
};

const ALL_VALID: u64 = (1 << MODEL_FEATURE_COUNT) - 1;

fn kernels() -> impl Iterator<Item = Kernel> {
    Kernel::ALL.into_iter().filter(|kernel| kernel.is_available())
}

/// A stream of numbers that look random and are the same every time (Steele and others' SplitMix64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    /// Between -1 and 1.
    fn signed(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    }
}

/// The shipped model with its weights disturbed; seed 0 leaves them alone.
fn model(seed: u64) -> Model {
    if seed == 0 {
        return Model::shipped().expect("the shipped model");
    }
    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/models/default");
    let old = fs::read(format!("{shipped}/weights.safetensors")).expect("the weights");
    let tensors = SafeTensors::deserialize(&old).expect("a container");
    let mut numbers = Numbers(seed);
    let disturbed: Vec<(String, Vec<usize>, Vec<u8>)> = tensors
        .iter()
        .map(|(name, view)| {
            let (words, _) = view.data().as_chunks::<4>();
            let bytes = words
                .iter()
                .flat_map(|word| {
                    let disturbed = f64::from(f32::from_le_bytes(*word)) * (1.0 + 0.5 * numbers.signed());
                    ((disturbed + 0.05 * numbers.signed()) as f32).to_le_bytes()
                })
                .collect();
            (name.to_owned(), view.shape().to_vec(), bytes)
        })
        .collect();
    let views = disturbed.iter().map(|(name, shape, bytes)| {
        (name, TensorView::new(safetensors::Dtype::F32, shape.clone(), bytes).expect("a tensor"))
    });
    let weights = safetensors::serialize(views, None).expect("a container");
    let manifest = fs::read_to_string(format!("{shipped}/manifest.toml")).expect("the manifest");
    let manifest = manifest.replace(&blake3::hash(&old).to_string(), &blake3::hash(&weights).to_string());
    let folder = tempfile::tempdir().expect("a folder");
    // The heads stay as they are.
    for file in fs::read_dir(shipped).expect("the folder").map(|file| file.expect("a file")) {
        fs::copy(file.path(), folder.path().join(file.file_name())).expect("copied");
    }
    fs::write(folder.path().join("manifest.toml"), manifest).expect("written");
    fs::write(folder.path().join("weights.safetensors"), weights).expect("written");
    Model::load(folder.path()).expect("the disturbed model")
}

/// Instruments 0 to 3 are defined, the first two by names that the model knows.
fn define(scorer: &mut dyn Scorer) {
    for (i, name) in (0..).zip(["ALFA", "THIN", "NEW", "OTHER"]) {
        scorer.define(InstrumentId(i), Symbol::new(name).expect("a name"));
    }
}

fn vector(instrument: u32, values: [f64; MODEL_FEATURE_COUNT], valid: u64) -> FeatureVector {
    let book_state = BookState::Live.to_u8();
    let instrument = InstrumentId(instrument);
    let mut vector =
        FeatureVector { ts: UnixNanos(1), instrument, valid, book_state, ..FeatureVector::EMPTY };
    vector.values[..MODEL_FEATURE_COUNT].copy_from_slice(&values);
    vector
}

/// Mostly whole rows of an ordinary market, some with holes, some of lost books, some of strangers.
fn rows(count: usize, seed: u64) -> Vec<FeatureVector> {
    let mut numbers = Numbers(seed);
    let centre = [1.0, 0.0, 0.5, 0.5, 0.0, 0.0, 0.0, 0.5, 6.0, 0.05, 0.45, 6.0, 1.0];
    let mut row = |_| {
        let values = centre.map(|c| c + (0.2 + 0.5 * f64::abs(c)) * numbers.signed());
        let dice = numbers.next();
        let valid = if dice.is_multiple_of(5) { ALL_VALID & (dice >> 8) } else { ALL_VALID };
        let mut row = vector((dice >> 32) as u32 % 5, values, valid);
        if dice.is_multiple_of(31) {
            row.book_state = BookState::Recovering.to_u8();
        }
        row
    };
    (0..count).map(&mut row).collect()
}

fn score(scorer: &mut dyn Scorer, rows: &[FeatureVector]) -> Vec<Option<RawScore>> {
    // Results of before must not shine through.
    let mut out = vec![Some(RawScore { raw: -1.0, ..RawScore::default() }); rows.len()];
    scorer.score(rows, &mut out);
    out
}

fn bits(scores: &[Option<RawScore>]) -> Vec<Option<[u32; 7]>> {
    let of = |s: &RawScore| {
        let [a, b, c] = s.contributions.map(f32::to_bits);
        let [d, e, f] = s.top3.map(u32::from);
        [s.raw.to_bits(), a, b, c, d, e, f]
    };
    scores.iter().map(|score| score.as_ref().map(of)).collect()
}

fn assert_alike(found: &[Option<RawScore>], wanted: &[Option<RawScore>], rows: &[FeatureVector]) {
    for ((found, wanted), row) in found.iter().zip(wanted).zip(rows) {
        match (found, wanted) {
            (None, None) => {}
            (Some(a), Some(b)) => {
                assert!((a.raw - b.raw).abs() <= 1e-5 * b.raw.abs().max(1.0), "{a:?} {b:?} of {row:?}");
                for (x, y) in a.contributions.iter().zip(b.contributions) {
                    assert!((x - y).abs() < 1e-4, "{a:?} {b:?} of {row:?}");
                }
                for place in 0..2 {
                    let clear = (0..=place).all(|p| b.contributions[p] - b.contributions[p + 1] > 1e-3);
                    assert!(!clear || a.top3[place] == b.top3[place], "{a:?} {b:?} of {row:?}");
                }
            }
            unlike => panic!("one scores what the other refuses: {unlike:?} of {row:?}"),
        }
    }
}

#[test]
fn every_batch_size_agrees_with_the_reference_and_every_kernel_to_the_bit() {
    let model = model(0);
    let mut reference = ReferenceScorer::new(&model, 4);
    define(&mut reference);
    let rows = rows(8_192, 1);
    let wanted = score(&mut reference, &rows);
    assert!(wanted.iter().flatten().count() > 4_000);
    let mut bits_of_first = None;
    for kernel in kernels() {
        let mut fused = FusedScorer::with_kernel(&model, 4, kernel).expect("an available kernel");
        assert!(fused.name().ends_with(kernel.name()));
        define(&mut fused);
        let whole = score(&mut fused, &rows);
        assert_alike(&whole, &wanted, &rows);
        let whole = bits(&whole);
        // A batch of any size, begun anywhere, gives each row what it has in the whole.
        for count in (0..=70).chain([1_024]) {
            let from = count * 7;
            let part = score(&mut fused, &rows[from..from + count]);
            assert_eq!(bits(&part), whole[from..from + count], "{kernel:?}, {count} rows");
        }
        assert_eq!(*bits_of_first.get_or_insert_with(|| whole.clone()), whole, "{kernel:?}");
    }
}

#[test]
fn one_row_is_the_same_row_in_a_batch() {
    let model = model(0);
    let rows = rows(200, 2);
    for kernel in kernels() {
        let mut fused = FusedScorer::with_kernel(&model, 4, kernel).expect("an available kernel");
        define(&mut fused);
        let whole = bits(&score(&mut fused, &rows));
        for (row, wanted) in rows.iter().zip(whole) {
            assert_eq!(bits(&score(&mut fused, &[*row])), [wanted], "{kernel:?} {row:?}");
        }
    }
}

#[test]
fn what_may_not_be_scored_is_not() {
    let model = model(0);
    let mut scorer = open_scorer(Backend::Auto, &model, 4).expect("a scorer");
    define(&mut scorer);
    let good = vector(0, [0.5; MODEL_FEATURE_COUNT], ALL_VALID);
    let batch = [
        good,
        FeatureVector { book_state: BookState::Recovering.to_u8(), ..good },
        FeatureVector { instrument: InstrumentId(4), ..good },
        FeatureVector { instrument: InstrumentId::ALL, ..good },
        FeatureVector { grid_end: 1, ..good },
        FeatureVector { valid: 0x003f, ..good },
        FeatureVector { values: [f64::NAN; FEATURE_COUNT], ..good },
        FeatureVector { values: [f64::NEG_INFINITY; FEATURE_COUNT], ..good },
        FeatureVector { valid: 0b1_0101_0101_0101, ..good },
    ];
    let found: Vec<bool> = score(&mut scorer, &batch).iter().map(Option::is_some).collect();
    assert_eq!(found, [true, false, false, false, false, false, false, false, true]);
    assert_eq!(scorer.failures(), 0);
}

#[test]
#[should_panic(expected = "one result per row")]
fn a_result_slice_of_another_length_is_refused() {
    let mut scorer = open_scorer(Backend::Fused, &model(0), 1).expect("a scorer");
    scorer.score(&[FeatureVector::EMPTY], &mut []);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn anything_at_all_is_scored_as_the_reference_does(
        seed in 0_u64..1_000,
        rows in prop::collection::vec(
            (prop::array::uniform13(prop_oneof![
                6 => -20.0_f64..20.0,
                1 => any::<u64>().prop_map(f64::from_bits),
                1 => prop::sample::select(vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, 0.0]),
            ]), prop_oneof![2 => Just(ALL_VALID), 1 => any::<u64>()], 0_u32..5),
            1..70,
        ),
    ) {
        let model = model(seed);
        let rows: Vec<FeatureVector> =
            rows.into_iter().map(|(values, valid, instrument)| vector(instrument, values, valid)).collect();
        let mut reference = ReferenceScorer::new(&model, 4);
        define(&mut reference);
        let wanted = score(&mut reference, &rows);
        let mut first = None;
        for kernel in kernels() {
            let mut fused = FusedScorer::with_kernel(&model, 4, kernel).expect("an available kernel");
            define(&mut fused);
            let found = score(&mut fused, &rows);
            assert_alike(&found, &wanted, &rows);
            let found = bits(&found);
            prop_assert_eq!(first.get_or_insert_with(|| found.clone()), &found, "{:?}", kernel);
        }
    }

    #[test]
    fn networks_of_any_size_are_rebuilt_as_in_double_precision(
        seed in any::<u64>(),
        features in 1_usize..=32,
        hidden in prop::collection::vec(1_usize..100, 0..5),
        count in 0_usize..40,
    ) {
        let widths: Vec<usize> = [features].into_iter().chain(hidden).chain([features]).collect();
        let mut numbers = Numbers(seed);
        let layers: Vec<DenseLayer> = widths.windows(2).enumerate().map(|(i, pair)| {
            let mut draw = |n: usize, size: f64| (0..n).map(|_| (numbers.signed() * size) as f32).collect();
            let then = match i % 3 {
                0 => Then::Relu,
                1 => Then::Hold(vec![(-1.0, 1.5); pair[1]]),
                _ => Then::Nothing,
            };
            let size = (3.0 / pair[0] as f64).sqrt();
            DenseLayer { weight: draw(pair[0] * pair[1], size), bias: draw(pair[1], 0.3), then }
        }).collect();
        let x: Vec<f32> = (0..count * features).map(|_| (3.0 * numbers.signed()) as f32).collect();
        let wanted: Vec<f64> = x.chunks(features).map(|row| plain(&layers, row)).collect();
        let mut first = None;
        for kernel in kernels() {
            let mut network = FusedAutoencoder::new(&layers, kernel).expect("a network");
            let mut found = vec![f32::NAN; count];
            network.mean_squared_errors(&x, &mut found);
            for (found, wanted) in found.iter().zip(&wanted) {
                prop_assert!((f64::from(*found) - wanted).abs() <= 1e-5 * wanted.max(1.0), "{found} {wanted}");
            }
            let found: Vec<u32> = found.into_iter().map(f32::to_bits).collect();
            prop_assert_eq!(first.get_or_insert_with(|| found.clone()), &found, "{:?}", kernel);
        }
    }
}

/// Mean squared error of one row's reconstruction, the plain way.
fn plain(layers: &[DenseLayer], row: &[f32]) -> f64 {
    let mut here: Vec<f64> = row.iter().map(|v| f64::from(*v)).collect();
    for layer in layers {
        here = (0..layer.bias.len())
            .map(|n| {
                let weights = &layer.weight[n * here.len()..(n + 1) * here.len()];
                let sum = f64::from(layer.bias[n])
                    + weights.iter().zip(&here).map(|(w, x)| f64::from(*w) * x).sum::<f64>();
                match &layer.then {
                    Then::Nothing => sum,
                    Then::Relu => sum.max(0.0),
                    Then::Hold(ranges) => sum.clamp(f64::from(ranges[n].0), f64::from(ranges[n].1)),
                }
            })
            .collect();
    }
    let errors = row.iter().zip(&here).map(|(x, y)| (f64::from(*x) - y).powi(2));
    errors.sum::<f64>() / row.len() as f64
}

#[test]
fn layers_that_do_not_fit_are_refused_with_found_and_wanted() {
    let layer = |weights: usize, neurons: usize, then: Then| DenseLayer {
        weight: vec![0.5; weights],
        bias: vec![0.0; neurons],
        then,
    };
    let refusal = |layers: &[DenseLayer]| {
        FusedAutoencoder::new(layers, Kernel::Portable).map(|_| ()).unwrap_err().to_string()
    };
    assert_eq!(refusal(&[]), "a network needs at least one layer; found none");
    assert_eq!(
        refusal(&[layer(6, 3, Then::Relu), layer(7, 2, Then::Nothing)]),
        "layer 1, weights: found 7 numbers, wanted 6"
    );
    assert_eq!(
        refusal(&[layer(4, 2, Then::Hold(vec![(0.0, 1.0)]))]),
        "layer 0, ranges: found 1 numbers, wanted 2"
    );
    assert_eq!(
        refusal(&[layer(6, 3, Then::Nothing)]),
        "an autoencoder has as many outputs as inputs, at most 32; found 2 inputs and 3 outputs"
    );
    assert_eq!(refusal(&[layer(0, 1, Then::Relu)]), "layer 0: found 0 inputs or neurons, wanted 1 to 4096");
    let mut bad = layer(4, 2, Then::Nothing);
    bad.bias[1] = f32::NAN;
    assert_eq!(refusal(&[bad]), "layer 0: found a weight, bias or bound that is infinite or NaN");
    if let Some(kernel) = Kernel::ALL.into_iter().find(|kernel| !kernel.is_available()) {
        let error = FusedAutoencoder::new(&[layer(1, 1, Then::Nothing)], kernel).unwrap_err();
        assert_eq!(error, FusedError::Unavailable(kernel));
    }
}

/// However rows arrive, and whatever they replace, each batch has the bits of its rows scored together.
#[test]
fn rows_that_are_staged_one_by_one_have_the_bits_of_a_batch() {
    const ROW_COUNT_MAX: usize = 40;
    let (model, mut numbers) = (model(0), Numbers(11));
    for kernel in kernels() {
        let mut scorer =
            FusedScorer::with_kernel(&model, ROW_COUNT_MAX, kernel).expect("an available kernel");
        define(&mut scorer);
        for batch in 0..60 {
            let arrivals = rows(1 + batch, numbers.next());
            let mut staged: Vec<FeatureVector> = vec![];
            for row in &arrivals {
                // A new place four times in five, an old one else; now and then one that is refused.
                let old = numbers.next().is_multiple_of(5) && !staged.is_empty();
                let place = if old { numbers.next() as usize % staged.len() } else { staged.len() };
                scorer.stage(place, row);
                match staged.get_mut(place) {
                    Some(taken) => *taken = *row,
                    None if place < ROW_COUNT_MAX => staged.push(*row),
                    None => {}
                }
                scorer.stage(staged.len() + 1, row);
            }
            scorer.start();
            assert!(scorer.is_ready());
            let found: Vec<_> = (0..=staged.len()).map(|place| scorer.result(place)).collect();
            assert_eq!(bits(&found[..staged.len()]), bits(&score(&mut scorer, &staged)), "batch {batch}");
            assert_eq!(found[staged.len()], None);
        }
    }
}

/// Tier of every instrument after every grid point, of markets that go from calm to stress and back.
fn tiers(model: &Model, scorer: impl Scorer) -> Vec<Tier> {
    const INSTRUMENTS: u32 = 12;
    let scorer = Staged::new(scorer, INSTRUMENTS as usize);
    let config = ScorerStageConfig {
        instrument_count_max: INSTRUMENTS as usize,
        class_count: 1,
        batch: BatchConfig::WHOLE_GRID,
        policy: PolicyConfig::default(),
    };
    let sink = |_: &LimitUpdate, _: UnixNanos| ();
    let mut stage = ScorerStage::new(config, model, scorer, sink, ()).expect("the default policy");
    for i in 0..INSTRUMENTS {
        stage.define(InstrumentId(i), known(i));
    }
    let (mut numbers, mut found) = (Numbers(7), Vec::new());
    let centre = [1.0, 0.0, 0.5, 0.5, 0.0, 0.0, 0.0, 0.5, 6.0, 0.05, 0.45, 6.0, 1.0];
    for grid in 1..600_u64 {
        let end = UnixNanos(1_700_000_000_000_000_000 + grid * 100_000_000);
        let mut vectors: Vec<FeatureVector> = (0..INSTRUMENTS)
            .map(|i| {
                let stress = if (200..350).contains(&grid) { f64::from(i) } else { 0.0 };
                let values =
                    centre.map(|c| c + (0.1 + 0.4 * stress) * (0.2 + f64::abs(c)) * numbers.signed());
                FeatureVector { ts: end, ..vector(i, values, ALL_VALID) }
            })
            .collect();
        vectors.push(FeatureVector::end_of_grid(end));
        stage.on_vectors(&vectors, end);
        found.extend((0..INSTRUMENTS).map(|i| stage.tier(InstrumentId(i))));
    }
    found
}

#[test]
fn tiers_are_those_of_the_reference() {
    let model = model(0);
    let wanted = tiers(&model, ReferenceScorer::new(&model, 12));
    assert!(wanted.contains(&Tier::Normal) && wanted.iter().any(|tier| *tier > Tier::Elevated));
    for kernel in kernels() {
        let fused = FusedScorer::with_kernel(&model, 12, kernel).expect("an available kernel");
        assert_eq!(tiers(&model, fused), wanted, "{kernel:?}");
    }
}

/// A name that the shipped model has a profile of: others are Elevated.
fn known(i: u32) -> Symbol {
    const NAMES: [&str; 9] = ["ALFA", "BRVO", "CHRL", "DLTA", "ECHO", "FUTX", "FXTR", "GOLF", "THIN"];
    Symbol::new(NAMES[i as usize % NAMES.len()]).expect("a name")
}
