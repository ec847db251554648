//! Packets that would change everything, kept until others confirm them or the session goes on without them.

use types::UnixNanos;

use super::contract::{Arrival, LINES_MAX};
use crate::session::{Head, SessionId};

/// Packets of one claim that are kept.
const KEPT: usize = 64;

/// A packet, copied.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) head: Head,
    pub(super) arrival: Arrival,
    /// Other lines that brought it, a bit each.
    pub(super) others: u8,
    pub(super) len: usize,
    pub(super) bytes: Box<[u8]>,
}

impl Slot {
    const BLANK: Head =
        Head { session: SessionId([0; 10]), seq: 0, count: 0, end: false, sent: UnixNanos(0) };

    /// Room for a packet of `bytes`.
    pub(super) fn new(bytes: usize) -> Self {
        Self {
            head: Self::BLANK,
            arrival: Arrival::default(),
            others: 0,
            len: 0,
            bytes: vec![0; bytes].into_boxed_slice(),
        }
    }

    /// Copies a packet that fits.
    pub(super) fn fill(&mut self, head: &Head, payload: &[u8], arrival: Arrival) {
        self.head = *head;
        self.arrival = arrival;
        self.others = 0;
        self.len = payload.len();
        self.bytes[..payload.len()].copy_from_slice(payload);
    }

    /// A line brought it once more.
    pub(super) fn hear(&mut self, line: u8) {
        if line != self.arrival.line {
            self.others |= 1 << (usize::from(line) % LINES_MAX);
        }
    }
}

/// What a packet claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Claim {
    /// Another session runs.
    Session,
    /// The sequence is far ahead.
    Jump,
    /// The sequence began again.
    Restart,
}

/// A claim that was not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refuted {
    pub(super) claim: Claim,
    /// Packets that made it.
    pub(super) packets: u32,
}

/// Packets of a line that are not kept, and the messages in them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Unkept {
    pub(super) packets: u64,
    pub(super) messages: u64,
}

/// The claim that stands, if one does, and the packets that make it.
#[derive(Debug)]
pub(super) struct Doubt {
    claim: Claim,
    session: SessionId,
    /// Its first packet.
    opening: (Head, Arrival),
    /// How its second packet arrived: one alone may be a stray.
    second: Option<Arrival>,
    /// Lowest and next sequence number of its packets.
    first: u64,
    next: u64,
    packets: u32,
    /// Those among them that bring messages which no other brings: copies of one packet are one piece of evidence, and one without
    /// messages is none.
    evidence: u32,
    /// Lines that brought some, a bit each.
    lines: u8,
    /// Copies that each line brought.
    copies: [Unkept; LINES_MAX],
    /// Packets of each line for which there was no room.
    beyond: [Unkept; LINES_MAX],
    /// Sequence numbers of its packets, each once, as far as there is room.
    seen: Vec<u64>,
    kept: Vec<Slot>,
    kept_count: usize,
}

const _: () = assert!(LINES_MAX <= 8, "a line is a bit of a byte");

impl Doubt {
    /// No claim. All memory is taken here.
    pub(super) fn new(slot_bytes: usize) -> Self {
        Self {
            claim: Claim::Session,
            session: SessionId::default(),
            opening: (Slot::BLANK, Arrival::default()),
            second: None,
            first: 0,
            next: 0,
            packets: 0,
            evidence: 0,
            lines: 0,
            copies: [Unkept::default(); LINES_MAX],
            beyond: [Unkept::default(); LINES_MAX],
            seen: Vec::with_capacity(KEPT),
            kept: (0..KEPT).map(|_| Slot::new(slot_bytes)).collect(),
            kept_count: 0,
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.packets > 0
    }

    pub(super) fn claim(&self) -> Claim {
        self.claim
    }

    /// Whether the claim that stands is about this session.
    pub(super) fn is_about(&self, session: SessionId) -> bool {
        self.is_open() && self.session == session
    }

    /// The first packet of the claim.
    pub(super) fn opening(&self) -> (Head, Arrival) {
        self.opening
    }

    /// When and how a second packet said so.
    pub(super) fn seconded(&self) -> Option<Arrival> {
        self.second
    }

    /// The lowest sequence number claimed.
    pub(super) fn first(&self) -> u64 {
        self.first
    }

    /// Takes a packet in: as one more of the claim that stands, or as the first of another, and says which fell.
    pub(super) fn add(
        &mut self,
        claim: Claim,
        head: &Head,
        payload: &[u8],
        arrival: Arrival,
        jump_max: u64,
    ) -> Option<Refuted> {
        let near =
            head.seq <= self.next.saturating_add(jump_max) && head.seq.saturating_add(jump_max) >= self.first;
        let fits = self.is_open() && self.claim == claim && self.session == head.session && near;
        let fallen = if fits { None } else { self.refute() };
        if !fits {
            self.claim = claim;
            self.session = head.session;
            self.first = head.seq;
            self.next = head.next_seq();
            self.opening = (*head, arrival);
        }
        self.first = self.first.min(head.seq);
        self.next = self.next.max(head.next_seq());
        self.packets = self.packets.saturating_add(1);
        if self.packets > 1 {
            self.second.get_or_insert(arrival);
        }
        let line = usize::from(arrival.line) % LINES_MAX;
        self.lines |= 1 << line;
        if self.hears_again(head, payload, arrival.line) {
            self.copies[line].add(head);
            return fallen;
        }
        // One that says something else under the number of another is no evidence, and is kept: it contradicts that one.
        if !self.seen.contains(&head.seq) {
            self.evidence = self.evidence.saturating_add(u32::from(head.count > 0));
            if self.seen.len() < KEPT {
                self.seen.push(head.seq);
            }
        }
        if self.kept_count < KEPT && payload.len() <= self.kept[self.kept_count].bytes.len() {
            self.kept[self.kept_count].fill(head, payload, arrival);
            self.kept_count += 1;
        } else {
            self.beyond[line].add(head);
        }
        fallen
    }

    /// Whether a packet is one that is kept, once more; of one that found no room the number alone tells.
    fn hears_again(&mut self, head: &Head, payload: &[u8], line: u8) -> bool {
        let kept = &mut self.kept[..self.kept_count];
        let mut of_number = kept.iter_mut().filter(|kept| kept.head.seq == head.seq).peekable();
        if of_number.peek().is_none() {
            return self.seen.contains(&head.seq);
        }
        let same = of_number.find(|kept| kept.head.count == head.count && kept.bytes[..kept.len] == *payload);
        same.map(|kept| kept.hear(line)).is_some()
    }

    /// Whether a packet of a line that makes the claim goes on exactly where it stands.
    pub(super) fn goes_on_with(&self, head: &Head, arrival: Arrival) -> bool {
        self.is_about(head.session)
            && head.seq == self.next
            && self.lines & 1 << (usize::from(arrival.line) % LINES_MAX) != 0
    }

    /// Whether enough packets make the claim, each with messages of its own, and every one of `lines` brought some of them.
    pub(super) fn is_confirmed(&self, packets: u32, lines: u8) -> bool {
        self.evidence >= packets && self.lines & lines == lines
    }

    /// Lines that brought packets of the claim, a bit each.
    pub(super) fn lines(&self) -> u8 {
        self.lines
    }

    /// Copies that each line brought, and packets for which there was no room.
    pub(super) fn unkept(&self) -> [[Unkept; LINES_MAX]; 2] {
        [self.copies, self.beyond]
    }

    /// Packets that make the claim, with messages or without.
    pub(super) fn packets(&self) -> u32 {
        self.packets
    }

    /// Packets of the claim with messages of their own.
    pub(super) fn evidence(&self) -> u32 {
        self.evidence
    }

    /// Ends the claim: it fell. Nothing when none stood.
    pub(super) fn refute(&mut self) -> Option<Refuted> {
        let refuted = self.is_open().then_some(Refuted { claim: self.claim, packets: self.packets });
        self.packets = 0;
        self.second = None;
        self.evidence = 0;
        self.lines = 0;
        self.copies = [Unkept::default(); LINES_MAX];
        self.beyond = [Unkept::default(); LINES_MAX];
        self.kept_count = 0;
        self.seen.clear();
        refuted
    }

    /// Ends the claim: it holds. Gives the packets that made it, to be given back with [`Doubt::give_back`].
    pub(super) fn take(&mut self) -> (Vec<Slot>, usize) {
        let count = self.kept_count;
        self.refute();
        (std::mem::take(&mut self.kept), count)
    }

    /// Takes the memory of what was taken back.
    pub(super) fn give_back(&mut self, kept: Vec<Slot>) {
        self.kept = kept;
    }
}

impl Unkept {
    fn add(&mut self, head: &Head) {
        self.packets += 1;
        self.messages += u64::from(head.count);
    }
}

/// The end of the session, claimed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct EndClaim {
    lines: u8,
    packets: u32,
    arrival: Arrival,
}

impl EndClaim {
    pub(super) fn is_open(&self) -> bool {
        self.packets > 0
    }

    /// Arrival of the first packet that made it.
    pub(super) fn arrival(&self) -> Arrival {
        self.arrival
    }

    pub(super) fn add(&mut self, arrival: Arrival) {
        if !self.is_open() {
            self.arrival = arrival;
        }
        self.packets = self.packets.saturating_add(1);
        self.lines |= 1 << (usize::from(arrival.line) % LINES_MAX);
    }

    /// Whether every one of `lines` says so: once where there are several, `packets` times where there is one.
    pub(super) fn is_confirmed(&self, packets: u32, lines: u8) -> bool {
        self.lines & lines == lines && (lines.count_ones() > 1 || self.packets >= packets)
    }
}

/// What says that a session goes on after its end was believed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct GoingOn {
    /// What was next when the session ended.
    pub(super) from: u64,
    /// Lines that brought messages of after that, a bit each.
    pub(super) lines: u8,
    /// Packets with messages that were next.
    pub(super) packets: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    const JUMP_MAX: u64 = 1_000;

    fn from(line: u8, at: u64) -> Arrival {
        Arrival { at: UnixNanos(at), ts_recv: UnixNanos(at), line, offset: 0 }
    }

    fn head(session: u8, seq: u64, count: u16) -> Head {
        Head { session: SessionId([session; 10]), seq, count, end: false, sent: UnixNanos(0) }
    }

    /// What fell when a packet of `session` claims this after one of session 1 claimed a jump to 10,000.
    fn falls(claim: Claim, session: u8, seq: u64) -> bool {
        let mut doubt = Doubt::new(8);
        assert_eq!(doubt.add(Claim::Jump, &head(1, 10_000, 1), b"a", from(0, 1), JUMP_MAX), None);
        let fallen = doubt.add(claim, &head(session, seq, 1), b"b", from(0, 2), JUMP_MAX);
        assert!(fallen.is_none_or(|fallen| fallen == Refuted { claim: Claim::Jump, packets: 1 }));
        assert_eq!(doubt.packets(), if fallen.is_some() { 1 } else { 2 });
        fallen.is_some()
    }

    #[test]
    fn a_claim_falls_with_one_of_another_kind_session_or_place() {
        assert!(!falls(Claim::Jump, 1, 10_001) && !falls(Claim::Jump, 1, 9_999));
        assert!(falls(Claim::Restart, 1, 10_001) && falls(Claim::Session, 1, 10_001));
        assert!(falls(Claim::Jump, 2, 10_001));
        // It ends with 10,001.
        assert!(!falls(Claim::Jump, 1, 11_001) && falls(Claim::Jump, 1, 11_002));
        assert!(!falls(Claim::Jump, 1, 9_000) && falls(Claim::Jump, 1, 8_999));
    }

    #[test]
    fn the_lowest_number_of_a_claim_is_its_first_and_what_opened_it_stays() {
        let mut doubt = Doubt::new(8);
        assert!(!doubt.is_open() && !doubt.is_about(SessionId::default()));
        for (n, seq) in [500, 400, 450].into_iter().enumerate() {
            doubt.add(Claim::Session, &head(7, seq, 1), b"x", from(n as u8, n as u64), JUMP_MAX);
        }
        assert!(doubt.is_about(SessionId([7; 10])) && !doubt.is_about(SessionId([8; 10])));
        assert_eq!((doubt.first(), doubt.opening()), (400, (head(7, 500, 1), from(0, 0))));
        assert_eq!((doubt.lines(), doubt.packets(), doubt.evidence()), (0b111, 3, 3));
        assert!(
            doubt.is_confirmed(3, 0b101) && !doubt.is_confirmed(4, 0b101) && !doubt.is_confirmed(3, 0b1001)
        );
        assert_eq!(doubt.refute(), Some(Refuted { claim: Claim::Session, packets: 3 }));
        assert_eq!((doubt.refute(), doubt.lines(), doubt.evidence()), (None, 0, 0));
    }

    #[test]
    fn a_copy_and_a_packet_without_messages_are_no_evidence() {
        let mut doubt = Doubt::new(8);
        for (line, seq, count) in [(0, 500, 4), (1, 500, 4), (1, 500, 4), (0, 504, 0)] {
            doubt.add(Claim::Session, &head(7, seq, count), b"x", from(line, 0), JUMP_MAX);
        }
        assert_eq!((doubt.packets(), doubt.evidence()), (4, 1));
        let [copies, beyond] = doubt.unkept().map(|each| each.map(|line| (line.packets, line.messages)));
        assert_eq!((&copies[..3], beyond[0]), (&[(0, 0), (2, 8), (0, 0)][..], (0, 0)));
        assert_eq!(doubt.take().1, 2, "a copy is not kept");
    }

    #[test]
    fn what_is_kept_of_a_claim_is_bounded() {
        let mut doubt = Doubt::new(8);
        for seq in 0..2 * KEPT as u64 {
            doubt.add(Claim::Session, &head(7, 500 + seq, 1), b"12345678", from(0, 0), JUMP_MAX);
        }
        assert_eq!((doubt.seen.len(), doubt.evidence()), (KEPT, 2 * KEPT as u32));
        let (kept, count) = doubt.take();
        assert_eq!((kept.len(), count), (KEPT, KEPT));
        doubt.give_back(kept);
        doubt.add(Claim::Session, &head(7, 1, 1), b"123456789", from(0, 0), JUMP_MAX);
        assert_eq!(doubt.take().1, 0, "longer than a slot");
    }

    #[test]
    fn an_end_is_said_by_every_line_or_often_enough_by_one() {
        let said = |lines: &[u8], needed| {
            let mut end = EndClaim::default();
            lines.iter().zip(5..).for_each(|(line, at)| end.add(from(*line, at)));
            assert_eq!(end.arrival(), if lines.is_empty() { Arrival::default() } else { from(lines[0], 5) });
            end.is_confirmed(3, needed)
        };
        assert!(said(&[0, 1], 0b11) && said(&[1, 0], 0b11), "once each");
        assert!(!said(&[0, 0, 0, 0], 0b11), "one of two");
        assert!(!said(&[0, 0], 0b1) && said(&[0, 0, 0], 0b1), "alone, three times");
        assert!(!said(&[], 0), "where no line lives, one must have said so all the same");
    }
}
