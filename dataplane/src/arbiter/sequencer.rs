//! The arbiter of one channel.

use types::{Nanos, UnixNanos};

use super::contract::{
    ArbiterConfig, Arrival, Deliver, HOLES_REMEMBERED, Hole, LINES_MAX, SERVER_LINE, Start,
};
use super::doubt::{Claim, Doubt, EndClaim, GoingOn, Refuted, Slot};
use super::history::{Contradiction, History, Told};
use super::recovery::Recovery;
use super::skips::Skips;
use super::stats::{ArbiterStats, LineStats};
use super::waiting::Waiting;
use crate::session::{Head, SessionId};

/// No session gets this far: a packet with such a number is damaged, and sums of numbers below it never overflow.
const SEQ_MAX: u64 = 1 << 62;
/// How long a line may be silent before what the others claim is believed without it. Lines send a heartbeat every second.
const DEAD: Nanos = Nanos(3_000_000_000);
/// Sessions remembered after they ended, so that a slow line's last packets are not taken for a new session.
const OLD_SESSIONS: usize = 4;
/// What all sequences begin with.
const FIRST: u64 = 1;
/// Packets without messages that begin a session while none runs.
const IDLE_PACKETS: u32 = 2;
/// Packets that say that the sequence began again before one that goes on with them counts for the claim: behind one alone, which may be
/// forged, the next of the sequence itself would.
const RESTART_PACKETS: u32 = 2;

/// Arbitration of one channel.
#[derive(Debug)]
pub struct Arbiter {
    pub(super) config: ArbiterConfig,
    pub(super) session: Option<SessionId>,
    pub(super) ended: bool,
    /// Next sequence number wanted.
    pub(super) next: u64,
    pub(super) waiting: Waiting,
    pub(super) recovery: Option<Recovery>,
    /// When the earliest known hole is given up; the end of time while nobody but one packet tells of one.
    pub(super) deadline: UnixNanos,
    /// Sessions that were left, and where each would have gone on.
    pub(super) old_sessions: [Option<(SessionId, u64)>; OLD_SESSIONS],
    pub(super) holes: Vec<Hole>,
    pub(super) oldest_hole: usize,
    /// Next sequence number expected from each line; what follows its last packet; when that came.
    pub(super) line_next: [u64; LINES_MAX],
    pub(super) line_last: [u64; LINES_MAX],
    /// What followed the packet before the last, on the last one's line.
    pub(super) line_before: u64,
    pub(super) line_at: [UnixNanos; LINES_MAX],
    skips: [Skips; LINES_MAX],
    /// The line of the newest packet, a bit, where that packet alone says that it lives.
    pub(super) revived: u8,
    pub(super) doubt: Doubt,
    pub(super) end: EndClaim,
    /// What says that the session goes on although it ended.
    pub(super) going_on: GoingOn,
    /// Whether `doubt` or `end` stands.
    pub(super) questioned: bool,
    /// A claim stood for too long: until it, and the hole that it made, are gone.
    pub(super) doubted: bool,
    /// Up to here packets were delivered that nothing but they themselves spoke for, since no other came.
    pub(super) doubtful_upto: u64,
    /// How it was said that what was delivered may be old, while that is so: something is asked for, or doubted.
    pub(super) recovering: Option<Arrival>,
    pub(super) history: History,
    pub(super) contradiction: Option<Contradiction>,
    pub(super) stats: ArbiterStats,
}

impl Arbiter {
    /// An arbiter that has seen nothing. All its memory is allocated here.
    #[must_use]
    pub fn new(config: ArbiterConfig) -> Self {
        Self {
            config,
            session: None,
            ended: false,
            next: 0,
            waiting: Waiting::new(config.slots, config.slot_bytes),
            recovery: config.recovery.map(Recovery::new),
            deadline: UnixNanos(0),
            old_sessions: [None; OLD_SESSIONS],
            holes: Vec::with_capacity(HOLES_REMEMBERED),
            oldest_hole: 0,
            line_next: [0; LINES_MAX],
            line_last: [0; LINES_MAX],
            line_before: 0,
            line_at: [UnixNanos(0); LINES_MAX],
            skips: [Skips::default(); LINES_MAX],
            revived: 0,
            doubt: Doubt::new(config.slot_bytes),
            end: EndClaim::default(),
            going_on: GoingOn::default(),
            questioned: false,
            doubted: false,
            doubtful_upto: 0,
            recovering: None,
            history: History::new(),
            contradiction: None,
            stats: ArbiterStats::default(),
        }
    }

    /// What happened so far.
    #[must_use]
    pub fn stats(&self) -> &ArbiterStats {
        &self.stats
    }

    /// What a line brought, while it runs: what it skipped counts when it has gone on beyond that, since a count that is told never falls.
    pub(crate) fn line_so_far(&self, line: u8) -> LineStats {
        let line = usize::from(line) % LINES_MAX;
        let stats = self.stats.lines[line];
        let open = self.skips[line].open(self.line_last[line]);
        LineStats { missing: stats.missing.saturating_sub(open), ..stats }
    }

    /// Next sequence number wanted; 0 before anything came.
    #[must_use]
    pub fn next_seq(&self) -> u64 {
        self.next
    }

    /// Whether packets of `session` belong here without a change of session that nobody announced: it runs, or none does.
    #[must_use]
    pub fn accepts(&self, session: SessionId) -> bool {
        self.session.is_none_or(|running| running == session)
    }

    /// Whether early packets wait for a hole to fill.
    #[inline]
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Whether time alone changes something: early packets wait, or a claim or a contradiction stands.
    #[inline]
    #[must_use]
    pub fn is_timed(&self) -> bool {
        self.is_waiting() || self.questioned || self.contradiction.is_some_and(|stands| stands.is_timed())
    }

    /// Takes one packet whose messages were checked to tile it.
    #[inline]
    pub fn on_packet(&mut self, head: &Head, payload: &[u8], arrival: Arrival, out: &mut impl Deliver) {
        if self.is_timed() {
            self.on_time(arrival.at, out);
        }
        if self.is_odd(head, arrival) || self.is_told_anew(head, payload, arrival, out) {
            self.question(head, payload, arrival, out);
            return;
        }
        self.accept(head, payload, arrival, out);
        if self.doubted {
            self.settle_doubt(arrival, out);
        }
    }

    /// Whether a packet goes on with a sequence that began again: it says something else under numbers below those that its line
    /// has come to, or it follows packets that do.
    #[inline]
    fn is_told_anew(&mut self, head: &Head, payload: &[u8], arrival: Arrival, out: &impl Deliver) -> bool {
        let goes_back = head.seq < self.line_next[usize::from(arrival.line) % LINES_MAX];
        if goes_back && head.seq < self.next && head.count > 0 {
            return self.tell(head, payload, arrival, out) != Told::Same;
        }
        self.questioned && self.follows_restart(head, arrival)
    }

    /// Whether a packet goes on where the packets stand that say that the sequence began again.
    #[cold]
    fn follows_restart(&self, head: &Head, arrival: Arrival) -> bool {
        self.doubt.goes_on_with(head, arrival)
            && self.doubt.claim() == Claim::Restart
            && self.doubt.evidence() >= RESTART_PACKETS
    }

    /// Whether a packet would change everything if it were believed. No session that runs has a number near [`SEQ_MAX`].
    #[inline]
    fn is_odd(&self, head: &Head, arrival: Arrival) -> bool {
        let jump_max = self.config.jump_max;
        self.session != Some(head.session)
            || head.seq > self.next.saturating_add(jump_max)
            || head.seq.saturating_add(jump_max) < self.line_next[usize::from(arrival.line) % LINES_MAX]
    }

    /// Takes a packet that is believed.
    #[inline]
    fn accept(&mut self, head: &Head, payload: &[u8], arrival: Arrival, out: &mut impl Deliver) {
        let expected = self.note_line(head, arrival);
        if self.is_waiting() {
            self.waiting.goes_on(head, arrival.line);
        }
        if head.seq > self.next {
            self.hold(head, payload, arrival, head.seq > expected, out);
            return;
        }
        self.deliver(head, payload, arrival, out);
        if self.is_waiting() {
            self.deliver_waiting(0, out);
        }
    }

    /// Counts a damaged packet of a line.
    #[cold]
    pub fn note_bad(&mut self, line: u8) {
        self.stats.lines[usize::from(line) % LINES_MAX].bad += 1;
    }

    /// Lines that brought packets of the session and are not dead at `now`, a bit each.
    pub(super) fn lines(&self, now: UnixNanos) -> u8 {
        living(&self.line_next, &self.line_at, now)
    }

    /// Begins the first session with a packet that has messages: nothing speaks against them.
    fn begin(&mut self, head: &Head, payload: &[u8], arrival: Arrival, out: &mut impl Deliver) {
        if self.doubt.is_about(head.session) {
            self.believe(arrival, out);
        } else {
            let fallen = self.doubt.refute();
            self.count(fallen);
            self.change_session(head, arrival, out);
        }
        self.accept(head, payload, arrival, out);
    }

    /// What to do with a packet that is odd: keep it until it is confirmed.
    #[cold]
    fn question(&mut self, head: &Head, payload: &[u8], arrival: Arrival, out: &mut impl Deliver) {
        let ours = self.session == Some(head.session);
        if !ours && self.is_over(head) {
            self.stats.stale += 1;
            return;
        }
        if head.seq > SEQ_MAX {
            self.stats.implausible += 1;
            return;
        }
        let is_first = self.session.is_none();
        if is_first && head.count > 0 {
            self.begin(head, payload, arrival, out);
            return;
        }
        let restarts = ours && (head.seq <= self.next || self.follows_restart(head, arrival));
        if ours && !restarts && self.follows_what_waits(head) {
            self.accept(head, payload, arrival, out);
            return;
        }
        if ours && head.seq < self.next && head.count > 0 {
            self.hear_again(head, payload, arrival, out);
        }
        let claim = match (ours, restarts) {
            (false, _) => Claim::Session,
            (true, false) => Claim::Jump,
            (true, true) => Claim::Restart,
        };
        let fallen = self.doubt.add(claim, head, payload, arrival, self.config.jump_max);
        self.count(fallen);
        self.questioned = true;
        let holds = if is_first {
            self.doubt.packets() >= IDLE_PACKETS
        } else {
            self.doubt.is_confirmed(self.config.confirm_packets, self.lines(arrival.at))
        };
        if holds {
            self.believe(arrival, out);
        }
    }

    /// Whether a packet is of a session that was left, and does not go on with it.
    fn is_over(&self, head: &Head) -> bool {
        let mut left = self.old_sessions.iter().flatten();
        left.any(|(session, next)| *session == head.session && head.seq < *next)
    }

    /// Whether a packet is far ahead of what is next, but not of what waits for it.
    fn follows_what_waits(&self, head: &Head) -> bool {
        let last = self.waiting.last_next();
        head.seq > self.next && last.is_some_and(|last| head.seq <= last.saturating_add(self.config.jump_max))
    }

    /// The claim holds since `arrival`: does what it says, then takes the packets that made it.
    pub(super) fn believe(&mut self, arrival: Arrival, out: &mut impl Deliver) {
        let (head, _) = self.doubt.opening();
        let (claim, first, lines) = (self.doubt.claim(), self.doubt.first(), self.doubt.lines());
        let [copies, beyond] = self.doubt.unkept();
        let (kept, count) = self.doubt.take();
        self.questioned = self.end.is_open();
        match claim {
            Claim::Session => self.change_session(&head, arrival, out),
            Claim::Restart => self.restart(first, arrival, out),
            // What is missing before it may be asked for.
            Claim::Jump if self.may_recover(first) => {}
            Claim::Jump => self.give_up_before(first, arrival, out),
        }
        for Slot { head, arrival, others, len, bytes } in &kept[..count] {
            let payload = &bytes[..*len];
            self.accept(head, payload, *arrival, out);
            self.hear_others(head, payload, *arrival, *others, out);
        }
        self.doubt.give_back(kept);
        // The lines that brought what was not kept live all the same.
        for (line, (copied, left_out)) in copies.iter().zip(&beyond).enumerate() {
            self.stats.unkept += left_out.packets;
            self.stats.lines[line].packets += copied.packets + left_out.packets;
            self.stats.lines[line].messages += copied.messages + left_out.messages;
            if lines & 1 << line != 0 && self.line_next[line] == 0 {
                (self.line_next[line], self.line_at[line]) = (first.max(1), arrival.at);
            }
        }
        self.settle_doubt(arrival, out);
    }

    /// Says that what was delivered may be old, if two packets have made a claim for longer than a hole may stay open.
    #[cold]
    pub(super) fn tell_doubt(&mut self, now: UnixNanos, out: &mut impl Deliver) {
        let Some(second) = self.doubt.seconded().filter(|_| self.session.is_some() && !self.doubted) else {
            return;
        };
        let timeout = self.config.timeout;
        let (at, ts_recv) = (second.at.plus(timeout), second.ts_recv.plus(timeout));
        if now >= at {
            self.doubted = true;
            self.tell_recovering(Arrival { at, ts_recv, ..second }, out);
        }
    }

    /// Says that what was delivered is as new as the feed again, when no claim stands and no hole that one made is open.
    #[cold]
    pub(super) fn settle_doubt(&mut self, arrival: Arrival, out: &mut impl Deliver) {
        if self.doubted && !self.doubt.is_open() && !self.has_known_hole() {
            self.doubted = false;
            self.tell_recovering(arrival, out);
        }
    }

    /// The session that runs goes on: what was claimed meanwhile is not so.
    #[cold]
    pub(super) fn refute(&mut self, arrival: Arrival, out: &mut impl Deliver) {
        let fallen = self.doubt.refute();
        self.count(fallen);
        if self.end.is_open() {
            self.stats.stray_ends += 1;
            self.end = EndClaim::default();
        }
        self.questioned = false;
        self.settle_doubt(arrival, out);
    }

    fn count(&mut self, fallen: Option<Refuted>) {
        let Some(Refuted { claim, packets }) = fallen else { return };
        let counter = match claim {
            Claim::Session => &mut self.stats.stray_sessions,
            Claim::Jump => &mut self.stats.stray_jumps,
            Claim::Restart => &mut self.stats.stray_restarts,
        };
        *counter += u64::from(packets);
    }

    /// Moves to the packet's session.
    fn change_session(&mut self, head: &Head, arrival: Arrival, out: &mut impl Deliver) {
        self.give_up_all(out);
        if self.end.is_open() {
            self.conclude(out);
        }
        let interrupted = self.session.is_some() && !self.ended;
        let left = self.old_sessions.iter_mut().find(|left| left.is_some_and(|left| left.0 == head.session));
        let start = match (left.and_then(Option::take), self.session) {
            (Some((_, next)), _) => Start::At(next),
            (None, Some(_)) => Start::At(FIRST),
            (None, None) => self.config.start,
        };
        self.old_sessions.rotate_right(1);
        self.old_sessions[0] = self.session.map(|session| (session, self.next));
        self.session = Some(head.session);
        self.begin_at(match start {
            Start::Anywhere => head.seq,
            Start::At(seq) => seq,
        });
        if self.stats.sessions == 0 {
            self.stats.first_seq = self.next;
        }
        self.stats.sessions += 1;
        out.session(head.session, interrupted, arrival);
    }

    /// The sequence begins again within its session.
    fn restart(&mut self, first: u64, arrival: Arrival, out: &mut impl Deliver) {
        self.give_up_all(out);
        self.end = EndClaim::default();
        self.questioned = false;
        let Some(session) = self.session else { return };
        let interrupted = !self.ended;
        self.begin_at(first);
        self.stats.restarts += 1;
        out.session(session, interrupted, arrival);
    }

    fn begin_at(&mut self, seq: u64) {
        self.ended = false;
        self.next = seq;
        self.doubtful_upto = 0;
        self.line_next = [0; LINES_MAX];
        self.line_last = [0; LINES_MAX];
        self.skips = [Skips::default(); LINES_MAX];
        self.holes.clear();
        self.oldest_hole = 0;
        self.history.begin(seq);
        self.contradiction = None;
    }

    /// Counts a packet for its line, and gives the number that was expected of that: 0 for its first.
    #[inline]
    fn note_line(&mut self, head: &Head, arrival: Arrival) -> u64 {
        let line = usize::from(arrival.line) % LINES_MAX;
        let stats = &mut self.stats.lines[line];
        stats.packets += 1;
        stats.messages += u64::from(head.count);
        stats.last_heard = arrival.ts_recv;
        let expected = self.line_next[line];
        if head.seq != expected {
            let (skipped, filled) = self.skips[line].note(head, expected);
            stats.missing = (stats.missing + skipped).saturating_sub(filled);
        }
        self.line_next[line] = expected.max(head.next_seq());
        self.line_before = std::mem::replace(&mut self.line_last[line], head.next_seq());
        let before = std::mem::replace(&mut self.line_at[line], arrival.at);
        self.revived = u8::from(expected == 0 || arrival.at.since(before) >= DEAD) << line;
        expected
    }

    /// Delivers a packet that begins at or before the next sequence number.
    #[inline]
    pub(super) fn deliver(&mut self, head: &Head, payload: &[u8], arrival: Arrival, out: &mut impl Deliver) {
        let end = head.next_seq();
        if head.count == 0 {
            self.deliver_empty(head, arrival, out);
            return;
        }
        let known = u16::try_from(self.next - head.seq).unwrap_or(u16::MAX).min(head.count);
        if known > 0 && !self.hear_again(head, payload, arrival, out) {
            self.note_known(head.seq, u64::from(known));
            if self.ended && end > self.going_on.from {
                self.go_on(arrival, 0, out);
            }
        }
        let new = u64::from(head.count - known);
        if new == 0 {
            return;
        }
        let line = self.stats.lines.get_mut(usize::from(arrival.line));
        match line {
            Some(line) => line.won += new,
            None => self.stats.recovery.recovered += new,
        }
        if self.ended {
            self.go_on(arrival, 1, out);
        }
        // What a server knows of yesterday's packets refutes nothing that a line claims today.
        if self.questioned && arrival.line != SERVER_LINE {
            self.refute(arrival, out);
        }
        self.history.keep(head, payload, self.next, arrival.line);
        self.next = end;
        self.stats.delivered += new;
        self.stats.last_seq = end - 1;
        out.packet(head, payload, known, arrival);
    }

    /// Counts messages behind the next sequence number as duplicates, or as late when they had been given up.
    fn note_known(&mut self, first: u64, count: u64) {
        let end = first + count;
        let overlap = |hole: &Hole| end.min(hole.first + hole.count).saturating_sub(first.max(hole.first));
        let late: u64 = self.holes.iter().map(overlap).sum();
        self.stats.late += late;
        self.stats.duplicates += count - late;
    }
}

/// Lines that brought packets of the session and are not dead at `now`, a bit each.
pub(super) fn living(line_next: &[u64; LINES_MAX], line_at: &[UnixNanos; LINES_MAX], now: UnixNanos) -> u8 {
    let lives = |line: &usize| line_next[*line] != 0 && now.since(line_at[*line]) < DEAD;
    (0..LINES_MAX).filter(lives).fold(0, |lines, line| lines | 1 << line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::Nanos;

    /// Writes down what comes out.
    #[derive(Default)]
    struct Log(Vec<String>);

    impl Deliver for Log {
        fn packet(&mut self, head: &Head, payload: &[u8], skip: u16, arrival: Arrival) {
            let first = head.seq + u64::from(skip);
            let text = std::str::from_utf8(payload).unwrap();
            self.0.push(format!("{first}..{} {text} @{}", head.next_seq(), arrival.line));
        }
        fn hole(&mut self, hole: Hole, _arrival: Arrival) {
            self.0.push(format!("lost {}+{}", hole.first, hole.count));
        }
        fn heartbeat(&mut self, head: &Head, _arrival: Arrival) {
            self.0.push(format!("beat {}", head.seq));
        }
        fn session(&mut self, session: SessionId, interrupted: bool, _arrival: Arrival) {
            self.0.push(format!("session {}{}", session.0[0], if interrupted { " interrupts" } else { "" }));
        }
        fn end_of_session(&mut self, _arrival: Arrival) {
            self.0.push("end".to_owned());
        }
        fn end_taken_back(&mut self, _arrival: Arrival) {
            self.0.push("end taken back".to_owned());
        }
        fn recovering(&mut self, begins: bool, arrival: Arrival) {
            self.0.push(format!("{} since {}", if begins { "old" } else { "new" }, arrival.ts_recv.0));
        }
        fn contradicted(&mut self, arrival: Arrival) {
            self.0.push(format!("contradicted @{}", arrival.line));
        }
    }

    struct Rig {
        arbiter: Arbiter,
        log: Log,
        now: u64,
    }

    impl Rig {
        fn new(slots: usize, start: Start) -> Self {
            Self::with(ArbiterConfig { slots, start, ..Self::CONFIG })
        }

        const CONFIG: ArbiterConfig = ArbiterConfig {
            slots: 4,
            slot_bytes: 8,
            timeout: Nanos(100),
            start: Start::Anywhere,
            jump_max: 1_000,
            confirm_packets: 3,
            recovery: None,
        };

        fn with(config: ArbiterConfig) -> Self {
            Self { arbiter: Arbiter::new(config), log: Log::default(), now: 0 }
        }

        /// A packet of session 1 with `count` messages on `line`.
        fn packet(&mut self, line: u8, seq: u64, count: u16) {
            self.head(1, line, seq, count, false);
        }

        fn head(&mut self, session: u8, line: u8, seq: u64, count: u16, end: bool) {
            let head = Head { session: SessionId([session; 10]), seq, count, end, sent: UnixNanos(0) };
            self.send(&head, line, &format!("p{seq}"));
        }

        /// A packet of session 1 that says something else than others of its number.
        fn other(&mut self, line: u8, seq: u64, count: u16) {
            let head = Head { session: SessionId([1; 10]), seq, count, end: false, sent: UnixNanos(0) };
            self.send(&head, line, &format!("x{seq}"));
        }

        fn send(&mut self, head: &Head, line: u8, payload: &str) {
            let at = UnixNanos(self.now);
            let arrival = Arrival { at, ts_recv: at, line, offset: 0 };
            self.arbiter.on_packet(head, payload.as_bytes(), arrival, &mut self.log);
        }

        fn take(&mut self) -> Vec<String> {
            std::mem::take(&mut self.log.0)
        }
    }

    #[test]
    fn the_second_copy_is_a_duplicate() {
        let mut rig = Rig::new(4, Start::Anywhere);
        for seq in [10, 12] {
            rig.packet(0, seq, 2);
            rig.packet(1, seq, 2);
        }
        assert_eq!(rig.take(), ["session 1", "10..12 p10 @0", "12..14 p12 @0"]);
        let stats = rig.arbiter.stats();
        assert_eq!((stats.delivered, stats.duplicates, stats.missing), (4, 4, 0));
        assert_eq!((stats.first_seq, stats.last_seq, rig.arbiter.next_seq()), (10, 13, 14));
        assert_eq!((stats.lines[0].won, stats.lines[1].won), (4, 0));
    }

    #[test]
    fn the_other_line_fills_the_hole_in_order() {
        let mut rig = Rig::new(4, Start::Anywhere);
        rig.packet(0, 1, 1);
        rig.packet(0, 3, 1);
        rig.packet(0, 4, 1);
        rig.packet(1, 2, 1);
        assert_eq!(rig.take(), ["session 1", "1..2 p1 @0", "2..3 p2 @1", "3..4 p3 @0", "4..5 p4 @0"]);
        let stats = rig.arbiter.stats();
        assert_eq!((stats.gaps, stats.reordered, stats.lines[0].missing), (0, 2, 1));
    }

    #[test]
    fn packets_that_overlap_deliver_only_what_is_new() {
        let mut rig = Rig::new(4, Start::Anywhere);
        rig.packet(0, 1, 2);
        rig.packet(1, 1, 5);
        assert_eq!(rig.take(), ["session 1", "1..3 p1 @0", "3..6 p1 @1"]);
        assert_eq!(rig.arbiter.stats().duplicates, 2);
    }

    #[test]
    fn a_hole_is_given_up_after_the_timeout_and_not_before() {
        let mut rig = Rig::new(4, Start::Anywhere);
        rig.packet(0, 1, 1);
        rig.now = 50;
        rig.packet(0, 5, 1);
        rig.packet(0, 6, 1);
        rig.take();
        rig.arbiter.on_time(UnixNanos(149), &mut rig.log);
        assert!(rig.take().is_empty() && rig.arbiter.is_waiting());
        rig.arbiter.on_time(UnixNanos(150), &mut rig.log);
        assert_eq!(rig.take(), ["lost 2+3", "5..6 p5 @0", "6..7 p6 @0"]);
        rig.packet(1, 3, 1);
        let stats = rig.arbiter.stats();
        assert_eq!((stats.gaps, stats.missing, stats.late, stats.duplicates), (1, 3, 1, 0));
    }

    #[test]
    fn each_hole_has_its_own_time() {
        let mut rig = Rig::new(4, Start::Anywhere);
        rig.packet(0, 1, 1);
        for seq in [3, 4] {
            rig.packet(0, seq, 1);
        }
        rig.now = 60;
        for seq in [6, 7] {
            rig.packet(0, seq, 1);
        }
        rig.take();
        rig.arbiter.on_time(UnixNanos(100), &mut rig.log);
        assert_eq!(rig.take(), ["lost 2+1", "3..4 p3 @0", "4..5 p4 @0"]);
        rig.arbiter.on_time(UnixNanos(159), &mut rig.log);
        assert!(rig.take().is_empty());
        rig.arbiter.on_time(UnixNanos(160), &mut rig.log);
        assert_eq!(rig.take(), ["lost 5+1", "6..7 p6 @0", "7..8 p7 @0"]);
    }

    #[test]
    fn one_packet_alone_makes_no_hole() {
        let mut rig = Rig::new(8, Start::Anywhere);
        rig.packet(0, 1, 1);
        // A heartbeat that is five ahead, below which its line goes on as ever; two packets change places meanwhile.
        rig.packet(0, 7, 0);
        for seq in [2, 4, 3, 5, 6, 7] {
            rig.now += if seq == 3 { 0 } else { 1_000 };
            rig.packet(0, seq, 1);
        }
        // One far ahead.
        rig.packet(0, 900, 0);
        rig.now += 1_000;
        rig.packet(0, 8, 1);
        let told = rig.take();
        assert!(told.iter().all(|line| !line.starts_with("lost")), "{told:?}");
        assert_eq!((told.last().map(String::as_str), rig.arbiter.stats().missing), (Some("8..9 p8 @0"), 0));
        // The same word again and again, and the line going on below it in between.
        for _ in 0..4 {
            rig.now += 500_000_000;
            rig.packet(0, 900, 0);
            rig.now += 500_000_000;
            rig.packet(0, 9, 0);
        }
        assert_eq!(rig.arbiter.stats().missing, 0);
        // Nothing speaks against it any more.
        (0..4).for_each(|_| {
            rig.now += 1_000_000_000;
            rig.packet(0, 900, 0);
        });
        assert_eq!(rig.arbiter.stats().missing, 891);
    }

    #[test]
    fn full_slots_give_the_first_hole_up() {
        let mut rig = Rig::new(2, Start::Anywhere);
        rig.packet(0, 1, 1);
        rig.packet(0, 3, 1);
        rig.packet(0, 5, 1);
        rig.take();
        rig.packet(0, 7, 1);
        assert_eq!(rig.take(), ["lost 2+1", "3..4 p3 @0"]);
        rig.packet(0, 9, 1);
        assert_eq!(rig.take(), ["lost 4+1", "5..6 p5 @0"]);
        rig.arbiter.finish(&mut rig.log);
        assert_eq!(rig.take(), ["lost 6+1", "7..8 p7 @0", "lost 8+1", "9..10 p9 @0"]);
    }

    #[test]
    fn a_packet_too_long_for_a_slot_gives_everything_before_it_up() {
        let mut rig = Rig::with(ArbiterConfig { jump_max: u64::MAX, ..Rig::CONFIG });
        rig.packet(0, 1, 1);
        rig.packet(0, 3, 1);
        rig.take();
        rig.packet(0, 100_000_000, 1);
        assert_eq!(
            rig.take(),
            ["lost 2+1", "3..4 p3 @0", "lost 4+99999996", "100000000..100000001 p100000000 @0"]
        );
        assert!(!rig.arbiter.is_waiting());
    }

    #[test]
    fn a_heartbeat_reveals_a_loss_at_the_end() {
        let mut rig = Rig::new(4, Start::Anywhere);
        rig.packet(0, 1, 1);
        rig.packet(0, 2, 0);
        assert_eq!(rig.take(), ["session 1", "1..2 p1 @0", "beat 2"]);
        rig.packet(0, 4, 0);
        rig.packet(1, 1, 0);
        rig.arbiter.on_time(UnixNanos(100), &mut rig.log);
        assert!(rig.take().is_empty(), "one heartbeat may be a stray");
        rig.packet(1, 4, 0);
        rig.arbiter.on_time(UnixNanos(100), &mut rig.log);
        assert_eq!(rig.take(), ["lost 2+2", "beat 4"]);
    }

    #[test]
    fn the_end_of_a_session_is_told_once_and_only_when_all_is_in() {
        let mut rig = Rig::new(4, Start::Anywhere);
        rig.packet(0, 1, 1);
        rig.head(1, 0, 3, 0, true);
        rig.head(1, 1, 3, 0, true);
        rig.packet(1, 2, 1);
        assert_eq!(rig.take(), ["session 1", "1..2 p1 @0", "2..3 p2 @1"], "line 1 has not said so");
        rig.head(1, 1, 3, 0, true);
        rig.head(1, 0, 3, 0, true);
        assert_eq!(rig.take(), ["end"]);
    }

    #[test]
    fn a_new_session_begins_at_one_and_the_old_one_stays_left() {
        let mut rig = Rig::new(4, Start::Anywhere);
        rig.packet(0, 7, 1);
        rig.packet(0, 9, 1);
        rig.take();
        rig.head(2, 0, 2, 1, false);
        rig.head(2, 0, 3, 1, false);
        assert!(rig.take().is_empty(), "two packets are not enough");
        rig.head(2, 0, 4, 1, false);
        assert_eq!(rig.take(), ["lost 8+1", "9..10 p9 @0", "session 2 interrupts"]);
        rig.packet(1, 8, 1);
        rig.head(2, 1, 1, 1, false);
        assert_eq!(rig.take(), ["1..2 p1 @1", "2..3 p2 @0", "3..4 p3 @0", "4..5 p4 @0"]);
        let stats = rig.arbiter.stats();
        assert_eq!((stats.stale, stats.sessions, stats.missing, stats.stray_sessions), (1, 2, 1, 0));
    }

    #[test]
    fn a_stray_session_falls_when_the_one_that_runs_goes_on() {
        let mut rig = Rig::new(4, Start::Anywhere);
        rig.packet(0, 1, 1);
        rig.head(2, 0, 1, 0, false);
        rig.head(2, 0, 1, 0, false);
        rig.packet(0, 2, 1);
        rig.head(2, 0, 1, 0, false);
        rig.head(2, 0, 1, 0, false);
        rig.packet(0, 3, 0);
        assert_eq!(rig.take(), ["session 1", "1..2 p1 @0", "2..3 p2 @0", "beat 3"]);
        assert_eq!((rig.arbiter.stats().stray_sessions, rig.arbiter.stats().sessions), (4, 1));
    }

    #[test]
    fn where_there_are_two_lines_both_must_tell_of_the_new_session() {
        let mut rig = Rig::new(4, Start::Anywhere);
        rig.packet(0, 1, 1);
        rig.packet(1, 1, 1);
        rig.take();
        (1..6).for_each(|seq| rig.head(2, 0, seq, 1, false));
        assert!(rig.take().is_empty());
        rig.head(2, 1, 1, 1, false);
        let told = rig.take();
        assert_eq!((told[0].as_str(), told.len()), ("session 2 interrupts", 6));
        // A line that says nothing for three seconds may be dead: the other is then believed by itself.
        (1..6).for_each(|seq| rig.head(3, 0, seq, 1, false));
        assert!(rig.take().is_empty());
        rig.now = 3_000_000_000;
        rig.head(3, 0, 6, 1, false);
        assert_eq!(rig.take()[..2], ["old since 100", "session 3 interrupts"]);
    }

    #[test]
    fn a_forged_jump_is_dropped_and_a_real_one_is_a_hole() {
        let mut rig = Rig::new(4, Start::Anywhere);
        rig.packet(0, 1, 1);
        rig.packet(0, 1 << 40, 0);
        rig.packet(0, 1 << 40, 0);
        rig.packet(0, 2, 1);
        rig.now = 1_000;
        rig.packet(0, 3, 1);
        assert_eq!(rig.take(), ["session 1", "1..2 p1 @0", "2..3 p2 @0", "3..4 p3 @0"]);
        assert_eq!((rig.arbiter.stats().stray_jumps, rig.arbiter.stats().gaps), (2, 0));
        (5_000..5_003).for_each(|seq| rig.packet(0, seq, 1));
        assert_eq!(
            rig.take(),
            ["lost 4+4996", "5000..5001 p5000 @0", "5001..5002 p5001 @0", "5002..5003 p5002 @0"]
        );
        // Within the bound two packets are enough, after the timeout.
        for seq in [6_000, 6_001] {
            rig.packet(0, seq, 1);
        }
        rig.arbiter.on_time(UnixNanos(1_100), &mut rig.log);
        assert_eq!(rig.take(), ["lost 5003+997", "6000..6001 p6000 @0", "6001..6002 p6001 @0"]);
        // Copies of one packet are one piece of evidence, and what has no messages is none.
        for _ in 0..9 {
            rig.packet(0, 1 << 40, 1);
            rig.packet(0, (1 << 40) + 1, 0);
        }
        rig.packet(0, 6_002, 1);
        assert_eq!(rig.take(), ["6002..6003 p6002 @0"]);
        assert_eq!(rig.arbiter.stats().stray_jumps, 20);
        // What the last packets of an input claim is not contradicted.
        for seq in [9_000, 9_001] {
            rig.packet(0, seq, 1);
        }
        rig.arbiter.finish(&mut rig.log);
        assert_eq!(rig.take()[0], "lost 6003+2997");
    }

    #[test]
    fn a_sequence_that_begins_again_is_followed_and_said() {
        let mut rig = Rig::new(4, Start::Anywhere);
        rig.packet(0, 5_000, 1);
        rig.packet(0, 1, 1);
        rig.packet(0, 5_001, 1);
        assert_eq!(rig.arbiter.stats().stray_restarts, 1);
        rig.take();
        (1..4).for_each(|seq| rig.packet(0, seq, 1));
        assert_eq!(rig.take(), ["session 1 interrupts", "1..2 p1 @0", "2..3 p2 @0", "3..4 p3 @0"]);
        let stats = rig.arbiter.stats();
        assert_eq!((stats.restarts, stats.sessions, stats.duplicates), (1, 1, 0));
    }

    #[test]
    fn a_sequence_that_begins_again_soon_is_followed_and_said() {
        let mut rig = Rig::new(4, Start::Anywhere);
        (1..6).for_each(|seq| rig.packet(0, seq, 1));
        // The network repeats packets; those say the same.
        (2..5).for_each(|seq| rig.packet(0, seq, 1));
        assert_eq!((rig.arbiter.stats().duplicates, rig.arbiter.stats().stray_restarts), (3, 0));
        rig.take();
        (1..4).for_each(|seq| rig.other(0, seq, 1));
        let told = rig.take();
        assert_eq!(told[0], "contradicted @0", "two packets of one line that is alone");
        assert_eq!(told[1..], ["session 1 interrupts", "1..2 x1 @0", "2..3 x2 @0", "3..4 x3 @0"]);
        let stats = rig.arbiter.stats();
        assert_eq!((stats.restarts, stats.contradicted, stats.duplicates), (1, 3, 3));
        // Two packets that say so, and one that goes on where they end, which is where the sequence ends, too.
        let mut rig = Rig::new(4, Start::Anywhere);
        (1..3).for_each(|seq| rig.packet(0, seq, 1));
        (1..4).for_each(|seq| rig.other(0, seq, 1));
        assert_eq!(rig.take()[4..], ["session 1 interrupts", "1..2 x1 @0", "2..3 x2 @0", "3..4 x3 @0"]);
    }

    #[test]
    fn both_lines_must_say_that_the_sequence_began_again_soon() {
        let mut rig = Rig::new(4, Start::Anywhere);
        (1..6).for_each(|seq| (0..2).for_each(|line| rig.packet(line, seq, 1)));
        (1..5).for_each(|seq| rig.other(0, seq, 1));
        rig.packet(1, 6, 1);
        assert_eq!(rig.arbiter.stats().stray_restarts, 4, "the other goes on");
        (1..5).for_each(|seq| rig.other(0, seq, 1));
        rig.take();
        rig.other(1, 1, 1);
        let told = rig.take();
        assert_eq!(told[..2], ["contradicted @1", "session 1 interrupts"]);
        assert_eq!((told.len(), rig.arbiter.next_seq()), (6, 5));
        // One packet alone begins nothing again, also where the sequence could go on behind it.
        rig.packet(0, 1, 4);
        rig.other(0, 5, 1);
        assert_eq!((rig.arbiter.next_seq(), rig.arbiter.stats().restarts), (6, 1));
    }

    #[test]
    fn two_lines_that_say_different_things_under_one_number_are_no_duplicates() {
        let mut rig = Rig::new(4, Start::Anywhere);
        rig.packet(0, 1, 1);
        rig.packet(1, 1, 1);
        rig.other(0, 2, 1);
        rig.packet(1, 2, 1);
        assert_eq!(rig.take(), ["session 1", "1..2 p1 @0", "2..3 x2 @0"]);
        rig.packet(0, 2, 1);
        assert_eq!(rig.take(), ["contradicted @0"], "both lines say something else");
        let stats = rig.arbiter.stats();
        assert_eq!((stats.contradicted, stats.duplicates, stats.delivered), (2, 1, 2));
        // Also where both wait for what comes before them.
        rig.packet(0, 4, 1);
        rig.other(1, 4, 1);
        rig.packet(0, 3, 1);
        rig.arbiter.on_time(UnixNanos(rig.now + 99), &mut rig.log);
        assert_eq!(rig.take(), ["3..4 p3 @0", "4..5 x4 @1"], "the line of the first went on below it");
        rig.arbiter.on_time(UnixNanos(rig.now + 100), &mut rig.log);
        assert_eq!(rig.take(), ["contradicted @0"], "no copy has come");
        // And in a claim: two packets under one number are one piece of evidence.
        rig.packet(0, 9_000, 1);
        rig.other(0, 9_000, 1);
        rig.packet(1, 9_000, 1);
        rig.packet(0, 9_001, 1);
        assert!(rig.take().is_empty());
        rig.packet(0, 9_002, 1);
        assert_eq!(
            rig.take(),
            ["lost 5+8995", "9000..9001 p9000 @0", "9001..9002 p9001 @0", "9002..9003 p9002 @0"]
        );
        assert_eq!(rig.arbiter.stats().contradicted, 4, "the other one is held against it");
    }

    #[test]
    fn what_was_delivered_is_old_while_something_else_is_claimed() {
        let mut rig = Rig::new(4, Start::Anywhere);
        rig.packet(0, 1, 1);
        rig.take();
        // A stray that the next packet refutes in time says nothing.
        rig.now = 1_000;
        rig.head(2, 0, 1, 1, false);
        rig.now = 1_099;
        rig.packet(0, 2, 1);
        assert_eq!(rig.take(), ["2..3 p2 @0"]);
        // One that two packets make, and that stands for longer than a hole may, does, whether anybody looks then or later.
        for looks in [true, false] {
            rig.now += 1_000;
            rig.packet(0, 1 << 40, 1);
            rig.now += 1_000;
            rig.arbiter.on_time(UnixNanos(rig.now), &mut rig.log);
            assert!(rig.take().is_empty(), "one packet alone changes nothing");
            let since = rig.now + 100;
            rig.packet(0, (1 << 40) + 1, 1);
            if looks {
                rig.arbiter.on_time(UnixNanos(since - 1), &mut rig.log);
                assert!(rig.take().is_empty() && rig.arbiter.is_timed());
                rig.arbiter.on_time(UnixNanos(since), &mut rig.log);
                assert_eq!(rig.take(), [format!("old since {since}")]);
            }
            rig.now = since + 500;
            let next = rig.arbiter.next_seq();
            rig.packet(0, next, 1);
            let told = rig.take();
            let old = (!looks).then(|| format!("old since {since}"));
            let news = [format!("new since {}", rig.now), format!("{next}..{} p{next} @0", next + 1)];
            assert_eq!(told, old.into_iter().chain(news).collect::<Vec<_>>());
            assert!(!rig.arbiter.is_timed());
        }
        // One that holds: what it made missing is said before.
        (5_000..5_002).for_each(|seq| rig.packet(0, seq, 1));
        rig.now += 200;
        rig.packet(0, 5_002, 1);
        let told = rig.take();
        assert!(told[0].starts_with("old") && told[1].starts_with("lost 5+"), "{told:?}");
        assert_eq!(told.iter().filter(|line| line.starts_with("new")).count(), 1, "{told:?}");
        assert!(!rig.arbiter.is_timed());
    }

    #[test]
    fn packets_of_a_claim_that_find_no_room_are_counted_with_their_cause() {
        let mut rig = Rig::new(4, Start::Anywhere);
        rig.packet(0, 1, 1);
        rig.packet(1, 1, 1);
        (1..=70).for_each(|seq| rig.head(2, 0, seq, 2, false));
        rig.head(2, 1, 1, 2, false);
        let stats = *rig.arbiter.stats();
        assert_eq!((stats.sessions, stats.unkept, stats.stray_sessions), (2, 6, 0));
        assert_eq!((stats.lines[0].packets, stats.lines[0].messages), (71, 141), "all that the line brought");
        // Of a claim that falls all are counted as that.
        (1..=70).for_each(|seq| rig.head(3, 0, seq, 1, false));
        let next = rig.arbiter.next_seq();
        rig.head(2, 0, next, 1, false);
        assert_eq!((rig.arbiter.stats().unkept, rig.arbiter.stats().stray_sessions), (6, 70));
    }

    #[test]
    fn one_line_of_two_ends_no_session() {
        let mut rig = Rig::new(4, Start::Anywhere);
        rig.packet(0, 1, 1);
        rig.packet(1, 1, 1);
        (0..9).for_each(|_| rig.head(1, 0, 2, 0, true));
        rig.head(2, 0, 1, 5, false);
        rig.packet(0, 2, 1);
        assert_eq!(rig.take(), ["session 1", "1..2 p1 @0", "2..3 p2 @0"]);
        assert_eq!((rig.arbiter.stats().stray_ends, rig.arbiter.stats().stray_sessions), (1, 1));
        // Where the other is dead, it does.
        rig.now = 3_000_000_000;
        (0..3).for_each(|_| rig.head(1, 0, 3, 0, true));
        assert_eq!(rig.take(), ["end"]);
    }

    #[test]
    fn after_an_end_no_single_packet_begins_a_session_and_going_on_takes_the_end_back() {
        let mut rig = Rig::new(4, Start::Anywhere);
        rig.packet(0, 1, 1);
        (0..3).for_each(|_| rig.head(1, 0, 2, 0, true));
        assert_eq!(rig.take()[2], "end");
        (0..5).for_each(|_| rig.head(2, 0, 1, 5, false));
        assert!(rig.take().is_empty(), "copies of one packet");
        (2..4).for_each(|seq| rig.packet(0, seq, 1));
        assert_eq!(rig.take(), ["2..3 p2 @0", "3..4 p3 @0"], "two packets take nothing back");
        rig.packet(0, 4, 1);
        assert_eq!(rig.take(), ["end taken back", "4..5 p4 @0"]);
        assert_eq!(rig.arbiter.stats().stray_ends, 1);
        rig.head(2, 0, 1, 1, false);
        rig.head(2, 0, 2, 1, false);
        rig.head(2, 0, 3, 1, false);
        assert_eq!(rig.take()[0], "session 2 interrupts", "it had not ended after all");
    }

    #[test]
    fn a_session_that_was_left_and_goes_on_comes_back() {
        let mut rig = Rig::new(8, Start::Anywhere);
        rig.packet(0, 7, 1);
        (1..4).for_each(|seq| rig.head(2, 0, seq, 1, false));
        rig.take();
        rig.packet(0, 7, 1);
        assert_eq!(rig.arbiter.stats().stale, 1, "nothing new of it");
        (8..11).for_each(|seq| rig.packet(0, seq, 1));
        assert_eq!(rig.take(), ["session 1 interrupts", "8..9 p8 @0", "9..10 p9 @0", "10..11 p10 @0"]);
    }

    #[test]
    fn a_session_that_ended_is_not_interrupted() {
        let mut rig = Rig::new(4, Start::Anywhere);
        rig.head(1, 0, 5, 1, false);
        rig.head(1, 0, 6, 0, true);
        (1..4).for_each(|seq| rig.head(2, 0, seq, 1, false));
        assert_eq!(
            rig.take(),
            ["session 1", "5..6 p5 @0", "end", "session 2", "1..2 p1 @0", "2..3 p2 @0", "3..4 p3 @0"]
        );
    }

    #[test]
    fn the_end_falls_when_the_session_goes_on() {
        let mut rig = Rig::new(4, Start::Anywhere);
        rig.packet(0, 1, 1);
        rig.head(1, 0, 2, 0, true);
        rig.packet(0, 2, 1);
        rig.head(1, 0, 3, 0, true);
        rig.head(1, 0, 3, 0, true);
        assert_eq!(rig.take(), ["session 1", "1..2 p1 @0", "2..3 p2 @0"]);
        assert_eq!(rig.arbiter.stats().stray_ends, 1);
        rig.head(1, 0, 3, 0, true);
        assert_eq!(rig.take(), ["end"], "the third time it is so");
    }

    #[test]
    fn nothing_contradicts_the_last_packet_of_an_input() {
        let mut rig = Rig::new(4, Start::Anywhere);
        rig.head(1, 0, 5, 0, false);
        assert!(rig.take().is_empty(), "one heartbeat may be a stray");
        rig.arbiter.finish(&mut rig.log);
        assert_eq!(rig.take(), ["session 1", "beat 5"]);
        rig.head(1, 0, 5, 0, true);
        rig.arbiter.finish(&mut rig.log);
        assert_eq!(rig.take(), ["end"]);
    }

    #[test]
    fn a_number_that_no_session_reaches_changes_nothing() {
        let mut rig = Rig::new(4, Start::Anywhere);
        rig.packet(0, 1, 1);
        rig.packet(0, u64::MAX, 5);
        rig.packet(0, 2, 1);
        assert_eq!(rig.take(), ["session 1", "1..2 p1 @0", "2..3 p2 @0"]);
        assert_eq!((rig.arbiter.stats().implausible, rig.arbiter.stats().missing), (1, 0));
    }

    #[test]
    fn a_known_start_makes_a_late_join_a_loss() {
        let mut rig = Rig::new(4, Start::At(1));
        rig.packet(0, 4, 1);
        rig.arbiter.finish(&mut rig.log);
        assert_eq!(rig.take(), ["session 1", "lost 1+3", "4..5 p4 @0"]);
        assert_eq!(rig.arbiter.stats().first_seq, 1);
    }

    #[test]
    fn only_what_goes_on_with_a_sequence_that_began_again_counts_for_it() {
        // On any line, and also where a packet waits beyond what is next.
        let mut rig = Rig::new(4, Start::Anywhere);
        [1, 2, 9].into_iter().for_each(|seq| rig.packet(1, seq, 1));
        (1..4).for_each(|seq| rig.other(1, seq, 1));
        let told = rig.take();
        assert_eq!(
            told[told.len() - 4..],
            ["session 1 interrupts", "1..2 x1 @1", "2..3 x2 @1", "3..4 x3 @1"]
        );
        // The other line goes on with the sequence where the claim stands, and the line itself elsewhere.
        for (last, line, next) in [(2, 0, 3), (4, 1, 5)] {
            let mut rig = Rig::new(4, Start::Anywhere);
            (1..=last).for_each(|seq| (0..2).for_each(|line| rig.packet(line, seq, 1)));
            (1..3).for_each(|seq| rig.other(1, seq, 1));
            rig.take();
            rig.packet(line, next, 1);
            assert_eq!(rig.take(), [format!("{next}..{} p{next} @{line}", next + 1)]);
        }
    }

    #[test]
    fn a_slower_line_that_contradicts_once_does_not_say_that_the_sequence_began_again() {
        let mut rig = Rig::new(4, Start::Anywhere);
        (0..2).for_each(|line| rig.packet(line, 1, 1));
        (2..4).for_each(|seq| rig.packet(0, seq, 1));
        rig.other(1, 2, 1);
        rig.packet(0, 4, 1);
        let stats = rig.arbiter.stats();
        assert_eq!((stats.contradicted, stats.stray_restarts, stats.lines[1].packets), (1, 0, 2));
    }

    #[test]
    fn neither_an_old_heartbeat_nor_another_session_contradicts_what_was_delivered() {
        let mut rig = Rig::new(4, Start::Anywhere);
        (10..12).for_each(|seq| rig.packet(0, seq, 1));
        rig.head(1, 0, 5, 0, false);
        assert!(!rig.arbiter.is_timed(), "the heartbeat claims nothing");
        let head = Head { session: SessionId([2; 10]), seq: 10, count: 1, end: false, sent: UnixNanos(0) };
        rig.send(&head, 0, "x10");
        assert_eq!(rig.arbiter.stats().contradicted, 0);
    }

    #[test]
    fn a_copy_of_what_was_delivered_ends_no_doubt() {
        let mut rig = Rig::new(4, Start::Anywhere);
        rig.packet(0, 1, 1);
        (0..2).for_each(|n| rig.packet(0, (1 << 40) + n, 1));
        rig.now = 200;
        rig.arbiter.on_time(UnixNanos(rig.now), &mut rig.log);
        assert_eq!(rig.take().last().map(String::as_str), Some("old since 100"));
        rig.packet(1, 1, 1);
        assert!(rig.take().is_empty(), "the claim stands");
        rig.packet(0, 2, 1);
        assert_eq!(rig.take()[0], "new since 200");
    }
}
