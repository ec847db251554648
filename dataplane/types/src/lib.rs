//! The vocabulary every other crate speaks: identifiers, prices, clocks, the 64-byte book event and the feature
//! vector.
//!
//! **What it never does:** allocate, do I/O, read a clock, or depend on anything outside `core`.
//!
//! **Invariants.** Prices are integers in units of 1e-9 (no `f64` price exists anywhere in the product); a
//! [`BookEvent`] is exactly one cache line; every enum that crosses a file or a wire has explicit numbers and is
//! append-only.
//!
//! Start reading at [`BookEvent`] and [`FeatureVector`].
#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs)]
// A variant that is added must be decided on everywhere.
#![warn(clippy::wildcard_enum_match_arm)]

mod book;
mod event;
mod feature;
mod feed;
mod hash;
mod instrument;
mod money;
mod schema;
mod tick;
mod time;

pub use book::{BookLevel, BookState, DEPTH_LEVELS, Depth, DepthSide, StaleCause, TopOfBook, TradingStatus};
pub use event::{Action, BookEvent, ChannelWord, EndWord, EventFlags, GapCause};
pub use feature::{FeatureVector, WALK_COUNT};
pub use feed::{FEEDS_MAX, FeedIndex, FeedInput, FeedKind, UnknownFeed};
pub use hash::{FNV_BASIS, GOLDEN, fnv1a};
pub use instrument::{InstrumentId, Symbol};
pub use money::{Notional, ParsePxError, Px, Qty, Side};
pub use schema::{
    FEATURE_COUNT, FEATURES, FeatureDef, FeatureId, FeatureInput, FeatureSchema, MODEL_FEATURE_COUNT,
    RiskDirection,
};
pub use tick::{TICK_STEPS_MAX, TickStep, TickTable, TickTableError, TickTableId};
pub use time::{Nanos, SeqNo, Ticks, UnixNanos};

/// How alarmed the model is about one instrument; decides which overlay holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Tier {
    /// Base limits, or wider up to the officer's cap after a long calm.
    #[default]
    Normal = 0,
    /// Alert; order size halved.
    Elevated = 1,
    /// Order size to a tenth, position halved, passive distance tripled; the desk is paged.
    High = 2,
    /// Instrument breaker: no new risk until a person resets it.
    Critical = 3,
}

impl Tier {
    /// All tiers, calmest first.
    pub const ALL: [Self; 4] = [Self::Normal, Self::Elevated, Self::High, Self::Critical];

    /// The tier with this number, or `None` when no such tier exists.
    #[must_use]
    pub const fn from_u8(n: u8) -> Option<Self> {
        match n {
            0 => Some(Self::Normal),
            1 => Some(Self::Elevated),
            2 => Some(Self::High),
            3 => Some(Self::Critical),
            _ => None,
        }
    }

    /// The name used in files, on screens and on the control socket.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Elevated => "elevated",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    /// The name of a tier that may not be known: what nobody scores is in none.
    #[must_use]
    pub const fn name_of(known: Option<Self>) -> &'static str {
        match known {
            Some(tier) => tier.as_str(),
            None => Self::UNKNOWN,
        }
    }

    /// Stands for the name of a tier where none is known.
    pub const UNKNOWN: &'static str = "unknown";
}

impl core::fmt::Display for Tier {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.pad(self.as_str())
    }
}
