//! An event to come, as whoever looks at it ahead hands it to whoever applies it.

use types::BookEvent;

use crate::order_table::Spot;

/// An event to come, and where the order it names belongs.
#[derive(Clone, Copy, Debug)]
pub struct Coming<'e> {
    event: &'e BookEvent,
    spot: Spot,
}

impl<'e> Coming<'e> {
    #[inline(always)]
    pub(crate) const fn new(event: &'e BookEvent, spot: Spot) -> Self {
        Self { event, spot }
    }

    /// The event itself.
    #[inline(always)]
    #[must_use]
    pub const fn event(&self) -> &'e BookEvent {
        self.event
    }

    #[inline(always)]
    pub(crate) const fn spot(&self) -> Spot {
        self.spot
    }
}
