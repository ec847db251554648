//! The pass over a tile: normalised rows through the network and its heads, to scores.

use types::MODEL_FEATURE_COUNT;

use super::aligned::Aligned;
use super::chain::{Chain, ChainError, DenseLayer, Scratch, Then};
use super::lanes::{Kernel, LANES, Simd};
use super::prepare::FusedProfile;
use super::tile::Tile;
use super::verdict::{FEATURES_MAX, Verdicts};
use crate::heads::{Head, PerHead};
use crate::inputs::{Bindings, INPUT_COUNT};
use crate::model::{Model, RawScore, ScoreLaw};
use crate::network::{HeadLayers, Increments, Layer, LayerId, Network};

/// Up to so many rows are scored one by one: a tile costs what about three rows alone do, however many rows are in it.
pub(super) const ROWS_ALONE_MAX: usize = 3;

/// Usable bits of a row that lacks nothing.
const ALL_USABLE: u32 = (1 << MODEL_FEATURE_COUNT) - 1;

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
    #[error(
        "an autoencoder has as many outputs as inputs, at most {FEATURES_MAX}; found {inputs} inputs and {outputs} outputs"
    )]
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
        LayerId::Encoder0 | LayerId::Encoder1 | LayerId::LogVar | LayerId::Decoder0 | LayerId::Decoder1 => {
            Then::Relu
        }
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

/// The kernel, when this processor can run it.
pub(super) fn checked(kernel: Kernel) -> Result<Kernel, FusedError> {
    if kernel.is_available() { Ok(kernel) } else { Err(FusedError::Unavailable(kernel)) }
}

/// What a tile needs besides its rows.
#[derive(Debug)]
pub(super) struct Engine {
    pub(super) chain: Chain,
    pub(super) scratch: Scratch,
    pub(super) heads: PerHead<Option<(Chain, Scratch)>>,
    /// One line of rows per input: the features, then the missing bits.
    pub(super) x: Aligned,
    pub(super) verdicts: Box<Verdicts>,
    pub(super) inverse_scale: [f32; MODEL_FEATURE_COUNT],
}

/// Where results go, by place.
pub(super) struct Out<'a> {
    pub(super) scores: &'a mut [Option<RawScore>],
    /// What each head says; empty when it is not asked.
    pub(super) heads: PerHead<&'a mut [Increments]>,
}

impl Engine {
    /// An engine of `model` on `kernel`.
    ///
    /// # Errors
    /// A kernel that this processor cannot run, or layers that make no network.
    pub(super) fn new(model: &Model, kernel: Kernel) -> Result<Self, FusedError> {
        let law = model.score_law();
        let chain = Chain::new(&layers_of(model.network(), law), checked(kernel)?)?;
        let mut heads = Head::ALL.map(|_| None);
        for (slot, head) in heads.iter_mut().zip(Head::ALL) {
            if let Some(layers) = model.heads().layers(head) {
                let chain = Chain::new(&layers_of_head(layers), kernel)?;
                let scratch = chain.scratch();
                *slot = Some((chain, scratch));
            }
        }
        Ok(Self {
            scratch: chain.scratch(),
            chain,
            heads,
            x: Aligned::zeroed(INPUT_COUNT),
            verdicts: Box::new(Verdicts::new()),
            inverse_scale: law.inverse_scale_f32(),
        })
    }

    /// Scores the rows of `tile`, writes their results to their places and empties it.
    #[inline(always)]
    pub(super) fn flush<S: Simd>(
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
        let Some((features, _)) = self.x.lines_mut().split_first_chunk_mut::<MODEL_FEATURE_COUNT>() else {
            return;
        };
        let mut everywhere = u32::MAX;
        for lane in 0..tile.count {
            let Some(profile) = profiles.of(tile.instruments[lane]) else { continue };
            #[expect(clippy::cast_possible_truncation, reason = "came from sixteen bits")]
            let usable = tile.usable[lane] as u16;
            tile.logs.normalise(lane, &tile.values[lane], usable, profile, features);
            everywhere &= tile.usable[lane];
        }
        // Where nothing is missing in any row, the missing bits are zeros and need not be multiplied.
        let inputs = if everywhere == ALL_USABLE { MODEL_FEATURE_COUNT } else { INPUT_COUNT };
        if tile.count > ROWS_ALONE_MAX {
            self.score_tile(s, inputs, tile, out);
        } else {
            self.score_rows(s, inputs, tile, out);
        }
        (tile.count, tile.usable) = (0, [0; LANES]);
    }

    #[inline(always)]
    fn score_tile<S: Simd>(&mut self, s: S, inputs: usize, tile: &Tile, out: &mut Out<'_>) {
        if inputs > MODEL_FEATURE_COUNT {
            let unusable = tile.usable.map(|word| !word);
            for (bit, line) in self.x.lines_mut()[MODEL_FEATURE_COUNT..].iter_mut().enumerate() {
                s.store(s.keep(s.splat(1.0), &unusable, 1 << bit), line);
            }
        }
        let x = &self.x.lines()[..inputs];
        let rebuilt = self.chain.tile(s, x, &mut self.scratch);
        self.verdicts.judge_tile(s, &x[..MODEL_FEATURE_COUNT], rebuilt, &self.inverse_scale, &tile.usable);
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
            for (feature, line) in self.x.lines()[..MODEL_FEATURE_COUNT].iter().enumerate() {
                x[feature] = line[lane];
                x[MODEL_FEATURE_COUNT + feature] = if usable >> feature & 1 == 1 { 0.0 } else { 1.0 };
            }
            let rebuilt = self.chain.row(s, &x[..inputs], &mut self.scratch);
            self.verdicts.judge_row(&x[..MODEL_FEATURE_COUNT], rebuilt, &self.inverse_scale, usable);
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
