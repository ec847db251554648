//! What trainings read, and the order they work in: captures as Parquet files, sorted rows, sessions, ranks.

mod columns;
mod features;
mod order;
mod readings;

pub use columns::{CaptureError, FEATURE_ROWS_MAX};
pub(crate) use columns::{column_at, metadata_value, read_column, read_keys, read_rows};
pub use features::read_features;
pub(crate) use order::{drop_warmup, quantile, rank_of_last, sort};
pub use readings::{ReadingRow, read_readings};
