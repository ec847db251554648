//! Faults for a sequence of packets: loss, duplication, reordering, a lagging line, truncation and corruption, seeded,
//! with a record of what was done so that a test can say what must be noticed.

use crate::feed::{Line, Packet};
use crate::random::Dice;

/// How often each fault strikes, as a probability per packet, and how hard.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct FaultConfig {
    /// Seed of all chance.
    pub seed: u64,
    /// The packet does not arrive.
    pub loss: f64,
    /// The packet arrives twice.
    pub duplication: f64,
    /// The packet arrives late, behind others of its line.
    pub reordering: f64,
    /// How late at most, nanoseconds.
    pub reordering_ns_max: u64,
    /// The packet loses its tail.
    pub truncation: f64,
    /// One bit of the packet is flipped.
    pub corruption: f64,
    /// Line B lags by this much, nanoseconds.
    pub skew_ns: u64,
}

/// What befell a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// It was lost.
    Lost,
    /// It came twice.
    Duplicated,
    /// It came late.
    Delayed {
        /// By how much, nanoseconds.
        by_ns: u64,
    },
    /// Its payload was cut.
    Truncated {
        /// Bytes left.
        len: usize,
    },
    /// A bit of its payload was flipped.
    Corrupted {
        /// Which byte.
        offset: usize,
        /// Which bit of it.
        bit: u8,
    },
}

/// One fault that was injected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Index of the packet in the sequence that went in.
    pub index: usize,
    /// Its line.
    pub line: Line,
    /// What befell it.
    pub kind: FaultKind,
}

/// Injects faults into packet sequences.
#[derive(Clone, Debug)]
pub struct FaultInjector {
    config: FaultConfig,
    dice: Dice,
}

impl FaultInjector {
    /// An injector; the same configuration does the same to the same packets.
    #[must_use]
    pub fn new(config: FaultConfig) -> Self {
        Self { config, dice: Dice::new(config.seed, 4) }
    }

    /// The packets as they arrive, in order of arrival, and what befell them. A packet suffers at most one fault beside
    /// the lag of its line.
    pub fn apply(&mut self, packets: &[Packet]) -> (Vec<Packet>, Vec<Fault>) {
        let mut arrived = Vec::with_capacity(packets.len());
        let mut faults = Vec::new();
        for (index, packet) in packets.iter().enumerate() {
            let mut packet = packet.clone();
            if packet.line == Line::B {
                packet.ts_ns += self.config.skew_ns;
            }
            let kind = self.draw(&packet);
            match kind {
                Some(FaultKind::Lost) => {}
                Some(FaultKind::Duplicated) => {
                    let mut copy = packet.clone();
                    copy.ts_ns += 1 + u64::from(self.dice.below(20_000));
                    arrived.extend([packet, copy]);
                }
                Some(FaultKind::Delayed { by_ns }) => {
                    packet.ts_ns += by_ns;
                    arrived.push(packet);
                }
                Some(FaultKind::Truncated { len }) => {
                    packet.payload.truncate(len);
                    arrived.push(packet);
                }
                Some(FaultKind::Corrupted { offset, bit }) => {
                    packet.payload[offset] ^= 1 << bit;
                    arrived.push(packet);
                }
                None => arrived.push(packet),
            }
            let line = packets[index].line;
            faults.extend(kind.map(|kind| Fault { index, line, kind }));
        }
        arrived.sort_by_key(|p| p.ts_ns);
        (arrived, faults)
    }

    /// Which fault, if any, strikes this packet.
    fn draw(&mut self, packet: &Packet) -> Option<FaultKind> {
        let FaultConfig { loss, duplication, reordering, truncation, corruption, .. } = self.config;
        let mut u = self.dice.unit();
        let mut strikes = |probability: f64| {
            let hit = u < probability;
            u -= probability;
            hit
        };
        let lost = strikes(loss);
        let duplicated = !lost && strikes(duplication);
        let delayed = !lost && !duplicated && strikes(reordering);
        let truncated = !lost && !duplicated && !delayed && strikes(truncation);
        let corrupted = !lost && !duplicated && !delayed && !truncated && strikes(corruption);
        let len = u32::try_from(packet.payload.len()).expect("a UDP payload is shorter than 64 KiB");
        if lost {
            Some(FaultKind::Lost)
        } else if duplicated {
            Some(FaultKind::Duplicated)
        } else if delayed {
            let max = u32::try_from(self.config.reordering_ns_max).unwrap_or(u32::MAX).max(1);
            Some(FaultKind::Delayed { by_ns: 1 + u64::from(self.dice.below(max)) })
        } else if truncated && len > 0 {
            Some(FaultKind::Truncated { len: self.dice.below(len) as usize })
        } else if corrupted && len > 0 {
            #[expect(clippy::cast_possible_truncation, reason = "below 8")]
            let bit = self.dice.below(8) as u8;
            Some(FaultKind::Corrupted { offset: self.dice.below(len) as usize, bit })
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packets(n: u64) -> Vec<Packet> {
        let packet = |i: u64| {
            let line = if i.is_multiple_of(2) { Line::A } else { Line::B };
            Packet { ts_ns: 1_000 * i, line, payload: i.to_be_bytes().to_vec() }
        };
        (0..n).map(packet).collect()
    }

    fn harsh() -> FaultConfig {
        FaultConfig {
            seed: 3,
            loss: 0.05,
            duplication: 0.04,
            reordering: 0.03,
            reordering_ns_max: 9_000,
            truncation: 0.02,
            corruption: 0.02,
            skew_ns: 700,
        }
    }

    #[test]
    fn no_configured_fault_changes_nothing() {
        let sent = packets(500);
        let (arrived, faults) = FaultInjector::new(FaultConfig::default()).apply(&sent);
        assert_eq!(arrived, sent);
        assert!(faults.is_empty());
    }

    #[test]
    fn what_arrives_is_what_was_sent_but_for_the_recorded_faults() {
        let sent = packets(20_000);
        let (arrived, faults) = FaultInjector::new(harsh()).apply(&sent);
        let count = |wanted: fn(&FaultKind) -> bool| faults.iter().filter(|f| wanted(&f.kind)).count();
        let lost = count(|k| *k == FaultKind::Lost);
        let duplicated = count(|k| *k == FaultKind::Duplicated);
        assert_eq!(arrived.len(), sent.len() - lost + duplicated);
        assert!((800..1_200).contains(&lost) && (650..950).contains(&duplicated), "{lost} {duplicated}");
        assert!(count(|k| matches!(k, FaultKind::Delayed { .. })) > 450);
        assert!(arrived.is_sorted_by_key(|p| p.ts_ns), "arrival is in order of time");
        let cut = count(|k| matches!(k, FaultKind::Truncated { .. }));
        assert!(cut > 300);
        assert_eq!(arrived.iter().filter(|p| p.payload.len() < 8).count(), cut, "only cut packets are short");
        for fault in &faults {
            if let FaultKind::Corrupted { offset, bit } = fault.kind {
                let mut wanted = sent[fault.index].payload.clone();
                wanted[offset] ^= 1 << bit;
                assert!(arrived.iter().any(|p| p.payload == wanted && p.line == fault.line));
            }
        }
    }

    #[test]
    fn line_b_lags_and_delayed_packets_are_overtaken() {
        let config = FaultConfig { skew_ns: 5_000, reordering: 0.1, reordering_ns_max: 8_000, ..harsh() };
        let sent = packets(2_000);
        let (arrived, _) =
            FaultInjector::new(FaultConfig { loss: 0.0, duplication: 0.0, ..config }).apply(&sent);
        let number = |p: &Packet| p.payload.first_chunk::<8>().map(|b| u64::from_be_bytes(*b));
        let on = |line| arrived.iter().filter(move |p| p.line == line);
        let overtaken = on(Line::A).zip(on(Line::A).skip(1)).filter(|(a, b)| number(a) > number(b)).count();
        assert!(overtaken > 20, "{overtaken}");
        assert!(on(Line::B).next().is_some_and(|p| p.ts_ns >= 6_000), "1,000 ns sent, 5,000 ns of lag");
    }

    #[test]
    fn the_same_seed_does_the_same() {
        let sent = packets(3_000);
        assert_eq!(FaultInjector::new(harsh()).apply(&sent), FaultInjector::new(harsh()).apply(&sent));
        let other = FaultConfig { seed: 4, ..harsh() };
        assert_ne!(FaultInjector::new(harsh()).apply(&sent), FaultInjector::new(other).apply(&sent));
    }
}
