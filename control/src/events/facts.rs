//! What can be seen of the appliance from outside its stages, and what of it is worth an event: conditions that begin and end, and
//! counters that move.

use super::draft::Draft;
use super::officer::Lasting;
use crate::names::SymbolName;
use crate::protocol::{
    EventKind, FeedStatus, GatewayStatus, LineStatus, PortStatus, Reconciliation, RingStatus, ScorerStatus,
    SessionRow, Severity,
};
use crate::stamp::Stamp;
use std::collections::BTreeMap;
use types::{BookState, Nanos, UnixNanos};

/// How long a feed may be silent after the start before that is worth an event, and how long scores may stay away.
const PATIENCE_NS: u64 = 10_000_000_000;

/// How long a gateway may not run before that is worth an event: one that ended by a fault is opened again a second later.
const GATEWAY_PATIENCE_NS: u64 = 3_000_000_000;

/// What orders may do every second is an event once in so long.
const OFTEN_NS: u64 = 60_000_000_000;
/// What is said of an end that is believed, and of one that is taken back.
const SESSION_ENDED: &str =
    "the session of channel CHANNEL ended: instruments are closed until another begins or it goes on";
const END_TAKEN_BACK: &str = "the session of channel CHANNEL goes on, its end was taken back: instruments are what they were beside it";

/// Everything that is looked at, at one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watched {
    pub(crate) now: Stamp,
    pub(crate) feeds: Vec<FeedStatus>,
    pub(crate) scorer: ScorerStatus,
    pub(crate) sessions: Vec<SessionRow>,
    /// Within the line.
    pub(crate) rings: Vec<RingStatus>,
    /// The daemon's own.
    pub(crate) gateways: Vec<GatewayStatus>,
    /// How drop copies agree with the gates of their gateways, and how long they may stay away.
    pub(crate) reconciliations: Vec<(Reconciliation, Nanos)>,
    /// State that is in force and not on disk.
    pub(crate) alarms: Vec<String>,
    /// The books, and what each is in words; none where they were not looked at this time.
    pub(crate) books: Option<Vec<(SymbolName, BookState, &'static str)>>,
}

/// The kinds of condition that are found by looking.
pub(crate) const LOOKED_FOR: [EventKind; ENDS.len()] = [
    EventKind::Feed,
    EventKind::Line,
    EventKind::Book,
    EventKind::Scorer,
    EventKind::Client,
    EventKind::Doubt,
    EventKind::Latch,
    EventKind::Gateway,
    EventKind::Port,
    EventKind::ReconciliationDown,
    EventKind::AuditMode,
];

/// What is said when a condition is over.
const ENDS: [(EventKind, &str); 11] = [
    (EventKind::Feed, "the feed is no longer silent, stale or late"),
    (EventKind::Line, "the line is heard again"),
    (EventKind::Book, "the book is stale no more"),
    (EventKind::Scorer, "scores come again"),
    (EventKind::Client, "the order process can be followed again"),
    (EventKind::Doubt, "its positions are known again"),
    (EventKind::Latch, "everything in force is on disk again"),
    (EventKind::Gateway, "the gateway carries orders again"),
    (EventKind::Port, "the link of the port is up again"),
    (EventKind::ReconciliationDown, "drop copies come again"),
    (EventKind::AuditMode, "the limits of the order process stop its orders again"),
];

/// What was seen when it was last looked.
#[derive(Debug)]
pub(crate) struct Facts {
    since: Stamp,
    lasting: Lasting,
    counters: BTreeMap<(EventKind, String), u64>,
    /// What each feed's and client's state was.
    states: BTreeMap<String, String>,
    /// Scores and messages when scores last moved, and when that was.
    scored: (u64, u64, Stamp),
    books: Lasting,
    /// When what orders may do every second was said last.
    often: BTreeMap<(EventKind, String), Stamp>,
}

fn critical(text: String) -> (Severity, String) {
    (Severity::Critical, text)
}

fn warning(text: String) -> (Severity, String) {
    (Severity::Warning, text)
}

fn feed_scope(feed: &FeedStatus) -> String {
    format!("feed:{}", feed.name)
}

impl Facts {
    /// Nothing was seen before `now`.
    pub(crate) fn new(now: Stamp) -> Self {
        Self {
            since: now,
            lasting: Lasting::new(),
            counters: BTreeMap::new(),
            states: BTreeMap::new(),
            scored: (0, 0, now),
            books: Lasting::new(),
            often: BTreeMap::new(),
        }
    }

    /// The conditions that last, as they were last seen.
    pub(crate) const fn lasting(&self) -> &Lasting {
        &self.lasting
    }

    /// Looks; gives what began, what ended and what moved since the last time.
    pub(crate) fn look(&mut self, seen: &Watched) -> Vec<Draft> {
        let mut said = Vec::new();
        let mut lasting = Lasting::new();
        for feed in &seen.feeds {
            self.feed(seen, feed, &mut lasting, &mut said);
        }
        for ring in &seen.rings {
            self.ring(seen.now, ring, &mut said);
        }
        for session in &seen.sessions {
            self.session(seen, session, &mut lasting, &mut said);
        }
        for gateway in &seen.gateways {
            self.gateway(seen, gateway, &mut lasting, &mut said);
        }
        for (standing, down_max) in &seen.reconciliations {
            self.reconciliation(seen.now, standing, *down_max, &mut lasting, &mut said);
        }
        self.scorer(seen, &mut lasting);
        if let Some(books) = &seen.books {
            let stale = |state: &BookState| matches!(state, BookState::Stale(_));
            let fact = |(symbol, _, word): &(SymbolName, BookState, &str)| {
                ((EventKind::Book, format!("instrument:{symbol}")), warning(format!("the book is {word}")))
            };
            self.books = books.iter().filter(|(_, state, _)| stale(state)).map(fact).collect();
        }
        lasting.extend(self.books.clone());
        if !seen.alarms.is_empty() {
            lasting.insert((EventKind::Latch, "state".to_owned()), critical(seen.alarms.join("; ")));
        }
        self.changes(seen.now, lasting, &mut said);
        said
    }

    /// What began and what ended.
    fn changes(&mut self, now: Stamp, lasting: Lasting, said: &mut Vec<Draft>) {
        for ((kind, scope), (severity, text)) in &lasting {
            let before = self.lasting.get(&(*kind, scope.clone()));
            // Words with numbers in them change all the time; that alone is nothing new.
            if before.is_none_or(|(was, _)| was != severity) {
                said.push(Draft::new(now, *severity, *kind, scope, text).by(cause_of(*kind)));
            }
        }
        for (kind, scope) in self.lasting.keys().filter(|key| !lasting.contains_key(*key)) {
            let text = ENDS.iter().find(|(of, _)| of == kind).map_or("over", |(_, text)| *text);
            said.push(Draft::new(now, Severity::Notice, *kind, scope, text).by(cause_of(*kind)));
        }
        self.lasting = lasting;
    }

    fn feed(&mut self, seen: &Watched, feed: &FeedStatus, lasting: &mut Lasting, said: &mut Vec<Draft>) {
        let scope = feed_scope(feed);
        let young = seen.now.0.since(self.since.0).0 < PATIENCE_NS;
        let bad = matches!(&*feed.state, "stale" | "late") || (feed.state == "silent" && !young);
        if bad {
            let last = feed.last.map_or_else(|| "never heard".to_owned(), |at| format!("last heard {at:.3}"));
            lasting.insert(
                (EventKind::Feed, scope.clone()),
                critical(format!("the feed is {}{}, {last}", feed.state, feed.lag_words())),
            );
        }
        let before = self.states.insert(scope.clone(), feed.state.clone());
        if feed.state == "ended" && before.as_deref() != Some("ended") {
            let text = "the feed has ended: its venue said so, or its file is over";
            said.push(Draft::new(seen.now, Severity::Notice, EventKind::Feed, &scope, text).by("feed"));
        }
        self.ends(seen.now, feed, &scope, said);
        for (kind, count, text) in counted(feed) {
            self.count(seen.now, kind, &scope, count, &text, said);
        }
        if let Some(port) = &feed.port {
            self.port(seen.now, port, lasting, said);
        }
        for line in feed.lines.iter().filter(|line| line.dead_since.is_some()) {
            let LineStatus { channel, line: name, group, .. } = line;
            let since = line.dead_since.unwrap_or_default();
            let scope = format!("line:{}/{channel}/{name}", feed.name);
            lasting.insert(
                (EventKind::Line, scope),
                warning(format!("the line {group} is dead since {since:.3}")),
            );
        }
    }

    /// Each end of a session, and each that was taken back.
    fn ends(&mut self, now: Stamp, feed: &FeedStatus, scope: &str, said: &mut Vec<Draft>) {
        let FeedStatus { ends, ended_channel, ends_taken_back, resumed_channel, .. } = *feed;
        for (kind, severity, count, channel, what) in [
            (EventKind::SessionEnd, Severity::Notice, ends, ended_channel, SESSION_ENDED),
            (EventKind::EndTakenBack, Severity::Warning, ends_taken_back, resumed_channel, END_TAKEN_BACK),
        ] {
            let before = self.counters.insert((kind, scope.to_owned()), count).unwrap_or(0);
            if count <= before {
                continue;
            }
            let channel = channel.map_or_else(|| "?".to_owned(), |channel| channel.to_string());
            let more = count - before;
            let often =
                if more > 1 { format!(" ({more} times, on channel {channel} last)") } else { String::new() };
            let text = format!("{}{often}", what.replace("CHANNEL", &channel));
            let draft = Draft::new(now, severity, kind, scope, &text).by(cause_of(kind));
            said.push(draft.with("channel", channel).with("more", more).with("since_start", count));
        }
    }

    fn port(&mut self, now: Stamp, port: &PortStatus, lasting: &mut Lasting, said: &mut Vec<Draft>) {
        let PortStatus { device, missed, errors, no_buffer, .. } = port;
        let scope = format!("port:{device}");
        if port.link_up == Some(false) {
            let text = "the link of the port is down: nothing comes".to_owned();
            lasting.insert((EventKind::Port, scope.clone()), critical(text));
        }
        let text = format!(
            "since the start the port lost {missed} packets since its queue was full, {errors} in error, {no_buffer} for want of \
             a buffer"
        );
        self.count(now, EventKind::PortLoss, &scope, port.lost(), &text, said);
    }

    /// What the ring to the books lost is the feed's loss, and told as that.
    fn ring(&mut self, now: Stamp, ring: &RingStatus, said: &mut Vec<Draft>) {
        if ring.carries_events() {
            return;
        }
        let RingStatus { ring: name, depth, lost, .. } = ring;
        let text = format!("{lost} items found the ring of {name} full since the start ({depth} fit)");
        self.count(now, EventKind::RingLoss, &format!("ring:{name}"), *lost, &text, said);
    }

    /// An event when a counter of something bad has moved.
    fn count(
        &mut self,
        now: Stamp,
        kind: EventKind,
        scope: &str,
        count: u64,
        text: &str,
        said: &mut Vec<Draft>,
    ) {
        let before = self.counters.insert((kind, scope.to_owned()), count).unwrap_or(0);
        if count > before {
            let draft = Draft::new(now, Severity::Warning, kind, scope, text).by(cause_of(kind));
            said.push(draft.with("more", count - before).with("since_start", count));
        }
    }

    fn session(
        &mut self,
        seen: &Watched,
        session: &SessionRow,
        lasting: &mut Lasting,
        said: &mut Vec<Draft>,
    ) {
        let scope = format!("client:{}", session.client);
        let state = session.state.as_str();
        if matches!(state, "orphaned" | "unreadable") {
            lasting
                .insert((EventKind::Client, scope.clone()), warning(format!("the order process is {state}")));
        }
        let before = self.states.insert(scope.clone(), state.to_owned());
        let open = session.open_orders;
        if before.is_some_and(|before| before != state) && matches!(state, "attached" | "away") {
            let text = format!("the order process is {state}; {open} open orders");
            let severity = if state == "away" { Severity::Notice } else { Severity::Info };
            said.push(Draft::new(seen.now, severity, EventKind::Client, &scope, &text).by("client"));
        }
        let (lost, damaged) = (session.lost, session.damaged);
        let text = format!(
            "{lost} records are lost and {damaged} damaged since the start: its positions are in doubt until they are set"
        );
        self.count(seen.now, EventKind::Records, &scope, lost + damaged, &text, said);
        self.limits_of(seen, session, lasting, said);
        if session.in_doubt {
            let text =
                "positions are in doubt: only orders that reduce them pass until they are set".to_owned();
            lasting.insert((EventKind::Doubt, scope), warning(text));
        }
    }

    /// Whether its limits bind, and what of them is nearly or more than used up.
    fn limits_of(
        &mut self,
        seen: &Watched,
        session: &SessionRow,
        lasting: &mut Lasting,
        said: &mut Vec<Draft>,
    ) {
        let scope = format!("client:{}", session.client);
        if session.audits() {
            let text =
                "the order process is in audit mode: no limit stops its orders, only halts of a person";
            lasting.insert((EventKind::AuditMode, scope.clone()), warning(text.to_owned()));
        }
        let SessionRow { would_reject, near_limit, .. } = session;
        let counts = [
            (EventKind::WouldReject, *would_reject, "left in audit mode that would have been refused"),
            (EventKind::NearLimit, *near_limit, "were let through near a limit (limits.warn_at)"),
        ];
        for (kind, count, what) in counts {
            let key = (kind, scope.clone());
            let is_early = self.often.get(&key).is_some_and(|last| seen.now.0.since(last.0).0 < OFTEN_NS);
            if is_early {
                continue;
            }
            let before = said.len();
            let text = format!("{count} orders {what}, since the start: see the verdict log");
            self.count(seen.now, kind, &scope, count, &text, said);
            if said.len() > before {
                self.often.insert(key, seen.now);
            }
        }
    }

    /// One that ended is told once, however often it ends again before it has run; one that stays away, as long as it does.
    fn gateway(
        &mut self,
        seen: &Watched,
        gateway: &GatewayStatus,
        lasting: &mut Lasting,
        said: &mut Vec<Draft>,
    ) {
        let scope = format!("gateway:{}", gateway.name);
        let state = if gateway.down.is_some() { "down" } else { "up" };
        let before = self.states.insert(scope.clone(), state.to_owned());
        let Some(down) = &gateway.down else { return };
        if before.as_deref() == Some("up") {
            let text = format!("the gateway ended and is opened again: {}", down.why);
            let draft = Draft::new(seen.now, Severity::Warning, EventKind::GatewayEnded, &scope, &text);
            said.push(draft.by(cause_of(EventKind::GatewayEnded)));
        }
        if seen.now.0.since(down.since.0).0 > GATEWAY_PATIENCE_NS {
            lasting.insert(
                (EventKind::Gateway, scope),
                critical(format!("no order of its clients passes: {down}")),
            );
        }
    }

    /// Each break is told with what each side says; copies that stay away, as long as they do.
    fn reconciliation(
        &mut self,
        now: Stamp,
        standing: &Reconciliation,
        down_max: Nanos,
        lasting: &mut Lasting,
        said: &mut Vec<Draft>,
    ) {
        let scope = format!("gateway:{}", standing.gateway);
        let Reconciliation { breaks, last_breaks, client, .. } = standing;
        let key = (EventKind::ReconciliationBreak, scope.clone());
        // A gateway that was started anew counts anew.
        let before = self.counters.insert(key, *breaks).filter(|before| before <= breaks).unwrap_or(0);
        let new = usize::try_from(breaks - before).unwrap_or(usize::MAX);
        if new > 0 {
            let shown = last_breaks.iter().skip(last_breaks.len().saturating_sub(new));
            let texts: Vec<&str> = shown.map(String::as_str).collect();
            let text = format!(
                "drop copy and gate differ, {client}'s orders of it that add are refused until a person has set the position: {}",
                texts.join("; ")
            );
            let draft = Draft::new(now, Severity::Critical, EventKind::ReconciliationBreak, &scope, &text);
            said.push(draft.by("gateway").with("more", new).with("since_start", breaks));
        }
        if let Some((since, why)) = standing.down(now)
            && now.0.since(since.0).0 > down_max.0
        {
            let text = format!("nothing is reconciled since {since:.3}: {why}");
            lasting.insert((EventKind::ReconciliationDown, scope), critical(text));
        }
    }

    /// Scores that stay away while messages come.
    fn scorer(&mut self, seen: &Watched, lasting: &mut Lasting) {
        let messages: u64 = seen.feeds.iter().map(|feed| feed.messages).sum();
        let live = seen.feeds.iter().any(|feed| feed.state == "live");
        let (scored, heard, at) = self.scored;
        if seen.scorer.backend == "off" || seen.scorer.scored != scored || !live || messages == heard {
            self.scored = (seen.scorer.scored, messages, seen.now);
            return;
        }
        // No book is scored in its first seconds, so the first score has twice the time.
        let patience = if scored == 0 { 2 * PATIENCE_NS } else { PATIENCE_NS };
        if seen.now.0.since(at.0).0 > patience {
            let last = seen.scorer.last.map_or(UnixNanos(0), |last| last.0);
            let text = format!(
                "no score since {:.3} although the feed lives: the leases of its limits end",
                Stamp(last)
            );
            lasting.insert((EventKind::Scorer, "scorer".to_owned()), critical(text));
        }
    }
}

/// What is an event each time it has moved, and how that is said.
fn counted(feed: &FeedStatus) -> [(EventKind, u64, String); 5] {
    let FeedStatus {
        gaps,
        missing,
        lost_events,
        lost_definitions,
        errors,
        dropped,
        outliers,
        restarts,
        redefined_locates,
        ..
    } = *feed;
    let beyond = feed.instruments_beyond;
    let causes = feed.dropped_causes(|count| count.to_string());
    let damage = format!(
        "since the start {errors} packets or messages were damaged, {dropped} dropped{causes}, {outliers} of an outlying \
         time; {redefined_locates} locates were given to another stock"
    );
    [
        (EventKind::Gap, gaps, format!("{missing} messages are missing since the start, in {gaps} gaps")),
        (
            EventKind::FeedRestart,
            restarts,
            format!(
                "the sequence began again within its session, {restarts} times since the start: books begin anew"
            ),
        ),
        (
            EventKind::FeedLoss,
            lost_events,
            format!(
                "{lost_events} events found the ring to the books full since the start, {lost_definitions} of them named an instrument"
            ),
        ),
        (EventKind::FeedDamage, errors + dropped + outliers + redefined_locates, damage),
        (
            EventKind::FeedBeyond,
            beyond,
            format!("{beyond} instruments have no room (book.instruments): their orders are refused"),
        ),
    ]
}

/// Who or what causes a condition of this kind.
fn cause_of(kind: EventKind) -> &'static str {
    const CAUSES: [(EventKind, &str); 14] = [
        (EventKind::ReconciliationDown, "gateway"),
        (EventKind::Scorer, "model"),
        (EventKind::Client, "client"),
        (EventKind::Records, "client"),
        (EventKind::Doubt, "client"),
        (EventKind::AuditMode, "client"),
        (EventKind::WouldReject, "client"),
        (EventKind::NearLimit, "client"),
        (EventKind::Latch, "disk"),
        (EventKind::Gateway, "gateway"),
        (EventKind::GatewayEnded, "gateway"),
        (EventKind::Port, "port"),
        (EventKind::PortLoss, "port"),
        (EventKind::RingLoss, "daemon"),
    ];
    CAUSES.iter().find(|(of, _)| *of == kind).map_or("feed", |(_, cause)| *cause)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Event, GatewayDown};
    use types::StaleCause;

    const START: u64 = 1_795_271_422_000_000_000;

    fn at(s: u64) -> Stamp {
        Stamp(UnixNanos(START + s * 1_000_000_000))
    }

    fn feed(state: &str) -> FeedStatus {
        serde_json::from_value(serde_json::json!({
            "name": "x", "state": state, "messages": 10, "gaps": 0, "missing": 0, "last": null
        }))
        .unwrap()
    }

    fn seen(s: u64, feed: FeedStatus) -> Watched {
        let scorer = ScorerStatus { backend: "off".to_owned(), ..ScorerStatus::default() };
        Watched { now: at(s), feeds: vec![feed], scorer, ..Watched::default() }
    }

    fn said(drafts: Vec<Draft>) -> Vec<(EventKind, Severity, String)> {
        let event = |draft: Draft| draft.numbered(1);
        let row = |event: Event| (event.kind, event.severity, event.scope);
        drafts.into_iter().map(event).map(row).collect()
    }

    fn row(kind: EventKind, severity: Severity, scope: &str) -> (EventKind, Severity, String) {
        (kind, severity, scope.to_owned())
    }

    #[test]
    fn a_feed_that_goes_stale_and_comes_back_is_two_events_however_often_it_is_looked_at() {
        let mut facts = Facts::new(at(0));
        assert!(facts.look(&seen(1, feed("silent"))).is_empty(), "at a start it may be");
        assert!(facts.look(&seen(2, feed("live"))).is_empty());
        let stale = [row(EventKind::Feed, Severity::Critical, "feed:x")];
        assert_eq!(said(facts.look(&seen(3, feed("stale")))), stale);
        assert!((4..9).all(|s| facts.look(&seen(s, feed("stale"))).is_empty()));
        assert_eq!(
            said(facts.look(&seen(9, feed("live")))),
            [row(EventKind::Feed, Severity::Notice, "feed:x")]
        );
        assert_eq!(said(facts.look(&seen(20, feed("silent")))), stale, "and later it may not");
    }

    #[test]
    fn a_feed_that_is_late_by_its_own_stamps_is_critical_and_says_by_how_much() {
        let mut facts = Facts::new(at(0));
        assert!(facts.look(&seen(1, FeedStatus { lag_ms: 900, ..feed("live") })).is_empty());
        let late = |channels| FeedStatus { lag_ms: 60_049, late_channels: channels, ..feed("late") };
        let mut only = |s, feed| {
            let event = facts.look(&seen(s, feed)).remove(0).numbered(1);
            (event.severity, event.text)
        };
        let (severity, text) = only(2, late(1));
        assert_eq!(severity, Severity::Critical);
        assert_eq!(text, "the feed is late, 60.0 s behind by its own stamps, never heard");
        assert_eq!(late(3).lag_words(), ", 3 channels up to 60.0 s behind by their own stamps");
        assert_eq!(only(3, feed("live")).1, "the feed is no longer silent, stale or late");
    }

    #[test]
    fn counters_that_move_are_events_and_those_that_stand_are_not() {
        let mut facts = Facts::new(at(0));
        let with = |gaps, lost| FeedStatus { gaps, missing: 3 * gaps, lost_events: lost, ..feed("live") };
        assert!(facts.look(&seen(1, with(0, 0))).is_empty());
        let drafts = facts.look(&seen(2, with(2, 0)));
        let event = drafts[0].clone().numbered(1);
        assert_eq!((event.fields["more"].as_str(), event.text.contains("6 messages")), ("2", true));
        assert!(facts.look(&seen(3, with(2, 0))).is_empty());
        let both = said(facts.look(&seen(4, with(3, 1))));
        assert_eq!(
            both.iter().map(|(kind, ..)| *kind).collect::<Vec<_>>(),
            [EventKind::Gap, EventKind::FeedLoss]
        );
    }

    #[test]
    fn a_link_that_goes_down_lasts_and_what_a_port_or_a_ring_loses_is_told_each_time() {
        let mut facts = Facts::new(at(0));
        let with = |s: u64, link_up: Option<bool>, missed: u64, no_buffer: u64| {
            let device = "0000:3b:00.0".to_owned();
            let port = PortStatus { device, link_up, missed, no_buffer, ..PortStatus::default() };
            seen(s, FeedStatus { port: Some(port), ..feed("live") })
        };
        assert!(facts.look(&with(1, None, 0, 0)).is_empty(), "a driver that says nothing says nothing bad");
        assert!(facts.look(&with(2, Some(true), 0, 0)).is_empty());
        let down = facts.look(&with(3, Some(false), 7, 1));
        let scope = "port:0000:3b:00.0";
        assert!(
            down[0]
                .clone()
                .numbered(1)
                .text
                .contains("7 packets since its queue was full, 0 in error, 1 for")
        );
        let both = [
            row(EventKind::PortLoss, Severity::Warning, scope),
            row(EventKind::Port, Severity::Critical, scope),
        ];
        assert_eq!(said(down), both);
        assert!(facts.look(&with(4, Some(false), 7, 1)).is_empty(), "once");
        assert_eq!(
            said(facts.look(&with(5, Some(true), 7, 1))),
            [row(EventKind::Port, Severity::Notice, scope)]
        );

        let ring = |name: &str, lost| RingStatus { ring: name.to_owned(), lost, ..RingStatus::default() };
        let rings = vec![ring(RingStatus::EVENTS, 3), ring("card changes", 2), ring("vectors", 0)];
        let lost = Watched { rings, ..with(6, Some(true), 7, 1) };
        assert_eq!(
            said(facts.look(&lost)),
            [row(EventKind::RingLoss, Severity::Warning, "ring:card changes")]
        );
        assert!(facts.look(&lost).is_empty());
    }

    #[test]
    fn what_a_feed_drops_is_told_with_its_causes_and_a_sequence_that_begins_again_by_itself() {
        let mut facts = Facts::new(at(0));
        assert!(facts.look(&seen(1, feed("live"))).is_empty());
        let causes = [("bad_checksums".to_owned(), 70), ("foreign_stocks".to_owned(), 2)].into();
        let condemned = FeedStatus { dropped: 72, dropped_by_cause: causes, ..feed("live") };
        let drafts = facts.look(&seen(2, condemned.clone()));
        let text = drafts[0].clone().numbered(1).text;
        assert!(text.contains("72 dropped (70 bad checksums, 2 foreign stocks)"), "{text}");
        assert_eq!(said(drafts), [row(EventKind::FeedDamage, Severity::Warning, "feed:x")]);
        let restarted = FeedStatus { restarts: 1, ..condemned.clone() };
        let drafts = said(facts.look(&seen(3, restarted)));
        assert_eq!(drafts, [row(EventKind::FeedRestart, Severity::Warning, "feed:x")]);
        let redefined = FeedStatus { restarts: 1, redefined_locates: 1, ..condemned };
        let drafts = said(facts.look(&seen(4, redefined)));
        assert_eq!(drafts, [row(EventKind::FeedDamage, Severity::Warning, "feed:x")]);
    }

    #[test]
    fn an_end_of_a_session_and_its_taking_back_are_told_with_their_channel() {
        let mut facts = Facts::new(at(0));
        assert!(facts.look(&seen(1, feed("live"))).is_empty());
        let ended = FeedStatus { ends: 1, ended_channel: Some(3), ..feed("live") };
        let drafts = facts.look(&seen(2, ended.clone()));
        let event = drafts[0].clone().numbered(1);
        assert!(event.text.starts_with("the session of channel 3 ended"), "{}", event.text);
        assert_eq!((event.fields["channel"].as_str(), event.cause.as_str()), ("3", "feed"));
        assert_eq!(said(drafts), [row(EventKind::SessionEnd, Severity::Notice, "feed:x")]);
        assert!(facts.look(&seen(3, ended.clone())).is_empty());
        let back = FeedStatus { ends: 3, ends_taken_back: 2, resumed_channel: Some(3), ..ended };
        let drafts = facts.look(&seen(4, back));
        let texts = [0, 1].map(|n: usize| drafts[n].clone().numbered(1).text);
        assert!(texts[0].ends_with("(2 times, on channel 3 last)"), "{texts:?}");
        assert!(texts[1].contains("channel 3 goes on, its end was taken back"), "{texts:?}");
        let both = [(EventKind::SessionEnd, Severity::Notice), (EventKind::EndTakenBack, Severity::Warning)];
        assert_eq!(said(drafts), both.map(|(kind, severity)| row(kind, severity, "feed:x")));
    }

    #[test]
    fn a_dead_line_a_stale_book_and_unwritten_state_last_until_they_are_over() {
        let mut facts = Facts::new(at(0));
        let line: LineStatus = serde_json::from_value(serde_json::json!({
            "channel": 0, "line": "B", "group": "233.1.1.1:1", "packets": 0, "messages": 0, "missing": 0, "late": 0,
            "damaged": 0, "last": null, "dead_since": at(1)
        }))
        .unwrap();
        let mut bad = seen(2, FeedStatus { lines: vec![line], ..feed("live") });
        let stale = BookState::Stale(StaleCause::Gap);
        bad.books = Some(vec![("AAPL".parse().unwrap(), stale, "stale (gap)")]);
        bad.alarms = vec!["halts are not on disk since a moment".to_owned()];
        let began = [
            row(EventKind::Line, Severity::Warning, "line:x/0/B"),
            row(EventKind::Book, Severity::Warning, "instrument:AAPL"),
            row(EventKind::Latch, Severity::Critical, "state"),
        ];
        assert_eq!(said(facts.look(&bad)), began);
        bad.alarms = vec!["halts are not on disk since another".to_owned()];
        bad.books = None;
        assert!(facts.look(&bad).is_empty(), "books that were not looked at are as they were");
        let mut good = seen(3, feed("live"));
        good.books = Some(vec![("AAPL".parse().unwrap(), BookState::Live, "live")]);
        assert!(said(facts.look(&good)).iter().all(|(_, severity, _)| *severity == Severity::Notice));
        assert!(facts.lasting().is_empty());
    }

    #[test]
    fn audit_mode_lasts_as_an_alert_and_what_it_let_through_is_said_once_a_minute() {
        let session = |mode: &str, would_reject: u64, near_limit: u64| -> SessionRow {
            serde_json::from_value(serde_json::json!({
                "client": "mm1", "kind": "process", "state": "attached", "pid": null, "user": "", "since": null, "ring_waiting": 0,
                "ring_records": 8, "open_orders": 0, "accepted": 0, "flagged": 0, "rejected": 0, "lost": 0, "damaged": 0,
                "unlogged": 0, "in_doubt": false, "mode": mode, "would_reject": would_reject, "near_limit": near_limit
            }))
            .unwrap()
        };
        let mut facts = Facts::new(at(0));
        let mut look = |s: u64, row: SessionRow| {
            let all = Watched { sessions: vec![row], ..seen(s, feed("live")) };
            let drafts = facts.look(&all);
            let texts: Vec<_> = drafts.iter().map(|draft| draft.clone().numbered(1).text).collect();
            (said(drafts), texts.join("\n"))
        };
        let scope = "client:mm1";
        assert_eq!(look(1, session("enforce", 0, 0)).0, []);
        let began = row(EventKind::AuditMode, Severity::Warning, scope);
        assert_eq!(look(2, session("audit", 0, 0)).0, [began]);
        let (drafts, text) = look(3, session("audit", 2, 7));
        let both =
            [EventKind::WouldReject, EventKind::NearLimit].map(|kind| row(kind, Severity::Warning, scope));
        assert_eq!(drafts, both);
        assert!(text.contains("2 orders left in audit mode that would have been refused"), "{text}");
        assert!(text.contains("7 orders were let through near a limit"), "{text}");
        assert_eq!(look(62, session("audit", 9, 9)).0, [], "not every second");
        let (drafts, text) = look(63, session("audit", 9, 7));
        assert_eq!(drafts, [row(EventKind::WouldReject, Severity::Warning, scope)]);
        assert!(text.starts_with("9 orders left"), "{text}");
        assert_eq!(
            look(64, session("enforce", 9, 7)).0,
            [row(EventKind::AuditMode, Severity::Notice, scope)]
        );
    }

    #[test]
    fn a_gateway_that_ends_is_told_at_once_and_one_that_stays_down_lasts_until_it_runs() {
        let mut facts = Facts::new(at(0));
        let down = |since: u64| Some(GatewayDown { since: at(since), why: "its port is taken".to_owned() });
        let with = |s: u64, down: Option<GatewayDown>| Watched {
            gateways: vec![GatewayStatus { name: "gw".to_owned(), down }],
            ..seen(s, feed("live"))
        };
        assert!(facts.look(&with(1, down(0))).is_empty(), "at a start it is opened");
        assert!(facts.look(&with(2, None)).is_empty());
        let ended = [row(EventKind::GatewayEnded, Severity::Warning, "gateway:gw")];
        assert_eq!(said(facts.look(&with(5, down(5)))), ended);
        assert!(facts.look(&with(8, down(5))).is_empty(), "it may come again");
        let lasts = facts.look(&with(9, down(5)));
        assert_eq!(said(lasts.clone()), [row(EventKind::Gateway, Severity::Critical, "gateway:gw")]);
        assert!(lasts[0].clone().numbered(1).text.ends_with("its port is taken"));
        assert!(facts.look(&with(60, down(5))).is_empty());
        assert_eq!(
            said(facts.look(&with(61, None))),
            [row(EventKind::Gateway, Severity::Notice, "gateway:gw")]
        );
    }

    #[test]
    fn each_break_is_told_with_what_each_side_says_and_copies_that_stay_away_last() {
        let mut facts = Facts::new(at(0));
        let name = |name: &str| name.parse::<crate::names::Name>().unwrap();
        let unheard = Reconciliation::unheard(name("gw"), name("c1"), at(0));
        let with = |s: u64, standing: &Reconciliation| Watched {
            reconciliations: vec![(standing.clone(), Nanos(10_000_000_000))],
            ..seen(s, feed("live"))
        };
        assert!(facts.look(&with(10, &unheard)).is_empty());
        let down = row(EventKind::ReconciliationDown, Severity::Critical, "gateway:gw");
        let never = facts.look(&with(11, &unheard));
        assert_eq!(said(never.clone()), std::slice::from_ref(&down));
        assert!(never[0].clone().numbered(1).text.ends_with("has not said anything since the start"));
        let up = |s: u64, breaks: u64| Reconciliation {
            up: true,
            heard: Some(at(s)),
            breaks,
            last_breaks: (1..=breaks).map(|n| format!("break {n}")).collect(),
            ..unheard.clone()
        };
        let over = row(EventKind::ReconciliationDown, Severity::Notice, "gateway:gw");
        assert_eq!(said(facts.look(&with(12, &up(12, 0)))), std::slice::from_ref(&over));
        let broken = facts.look(&with(13, &up(13, 2)));
        assert_eq!(
            said(broken.clone()),
            [row(EventKind::ReconciliationBreak, Severity::Critical, "gateway:gw")]
        );
        let event = broken[0].clone().numbered(1);
        assert!(event.text.ends_with("position: break 1; break 2"), "{}", event.text);
        assert!(facts.look(&with(14, &up(14, 2))).is_empty(), "once");
        assert!(facts.look(&with(15, &up(15, 3)))[0].clone().numbered(1).text.ends_with("position: break 3"));
        // A gateway that was started anew counts anew.
        assert!(facts.look(&with(16, &up(16, 0))).is_empty());
        assert_eq!(facts.look(&with(17, &up(17, 1))).len(), 1);
        // Copies that end, and a gateway that does, are told after the same time.
        let away = |s: u64| Reconciliation { up: false, since: at(18), ..up(s, 1) };
        assert!(facts.look(&with(28, &away(28))).is_empty());
        assert_eq!(said(facts.look(&with(29, &away(29)))), std::slice::from_ref(&down));
        assert_eq!(said(facts.look(&with(30, &up(30, 1)))), [over]);
        assert!(facts.look(&with(40, &up(30, 1))).is_empty());
        assert_eq!(said(facts.look(&with(41, &up(30, 1)))), [down]);
    }

    #[test]
    fn scores_that_stay_away_while_messages_come_are_told() {
        let mut facts = Facts::new(at(0));
        let with = |s: u64, scored: u64, messages: u64| {
            let mut seen = seen(s, FeedStatus { messages, ..feed("live") });
            seen.scorer = ScorerStatus { backend: "cpu".to_owned(), scored, ..ScorerStatus::default() };
            seen
        };
        assert!((1..5).all(|s| facts.look(&with(s, s * 10, s * 100)).is_empty()));
        assert!(
            (5..30).all(|s| facts.look(&with(s, 40, 400)).is_empty()),
            "without messages there is nothing to score"
        );
        let told: Vec<u64> = (30..60).filter(|s| !facts.look(&with(*s, 40, s * 100)).is_empty()).collect();
        assert_eq!(told, [40]);
        assert_eq!(said(facts.look(&with(60, 41, 6_000)))[0].1, Severity::Notice);
    }
}
