//! The stamps of a capture: one that is far from those around it is counted, and not followed.
//!
//! A stamp that leaps ahead may be a silence or a mistake, and only the next packet tells: until it comes, the packet waits
//! here. A replay's clock would otherwise run ahead of every order between.

use types::UnixNanos;

use crate::source::{Layer, Packet};

/// A stamp further ahead of the one before than this waits for the next; one further behind is a mistake.
const LEAP_NS: u64 = 1_000_000_000;
/// Bytes of a packet that can wait: the largest IPv4 packet behind any link header we read.
const PACKET_BYTES_MAX: usize = 65_535 + 64;

/// A packet that waits for the next.
#[derive(Debug)]
struct Held {
    bytes: Vec<u8>,
    ts: UnixNanos,
    layer: Layer,
    offset: u64,
}

/// What to do with a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stamp {
    /// Read it at this time.
    At(UnixNanos),
    /// It waits.
    Held,
}

/// Judges the stamps of a recording.
#[derive(Debug, Default)]
pub(super) struct StampGuard {
    /// The latest stamp believed; zero before the first.
    last: UnixNanos,
    held: Option<Held>,
    /// The memory of the packet that waited last.
    spare: Vec<u8>,
    outliers: u64,
}

impl StampGuard {
    /// Nothing seen yet. All memory is taken here.
    pub(super) fn new() -> Self {
        Self { spare: Vec::with_capacity(PACKET_BYTES_MAX), ..Self::default() }
    }

    /// Stamps that were not believed.
    pub(super) fn outliers(&self) -> u64 {
        self.outliers
    }

    /// Whether the stamp follows the one before as most do, and nothing waits. Takes note of it then.
    #[inline]
    pub(super) fn is_plain(&mut self, ts: UnixNanos) -> bool {
        let plain = ts.0.wrapping_sub(self.last.0) <= LEAP_NS && self.held.is_none();
        if plain {
            self.last = ts;
        }
        plain
    }

    /// Gives the packet that waited, if one did, to `deliver`: it is where its stamp says when the next one, at `next`, is
    /// not before it.
    #[cold]
    pub(super) fn release(&mut self, next: Option<UnixNanos>, deliver: impl FnOnce(&Packet<'_>)) {
        let Some(Held { bytes, ts, layer, offset }) = self.held.take() else { return };
        let agrees = next.is_none_or(|next| next.0.saturating_add(LEAP_NS) >= ts.0);
        if agrees {
            self.last = self.last.max(ts);
        } else {
            self.outliers += 1;
        }
        let ts = if agrees { ts } else { self.last };
        deliver(&Packet { bytes: &bytes, ts, layer, offset });
        self.spare = bytes;
    }

    /// What to do with a packet whose stamp is not plain, when nothing waits any more.
    #[cold]
    pub(super) fn judge(&mut self, packet: &Packet<'_>) -> Stamp {
        let (ts, last) = (packet.ts, self.last);
        if last.0 == 0 || ts.0.wrapping_sub(last.0) <= LEAP_NS {
            self.last = ts;
            return Stamp::At(ts);
        }
        if ts < last {
            // Lines that were recorded side by side are a little out of order.
            let slightly = last.0 - ts.0 <= LEAP_NS;
            self.outliers += u64::from(!slightly);
            return Stamp::At(if slightly { ts } else { last });
        }
        if packet.bytes.len() > PACKET_BYTES_MAX {
            self.last = ts;
            return Stamp::At(ts);
        }
        let mut bytes = std::mem::take(&mut self.spare);
        bytes.clear();
        bytes.extend_from_slice(packet.bytes);
        self.held = Some(Held { bytes, ts, layer: packet.layer, offset: packet.offset });
        Stamp::Held
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
            guard.release(Some(packet.ts), |held| got.push((held.bytes[0], held.ts.0 / 1_000_000)));
            if let Stamp::At(at) = guard.judge(&packet) {
                got.push((n, at.0 / 1_000_000));
            }
        }
        guard.release(None, |held| got.push((held.bytes[0], held.ts.0 / 1_000_000)));
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
    }

    #[test]
    fn a_stamp_far_behind_is_a_mistake_and_one_a_little_behind_is_not() {
        let (got, outliers) = read(&[5_000, 4_500, 5_100, 1_000, 5_200]);
        assert_eq!(got, [(0, 5_000), (1, 4_500), (2, 5_100), (3, 5_100), (4, 5_200)]);
        assert_eq!(outliers, 1);
    }
}
