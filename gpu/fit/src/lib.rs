//! The fit of the anomaly model's network, apart from data, profiles and calibration: the variational autoencoder in Candle,
//! its objective, AdamW, seeded randomness and the loop over epochs, on any Candle device.
//!
//! It is a package of its own because two link it that must not link each other: `gpu`, which trains on the CPU and links no
//! CUDA, and the library of `gpu-cuda`, which trains on a card.
//!
//! **What it never does:** read a file or a clock, or know a feature by name.
//!
//! **Invariants.** The same rows, settings, seed and device give the same bits. Nothing here draws from Candle's own
//! generators, whose CPU one cannot be seeded.
//!
//! Start reading at [`fit`].
#![forbid(unsafe_code)]
// A variant that is added must be decided on everywhere.
#![warn(clippy::wildcard_enum_match_arm)]

pub mod autoencoder;
mod fit;
pub mod optimiser;
pub mod random;
mod shape;

pub use fit::{Epoch, Fit, FitConfig, FitError, fit};
pub use shape::{INNER, INPUT_COUNT, LATENT_COUNT, LAYER_COUNT, LAYERS, LayerId, OUTER, WEIGHT_COUNT};
