//! The tiers of all instruments in one answer, for whoever draws them all.

use crate::names::SymbolName;
use serde::{Deserialize, Serialize};

/// Instruments in one answer. A row has at most 128 bytes (a symbol of eight characters that JSON escapes, the longest tier, score
/// and state of a book), so that a page stays under the largest message.
pub(crate) const TIER_MAP_ROWS: usize = 8_000;

/// One instrument, on the wire an array in this order: thousands of them are sent every second.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TierCell(
    /// The instrument.
    pub SymbolName,
    /// As in a [`super::TierRow`]: `normal`, `elevated`, `high`, `critical`, or `unknown` without a score.
    pub String,
    /// Calibrated score, six decimals; empty when there is none.
    pub String,
    /// State of the book.
    pub String,
);

/// A page of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TierMapPage {
    /// In order of instrument.
    pub cells: Vec<TierCell>,
    /// Where the next page starts, when there is one.
    pub next: Option<SymbolName>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{MESSAGE_BYTES_MAX, Outcome, PROTOCOL_VERSION, Reply, Response};

    #[test]
    fn the_largest_page_fits_a_message() {
        let worst = TierCell(
            "\"\\\"\\\"\\\"\\".parse().unwrap(),
            "critical".to_owned(),
            "1.000000".to_owned(),
            "stale (more executed than there was), and 20 more".to_owned(),
        );
        let page = TierMapPage { next: Some(worst.0), cells: vec![worst; TIER_MAP_ROWS] };
        let outcome = Outcome::Ok(Reply::TierMap(page));
        let response = Response { version: PROTOCOL_VERSION, id: u64::MAX, outcome };
        let bytes = serde_json::to_vec(&response).unwrap().len();
        assert!(bytes <= MESSAGE_BYTES_MAX, "{bytes}");
    }
}
