//! The price an order is judged by.

use types::Side;

use crate::{
    intent::{OrderIntent, OrderType},
    price::{PX_MAX, price_word},
    quote::Quote,
};

/// The price an order is judged by, and the touch it would trade with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Judged {
    pub buys: bool,
    pub market: bool,
    /// Best price of the other side, 0 when there is none.
    pub far: u64,
    pub far_qty: u32,
    /// The order names a price an order can have.
    pub named: bool,
    /// There is a price to judge by: the order's own, or for a market order the far touch.
    pub priced: bool,
    /// That price in its word, 0 when there is none.
    pub px: u64,
}

impl Judged {
    #[inline(always)]
    #[expect(clippy::cast_sign_loss, reason = "judged only when positive")]
    pub(crate) fn of(order: &OrderIntent, quote: &Quote) -> Self {
        let buys = order.side as u8 == Side::Bid as u8;
        let market = order.order_type as u8 == OrderType::Market as u8;
        let (far, far_qty) =
            if buys { (quote.ask, quote.rest.ask_qty) } else { (quote.bid, quote.rest.bid_qty) };
        let named = order.px.0 > 0 && order.px.0 <= PX_MAX.0;
        let (px, priced) = if market { (far, far != 0) } else { (order.px.0 as u64, named) };
        let plain = Self { buys, market, far, far_qty, named, priced, px };
        if quote.signed { plain.signed(order) } else { plain }
    }

    /// The same where prices may be zero or negative.
    fn signed(self, order: &OrderIntent) -> Self {
        let word = price_word(order.px, true);
        let named = word != 0;
        let (px, priced) = if self.market { (self.px, self.priced) } else { (word, named) };
        Self { named, priced, px, ..self }
    }
}
