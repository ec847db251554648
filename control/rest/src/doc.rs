//! A body that is ready to be sent, and its tag: what floods this process costs no more than copying.

use axum::http::header::{AGE, CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use hyper::body::Bytes;
use serde::Serialize;
use std::time::Duration;

/// Hexadecimal digits of a tag: 64 bits of the body's BLAKE3 tell one moment's answer from another's.
const TAG_DIGITS: usize = 16;

/// A JSON body and its entity tag (RFC 9110, section 8.8.3).
#[derive(Clone, Debug)]
pub(crate) struct Doc {
    body: Bytes,
    tag: HeaderValue,
}

impl Doc {
    /// `value` as JSON.
    ///
    /// # Errors
    /// It cannot be written as JSON.
    pub(crate) fn of(value: &impl Serialize) -> Result<Self, serde_json::Error> {
        let body = serde_json::to_vec(value)?;
        let digest = blake3::hash(&body).to_hex();
        let tag = HeaderValue::from_str(&format!("\"{}\"", &digest[..TAG_DIGITS]));
        // Hexadecimal digits in quotes are always a header's value.
        Ok(Self { tag: tag.unwrap_or(HeaderValue::from_static("\"\"")), body: body.into() })
    }

    /// The tag, with its quotes.
    pub(crate) fn tag(&self) -> &str {
        self.tag.to_str().unwrap_or_default()
    }

    /// The answer to a request with these headers, of what the appliance said `age` ago.
    pub(crate) fn answer(&self, headers: &HeaderMap, age: Duration) -> Response {
        let common = [
            (ETAG, self.tag.clone()),
            // Kept by nobody without asking again whether it still holds.
            (CACHE_CONTROL, HeaderValue::from_static("private, no-cache")),
            (AGE, HeaderValue::from(age.as_secs())),
        ];
        if matches(headers, self.tag()) {
            return (StatusCode::NOT_MODIFIED, common).into_response();
        }
        let kind = [(CONTENT_TYPE, HeaderValue::from_static("application/json"))];
        (StatusCode::OK, common, kind, self.body.clone()).into_response()
    }
}

/// Whether the asker has what `tag` names (RFC 9110, section 13.1.2: compared weakly).
fn matches(headers: &HeaderMap, tag: &str) -> bool {
    let lists = headers.get_all(IF_NONE_MATCH).into_iter().filter_map(|value| value.to_str().ok());
    let mut tags = lists.flat_map(|list| list.split(',')).map(str::trim);
    tags.any(|found| found == "*" || found.strip_prefix("W/").unwrap_or(found) == tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(lists: &[&'static str]) -> HeaderMap {
        lists.iter().map(|list| (IF_NONE_MATCH, HeaderValue::from_static(list))).collect()
    }

    #[test]
    fn who_has_it_is_told_so_and_nobody_else() {
        for (lists, has) in [
            (&[][..], false),
            (&["\"a\""], true),
            (&["W/\"a\""], true),
            (&["\"b\", \"a\""], true),
            (&["\"b\"", "\"a\""], true),
            (&["*"], true),
            (&["\"b\""], false),
            (&["a"], false),
            (&["\"a"], false),
        ] {
            assert_eq!(matches(&asked(lists), "\"a\""), has, "{lists:?}");
        }
    }

    #[test]
    fn the_same_body_has_the_same_tag_and_another_another() {
        let doc = |n: u32| Doc::of(&n).unwrap();
        assert_eq!(doc(1).tag(), doc(1).tag());
        assert_ne!(doc(1).tag(), doc(2).tag());
        let fresh = doc(1).answer(&HeaderMap::new(), Duration::from_millis(2_900));
        assert_eq!((fresh.status(), &fresh.headers()[AGE]), (StatusCode::OK, &HeaderValue::from_static("2")));
        let mut has = HeaderMap::new();
        has.insert(IF_NONE_MATCH, fresh.headers()[ETAG].clone());
        let again = doc(1).answer(&has, Duration::ZERO);
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
        assert_eq!(again.headers()[ETAG], fresh.headers()[ETAG]);
    }
}
