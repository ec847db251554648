//! The production scorer on a CPU: normalisation, network, score and reasons in one pass over tiles of sixteen rows, on
//! AVX-512, AVX2 or anything, found at run time; one row alone takes the same arithmetic with neurons as lanes.
//!
//! **What it never does:** allocate after construction, or answer differently for the same row: the kernel, the other rows of
//! the batch and a row's place among them leave no trace in a score. It differs from [`crate::ReferenceScorer`], which counts
//! in double precision, by rounding alone.
//!
//! Start reading at [`FusedScorer`], then [`chain`].

mod aligned;
mod chain;
#[allow(unsafe_code, reason = "the one exception of this crate: instructions found at run time")]
mod lanes;
mod prepare;
mod verdict;

use types::{FEATURE_COUNT, FeatureVector, InstrumentId, Symbol};

use super::scorer::{Scorer, StagedScorer, is_scorable};
use crate::heads::{Head, PerHead};
use crate::inputs::{Bindings, INPUT_COUNT, VALID_MIN};
use crate::model::{Model, RawScore, ScoreLaw};
use crate::network::{HeadLayers, Increments, Layer, LayerId, Network};
use aligned::Aligned;
use chain::{Chain, Scratch};
pub use chain::{ChainError, DenseLayer, Then};
pub use lanes::Kernel;
use lanes::{LANES, Line, Simd, Work};
use prepare::{FusedProfile, Logs};
use verdict::{FEATURES_MAX, Verdicts};

/// Up to so many rows are scored one by one: a tile costs what about three rows alone do, however many rows are in it.
const ROWS_ALONE_MAX: usize = 3;

/// Usable bits of a row that lacks nothing.
const ALL_USABLE: u32 = (1 << FEATURE_COUNT) - 1;

/// Why a fused scorer did not open.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FusedError {
    /// The kernel asked for needs instructions that this processor lacks.
    #[error("kernel {}: this processor cannot run it", .0.name())]
    Unavailable(Kernel),
    /// The layers make no network.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// An autoencoder gives back what it was given: as many outputs as inputs, 32 at most.
    #[error("found {inputs} inputs and {outputs} outputs, wanted as many of both, {FEATURES_MAX} at most")]
    NotAnAutoencoder {
        /// Inputs of the first layer.
        inputs: usize,
        /// Outputs of the last.
        outputs: usize,
    },
}

/// The layers of `network` that a score needs, and what follows each.
fn layers_of(network: &Network, law: &ScoreLaw) -> Vec<DenseLayer> {
    let then = |id| match id {
        LayerId::Mu => Then::Hold(law.latent_range_f32().to_vec()),
        LayerId::Decoder2 => Then::Nothing,
        _ => Then::Relu,
    };
    let layer = |id| {
        let layer = network.layer(id);
        DenseLayer { weight: layer.weight.clone(), bias: layer.bias.clone(), then: then(id) }
    };
    LayerId::SCORED.map(layer).into()
}

/// The layers of a head.
fn layers_of_head(head: &HeadLayers) -> Vec<DenseLayer> {
    let layer = |layer: &Layer| DenseLayer {
        weight: layer.weight.clone(),
        bias: layer.bias.clone(),
        then: Then::Relu,
    };
    head.iter().map(layer).collect()
}

fn checked(kernel: Kernel) -> Result<Kernel, FusedError> {
    if kernel.is_available() { Ok(kernel) } else { Err(FusedError::Unavailable(kernel)) }
}

/// Scores rows sixteen at a time, or one at once. Staged rows are scored as soon as there are sixteen, so that at the end of a
/// batch fifteen are left at most. After construction it allocates nothing.
#[derive(Debug)]
pub struct FusedScorer {
    kernel: Kernel,
    profiles: Bindings<FusedProfile>,
    engine: Engine,
    /// Rows of a call of [`Scorer::score`].
    tile: Box<Tile>,
    staging: Staging,
}

/// What a tile needs besides its rows.
#[derive(Debug)]
struct Engine {
    chain: Chain,
    scratch: Scratch,
    heads: PerHead<Option<(Chain, Scratch)>>,
    /// One line of rows per input: the features, then the missing bits.
    x: Aligned,
    verdicts: Box<Verdicts>,
    inverse_scale: [f32; FEATURE_COUNT],
}

/// Where results go, by place.
struct Out<'a> {
    scores: &'a mut [Option<RawScore>],
    /// What each head says; empty when it is not asked.
    heads: PerHead<&'a mut [Increments]>,
}

/// The rows gathered for the next tile.
#[derive(Debug)]
struct Tile {
    count: usize,
    /// Where the result of each row belongs, [`NOWHERE`] for one that was replaced.
    places: [usize; LANES],
    instruments: [InstrumentId; LANES],
    usable: [u32; LANES],
    values: [[f64; FEATURE_COUNT]; LANES],
    logs: Logs,
}

/// A row that lies elsewhere than in a vector.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RowParts<'a> {
    pub(crate) instrument: InstrumentId,
    /// 0 for a row that must have no score.
    pub(crate) valid: u16,
    pub(crate) values: &'a [f64; FEATURE_COUNT],
}

impl<'a> From<&'a FeatureVector> for RowParts<'a> {
    #[inline(always)]
    fn from(row: &'a FeatureVector) -> Self {
        let valid = if is_scorable(row) { row.valid } else { 0 };
        Self { instrument: row.instrument, valid, values: &row.values }
    }
}

/// No place in any batch.
const NOWHERE: usize = usize::MAX;

/// A batch that is being collected, and the results of the last one.
#[derive(Debug)]
struct Staging {
    tile: Box<Tile>,
    results: Results,
    finished: Results,
}

/// The results of a batch, by place.
#[derive(Debug)]
struct Results {
    scores: Vec<Option<RawScore>>,
    /// As many of each head that the model has; read where there is a score.
    heads: PerHead<Vec<Increments>>,
}

impl Results {
    fn with_capacity(count: usize) -> Self {
        let heads = Head::ALL.map(|_| Vec::with_capacity(count));
        Self { scores: Vec::with_capacity(count), heads }
    }

    fn out(&mut self) -> Out<'_> {
        Out { scores: &mut self.scores, heads: self.heads.each_mut().map(Vec::as_mut_slice) }
    }
}

impl FusedScorer {
    /// A scorer of `model` for instruments numbered below `instrument_count_max`, on the best kernel of this processor.
    ///
    /// # Errors
    /// When the model's layers make no network, which no loaded model's do.
    pub fn new(model: &Model, instrument_count_max: usize) -> Result<Self, FusedError> {
        Self::with_kernel(model, instrument_count_max, Kernel::best())
    }

    /// The same on the kernel that is asked for.
    ///
    /// # Errors
    /// As [`FusedScorer::new`], and when this processor cannot run `kernel`.
    pub fn with_kernel(
        model: &Model,
        instrument_count_max: usize,
        kernel: Kernel,
    ) -> Result<Self, FusedError> {
        let (profiles, law) = (model.profiles(), model.score_law());
        let chain = Chain::new(&layers_of(model.network(), law), checked(kernel)?)?;
        let mut heads = Head::ALL.map(|_| None);
        for (slot, head) in heads.iter_mut().zip(Head::ALL) {
            if let Some(layers) = model.heads().layers(head) {
                let chain = Chain::new(&layers_of_head(layers), kernel)?;
                let scratch = chain.scratch();
                *slot = Some((chain, scratch));
            }
        }
        let engine = Engine {
            scratch: chain.scratch(),
            chain,
            heads,
            x: Aligned::zeroed(INPUT_COUNT),
            verdicts: Box::new(Verdicts::new()),
            inverse_scale: law.inverse_scale_f32(),
        };
        let profiles = Bindings::new(&profiles.map(|profile| profile.into()), instrument_count_max);
        let staging = Staging {
            tile: Box::new(Tile::new()),
            results: Results::with_capacity(instrument_count_max),
            finished: Results::with_capacity(instrument_count_max),
        };
        Ok(Self { kernel, profiles, engine, tile: Box::new(Tile::new()), staging })
    }

    /// What it runs on.
    #[must_use]
    pub fn kernel(&self) -> Kernel {
        self.kernel
    }

    /// [`StagedScorer::stage`] of the parts of a row.
    pub(crate) fn stage_parts(&mut self, place: usize, row: RowParts<'_>) {
        let Self { kernel, profiles, engine, staging: Staging { tile, results, .. }, .. } = self;
        if let Some(earlier) = results.scores.get_mut(place) {
            tile.forget(place);
            *earlier = None;
        } else if place == results.scores.len() && place < results.scores.capacity() {
            results.scores.push(None);
            for (says, _) in results.heads.iter_mut().zip(&engine.heads).filter(|(_, head)| head.is_some()) {
                says.push(Increments::default());
            }
        } else {
            return;
        }
        if let Some(profile) = profiles.of(row.instrument) {
            tile.take(place, row, profile);
        }
        if tile.count == LANES {
            kernel.dispatch(Flush { profiles, engine, tile, out: results.out() });
        }
    }

    /// [`Scorer::score`] of the parts of rows, `scores.len()` at most. Each of `heads` is as long, or empty.
    pub(crate) fn score_parts<'a>(
        &mut self,
        rows: impl Iterator<Item = RowParts<'a>>,
        scores: &mut [Option<RawScore>],
        heads: PerHead<&mut [Increments]>,
    ) {
        let Self { kernel, profiles, engine, tile, .. } = self;
        kernel.dispatch(Batch { profiles, engine, tile, rows, out: Out { scores, heads } });
    }
}

impl Scorer for FusedScorer {
    fn name(&self) -> &'static str {
        match self.kernel {
            Kernel::Avx512 => "fused-avx512",
            Kernel::Avx2 => "fused-avx2",
            Kernel::Portable => "fused-portable",
        }
    }

    fn define(&mut self, instrument: InstrumentId, symbol: Symbol) {
        self.profiles.define(instrument, symbol);
    }

    fn score(&mut self, rows: &[FeatureVector], out: &mut [Option<RawScore>]) {
        assert_eq!(rows.len(), out.len(), "one result per row");
        self.score_parts(rows.iter().map(RowParts::from), out, Head::ALL.map(|_| [].as_mut_slice()));
    }
}

impl StagedScorer for FusedScorer {
    fn stage(&mut self, place: usize, row: &FeatureVector) {
        self.stage_parts(place, RowParts::from(row));
    }

    fn start(&mut self) {
        let Self { kernel, profiles, engine, staging: Staging { tile, results, finished }, .. } = self;
        kernel.dispatch(Flush { profiles, engine, tile, out: results.out() });
        core::mem::swap(results, finished);
        results.scores.clear();
        results.heads.iter_mut().for_each(Vec::clear);
    }

    fn is_ready(&mut self) -> bool {
        true
    }

    fn result(&self, place: usize) -> Option<RawScore> {
        self.staging.finished.scores.get(place).copied().flatten()
    }

    fn head(&self, head: Head, place: usize) -> Option<Increments> {
        self.result(place).and_then(|_| self.staging.finished.heads[head as usize].get(place).copied())
    }
}

/// One call of [`Scorer::score`].
struct Batch<'a, I> {
    profiles: &'a Bindings<FusedProfile>,
    engine: &'a mut Engine,
    tile: &'a mut Tile,
    rows: I,
    out: Out<'a>,
}

impl<'a, I: Iterator<Item = RowParts<'a>>> Work for Batch<'_, I> {
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { profiles, engine, tile, rows, mut out } = self;
        for (place, row) in rows.enumerate().take(out.scores.len()) {
            out.scores[place] = None;
            if let Some(profile) = profiles.of(row.instrument) {
                tile.take(place, row, profile);
            }
            if tile.count == LANES {
                engine.flush(s, profiles, tile, &mut out);
            }
        }
        engine.flush(s, profiles, tile, &mut out);
    }
}

/// The end of a tile of staged rows.
struct Flush<'a> {
    profiles: &'a Bindings<FusedProfile>,
    engine: &'a mut Engine,
    tile: &'a mut Tile,
    out: Out<'a>,
}

impl Work for Flush<'_> {
    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        self.engine.flush(s, self.profiles, self.tile, &mut self.out);
    }
}

impl Tile {
    const fn new() -> Self {
        Self {
            count: 0,
            places: [NOWHERE; LANES],
            instruments: [InstrumentId::ALL; LANES],
            usable: [0; LANES],
            values: [[0.0; FEATURE_COUNT]; LANES],
            logs: Logs::new(),
        }
    }

    /// Takes a row in, unless too little of it is usable.
    #[inline(always)]
    fn take(&mut self, place: usize, row: RowParts<'_>, profile: &FusedProfile) {
        let lane = self.count;
        let usable = self.logs.take(lane, row.values, row.valid, profile);
        if usable.count_ones() >= VALID_MIN {
            self.places[lane] = place;
            self.instruments[lane] = row.instrument;
            self.usable[lane] = u32::from(usable);
            self.values[lane] = *row.values;
            self.count = lane + 1;
        }
    }

    /// A newer row takes the place of one that may still be here.
    fn forget(&mut self, place: usize) {
        for taken in &mut self.places[..self.count] {
            if *taken == place {
                *taken = NOWHERE;
            }
        }
    }
}

impl Engine {
    /// Scores the rows of `tile`, writes their results to their places and empties it.
    #[inline(always)]
    fn flush<S: Simd>(
        &mut self,
        s: S,
        profiles: &Bindings<FusedProfile>,
        tile: &mut Tile,
        out: &mut Out<'_>,
    ) {
        if tile.count == 0 {
            return;
        }
        tile.logs.compute(tile.count);
        let Some((features, _)) = self.x.lines_mut().split_first_chunk_mut::<FEATURE_COUNT>() else { return };
        let mut everywhere = u32::MAX;
        for lane in 0..tile.count {
            let Some(profile) = profiles.of(tile.instruments[lane]) else { continue };
            #[expect(clippy::cast_possible_truncation, reason = "came from sixteen bits")]
            let usable = tile.usable[lane] as u16;
            tile.logs.normalise(lane, &tile.values[lane], usable, profile, features);
            everywhere &= tile.usable[lane];
        }
        // Where nothing is missing in any row, the missing bits are zeros and need not be multiplied.
        let inputs = if everywhere == ALL_USABLE { FEATURE_COUNT } else { INPUT_COUNT };
        if tile.count > ROWS_ALONE_MAX {
            self.score_tile(s, inputs, tile, out);
        } else {
            self.score_rows(s, inputs, tile, out);
        }
        (tile.count, tile.usable) = (0, [0; LANES]);
    }

    #[inline(always)]
    fn score_tile<S: Simd>(&mut self, s: S, inputs: usize, tile: &Tile, out: &mut Out<'_>) {
        if inputs > FEATURE_COUNT {
            let unusable = tile.usable.map(|word| !word);
            for (bit, line) in self.x.lines_mut()[FEATURE_COUNT..].iter_mut().enumerate() {
                s.store(s.keep(s.splat(1.0), &unusable, 1 << bit), line);
            }
        }
        let x = &self.x.lines()[..inputs];
        let rebuilt = self.chain.tile(s, x, &mut self.scratch);
        self.verdicts.judge_tile(s, &x[..FEATURE_COUNT], rebuilt, &self.inverse_scale, &tile.usable);
        for lane in 0..tile.count {
            if let Some(out) = out.scores.get_mut(tile.places[lane]) {
                *out = self.verdicts.score(lane, tile.usable[lane].count_ones());
            }
        }
        for (head, out) in self.heads.iter_mut().zip(&mut out.heads) {
            let (Some((head, scratch)), false) = (head, out.is_empty()) else { continue };
            for (k, line) in head.tile(s, x, scratch).iter().enumerate() {
                for (says, place) in line.iter().zip(&tile.places[..tile.count]) {
                    if let Some(out) = out.get_mut(*place) {
                        out[k] = *says;
                    }
                }
            }
        }
    }

    #[inline(always)]
    fn score_rows<S: Simd>(&mut self, s: S, inputs: usize, tile: &Tile, out: &mut Out<'_>) {
        for lane in 0..tile.count {
            let usable = tile.usable[lane];
            let mut x = [0.0; INPUT_COUNT];
            for (feature, line) in self.x.lines()[..FEATURE_COUNT].iter().enumerate() {
                x[feature] = line[lane];
                x[FEATURE_COUNT + feature] = if usable >> feature & 1 == 1 { 0.0 } else { 1.0 };
            }
            let rebuilt = self.chain.row(s, &x[..inputs], &mut self.scratch);
            self.verdicts.judge_row(&x[..FEATURE_COUNT], rebuilt, &self.inverse_scale, usable);
            if let Some(out) = out.scores.get_mut(tile.places[lane]) {
                *out = self.verdicts.score(0, usable.count_ones());
            }
            for (head, out) in self.heads.iter_mut().zip(&mut out.heads) {
                if let (Some((head, scratch)), Some(out)) = (head, out.get_mut(tile.places[lane])) {
                    out.copy_from_slice(head.row(s, &x[..inputs], scratch));
                }
            }
        }
    }
}

/// An autoencoder of any sizes over rows that are normalised already: the kernels of [`FusedScorer`] without a model, for
/// comparing them with other engines and for networks beyond this build's feature schema.
#[derive(Debug)]
pub struct FusedAutoencoder {
    kernel: Kernel,
    chain: Chain,
    scratch: Scratch,
    x: Aligned,
    verdicts: Box<Verdicts>,
    ones: Vec<f32>,
}

impl FusedAutoencoder {
    /// The autoencoder of `layers`, first to last, on `kernel`.
    ///
    /// # Errors
    /// Layers that do not fit together or are no autoencoder, or a kernel that this processor cannot run.
    pub fn new(layers: &[DenseLayer], kernel: Kernel) -> Result<Self, FusedError> {
        let chain = Chain::new(layers, checked(kernel)?)?;
        let (inputs, outputs) = (chain.inputs(), chain.outputs());
        if inputs != outputs || inputs > FEATURES_MAX {
            return Err(FusedError::NotAnAutoencoder { inputs, outputs });
        }
        let (scratch, x) = (chain.scratch(), Aligned::zeroed(inputs));
        Ok(Self { kernel, scratch, x, verdicts: Box::new(Verdicts::new()), ones: vec![1.0; inputs], chain })
    }

    /// Mean squared error of the reconstruction of each row of `x` (row-major), one per number in `out`.
    ///
    /// # Panics
    /// When `x` does not hold as many whole rows as `out` has numbers.
    pub fn mean_squared_errors(&mut self, x: &[f32], out: &mut [f32]) {
        assert_eq!(x.len(), out.len() * self.chain.inputs(), "one result per row");
        self.kernel.dispatch(Errors { network: self, x, out });
    }
}

/// One call of [`FusedAutoencoder::mean_squared_errors`].
struct Errors<'a> {
    network: &'a mut FusedAutoencoder,
    x: &'a [f32],
    out: &'a mut [f32],
}

impl Work for Errors<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let FusedAutoencoder { chain, scratch, x: tile, verdicts, ones, .. } = self.network;
        let features = chain.inputs();
        #[expect(clippy::cast_precision_loss, reason = "32 at most")]
        let count = features as f32;
        for (out, rows) in self.out.chunks_mut(LANES).zip(self.x.chunks(LANES * features)) {
            if out.len() <= ROWS_ALONE_MAX {
                for (out, row) in out.iter_mut().zip(rows.chunks_exact(features)) {
                    verdicts.judge_row(row, chain.row(s, row, scratch), ones, u32::MAX);
                    *out = verdicts.sum[0] / count;
                }
                continue;
            }
            columns(rows, features, tile.lines_mut());
            let rebuilt = chain.tile(s, tile.lines(), scratch);
            verdicts.sum_tile(s, tile.lines(), rebuilt);
            for (out, sum) in out.iter_mut().zip(verdicts.sum) {
                *out = sum / count;
            }
        }
    }
}

/// Turns up to sixteen rows into lines of one feature each.
#[inline(always)]
fn columns(rows: &[f32], features: usize, lines: &mut [Line]) {
    if rows.len() < LANES * features {
        for (lane, row) in rows.chunks_exact(features).enumerate() {
            lines.iter_mut().zip(row).for_each(|(line, value)| line[lane] = *value);
        }
        return;
    }
    // Line by line: one store per line instead of one per number.
    let mut rows = rows.chunks_exact(features);
    let rows: [&[f32]; LANES] = std::array::from_fn(|_| rows.next().unwrap_or_default());
    for (feature, line) in lines.iter_mut().enumerate().take(features) {
        for lane in 0..LANES {
            line[lane] = rows[lane][feature];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::reference::ReferenceScorer;
    use super::*;
    use crate::heads::{Heads, random_fat_finger, random_slippage};
    use crate::synthetic::{Market, model};
    use types::{BookState, UnixNanos};

    /// Rows of an ordinary market, every fifth with holes, every ninth of a lost book.
    fn rows(count: u32) -> Vec<FeatureVector> {
        let mut market = Market::new("AAA", 1.0, 99);
        let row = |i: u32| {
            let row = market.row(u64::from(i), 0.3);
            let state = if i % 9 == 8 { BookState::Empty } else { BookState::Live };
            FeatureVector {
                ts: UnixNanos(1),
                instrument: InstrumentId(i % 3),
                valid: if i % 5 == 4 { row.valid & 0x1b7f } else { row.valid },
                values: row.values,
                book_state: state.to_u8(),
                ..FeatureVector::EMPTY
            }
        };
        (0..count).map(row).collect()
    }

    #[test]
    fn heads_say_the_same_on_every_kernel_and_in_double_precision() {
        let model = model().clone();
        let both = |heads: &mut Heads| {
            *heads = Heads { slippage: Some(random_slippage(5)), surface: Some(random_fat_finger(6)) };
        };
        let model = model.with_heads(both).unwrap();
        let mut reference = ReferenceScorer::new(&model, 64);
        let mut of_kernels = vec![];
        for kernel in Kernel::ALL.into_iter().filter(|kernel| kernel.is_available()) {
            let mut scorer = FusedScorer::with_kernel(&model, 64, kernel).unwrap();
            let mut all = vec![];
            // Whole tiles, tiles in part, and rows alone.
            for count in [1, 3, 4, 16, 19, 35] {
                let rows = rows(count);
                for i in 0..3 {
                    scorer.define(InstrumentId(i), Symbol::new("AAA").unwrap());
                    reference.define(InstrumentId(i), Symbol::new("AAA").unwrap());
                }
                rows.iter().enumerate().for_each(|(place, row)| scorer.stage(place, row));
                scorer.start();
                let asked = rows.iter().enumerate().flat_map(|row| Head::ALL.map(|head| (head, row)));
                for (head, (place, row)) in asked {
                    let (found, want) = (scorer.head(head, place), reference.increments(head, row));
                    assert_eq!(found.is_some(), want.is_some() && scorer.result(place).is_some());
                    for (found, want) in found.iter().flatten().zip(want.iter().flatten()) {
                        assert!((found - want).abs() <= 1e-5 * want.max(1.0), "{found} {want}");
                    }
                    all.push(found.map(|says| says.map(f32::to_bits)));
                }
            }
            assert!(all.iter().flatten().flatten().any(|bits| *bits != 0));
            of_kernels.push(all);
        }
        assert!(of_kernels.windows(2).all(|pair| pair[0] == pair[1]), "kernels differ");
        // The first row, alone and among two others, and what two heads say of it.
        assert_eq!(of_kernels[0][..2], of_kernels[0][2..4]);
        assert_ne!(of_kernels[0][0], of_kernels[0][1]);
    }

    #[test]
    fn without_a_head_nothing_is_said() {
        let headed = model().clone().with_heads(|heads| heads.slippage = Some(random_slippage(5))).unwrap();
        let unasked = headed.asking(&[Head::Surface]);
        assert_eq!(unasked.id(), headed.id());
        let mut scorer = FusedScorer::new(&unasked, 4).unwrap();
        scorer.define(InstrumentId(0), Symbol::new("AAA").unwrap());
        scorer.stage(0, &rows(1)[0]);
        scorer.start();
        assert!(scorer.result(0).is_some() && Head::ALL.iter().all(|head| scorer.head(*head, 0).is_none()));
    }
}
