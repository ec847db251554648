//! What holds for every request and every answer, whatever is asked for.

use crate::hosts::Hosts;
use crate::problem::Problem;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{
    CONTENT_LENGTH, CONTENT_SECURITY_POLICY, HOST, REFERRER_POLICY, TRANSFER_ENCODING,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use std::sync::Arc;
use std::time::Duration;

/// How long an answer may take to begin.
const ANSWER_MAX: Duration = Duration::from_secs(12);

/// What a browser may do with what is no page: nothing.
const POLICY_NONE: &str = "default-src 'none'; frame-ancestors 'none'";

/// `router` behind the checks of every request.
pub(crate) fn guarded(router: Router, hosts: Arc<Hosts>) -> Router {
    router.layer(from_fn_with_state(hosts, check)).layer(from_fn(harden))
}

/// Refuses what is not meant for this server, and what takes too long.
async fn check(State(hosts): State<Arc<Hosts>>, request: Request, next: Next) -> Response {
    if let Err(problem) = judge(&hosts, &request) {
        return problem.into_response();
    }
    match tokio::time::timeout(ANSWER_MAX, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Problem::busy("the answer took too long").into_response(),
    }
}

fn judge(hosts: &Hosts, request: &Request) -> Result<(), Problem> {
    let misdirected = |found: &str| {
        let detail = format!("found a request to {found}, wanted one to this server's name (--host)");
        Problem::new(StatusCode::MISDIRECTED_REQUEST, "misdirected", detail)
    };
    let headers = request.headers();
    let mut named = headers.get_all(HOST).into_iter().map(|value| value.to_str().unwrap_or_default());
    let host = named.next().ok_or_else(|| misdirected("no host"))?;
    let target = request.uri().authority().map(axum::http::uri::Authority::as_str);
    for name in [Some(host), target].into_iter().flatten().chain(named) {
        if !hosts.has(name) {
            return Err(misdirected(name));
        }
    }
    // A browser says whether another site's page asks; what does not say so is no browser, or an old one, which the origin keeps
    // from reading.
    let site = headers.get("sec-fetch-site").map_or("none", |value| value.to_str().unwrap_or("cross-site"));
    // Who follows a link, or comes back from a login, asks for the page in a window of its own: no other page reads that.
    let says = |name: &str, wanted: &str| headers.get(name).is_some_and(|value| value == wanted);
    let arrives = says("sec-fetch-mode", "navigate") && says("sec-fetch-dest", "document");
    if !arrives && !matches!(site, "none" | "same-origin") {
        let detail = "a page of another site asks".to_owned();
        return Err(Problem::new(StatusCode::FORBIDDEN, "cross_site", detail));
    }
    let bodiless = headers.get(CONTENT_LENGTH).is_none_or(|length| length == "0");
    if !bodiless || headers.contains_key(TRANSFER_ENCODING) {
        let detail = "found a body, wanted none".to_owned();
        return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body", detail));
    }
    Ok(())
}

/// Says what a browser may do with an answer.
async fn harden(request: Request, next: Next) -> Response {
    const SAME_ORIGIN: HeaderValue = HeaderValue::from_static("same-origin");
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.entry(CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static(POLICY_NONE));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(HeaderName::from_static("cross-origin-resource-policy"), SAME_ORIGIN);
    headers.insert(HeaderName::from_static("cross-origin-opener-policy"), SAME_ORIGIN);
    response
}
