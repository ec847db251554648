//! Early packets, in sequence, until what comes before them has come.

use std::collections::VecDeque;

use types::{Nanos, UnixNanos};

use super::contract::{Arrival, Hole};
use super::doubt::Slot;
use crate::session::Head;

/// How long one line must say the same of the sequence to be believed by itself: longer than any line is silent that lives, since all
/// send a heartbeat every second.
const REPEATED_FOR: Nanos = Nanos(1_500_000_000);
/// Packets of its own line that a packet overtakes in a network now and then.
const OVERTAKEN_FEW: u32 = 2;
/// Packets of its own line that no packet overtakes: before more of them it was none of that line.
const OVERTAKEN_MAX: u32 = 16;

/// What is asked of a packet that waits without looking at the packet.
#[derive(Clone, Copy, Debug)]
struct Early {
    seq: u64,
    next: u64,
    at: UnixNanos,
    line: u8,
    /// When another line brought it too, or its own much later again.
    supported: Option<UnixNanos>,
    /// Its line had not brought what comes before it.
    skipped: bool,
    /// Packets that its line brought afterwards although they come before it.
    below: u32,
    /// Its line has gone on beyond it.
    beyond: bool,
    index: usize,
}

impl Early {
    /// Whether nothing but the packet itself says that it is so, although it came before others of its line. `passed` says of a line
    /// whether all others that live have come to a number: they would have brought it, too, or another in its place.
    fn is_doubtful(&self, passed: impl Fn(u8, u64) -> bool) -> bool {
        if !self.skipped || self.supported.is_some() {
            return false;
        }
        let passed = || passed(self.line, self.next);
        if self.below == 0 { !self.beyond && !passed() } else { !self.beyond || !passed() }
    }

    /// Whether its line has gone on below it for more than `packets`, and nothing speaks for it.
    fn is_below(&self, packets: u32) -> bool {
        self.below > packets && !self.beyond && self.supported.is_none()
    }
}

/// A packet that is taken out; its memory is given back with [`Waiting::give_back`].
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) head: Head,
    pub(super) arrival: Arrival,
    pub(super) len: usize,
    pub(super) bytes: Box<[u8]>,
    /// Other lines that brought it, a bit each.
    pub(super) others: u8,
    /// Nothing but the packet itself says that it is so.
    pub(super) doubtful: bool,
    /// Nor did anything before others came to its number.
    pub(super) refutable: bool,
    /// Its line has gone on below it for more than a few packets, and nothing speaks for it.
    pub(super) stray: bool,
    index: usize,
}

/// The packets that wait.
#[derive(Debug)]
pub(super) struct Waiting {
    slots: Vec<Slot>,
    slot_bytes: usize,
    /// Slots in use, by sequence number.
    order: VecDeque<Early>,
    free: Vec<usize>,
}

impl Waiting {
    /// Nothing waits; at most `slots` packets of at most `slot_bytes` bytes will. All memory is taken here.
    pub(super) fn new(slots: usize, slot_bytes: usize) -> Self {
        Self {
            slots: (0..slots).map(|_| Slot::new(slot_bytes)).collect(),
            slot_bytes,
            order: VecDeque::with_capacity(slots),
            free: (0..slots).rev().collect(),
        }
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    pub(super) fn is_full(&self) -> bool {
        self.free.is_empty()
    }

    /// Whether a packet of so many bytes can ever wait.
    pub(super) fn fits(&self, bytes: usize) -> bool {
        !self.slots.is_empty() && bytes <= self.slot_bytes
    }

    /// Sequence number of the first packet, and how that arrived.
    pub(super) fn first(&self) -> Option<(u64, Arrival)> {
        self.order.front().map(|early| (early.seq, self.slots[early.index].arrival))
    }

    #[inline]
    pub(super) fn first_seq(&self) -> Option<u64> {
        self.order.front().map(|early| early.seq)
    }

    /// The sequence number that follows the last packet.
    pub(super) fn last_next(&self) -> Option<u64> {
        self.order.back().map(|early| early.next)
    }

    /// Since when two packets say that something is missing: one alone may be a stray. Copies on another line count, too; one whose
    /// line has gone on below it does not before it is next itself. `last_of` gives what followed a line's last packet.
    pub(super) fn known_since(&self, next: u64, last_of: impl Fn(u8) -> u64) -> Option<UnixNanos> {
        let (mut first, mut second) = (None, None);
        let holds = |early: &&Early| {
            early.supported.is_some() || last_of(early.line) >= early.next || early.seq <= next
        };
        for early in self.order.iter().filter(holds) {
            for at in std::iter::once(early.at).chain(early.supported) {
                match first {
                    Some(earliest) if at >= earliest => {
                        second = Some(second.map_or(at, |s: UnixNanos| s.min(at)));
                    }
                    _ => (first, second) = (Some(at), first),
                }
            }
        }
        second
    }

    /// What is missing from `next` on, up to the last packet.
    pub(super) fn missing(&self, next: u64) -> impl Iterator<Item = Hole> + '_ {
        let mut wanted = next;
        self.order.iter().filter_map(move |early| {
            let first = wanted;
            wanted = wanted.max(early.next);
            (early.seq > first).then(|| Hole { first, count: early.seq - first })
        })
    }

    /// Whether what waits already says what this early packet says. That supports it if it came on another line, or on its own one after
    /// so long that the line would have gone on below it if it were not so; `went_on` says that the line did.
    pub(super) fn has(
        &mut self,
        head: &Head,
        payload: &[u8],
        arrival: Arrival,
        went_on: impl Fn(u64) -> bool,
    ) -> bool {
        let slots = &self.slots;
        let known = if head.count == 0 {
            let says = |early: &&mut Early| early.next >= head.seq && slots[early.index].head.end >= head.end;
            self.order.back_mut().filter(says)
        } else {
            let from = self.order.partition_point(|early| early.seq < head.seq);
            let mut same = self.order.range_mut(from..).take_while(|early| early.seq == head.seq);
            same.find(|early| {
                let Slot { head: known, len, bytes, .. } = &slots[early.index];
                known == head && bytes[..*len] == *payload
            })
        };
        let Some(early) = known else { return false };
        if early.line != arrival.line {
            self.slots[early.index].hear(arrival.line);
        }
        if early.line == arrival.line && went_on(early.seq) {
            early.at = arrival.at;
        } else if early.line != arrival.line || arrival.at.since(early.at) >= REPEATED_FOR {
            early.supported.get_or_insert(arrival.at);
        }
        true
    }

    /// Packets that wait.
    pub(super) fn len(&self) -> usize {
        self.order.len()
    }

    /// A line has brought a packet: those of its packets that wait came before it, or too early.
    pub(super) fn goes_on(&mut self, head: &Head, line: u8) {
        for early in self.order.iter_mut().filter(|early| early.line == line) {
            if head.seq >= early.next {
                early.beyond = true;
            } else if head.next_seq() <= early.seq {
                early.below = early.below.saturating_add(1);
            }
        }
    }

    /// The line of the first packet, if that begins at or before `next` and may have overtaken a few of its line: so few that the network
    /// can have changed their order.
    pub(super) fn overtaking(&self, next: u64) -> Option<u8> {
        let first = self.order.front().filter(|early| early.seq <= next)?;
        let few = first.is_below(0) && !first.is_below(OVERTAKEN_FEW);
        few.then_some(first.line)
    }

    /// Keeps a packet that fits; false when every slot is in use. `skipped`: its line had not brought what comes before it.
    pub(super) fn put(&mut self, head: &Head, payload: &[u8], arrival: Arrival, skipped: bool) -> bool {
        let Some(index) = self.free.pop() else { return false };
        self.slots[index].fill(head, payload, arrival);
        let place = self.order.partition_point(|early| early.seq <= head.seq);
        let (seq, next, at, line) = (head.seq, head.next_seq(), arrival.at, arrival.line);
        let early = Early { seq, next, at, line, supported: None, skipped, below: 0, beyond: false, index };
        self.order.insert(place, early);
        true
    }

    /// Takes out the first packet that begins at or before `next` and is in no doubt, or holds nothing new. Where there is none, the one
    /// that is least in doubt: `at_any_rate`, or if two lines say that there is one of its number.
    pub(super) fn take(
        &mut self,
        next: u64,
        at_any_rate: bool,
        passed: impl Fn(u8, u64) -> bool,
    ) -> Option<Taken> {
        let of_turn = || self.order.iter().take_while(|early| early.seq <= next).enumerate();
        let mut pairs = of_turn().zip(of_turn().skip(1)).map(|((_, one), (_, other))| (one, other));
        let told_twice = pairs.any(|(one, other)| {
            one.seq == other.seq && one.line != other.line && one.next.min(other.next) > one.seq
        });
        // Of two lines that say different things under one number neither has passed it.
        let doubted = |early: &Early| early.is_doubtful(|line, next| !told_twice && passed(line, next));
        let sure = |(_, early): &(usize, &Early)| early.next <= next || !doubted(early);
        let any = at_any_rate || told_twice;
        let least = || of_turn().filter(|_| any).min_by_key(|(_, early)| early.below);
        let (at, early) = of_turn().find(sure).or_else(least)?;
        let (index, doubtful) = (early.index, doubted(early));
        let (refutable, stray) = (early.is_doubtful(|_, _| false), early.is_below(OVERTAKEN_FEW));
        self.order.remove(at);
        let Slot { head, arrival, others, len, bytes } = &mut self.slots[index];
        let (head, arrival, others, len) = (*head, *arrival, *others, *len);
        Some(Taken {
            head,
            arrival,
            len,
            bytes: std::mem::take(bytes),
            others,
            doubtful,
            refutable,
            stray,
            index,
        })
    }

    /// Forgets packets whose lines have gone on below them as no network changes the order of packets, with nothing that speaks for
    /// them. Gives how many they were.
    pub(super) fn drop_strays(&mut self) -> u64 {
        let before = self.order.len();
        let free = &mut self.free;
        self.order.retain(|early| {
            let stray = early.is_below(OVERTAKEN_MAX);
            if stray {
                free.push(early.index);
            }
            !stray
        });
        (before - self.order.len()) as u64
    }

    /// Takes the memory of a packet back.
    pub(super) fn give_back(&mut self, taken: Taken) {
        self.slots[taken.index].bytes = taken.bytes;
        self.free.push(taken.index);
    }

    /// Forgets all that waits.
    pub(super) fn clear(&mut self) {
        self.free.extend(self.order.drain(..).map(|early| early.index));
    }
}
