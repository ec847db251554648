//! What the stages of the line tell each other beside events and vectors.

use gate::{Effective, Envelope, FatFingerLimits, Terms, Verdict};
use gpu::TierCause;
use types::{Depth, FeedIndex, InstrumentId, Nanos, Symbol, Tier, TopOfBook, UnixNanos};

/// An instrument the feed has just named.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Defined {
    pub(crate) instrument: InstrumentId,
    /// With its feed's suffix, unless there is no room for it.
    pub(crate) symbol: Symbol,
    pub(crate) feed: FeedIndex,
    /// The symbol has its feed's suffix. Else nobody but the cold thread is told, and no order of it passes.
    pub(crate) is_named: bool,
}

/// What the books say, in the order in which it became true.
#[derive(Clone, Copy, Debug)]
pub(crate) enum BookNote {
    /// An instrument got its number.
    Define { defined: Defined, at: UnixNanos },
    /// The levels of a book, before the quote of the same moment.
    Depth { instrument: InstrumentId, depth: Depth, at: UnixNanos },
    /// A quote changed, at its `ts`.
    Top { instrument: InstrumentId, top: TopOfBook },
    /// At `at`, every channel was known to have lived until `complete`, and none to lack anything.
    Complete { complete: UnixNanos, at: UnixNanos },
    /// Everything up to this grid point has been said.
    Grid(UnixNanos),
}

impl BookNote {
    /// When it became true.
    pub(crate) const fn at(&self) -> UnixNanos {
        match *self {
            Self::Define { at, .. } | Self::Depth { at, .. } | Self::Complete { at, .. } | Self::Grid(at) => {
                at
            }
            Self::Top { top, .. } => top.ts,
        }
    }
}

/// The model's word on one instrument, from `effective` on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LimitNote {
    pub(crate) effective: UnixNanos,
    pub(crate) instrument: InstrumentId,
    pub(crate) limits: Effective,
    pub(crate) terms: Terms,
    /// Critical: the instrument's breaker trips.
    pub(crate) trip: bool,
}

/// The model's word on the sizes of one instrument by price distance, from `effective` on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FatFingerNote {
    pub(crate) effective: UnixNanos,
    pub(crate) instrument: InstrumentId,
    pub(crate) sizes: FatFingerLimits,
    pub(crate) lease: Nanos,
    pub(crate) version: u32,
}

/// What the scorer tells a desk of simulated time.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ModelNote {
    /// New limits.
    Limits(LimitNote),
    /// New sizes by price distance.
    FatFinger(FatFingerNote),
    /// Everything up to this grid point has been said.
    Grid(UnixNanos),
}

impl ModelNote {
    /// When it takes effect.
    pub(crate) const fn effective(&self) -> UnixNanos {
        match self {
            Self::Limits(note) => note.effective,
            Self::FatFinger(note) => note.effective,
            Self::Grid(ts) => *ts,
        }
    }
}

/// What the cold thread tells the scorer.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ScorerCommand {
    Envelope { instrument: InstrumentId, envelope: Envelope },
    Reset { instrument: InstrumentId },
    BeginIn { instrument: InstrumentId, tier: Tier },
}

/// The features that drove a score, the strongest first: their numbers in the schema, and their values where they were known.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Drivers {
    pub(crate) features: [u8; 3],
    pub(crate) values: [Option<f64>; 3],
}

/// What the scorer tells the cold thread.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ScorerNote {
    /// The tier changed; what drove its last score says nothing where scores failed to come, or a person changed it before the first.
    Tier { instrument: InstrumentId, tier: Tier, at: UnixNanos, cause: TierCause, drivers: Option<Drivers> },
    /// The instrument's breaker was tripped; `number` is the trip's in the gate's table.
    Trip { instrument: InstrumentId, number: u32, score: f64 },
}

impl ScorerNote {
    pub(crate) const fn instrument(&self) -> InstrumentId {
        match self {
            Self::Tier { instrument, .. } | Self::Trip { instrument, .. } => *instrument,
        }
    }
}

/// What the gate said of one order, on its way to the verdict log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct VerdictRecord {
    pub(crate) ts: UnixNanos,
    /// The order source's own number of the order.
    pub(crate) tag: u32,
    pub(crate) verdict: Verdict,
    pub(crate) check: Nanos,
}
