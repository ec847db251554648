//! What each line brought, for whoever asks on another thread: the counts of `summary.json`, and when it was last heard.

use std::net::SocketAddrV4;

use stage::{CounterCell, CounterReader, counters};
use types::UnixNanos;

use super::lines::{Line, group_of, key};
use crate::arbiter::{LINES_MAX, LineStats};

/// In the order of [`LineCounters::publish`].
const NAMES: [&str; 7] = ["group", "packets", "messages", "missing", "late", "bad", "heard_ns"];

/// One line as it was when it last counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineCounts {
    /// Its channel.
    pub channel: u8,
    /// Its number in the channel, A first.
    pub line: u8,
    /// Its group and port.
    pub group: SocketAddrV4,
    /// Packets it brought.
    pub packets: u64,
    /// Messages in them.
    pub messages: u64,
    /// Messages it skipped.
    pub missing: u64,
    /// Messages that another line had brought before, or that were given up.
    pub late: u64,
    /// Damaged packets.
    pub bad: u64,
    /// When it was last heard, by the clock of the receiver's thread and as often as that looks; zero for never.
    pub heard: UnixNanos,
}

/// Reads one line's counts from any thread.
#[derive(Clone, Debug)]
pub struct LineReader {
    place: Line,
    counters: CounterReader,
}

impl LineReader {
    /// The counts; none for a line that nobody configured and that was not learnt yet.
    #[must_use]
    pub fn read(&self) -> Option<LineCounts> {
        let [group, packets, messages, missing, late, bad, heard] =
            std::array::from_fn(|index| self.counters.get(index));
        let Line { channel, line } = self.place;
        let group = group_of(group);
        let counts = LineCounts {
            channel,
            line,
            group,
            packets,
            messages,
            missing,
            late,
            bad,
            heard: UnixNanos(heard),
        };
        (group.port() != 0).then_some(counts)
    }
}

/// The counters of every line there can be.
#[derive(Debug)]
pub(super) struct LineCounters {
    /// By channel, then line.
    lines: Box<[(LineReader, [CounterCell; 7])]>,
}

impl LineCounters {
    /// Counters of `channels` channels. All memory is taken here.
    pub(super) fn new(channels: usize) -> Self {
        let places = (0..channels).flat_map(|channel| (0..LINES_MAX).map(move |line| (channel, line)));
        let one = |(channel, line): (usize, usize)| {
            let (reader, cells) = counters("line", NAMES);
            // Both are below their bounds, which fit a byte.
            let number = |n: usize| u8::try_from(n).unwrap_or(u8::MAX);
            let place = Line { channel: number(channel), line: number(line) };
            (LineReader { place, counters: reader }, cells)
        };
        Self { lines: places.map(one).collect() }
    }

    pub(super) fn readers(&self) -> Vec<LineReader> {
        self.lines.iter().map(|(reader, _)| reader.clone()).collect()
    }

    /// Publishes what `place`, a line of `group`, has brought by `now`.
    pub(super) fn publish(&self, place: Line, group: SocketAddrV4, stats: &LineStats, now: UnixNanos) {
        let index = usize::from(place.channel) * LINES_MAX + usize::from(place.line);
        let Some((_, [of_group, packets, messages, missing, late, bad, heard])) = self.lines.get(index)
        else {
            return;
        };
        if stats.packets != packets.get() {
            heard.set(now.0);
        }
        of_group.set(key(group));
        packets.set(stats.packets);
        messages.set(stats.messages);
        // A packet that came so late that its line had gone on beyond it was counted.
        missing.set(missing.get().max(stats.missing));
        late.set(stats.messages.saturating_sub(stats.won));
        bad.set(stats.bad);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn a_line_is_told_from_when_it_is_known_and_heard_when_it_counts() {
        let counters = LineCounters::new(2);
        let readers = counters.readers();
        assert!(readers.iter().all(|reader| reader.read().is_none()), "nobody knows of a line");
        let (place, group) =
            (Line { channel: 1, line: 1 }, SocketAddrV4::new(Ipv4Addr::new(233, 54, 12, 1), 26_400));
        let mut stats = LineStats::default();
        counters.publish(place, group, &stats, UnixNanos(10));
        let read = || readers.iter().find_map(LineReader::read).expect("one line");
        assert_eq!((read().channel, read().line, read().group, read().heard), (1, 1, group, UnixNanos(0)));
        stats = LineStats { packets: 3, messages: 9, won: 5, missing: 2, bad: 1, ..stats };
        counters.publish(place, group, &stats, UnixNanos(20));
        counters.publish(place, group, &stats, UnixNanos(30));
        let wanted = LineCounts {
            channel: 1,
            line: 1,
            group,
            packets: 3,
            messages: 9,
            missing: 2,
            late: 4,
            bad: 1,
            heard: UnixNanos(20),
        };
        assert_eq!(read(), wanted, "silent since 20");
        counters.publish(place, group, &LineStats { missing: 1, ..stats }, UnixNanos(40));
        assert_eq!(read(), wanted, "a count that was told never falls");
    }
}
