//! What copies of a venue's stream say, and what the gateway tells of its orders, in the names that both have.

use super::dialect::{Dialect, SessionKey};
use super::gateway::Gateway;
use super::reports::Traded;
use super::words::{Order as Asked, Report, Token};
use crate::fix::booked_as;
use crate::orders::Wanted;
use crate::reconcile::tap::{Tap, Whole};
use crate::reconcile::words::{Copied, Execution, Label, Order, Terms};
use gate::OrderEvent;
use types::{Px, Qty, Symbol};

/// What people call an order: its number, or its token.
fn label(dialect: Dialect, token: Token) -> Label {
    if dialect.has_numbers() { Label::of_number(token.number().into()) } else { Label::of(&token.0) }
}

/// What a message says of the orders of the gate's session `session`; none where it cannot be read.
pub(crate) fn copied(dialect: Dialect, session: u64, message: &[u8]) -> Option<Vec<Copied>> {
    let key = SessionKey::of_number(session);
    let order = |token: Token, terms: Terms| {
        let (name, label) = (dialect.id(key, token), label(dialect, token));
        Copied::Order(Order { name, id: 0, terms: Some(terms), label })
    };
    let execution = |token: Token, match_number: u64, qty: u32, px: Px| Execution {
        number: key.execution(match_number, token),
        order: dialect.id(key, token),
        side: None,
        qty,
        px,
        is_bust: false,
        label: Label::of_number(match_number),
    };
    Some(match dialect.report(message)?.0 {
        Report::Accepted { token, symbol, side, qty, px, .. } => {
            vec![order(token, Terms { symbol, side, qty, px })]
        }
        // How much is left depends on what has traded, which its executions say.
        Report::Replaced { token, symbol, side, .. } => {
            vec![order(token, Terms { symbol, side, qty: 0, px: Px::NONE })]
        }
        Report::Executed { token, qty, px, match_number } => {
            vec![Copied::Executed(execution(token, match_number, qty, px))]
        }
        Report::Broken { token, match_number } => {
            vec![Copied::Executed(execution(token, match_number, 0, Px::NONE).busted())]
        }
        Report::Reduced { .. }
        | Report::Left { .. }
        | Report::Rejected { .. }
        | Report::Next(_)
        | Report::Other => Vec::new(),
    })
}

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
