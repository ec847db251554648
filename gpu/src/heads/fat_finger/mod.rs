//! The fat-finger network: how likely an order is a fat finger, by its size and by how far
//! its price lies through the opposite touch, so that the largest size of each price distance can be published as a limit.
//!
//! The head takes the inputs of the encoder and gives sixteen increments that are never negative; the boundary of a price
//! distance is the sum of its own increment and those of all larger distances. So a larger order and a more aggressive one
//! are never less likely an error, whatever the weights.

mod law;
mod model;
mod record;
mod sizes;

pub use law::{FAT_FINGER_BUCKETS, FatFingerLaw};
pub(crate) use law::{STEEPNESS_BOUNDS, logistic};
pub(crate) use model::offset_of;
#[cfg(test)]
pub(crate) use model::tests::random_head;
pub use model::{FatFingerModel, FatFingerOffset};
pub use record::{
    FatFingerHoldout, FatFingerRate, FatFingerRecord, FatFingerReport, FatFingerStratum, FatFingerTrainConfig,
};
pub(crate) use sizes::{FatFingerBound, sizes_within};
