//! A trained model: its law, its calibration, its records, and its folder on disk.

mod calibration;
mod channels;
mod errors;
mod folder;
mod gpd;
mod identity;
mod law;
mod manifest;
mod record;
mod sides;
mod trained;

pub use calibration::{Calibration, Calibrations};
pub(crate) use calibration::{KNOT_COUNT, SHAPE_BOUNDS, TAIL_FROM, display};
pub use channels::{Channel, ChannelLaws};
pub use errors::{LoadError, SaveError};
pub(crate) use gpd::Gpd;
pub use law::{RawScore, ScoreLaw, TOP_COUNT};
pub use manifest::MODEL_FORMAT;
pub use record::{CalibrationConfig, FittedOn, HoldoutReport, TrainConfig, TrainReport, TrainingRecord};
pub(crate) use sides::Sides;
pub use trained::Model;
pub(crate) use trained::ModelParts;
