//! The in-process gate on the order egress path.
#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod breaker;
mod divide;
mod ids;
mod intent;
mod limits;
mod overlay;
mod reason;
mod record;
pub mod slot;
mod sync;
mod table;
mod verdict;

pub use breaker::{
    Breaker, BreakerCause, BreakerReader, BreakerState, BreakerTable, BreakerWriter, Scope, UnknownScope,
};
pub use ids::{AccountId, ClassId, StrategyId};
pub use intent::{OrderEvent, OrderIntent, OrderType, TimeInForce};
pub use limits::{
    Effective, Envelope, EnvelopeError, LimitSet, OutOfBounds, PARAMETER_COUNT, Parameter, RiskLimits,
};
pub use overlay::{Overlay, OverlayError, Ratio, TierOverlay, effective_limits};
pub use reason::{REASON_COUNT, RejectReason, Unit};
pub use record::{FixedScore, Lease, LimitCause, LimitRecord, Permission, StaticRecord, StaticTerms, Terms};
pub use slot::SlotFault;
pub use table::{
    LimitReader, LimitTable, LimitWriter, ROWS_MAX, ReadFault, StaticReader, StaticTable, StaticWriter,
    TableSizeError, UnknownRow,
};
pub use verdict::{Breach, Decision, Explanation, Flags, LimitsSource, Verdict};
