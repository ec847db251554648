//! The metrics as what `status -o json` says has them.

use super::names::*;
use super::table::{Exposition, Format, Metric};
use crate::protocol::{
    EventKind, FeedStatus, HopStatus, LatchHealth, LineStatus, LoadStatus, PortStatus, Reconciliation,
    RingStatus, SessionRow, Severity, SinkStatus, StageStatus, StatusReply, TableStatus,
};
use crate::stamp::Stamp;
use gate::RejectReason;
use std::collections::BTreeMap;
use std::fmt::Display;

/// A metric, and what its value is of a row.
type Column<T, V = u64> = (&'static Metric, fn(&T) -> V);

/// States of feeds.
const FEED_STATES: [&str; 6] = ["live", "silent", "recovering", "stale", "late", "ended"];

/// Bytes in a Mbit.
const BYTES_PER_MBIT: u64 = 125_000;

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
    load(&mut out, &status.load);
    orders(&mut out, status);
    clients(&mut out, sessions);
    reconciliations(&mut out, status);
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
    let counters: [Column<FeedStatus>; 18] = [
        (&FEED_MESSAGES, |feed| feed.messages),
        (&FEED_GAPS, |feed| feed.gaps),
        (&FEED_MISSING_MESSAGES, |feed| feed.missing),
        (&FEED_LATE_MESSAGES, |feed| feed.late),
        (&FEED_DAMAGED, |feed| feed.errors),
        (&FEED_UNBELIEVED_PACKETS, |feed| feed.dropped),
        (&FEED_RESTARTS, |feed| feed.restarts),
        (&FEED_ENDS, |feed| feed.ends),
        (&FEED_ENDS_TAKEN_BACK, |feed| feed.ends_taken_back),
        (&FEED_REDEFINED_LOCATES, |feed| feed.redefined_locates),
        (&FEED_OUTLYING_TIMES, |feed| feed.outliers),
        (&FEED_LOST_EVENTS, |feed| feed.lost_events),
        (&FEED_LOST_DEFINITIONS, |feed| feed.lost_definitions),
        (&FEED_HEARTBEATS, |feed| feed.heartbeats),
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
    out.family(&FEED_LAG_SECONDS);
    for feed in feeds {
        let seconds = format!("{}.{:03}", feed.lag_ms / 1_000, feed.lag_ms % 1_000);
        out.sample(&FEED_LAG_SECONDS, &[("feed", &feed.name)], seconds);
    }
    let at = &FEED_LAST_MESSAGE_TIMESTAMP_SECONDS;
    out.family(at);
    feeds.iter().for_each(|feed| out.sample(at, &[("feed", &feed.name)], moment(feed.last)));
    lines(out, feeds);
    ports(out, feeds);
}

fn lines(out: &mut Exposition, feeds: &[FeedStatus]) {
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

fn ports(out: &mut Exposition, feeds: &[FeedStatus]) {
    let by_port: [Column<PortStatus, Option<u64>>; 13] = [
        (&PORT_LINK_UP, |port| port.link_up.map(u64::from)),
        (&PORT_LINK_SPEED_BYTES, |port| port.speed_mbps.map(|mbps| u64::from(mbps) * BYTES_PER_MBIT)),
        (&PORT_FULL_DUPLEX, |port| Some(port.full_duplex.into())),
        (&PORT_RECEIVED_PACKETS, |port| Some(port.packets)),
        (&PORT_RECEIVED_BYTES, |port| Some(port.bytes)),
        (&PORT_MISSED_PACKETS, |port| Some(port.missed)),
        (&PORT_ERROR_PACKETS, |port| Some(port.errors)),
        (&PORT_UNBUFFERED_PACKETS, |port| Some(port.no_buffer)),
        (&PORT_SENT_PACKETS, |port| Some(port.sent)),
        (&PORT_UNSENT_PACKETS, |port| Some(port.unsent)),
        (&PORT_BUFFERS_USED, |port| Some(port.buffers_used)),
        (&PORT_BUFFERS, |port| Some(port.buffers)),
        (&PORT_UNREADABLE, |port| Some(u64::from(!port.unreadable.is_empty()))),
    ];
    for (metric, value) in by_port {
        out.family(metric);
        for (feed, port) in feeds.iter().filter_map(|feed| Some((feed, feed.port.as_ref()?))) {
            let labels = [("feed", feed.name.as_str()), ("port", &port.device)];
            value(port).into_iter().for_each(|value| out.sample(metric, &labels, value));
        }
    }
}

/// Metrics of rows of one kind, each row known by the label `label`.
fn columns<T, V: Display>(
    out: &mut Exposition,
    (label, rows): (&str, &[T]),
    name: fn(&T) -> &str,
    columns: &[Column<T, V>],
) {
    for (metric, value) in columns {
        out.family(metric);
        rows.iter().for_each(|row| out.sample(metric, &[(label, name(row))], value(row)));
    }
}

fn load(out: &mut Exposition, load: &LoadStatus) {
    let LoadStatus { stages, rings, tables, memory } = load;
    let by_stage: [Column<StageStatus, String>; 6] = [
        (&STAGE_POLLS, |stage| stage.polls.to_string()),
        (&STAGE_BUSY_POLLS, |stage| stage.busy_polls.to_string()),
        (&STAGE_ITEMS, |stage| stage.items.to_string()),
        (&STAGE_BUSY_SECONDS, |stage| seconds(stage.busy_ns)),
        (&STAGE_LONGEST_POLL_SECONDS, |stage| seconds(stage.poll_ns_max)),
        (&STAGE_SLOW_POLLS, |stage| stage.slow_polls.to_string()),
    ];
    columns(out, ("stage", stages), |stage| &stage.stage, &by_stage);
    let by_ring: [Column<RingStatus>; 6] = [
        (&RING_DEPTH_ITEMS, |ring| ring.depth),
        (&RING_WAITING_ITEMS, |ring| ring.waiting),
        (&RING_HIGH_WATER_ITEMS, |ring| ring.high_water),
        (&RING_CARRIED_ITEMS, |ring| ring.carried),
        (&RING_FULL, |ring| ring.full),
        (&RING_LOST_ITEMS, |ring| ring.lost),
    ];
    columns(out, ("ring", rings), |ring| &ring.ring, &by_ring);
    let by_table: [Column<TableStatus>; 3] = [
        (&TABLE_USED, |table| table.used),
        (&TABLE_HIGH_WATER, |table| table.high_water),
        (&TABLE_ROOM, |table| table.room),
    ];
    columns(out, ("table", tables), |table| &table.table, &by_table);
    out.single(&BOOK_MEMORY_BYTES, memory.bytes);
    out.single(&BOOK_MEMORY_HUGE_BYTES, memory.huge_bytes.unwrap_or(0));
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
    let by_client: [Column<SessionRow>; 10] = [
        (&CLIENT_ATTACHED, |session| u64::from(session.state == "attached")),
        (&CLIENT_RING_WAITING_RECORDS, |session| session.ring_waiting),
        (&CLIENT_OPEN_ORDERS, |session| session.open_orders),
        (&CLIENT_LOST_RECORDS, |session| session.lost),
        (&CLIENT_DAMAGED_RECORDS, |session| session.damaged),
        (&CLIENT_UNLOGGED_REFUSALS, |session| session.unlogged),
        (&CLIENT_IN_DOUBT, |session| u64::from(session.in_doubt)),
        (&CLIENT_AUDIT_MODE, |session| u64::from(session.audits())),
        (&CLIENT_WOULD_REJECT_ORDERS, |session| session.would_reject),
        (&CLIENT_NEAR_LIMIT_ORDERS, |session| session.near_limit),
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

fn reconciliations(out: &mut Exposition, status: &StatusReply) {
    let up = |row: &Reconciliation| u64::from(row.down(status.now).is_none());
    out.family(&RECONCILIATION_UP);
    for row in &status.reconciliations {
        out.sample(&RECONCILIATION_UP, &[("gateway", row.gateway.as_str())], up(row));
    }
    let by_gateway: [Column<Reconciliation>; 3] = [
        (&RECONCILIATION_MATCHED, |row| row.matched),
        (&RECONCILIATION_WAITING, |row| row.waiting),
        (&RECONCILIATION_BREAKS, |row| row.breaks),
    ];
    for (metric, value) in by_gateway {
        out.family(metric);
        for row in &status.reconciliations {
            out.sample(metric, &[("gateway", row.gateway.as_str())], value(row));
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
