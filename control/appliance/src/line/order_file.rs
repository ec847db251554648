//! The orders of a file as a desk's source, with a market that answers: what crosses the quote is filled at once, what rests is
//! filled when the quote crosses it, and taken back after five seconds.

use super::names::NameTable;
use super::notes::Defined;
use super::order_source::{Arrival, OrderSource};
use crate::orders::OrderRow;
use gate::{OrderEvent, OrderIntent, OrderType, RefReader, TimeInForce, Verdict};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use types::{InstrumentId, Nanos, Px, Qty, Side, Symbol, UnixNanos};

/// How long an order that rests is left in the market by the firm that sent it. Replays have no venue answers, so this fills
/// what crosses and takes back what does not.
pub(crate) const RESTING_TIME: Nanos = Nanos(5 * Nanos::SECOND.0);

/// An order of the firm that rests in the market.
#[derive(Clone, Copy, Debug)]
struct Resting {
    id: u64,
    instrument: InstrumentId,
    side: Side,
    px: Px,
    qty: Qty,
    until: UnixNanos,
}

/// The orders of a file.
pub(crate) struct OrderFile {
    rows: Arc<[OrderRow]>,
    next: usize,
    names: NameTable,
    instruments: BTreeMap<Symbol, InstrumentId>,
    /// The order that the gate judges now.
    judging: Option<(OrderIntent, UnixNanos)>,
    resting: Vec<Resting>,
    answers: VecDeque<OrderEvent>,
}

impl OrderFile {
    pub(crate) fn new(rows: Arc<[OrderRow]>) -> Self {
        Self {
            names: NameTable::of(&rows),
            rows,
            next: 0,
            instruments: BTreeMap::new(),
            judging: None,
            resting: Vec::new(),
            answers: VecDeque::new(),
        }
    }

    fn intent(&self, row: &OrderRow) -> OrderIntent {
        let known = Symbol::new(&row.symbol).and_then(|s| self.instruments.get(&s));
        OrderIntent {
            cl_ord_id: self.names.order_id(&row.cl_ord_id),
            px: row.px,
            // A name nobody defined has no number; the gate refuses the number it cannot have.
            instrument: known.copied().unwrap_or(InstrumentId(u32::MAX)),
            qty: row.qty,
            strategy: self.names.strategy(&row.strategy),
            account: self.names.account(&row.account),
            side: row.side,
            order_type: if row.px.is_some() { OrderType::Limit } else { OrderType::Market },
            tif: if row.ioc { TimeInForce::Ioc } else { TimeInForce::Day },
        }
    }

    fn expire(&mut self, now: UnixNanos) {
        let Self { resting, answers, .. } = self;
        resting.retain(|r| {
            let expired = r.until <= now;
            if expired {
                answers.push_back(OrderEvent::Cancelled { id: r.id });
            }
            !expired
        });
    }
}

/// Whether an order at `px` would trade at once; a market order does wherever there is someone to trade with.
fn crosses(instrument: InstrumentId, side: Side, px: Px, market: &RefReader) -> bool {
    let Some(quote) = market.read(instrument) else { return false };
    let far = match side {
        Side::Bid => quote.ask,
        Side::Ask => quote.bid,
    };
    far.is_some() && (!px.is_some() || (side == Side::Bid && px >= far) || (side == Side::Ask && px <= far))
}

impl OrderSource for OrderFile {
    fn define(&mut self, defined: Defined) {
        self.instruments.insert(defined.symbol, defined.instrument);
    }

    fn next(&mut self, until: UnixNanos) -> Option<Arrival> {
        let rows = Arc::clone(&self.rows);
        let row = rows.get(self.next).filter(|row| row.ts < until);
        if let (Some(row), true) = (row, self.answers.is_empty()) {
            self.expire(row.ts);
        }
        if let Some(answer) = self.answers.pop_front() {
            return Some(Arrival::Answer(answer));
        }
        let row = row?;
        let tag = u32::try_from(self.next).unwrap_or(u32::MAX);
        self.next += 1;
        let intent = self.intent(row);
        self.judging = Some((intent, row.ts));
        Some(Arrival::Order { ts: row.ts, tag, intent })
    }

    fn judged(&mut self, _verdict: &Verdict, sent: bool, market: &RefReader) {
        let Some((intent, ts)) = self.judging.take().filter(|_| sent) else { return };
        let OrderIntent { cl_ord_id: id, instrument, side, px, qty, tif, .. } = intent;
        self.answers.push_back(if crosses(instrument, side, px, market) {
            OrderEvent::Filled { id, qty }
        } else if tif == TimeInForce::Ioc {
            OrderEvent::Cancelled { id }
        } else {
            self.resting.push(Resting { id, instrument, side, px, qty, until: ts.plus(RESTING_TIME) });
            OrderEvent::Accepted { id }
        });
    }

    fn market_moved(&mut self, now: UnixNanos, market: &RefReader) {
        let Self { resting, answers, .. } = self;
        resting.retain(|r| {
            if r.until <= now {
                answers.push_back(OrderEvent::Cancelled { id: r.id });
                return false;
            }
            let filled = crosses(r.instrument, r.side, r.px, market);
            if filled {
                answers.push_back(OrderEvent::Filled { id: r.id, qty: r.qty });
            }
            !filled
        });
    }
}
