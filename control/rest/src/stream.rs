//! The stream (server-sent events): what is other than it was, each time that the appliance was asked.
//!
//! Nobody who follows it has a queue: each reads the newest picture when it can take one. Who was too slow for some is told how many,
//! and reads all anew.

use crate::picture::{Known, LISTS, Picture};
use crate::problem::Problem;
use crate::query::{Asked, Nothing};
use crate::seats::Seat;
use crate::shared::Shared;
use axum::extract::State;
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::unfold;
use serde_json::json;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch::Receiver;

/// How long a browser waits before it comes again.
const RETRY: Duration = Duration::from_secs(2);

/// How far one who follows has come.
struct Follower {
    known: Receiver<Known>,
    seat: Seat,
    /// The last picture that was sent; 0 before the first.
    revision: u64,
    /// Tags of the lists that were sent.
    tags: [String; LISTS.len()],
    /// Why there was no picture, where that was sent last.
    failure: Option<String>,
    waiting: VecDeque<Event>,
}

/// `GET /v1/stream`
pub(crate) async fn follow(
    State(shared): State<Arc<Shared>>,
    Asked(Nothing {}): Asked<Nothing>,
) -> Result<Response, Problem> {
    let seat = shared.seats.take().ok_or_else(|| Problem::busy("32 follow the stream, no more may"))?;
    let mut known = shared.known();
    known.mark_changed();
    let tags = [const { String::new() }; LISTS.len()];
    let follower = Follower { known, seat, revision: 0, tags, failure: None, waiting: VecDeque::new() };
    let events = unfold(follower, |mut follower| async move {
        let event = follower.next().await?;
        Some((Ok::<Event, Infallible>(event), follower))
    });
    Ok(Sse::new(events).into_response())
}

impl Follower {
    /// The next event; none when nobody looks at the appliance any more.
    async fn next(&mut self) -> Option<Event> {
        while self.waiting.is_empty() {
            self.known.changed().await.ok()?;
            let known = self.known.borrow_and_update().clone();
            let events = self.events(&known);
            self.waiting.extend(events);
        }
        self.waiting.pop_front()
    }

    /// What is to be said of what is known now.
    fn events(&mut self, known: &Known) -> Vec<Event> {
        if let Some(failure) = &known.failure {
            let said = self.failure.as_ref() == Some(failure);
            self.failure = Some(failure.clone());
            return if said { Vec::new() } else { vec![event("down", &json!({ "detail": failure }))] };
        }
        let Some(picture) = &known.picture else { return Vec::new() };
        self.failure = None;
        let mut events = vec![Event::default().retry(RETRY).id(picture.revision.to_string())];
        events.extend(self.missed(picture));
        events.push(event("status", &picture.status));
        let in_turn = self.revision != 0 && self.revision + 1 == picture.revision;
        match &picture.changed {
            Some(places) if in_turn => {
                let rows: Vec<_> = places.iter().map(|place| &picture.instruments[*place]).collect();
                if !rows.is_empty() {
                    events.push(event("instruments", &json!({ "rows": rows })));
                }
            }
            _ => events.push(event("anew", &json!({ "revision": picture.revision }))),
        }
        if in_turn && !picture.events.is_empty() {
            events.push(event("events", &json!({ "rows": picture.events })));
        }
        events.extend(self.lists(picture));
        self.revision = picture.revision;
        events
    }

    /// Says and counts what went by.
    fn missed(&self, picture: &Picture) -> Option<Event> {
        let missed = picture.revision.saturating_sub(self.revision + 1);
        if self.revision == 0 || missed == 0 {
            return None;
        }
        self.seat.lagged(missed);
        Some(event("lagged", &json!({ "missed": missed })))
    }

    /// The names of the lists that are others now.
    fn lists(&mut self, picture: &Picture) -> Option<Event> {
        let mut names = Vec::new();
        for ((name, doc), tag) in LISTS.iter().zip(&picture.lists).zip(&mut self.tags) {
            if doc.tag() != tag {
                doc.tag().clone_into(tag);
                names.push(*name);
            }
        }
        (!names.is_empty()).then(|| event("lists", &json!({ "names": names })))
    }
}

/// JSON has no line ends but escaped ones, so that it is one line of data.
fn event(name: &str, data: &impl serde::Serialize) -> Event {
    Event::default().event(name).data(serde_json::to_string(data).unwrap_or_default())
}
