//! Models made by this build, each with the identity that its contents have.

use super::calibration::Calibrations;
use super::channels::ChannelLaws;
use super::errors::SaveError;
use super::manifest::{encode, id_of};
use super::trained::{Model, ModelParts};
use crate::heads::Heads;

impl Model {
    /// A model of this build from its parts, without heads.
    pub(crate) fn new(parts: ModelParts) -> Result<Self, SaveError> {
        Self {
            network: parts.network,
            law: parts.law,
            profiles: parts.profiles,
            calibrations: parts.calibrations,
            training: parts.training,
            channels: parts.channels,
            heads: Heads::default(),
            tool: String::new(),
            id: String::new(),
        }
        .signed()
    }

    /// The model as this build's, with the identity its contents have now.
    fn signed(mut self) -> Result<Self, SaveError> {
        concat!("portcullis ", env!("CARGO_PKG_VERSION")).clone_into(&mut self.tool);
        self.id = id_of(encode(&self)?.manifest.as_bytes());
        Ok(self)
    }

    /// The same model with these laws of its channels.
    ///
    /// # Errors
    /// When the result cannot be written down.
    pub fn with_channels(mut self, channels: ChannelLaws) -> Result<Self, SaveError> {
        self.channels = Some(channels);
        self.signed()
    }

    /// The same model with this law of its autoencoder's scores.
    ///
    /// # Errors
    /// When the result cannot be written down.
    pub fn with_calibrations(mut self, calibrations: Calibrations) -> Result<Self, SaveError> {
        self.calibrations = calibrations;
        self.signed()
    }

    /// The same model with the heads that `change` leaves.
    ///
    /// # Errors
    /// When the result cannot be written down.
    pub fn with_heads(mut self, change: impl FnOnce(&mut Heads)) -> Result<Self, SaveError> {
        change(&mut self.heads);
        self.signed()
    }
}
