//! How full a bounded table is and was.

/// How full one table is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fill {
    /// What it holds.
    pub table: &'static str,
    /// How many it holds now.
    pub used: u64,
    /// The most that it ever held.
    pub high_water: u64,
    /// How many it can hold.
    pub room: u64,
}
