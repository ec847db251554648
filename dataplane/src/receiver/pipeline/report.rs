//! What a pipeline counted.

use std::net::SocketAddrV4;

use super::Pipeline;
use crate::arbiter::{Arbiter, LineStats};
use crate::decode::Decoder as _;
use crate::receiver::lag::Lag;
use crate::receiver::lines::Line;
use crate::stats::FeedStats;

impl Pipeline {
    /// Every line, its group and what it brought so far.
    pub(in crate::receiver) fn each_line(&self, mut visit: impl FnMut(Line, SocketAddrV4, &LineStats)) {
        self.lines.each(|line, group| {
            visit(line, group, &self.arbiters[usize::from(line.channel)].line_so_far(line.line));
        });
    }

    /// How late the channels are.
    pub(in crate::receiver) const fn lag(&self) -> &Lag {
        &self.core.lag
    }

    /// Channels there are.
    pub(in crate::receiver) fn channels(&self) -> usize {
        self.arbiters.len()
    }

    /// All counts, and what each line brought.
    pub(in crate::receiver) fn stats(&self) -> FeedStats {
        let mut stats = self.totals();
        stats.lines = self
            .lines
            .reports(|line| self.arbiters[usize::from(line.channel)].stats().lines[usize::from(line.line)]);
        stats.left_out.clone_from(&self.left_out);
        stats
    }

    /// All counts but those of each line, which would take memory.
    pub(in crate::receiver) fn totals(&self) -> FeedStats {
        let mut stats = self.core.stats.clone();
        self.core.add_parked(&mut stats);
        stats.instruments_beyond = self.core.decoder.directory().beyond();
        let (spells, longest) = self.core.lag.so_far();
        (stats.late_spells, stats.longest_lag_ns) = (spells, longest.0);
        stats.take_sequence(self.arbiters.iter().map(Arbiter::stats));
        if self.core.raw_next > 1 && stats.sessions == 0 {
            stats.first_seq = 1;
            stats.last_seq = self.core.raw_next - 1;
        } else {
            // A raw file has no stamps: what its messages say that is far from those around them is counted as their time.
            stats.stamp_outliers = self.stamps.outliers();
        }
        stats
    }
}
