//! The page of the risk desk: three files that are part of the program, so that nothing is fetched from anywhere.

use crate::shared::Shared;
use axum::Router;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::http::{HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use std::sync::Arc;

/// What the page may do: read this server, with the script and the style of this server, in no frame.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

/// Path, kind and text of each.
const FILES: [(&str, &str, &str); 3] = [
    ("/", "text/html; charset=utf-8", include_str!("page/page.html")),
    ("/page.css", "text/css; charset=utf-8", include_str!("page/page.css")),
    ("/page.js", "text/javascript; charset=utf-8", include_str!("page/page.js")),
];

/// `router` with the page.
pub(crate) fn with_page(router: Router<Arc<Shared>>) -> Router<Arc<Shared>> {
    FILES.into_iter().fold(router, |router, (path, kind, text)| {
        router.route(path, get(move || async move { file(kind, text) }))
    })
}

fn file(kind: &'static str, text: &'static str) -> Response {
    let fields: [(HeaderName, HeaderValue); 3] = [
        (CONTENT_TYPE, HeaderValue::from_static(kind)),
        (CONTENT_SECURITY_POLICY, POLICY),
        // Another build is another page.
        (CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    (fields, text).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_names_no_place_but_this_server() {
        for (path, _, text) in FILES {
            let addresses = text.match_indices("://").map(|(at, _)| &text[at.saturating_sub(8)..at + 20]);
            let foreign: Vec<&str> = addresses.filter(|found| !found.contains("www.w3.org")).collect();
            assert!(foreign.is_empty(), "{path}: {foreign:?}");
        }
    }

    #[test]
    fn what_comes_from_the_appliance_never_becomes_markup() {
        let script = FILES[2].2;
        for word in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function("] {
            assert!(!script.contains(word), "{word}");
        }
        for word in [" style=", " onclick=", "<script>", "<style>"] {
            assert!(!FILES[0].2.contains(word), "the policy forbids {word}");
        }
    }
}
