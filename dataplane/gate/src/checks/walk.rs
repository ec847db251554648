//! Orders that trade through more of the book than its touch.

use crate::{case::Case, check::Notice, decision::Flags};

pub(super) struct WalksBook;

impl Notice for WalksBook {
    const FLAG: Flags = Flags::WALKS_BOOK;

    #[inline(always)]
    fn worth(case: &Case) -> bool {
        case.facts.judged.market && case.order.qty.0 > case.facts.judged.far_qty
    }
}
