//! The head's weights, its forward pass in double precision, and its file.

use serde::{Deserialize, Serialize};
use types::Symbol;

use super::record::SlippageRecord;
use super::scale::{SLIPPAGE_HORIZON_NS, SLIPPAGE_OUTPUTS, SLIPPAGE_QUANTILE, SLIPPAGE_SIZES, SlippageScale};
use crate::heads::part::{HeadPart, Mismatch, differs};
use crate::inputs::{Input, Named, PerSymbol, first_fault, named, parsed};
use crate::network::{HeadLayers, increments};

/// What the increments add up to; heads of anything else are refused.
const SLIPPAGE_TARGET: &str = "drift";

/// The scales of a head: one for every symbol it was trained on, and the pooled one for the rest.
pub(crate) type SlippageScales = PerSymbol<SlippageScale>;

impl SlippageScales {
    /// Multiplies every drift by `factor`.
    pub(crate) fn multiply(&mut self, factor: f32) {
        let all = self.symbols.iter_mut().map(|(_, scale)| scale).chain([&mut self.pooled]);
        all.flat_map(|scale| &mut scale.increment_bps).for_each(|bps| *bps *= factor);
    }
}

/// The slippage network of a model. What is inside has been checked: every number finite, every scale positive.
#[derive(Clone, Debug, PartialEq)]
pub struct SlippageModel {
    pub(crate) layers: HeadLayers,
    pub(crate) scales: SlippageScales,
    pub(crate) record: SlippageRecord,
}

impl SlippageModel {
    /// What the increments of `symbol` are counted in.
    #[must_use]
    pub fn scale(&self, symbol: Symbol) -> &SlippageScale {
        self.scales.of(symbol)
    }

    /// The scale of symbols it was not trained on, and those with one of their own, sorted.
    pub(crate) const fn scales(&self) -> &SlippageScales {
        &self.scales
    }

    /// Where the head comes from.
    #[must_use]
    pub const fn record(&self) -> &SlippageRecord {
        &self.record
    }

    /// The increments of one input: for a buyer, then for a seller, smallest size first; never negative. The oracle that
    /// every other backend is held to.
    pub(crate) fn increments(&self, input: &Input) -> [f64; SLIPPAGE_OUTPUTS] {
        increments(&self.layers, input)
    }

    /// The costs in bps of one input and the walk of its book (NaN where the book does not hold the size) under `scale`: for a
    /// buyer, then for a seller, smallest size first; infinite where the book does not hold the size, now or usually.
    pub(crate) fn slippage_bps(
        &self,
        scale: &SlippageScale,
        walk: &[f32; SLIPPAGE_OUTPUTS],
        input: &Input,
    ) -> [f64; SLIPPAGE_OUTPUTS] {
        let increments = self.increments(input);
        let mut drift = 0.0;
        core::array::from_fn(|i| {
            let size = i % SLIPPAGE_SIZES.len();
            let before = if size == 0 { 0.0 } else { drift };
            drift = before + increments[i] * f64::from(scale.increment_bps[size]);
            let held = size < usize::from(scale.held) && walk[i].is_finite();
            if held { f64::from(walk[i]) + drift } else { f64::INFINITY }
        })
    }
}

/// `[slippage]` of the manifest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SlippageSection {
    pub(crate) weights: String,
    pub(crate) weights_blake3: String,
    pub(crate) target: String,
    pub(crate) quantile: f64,
    pub(crate) horizon_ns: u64,
    pub(crate) sizes: Vec<f32>,
    pub(crate) training: SlippageRecord,
    pub(crate) scale: SlippageScale,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) symbol_scale: Vec<Named<SlippageScale>>,
}

impl HeadPart for SlippageModel {
    type Section = SlippageSection;

    fn layers(&self) -> &HeadLayers {
        &self.layers
    }

    fn section(&self, weights: &str, digest: String) -> SlippageSection {
        SlippageSection {
            weights: weights.to_owned(),
            weights_blake3: digest,
            target: SLIPPAGE_TARGET.to_owned(),
            quantile: SLIPPAGE_QUANTILE,
            horizon_ns: SLIPPAGE_HORIZON_NS,
            sizes: SLIPPAGE_SIZES.to_vec(),
            training: self.record.clone(),
            scale: self.scales.pooled.clone(),
            symbol_scale: named(&self.scales.symbols),
        }
    }

    fn weights(section: &SlippageSection) -> (&str, &str) {
        (&section.weights, &section.weights_blake3)
    }

    fn mismatch(section: &SlippageSection) -> Option<Mismatch> {
        let SlippageSection { target, quantile, horizon_ns, sizes, .. } = section;
        let text = |v: &dyn ToString| v.to_string();
        differs("slippage.target", target.clone(), SLIPPAGE_TARGET.to_owned())
            .or_else(|| differs("slippage.quantile", text(quantile), text(&SLIPPAGE_QUANTILE)))
            .or_else(|| differs("slippage.horizon_ns", text(horizon_ns), text(&SLIPPAGE_HORIZON_NS)))
            .or_else(|| differs("slippage.sizes", format!("{sizes:?}"), format!("{SLIPPAGE_SIZES:?}")))
    }

    fn fault(section: &SlippageSection) -> Option<(String, &'static str)> {
        let pooled = section.scale.fault().map(|fault| ("slippage.scale".to_owned(), fault));
        pooled.or_else(|| first_fault(&section.symbol_scale, SlippageScale::fault))
    }

    fn assemble(section: SlippageSection, layers: HeadLayers) -> Result<Self, String> {
        let scales = SlippageScales { pooled: section.scale, symbols: parsed(section.symbol_scale)? };
        Ok(Self { layers, scales, record: section.training })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::inputs::INPUT_COUNT;
    use crate::network::{HEAD_INNER, random_layers};
    use proptest::prelude::*;

    /// A head with He-scaled random weights, for tests of the arithmetic.
    pub(crate) fn random_head(seed: u64) -> SlippageModel {
        let scale = |by: f32, held| SlippageScale {
            increment_bps: core::array::from_fn(|size| by * SLIPPAGE_SIZES[size].sqrt()),
            held,
            rows: 1_000,
        };
        let symbols =
            vec![(Symbol::new("AAA").unwrap(), scale(0.5, 8)), (Symbol::new("BBB").unwrap(), scale(3.0, 5))];
        SlippageModel {
            layers: random_layers(seed),
            scales: SlippageScales { pooled: scale(1.0, 6), symbols },
            record: SlippageRecord { first_ts_ns: 1, last_ts_ns: 2, ..SlippageRecord::default() },
        }
    }

    #[test]
    fn costs_are_the_hand_worked_sums_of_a_forward_pass() {
        let mut head = random_head(1);
        for layer in &mut head.layers {
            layer.weight.fill(0.0);
            layer.bias.fill(0.0);
        }
        // Hidden unit 3 is 2 x0 - 1; increment 1 of a buyer is 0.5 of it, increment 0 of a seller is -1 of it, plus 0.25.
        head.layers[0].weight[3 * INPUT_COUNT] = 2.0;
        head.layers[0].bias[3] = -1.0;
        head.layers[1].weight[HEAD_INNER + 3] = 0.5;
        head.layers[1].weight[8 * HEAD_INNER + 3] = -1.0;
        head.layers[1].bias[8] = 0.25;
        let mut input = Input { x: [0.0; INPUT_COUNT], usable: 0x1fff };
        let increments = |input: &Input| head.increments(input);
        assert_eq!((increments(&input)[1], increments(&input)[8]), (0.0, 0.25));
        input.x[0] = 2.5;
        assert_eq!((increments(&input)[1], increments(&input)[8]), (2.0, 0.0));
        let scale = SlippageScale { increment_bps: [3.0; 8], held: 7, rows: 1 };
        let mut walk = [0.0; SLIPPAGE_OUTPUTS];
        let costs = head.slippage_bps(&scale, &walk, &input);
        assert_eq!(costs[..8], [0.0, 6.0, 6.0, 6.0, 6.0, 6.0, 6.0, f64::INFINITY]);
        assert_eq!(costs[8..15], [0.0; 7]);
        walk[1..6].copy_from_slice(&[0.5, 1.0, 2.0, f32::INFINITY, f32::NAN]);
        walk[9] = 0.25;
        let costs = head.slippage_bps(&scale, &walk, &input);
        assert_eq!(costs[..6], [0.0, 6.5, 7.0, 8.0, f64::INFINITY, f64::INFINITY]);
        assert_eq!(costs[8..10], [0.0, 0.25]);
    }

    #[test]
    fn an_unknown_symbol_has_the_pooled_scale() {
        let head = random_head(2);
        assert_eq!(head.scale(Symbol::new("BBB").unwrap()).held, 5);
        assert_eq!(head.scale(Symbol::new("ZZZ").unwrap()), &head.scales().pooled);
    }

    proptest! {
        #[test]
        fn costs_never_fall_with_size_whatever_the_weights(
            seed in any::<u64>(),
            x in prop::array::uniform26(-10.0_f32..10.0),
            steps in prop::array::uniform16(0.0_f32..5.0),
            held_now in 0_usize..=8,
        ) {
            let mut walk = [f32::INFINITY; SLIPPAGE_OUTPUTS];
            for side in 0..2 {
                let mut sum = 0.0;
                for size in 0..held_now {
                    sum += steps[8 * side + size];
                    walk[8 * side + size] = sum;
                }
            }
            let head = random_head(seed);
            let input = Input { x, usable: 0x1fff };
            for symbol in ["AAA", "BBB", "CCC"] {
                let scale = head.scale(Symbol::new(symbol).unwrap());
                let costs = head.slippage_bps(scale, &walk, &input);
                for side in costs.chunks_exact(8) {
                    prop_assert!(side[0] >= 0.0 && side.windows(2).all(|w| w[0] <= w[1]));
                }
                prop_assert!(costs.iter().zip(walk).all(|(cost, walk)| *cost >= f64::from(walk)));
                // The sums in single precision are the same to rounding.
                #[expect(clippy::cast_possible_truncation, reason = "the network is f32")]
                let single = scale.slippage_bps(&walk, &head.increments(&input).map(|v| v as f32));
                for (wide, narrow) in costs.iter().zip(single.as_flattened()) {
                    let near = (wide - f64::from(*narrow)).abs() <= 1e-5 * wide.abs().max(1.0);
                    let unheld = wide.is_infinite() && narrow.is_infinite();
                    prop_assert!(unheld || near, "{} {}", wide, narrow);
                }
            }
        }
    }
}
