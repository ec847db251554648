//! The error-probability network (DOMAIN.md 4.2, C6 and M1): how likely an order is a fat finger, by its size and by how far
//! its price lies through the opposite touch, so that the largest size of each price distance can be published as a limit.
//!
//! The head takes the inputs of the encoder and gives sixteen increments that are never negative; the boundary of a price
//! distance is the sum of its own increment and those of all larger distances. So a larger order and a more aggressive one
//! are never less likely an error, whatever the weights.

mod capture;
mod dataset;
mod evaluate;
mod fit;
mod head;
mod inject;
mod law;
mod train;

pub use capture::{TouchRow, read_touches};
pub use dataset::{DeskOrder, DeskSession};
pub use evaluate::{SurfaceHoldout, SurfaceRate, SurfaceStratum};
pub(crate) use head::SurfaceManifest;
#[cfg(test)]
pub(crate) use head::tests;
pub use head::{SurfaceModel, SurfaceOffset, SurfaceRecord};
pub use inject::FatFinger;
pub use law::{SURFACE_BUCKETS, SURFACE_EDGES_BPS, SurfaceLaw};
pub use train::{SurfaceReport, SurfaceTrainConfig, train_surface};
