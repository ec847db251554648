//! What a line skipped, and may still bring.

use crate::session::Head;

/// Ranges of a line that are known: one for each packet that it brought too early, and more where it fills them with holes in between. Of
/// more than these the oldest stays counted, whatever the line brings.
const RANGES: usize = 4;

/// Numbers that a line has not brought although it brought a packet after them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Range {
    from: u64,
    to: u64,
    /// What follows the packet that was brought too early.
    next: u64,
}

/// The numbers that one line skipped, the oldest first.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Skips {
    ranges: [Range; RANGES],
    len: usize,
}

impl Skips {
    fn known(&self) -> &[Range] {
        &self.ranges[..self.len]
    }

    /// Takes in a packet of the line which is not the one `expected`. Gives how many messages it skipped, and how many it brought of those
    /// that it had skipped.
    #[cold]
    pub(super) fn note(&mut self, head: &Head, expected: u64) -> (u64, u64) {
        if expected == 0 {
            return (0, 0);
        }
        if head.seq > expected {
            self.add(Range { from: expected, to: head.seq, next: head.next_seq() });
            return (head.seq - expected, 0);
        }
        (0, self.fill(head.seq, head.next_seq()))
    }

    /// Messages that the line may still bring: it has not gone on beyond the packet that skipped them. `last` follows its last packet.
    pub(super) fn open(&self, last: u64) -> u64 {
        self.known().iter().filter(|range| last <= range.next).map(|range| range.to - range.from).sum()
    }

    fn add(&mut self, range: Range) {
        if self.len == RANGES {
            self.ranges.copy_within(1.., 0);
            self.len -= 1;
        }
        self.ranges[self.len] = range;
        self.len += 1;
    }

    /// The line brings the numbers from `first` up to `next`. Gives how many of them it had skipped.
    fn fill(&mut self, first: u64, next: u64) -> u64 {
        let before = *self;
        self.len = 0;
        let mut filled = 0;
        for &range in before.known() {
            let (from, to) = (first.clamp(range.from, range.to), next.clamp(range.from, range.to));
            filled += to - from;
            for left in [Range { to: from, ..range }, Range { from: to, ..range }] {
                if left.from < left.to && (from < to || left.from == range.from) {
                    self.add(left);
                }
            }
        }
        filled
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::SessionId;
    use proptest::prelude::*;
    use std::collections::BTreeSet;
    use types::UnixNanos;

    fn head(seq: u64, count: u16) -> Head {
        Head { session: SessionId([1; 10]), seq, count, end: false, sent: UnixNanos(0) }
    }

    /// What is missing, and open, after packets of a line: first number and count.
    fn missing(packets: &[(u64, u16)]) -> (u64, u64) {
        let (mut skips, mut missing, mut expected, mut last) = (Skips::default(), 0, 0, 0);
        for (seq, count) in packets {
            let head = head(*seq, *count);
            if *seq != expected {
                let (skipped, filled) = skips.note(&head, expected);
                missing = missing + skipped - filled;
            }
            (expected, last) = (expected.max(head.next_seq()), head.next_seq());
        }
        (missing, skips.open(last))
    }

    #[test]
    fn what_a_line_brings_later_is_not_missing() {
        for (packets, wanted) in [
            (&[(10, 1), (15, 1)][..], (4, 4)),
            (&[(10, 1), (15, 1), (16, 1)], (4, 0)),
            (&[(10, 1), (15, 0), (11, 1)], (3, 3)),
            (&[(10, 1), (15, 0), (11, 4), (15, 1)], (0, 0)),
            (&[(10, 1), (15, 1), (11, 2), (14, 1), (16, 1)], (1, 0)),
            // In the middle, across both ends, and what it had brought before.
            (&[(10, 1), (20, 1), (14, 2), (21, 1)], (7, 0)),
            (&[(10, 1), (20, 1), (8, 20)], (0, 0)),
            (&[(10, 1), (20, 1), (10, 1), (20, 1), (9, 2)], (9, 9)),
            (&[(10, 1), (12, 1), (14, 1), (13, 1), (11, 1), (15, 1)], (0, 0)),
            // The first of five ranges is forgotten, and stays counted.
            (&[(10, 1), (12, 1), (14, 1), (16, 1), (18, 1), (20, 1), (11, 1)], (5, 4)),
            (&[(10, 1), (12, 1), (14, 1), (16, 1), (18, 1), (20, 1), (13, 1)], (4, 3)),
        ] {
            assert_eq!(missing(packets), wanted, "{packets:?}");
        }
    }

    proptest! {
        /// With no more ranges than are known, it is exactly what the line has not brought.
        #[test]
        fn what_is_missing_is_what_a_line_has_not_brought(skips in prop::collection::vec((1_u64..30, 0_u16..4), 1..3), later in prop::collection::vec((0_u64..60, 0_u16..9), 0..2)) {
            let mut packets = vec![(100, 1)];
            let mut next = 101;
            for (skip, count) in skips {
                packets.push((next + skip, count));
                next += skip + u64::from(count);
            }
            packets.extend(later.into_iter().map(|(back, count)| (next.saturating_sub(back).max(1), count)));
            let highest = packets.iter().map(|(seq, count)| seq + u64::from(*count)).max().unwrap();
            let brought: BTreeSet<u64> = packets.iter().flat_map(|(seq, count)| *seq..seq + u64::from(*count)).collect();
            let wanted = (101..highest).filter(|seq| !brought.contains(seq)).count() as u64;
            prop_assert_eq!(missing(&packets).0, wanted);
        }
    }
}
