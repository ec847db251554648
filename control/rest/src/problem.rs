//! Errors as RFC 9457 has them: `application/problem+json`.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use control::client::ClientError;
use control::protocol::RefusalKind;
use serde::Serialize;

/// What is told to whoever is refused. The kind is stable, the detail is for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    status: StatusCode,
    kind: &'static str,
    detail: String,
}

/// The members of a problem, in their order on the wire.
#[derive(Serialize)]
struct Members<'a> {
    #[serde(rename = "type")]
    kind: String,
    title: &'a str,
    status: u16,
    detail: &'a str,
}

impl Problem {
    pub(crate) const fn new(status: StatusCode, kind: &'static str, detail: String) -> Self {
        Self { status, kind, detail }
    }

    /// A request that makes no sense: what was found, what was wanted.
    pub(crate) const fn bad_request(detail: String) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", detail)
    }

    /// Nothing of that name.
    pub(crate) const fn not_found(detail: String) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", detail)
    }

    /// The appliance is not heard, or what it last said is too old to be shown as what is.
    pub(crate) const fn stale(detail: String) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "stale", detail)
    }

    /// There is too much to do.
    pub(crate) fn busy(detail: &str) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", detail.to_owned())
    }
}

impl From<&ClientError> for Problem {
    /// What the appliance refuses is told as it says it; what else goes wrong between it and this process is no fault of who asks.
    fn from(error: &ClientError) -> Self {
        let detail = error.to_string();
        match error {
            ClientError::Refused(refusal) => match refusal.kind {
                RefusalKind::NotFound => Self::not_found(detail),
                RefusalKind::BadRequest => Self::bad_request(detail),
                RefusalKind::Busy => Self::busy(&detail),
                RefusalKind::Denied
                | RefusalKind::Policy
                | RefusalKind::VersionMismatch
                | RefusalKind::Expired
                | RefusalKind::Failed => Self::new(StatusCode::BAD_GATEWAY, "refused", detail),
            },
            ClientError::Unreachable { .. } | ClientError::NoAnswer { .. } => Self::stale(detail),
            ClientError::Version { .. } | ClientError::Unreadable { .. } => {
                Self::new(StatusCode::BAD_GATEWAY, "unreadable", detail)
            }
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let members = Members {
            kind: format!("urn:portcullis:problem:{}", self.kind),
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            detail: &self.detail,
        };
        let body = serde_json::to_vec(&members).unwrap_or_default();
        let kind = HeaderValue::from_static("application/problem+json");
        let mut response = (self.status, [(header::CONTENT_TYPE, kind)], body).into_response();
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use control::protocol::Refusal;

    #[test]
    fn refusals_have_the_status_of_their_kind() {
        let cases = [
            (RefusalKind::NotFound, 404, "not_found"),
            (RefusalKind::BadRequest, 400, "bad_request"),
            (RefusalKind::Busy, 503, "busy"),
            (RefusalKind::Denied, 502, "refused"),
            (RefusalKind::Failed, 502, "refused"),
        ];
        for (kind, status, word) in cases {
            let refused = ClientError::Refused(Refusal { kind, message: "no such \"thing\"".to_owned() });
            let problem = Problem::from(&refused);
            assert_eq!((problem.status.as_u16(), problem.kind), (status, word));
            assert_eq!(problem.detail, "no such \"thing\"");
        }
    }
}
