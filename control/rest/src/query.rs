//! Parameters of a request: what is unknown or wrong is said, never passed over.

use crate::problem::Problem;
use axum::extract::{FromRequestParts, Path, Query};
use axum::http::request::Parts;
use control::names::SymbolName;
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// Instruments and events of one answer.
const ROWS_MAX: u32 = 10_000;
const EVENTS_MAX: u32 = 1_000;

/// The parameters behind the question mark.
#[derive(Debug)]
pub(crate) struct Asked<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let parsed = Query::try_from_uri(&parts.uri);
        parsed.map(|Query(asked)| Self(asked)).map_err(|wrong| Problem::bad_request(wrong.body_text()))
    }
}

/// The instrument that the path names.
#[derive(Debug)]
pub(crate) struct Named(pub(crate) SymbolName);

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let named = Path::<String>::from_request_parts(parts, state).await;
        let Path(text) = named.map_err(|wrong| Problem::bad_request(wrong.body_text()))?;
        match text.parse() {
            Ok(symbol) => Ok(Self(symbol)),
            Err(wanted) => Err(Problem::bad_request(format!("symbol: found {text:?}, wanted {wanted}"))),
        }
    }
}

/// None at all.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Nothing {}

/// Which instruments.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Page {
    /// Only those behind this one: the `next` of the page before.
    pub(crate) after: Option<SymbolName>,
    /// As many at most.
    limit: Option<u32>,
}

impl Page {
    /// How many rows at most.
    ///
    /// # Errors
    /// A [`Problem`], where that is out of bounds.
    pub(crate) fn rows(&self) -> Result<usize, Problem> {
        bounded("limit", self.limit.unwrap_or(ROWS_MAX), ROWS_MAX).map(|rows| rows as usize)
    }
}

/// Whose limits.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Limits {
    /// Only instruments behind this one.
    pub(crate) after: Option<SymbolName>,
}

/// Which events.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Events {
    /// Only those behind this one.
    #[serde(default)]
    pub(crate) after: u64,
    /// As many at most.
    count: Option<u32>,
}

impl Events {
    /// How many at most.
    ///
    /// # Errors
    /// A [`Problem`], where that is out of bounds.
    pub(crate) fn count(&self) -> Result<u32, Problem> {
        bounded("count", self.count.unwrap_or(100), EVENTS_MAX)
    }
}

fn bounded(name: &str, found: u32, max: u32) -> Result<u32, Problem> {
    if (1..=max).contains(&found) {
        Ok(found)
    } else {
        Err(Problem::bad_request(format!("{name}: found {found}, wanted 1 to {max}")))
    }
}
