//! How what the appliance said is answered.

use crate::doc::Doc;
use crate::problem::Problem;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::Serialize;
use std::time::Duration;

/// The appliance answered what is no answer, or what is no JSON.
pub(crate) fn unexpected() -> Problem {
    let detail = "the appliance answered with what is no answer to this".to_owned();
    Problem::new(StatusCode::BAD_GATEWAY, "unreadable", detail)
}

/// `value` as it is answered, with its tag.
///
/// # Errors
/// It is no JSON.
pub(crate) fn documented(
    value: &impl Serialize,
    headers: &HeaderMap,
    age: Duration,
) -> Result<Response, Problem> {
    Ok(Doc::of(value).map_err(|_| unexpected())?.answer(headers, age))
}
