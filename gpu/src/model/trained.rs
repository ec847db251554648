//! A trained model, whole and checked.

use super::calibration::Calibrations;
use super::channels::ChannelLaws;
use super::law::ScoreLaw;
use super::record::TrainingRecord;
use crate::heads::{Head, Heads};
use crate::inputs::Profiles;
use crate::network::Network;
use types::Symbol;

/// The parts a model is made of.
pub(crate) struct ModelParts {
    pub(crate) network: Network,
    pub(crate) law: ScoreLaw,
    pub(crate) profiles: Profiles,
    pub(crate) calibrations: Calibrations,
    pub(crate) training: TrainingRecord,
    pub(crate) channels: Option<ChannelLaws>,
}

/// A trained, calibrated model. What is inside has been checked: every number finite, every scale positive.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    pub(super) network: Network,
    pub(super) law: ScoreLaw,
    pub(super) profiles: Profiles,
    pub(super) calibrations: Calibrations,
    pub(super) training: TrainingRecord,
    pub(super) channels: Option<ChannelLaws>,
    pub(super) heads: Heads,
    pub(super) tool: String,
    pub(super) id: String,
}

impl Model {
    /// Identity of the model: a digest of the manifest, which holds the digest of the weights. Audit records and
    /// published limits name the model by it.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Where the model comes from.
    #[must_use]
    pub const fn training(&self) -> &TrainingRecord {
        &self.training
    }

    /// The normalisation profiles.
    #[must_use]
    pub const fn profiles(&self) -> &Profiles {
        &self.profiles
    }

    /// The calibrations.
    #[must_use]
    pub const fn calibrations(&self) -> &Calibrations {
        &self.calibrations
    }

    /// The laws of the channels beside the autoencoder; none in a model that was trained without.
    #[must_use]
    pub const fn channels(&self) -> Option<&ChannelLaws> {
        self.channels.as_ref()
    }

    /// Whether the model knows the usual state of `symbol`. Without, the autoencoder's word on it means nothing, and the
    /// instrument is uncalibrated.
    #[must_use]
    pub fn knows(&self, symbol: Symbol) -> bool {
        self.profiles.has(symbol)
    }

    /// The model with its autoencoder alone, for judging what the other channels add; its identity stays.
    #[must_use]
    pub fn without_channels(&self) -> Self {
        Self { channels: None, ..self.clone() }
    }

    /// The model as if it had never seen `symbol`, for judging what it does for one that it has not; its identity stays.
    #[must_use]
    pub fn without(&self, symbol: Symbol) -> Self {
        let mut model = self.clone();
        model.profiles.forget(symbol);
        model.calibrations.forget(symbol);
        if let Some(channels) = &mut model.channels {
            channels.0.iter_mut().for_each(|law| law.forget(symbol));
        }
        model
    }

    /// The constants of the score.
    #[must_use]
    pub const fn score_law(&self) -> &ScoreLaw {
        &self.law
    }

    pub(crate) const fn network(&self) -> &Network {
        &self.network
    }

    /// The heads beside the autoencoder.
    #[must_use]
    pub const fn heads(&self) -> &Heads {
        &self.heads
    }

    /// The model without the heads that are not in `heads`, so that no scorer asks them; its identity stays.
    #[must_use]
    pub fn asking(&self, heads: &[Head]) -> Self {
        Self { heads: self.heads.only(heads), ..self.clone() }
    }
}
