//! What the trainings of all heads have in common: the settings and their check, the split in time, and the fit's passes
//! over the data with their early stop. What a head's rows, its loss and its calibration are is the head's own affair.

mod fit;
mod settings;
mod split;
mod vars;

pub(super) use fit::{HeadFit, fit_head};
pub(super) use settings::HeadTrainSettings;
pub use settings::{HeadNames, HeadProgress, HeadTrainError};
pub(super) use split::{Split, split_in_time};
pub(super) use vars::HeadVars;
