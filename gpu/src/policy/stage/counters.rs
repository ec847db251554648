//! What the stage counts.

/// The counters of a stage, in the order of [`Count`].
pub(super) const COUNTERS: [&str; 11] = [
    "vectors",
    "grids",
    "scored",
    "unscored",
    "late",
    "unknown_instrument",
    "updates",
    "revocations",
    "trips",
    "batches",
    "uncalibrated",
];

/// Positions in [`COUNTERS`].
#[derive(Clone, Copy)]
#[repr(usize)]
pub(super) enum Count {
    Vectors = 0,
    Grids = 1,
    Scored = 2,
    Unscored = 3,
    Late = 4,
    UnknownInstrument = 5,
    Updates = 6,
    Revocations = 7,
    Trips = 8,
    Batches = 9,
    /// Instruments that the model does not know.
    Uncalibrated = 10,
}
