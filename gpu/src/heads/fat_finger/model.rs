//! The head's weights, its file, and its table of the manifest.

use serde::{Deserialize, Serialize};
use types::Symbol;

use super::law::{FAT_FINGER_BUCKETS, FAT_FINGER_EDGES_BPS, FatFingerLaw};
use super::record::FatFingerRecord;
use crate::heads::part::{HeadPart, Mismatch, differs};
use crate::inputs::{Input, Named, PerSymbol, first_fault, named, parsed};
use crate::network::{HeadLayers, increments};

/// How a symbol's orders are compared with those of all symbols.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FatFingerOffset {
    /// Doublings by which the desk's median order in the symbol, as a multiple of the touch, is above that in all symbols.
    pub doublings: f64,
    /// Orders it was taken from.
    pub orders: u64,
}

impl FatFingerOffset {
    /// What is wrong with an offset read from a file, if anything.
    pub(crate) fn fault(&self) -> Option<&'static str> {
        (!(-64.0..=64.0).contains(&self.doublings)).then_some("an offset beyond 64 doublings")
    }
}

/// The fat-finger network of a model. What is inside has been checked: every number finite, steepness and unit
/// positive.
#[derive(Clone, Debug, PartialEq)]
pub struct FatFingerModel {
    pub(crate) layers: HeadLayers,
    pub(crate) law: FatFingerLaw,
    /// Sorted by symbol.
    pub(crate) offsets: Vec<(Symbol, FatFingerOffset)>,
    pub(crate) record: FatFingerRecord,
}

impl FatFingerModel {
    /// What makes probabilities and sizes of the increments of `symbol`: boundaries lie as much higher as the desk's orders
    /// are usually larger there, because the inputs, normalised by symbol, do not say how deep its usual touch is.
    #[must_use]
    pub fn law_of(&self, symbol: Symbol) -> FatFingerLaw {
        FatFingerLaw { c0: self.law.c0 + offset_of(&self.offsets, symbol), ..self.law }
    }

    /// The laws of all symbols.
    pub(crate) fn laws(&self) -> PerSymbol<FatFingerLaw> {
        let symbols = self.offsets.iter().map(|(symbol, _)| (*symbol, self.law_of(*symbol))).collect();
        PerSymbol { pooled: self.law, symbols }
    }

    /// The law of symbols whose orders it was not trained on.
    #[must_use]
    pub const fn law(&self) -> &FatFingerLaw {
        &self.law
    }

    /// Where the head comes from.
    #[must_use]
    pub const fn record(&self) -> &FatFingerRecord {
        &self.record
    }

    /// The increments of one input, least aggressive bucket first; never negative. The oracle that every other backend is
    /// held to.
    pub(crate) fn increments(&self, input: &Input) -> [f64; FAT_FINGER_BUCKETS] {
        increments(&self.layers, input)
    }
}

/// The offset of `symbol` in doublings; none of its own is one of nothing.
pub(crate) fn offset_of(offsets: &[(Symbol, FatFingerOffset)], symbol: Symbol) -> f64 {
    offsets.binary_search_by_key(&symbol, |(name, _)| *name).map_or(0.0, |i| offsets[i].1.doublings)
}

/// `[fat_finger]` of the manifest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FatFingerSection {
    pub(crate) weights: String,
    pub(crate) weights_blake3: String,
    pub(crate) edges_bps: Vec<f64>,
    pub(crate) law: FatFingerLaw,
    pub(crate) training: FatFingerRecord,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) symbol_offset: Vec<Named<FatFingerOffset>>,
}

impl HeadPart for FatFingerModel {
    type Section = FatFingerSection;

    fn layers(&self) -> &HeadLayers {
        &self.layers
    }

    fn section(&self, weights: &str, digest: String) -> FatFingerSection {
        FatFingerSection {
            weights: weights.to_owned(),
            weights_blake3: digest,
            edges_bps: FAT_FINGER_EDGES_BPS.to_vec(),
            law: self.law,
            training: self.record.clone(),
            symbol_offset: named(&self.offsets),
        }
    }

    fn weights(section: &FatFingerSection) -> (&str, &str) {
        (&section.weights, &section.weights_blake3)
    }

    fn mismatch(section: &FatFingerSection) -> Option<Mismatch> {
        let (found, wanted) = (format!("{:?}", section.edges_bps), format!("{FAT_FINGER_EDGES_BPS:?}"));
        differs("fat_finger.edges_bps", found, wanted)
    }

    fn fault(section: &FatFingerSection) -> Option<(String, &'static str)> {
        let law = section.law.fault().map(|fault| ("fat_finger.law".to_owned(), fault));
        law.or_else(|| first_fault(&section.symbol_offset, FatFingerOffset::fault))
    }

    fn assemble(section: FatFingerSection, layers: HeadLayers) -> Result<Self, String> {
        let offsets = parsed(section.symbol_offset)?;
        Ok(Self { layers, law: section.law, offsets, record: section.training })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::inputs::INPUT_COUNT;
    use crate::network::random_layers;

    /// A head with He-scaled random weights, for tests of the arithmetic.
    pub(crate) fn random_head(seed: u64) -> FatFingerModel {
        FatFingerModel {
            layers: random_layers(seed),
            law: FatFingerLaw { c0: -6.0, unit: 0.5, k: 2.0, prior: 1e-4 },
            offsets: vec![(Symbol::new("AAA").unwrap(), FatFingerOffset { doublings: 0.0, orders: 100 })],
            record: FatFingerRecord { first_ts_ns: 1, last_ts_ns: 2, ..FatFingerRecord::default() },
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
        assert_eq!(law("AAA"), FatFingerLaw { c0: -4.5, ..*head.law() });
        assert_eq!(law("ZZZ"), *head.law());
        // The same order, one and a half doublings larger, is as likely an error.
        let increments = [0.5; FAT_FINGER_BUCKETS];
        let (usual, deep) = (law("ZZZ"), law("AAA"));
        let p = usual.probability(&increments, 3, 2.0);
        assert!((deep.probability(&increments, 3, 2.0 * 1.5_f64.exp2()) - p).abs() < 1e-12);
    }
}
