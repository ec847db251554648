//! Events posted as JSON to a program of the operator's, which pages whoever has the watch.

use super::http::Target;
use super::{Refusal, Sink};
use crate::protocol::Event;
use serde::Serialize;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// Version of the posted message.
const VERSION: u32 = 1;

/// What is posted.
#[derive(Serialize)]
struct Message<'a> {
    version: u32,
    instance: &'a str,
    events: Vec<&'a Event>,
}

/// A receiver of POSTs.
pub(in crate::events) struct WebhookSink {
    target: Target,
    timeout: Duration,
    instance: String,
}

impl WebhookSink {
    /// Posts to `url`; none where it is no URL of plain HTTP.
    pub(in crate::events) fn new(url: &str, timeout: Duration, instance: String) -> Option<Self> {
        Some(Self { target: Target::parse(url)?, timeout, instance })
    }
}

impl Sink for WebhookSink {
    fn send(&mut self, events: &[Arc<Event>], _newest: u64) -> Result<(), Refusal> {
        if events.is_empty() {
            return Ok(());
        }
        let events = events.iter().map(AsRef::as_ref).collect();
        let message = Message { version: VERSION, instance: &self.instance, events };
        let body = serde_json::to_vec(&message).map_err(io::Error::from)?;
        match self.target.post(&body, self.timeout)? {
            200..=299 => Ok(()),
            // It took exception to the message, and will again; the other codes speak of its own troubles (RFC 9110, 15.5).
            code @ 400..=499 if ![401, 403, 404, 408, 425, 429].contains(&code) => {
                Err(Refusal::Never(format!("it answered {code}")))
            }
            code => Err(io::Error::other(format!("it answered {code}")).into()),
        }
    }
}
