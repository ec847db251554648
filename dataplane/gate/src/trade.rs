//! What a trade of an order moves: positions, what was traded within the day, activity, and streaks of executions.

use types::{Px, Side};

use crate::{
    doubt::Astray,
    gate::Gate,
    ids::AccountId,
    intent::{OrderEvent, Traded},
    orders::Entry,
    own_orders::opposite,
    price::word_price,
    tally::Trade,
};

impl Gate {
    /// Books what was traded of an order, at the price that the venue says; where it says none, at the worst at which the order, or
    /// its replacement that is under way, may have traded.
    pub(crate) fn fill(&mut self, entry: &Entry, event: OrderEvent) {
        let Some(Traded { execution, qty, mut px }) = event.traded() else { return };
        if !px.is_some() {
            px = self.worst_price(entry);
            if let Some(booked) = self.executions.booked_mut(execution) {
                booked.px = px;
            }
        }
        self.book(entry, Trade { side: entry.side, qty: qty.0, px, undone: false });
        if self.activities.on {
            self.count_trade(entry);
        }
    }

    fn worst_price(&self, entry: &Entry) -> Px {
        let pending = if entry.pending_qty == 0 { None } else { self.orders.get(entry.link) };
        let other = pending.map_or(entry.px, |pending| pending.px);
        word_price(if entry.side == Side::Bid { entry.px.max(other) } else { entry.px.min(other) })
    }

    /// An order was executed for the first time.
    pub(crate) fn note_streak(&mut self, entry: &Entry) {
        let (_, strategy) = self.cell_names(entry.cell as usize);
        self.streaks.note(entry.cell as usize, strategy, entry.side, self.told);
    }

    /// A trade has the time of the last order: the venue's word comes without one.
    #[inline(never)]
    fn count_trade(&mut self, entry: &Entry) {
        let (_, strategy) = self.cell_names(entry.cell as usize);
        let last = self.activities.last;
        self.activities.count(strategy, AccountId(entry.account), last, [0, 0, 0, 0, 1]);
    }

    /// Moves the position of an order's cell, of its account, and of its groups.
    #[inline(always)]
    pub(crate) fn book(&mut self, entry: &Entry, trade: Trade) {
        let (side, qty) = (if trade.undone { opposite(trade.side) } else { trade.side }, trade.qty);
        if let Some(cell) = self.cells.get_mut(entry.cell as usize) {
            cell.fill(side, qty);
        }
        if let Some(account) = self.shared.account_mut(entry) {
            account.fill(side, qty);
        }
        if self.tallies.rules.is_some() {
            self.tally_trade(entry, &trade);
        }
        if self.levels.on {
            let (instrument, strategy) = self.cell_names(entry.cell as usize);
            self.levels.cells_mut(strategy, instrument, |cell| cell.fill(side, qty));
            self.relist(instrument, strategy, AccountId(entry.account));
        }
    }

    /// What a trade cost or brought.
    #[inline(never)]
    fn tally_trade(&mut self, entry: &Entry, trade: &Trade) {
        let known = trade.px.is_some();
        if !known {
            // At what it traded nobody knows: somebody must look. How much did is known.
            self.doubt(entry, Astray::NOTHING);
        }
        // What was traded is then held as if from before the day. What is taken back was counted, and nobody knows for how much.
        if !known && (!trade.undone || trade.qty == 0) {
            return;
        }
        let (instrument, strategy) = self.cell_names(entry.cell as usize);
        let Self { tallies, levels, shared, .. } = self;
        tallies.trade(entry.cell as usize, shared.at(instrument, AccountId(entry.account)), trade);
        levels.tallies_mut(strategy, instrument, |tally| tallies.trade_in(tally, trade));
    }
}
