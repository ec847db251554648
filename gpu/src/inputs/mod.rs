//! What the network sees of a market: a captured row, the profile that normalises it, and what belongs to a symbol.

mod bindings;
mod per_symbol;
mod profile;
mod row;
mod transform;

pub(crate) use bindings::Bindings;
pub use per_symbol::PerSymbol;
pub(crate) use per_symbol::{Named, first_fault, named, parsed};
pub(crate) use profile::{INPUT_COUNT, Input, VALID_MIN, WINSOR};
pub use profile::{Profile, Profiles};
pub use row::FeatureRow;
pub(crate) use transform::{COLUMNS, Transform, transform_names};
