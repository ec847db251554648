//! What the daemon's line is made of. Said here alone, so that the test which holds the live configuration against a replay
//! (`equality.rs`) has the line of `run` and none of its own.

use super::backend::NAMES_MAX;
use crate::latency::Latency;
use crate::line::gate_tables::Listens;
use crate::line::health::{Channels, FeedHealth};
use crate::line::names::NameTable;
use crate::line::spec::{DeskSpec, Follows, LineFeed, LineFiles, LineSpec, Pace, ScorerSpec};
use crate::scorer::{load_model, open_live};
use anyhow::Result;
use control::config::{Feed as FeedPlan, Plan};
use gpu::{CardChange, Model};
use stage::{LiveClock, RingRx, RingTx};
use types::BookEvent;

/// What a line has beside its configuration.
pub(super) struct Parts<'a> {
    pub(super) model: Option<&'a Model>,
    pub(super) clock: &'a LiveClock,
    /// Where changes of a card's standing are told.
    pub(super) cards: RingTx<CardChange>,
}

/// The model that `plan` scores by; none where it has no scorer.
///
/// # Errors
/// A model that cannot be read or is none.
pub(super) fn model_of(plan: &Plan) -> Result<Option<Model>> {
    let dir = &plan.scorer.model_dir;
    let open = || load_model((!dir.as_os_str().is_empty()).then_some(dir.as_path()));
    plan.scorer.enabled.then(open).transpose()
}

/// `feed` of `plan` behind its receiver, which fills `events`; `health` says how it is, for who asks.
pub(super) fn line_feed(
    plan: &Plan,
    feed: &FeedPlan,
    events: RingRx<BookEvent>,
    health: FeedHealth,
) -> LineFeed {
    LineFeed {
        name: feed.name.to_string(),
        events,
        channels: Channels::new(feed.line_a.len(), health),
        share: plan.share_of(feed),
        suffix: feed.suffix.as_str().into(),
    }
}

/// The line of `plan` behind its feeds, and what is to be told of its scorer.
///
/// # Errors
/// A policy that the scorer cannot follow, or a backend that cannot take the model.
pub(super) fn line_of<'a>(
    plan: &'a Plan,
    parts: Parts<'a>,
    latency: &'a mut Latency,
) -> Result<(LineSpec<'a, ()>, Option<String>)> {
    let Parts { model, clock, cards } = parts;
    let (mut scorer, mut warning) = (None, None);
    if let Some(model) = model {
        let (opened, told) = open_live(plan, model, clock, cards)?;
        (scorer, warning) = (Some(ScorerSpec { model, scorer: opened }), told);
    }
    let spec = LineSpec {
        plan,
        pace: Pace::Live,
        clock: clock.clone(),
        scorer,
        files: LineFiles::default(),
        desks: vec![desk_of(plan)],
        observer: (),
        follows: Follows::Nobody,
        latency,
    };
    Ok((spec, warning))
}

/// The one desk. Nobody trades through it, orders come from threads that attach: it explains.
fn desk_of(plan: &Plan) -> DeskSpec {
    // The configuration allows no more than NAMES_MAX of either; a gate has at least one.
    let named = |count: usize| u16::try_from(count).map_or(NAMES_MAX, |count| count.clamp(1, NAMES_MAX));
    DeskSpec {
        accounts: named(plan.scopes.accounts.len()),
        strategies: named(plan.scopes.strategies.len()),
        listens: Listens::to_model(plan),
        names: NameTable::default(),
        source: None,
        route: None,
        measured: false,
        shared: !plan.clients.is_empty(),
    }
}
