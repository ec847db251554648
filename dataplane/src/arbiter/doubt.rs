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
            len: 0,
            bytes: vec![0; bytes].into_boxed_slice(),
        }
    }

    /// Copies a packet that fits.
    pub(super) fn fill(&mut self, head: &Head, payload: &[u8], arrival: Arrival) {
        self.head = *head;
        self.arrival = arrival;
        self.len = payload.len();
        self.bytes[..payload.len()].copy_from_slice(payload);
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

/// Packets that were there before, and the messages in them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Copies {
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
    /// Lowest and next sequence number of its packets.
    first: u64,
    next: u64,
    packets: u32,
    /// Those among them that bring messages which no other brings: copies of one packet are one piece of evidence, and one without
    /// messages is none.
    evidence: u32,
    /// Lines that brought some, a bit each.
    lines: u8,
    /// Copies that each line brought, which are not kept, and the messages in them.
    copies: [Copies; LINES_MAX],
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
            first: 0,
            next: 0,
            packets: 0,
            evidence: 0,
            lines: 0,
            copies: [Copies::default(); LINES_MAX],
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
        let line = usize::from(arrival.line) % LINES_MAX;
        self.lines |= 1 << line;
        if self.seen.contains(&head.seq) {
            self.copies[line].packets += 1;
            self.copies[line].messages += u64::from(head.count);
            return fallen;
        }
        if self.seen.len() < KEPT {
            self.seen.push(head.seq);
        }
        self.evidence = self.evidence.saturating_add(u32::from(head.count > 0));
        if self.kept_count < KEPT && payload.len() <= self.kept[self.kept_count].bytes.len() {
            self.kept[self.kept_count].fill(head, payload, arrival);
            self.kept_count += 1;
        }
        fallen
    }

    /// Whether enough packets make the claim, each with messages of its own, and every one of `lines` brought some of them.
    pub(super) fn is_confirmed(&self, packets: u32, lines: u8) -> bool {
        self.evidence >= packets && self.lines & lines == lines
    }

    /// Lines that brought packets of the claim, a bit each.
    pub(super) fn lines(&self) -> u8 {
        self.lines
    }

    /// Copies that each line brought.
    pub(super) fn copies(&self) -> [Copies; LINES_MAX] {
        self.copies
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
        self.evidence = 0;
        self.lines = 0;
        self.copies = [Copies::default(); LINES_MAX];
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
