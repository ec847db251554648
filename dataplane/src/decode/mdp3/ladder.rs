//! The levels of one instrument as the venue counts them: the first is the best, and what is pushed beyond the last is gone without
//! being said.
//!
//! Source: CME Group Client Systems Wiki, "MDP 3.0 - Market by Price - Multiple Depth Book".

use types::{Px, Qty, Side};
use wire::mdp3::action;

use crate::decode::Damage;

/// Levels of a side that any instrument shows at most ("GBX" depths).
pub(super) const DEPTH_MAX: usize = 10;

/// Both sides, best level first; a level that was never told is [`Px::NONE`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Ladder {
    sides: [[Px; DEPTH_MAX]; 2],
}

/// What an update left of a side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Left {
    /// It is as the venue has it.
    Whole,
    /// Nobody knows how much of it is left: it is shown empty.
    Doubtful,
}

impl Ladder {
    /// No level.
    pub(super) const EMPTY: Self = Self { sides: [[Px::NONE; DEPTH_MAX]; 2] };

    /// Applies one update of level `level`, counted from 1, on a book of `depth` levels, and gives what each price holds now to
    /// `set`: twice at most, but for a side that goes whole.
    ///
    /// # Errors
    /// [`Damage::Field`] for an action or a level that no book has; nothing has changed.
    pub(super) fn update(
        &mut self,
        side: Side,
        depth: usize,
        (action, level): (u8, u8),
        (px, qty): (Px, Qty),
        mut set: impl FnMut(Px, Qty),
    ) -> Result<Left, Damage> {
        let levels = &mut self.sides[side.index()][..depth.clamp(1, DEPTH_MAX)];
        if matches!(action, action::DELETE_THRU | action::DELETE_FROM) {
            for gone in levels.iter_mut().map(|level| std::mem::replace(level, Px::NONE)) {
                if gone.is_some() {
                    set(gone, Qty(0));
                }
            }
            return Ok(if action == action::DELETE_THRU { Left::Whole } else { Left::Doubtful });
        }
        let at = usize::from(level).checked_sub(1).filter(|at| *at < levels.len()).ok_or(Damage::Field)?;
        let new = action != action::DELETE;
        if new && !px.is_some() {
            return Err(Damage::Field);
        }
        let before = match action {
            action::NEW => {
                levels[at..].rotate_right(1);
                std::mem::replace(&mut levels[at], px)
            }
            action::CHANGE | action::OVERLAY => std::mem::replace(&mut levels[at], px),
            action::DELETE => {
                let gone = levels[at];
                levels[at..].rotate_left(1);
                if let Some(last) = levels.last_mut() {
                    *last = Px::NONE;
                }
                // A level that was there before the join has its price in the message alone.
                if gone.is_some() { gone } else { px }
            }
            _ => return Err(Damage::Field),
        };
        if before.is_some() && !levels.contains(&before) {
            set(before, Qty(0));
        }
        if new {
            set(px, qty);
        }
        Ok(Left::Whole)
    }

    /// Forgets both sides.
    pub(super) fn clear(&mut self) {
        *self = Self::EMPTY;
    }

    /// Takes a level of a snapshot in, counted from 1.
    ///
    /// # Errors
    /// [`Damage::Field`] for a level that no book has.
    pub(super) fn restore(&mut self, side: Side, level: u8, px: Px) -> Result<(), Damage> {
        let at = usize::from(level).checked_sub(1).ok_or(Damage::Field)?;
        *self.sides[side.index()].get_mut(at).ok_or(Damage::Field)? = px;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    /// A venue's side of offers: every level there is, and what it tells of the first `depth` when one changes.
    #[derive(Default)]
    struct Venue {
        levels: BTreeMap<i64, u32>,
    }

    impl Venue {
        fn shown(&self, depth: usize) -> Vec<(i64, u32)> {
            self.levels.iter().take(depth).map(|(px, qty)| (*px, *qty)).collect()
        }

        /// Sets a price to a quantity and tells it: what leaves at the end is not said, what moves up from below is.
        fn set(&mut self, depth: usize, px: i64, qty: u32) -> Vec<(u8, u8, i64, u32)> {
            let before = self.shown(depth);
            let known = self.levels.get(&px).copied();
            if qty == 0 {
                self.levels.remove(&px)
            } else {
                self.levels.insert(px, qty)
            };
            let after = self.shown(depth);
            let at =
                |shown: &[(i64, u32)]| shown.iter().position(|level| level.0 == px).map(|at| at as u8 + 1);
            let mut told = Vec::new();
            match (at(&before), at(&after)) {
                (None, Some(level)) => told.push((action::NEW, level, px, qty)),
                (Some(level), Some(_)) => told.push((action::CHANGE, level, px, qty)),
                (Some(level), None) => {
                    told.push((action::DELETE, level, px, known.unwrap_or(0)));
                    if after.len() == depth {
                        let (px, qty) = after[depth - 1];
                        told.push((action::NEW, depth as u8, px, qty));
                    }
                }
                (None, None) => {}
            }
            told
        }
    }

    proptest! {
        /// Whatever a venue with more levels than it shows does: what the updates make of a plain book is the levels it shows.
        #[test]
        fn the_book_is_what_the_venue_shows(
            depth in 1_usize..=DEPTH_MAX,
            sets in prop::collection::vec((1_i64..16, 0_u32..4), 1..120),
        ) {
            let (mut venue, mut ladder, mut book) = (Venue::default(), Ladder::EMPTY, BTreeMap::new());
            for (px, qty) in sets {
                for (action, level, px, qty) in venue.set(depth, px, qty) {
                    let mut told = 0;
                    ladder
                        .update(Side::Ask, depth, (action, level), (Px(px), Qty(qty)), |px, qty| {
                            told += 1;
                            if qty.0 == 0 { book.remove(&px.0) } else { book.insert(px.0, qty.0) };
                        })
                        .unwrap();
                    prop_assert!(told <= 2);
                }
                let book: Vec<_> = book.iter().map(|(px, qty)| (*px, *qty)).collect();
                prop_assert_eq!(book, venue.shown(depth));
            }
        }

        /// Any updates in any order, as after a join or a loss: no price is left behind that no level has.
        #[test]
        fn a_price_that_no_level_has_is_gone(
            updates in prop::collection::vec((0_u8..6, 1_u8..=10, 1_i64..8, 1_u32..4), 1..60),
        ) {
            let (mut ladder, mut book) = (Ladder::EMPTY, BTreeMap::new());
            for (action, level, px, qty) in updates {
                ladder
                    .update(Side::Bid, 10, (action, level), (Px(px), Qty(qty)), |px, qty| {
                        if qty.0 == 0 { book.remove(&px) } else { book.insert(px, qty) };
                    })
                    .unwrap();
                let mut held: Vec<Px> = ladder.sides[Side::Bid.index()].into_iter().filter(|px| px.is_some()).collect();
                held.sort_unstable();
                held.dedup();
                prop_assert_eq!(book.keys().copied().collect::<Vec<_>>(), held);
            }
        }
    }

    #[test]
    fn what_no_book_has_is_refused() {
        let mut ladder = Ladder::EMPTY;
        let mut update = |action, level, px| {
            ladder.update(Side::Bid, 5, (action, level), (px, Qty(1)), |_, _| panic!("nothing changes"))
        };
        for (action, level) in [(action::NEW, 0), (action::NEW, 6), (action::CHANGE, 6), (6, 1), (255, 255)] {
            assert_eq!(update(action, level, Px(1)), Err(Damage::Field), "{action} {level}");
        }
        assert_eq!(update(action::NEW, 1, Px::NONE), Err(Damage::Field));
        assert_eq!(update(action::DELETE, 1, Px::NONE), Ok(Left::Whole));
        assert_eq!(update(action::DELETE_FROM, 3, Px::NONE), Ok(Left::Doubtful));
        assert_eq!(ladder.restore(Side::Bid, 0, Px(1)), Err(Damage::Field));
        assert_eq!(ladder.restore(Side::Bid, 11, Px(1)), Err(Damage::Field));
    }
}
