//! The training of the anomaly model: rows of calm markets in, a calibrated model out.

mod calibrate;
mod channels;
mod device;
mod errors;
mod fit;
mod gpd;
mod holdout;
mod joint;
mod pca;
mod profiles;
mod split;
mod vae;

pub use calibrate::CalibrateError;
pub use channels::fit_channels;
pub use device::TrainDevice;
pub use errors::TrainError;
pub use fit::{Phase, Progress};
pub use joint::fit_joint;
#[cfg(test)]
pub(crate) use profiles::fit_profile;
pub use vae::train_vae;
