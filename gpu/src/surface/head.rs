//! The head's weights, its file, and its table of the manifest.

use serde::{Deserialize, Serialize};
use types::Symbol;

use super::law::{SURFACE_BUCKETS, SURFACE_EDGES_BPS, SurfaceLaw};
use super::train::{SurfaceReport, SurfaceTrainConfig};
use crate::head::{HeadLayers, HeadShape, head_shape, increments};
use crate::model::{Named, named};
use crate::network::{WeightsError, layers_from_bytes, layers_to_bytes};
use crate::normalise::Input;

/// The layers in the weights file.
const SHAPE: HeadShape = head_shape("surface.0", "surface.1");

/// Where a head comes from: facts of its training, kept in the manifest.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SurfaceRecord {
    /// First order fitted to, ns since 1970.
    pub first_ts_ns: u64,
    /// Last order fitted to or calibrated on, ns since 1970.
    pub last_ts_ns: u64,
    /// Settings.
    pub config: SurfaceTrainConfig,
    /// Results.
    pub report: SurfaceReport,
}

/// How a symbol's orders are compared with those of all symbols.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SurfaceOffset {
    /// Doublings by which the desk's median order in the symbol, as a multiple of the touch, is above that in all symbols.
    pub doublings: f64,
    /// Orders it was taken from.
    pub orders: u64,
}

impl SurfaceOffset {
    /// What is wrong with an offset read from a file, if anything.
    pub(crate) fn fault(&self) -> Option<&'static str> {
        (!(-64.0..=64.0).contains(&self.doublings)).then_some("an offset beyond 64 doublings")
    }
}

/// The error-probability network of a model. What is inside has been checked: every number finite, steepness and unit
/// positive.
#[derive(Clone, Debug, PartialEq)]
pub struct SurfaceModel {
    pub(crate) layers: HeadLayers,
    pub(crate) law: SurfaceLaw,
    /// Sorted by symbol.
    pub(crate) offsets: Vec<(Symbol, SurfaceOffset)>,
    pub(crate) record: SurfaceRecord,
}

impl SurfaceModel {
    /// The layers, first to last, each followed by a ReLU: 26 inputs to 32, then to the 16 increments.
    pub(crate) const fn layers(&self) -> &HeadLayers {
        &self.layers
    }

    /// What makes probabilities and sizes of the increments of `symbol`: boundaries lie as much higher as the desk's orders
    /// are usually larger there, because the inputs, normalised by symbol, do not say how deep its usual touch is.
    #[must_use]
    pub fn law_of(&self, symbol: Symbol) -> SurfaceLaw {
        SurfaceLaw { c0: self.law.c0 + offset_of(&self.offsets, symbol), ..self.law }
    }

    /// The law of each symbol that has one of its own, sorted by symbol.
    pub(crate) fn laws(&self) -> Vec<(Symbol, SurfaceLaw)> {
        self.offsets.iter().map(|(symbol, _)| (*symbol, self.law_of(*symbol))).collect()
    }

    /// The law of symbols whose orders it was not trained on.
    #[must_use]
    pub const fn law(&self) -> &SurfaceLaw {
        &self.law
    }

    /// Where the head comes from.
    #[must_use]
    pub const fn record(&self) -> &SurfaceRecord {
        &self.record
    }

    /// The increments of one input, least aggressive bucket first; never negative. The oracle that every other backend is
    /// held to.
    pub(crate) fn increments(&self, input: &Input) -> [f64; SURFACE_BUCKETS] {
        increments(&self.layers, input)
    }

    /// The safetensors file of the weights; the same weights give the same bytes.
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, WeightsError> {
        layers_to_bytes(&self.layers, &SHAPE)
    }

    /// The layers in such a file.
    pub(crate) fn layers_from_bytes(bytes: &[u8]) -> Result<HeadLayers, WeightsError> {
        layers_from_bytes(bytes, &SHAPE)
    }
}

/// The offset of `symbol` in doublings; none of its own is one of nothing.
pub(super) fn offset_of(offsets: &[(Symbol, SurfaceOffset)], symbol: Symbol) -> f64 {
    offsets.binary_search_by_key(&symbol, |(name, _)| *name).map_or(0.0, |i| offsets[i].1.doublings)
}

/// `[surface]` of the manifest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SurfaceManifest {
    pub(crate) weights: String,
    pub(crate) weights_blake3: String,
    pub(crate) edges_bps: Vec<f64>,
    pub(crate) law: SurfaceLaw,
    pub(crate) training: SurfaceRecord,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) symbol_offset: Vec<Named<SurfaceOffset>>,
}

impl SurfaceManifest {
    /// The table of `head`, whose weights the file `weights` of this content holds.
    pub(crate) fn of(head: &SurfaceModel, weights: &str, bytes: &[u8]) -> Self {
        Self {
            weights: weights.to_owned(),
            weights_blake3: blake3::hash(bytes).to_string(),
            edges_bps: SURFACE_EDGES_BPS.to_vec(),
            law: head.law,
            training: head.record.clone(),
            symbol_offset: named(&head.offsets),
        }
    }

    /// What a head of this build says of itself apart from its numbers: name, found, wanted of the first that differs.
    pub(crate) fn mismatch(&self, weights_name: &str) -> Option<(&'static str, String, String)> {
        let differs =
            |what, found: String, wanted: String| (found != wanted).then_some((what, found, wanted));
        differs("surface.weights", self.weights.clone(), weights_name.to_owned()).or_else(|| {
            differs("surface.edges_bps", format!("{:?}", self.edges_bps), format!("{SURFACE_EDGES_BPS:?}"))
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::head::tests::random_layers;
    use crate::normalise::INPUT_COUNT;

    /// A head with He-scaled random weights, for tests of the arithmetic.
    pub(crate) fn random_head(seed: u64) -> SurfaceModel {
        SurfaceModel {
            layers: random_layers(seed),
            law: SurfaceLaw { c0: -6.0, unit: 0.5, k: 2.0, prior: 1e-4 },
            offsets: vec![(Symbol::new("AAA").unwrap(), SurfaceOffset { doublings: 0.0, orders: 100 })],
            record: SurfaceRecord { first_ts_ns: 1, last_ts_ns: 2, ..SurfaceRecord::default() },
        }
    }

    #[test]
    fn increments_are_those_of_the_two_layers() {
        let head = random_head(3);
        let input = Input { x: [0.5; INPUT_COUNT], usable: 0x1fff };
        let found = head.increments(&input);
        assert_eq!(found, increments(&head.layers, &input));
        assert!(found.iter().all(|r| *r >= 0.0) && found.iter().any(|r| *r > 0.0));
    }

    #[test]
    fn a_symbol_has_the_law_of_its_own_orders_and_an_unknown_one_that_of_all() {
        let mut head = random_head(3);
        head.offsets[0].1.doublings = 1.5;
        let law = |name: &str| head.law_of(Symbol::new(name).unwrap());
        assert_eq!(law("AAA"), SurfaceLaw { c0: -4.5, ..*head.law() });
        assert_eq!(law("ZZZ"), *head.law());
        // The same order, one and a half doublings larger, is as likely an error.
        let increments = [0.5; SURFACE_BUCKETS];
        let (usual, deep) = (law("ZZZ"), law("AAA"));
        let p = usual.probability(&increments, 3, 2.0);
        assert!((deep.probability(&increments, 3, 2.0 * 1.5_f64.exp2()) - p).abs() < 1e-12);
    }

    #[test]
    fn weights_survive_the_file_bit_for_bit_and_are_not_the_impact_networks() {
        let head = random_head(3);
        let bytes = head.to_bytes().unwrap();
        assert_eq!(bytes, head.to_bytes().unwrap());
        assert_eq!(&SurfaceModel::layers_from_bytes(&bytes).unwrap(), head.layers());
        let other = crate::slippage::tests::random_head(3).to_bytes().unwrap();
        let error = SurfaceModel::layers_from_bytes(&other).unwrap_err().to_string();
        assert_eq!(error, "tensor surface.0.weight: not found, wanted shape [32, 26]");
    }
}
