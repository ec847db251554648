//! What can be asked for. `openapi.json` says the same; a test compares.

use crate::answer::{documented, unexpected};
use crate::doc::Doc;
use crate::page::with_page;
use crate::picture::{Instrument, InstrumentsPage, LISTS, Picture};
use crate::problem::Problem;
use crate::query::{Asked, Events, Nothing, Page};
use crate::shared::Shared;
use crate::{instrument, stream};
use axum::Router;
use axum::extract::State;
use axum::http::header::{ALLOW, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use control::protocol::{Command, HoldingsFilter, Reply};
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;

/// The description of all of this, for programs.
const OPENAPI: &str = include_str!("openapi.json");

/// Paths, as [`OPENAPI`] writes them, and who answers.
fn routes() -> [(&'static str, MethodRouter<Arc<Shared>>); 17] {
    [
        ("/v1/alerts", get(list::<0>)),
        ("/v1/breakers", get(list::<1>)),
        ("/v1/events", get(events)),
        ("/v1/health", get(health)),
        ("/v1/instruments", get(instruments)),
        ("/v1/instruments/{symbol}/history", get(instrument::history)),
        ("/v1/instruments/{symbol}/state", get(instrument::state)),
        ("/v1/latency", get(latency)),
        ("/v1/limits", get(instrument::limits)),
        ("/v1/openapi.json", get(openapi)),
        ("/v1/orders", get(orders)),
        ("/v1/positions", get(positions)),
        ("/v1/proposals", get(list::<2>)),
        ("/v1/sessions", get(list::<3>)),
        ("/v1/status", get(status)),
        ("/v1/stream", get(stream::follow)),
        ("/v1/version", get(version)),
    ]
}

/// All of it.
pub(crate) fn router(shared: Arc<Shared>) -> Router {
    let all = routes().into_iter().fold(Router::new(), |all, (path, answers)| all.route(path, answers));
    with_page(all).fallback(nowhere).method_not_allowed_fallback(read_only).with_state(shared)
}

async fn nowhere() -> Problem {
    Problem::not_found("there is nothing here; /v1/openapi.json says what there is".to_owned())
}

async fn read_only() -> Response {
    let detail = "wanted GET or HEAD: nothing is changed here".to_owned();
    let problem = Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method", detail);
    ([(ALLOW, HeaderValue::from_static("GET, HEAD"))], problem).into_response()
}

/// Answers with a part of the picture that is ready.
fn ready(shared: &Shared, headers: &HeaderMap, part: impl Fn(&Picture) -> &Doc) -> Result<Response, Problem> {
    let picture = shared.picture()?;
    Ok(part(&picture).answer(headers, picture.taken.elapsed()))
}

async fn status(
    State(shared): State<Arc<Shared>>,
    Asked(Nothing {}): Asked<Nothing>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    ready(&shared, &headers, |picture| &picture.status_doc)
}

async fn latency(
    State(shared): State<Arc<Shared>>,
    Asked(Nothing {}): Asked<Nothing>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    ready(&shared, &headers, |picture| &picture.latency)
}

/// The list at place `AT` of [`LISTS`].
async fn list<const AT: usize>(
    State(shared): State<Arc<Shared>>,
    Asked(Nothing {}): Asked<Nothing>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    const { assert!(AT < LISTS.len()) };
    ready(&shared, &headers, |picture| &picture.lists[AT])
}

async fn instruments(
    State(shared): State<Arc<Shared>>,
    Asked(page): Asked<Page>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let rows_max = page.rows()?;
    let picture = shared.picture()?;
    let all = &picture.instruments;
    let first = page.after.map_or(0, |after| all.partition_point(|row| row.symbol <= after));
    let rows: &[Instrument] = &all[first..all.len().min(first + rows_max)];
    let next = rows.last().filter(|_| first + rows.len() < all.len()).map(|row| row.symbol);
    documented(&InstrumentsPage { rows, next }, &headers, picture.taken.elapsed())
}

async fn events(
    State(shared): State<Arc<Shared>>,
    Asked(asked): Asked<Events>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let count = asked.count()?;
    shared.picture()?;
    let asked = Command::Events { after: asked.after, count };
    let Reply::Events(page) = shared.ask(asked).await? else { return Err(unexpected()) };
    documented(&page, &headers, Duration::ZERO)
}

async fn positions(
    State(shared): State<Arc<Shared>>,
    Asked(filter): Asked<HoldingsFilter>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    shared.picture()?;
    let asked = Command::Positions { filter };
    let Reply::Positions(page) = shared.ask(asked).await? else { return Err(unexpected()) };
    documented(&page, &headers, Duration::ZERO)
}

async fn orders(
    State(shared): State<Arc<Shared>>,
    Asked(filter): Asked<HoldingsFilter>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    shared.picture()?;
    let asked = Command::Orders { filter };
    let Reply::Orders(page) = shared.ask(asked).await? else { return Err(unexpected()) };
    documented(&page, &headers, Duration::ZERO)
}

/// Whether the appliance is heard.
#[derive(Serialize)]
struct Health {
    /// Its name.
    instance: String,
    /// Number of the last picture.
    revision: u64,
    /// Milliseconds since it was asked for.
    age_ms: u64,
    /// Milliseconds from one to the next.
    every_ms: u64,
    /// Who follows the stream now.
    streams: usize,
    /// Pictures that somebody who follows it was too slow for.
    lagged: u64,
}

async fn health(
    State(shared): State<Arc<Shared>>,
    Asked(Nothing {}): Asked<Nothing>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let picture = shared.picture()?;
    let (streams, lagged) = shared.seats.counts();
    let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let health = Health {
        instance: picture.status.instance.clone(),
        revision: picture.revision,
        age_ms: millis(picture.taken.elapsed()),
        every_ms: millis(shared.every()),
        streams,
        lagged,
    };
    documented(&health, &headers, Duration::ZERO)
}

/// Which builds speak.
#[derive(Serialize)]
struct Version {
    /// Of this program.
    rest: &'static str,
    /// Of the control protocol.
    protocol: u16,
}

async fn version(Asked(Nothing {}): Asked<Nothing>, headers: HeaderMap) -> Result<Response, Problem> {
    let version = Version { rest: env!("CARGO_PKG_VERSION"), protocol: control::protocol::PROTOCOL_VERSION };
    documented(&version, &headers, Duration::ZERO)
}

async fn openapi(Asked(Nothing {}): Asked<Nothing>) -> Result<Response, Problem> {
    let kind = [(CONTENT_TYPE, HeaderValue::from_static("application/vnd.oai.openapi+json;version=3.1"))];
    Ok((kind, OPENAPI).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_description_names_every_path_and_no_other() {
        let described: serde_json::Value = serde_json::from_str(OPENAPI).unwrap();
        assert_eq!(described["openapi"], "3.1.0");
        let described: BTreeSet<&str> =
            described["paths"].as_object().unwrap().keys().map(String::as_str).collect();
        let routes = routes();
        let routed: BTreeSet<&str> = routes.iter().map(|(path, _)| *path).collect();
        assert_eq!(described, routed);
    }

    #[test]
    fn each_list_has_its_path() {
        let routes = routes();
        for name in LISTS {
            assert!(routes.iter().any(|(path, _)| path.strip_prefix("/v1/") == Some(name)), "{name}");
        }
    }
}
