//! What copies of execution reports say, and what the desk tells of its orders, in the names that both have.

use super::book::Entry;
use super::desk::{Desk, Gatekeeper};
use super::executions::number_of;
use super::order::Order as Asked;
use super::reports::{Report, What};
use crate::fix::dictionary::Version;
use crate::fix::message::Message;
use crate::orders::Wanted;
use crate::reconcile::tap::{Tap, Whole};
use crate::reconcile::words::{Copied, Execution, Label, Order, Terms, booked_as};
use gate::OrderEvent;
use types::{FNV_BASIS, Px, Qty, Side, UnixNanos, fnv1a};

/// The number of an order by its client order id.
fn name_of(client_id: &[u8]) -> u64 {
    fnv1a(FNV_BASIS, client_id).max(1)
}

fn side_of(code: Option<u8>) -> Option<Side> {
    match code? {
        b'1' => Some(Side::Bid),
        b'2' | b'5' | b'6' => Some(Side::Ask),
        _ => None,
    }
}

/// What a report says: that the venue has an order, that one traded, and that a trade was taken back.
pub(crate) fn copied(message: &Message<'_>, version: Version) -> Vec<Copied> {
    let report = Report::read(message);
    let what = report.what(version);
    let mut said = Vec::new();
    let side = side_of(report.side.first().copied());
    let label = Label::of(report.client_id);
    if matches!(what, What::New | What::Replaced) && !report.client_id.is_empty() {
        let asked = Asked::read(message);
        // Of a replacement, what is left and what was asked for are told in as many ways as there are venues.
        let (qty, px) = if what == What::New {
            (asked.qty.unwrap_or(0), asked.gate_price().unwrap_or(Px::NONE))
        } else {
            (0, Px::NONE)
        };
        let terms = asked.gate_symbol().ok().zip(side).map(|(symbol, side)| Terms { symbol, side, qty, px });
        said.push(Copied::Order(Order { name: name_of(report.client_id), id: 0, terms, label }));
    }
    let trade = |id: &[u8]| Execution { side, ..executed(name_of(report.client_id), &report, id) };
    if matches!(what, What::Bust | What::Correct) && !report.exec_ref_id.is_empty() {
        // How much it was is told with the trade itself, not with its taking back.
        let bust = Execution { qty: 0, px: Px::NONE, ..trade(report.exec_ref_id).busted() };
        said.push(Copied::Executed(bust));
    }
    if matches!(what, What::Fill | What::Correct)
        && !report.exec_id.is_empty()
        && report.last_qty.is_some_and(|qty| qty > 0)
    {
        said.push(Copied::Executed(trade(report.exec_id)));
    }
    said
}

impl<G: Gatekeeper> Desk<G> {
    /// An order was sent that the gate let out.
    pub(super) fn tell_order(&self, asked: &Asked<'_>, wanted: &Wanted) {
        let (Some(tap), Ok(symbol)) = (&self.tap, asked.gate_symbol()) else { return };
        let Wanted { id, side, qty, px, .. } = *wanted;
        let terms = Some(Terms { symbol, side, qty: qty.0, px });
        tap.order(Order { name: name_of(asked.client_id), id, terms, label: Label::of(asked.client_id) });
    }

    /// An execution was booked, of the order `id` at the gate.
    pub(super) fn tell_executed(&self, id: u64, report: &Report<'_>, exec_id: &[u8]) {
        let Some(tap) = &self.tap else { return };
        tap.executed(executed(id, report, exec_id));
    }

    /// A trade was taken back.
    pub(super) fn tell_busted(&self, id: u64, report: &Report<'_>) {
        let Some(tap) = self.tap.as_ref().filter(|_| !report.exec_ref_id.is_empty()) else { return };
        tap.executed(executed(id, report, report.exec_ref_id).busted());
    }

    /// Looks after the thread that reconciles: tells it everything where it asks, and puts in doubt what it found to differ.
    pub(in crate::fix) fn reconcile(&mut self, is_up: bool, now: UnixNanos) {
        let Some(tap) = &self.tap else { return };
        tap.be_up(is_up);
        if !self.gate.is_ready() {
            return;
        }
        if tap.wants_whole() {
            tap.whole(self.whole());
        }
        while let Some(id) = self.tap.as_ref().and_then(Tap::doubt) {
            self.gate.settle(OrderEvent::Busted { id, qty: Qty(0) }, now);
            if let Some(tap) = &self.tap {
                tap.doubted();
            }
        }
    }

    fn whole(&self) -> Whole {
        let order = |(text, entry): (&[u8], &Entry)| {
            let side = side_of(Some(entry.side));
            let terms = side.map(|side| Terms { symbol: entry.symbol, side, qty: 0, px: Px::NONE });
            Order { name: name_of(text), id: entry.id, terms, label: Label::of(text) }
        };
        let executions =
            self.gate.executions().into_iter().flat_map(|(number, booked)| booked_as(number, booked));
        Whole {
            session: 1,
            orders: self.book.orders().map(order).collect(),
            executions: executions.collect(),
        }
    }
}

/// The trade `exec_id` as a report says it, of the order that is called `id`.
fn executed(id: u64, report: &Report<'_>, exec_id: &[u8]) -> Execution {
    Execution {
        number: number_of(report.execution(exec_id)),
        order: id,
        side: None,
        qty: report.last_qty.unwrap_or(0),
        px: report.last_px,
        is_bust: false,
        label: Label::of(exec_id),
    }
}
