//! The arbiter's holes: which packets wait for one, when it is given up, and what that costs.

use types::UnixNanos;

use super::contract::{Arrival, Deliver, HOLES_REMEMBERED, Hole, LINES_MAX, NEVER};
use super::doubt::Claim;
use super::history::Told;
use super::recovery::Recovery;
use super::sequencer::{Arbiter, living};
use super::waiting::Taken;
use crate::session::Head;

impl Arbiter {
    /// Goes on with what found no room, asks for holes that have been open for too long at `now`, or gives them up, and says what a
    /// claim that has stood for as long puts in doubt.
    pub fn on_time(&mut self, now: UnixNanos, out: &mut impl Deliver) {
        if self.questioned {
            self.tell_doubt(now, out);
        }
        self.judge_contradiction(now, out);
        self.deliver_waiting(0, out);
        while self.is_waiting() && self.is_due(now) && out.has_room() {
            if !self.is_asking() || !self.has_hole() {
                // Lines may have gone on below what told of it.
                self.deadline = self.due();
                if now < self.deadline {
                    return;
                }
            }
            if self.has_hole() && self.recovers(now, out) {
                return;
            }
            self.give_up(out);
        }
    }

    /// Whether the first hole is to be asked for or given up by `now`: what comes up while others are asked for is asked for, too. A
    /// packet whose turn it is, and which is in doubt, is none.
    fn is_due(&self, now: UnixNanos) -> bool {
        now >= self.deadline || (self.is_asking() && self.deadline != NEVER && self.has_hole())
    }

    /// Whether servers are being asked.
    pub(super) fn is_asking(&self) -> bool {
        self.recovery.as_ref().is_some_and(Recovery::is_open)
    }

    /// Whether something is missing before what waits.
    fn has_hole(&self) -> bool {
        self.waiting.first_seq().is_some_and(|first| first > self.next)
    }

    /// Whether it is the turn of a packet that waits.
    fn has_turn(&self) -> bool {
        self.waiting.first_seq().is_some_and(|first| first <= self.next)
    }

    /// Whether a packet that waited, and that nothing else speaks for, is not so: what was delivered meanwhile says something else. What
    /// was delivered in doubt itself does not tell. One without messages is none when its line has brought what it says is there.
    fn is_refuted(&mut self, packet: &Taken, out: &impl Deliver) -> bool {
        let Taken { head, arrival, .. } = packet;
        if head.count == 0 {
            return packet.stray;
        }
        let is_told = packet.refutable && (self.doubtful_upto..self.next).contains(&head.seq);
        let payload = &packet.bytes[..packet.len];
        is_told && matches!(self.tell(head, payload, *arrival, out), Told::Otherwise(_))
    }

    /// Whether something is missing of which more than one packet tells.
    pub(super) fn has_known_hole(&self) -> bool {
        self.has_hole() && self.deadline != NEVER
    }

    /// Gives up every hole: the input is over, and nothing will contradict what was claimed last.
    pub fn finish(&mut self, out: &mut impl Deliver) {
        let jumped = self.doubt.is_open() && self.doubt.claim() == Claim::Jump && self.doubt.evidence() > 1;
        if (self.session.is_none() && self.doubt.is_open()) || jumped {
            self.believe(self.doubt.opening().1, out);
        }
        self.give_up_all(out);
        if self.end.is_open() {
            self.conclude(out);
        }
        self.refute(self.doubt.opening().1, out);
        self.judge_contradiction(NEVER, out);
    }

    /// Gives up every hole and delivers what waits, as far as there is room: what is left is lost.
    pub(super) fn give_up_all(&mut self, out: &mut impl Deliver) {
        self.stats.stray_jumps += self.waiting.drop_strays();
        while let Some((_, arrival)) = self.waiting.first() {
            if out.has_room() {
                self.give_up(out);
                continue;
            }
            let last = self.waiting.last_next().unwrap_or(self.next);
            self.waiting.clear();
            self.open_hole(last, arrival, out);
            self.end_recovery(arrival, out);
        }
    }

    /// When the first hole is to be given up, or asked for: never, as long as one packet alone tells of it. That is also when a packet
    /// that is in doubt has its turn.
    fn due(&self) -> UnixNanos {
        let timeout = self.config.timeout;
        // What a server brought is never contradicted.
        let last = |line: u8| self.line_last.get(usize::from(line)).copied().unwrap_or(u64::MAX);
        let known = self.waiting.known_since(self.next, last).map_or(NEVER, |since| since.plus(timeout));
        let Some(line) = self.waiting.overtaking(self.next) else { return known };
        // A line that is alone brings no packet that it brought early again, and nobody else does.
        let Some(at) = self.line_at.get(usize::from(line)) else { return known };
        let is_alone = self.lines(*at) & !(1 << line) == 0;
        if is_alone { known.min(at.plus(timeout)) } else { known }
    }

    /// Keeps a packet that begins behind a hole. `skipped`: its line had not brought what comes before it.
    #[cold]
    pub(super) fn hold(
        &mut self,
        head: &Head,
        payload: &[u8],
        arrival: Arrival,
        skipped: bool,
        out: &mut impl Deliver,
    ) {
        let before = self.line_before;
        if self.waiting.has(head, payload, arrival, |seq| before < seq) {
            self.stats.duplicates += u64::from(head.count);
            // What is due can become no more so: all that waits need not be walked.
            if !self.is_due(arrival.at) {
                self.deadline = self.deadline.min(self.due());
            }
            self.deliver_waiting(0, out);
            return;
        }
        self.stats.reordered += 1;
        if !self.waiting.fits(payload.len()) {
            self.give_up_before(head.seq, arrival, out);
            self.deliver(head, payload, arrival, out);
            self.deliver_waiting(0, out);
            return;
        }
        if self.waiting.is_full() {
            self.give_up(out);
            if head.seq <= self.next {
                self.deliver(head, payload, arrival, out);
                self.deliver_waiting(0, out);
                return;
            }
        }
        self.waiting.put(head, payload, arrival, skipped);
        if self.waiting.len() <= 2 || self.deadline == NEVER {
            // Packets come in the order of their times: those after the second change nothing.
            self.deadline = self.due();
        }
        // It may have told that one whose turn it was is so.
        self.deliver_waiting(0, out);
    }

    /// Gives up the hole before the first waiting packet and delivers what follows it, one packet even without room.
    #[cold]
    fn give_up(&mut self, out: &mut impl Deliver) {
        let Some((seq, arrival)) = self.waiting.first() else { return };
        self.open_hole(seq, arrival, out);
        self.deliver_waiting(1, out);
    }

    /// Gives up every hole before `seq`.
    pub(super) fn give_up_before(&mut self, seq: u64, arrival: Arrival, out: &mut impl Deliver) {
        while self.waiting.first_seq().is_some_and(|first| first <= seq) {
            self.give_up(out);
        }
        self.open_hole(seq, arrival, out);
    }

    /// Counts what is missing before `seq` and moves on to it.
    fn open_hole(&mut self, seq: u64, arrival: Arrival, out: &mut impl Deliver) {
        if seq <= self.next {
            return;
        }
        let hole = Hole { first: self.next, count: seq - self.next };
        self.remember(hole);
        self.stats.gaps += 1;
        self.stats.recovery.failed += u64::from(self.recovery.is_some());
        self.stats.missing = self.stats.missing.saturating_add(hole.count);
        self.stats.last_seq = seq - 1;
        self.next = seq;
        out.hole(hole, arrival);
    }

    fn remember(&mut self, hole: Hole) {
        if self.holes.len() < HOLES_REMEMBERED {
            self.holes.push(hole);
        } else {
            self.holes[self.oldest_hole] = hole;
            self.oldest_hole = (self.oldest_hole + 1) % HOLES_REMEMBERED;
        }
    }

    /// Delivers waiting packets for as long as they are next and there is room, and `at_least` so many if they are next. One that did not
    /// come in its line's order, and that nothing else speaks for, waits on for the real one of its number, or until it is known that
    /// there is none: it is dropped when what was delivered says something else.
    #[cold]
    pub(super) fn deliver_waiting(&mut self, at_least: usize, out: &mut impl Deliver) {
        let mut taken = 0;
        let mut last = Arrival::default();
        while taken < at_least || out.has_room() {
            let passed = |line, next| others_passed(&self.line_next, &self.line_at, self.revived, line, next);
            let Some(packet) = self.waiting.take(self.next, taken < at_least, passed) else { break };
            taken += 1;
            last = packet.arrival;
            let payload = &packet.bytes[..packet.len];
            if self.is_refuted(&packet, out) {
                self.stats.stray_jumps += 1;
            } else {
                if packet.doubtful && packet.head.next_seq() > self.next {
                    self.doubtful_upto = packet.head.next_seq();
                }
                self.deliver(&packet.head, payload, packet.arrival, out);
                self.hear_others(&packet.head, payload, packet.arrival, packet.others, out);
            }
            self.waiting.give_back(packet);
        }
        if taken == 0 && (self.deadline != NEVER || !self.has_turn()) {
            return;
        }
        self.deadline = self.due();
        if taken == 0 {
            return;
        }
        if self.deadline == NEVER {
            self.end_recovery(last, out);
        }
        self.settle_doubt(last, out);
    }
}

/// Whether every line that lives, but for `line` and those of which nothing but the newest packet says so, has come to the number `next`.
fn others_passed(
    line_next: &[u64; LINES_MAX],
    line_at: &[UnixNanos; LINES_MAX],
    revived: u8,
    line: u8,
    next: u64,
) -> bool {
    let now = line_at.iter().copied().max().unwrap_or_default();
    let others = living(line_next, line_at, now) & !revived & !1_u8.checked_shl(line.into()).unwrap_or(0);
    (0..LINES_MAX).filter(|other| others & 1 << other != 0).all(|other| line_next[other] >= next)
}
