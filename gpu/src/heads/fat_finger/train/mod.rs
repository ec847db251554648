//! The training of the head, from a desk's orders and captures to a judged network.

mod dataset;
mod evaluate;
mod fit;
mod inject;
mod run;
mod settings;
mod touches;

pub use dataset::{DeskOrder, DeskSession};
pub use inject::FatFinger;
pub use run::train_surface;
pub use touches::{TouchRow, read_touches};
