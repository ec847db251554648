//! The stamps of a capture: one that is far from those around it is counted, and not followed.
//!
//! A stamp that leaps ahead may be a silence or a mistake, as the first of a capture may, and only the packets behind it tell: until
//! enough of them are there, they all wait here. Those are believed that agree with most of the others on an order of time. A replay's
//! clock would otherwise run ahead of every order between, and never come back.

use std::collections::VecDeque;

use types::UnixNanos;

use crate::source::{Layer, Packet};

/// A stamp further ahead of the one before than this waits for others; one further behind is a mistake.
const LEAP_NS: u64 = 1_000_000_000;
/// Bytes of a packet that can wait: the largest IPv4 packet behind any link header we read.
const PACKET_BYTES_MAX: usize = 65_535 + 64;
/// Packets that wait at most, of [`PACKET_BYTES_MAX`] bytes in all: among so many, fewer than half may be mistaken.
pub(super) const HELD_MAX: usize = 8;

/// A packet that waits for others.
#[derive(Debug)]
struct Held {
    bytes: Vec<u8>,
    ts: UnixNanos,
    layer: Layer,
    offset: u64,
}

/// Judges the stamps of a recording.
#[derive(Debug, Default)]
pub(super) struct StampGuard {
    /// The latest stamp believed; zero before the first.
    last: UnixNanos,
    held: VecDeque<Held>,
    held_bytes: usize,
    /// The memory of packets that waited.
    spare: Vec<Vec<u8>>,
    outliers: u64,
}

/// Whether a stamp may come after another, as lines that were recorded side by side are a little out of order.
fn may_follow(ts: UnixNanos, before: UnixNanos) -> bool {
    ts.0.saturating_add(LEAP_NS) >= before.0
}

impl StampGuard {
    /// Nothing seen yet. All memory is taken here.
    pub(super) fn new() -> Self {
        Self {
            held: VecDeque::with_capacity(HELD_MAX),
            spare: (0..HELD_MAX).map(|_| Vec::with_capacity(PACKET_BYTES_MAX)).collect(),
            ..Self::default()
        }
    }

    /// Stamps that were not believed.
    pub(super) fn outliers(&self) -> u64 {
        self.outliers
    }

    /// Whether the stamp follows the one before as most do, and nothing waits. Takes note of it then.
    #[inline]
    pub(super) fn is_plain(&mut self, ts: UnixNanos) -> bool {
        let plain = ts.0.wrapping_sub(self.last.0) <= LEAP_NS && self.held.is_empty();
        if plain {
            self.last = ts;
        }
        plain
    }

    /// Takes a packet whose stamp is not plain, or behind which others wait, and gives those to `deliver` of which it is known when
    /// they came.
    #[cold]
    pub(super) fn take(&mut self, packet: &Packet<'_>, mut deliver: impl FnMut(&Packet<'_>)) {
        while !self.held.is_empty() && self.held_bytes + packet.bytes.len() > PACKET_BYTES_MAX {
            self.decide(&mut deliver);
        }
        let mut bytes = self.spare.pop().unwrap_or_default();
        bytes.clear();
        bytes.extend_from_slice(packet.bytes);
        self.held_bytes += bytes.len();
        self.held.push_back(Held { bytes, ts: packet.ts, layer: packet.layer, offset: packet.offset });
        self.deliver_plain(&mut deliver);
        if self.held.len() == HELD_MAX {
            self.decide(&mut deliver);
            self.deliver_plain(&mut deliver);
        }
    }

    /// Gives the packets that wait to `deliver`: none will come that could tell more.
    #[cold]
    pub(super) fn release(&mut self, mut deliver: impl FnMut(&Packet<'_>)) {
        while !self.held.is_empty() {
            self.decide(&mut deliver);
        }
    }

    /// Delivers the first packets that wait for as long as it needs no others to tell when they came.
    fn deliver_plain(&mut self, deliver: &mut impl FnMut(&Packet<'_>)) {
        while let Some(first) = self.held.front().filter(|_| self.last.0 != 0) {
            let (ts, last) = (first.ts, self.last);
            if ts.0 > last.0.saturating_add(LEAP_NS) {
                return;
            }
            let behind = !may_follow(ts, last);
            self.deliver_first(if behind { last } else { ts }, behind, deliver);
        }
    }

    /// Delivers the first packet that waits: when its stamp says, if it agrees with most of the others.
    fn decide(&mut self, deliver: &mut impl FnMut(&Packet<'_>)) {
        // By packet: how many agree on an order of time that begins with it, and when that begins.
        let mut orders = [(0_usize, UnixNanos(0)); HELD_MAX];
        for (at, held) in self.held.iter().enumerate().rev() {
            if self.last.0 == 0 || may_follow(held.ts, self.last) {
                let behind = self.held.iter().zip(&orders).skip(at + 1);
                let most =
                    behind.filter(|(other, _)| may_follow(other.ts, held.ts)).map(|(_, order)| order.0);
                orders[at] = (1 + most.max().unwrap_or(0), held.ts);
            }
        }
        let [first, others @ ..] = &orders;
        // Of two that are as good the earlier: time that runs ahead never comes back.
        let (most, begins) = others.iter().fold((0, self.last), |best, other| {
            let is_better = other.0 > best.0 || (other.0 == best.0 && other.0 > 0 && other.1 < best.1);
            if is_better { *other } else { best }
        });
        let agrees = first.0 > most;
        let ts = match (agrees, self.last.0) {
            (true, _) => first.1,
            (false, 0) => begins,
            (false, _) => self.last,
        };
        self.deliver_first(ts, !agrees, deliver);
    }

    /// Delivers the first packet that waits at `ts`.
    fn deliver_first(&mut self, ts: UnixNanos, is_outlier: bool, deliver: &mut impl FnMut(&Packet<'_>)) {
        let Some(Held { bytes, layer, offset, .. }) = self.held.pop_front() else { return };
        self.held_bytes -= bytes.len();
        self.outliers += u64::from(is_outlier);
        self.last = self.last.max(ts);
        deliver(&Packet { bytes: &bytes, ts, layer, offset });
        self.spare.push(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use wire::frame::LinkType;

    /// Which packets were read, and when; packets are told apart by their one byte.
    fn read(stamps: &[u64]) -> (Vec<(u8, u64)>, u64) {
        let mut guard = StampGuard::new();
        let mut got = Vec::new();
        for (n, &ts) in (0_u8..).zip(stamps) {
            let packet = Packet {
                bytes: &[n],
                ts: UnixNanos(ts * 1_000_000),
                layer: Layer::Frame(LinkType::Ethernet),
                offset: 0,
            };
            if guard.is_plain(packet.ts) {
                got.push((n, ts));
                continue;
            }
            guard.take(&packet, |held| got.push((held.bytes[0], held.ts.0 / 1_000_000)));
        }
        guard.release(|held| got.push((held.bytes[0], held.ts.0 / 1_000_000)));
        (got, guard.outliers())
    }

    #[test]
    fn a_silence_is_a_silence_and_a_leap_that_nothing_follows_is_a_mistake() {
        assert_eq!(read(&[5_000, 5_400, 9_000, 9_100]).0, [(0, 5_000), (1, 5_400), (2, 9_000), (3, 9_100)]);
        let (got, outliers) = read(&[5_000, 15_000, 5_200, 5_300]);
        assert_eq!(got, [(0, 5_000), (1, 5_000), (2, 5_200), (3, 5_300)]);
        assert_eq!(outliers, 1);
        // The last packet has none after it that could tell.
        assert_eq!(read(&[5_000, 15_000]), (vec![(0, 5_000), (1, 15_000)], 0));
        // Silence after silence.
        assert_eq!(read(&[5_000, 8_000, 11_000]).0, [(0, 5_000), (1, 8_000), (2, 11_000)]);
        let hours: Vec<u64> = (1..40).map(|n| n * 3_600_000).collect();
        let (got, outliers) = read(&hours);
        assert_eq!((got.iter().map(|(_, ts)| *ts).collect::<Vec<_>>(), outliers), (hours, 0));
    }

    #[test]
    fn a_stamp_far_behind_is_a_mistake_and_one_a_little_behind_is_not() {
        let (got, outliers) = read(&[5_000, 4_500, 5_100, 1_000, 5_200]);
        assert_eq!(got, [(0, 5_000), (1, 4_500), (2, 5_100), (3, 5_100), (4, 5_200)]);
        assert_eq!(outliers, 1);
    }

    #[test]
    fn the_first_stamps_of_a_capture_and_several_in_a_row_are_believed_when_most_agree() {
        let year = 365 * 86_400_000;
        for wrong in [&[year][..], &[year, year + 1], &[year, 9 * year], &[year + 5, year, year + 7]] {
            let right: Vec<u64> = (0..9).map(|n| 5_000 + 10 * n).collect();
            // Before all others, and behind the first three of them.
            for before in [0, 3] {
                let stamps = [&right[..before], wrong, &right[before..]].concat();
                let (got, outliers) = read(&stamps);
                let instead = vec![right[before.saturating_sub(1)]; wrong.len()];
                let wanted = [&right[..before], &instead, &right[before..]].concat();
                assert_eq!(
                    got.iter().map(|(_, ts)| *ts).collect::<Vec<_>>(),
                    wanted,
                    "{wrong:?} behind {before}"
                );
                assert_eq!(outliers, wrong.len() as u64, "{wrong:?} behind {before}");
            }
        }
        // At the end of a capture, too, as far as others are there to tell.
        assert_eq!(read(&[year, year + 1, 5_000, 5_001, 5_002]).1, 2);
        assert_eq!(read(&[year, 5_000]).0, [(0, 5_000), (1, 5_000)], "time that runs ahead never comes back");
    }

    proptest! {
        /// However many stamps are wrong: each packet comes once, in the order of the file, and time goes back by no more than lines may
        /// differ. Where most around each are right, those are believed.
        #[test]
        fn every_packet_comes_once_and_right_stamps_are_believed(
            draws in prop::collection::vec((0_u64..900, prop::bool::weighted(0.12), any::<u32>()), 1..120)
        ) {
            let mut now = 1_000_000_000;
            let (mut stamps, mut right) = (Vec::new(), Vec::new());
            for (step, is_wrong, by) in draws {
                now += step;
                stamps.push(if is_wrong { now + 2_000 + u64::from(by) } else { now });
                right.push(!is_wrong);
            }
            let (got, _) = read(&stamps);
            prop_assert_eq!(got.iter().map(|(n, _)| usize::from(*n)).collect::<Vec<_>>(), (0..stamps.len()).collect::<Vec<_>>());
            prop_assert!(got.windows(2).all(|pair| pair[1].1 + 1_000 >= pair[0].1));
            let most_are_right = |window: &[bool]| window.iter().filter(|right| !**right).count() < 4;
            if right.windows(HELD_MAX).all(most_are_right) && right.len() >= 2 * HELD_MAX {
                let whole = right.len() - HELD_MAX;
                for n in 0..whole {
                    prop_assert!(!right[n] || got[n].1 == stamps[n], "{n}: {got:?} of {stamps:?}");
                }
            }
        }
    }
}
