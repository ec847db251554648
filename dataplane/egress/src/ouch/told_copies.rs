//! What the gateway tells of its orders to who reconciles them, in the names that the copies have, too.

use super::copied::label;
use super::gateway::Gateway;
use super::reports::Traded;
use super::words::Order as Asked;
use crate::orders::Wanted;
use crate::reconcile::tap::{Tap, Whole};
use crate::reconcile::words::{Execution, Label, Order, Terms, booked_as};
use gate::OrderEvent;
use types::{Qty, Symbol};

impl Gateway {
    /// An order was sent that the gate let out; a replacement has the symbol of its order, which the gate knows by number alone.
    pub(super) fn tell_order(&self, asked: &Asked, wanted: &Wanted) {
        let Some(tap) = &self.tap else { return };
        let terms = asked.symbol.map(|symbol| terms(symbol, wanted));
        let (name, label) = (wanted.id, label(self.setup.dialect, asked.token));
        tap.order(Order { name, id: wanted.id, terms, label });
    }

    /// An execution of the order `id` was booked, or taken back.
    pub(super) fn tell_executed(&self, (id, number): (u64, u64), traded: Traded, is_bust: bool) {
        let Some(tap) = &self.tap else { return };
        let Traded { qty, px, match_number } = traded;
        let label = Label::of_number(match_number);
        let trade = Execution { number, order: id, side: None, qty, px, is_bust: false, label };
        tap.executed(if is_bust { trade.busted() } else { trade });
    }

    /// What was counted of drop copies that come in, where some do.
    #[must_use]
    pub fn copy_counts(&self) -> Vec<(&'static str, u64)> {
        self.tap.iter().flat_map(Tap::counts).collect()
    }

    /// Looks after the thread that reconciles: tells it everything where it asks, and puts in doubt what it found to differ.
    pub(super) fn reconcile(&mut self) {
        let Some(tap) = &self.tap else { return };
        tap.be_up(self.venue.is_ready);
        self.said.extend(tap.take_said());
        if !self.port.is_attached() {
            return;
        }
        if tap.wants_whole()
            && let Some(whole) = self.whole()
        {
            tap.whole(whole);
        }
        while let Some(id) = self.tap.as_ref().and_then(Tap::doubt) {
            self.settle(OrderEvent::Busted { id, qty: Qty(0) });
            if let Some(tap) = &self.tap {
                tap.doubted();
            }
        }
    }

    /// Orders that the session's stream speaks of, those of the book, and the executions that the gate remembers.
    pub(super) fn whole(&self) -> Option<Whole> {
        let session = self.session.as_ref()?;
        let named = |id: u64, label: Label| Order { name: id, id, terms: None, label };
        let told = session.used.iter().map(|id| named(*id, Label::default()));
        let held = self.book.iter().map(|(id, held)| named(*id, label(self.setup.dialect, held.token)));
        let orders = told.chain(held).collect();
        let executions = self.port.executions().flat_map(|(number, booked)| booked_as(number, booked));
        Some(Whole { session: session.key.number(), orders, executions: executions.collect() })
    }
}

const fn terms(symbol: Symbol, wanted: &Wanted) -> Terms {
    Terms { symbol, side: wanted.side, qty: wanted.qty.0, px: wanted.px }
}
