//! The in-process gate on the order egress path.
#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod assess;
mod breaker;
pub mod codes;
mod config;
mod divide;
mod exposure;
mod gate;
mod ids;
mod intent;
mod limits;
mod numbers;
mod orders;
mod overlay;
mod rate;
mod reason;
mod record;
mod reference;
pub mod slot;
mod sync;
mod table;
#[cfg(all(test, not(loom)))]
mod tests;
mod verdict;

pub use breaker::{
    Breaker, BreakerCause, BreakerReader, BreakerState, BreakerTable, BreakerWriter, Scope, UnknownScope,
};
pub use config::{GateConfig, GateError, GateTables, StrategyConfig};
pub use exposure::Exposure;
pub use gate::{Gate, OpenOrder, Reservation, Settlement, UnknownPosition};
pub use ids::{AccountId, ClassId, StrategyId};
pub use intent::{OrderEvent, OrderIntent, OrderType, TimeInForce};
pub use limits::{
    Effective, Envelope, EnvelopeError, LimitSet, OutOfBounds, PARAMETER_COUNT, Parameter, RATE_MAX,
    RiskLimits,
};
pub use overlay::{Overlay, OverlayError, Ratio, TierOverlay, effective_limits};
pub use reason::{REASON_COUNT, RejectReason, Unit};
pub use record::{FixedScore, Lease, LimitCause, LimitRecord, Permission, StaticRecord, StaticTerms, Terms};
pub use reference::{PX_MAX, RefReader, RefTable, RefWriter, TopOfBook, UnknownInstrument};
pub use slot::SlotFault;
pub use table::{
    LimitReader, LimitTable, LimitWriter, ROWS_MAX, ReadFault, StaticReader, StaticTable, StaticWriter,
    TableSizeError, UnknownRow,
};
pub use verdict::{Breach, Decision, Explanation, Flags, LimitsSource, Verdict};
