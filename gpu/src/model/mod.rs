//! A trained model: its law, its calibration, its records, and the bytes that its files hold. The files are `crate::folder`'s.

mod calibration;
mod channels;
mod errors;
mod gpd;
mod identity;
mod law;
mod manifest;
mod record;
mod sides;
mod trained;

pub use calibration::{Calibration, Calibrations};
pub(crate) use calibration::{KNOT_COUNT, SHAPE_BOUNDS, TAIL_FROM, display};
pub(crate) use channels::{BESIDE_COUNT, READ_COUNT};
pub use channels::{Channel, ChannelLaws, Reading};
pub use errors::{LoadError, SaveError};
pub(crate) use gpd::Gpd;
pub use law::{RawScore, ScoreLaw, TOP_COUNT};
pub use manifest::MODEL_FORMAT;
pub(crate) use manifest::{MANIFEST, Parts, WEIGHTS, decode, encode};
pub use record::{CalibrationConfig, FittedOn, HoldoutReport, TrainConfig, TrainReport, TrainingRecord};
pub(crate) use sides::Sides;
pub use trained::Model;
pub(crate) use trained::ModelParts;
