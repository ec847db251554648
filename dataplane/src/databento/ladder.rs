//! Records of the schemas `mbp-1` and `mbp-10` as events of a book of levels.

use std::collections::HashMap;

use dbn::BidAskPair;
use types::{Action, BookEvent, EventFlags, Px, Qty, Side};

/// Levels of a side that a record can show.
const LEVELS_MAX: usize = 10;
/// Most events of one record: each level that goes, and each that comes; and a trade.
pub(super) const EVENTS_MAX: usize = 4 * LEVELS_MAX + 1;

/// Price and quantity by rank; none beyond the last.
type Shown = [[Option<(Px, u32)>; LEVELS_MAX]; 2];

/// What the last record of each instrument showed.
pub(super) struct Ladders(HashMap<u32, Shown>);

impl Ladders {
    pub(super) fn new() -> Self {
        Self(HashMap::new())
    }

    /// Whether nothing was shown of the instrument yet.
    pub(super) fn is_new(&self, number: u32) -> bool {
        !self.0.contains_key(&number)
    }

    /// Tells how `levels` differ from those shown before; `of` is the side and price that the record itself is about: what differs
    /// elsewhere came into view, or went out of it, by that.
    pub(super) fn show(
        &mut self,
        number: u32,
        levels: &[BidAskPair],
        of: (Option<Side>, Px),
        base: BookEvent,
        mut tell: impl FnMut(BookEvent),
    ) {
        let mut now: Shown = Default::default();
        for (rank, level) in levels.iter().take(LEVELS_MAX).enumerate() {
            let shown = |px: i64, qty: u32| (Px(px).is_some() && qty > 0).then_some((Px(px), qty));
            now[Side::Bid.index()][rank] = shown(level.bid_px, level.bid_sz);
            now[Side::Ask.index()][rank] = shown(level.ask_px, level.ask_sz);
        }
        let before = self.0.insert(number, now).unwrap_or_default();
        for side in [Side::Bid, Side::Ask] {
            let (before, now) = (&before[side.index()], &now[side.index()]);
            let mut set = |px: Px, qty: u32| {
                let is_own = of == (Some(side), px);
                let flags = if is_own { base.flags } else { base.flags.with(EventFlags::SNAPSHOT) };
                tell(BookEvent { action: Action::LevelSet, side, px, qty: Qty(qty), flags, ..base });
            };
            let gone = |level: &&(Px, u32)| !now.iter().flatten().any(|(px, _)| *px == level.0);
            before.iter().flatten().filter(gone).for_each(|(px, _)| set(*px, 0));
            let is_new = |level: &&(Px, u32)| !before.iter().flatten().any(|old| old == *level);
            now.iter().flatten().filter(is_new).for_each(|(px, qty)| set(*px, *qty));
        }
    }
}
