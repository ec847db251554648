//! The end of the line: records of verdicts, drained by a thread that may wait for the disk.

use super::notes::VerdictRecord;
use crate::orders::OrderRow;
use crate::tables::{Sheet, VerdictRow};
use stage::{RingRx, Stage, Work};
use std::sync::Arc;
use types::UnixNanos;

/// verdicts.csv of a replay, whose records name rows of its file of orders.
pub(crate) struct VerdictSheet {
    pub(crate) sheet: Sheet,
    pub(crate) orders: Arc<[OrderRow]>,
}

impl VerdictSheet {
    fn write(&mut self, record: &VerdictRecord) {
        let Some(order) = self.orders.get(record.tag as usize) else { return };
        self.sheet.verdict(&VerdictRow {
            ts: record.ts,
            cl_ord_id: &order.cl_ord_id,
            account: &order.account,
            strategy: &order.strategy,
            symbol: &order.symbol,
            side: order.side,
            qty: order.qty,
            px: order.px,
            verdict: &record.verdict,
            others: &[],
            check: record.check,
        });
    }
}

/// A ring of verdicts and the file they end in, if any.
pub(crate) struct VerdictLog {
    pub(crate) records: RingRx<VerdictRecord>,
    pub(crate) file: Option<VerdictSheet>,
}

impl VerdictLog {
    /// Closes the file.
    ///
    /// # Errors
    /// The first that it met.
    pub(crate) fn finish(self) -> anyhow::Result<()> {
        self.file.map_or(Ok(()), |file| file.sheet.finish())
    }
}

impl Stage for VerdictLog {
    fn name(&self) -> &'static str {
        "verdict-log"
    }

    fn poll(&mut self, _now: UnixNanos) -> Work {
        let ended = self.records.is_abandoned();
        let file = &mut self.file;
        let taken = self.records.drain(usize::MAX, |records| {
            if let Some(file) = file {
                records.iter().for_each(|record| file.write(record));
            }
        });
        if taken == 0 && ended { Work::DONE } else { Work::of(u32::try_from(taken).unwrap_or(u32::MAX)) }
    }
}
