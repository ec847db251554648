//! One order and what both gates of the demo said.

use crate::markout::Markout;
use crate::order_path::Answer;
use types::{Px, Side, UnixNanos};

/// Order of the two gates and their gateways.
pub(crate) const STATIC: usize = 0;
pub(crate) const ADAPTIVE: usize = 1;

/// One order and what both gates said.
#[derive(Clone, Debug)]
pub(crate) struct Judged {
    pub(crate) ts: UnixNanos,
    pub(crate) cl_ord_id: String,
    pub(crate) strategy: String,
    pub(crate) symbol: String,
    pub(crate) side: Side,
    pub(crate) qty: u32,
    pub(crate) px: Px,
    /// `accept`, or the slug of the reason.
    pub(crate) fixed: String,
    pub(crate) adaptive: String,
    pub(crate) sentence: String,
    /// What it would have come to, had it been sent; measured for those that the adaptive gate alone stopped.
    pub(crate) markout: Option<Markout>,
    /// What the firm was told of it, by gateway.
    pub(crate) answers: [Answer; 2],
}

impl Judged {
    /// What one of the gates said: `accept`, or the slug of the reason.
    pub(crate) fn outcome(&self, gate: usize) -> &str {
        if gate == STATIC { &self.fixed } else { &self.adaptive }
    }

    /// Whether the adaptive gate alone stopped it.
    pub(crate) fn is_stopped(&self) -> bool {
        self.fixed == "accept" && self.adaptive != "accept"
    }
}
