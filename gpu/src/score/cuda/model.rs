//! A model as a card takes it.

use std::path::Path;

use gpu_cuda::abi::Mode;
use gpu_cuda::layout::{CardProfile, HEADS_MAX, LayerParts, NetworkParts, PackError, pack};
use gpu_cuda::{LoadError, LoadedCard};

use crate::heads::Head;
use crate::inputs::Profile;
use crate::model::Model;
use crate::network::LayerId;
use crate::score::fused::FusedError;

/// Why the CUDA scorer did not open. One line each; the caller goes on with the CPU.
#[derive(Debug, thiserror::Error)]
pub enum CudaError {
    /// No library, no driver, no card.
    #[error("cannot open the CUDA scorer: {0}")]
    Load(#[from] LoadError),
    /// The model is not the kernels'.
    #[error("cannot open the CUDA scorer: {0}")]
    Pack(#[from] PackError),
    /// The CPU behind it did not open either.
    #[error(transparent)]
    Fused(#[from] FusedError),
    /// The thread that opens a lost card anew did not start.
    #[error("cannot start the thread of the CUDA scorer: {0}")]
    Thread(#[from] std::io::Error),
}

// A head beyond them would be missing on a card, and there alone.
const _: () = assert!(Head::ALL.len() <= HEADS_MAX);

/// A model as a card takes it.
#[derive(Clone, Debug)]
pub struct CardModel {
    weights: Vec<f32>,
    profiles: Vec<CardProfile>,
}

impl CardModel {
    /// The network, the score's constants and the profiles of `model`.
    ///
    /// # Errors
    /// A layer that does not fit the kernels.
    pub fn new(model: &Model) -> Result<Self, PackError> {
        let (network, law) = (model.network(), model.score_law());
        let layers = LayerId::SCORED.map(|id| -> LayerParts<'_> {
            let layer = network.layer(id);
            (&layer.weight, &layer.bias)
        });
        let heads: Vec<_> = Head::ALL
            .into_iter()
            .filter_map(|head| model.heads().layers(head))
            .map(|layers| layers.each_ref().map(|layer| -> LayerParts<'_> { (&layer.weight, &layer.bias) }))
            .collect();
        let parts = NetworkParts {
            layers,
            latent: law.latent_range_f32(),
            inverse_scale: law.inverse_scale_f32(),
            heads: &heads,
        };
        let profiles = model.profiles();
        let all = [&profiles.pooled].into_iter().chain(profiles.symbols.iter().map(|(_, profile)| profile));
        Ok(Self { weights: pack(&parts)?, profiles: all.map(card_profile).collect() })
    }

    /// Opens a card through the library at `path` and takes the model there.
    ///
    /// # Errors
    /// No library, no driver, no card, another version.
    pub fn open(
        &self,
        path: &Path,
        mode: Mode,
        instrument_count_max: usize,
    ) -> Result<LoadedCard, LoadError> {
        LoadedCard::open(path, mode, &self.weights, &self.profiles, instrument_count_max)
    }
}

fn card_profile(profile: &Profile) -> CardProfile {
    CardProfile {
        median: profile.median,
        inverse_scale: profile.inverse_scale(),
        trained: u32::from(profile.trained),
        unused: [0; 3],
    }
}
