//! The metrics as what `status -o json` says has them.

use super::names::*;
use super::table::{Exposition, Format, Metric};
use crate::protocol::{
    EventKind, FeedStatus, HopStatus, LatchHealth, LineStatus, SessionRow, Severity, SinkStatus, StatusReply,
};
use crate::stamp::Stamp;
use gate::RejectReason;
use std::collections::BTreeMap;

/// A metric, and what its value is of a row.
type Column<T, V = u64> = (&'static Metric, fn(&T) -> V);

/// States of feeds.
const FEED_STATES: [&str; 5] = ["live", "silent", "recovering", "stale", "ended"];

/// What is exposed.
pub(crate) struct Reading {
    pub(crate) status: StatusReply,
    pub(crate) sessions: Vec<SessionRow>,
    /// Alerts that last.
    pub(crate) alerts: BTreeMap<(EventKind, Severity), u64>,
    /// Changes that wait for a second person.
    pub(crate) proposals: usize,
}

/// Nanoseconds as seconds, every digit kept.
fn seconds(nanos: u64) -> String {
    format!("{}.{:09}", nanos / 1_000_000_000, nanos % 1_000_000_000)
}

fn moment(at: Option<Stamp>) -> String {
    seconds(at.map_or(0, |at| at.0.0))
}

/// The exposition of a reading.
pub(crate) fn render(reading: &Reading, format: Format) -> String {
    let Reading { status, sessions, alerts, proposals } = reading;
    let mut out = Exposition::new(format);
    whole(&mut out, status);
    feeds(&mut out, &status.feeds);
    stages(&mut out, status);
    orders(&mut out, status);
    clients(&mut out, sessions);
    events(&mut out, status, alerts);
    out.single(&PROPOSALS_WAITING, proposals);
    out.end()
}

fn whole(out: &mut Exposition, status: &StatusReply) {
    out.family(&BUILD);
    out.sample(&BUILD, &[("instance", &status.instance), ("version", &status.build)], 1);
    out.single(&START_TIME_SECONDS, moment(Some(status.started)));
    out.single(&HALTED, u8::from(status.halt.is_some()));
    out.single(&ORDERS_CAN_PASS, u8::from(status.closed.is_none()));
    out.single(&LATCH_DAMAGED, u8::from(matches!(status.latch, LatchHealth::Damaged(_))));
    out.single(&STATE_UNWRITTEN, status.alarms.len());
    out.single(&BREAKERS_TRIPPED, status.breakers);
    out.family(&INSTRUMENTS);
    let tiers = &status.tiers;
    let by_tier = [
        ("normal", tiers.normal),
        ("elevated", tiers.elevated),
        ("high", tiers.high),
        ("critical", tiers.critical),
        ("unknown", tiers.unknown),
    ];
    by_tier.iter().for_each(|(tier, count)| out.sample(&INSTRUMENTS, &[("tier", tier)], count));
    out.family(&BOOKS);
    status.books.iter().for_each(|group| out.sample(&BOOKS, &[("state", &group.state)], group.count));
    out.single(&AUDIT_RECORDS, status.audit.records);
    out.single(&REFUSED_COMMANDS, status.refused.total);
}

fn feeds(out: &mut Exposition, feeds: &[FeedStatus]) {
    out.family(&FEED_STATE);
    for feed in feeds {
        for state in FEED_STATES {
            let value = u8::from(feed.state == state);
            out.sample(&FEED_STATE, &[("feed", &feed.name), ("state", state)], value);
        }
    }
    let counters: [Column<FeedStatus>; 14] = [
        (&FEED_MESSAGES, |feed| feed.messages),
        (&FEED_GAPS, |feed| feed.gaps),
        (&FEED_MISSING_MESSAGES, |feed| feed.missing),
        (&FEED_LATE_MESSAGES, |feed| feed.late),
        (&FEED_DAMAGED, |feed| feed.errors),
        (&FEED_UNBELIEVED_PACKETS, |feed| feed.dropped),
        (&FEED_RESTARTS, |feed| feed.restarts),
        (&FEED_REDEFINED_LOCATES, |feed| feed.redefined_locates),
        (&FEED_OUTLYING_TIMES, |feed| feed.outliers),
        (&FEED_LOST_EVENTS, |feed| feed.lost_events),
        (&FEED_INSTRUMENTS_BEYOND, |feed| feed.instruments_beyond),
        (&FEED_RECOVERED_MESSAGES, |feed| feed.recovery.map_or(0, |recovery| recovery.recovered)),
        (&FEED_UNANSWERED_REQUESTS, |feed| feed.recovery.map_or(0, |recovery| recovery.unanswered)),
        (&FEED_UNRECOVERED_GAPS, |feed| feed.recovery.map_or(0, |recovery| recovery.failed)),
    ];
    for (metric, value) in counters {
        out.family(metric);
        feeds.iter().for_each(|feed| out.sample(metric, &[("feed", &feed.name)], value(feed)));
    }
    out.family(&FEED_DROPPED);
    for (feed, (cause, count)) in
        feeds.iter().flat_map(|feed| feed.dropped_by_cause.iter().map(move |dropped| (feed, dropped)))
    {
        out.sample(&FEED_DROPPED, &[("feed", &feed.name), ("cause", cause)], count);
    }
    let at = &FEED_LAST_MESSAGE_TIMESTAMP_SECONDS;
    out.family(at);
    feeds.iter().for_each(|feed| out.sample(at, &[("feed", &feed.name)], moment(feed.last)));
    let by_line: [Column<LineStatus, String>; 7] = [
        (&LINE_PACKETS, |line| line.packets.to_string()),
        (&LINE_MESSAGES, |line| line.messages.to_string()),
        (&LINE_MISSING_MESSAGES, |line| line.missing.to_string()),
        (&LINE_LATE_MESSAGES, |line| line.late.to_string()),
        (&LINE_DAMAGED_PACKETS, |line| line.damaged.to_string()),
        (&LINE_DEAD, |line| u8::from(line.dead_since.is_some()).to_string()),
        (&LINE_LAST_HEARD_TIMESTAMP_SECONDS, |line| moment(line.last)),
    ];
    for (metric, value) in by_line {
        out.family(metric);
        for (feed, line) in feeds.iter().flat_map(|feed| feed.lines.iter().map(move |line| (feed, line))) {
            let (channel, name) = (line.channel.to_string(), line.line.to_string());
            let labels = [("feed", feed.name.as_str()), ("channel", &channel), ("line", &name)];
            out.sample(metric, &labels, value(line));
        }
    }
}

fn stages(out: &mut Exposition, status: &StatusReply) {
    out.family(&STAGE_COUNT);
    for (stage, counters) in &status.counters {
        for (counter, value) in counters {
            out.sample(&STAGE_COUNT, &[("stage", stage), ("counter", counter)], value);
        }
    }
    let scorer = &status.scorer;
    out.family(&MODEL);
    out.sample(&MODEL, &[("backend", &scorer.backend), ("model", &scorer.model)], 1);
    out.single(&SCORER_SCORED, scorer.scored);
    out.single(&SCORER_LAST_SCORE_TIMESTAMP_SECONDS, moment(scorer.last));
    out.family(&HOP_LATENCY_SECONDS);
    for HopStatus { hop, count, p50_ns, p90_ns, p99_ns, p999_ns, max_ns } in &status.hops {
        let quantiles =
            [("0.5", p50_ns), ("0.9", p90_ns), ("0.99", p99_ns), ("0.999", p999_ns), ("1", max_ns)];
        for (quantile, value) in quantiles {
            out.sample(&HOP_LATENCY_SECONDS, &[("hop", hop), ("quantile", quantile)], seconds(*value));
        }
        out.count(&HOP_LATENCY_SECONDS, &[("hop", hop)], *count);
    }
}

fn orders(out: &mut Exposition, status: &StatusReply) {
    out.family(&ORDERS);
    if let Some(orders) = &status.orders {
        let by_decision =
            [("accept", orders.accepted), ("flag", orders.flagged), ("reject", orders.rejected)];
        by_decision.iter().for_each(|(decision, n)| out.sample(&ORDERS, &[("decision", decision)], n));
    }
    out.family(&VERDICTS);
    for (code, count) in &status.verdicts {
        let slug = RejectReason::ALL.iter().find(|reason| reason.code() == *code);
        let slug = slug.map_or("", |reason| reason.slug());
        out.sample(&VERDICTS, &[("code", &code.to_string()), ("slug", slug)], count);
    }
}

fn clients(out: &mut Exposition, sessions: &[SessionRow]) {
    let by_client: [Column<SessionRow>; 7] = [
        (&CLIENT_ATTACHED, |session| u64::from(session.state == "attached")),
        (&CLIENT_RING_WAITING_RECORDS, |session| session.ring_waiting),
        (&CLIENT_OPEN_ORDERS, |session| session.open_orders),
        (&CLIENT_LOST_RECORDS, |session| session.lost),
        (&CLIENT_DAMAGED_RECORDS, |session| session.damaged),
        (&CLIENT_UNLOGGED_REFUSALS, |session| session.unlogged),
        (&CLIENT_IN_DOUBT, |session| u64::from(session.in_doubt)),
    ];
    for (metric, value) in by_client {
        out.family(metric);
        sessions.iter().for_each(|s| out.sample(metric, &[("client", s.client.as_str())], value(s)));
    }
    out.family(&CLIENT_ORDERS);
    for session in sessions {
        let by_decision =
            [("accept", session.accepted), ("flag", session.flagged), ("reject", session.rejected)];
        for (decision, count) in by_decision {
            let labels = [("client", session.client.as_str()), ("decision", decision)];
            out.sample(&CLIENT_ORDERS, &labels, count);
        }
    }
}

fn events(out: &mut Exposition, status: &StatusReply, alerts: &BTreeMap<(EventKind, Severity), u64>) {
    let events = status.events.clone().unwrap_or_default();
    out.single(&EVENTS, events.newest);
    out.single(&EVENTS_LOST, events.lost);
    out.single(&EVENTS_SUMMARISED, events.summarised);
    out.family(&ALERTS);
    for ((kind, severity), count) in alerts {
        out.sample(&ALERTS, &[("kind", kind.as_str()), ("severity", severity.as_str())], count);
    }
    out.single(&ALERTS_UNACKNOWLEDGED, events.unacknowledged);
    let by_sink: [Column<SinkStatus>; 5] = [
        (&SINK_FAILING, |sink| u64::from(!sink.failing.is_empty())),
        (&SINK_DELIVERED_EVENTS, |sink| sink.delivered),
        (&SINK_RETRIES, |sink| sink.retries),
        (&SINK_LOST_EVENTS, |sink| sink.lost),
        (&SINK_WAITING_EVENTS, |sink| sink.waiting),
    ];
    for (metric, value) in by_sink {
        out.family(metric);
        events.sinks.iter().for_each(|sink| out.sample(metric, &[("sink", &sink.name)], value(sink)));
    }
    out.family(&SINK_LATENCY_SECONDS);
    for SinkStatus { name, delivered, p50_us, p99_us, p999_us, max_us, .. } in &events.sinks {
        let quantiles = [("0.5", p50_us), ("0.99", p99_us), ("0.999", p999_us), ("1", max_us)];
        for (quantile, us) in quantiles {
            let labels = [("sink", name.as_str()), ("quantile", quantile)];
            out.sample(&SINK_LATENCY_SECONDS, &labels, seconds(us * 1_000));
        }
        out.count(&SINK_LATENCY_SECONDS, &[("sink", name)], *delivered);
    }
}
