//! The prices about which the publisher of a reference has answered two questions ahead of every order: which tick they
//! have, and that no collar over a period forbids them. One comparison asks for both; a price outside is judged exactly,
//! apart.
//!
//! A window is rounded inwards to steps of 2^20 (about 0.001 of the currency), so that both its ends fit one word and
//! being inside says something, being outside nothing.

/// log2 of the steps.
const GRAIN: u32 = 20;

/// A range of prices, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window(u64);

impl Window {
    /// Holds no price.
    pub(crate) const NONE: Self = Self(0);

    #[inline(always)]
    pub(crate) const fn from_word(word: u64) -> Self {
        Self(word)
    }

    pub(crate) const fn word(self) -> u64 {
        self.0
    }

    /// Of the prices from `from` on and below `to`.
    pub(crate) fn inside(from: u64, to: u64) -> Self {
        let first = from.div_ceil(1 << GRAIN);
        let width = (to >> GRAIN).saturating_sub(first).min(u32::MAX.into());
        if first > u32::MAX.into() { Self::NONE } else { Self(width << u32::BITS | first) }
    }

    /// Whether it surely holds `px`.
    #[inline(always)]
    pub(crate) const fn holds(self, px: u64) -> bool {
        (px >> GRAIN).wrapping_sub(self.0 & u32::MAX as u64) < self.0 >> u32::BITS
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nothing_is_inside_of_nothing_and_everything_up_to_four_million_inside_of_everything() {
        for px in [0, 1, 1 << 30, u64::MAX] {
            assert!(
                !Window::NONE.holds(px) && !Window::inside(5, 5).holds(px) && !Window::inside(9, 5).holds(px)
            );
        }
        let all = Window::inside(0, u64::MAX);
        assert!(all.holds(0) && all.holds(4_000_000_000_000_000) && !all.holds(1 << 52));
        assert!(
            !Window::inside(1 << 52, u64::MAX).holds(1 << 53),
            "beyond what a word holds nothing is sure"
        );
        assert!(!Window::inside(1 << 52, u64::MAX).holds(1 << 30), "nor what lies far below");
        let last = u64::from(u32::MAX) << GRAIN;
        assert!(Window::inside(last, u64::MAX).holds(last));
    }

    proptest! {
        #[test]
        fn it_never_holds_a_price_outside_and_misses_less_than_a_step_inside(
            from in 0_u64..1 << 51, width in 0_u64..1 << 40, at in 0_u64..1 << 40, off in -3_i64..3,
        ) {
            let to = from + width;
            let window = Window::inside(from, to);
            for px in [from.saturating_add_signed(off), to.saturating_add_signed(off), from + at] {
                let inside = (from..to).contains(&px);
                prop_assert!(inside || !window.holds(px));
                let deep = from + (1 << GRAIN) <= px && px + (1 << GRAIN) < to;
                prop_assert!(!deep || window.holds(px));
            }
            prop_assert_eq!(Window::from_word(window.word()), window);
        }
    }
}
