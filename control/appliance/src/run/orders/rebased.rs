//! Books that were kept by a clock that was ahead.

use super::journal::Block;
use super::mirror::Mirror;
use attach::record::{Entry, Record};
use gate::{Step, rebase};
use types::UnixNanos;

impl Mirror {
    /// [`Mirror::summary`] with no time after `now`, and how far the latest was ahead of it.
    pub(super) fn rebased(&self, number: u64, now: UnixNanos) -> (Vec<Block>, u64) {
        let mut blocks = self.summary(number);
        let step = |block: &Block| {
            let Block::Record(Record { entry: Entry::Step(step), .. }) = block else { return None };
            Some(*step)
        };
        let mut steps: Vec<Step> = blocks.iter().filter_map(step).collect();
        let ahead = rebase(&mut steps, now);
        let mut steps = steps.into_iter();
        for block in &mut blocks {
            if let Block::Record(record) = block
                && let Entry::Step(step) = &mut record.entry
                && let Some(rebased) = steps.next()
            {
                (*step, record.at) = (rebased, record.at.min(now));
            }
        }
        (blocks, ahead)
    }
}
