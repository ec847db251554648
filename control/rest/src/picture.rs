//! What the appliance said at one moment, ready to be sent.

use crate::doc::Doc;
use control::names::SymbolName;
use control::protocol::{Event, HopStatus, StatusReply, TierCell};
use serde::Serialize;
use std::sync::Arc;
use std::time::Instant;

/// One instrument, as all of them are listed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Instrument {
    /// Its name.
    pub(crate) symbol: SymbolName,
    /// `normal`, `elevated`, `high`, `critical`, or `unknown` without a score.
    pub(crate) tier: String,
    /// Calibrated score from 0 to 1, six decimals; none where there is none.
    pub(crate) score: Option<f64>,
    /// State of the book.
    pub(crate) book: String,
}

impl From<TierCell> for Instrument {
    fn from(TierCell(symbol, tier, score, book): TierCell) -> Self {
        Self { symbol, tier, score: score.parse().ok(), book }
    }
}

/// A page of instruments.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct InstrumentsPage<'a> {
    /// In order of name.
    pub(crate) rows: &'a [Instrument],
    /// What to ask after for the next page, when there is one.
    pub(crate) next: Option<SymbolName>,
}

/// How long each hop of the line takes.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Latency<'a> {
    /// In the order of the line.
    pub(crate) hops: &'a [HopStatus],
}

/// What is listed whole, by name; a stream says which of them are others now.
pub(crate) const LISTS: [&str; 4] = ["alerts", "breakers", "proposals", "sessions"];

/// What the appliance said at one moment.
#[derive(Debug)]
pub(crate) struct Picture {
    /// Its number, from 1.
    pub(crate) revision: u64,
    /// When it was asked for.
    pub(crate) taken: Instant,
    /// How the appliance is.
    pub(crate) status: StatusReply,
    /// The same, ready to be sent.
    pub(crate) status_doc: Doc,
    /// How long each hop takes.
    pub(crate) latency: Doc,
    /// [`LISTS`], in their order.
    pub(crate) lists: [Doc; LISTS.len()],
    /// All instruments, in order of name.
    pub(crate) instruments: Vec<Instrument>,
    /// Places of those that are others than in the picture before; none where some are gone, so that all are to be read anew.
    pub(crate) changed: Option<Vec<usize>>,
    /// What happened since the picture before, oldest first.
    pub(crate) events: Vec<Event>,
}

/// What is known of the appliance.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    /// The last picture.
    pub(crate) picture: Option<Arc<Picture>>,
    /// Why there is no newer one; none while all is well.
    pub(crate) failure: Option<String>,
}

/// Places of the instruments in `now` that are others in `before` or not there; none where some of `before` are gone. Both are in
/// order of name.
pub(crate) fn changes(before: &[Instrument], now: &[Instrument]) -> Option<Vec<usize>> {
    let mut changed = Vec::new();
    let mut old = before.iter().peekable();
    for (place, new) in now.iter().enumerate() {
        match old.peek() {
            Some(found) if found.symbol < new.symbol => return None,
            Some(found) if found.symbol == new.symbol => {
                if *found != new {
                    changed.push(place);
                }
                old.next();
            }
            _ => changed.push(place),
        }
    }
    old.next().is_none().then_some(changed)
}

/// The place of an instrument among those in order of name.
pub(crate) fn place_of(instruments: &[Instrument], symbol: SymbolName) -> Option<usize> {
    instruments.binary_search_by(|found| found.symbol.cmp(&symbol)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instruments(cells: &[(&str, &str)]) -> Vec<Instrument> {
        let cell = |(symbol, score): &(&str, &str)| {
            let word = |text: &str| text.to_owned();
            Instrument::from(TierCell(symbol.parse().unwrap(), word("normal"), word(score), word("live")))
        };
        cells.iter().map(cell).collect()
    }

    #[test]
    fn what_changed_is_found_and_what_is_gone_reads_all_anew() {
        let before = instruments(&[("A", "0.1"), ("B", "0.2"), ("D", "")]);
        for (now, wanted) in [
            (&[("A", "0.1"), ("B", "0.2"), ("D", "")][..], Some(vec![])),
            (&[("A", "0.1"), ("B", "0.3"), ("D", "0.1")], Some(vec![1, 2])),
            (&[("A", "0.1"), ("B", "0.2"), ("C", "0.5"), ("D", ""), ("E", "")], Some(vec![2, 4])),
            (&[("A", "0.1"), ("D", "")], None),
            (&[("A", "0.1"), ("B", "0.2")], None),
            (&[("B", "0.2"), ("D", "")], None),
            (&[], None),
        ] {
            assert_eq!(changes(&before, &instruments(now)), wanted, "{now:?}");
        }
        assert_eq!(changes(&[], &before), Some(vec![0, 1, 2]));
        let places = ["A", "B", "C", "D"].map(|symbol| place_of(&before, symbol.parse().unwrap()));
        assert_eq!(places, [Some(0), Some(1), None, Some(2)]);
    }
}
