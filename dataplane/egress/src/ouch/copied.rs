//! What copies of a venue's stream say, in the names that the gateway has, too.

use super::dialect::{Dialect, SessionKey};
use super::words::{Report, Token};
use crate::reconcile::words::{Copied, Execution, Label, Order, Terms};
use types::Px;

/// What people call an order: its number, or its token.
pub(super) fn label(dialect: Dialect, token: Token) -> Label {
    if dialect.has_numbers() { Label::of_number(token.number().into()) } else { Label::of(&token.0) }
}

/// What a message says of the orders of the gate's session `session`; none where it cannot be read.
pub(super) fn copied(dialect: Dialect, session: u64, message: &[u8]) -> Option<Vec<Copied>> {
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
