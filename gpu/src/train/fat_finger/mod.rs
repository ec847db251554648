//! The training of the head, from a desk's orders and captures to a judged network.

mod dataset;
mod evaluate;
mod fit;
mod inject;
mod run;
mod settings;
mod touches;

pub use dataset::{DeskOrder, DeskSession};
pub use inject::TypingError;
pub use run::train_fat_finger;
pub use touches::{TouchRow, read_touches};
