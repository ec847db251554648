//! Markouts: what an order that was not sent would have cost to get into, and what it would have been worth afterwards, by the
//! capture it was meant for.
//!
//! An order that crosses the spread takes the whole book's levels down to its limit, and what is left of it is cancelled. One that
//! rests is filled whole at its price when the quote crosses it within five seconds, as in a replay: whoever stood before it in the
//! queue is left out. Each order is measured alone, against the book as it was: the market does not answer it, so its impact is the
//! least it would have been.
//!
//! Impact is what an order pays against the mid at which it leaves: half the spread, and the slippage beyond the best price, which
//! here is the walk through the book.

mod value;
mod watch;

pub(crate) use value::{Gain, MARKS, Mark, Markout};
pub(crate) use watch::{MARK_NAMES, measure};
