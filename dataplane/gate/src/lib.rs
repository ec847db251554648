//! The gate on the order egress path: every order is checked against limits, prices, positions and breakers, in the order
//! thread, before it can leave.
//!
//! **What it is for.** [`Gate::check`] says whether an order may leave and why not. [`Gate::reserve`] says the same and, on
//! yes, counts the order into position, rates, open orders and duplicates before it is sent. [`Gate::settle`] takes the
//! venue's answers. [`Gate::explain`] lists everything that is wrong with an order. Limits, prices and breakers come from
//! tables that other threads write: [`StaticTable`] (the officer), [`LimitTable`] and [`FatFingerTable`] (the models),
//! [`RefTable`] (whoever owns the books), [`BreakerTable`] (control).
//!
//! **What it never does.** Allocate after construction (tables are made once and never given back), lock, wait, make a system call, read a clock (time is an
//! argument), panic on the order path, use a floating-point price, or depend on anything but `types`. There is no
//! bypass.
//!
//! **Invariants.**
//!
//! 1. *Fail closed.* An input that is missing, late, torn or unreadable refuses the order, or puts the officer's base in
//!    force, with a reason or a source of its own. No missing input means accept.
//! 2. *The officer's envelope bounds the model.* Only an [`Envelope`] makes [`Effective`] limits; a dynamic record is
//!    clamped under the officer's cap when it is published; the gate trusts it only while that cap is the newest one,
//!    and clamps for itself otherwise.
//! 3. *A lease ends.* It takes away what the model had widened, never what it had tightened: from then on the tighter of
//!    the officer's base and the model's last word holds, limit by limit, and so does its tier, until a scorer that lives
//!    says otherwise or a person takes the word back ([`StaticWriter::forget`]). A writer that dies in the middle of a
//!    record leaves the one before. A fat-finger limit only takes away from what the other quantity limits allow:
//!    beyond its lease it holds on, one that cannot be read allows nothing, and one that was never published or was withdrawn
//!    takes nothing away.
//! 4. *One writer per word.* Each table has one writer handle, which cannot be cloned.
//! 5. *What is reserved is what works.* The working quantity of a cell is the sum of its open orders' leaves after every
//!    event, and no fills of what was let through, in any order, take a position past the limit it was let through under.
//! 6. *Reducing orders pass the position limits, and nothing else.* They are held to size, value and price like any
//!    other: a size limit makes an exit take several orders, a position limit would make it impossible. Under
//!    reduce-only an order passes if no fills of the side's working orders and its own can turn the position.
//!
//! **Where to start reading.** `checks` holds the checks, a row and a file each, `case` what they judge by, `assess` how
//! they are run, `decide` and `settle` what happens around them, [`slot`] how threads share a record.
//!
//! ```
//! use gate::*;
//! use types::*;
//!
//! let now = UnixNanos(1_700_000_000_000_000_000);
//! let (mut officer, statics) = StaticTable::create(1, 1)?;
//! let (mut prices, references) = RefTable::create(1)?;
//! let (mut control, breakers) = BreakerTable::create(1, 1, 1)?;
//! let strategies = [StrategyConfig { class: ClassId(0), order_rate_per_s: 100, order_burst: 10 }];
//! let config = GateConfig { strategies: &strategies, ..GateConfig::DEFAULT };
//! let mut gate = Gate::new(&config, GateTables { statics, dynamics: None, fat_finger: None, references, breakers })?;
//!
//! let order = OrderIntent {
//!     cl_ord_id: 1,
//!     px: "100.00".parse().unwrap(),
//!     instrument: InstrumentId(0),
//!     qty: Qty(200),
//!     strategy: StrategyId(0),
//!     account: AccountId(0),
//!     side: Side::Bid,
//!     order_type: OrderType::Limit,
//!     tif: TimeInForce::Day,
//! };
//! // Nothing was published: nothing passes.
//! assert_eq!(gate.check(&order, now).slug(), "HALT_UNREADABLE");
//!
//! control.set_unset(Breaker { state: BreakerState::Open, cause: BreakerCause::Boot, episode: 0 });
//! let limits = RiskLimits {
//!     max_qty: Qty(500),
//!     max_notional_micros: 1_000_000_000_000,
//!     collar_bps: 500,
//!     passive_min_ticks: 1,
//!     max_pos_long: 5_000,
//!     max_pos_short: 5_000,
//!     order_rate_per_s: 100,
//!     order_burst: 10,
//!     margin_bps: 10_000,
//! };
//! let row = StaticTerms { lot: Qty(1), permission: Permission::Granted, version: 1 };
//! officer.publish(InstrumentId(0), ClassId(0), &Envelope::fixed(limits)?, &row, now)?;
//! prices.publish(
//!     InstrumentId(0),
//!     &TopOfBook {
//!         bid: "100.00".parse().unwrap(),
//!         bid_qty: 300,
//!         ask: "100.02".parse().unwrap(),
//!         ask_qty: 300,
//!         last: Px::NONE,
//!         last_ts: now,
//!         tick: "0.01".parse().unwrap(),
//!         tick_table: TickTableId::NONE,
//!         ts: now,
//!         state: BookState::Live,
//!         status: TradingStatus::Trading,
//!     },
//! )?;
//! let (verdict, reservation) = gate.reserve(&order, now);
//! assert!(verdict.accepted() && reservation.is_some());
//! assert_eq!(gate.settle(OrderEvent::Filled { id: 1, qty: Qty(200) }), Settlement::Done);
//! assert_eq!(gate.exposure(InstrumentId(0), StrategyId(0)).unwrap().position, 200);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![no_std]
#![forbid(unsafe_code)]
// A reason, an event or a step that is added must be decided on everywhere.
#![warn(clippy::wildcard_enum_match_arm)]
#![deny(missing_docs)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod activity;
mod assess;
mod audit;
mod breaches;
mod breaker;
mod case;
mod chains;
mod check;
mod checks;
pub mod codes;
mod config;
mod decide;
mod decision;
mod depth;
mod divide;
mod doubt;
mod executions;
mod exposure;
mod fat_finger;
mod gate;
mod gather;
mod ids;
mod in_force;
mod intent;
mod journal;
mod judged;
mod ladder;
mod lately;
mod lease;
mod levels;
mod limits;
mod located;
mod margin;
mod memory;
#[cfg(all(test, loom))]
mod narrowing;
mod orders;
mod overlay;
mod own_orders;
mod period;
mod price;
mod quota;
mod quote;
mod rate;
mod rebase;
mod record;
mod reference;
mod repeats;
mod restore;
mod restriction;
mod score;
mod settle;
mod shared;
pub mod slot;
mod step_words;
mod streaks;
mod sums;
mod sync;
mod table;
mod table_error;
mod tables;
mod tally;
mod terms_writer;
#[cfg(all(test, not(loom)))]
mod tests;
mod trade;
pub mod twin;
mod verdict;
mod warn;
mod weigh;
mod weight;
mod window;
mod worth;

pub use activity::{ActivityLimits, Doer, RoundedValue};
pub use breaker::{
    Breaker, BreakerCause, BreakerKey, BreakerReader, BreakerState, BreakerTable, BreakerWriter, TripWriter,
    UnknownBreaker,
};
pub use check::Unit;
pub use checks::{REASON_COUNT, RejectReason};
pub use config::{GateConfig, GateError, SelfMatch, StrategyConfig};
pub use decision::GateMode;
pub use decision::{Decision, Flags, LimitsSource};
pub use executions::Booked;
pub use exposure::{Exposure, POSITION_MAX};
pub use fat_finger::{
    FAT_FINGER_BUCKETS, FatFingerEntry, FatFingerLimits, FatFingerReader, FatFingerTable, FatFingerWriter,
    UnknownFatFinger,
};
pub use gate::{Gate, OpenOrder, Reservation, UnknownPosition};
pub use ids::{AccountId, ClassId, StrategyId};
pub use in_force::{LimitsInForce, limits_in_force};
pub use intent::{OrderEvent, OrderIntent, OrderType, TimeInForce, TimesInForce};
pub use journal::{KeptOrder, Sent, Step};
pub use lease::Lease;
pub use levels::{ExposureLimits, GROUP_KINDS, GroupConfig, GroupKind};
pub use limits::{
    Effective, Envelope, EnvelopeError, LimitSet, OutOfBounds, PARAMETER_COUNT, Parameter, RATE_MAX,
    RiskLimits,
};
pub use located::{Located, UnlocatedRow};
pub use memory::{Memory, OutOfMemory, Private, Row};
pub use overlay::{Overlay, OverlayError, Ratio, TierOverlay, effective_limits};
pub use price::{PX_MAX, SIGNED_PX_MAX};
pub use quota::{QUOTA_LIMITS, QUOTA_ROWS, QuotaFollower, QuotaRow, QuotaWriter, Quotas, UNDIVIDED};
pub use rebase::rebase;
pub use record::{LimitCause, LimitRecord, Permission, StaticRecord, StaticTerms, Terms};
pub use reference::{RefReader, RefRules, RefTable, RefWriter, UnknownInstrument};
pub use restore::RestoreError;
pub use restriction::{RestrictedTo, Restriction};
pub use score::FixedScore;
pub use settle::Settlement;
pub use slot::SlotFault;
pub use step_words::STEP_WORDS;
pub use streaks::RepeatedExecutions;
pub use table::{LimitReader, LimitTable, LimitWriter, StaticReader, StaticTable, StaticWriter};
pub use table_error::{ROWS_MAX, ReadFault, TableError, TableSizeError, UnknownRow};
pub use tables::{GateTables, TableShape, TableWriters};
pub use tally::ProfitRules;
pub use terms_writer::{TermsError, TermsWriter};
pub use verdict::{Breach, Explanation, Named, VERDICT_WORDS, Verdict, WOULD_REJECT};
pub use warn::WarnShare;
pub use worth::{
    CURRENCIES_MAX, CurrencyId, InstrumentTerms, MULTIPLIER_MICROS_MAX, MoneyRules, RATE_NANOS_MAX, TradeDate,
};
