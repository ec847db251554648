//! What a score can come from beside the autoencoder, and the law of each in calm markets.
//!
//! A channel reads one number of a vector, which grows with the danger and nothing else: its *reading*. All of them are measured in
//! what the instrument itself has been doing lately, so they need no profile and speak of instruments that the model has never seen.
//! A further channel is a row of [`Channel`], its reading, and a `train channels`.

use std::collections::BTreeMap;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use types::{FeatureId, FeatureSchema};

use super::calibration::{Calibration, Calibrations};
use super::law::TOP_COUNT;
use crate::inputs::{Named, first_fault, named, parsed};

/// What a score comes from. Each has a law of its own; together they keep one budget of false alarms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Channel {
    /// The autoencoder: all features together, and what nobody thought of.
    #[default]
    Joint,
    /// Signed order flow that adds up: the larger of [`FeatureId::SellingCampaign`] and [`FeatureId::BuyingCampaign`].
    Flow,
    /// A spread wider than usual over a depth thinner than usual.
    Liquidity,
    /// More order messages than usual, and than as many trades usually bring.
    Activity,
    /// A move of the mid within ten seconds, either way.
    Move,
    /// The same within two minutes.
    Drift,
}

/// Number of channels beside the autoencoder.
pub(crate) const BESIDE_COUNT: usize = 5;

/// What a channel sees of a vector.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading {
    /// The larger, the more dangerous.
    pub value: f64,
    /// The features that say so, first the one to show ([`FeatureId`] numbers).
    pub top3: [u8; TOP_COUNT],
}

impl Reading {
    fn new(value: f64, top3: [FeatureId; TOP_COUNT]) -> Self {
        Self { value, top3: top3.map(|id| id as u8) }
    }
}

impl Channel {
    /// All channels beside the autoencoder.
    pub const BESIDE: [Self; BESIDE_COUNT] =
        [Self::Flow, Self::Liquidity, Self::Activity, Self::Move, Self::Drift];

    /// Its name in files.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Joint => "joint",
            Self::Flow => "flow",
            Self::Liquidity => "liquidity",
            Self::Activity => "activity",
            Self::Move => "move",
            Self::Drift => "drift",
        }
    }

    /// What it reads of a vector, whose values `value` gives; none while something of it is not known, and of the autoencoder, which
    /// reads all features at once.
    #[must_use]
    pub fn reading(self, value: impl Fn(FeatureId) -> Option<f64>) -> Option<Reading> {
        use FeatureId as F;
        match self {
            Self::Joint => None,
            Self::Flow => {
                let (selling, buying) = (value(F::SellingCampaign)?, value(F::BuyingCampaign)?);
                Some(if selling >= buying {
                    Reading::new(selling, [F::SellingCampaignRun, F::SellingCampaign, F::FlowMean5S])
                } else {
                    Reading::new(buying, [F::BuyingCampaignRun, F::BuyingCampaign, F::FlowMean5S])
                })
            }
            Self::Liquidity => {
                let (spread, depth) = (value(F::SpreadInUsual)?.ln(), value(F::DepthInUsual)?.ln());
                Some(if spread >= -depth {
                    Reading::new(spread - depth, [F::SpreadInUsual, F::DepthInUsual, F::SpreadBps])
                } else {
                    Reading::new(spread - depth, [F::DepthInUsual, F::SpreadInUsual, F::TopDepth])
                })
            }
            Self::Activity => {
                let orders = value(F::OrdersInUsual)?.ln();
                Some(Reading::new(orders, [F::OrdersInUsual, F::CancelRatio, F::TradeToOrder]))
            }
            Self::Move => Some(Reading::new(value(F::Move10S)?.abs(), [F::Move10S, F::Rv1S, F::Rv1M])),
            Self::Drift => Some(Reading::new(value(F::Move2M)?.abs(), [F::Move2M, F::FlowMean30S, F::Rv1M])),
        }
    }

    /// Whether its readings are cumulative sums, whose tail is exponential.
    pub(crate) const fn adds_up(self) -> bool {
        matches!(self, Self::Flow)
    }
}

/// The laws of the channels beside the autoencoder, in the order of [`Channel::BESIDE`].
#[derive(Clone, Debug, PartialEq)]
pub struct ChannelLaws(pub [Calibrations; BESIDE_COUNT]);

impl ChannelLaws {
    /// Each channel with its law.
    pub fn iter(&self) -> impl Iterator<Item = (Channel, &Calibrations)> {
        Channel::BESIDE.into_iter().zip(&self.0)
    }
}

/// The features that the channels read: those of an older build with fewer would be other numbers under the same law.
pub(crate) const READ_COUNT: usize = FeatureId::Move2M as usize + 1;

/// `[channels]` of the manifest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ChannelSection {
    pub(super) schema_hash: String,
    /// By the name of the channel.
    #[serde(default)]
    laws: BTreeMap<String, LawSection>,
    /// What a build with one channel wrote: read so that the hash can say that it is another's.
    #[serde(default, skip_serializing)]
    flow: IgnoredAny,
    #[serde(default, skip_serializing)]
    symbol_flow: IgnoredAny,
}

/// The law of one channel: of all symbols together, and of those that had enough calm rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LawSection {
    pooled: Calibration,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    symbols: Vec<Named<Calibration>>,
}

impl ChannelSection {
    pub(super) fn of(laws: &ChannelLaws) -> Self {
        let section = |(channel, law): (Channel, &Calibrations)| {
            let section = LawSection { pooled: law.pooled.clone(), symbols: named(&law.symbols) };
            (channel.as_str().to_owned(), section)
        };
        let laws = laws.iter().map(section).collect();
        Self { schema_hash: Self::wanted_hash(), laws, flow: IgnoredAny, symbol_flow: IgnoredAny }
    }

    /// The hash of the features that this build's channels read.
    pub(super) fn wanted_hash() -> String {
        format!("0x{:016x}", FeatureSchema::prefix(READ_COUNT).hash)
    }

    /// Where something is wrong with a law read from a file, and what.
    pub(super) fn fault(&self) -> Option<(String, &'static str)> {
        let is_known = |name: &str| Channel::BESIDE.iter().any(|channel| channel.as_str() == name);
        if let Some(name) = self.laws.keys().find(|name| !is_known(name)) {
            return Some((format!("channels.laws.{name}"), "a channel that this build does not know"));
        }
        if let Some(channel) =
            Channel::BESIDE.iter().find(|channel| !self.laws.contains_key(channel.as_str()))
        {
            return Some((format!("channels.laws.{}", channel.as_str()), "no law"));
        }
        self.laws.iter().find_map(|(name, law)| {
            let pooled = law.pooled.fault().map(|fault| (format!("channels.laws.{name}"), fault));
            pooled.or_else(|| first_fault(&law.symbols, Calibration::fault))
        })
    }

    /// Of a section without [`ChannelSection::fault`].
    ///
    /// # Errors
    /// The first name that no symbol, or no channel, has.
    pub(super) fn laws(mut self) -> Result<ChannelLaws, String> {
        let mut laws = Vec::with_capacity(BESIDE_COUNT);
        for channel in Channel::BESIDE {
            let Some(law) = self.laws.remove(channel.as_str()) else {
                return Err(channel.as_str().to_owned());
            };
            laws.push(Calibrations { pooled: law.pooled, symbols: parsed(law.symbols)? });
        }
        laws.try_into().map(ChannelLaws).map_err(|_| "channels".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::FeatureVector;

    fn read(channel: Channel, values: &[(FeatureId, f64)]) -> Option<Reading> {
        let mut vector = FeatureVector::EMPTY;
        values.iter().for_each(|(id, value)| vector.set(*id, *value));
        channel.reading(|id| vector.get(id))
    }

    #[test]
    fn readings_grow_with_the_danger_and_name_what_makes_them() {
        use FeatureId as F;
        let flow = read(Channel::Flow, &[(F::SellingCampaign, 3.0), (F::BuyingCampaign, 7.5)]).unwrap();
        assert_eq!((flow.value, flow.top3[0]), (7.5, F::BuyingCampaignRun as u8));
        // Twice the spread over a quarter of the depth: ln 8, and the depth is the worse of both.
        let thin = read(Channel::Liquidity, &[(F::SpreadInUsual, 2.0), (F::DepthInUsual, 0.25)]).unwrap();
        assert!((thin.value - 8.0_f64.ln()).abs() < 1e-12 && thin.top3[0] == F::DepthInUsual as u8);
        let good = read(Channel::Liquidity, &[(F::SpreadInUsual, 0.5), (F::DepthInUsual, 4.0)]).unwrap();
        assert!(good.value < 0.0, "a better market is no danger");
        let busy = read(Channel::Activity, &[(F::OrdersInUsual, 3.0)]).unwrap();
        assert!((busy.value - 3.0_f64.ln()).abs() < 1e-12);
        for (channel, id) in [(Channel::Move, F::Move10S), (Channel::Drift, F::Move2M)] {
            assert_eq!(read(channel, &[(id, -4.0)]).unwrap().value, 4.0);
            assert_eq!(read(channel, &[]), None);
        }
        assert_eq!(read(Channel::Flow, &[(F::SellingCampaign, 3.0)]), None);
        assert_eq!(read(Channel::Joint, &[(F::SpreadBps, 3.0)]), None);
    }
}
