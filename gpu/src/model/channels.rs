//! What a score can come from beside the autoencoder, and the law of each in calm markets.

use serde::{Deserialize, Serialize};
use types::{FeatureId, FeatureSchema};

use super::calibration::{Calibration, Calibrations};
use crate::inputs::{Named, first_fault, named, parsed};

/// What a score comes from. Each has a law of its own; together they keep one budget of false alarms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Channel {
    /// The autoencoder: all features together, and what nobody thought of.
    #[default]
    Joint,
    /// Signed order flow that adds up: [`FeatureId::SellingExcess`], [`FeatureId::BuyingExcess`]. Measured in the instrument's own
    /// recent flow, it needs no profile, so it speaks of instruments that the model has never seen.
    Flow,
}

impl Channel {
    /// Its name in files.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Joint => "joint",
            Self::Flow => "flow",
        }
    }
}

/// The laws of the channels beside the autoencoder.
#[derive(Clone, Debug, PartialEq)]
pub struct ChannelLaws {
    /// Of the larger of both excesses of order flow: all symbols together, and those that had enough calm rows.
    pub flow: Calibrations,
}

/// The features that the channels read: those of an older build with fewer would be other numbers under the same law.
const fn schema() -> FeatureSchema {
    FeatureSchema::prefix(FeatureId::BuyingRun as usize + 1)
}

/// `[channels]` of the manifest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ChannelSection {
    pub(super) schema_hash: String,
    flow: Calibration,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    symbol_flow: Vec<Named<Calibration>>,
}

impl ChannelSection {
    pub(super) fn of(laws: &ChannelLaws) -> Self {
        let ChannelLaws { flow } = laws;
        let (flow, symbol_flow) = (flow.pooled.clone(), named(&flow.symbols));
        Self { schema_hash: Self::wanted_hash(), flow, symbol_flow }
    }

    /// The hash of the features that this build's channels read.
    pub(super) fn wanted_hash() -> String {
        format!("0x{:016x}", schema().hash)
    }

    /// Where something is wrong with a law read from a file, and what.
    pub(super) fn fault(&self) -> Option<(String, &'static str)> {
        let pooled = self.flow.fault().map(|fault| ("channels.flow".to_owned(), fault));
        pooled.or_else(|| first_fault(&self.symbol_flow, Calibration::fault))
    }

    /// # Errors
    /// The first name that no symbol has.
    pub(super) fn laws(self) -> Result<ChannelLaws, String> {
        Ok(ChannelLaws { flow: Calibrations { pooled: self.flow, symbols: parsed(self.symbol_flow)? } })
    }
}
