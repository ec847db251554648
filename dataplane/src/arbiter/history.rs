//! What was delivered last, to hold against it what is said under the same numbers afterwards.

use std::collections::VecDeque;

use super::contract::{Arrival, Deliver, LINES_MAX, NEVER};
use crate::session::{Head, Messages};
use types::UnixNanos;
use wire::WireError;

/// Bytes of packets that are kept: a few hundred packets, many more than lines are ever apart.
const BYTES: usize = 1 << 17;
/// Packets that are kept.
const PACKETS: usize = 2_048;

/// A packet that is kept.
#[derive(Clone, Copy, Debug)]
struct Entry {
    /// Its first message that was delivered, and what follows its last.
    from: u64,
    next: u64,
    /// Its own first number: the messages before `from` were delivered from another packet.
    seq: u64,
    start: usize,
    len: usize,
    /// The line that brought it, a bit.
    line: u16,
    /// Up to here another line has said the same.
    agreed: u64,
    /// Lines that said something else, a bit each.
    denied: u16,
}

impl Entry {
    /// A line says the same as was delivered of it from `seq` up to `next`.
    #[inline]
    fn agree(&mut self, seq: u64, next: u64, line: u8) {
        if self.line != bit(line) && seq <= self.agreed {
            self.agreed = self.agreed.max(next);
        }
    }
}

/// [`Entry::denied`] of a packet of which it was told that nobody knows whether it is so.
const DISPUTED: u16 = u16::MAX;

/// The bit of a line; servers share one.
fn bit(line: u8) -> u16 {
    1 << line.min(LINES_MAX as u8)
}

/// What is known of a packet that another one contradicts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Another line said the same as it did.
    Agreed,
    /// Nobody else has said anything of it.
    Alone,
    /// Two lines contradict it.
    Denied,
    /// It is in dispute already, or no longer kept.
    Over,
}

/// How a packet stands to what was delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// It says the same, as far as that is known.
    Same,
    /// It says something else than the packet whose first message that was delivered has this number.
    Otherwise(u64),
    /// It is of before everything that is kept.
    Before,
}

/// The packets delivered last.
#[derive(Debug)]
pub(super) struct History {
    bytes: Box<[u8]>,
    entries: VecDeque<Entry>,
    /// Where the next packet is written.
    at: usize,
    /// From here on everything delivered is kept.
    floor: u64,
}

impl History {
    /// Nothing yet. All memory is taken here.
    pub(super) fn new() -> Self {
        let bytes = vec![0; BYTES].into_boxed_slice();
        Self { bytes, entries: VecDeque::with_capacity(PACKETS), at: 0, floor: 0 }
    }

    /// The sequence begins with `seq`.
    pub(super) fn begin(&mut self, seq: u64) {
        self.entries.clear();
        self.at = 0;
        self.floor = seq;
    }

    /// Keeps a packet of which the messages from `from` on are delivered.
    #[inline]
    pub(super) fn keep(&mut self, head: &Head, payload: &[u8], from: u64, line: u8) {
        let len = payload.len();
        if len == 0 {
            return;
        }
        if len > BYTES {
            self.begin(head.next_seq());
            return;
        }
        if self.at + len > BYTES {
            self.forget(self.at, BYTES);
            self.at = 0;
        }
        let (start, end) = (self.at, self.at + len);
        self.forget(start, end);
        if self.entries.len() == PACKETS {
            self.forget_first();
        }
        self.bytes[start..end].copy_from_slice(payload);
        let (seq, next, line) = (head.seq, head.next_seq(), bit(line));
        self.entries.push_back(Entry { from, next, seq, start, len, line, agreed: from, denied: 0 });
        self.at = end;
    }

    /// Forgets the packets that stand in these bytes: the oldest there are.
    #[inline]
    fn forget(&mut self, start: usize, end: usize) {
        while self.entries.front().is_some_and(|first| first.start < end && first.start + first.len > start) {
            self.forget_first();
        }
    }

    fn forget_first(&mut self) {
        if let Some(first) = self.entries.pop_front() {
            self.floor = first.next;
        }
    }

    /// Where the packet stands that the message `seq` was delivered from.
    #[inline]
    fn place(&self, seq: u64) -> Option<usize> {
        let at = self.entries.partition_point(|entry| entry.from <= seq).checked_sub(1)?;
        (seq < self.entries.get(at)?.next).then_some(at)
    }

    fn find(&mut self, seq: u64) -> Option<&mut Entry> {
        self.place(seq).and_then(|at| self.entries.get_mut(at))
    }

    /// How a packet of `line` that begins before `next`, up to which everything was delivered or given up, stands to that. What it says,
    /// too, is agreed on if another line had brought it.
    #[inline]
    pub(super) fn tell(
        &mut self,
        head: &Head,
        payload: &[u8],
        next: u64,
        line: u8,
        out: &impl Deliver,
    ) -> Told {
        if head.seq < self.floor {
            return Told::Before;
        }
        let whole = |entry: &&mut Entry| entry.seq == head.seq && entry.next == head.next_seq();
        let at = self.place(head.seq);
        match at.and_then(|at| self.entries.get_mut(at)).filter(whole) {
            Some(entry) => {
                let was = &self.bytes[entry.start..entry.start + entry.len];
                if was != payload && differ(was, payload, out) {
                    return Told::Otherwise(entry.from);
                }
                entry.agree(entry.from, entry.next, line);
                Told::Same
            }
            None => self.hold_each(head, payload, next, line, out),
        }
    }

    /// Whether another line said the same as the packet whose first message that was delivered is `from`.
    pub(super) fn is_agreed(&self, from: u64) -> bool {
        let entry = self.place(from).and_then(|at| self.entries.get(at));
        entry.is_some_and(|entry| entry.agreed >= entry.next)
    }

    /// A line says something else than the packet whose first message that was delivered is `from`.
    pub(super) fn deny(&mut self, from: u64, line: u8) -> Standing {
        let Some(entry) = self.find(from).filter(|entry| entry.denied != DISPUTED) else {
            return Standing::Over;
        };
        entry.denied |= bit(line);
        if entry.denied.count_ones() > 1 {
            Standing::Denied
        } else if entry.agreed >= entry.next {
            Standing::Agreed
        } else {
            Standing::Alone
        }
    }

    /// Whether what was delivered under this number is kept, if it was.
    pub(super) fn knows(&self, seq: u64) -> bool {
        seq >= self.floor
    }

    /// Nobody knows whether this packet is so, and that was said.
    pub(super) fn dispute(&mut self, from: u64) {
        if let Some(entry) = self.find(from) {
            entry.denied = DISPUTED;
        }
    }

    /// A packet that is cut otherwise than those that were delivered: message by message.
    #[cold]
    fn hold_each(&mut self, head: &Head, payload: &[u8], next: u64, line: u8, out: &impl Deliver) -> Told {
        let Some(mut are) = out.messages(payload) else { return Told::Same };
        let (mut seq, end) = (head.seq, head.next_seq().min(next));
        // Packet by packet of those that were delivered, each read once.
        while seq < end {
            let Some(entry) = self.place(seq).and_then(|at| self.entries.get_mut(at)) else {
                are.next();
                seq += 1;
                continue;
            };
            let upto = entry.next.min(end);
            let [skip, count] =
                [seq - entry.seq, upto - seq].map(|n| usize::try_from(n).unwrap_or(usize::MAX));
            let were = out.messages(&self.bytes[entry.start..entry.start + entry.len]);
            let mut pairs = were.into_iter().flatten().skip(skip).zip(are.by_ref()).take(count);
            if pairs.any(|pair| matches!(pair, (Ok(was), Ok(is)) if was != is)) {
                return Told::Otherwise(entry.from);
            }
            entry.agree(seq, upto, line);
            seq = upto;
        }
        Told::Same
    }
}

/// Whether two packets of the same numbers whose bytes differ say different things: lines may differ in what is no message.
#[cold]
fn differ(was: &[u8], is: &[u8], out: &impl Deliver) -> bool {
    let (Some(were), Some(are)) = (out.messages(was), out.messages(is)) else { return true };
    said(were).ne(said(are))
}

/// The messages of a packet, up to what is none.
fn said<'p>(messages: Messages<'p>) -> impl Iterator<Item = Option<&'p [u8]>> {
    messages.take_while(|message| !matches!(message, Err(WireError::TrailingBytes { .. }))).map(Result::ok)
}

/// A packet that contradicts what was delivered, until others tell which of the two is so.
#[derive(Clone, Copy, Debug)]
pub(super) struct Contradiction {
    /// The first message that was delivered from the packet which it contradicts.
    pub(super) from: u64,
    pub(super) arrival: Arrival,
    /// Until when a copy of another line may tell: for ever where the line is alone.
    pub(super) deadline: UnixNanos,
}

impl Contradiction {
    /// Whether time alone decides it.
    #[inline]
    pub(super) fn is_timed(&self) -> bool {
        self.deadline != NEVER
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arbiter::{Arrival, Hole};
    use crate::session::{SessionId, Transport};
    use proptest::prelude::*;
    use types::UnixNanos;
    use wire::moldudp64::PacketBuilder;

    /// Knows MoldUDP64, or nothing.
    struct Out(Option<Transport>);

    impl Deliver for Out {
        fn packet(&mut self, _: &Head, _: &[u8], _: u16, _: Arrival) {}
        fn hole(&mut self, _: Hole, _: Arrival) {}
        fn heartbeat(&mut self, _: &Head, _: Arrival) {}
        fn session(&mut self, _: SessionId, _: bool, _: Arrival) {}
        fn end_of_session(&mut self, _: Arrival) {}
        fn messages<'p>(&self, payload: &'p [u8]) -> Option<Messages<'p>> {
            self.0?.messages(payload)
        }
    }

    /// A packet of one-byte messages.
    fn packet(seq: u64, messages: &[u8]) -> (Head, Vec<u8>) {
        let mut bytes = vec![0; 40 + 3 * messages.len()];
        let mut builder = PacketBuilder::new(&mut bytes, *b"SESSION001", seq).unwrap();
        assert!(messages.iter().all(|message| builder.push(&[*message])));
        let len = builder.finish();
        bytes.truncate(len);
        let count = u16::try_from(messages.len()).unwrap();
        (Head { session: SessionId::default(), seq, count, end: false, sent: UnixNanos(0) }, bytes)
    }

    #[test]
    fn another_word_under_a_known_number_is_found_however_packets_are_cut() {
        let mut history = History::new();
        history.begin(1);
        let out = Out(Some(Transport::MoldUdp64));
        for (head, bytes) in [packet(1, b"ab"), packet(3, b"cde")] {
            history.keep(&head, &bytes, head.seq, 0);
        }
        // One that had begun before what was next.
        let (head, bytes) = packet(5, b"efg");
        history.keep(&head, &bytes, 6, 0);
        let mut tell = |seq, messages: &[u8]| {
            let (head, bytes) = packet(seq, messages);
            history.tell(&head, &bytes, 8, 1, &out)
        };
        for (seq, said) in
            [(1, &b"ab"[..]), (3, b"cde"), (5, b"efg"), (1, b"abcdefg"), (2, b"b"), (6, b"fgh")]
        {
            assert_eq!(tell(seq, said), Told::Same, "{seq}");
        }
        for (seq, said) in
            [(1, &b"aX"[..]), (3, b"Xde"), (5, b"efX"), (1, b"abcdefX"), (2, b"X"), (6, b"fXh")]
        {
            assert!(matches!(tell(seq, said), Told::Otherwise(_)), "{seq}");
        }
        // Where messages cannot be told apart, whole packets of the same numbers can.
        let nothing = Out(None);
        let mut whole = |seq, said| {
            let (head, bytes) = packet(seq, said);
            history.tell(&head, &bytes, 8, 1, &nothing)
        };
        assert_eq!([whole(1, b"aX"), whole(1, b"abX")], [Told::Otherwise(1), Told::Same]);
    }

    /// CME numbers packets, and one of them may have a message more than another of its number.
    #[test]
    fn a_message_more_or_less_is_another_word() {
        // Sequence number, sending time, then each message behind its size of two bytes, that included.
        let packet = |messages: &[[u8; 12]]| {
            let mut bytes = vec![0; 12];
            bytes[0] = 1;
            messages.iter().for_each(|message| bytes.extend(message));
            bytes
        };
        let [first, second] = [1_u8, 2].map(|kind| [12, 0, 0, 0, kind, 0, 1, 0, 8, 0, kind, kind]);
        let (short, long) = (packet(&[first]), packet(&[first, second]));
        let head = Head { session: SessionId::default(), seq: 1, count: 1, end: false, sent: UnixNanos(0) };
        let out = Out(Some(Transport::Mdp3));
        for (kept, said) in [(&short, &long), (&long, &short)] {
            let mut history = History::new();
            history.begin(1);
            history.keep(&head, kept, 1, 0);
            assert_eq!(history.tell(&head, kept, 2, 1, &out), Told::Same);
            assert_eq!(history.tell(&head, said, 2, 1, &out), Told::Otherwise(1));
        }
    }

    #[test]
    fn what_is_no_message_may_differ() {
        let mut history = History::new();
        history.begin(1);
        let (head, bytes) = packet(1, b"ab");
        history.keep(&head, &bytes, 1, 0);
        let mut padded = bytes.clone();
        padded.push(0);
        assert_eq!(history.tell(&head, &padded, 3, 1, &Out(Some(Transport::MoldUdp64))), Told::Same);
    }

    #[test]
    fn what_is_written_over_is_all_that_is_forgotten() {
        let mut history = History::new();
        history.begin(1);
        // Whether each of the numbers asked for is known then.
        let mut keep = |seq, bytes: usize, asked: [u64; 2]| {
            let head = Head { session: SessionId::default(), seq, count: 1, end: false, sent: UnixNanos(0) };
            history.keep(&head, &vec![0; bytes], seq, 0);
            asked.map(|seq| history.knows(seq))
        };
        (1..=32).for_each(|seq| assert_eq!(keep(seq, BYTES / 32, [1, seq]), [true; 2], "to the byte"));
        assert_eq!(keep(33, BYTES / 32, [1, 2]), [false, true]);
        assert_eq!(keep(34, BYTES, [33, 34]), [false, true]);
        assert_eq!(keep(35, BYTES + 1, [34, 35]), [false; 2], "too long to be kept");
    }

    #[test]
    fn a_sequence_that_begins_is_held_against_nothing_of_before() {
        let mut history = History::new();
        history.begin(1);
        let (head, bytes) = packet(1, b"abc");
        history.keep(&head, &bytes, 1, 0);
        history.begin(2);
        assert!(!history.knows(1) && history.deny(2, 1) == Standing::Over);
    }

    #[test]
    fn what_was_given_up_is_held_against_nothing_and_what_lies_about_it_is() {
        let mut history = History::new();
        history.begin(1);
        for (head, bytes) in [packet(1, b"ab"), packet(4, b"de")] {
            history.keep(&head, &bytes, head.seq, 0);
        }
        assert_eq!(history.deny(3, 1), Standing::Over);
        for (said, told) in [
            (b"abcde", Told::Same),
            (b"abXde", Told::Same),
            (b"aXcde", Told::Otherwise(1)),
            (b"abcXe", Told::Otherwise(4)),
        ] {
            let (head, bytes) = packet(1, said);
            assert_eq!(history.tell(&head, &bytes, 6, 1, &Out(Some(Transport::MoldUdp64))), told);
        }
    }

    proptest! {
        /// Packets of any length, holes between them: the newest are known to the byte, those before are said to be forgotten.
        #[test]
        fn the_newest_packets_are_known(sizes in prop::collection::vec((1_usize..4_000, 0_u64..3), 1..200)) {
            let mut history = History::new();
            history.begin(1);
            let (mut next, mut all) = (1, Vec::new());
            for (n, (size, hole)) in sizes.into_iter().enumerate() {
                let payload = vec![n as u8; size];
                let head = Head { session: SessionId::default(), seq: next + hole, count: 1, end: false, sent: UnixNanos(0) };
                history.keep(&head, &payload, head.seq, 0);
                next = head.next_seq();
                all.push((head, payload));
            }
            let out = Out(None);
            let kept: usize = all.iter().rev().scan(0, |sum, (_, payload)| {
                *sum += payload.len();
                Some(*sum)
            }).take_while(|sum| *sum <= BYTES - 4_000).count();
            for (n, (head, payload)) in all.iter().rev().enumerate() {
                let told = history.tell(head, payload, next, 1, &out);
                prop_assert!(told == Told::Same || (n >= kept && told == Told::Before), "{n} of {kept}: {told:?}");
                let other = vec![255 - payload[0]; payload.len()];
                let told = history.tell(head, &other, next, 1, &out);
                prop_assert!(told == Told::Otherwise(head.seq) || (n >= kept && told == Told::Before), "{n} of {kept}: {told:?}");
            }
        }
    }
}
