//! What `status` says of a feed and of its lines.

use crate::sheet::Field;
use crate::words::{ago, n};
use control::protocol::{FeedStatus, LineStatus, PortStatus, RecoveryStatus};
use control::stamp::Stamp;

/// So many lines are all shown; of more, those alone that are dead or lack something. JSON has all.
const SHOWN_MAX: usize = 8;

/// The feed's row, and one for each line.
pub(crate) fn rows(feed: &FeedStatus, now: Stamp) -> Vec<(String, Field)> {
    let counts = format!("{} messages, {} gaps, {} missing", n(feed.messages), n(feed.gaps), n(feed.missing));
    let said = format!(
        "{}{}: {counts}{}, last {}",
        feed.state,
        feed.lag_words(),
        troubles(feed),
        ago(feed.last, now)
    );
    let shown = |line: &&LineStatus| feed.lines.len() <= SHOWN_MAX || is_poor(line);
    let channels = feed.lines.iter().map(|line| line.channel).max().unwrap_or(0);
    let lines = feed.lines.iter().filter(shown).map(|line| {
        let channel = if channels == 0 { String::new() } else { format!("channel {} ", line.channel) };
        (format!("  {channel}line {}", line.line), line_row(line, now))
    });
    let feed_row = (format!("feed {}", feed.name), Field::alarm_if(feed.state != "live", said));
    let recovery = feed.recovery.as_ref().map(|recovery| ("  recovery".to_owned(), recovery_row(recovery)));
    let port = feed.port.as_ref().map(|port| ("  port".to_owned(), port_row(port)));
    std::iter::once(feed_row).chain(port).chain(recovery).chain(lines).collect()
}

/// The port's link and what it lost; an alarm where it has no link, lost something or says nothing.
fn port_row(port: &PortStatus) -> Field {
    let PortStatus { device, link_up, missed, errors, no_buffer, unsent, unreadable, .. } = port;
    let speed = port.speed_mbps.map_or_else(String::new, |mbps| format!(", {} Mbit/s", n(mbps.into())));
    let duplex = if port.full_duplex { "" } else { ", half duplex" };
    let link = match link_up {
        Some(true) => format!("link up{speed}{duplex}"),
        Some(false) => "LINK DOWN".to_owned(),
        None => "link unknown".to_owned(),
    };
    let counts = [
        (*missed, "missed (queue full)"),
        (*errors, "in error"),
        (*no_buffer, "without a buffer"),
        (*unsent, "not sent"),
    ];
    let counts = counts.into_iter().filter(|(count, _)| *count > 0);
    let counts: String = counts.map(|(count, what)| format!(", {} {what}", n(count))).collect();
    let why = if unreadable.is_empty() { String::new() } else { format!("; not read now: {unreadable}") };
    let said = format!("{device}: {link}, {} packets{counts}{why}", n(port.packets));
    Field::alarm_if(*link_up == Some(false) || port.lost() > 0 || !unreadable.is_empty(), said)
}

/// What was asked for again; an alarm where that was in vain.
fn recovery_row(recovery: &RecoveryStatus) -> Field {
    let RecoveryStatus { requests, unanswered, recovered, refused, failed } = *recovery;
    let [requests, unanswered, recovered] = [requests, unanswered, recovered].map(n);
    let more = [(refused, "answers not believed"), (failed, "holes given up")];
    let more = more.into_iter().filter(|(count, _)| *count > 0);
    let more: String = more.map(|(count, what)| format!(", {} {what}", n(count))).collect();
    let said = format!("{recovered} messages recovered, {requests} requests, {unanswered} unanswered{more}");
    Field::alarm_if(failed > 0, said)
}

/// Whether somebody should look at the line.
fn is_poor(line: &LineStatus) -> bool {
    line.dead_since.is_some() || line.missing > 0 || line.damaged > 0
}

fn line_row(line: &LineStatus, now: Stamp) -> Field {
    let [packets, messages, missing, late] = [line.packets, line.messages, line.missing, line.late].map(n);
    let damaged = if line.damaged > 0 { format!(", {} damaged", n(line.damaged)) } else { String::new() };
    let heard = match (line.dead_since, line.last) {
        (Some(since), Some(_)) => format!("DEAD since {since:.3}"),
        (Some(since), None) => format!("DEAD: not heard since the start, {since:.3}"),
        (None, last) => format!("last {}", ago(last, now)),
    };
    let counts = format!("{packets} packets, {messages} messages, {missing} missing, {late} late{damaged}");
    Field::alarm_if(line.dead_since.is_some(), format!("{}: {counts}, {heard}", line.group))
}

/// What else went wrong with a feed, as the end of a sentence; empty when nothing did.
fn troubles(feed: &FeedStatus) -> String {
    let dropped = format!("dropped{}", feed.dropped_causes(n));
    let counts = [
        (feed.late, "late"),
        (feed.errors, "damaged"),
        (feed.dropped, &dropped),
        (feed.outliers, "with a wrong time"),
        (feed.restarts, "restarts of the sequence"),
        (feed.ends_taken_back, "ends of the session taken back"),
        (feed.redefined_locates, "locates given to another stock"),
        (feed.lost_events, "lost in the ring"),
        (feed.lost_definitions, "of them named an instrument"),
        (feed.instruments_beyond, "instruments without room (book.instruments)"),
    ];
    counts
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!(", {} {what}", n(count)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::UnixNanos;

    const NOW: Stamp = Stamp(UnixNanos(1_795_271_422_000_000_000));

    fn feed(lines: Vec<LineStatus>) -> FeedStatus {
        FeedStatus {
            name: "x".to_owned(),
            state: "live".to_owned(),
            messages: 0,
            gaps: 0,
            missing: 0,
            last: None,
            late: 0,
            errors: 0,
            dropped: 0,
            dropped_by_cause: std::collections::BTreeMap::new(),
            restarts: 0,
            ends: 0,
            ended_channel: None,
            ends_taken_back: 0,
            resumed_channel: None,
            redefined_locates: 0,
            outliers: 0,
            late_channels: 0,
            lag_ms: 0,
            lost_events: 0,
            lost_definitions: 0,
            heartbeats: 0,
            port: None,
            instruments_beyond: 0,
            recovery: None,
            lines,
        }
    }

    fn line(channel: u8, line: char) -> LineStatus {
        LineStatus {
            channel,
            line,
            group: "233.54.12.1:26400".to_owned(),
            packets: 1_200,
            messages: 3_400,
            missing: 0,
            late: 17,
            damaged: 0,
            last: Some(NOW),
            dead_since: None,
        }
    }

    /// The rows as a sheet prints them.
    fn told(feed: &FeedStatus) -> Vec<(String, String)> {
        rows(feed, NOW).into_iter().map(|(name, field)| (name, field.words().to_owned())).collect()
    }

    #[test]
    fn troubles_are_said_only_where_there_are_some() {
        assert_eq!(troubles(&feed(Vec::new())), "");
        let some = FeedStatus { late: 2, dropped: 1_500, instruments_beyond: 3, ..feed(Vec::new()) };
        assert_eq!(troubles(&some), ", 2 late, 1,500 dropped, 3 instruments without room (book.instruments)");
        let causes =
            [("stray_jumps", 2), ("contradictions", 1)].map(|(cause, n)| (cause.to_owned(), n)).into();
        let with_causes = FeedStatus { dropped: 3, dropped_by_cause: causes, ..feed(Vec::new()) };
        assert_eq!(troubles(&with_causes), ", 3 dropped (1 contradictions, 2 stray jumps)");
        let doubted =
            FeedStatus { restarts: 1, ends_taken_back: 3, redefined_locates: 2, ..feed(Vec::new()) };
        let said = ", 1 restarts of the sequence, 3 ends of the session taken back, 2 locates given to another stock";
        assert_eq!(troubles(&doubted), said);
    }

    #[test]
    fn what_was_asked_for_again_is_told_where_there_are_servers() {
        let with = |recovery| FeedStatus { recovery: Some(recovery), ..feed(Vec::new()) };
        let good = RecoveryStatus { requests: 12, recovered: 3_400, ..RecoveryStatus::default() };
        let [_, row] = &told(&with(good))[..] else { panic!("two rows") };
        assert_eq!(*row, ("  recovery".into(), "3,400 messages recovered, 12 requests, 0 unanswered".into()));
        let bad = RecoveryStatus { unanswered: 12, refused: 2, failed: 1, ..good };
        assert!(told(&with(bad))[1].1.ends_with("12 unanswered, 2 answers not believed, 1 holes given up"));
    }

    #[test]
    fn a_port_is_told_with_its_link_and_what_it_lost() {
        let good = PortStatus {
            device: "0000:3b:00.0".to_owned(),
            link_up: Some(true),
            speed_mbps: Some(25_000),
            full_duplex: true,
            packets: 310_204,
            ..PortStatus::default()
        };
        let row =
            |port: &PortStatus| told(&FeedStatus { port: Some(port.clone()), ..feed(Vec::new()) }).remove(1);
        let said = "0000:3b:00.0: link up, 25,000 Mbit/s, 310,204 packets";
        assert_eq!(row(&good), ("  port".to_owned(), said.to_owned()));
        assert!(matches!(port_row(&good), Field::Text(_)));
        let lossy = PortStatus { missed: 1_200, no_buffer: 3, full_duplex: false, ..good.clone() };
        let said = "link up, 25,000 Mbit/s, half duplex, 310,204 packets, 1,200 missed (queue full), 3 without a buffer";
        assert_eq!(row(&lossy).1, format!("0000:3b:00.0: {said}"));
        let down = PortStatus { link_up: Some(false), ..good.clone() };
        assert_eq!(row(&down).1, "0000:3b:00.0: LINK DOWN, 310,204 packets");
        let unreadable = PortStatus { link_up: None, unreadable: "-95".to_owned(), ..good };
        assert!(row(&unreadable).1.ends_with("link unknown, 310,204 packets; not read now: -95"));
        assert!([lossy, down, unreadable].iter().all(|port| matches!(port_row(port), Field::Alarm(_))));
    }

    #[test]
    fn each_line_is_told_and_a_dead_one_since_when() {
        let dead = LineStatus { missing: 5, damaged: 1, dead_since: Some(NOW), ..line(0, 'B') };
        let silent = LineStatus { last: None, dead_since: Some(NOW), ..line(0, 'C') };
        let [_, a, b, c] = &told(&feed(vec![line(0, 'A'), dead, silent]))[..] else { panic!("four rows") };
        let counts = "233.54.12.1:26400: 1,200 packets, 3,400 messages";
        assert_eq!(
            (a.0.as_str(), a.1.clone()),
            ("  line A", format!("{counts}, 0 missing, 17 late, last 0 s ago"))
        );
        let since = "2026-11-21T14:30:22.000Z";
        assert_eq!(b.1, format!("{counts}, 5 missing, 17 late, 1 damaged, DEAD since {since}"));
        assert!(c.1.ends_with(&format!("DEAD: not heard since the start, {since}")), "{}", c.1);
    }

    #[test]
    fn of_many_lines_those_are_told_that_lack_something() {
        let mut lines: Vec<LineStatus> =
            (0..10).flat_map(|channel| [line(channel, 'A'), line(channel, 'B')]).collect();
        lines[7].missing = 1;
        let names: Vec<String> = told(&feed(lines)).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["feed x", "  channel 3 line B"]);
    }
}
