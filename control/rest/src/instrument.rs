//! One instrument: its tier, what drove it, its limits and its past.

use crate::answer::{documented, unexpected};
use crate::history::Point;
use crate::picture::place_of;
use crate::problem::Problem;
use crate::query::{Asked, Limits, Named, Nothing};
use crate::shared::Shared;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use control::names::SymbolName;
use control::protocol::{Command, Driver, LimitRow, Reply, TierRow};
use control::stamp::Stamp;
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;

/// All that is known of an instrument now.
#[derive(Serialize)]
struct InstrumentState {
    symbol: SymbolName,
    tier: String,
    /// Calibrated score from 0 to 1; none where there is none.
    score: Option<f64>,
    /// Since when the tier holds.
    since: Option<Stamp>,
    book: String,
    /// Features that drove the score when the tier last changed, the strongest first.
    drivers: Vec<Driver>,
    limits: Vec<LimitRow>,
}

/// What was seen of an instrument, a point for each time that the appliance was asked.
#[derive(Serialize)]
struct Past {
    symbol: SymbolName,
    /// Milliseconds from one to the next.
    every_ms: u64,
    /// Oldest first.
    points: Vec<Point>,
}

/// An instrument that the appliance has named.
fn known(shared: &Shared, symbol: SymbolName) -> Result<(), Problem> {
    let picture = shared.picture()?;
    match place_of(&picture.instruments, symbol) {
        Some(_) => Ok(()),
        None => Err(Problem::not_found(format!("the feed has not named instrument {symbol}"))),
    }
}

/// `GET /v1/instruments/{symbol}/state`
pub(crate) async fn state(
    State(shared): State<Arc<Shared>>,
    Named(symbol): Named,
    Asked(Nothing {}): Asked<Nothing>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    known(&shared, symbol)?;
    let tiers = Command::TierShow { symbol: Some(symbol), after: None };
    let Reply::Tiers(tiers) = shared.ask(tiers).await? else { return Err(unexpected()) };
    let limits = Command::LimitsShow { symbol: Some(symbol), after: None };
    let Reply::Limits(limits) = shared.ask(limits).await? else { return Err(unexpected()) };
    let TierRow { symbol, tier, score, since, book, driver_values, .. } =
        tiers.rows.into_iter().next().ok_or_else(unexpected)?;
    let score = score.parse().ok();
    let state =
        InstrumentState { symbol, tier, score, since, book, drivers: driver_values, limits: limits.rows };
    documented(&state, &headers, Duration::ZERO)
}

/// `GET /v1/instruments/{symbol}/history`
pub(crate) async fn history(
    State(shared): State<Arc<Shared>>,
    Named(symbol): Named,
    Asked(Nothing {}): Asked<Nothing>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    known(&shared, symbol)?;
    let every_ms = u64::try_from(shared.every().as_millis()).unwrap_or(u64::MAX);
    let past = Past { symbol, every_ms, points: shared.past(symbol) };
    documented(&past, &headers, Duration::ZERO)
}

/// `GET /v1/limits`
pub(crate) async fn limits(
    State(shared): State<Arc<Shared>>,
    Asked(Limits { after }): Asked<Limits>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    shared.picture()?;
    let asked = Command::LimitsShow { symbol: None, after };
    let Reply::Limits(page) = shared.ask(asked).await? else { return Err(unexpected()) };
    documented(&page, &headers, Duration::ZERO)
}
