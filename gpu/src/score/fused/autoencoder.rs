//! The kernels without a model.

use super::aligned::Aligned;
use super::chain::{Chain, DenseLayer, Scratch};
use super::engine::{FusedError, ROWS_ALONE_MAX, checked};
use super::lanes::{Kernel, LANES, Line, Simd, Work};
use super::verdict::{FEATURES_MAX, Verdicts};

/// An autoencoder of any sizes over rows that are normalised already: the kernels of `FusedScorer` without a model, for
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
