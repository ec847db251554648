//! Which channel and line a datagram belongs to.

use std::net::{Ipv4Addr, SocketAddrV4};

use crate::arbiter::{LINES_MAX, LineStats};
use crate::config::ChannelConfig;
use crate::stats::LineReport;

/// Channel and line of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) channel: u8,
    pub(super) line: u8,
}

/// Group and port to channel and line.
#[derive(Debug)]
pub(super) struct LineTable {
    /// Sorted by key.
    entries: Vec<(u64, Line)>,
    /// Whether lines of channel 0 are learnt as they appear.
    learning: bool,
}

pub(super) fn key(group: SocketAddrV4) -> u64 {
    u64::from(group.ip().to_bits()) << 16 | u64::from(group.port())
}

/// The inverse of [`key`].
pub(super) fn group_of(key: u64) -> SocketAddrV4 {
    let port = u16::try_from(key & 0xffff).unwrap_or(0);
    let address = u32::try_from(key >> 16).unwrap_or(0);
    SocketAddrV4::new(address.into(), port)
}

impl LineTable {
    /// The table of `channels`; with none, lines are learnt.
    pub(super) fn new(channels: &[ChannelConfig]) -> Self {
        let mut entries = Vec::with_capacity(LINES_MAX.max(channels.len() * LINES_MAX));
        for (channel, config) in (0_u8..).zip(channels) {
            for (line, &group) in (0_u8..).zip(&config.lines) {
                entries.push((key(group), Line { channel, line }));
            }
        }
        entries.sort_unstable_by_key(|&(key, _)| key);
        Self { entries, learning: channels.is_empty() }
    }

    #[inline]
    pub(super) fn find(&self, group: SocketAddrV4) -> Option<Line> {
        let wanted = key(group);
        self.entries.binary_search_by_key(&wanted, |&(key, _)| key).ok().map(|at| self.entries[at].1)
    }

    /// Whether nothing for this address can be of a line: none has it, and none is learnt.
    #[cold]
    pub(super) fn is_elsewhere(&self, address: Ipv4Addr) -> bool {
        !self.can_learn() && self.of_address(address).next().is_none()
    }

    /// The lines whose groups have this address, whatever their ports.
    pub(super) fn of_address(&self, address: Ipv4Addr) -> impl Iterator<Item = Line> {
        let has_it = move |&&(key, _): &&(u64, Line)| *group_of(key).ip() == address;
        self.entries.iter().filter(has_it).map(|&(_, line)| line)
    }

    /// What each line brought, A before B and channel by channel; `stats` gives a line's counts. For reports.
    pub(super) fn reports(&self, stats: impl Fn(Line) -> LineStats) -> Vec<LineReport> {
        let report = |&(key, line): &(u64, Line)| LineReport {
            channel: line.channel,
            line: line.line,
            group: group_of(key),
            stats: stats(line),
        };
        let mut reports: Vec<_> = self.entries.iter().map(report).collect();
        reports.sort_unstable_by_key(|r| (r.channel, r.line));
        reports
    }

    /// Every line and its group.
    pub(super) fn each(&self, mut visit: impl FnMut(Line, SocketAddrV4)) {
        self.entries.iter().for_each(|&(key, line)| visit(line, group_of(key)));
    }

    /// Whether an unknown line may be learnt.
    pub(super) fn can_learn(&self) -> bool {
        self.learning && self.entries.len() < LINES_MAX
    }

    /// Takes an unknown line in as the next one of channel 0.
    #[cold]
    pub(super) fn learn(&mut self, group: SocketAddrV4) -> Line {
        let line = Line { channel: 0, line: u8::try_from(self.entries.len()).unwrap_or(u8::MAX) };
        let place = self.entries.partition_point(|&(known, _)| known < key(group));
        self.entries.insert(place, (key(group), line));
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(n: u8, port: u16) -> SocketAddrV4 {
        SocketAddrV4::new(Ipv4Addr::new(233, 54, 12, n), port)
    }

    #[test]
    fn configured_lines_are_found_and_others_are_not() {
        let channel = |lines: &[SocketAddrV4]| ChannelConfig { lines: lines.to_vec() };
        let table =
            LineTable::new(&[channel(&[group(9, 1), group(1, 1)]), channel(&[group(5, 1), group(1, 2)])]);
        assert_eq!(table.find(group(1, 1)), Some(Line { channel: 0, line: 1 }));
        assert_eq!(table.find(group(1, 2)), Some(Line { channel: 1, line: 1 }));
        assert_eq!(table.find(group(2, 1)), None);
        assert!(!table.can_learn());
        assert!(table.is_elsewhere(*group(2, 1).ip()) && !table.is_elsewhere(*group(5, 9).ip()));
        let of_address: Vec<_> = table.of_address(*group(1, 9).ip()).collect();
        assert_eq!(of_address, [Line { channel: 0, line: 1 }, Line { channel: 1, line: 1 }]);
    }

    #[test]
    fn lines_are_learnt_up_to_the_bound() {
        let mut table = LineTable::new(&[]);
        for n in (0..8).rev() {
            assert!(table.can_learn() && !table.is_elsewhere(*group(200, 7).ip()));
            assert_eq!(table.learn(group(n, 7)), Line { channel: 0, line: 7 - n });
        }
        assert!(!table.can_learn());
        assert_eq!(table.find(group(3, 7)), Some(Line { channel: 0, line: 4 }));
    }
}
