//! The states of books, in words and counted.

use crate::backend::InstrumentView;
use crate::protocol::BookGroup;
use types::{BookState, StaleCause};

/// Symbols named of a state's books: all but of a market, whose rest `tier show` names.
const NAMED_MAX: usize = 200;

/// A book's state in words.
pub(super) const fn book_word(book: BookState) -> &'static str {
    match book {
        BookState::Empty => "empty",
        BookState::Live => "live",
        BookState::Recovering => "recovering",
        BookState::Stale(StaleCause::Gap) => "stale (gap)",
        BookState::Stale(StaleCause::TableFull) => "stale (table full)",
        BookState::Stale(StaleCause::SessionChange) => "stale (session change)",
        BookState::Stale(StaleCause::Joined) => "stale (joined in mid-session)",
        BookState::Stale(StaleCause::UnknownOrders) => "stale (unknown orders)",
        BookState::Stale(StaleCause::OverExecution) => "stale (more executed than there was)",
        BookState::Stale(StaleCause::DuplicateOrder) => "stale (duplicate order)",
        BookState::Stale(StaleCause::MixedLocate) => "stale (locate number of two instruments)",
        BookState::Stale(StaleCause::Silent) => "stale (its feed is silent)",
        BookState::Stale(StaleCause::Contradicted) => "stale (its feed contradicts itself)",
        BookState::Stale(StaleCause::Late) => "stale (its feed is late)",
    }
}

/// How many books are in each state, and the first of those that wait to be whole.
pub(super) fn book_groups(views: &[InstrumentView]) -> Vec<BookGroup> {
    let mut groups: Vec<(u8, BookGroup)> = Vec::new();
    for view in views {
        let key = view.book.to_u8();
        let at = groups.iter().position(|(k, _)| *k == key).unwrap_or_else(|| {
            groups.push((key, BookGroup { state: book_word(view.book).to_owned(), ..BookGroup::default() }));
            groups.len() - 1
        });
        let group = &mut groups[at].1;
        group.count += 1;
        if !view.book.is_live() && group.symbols.len() < NAMED_MAX {
            group.symbols.push(view.symbol);
        }
    }
    // The live ones first, then by state.
    groups.sort_by_key(|(key, _)| (*key != BookState::Live.to_u8(), *key));
    groups.into_iter().map(|(_, group)| group).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_that_waits_is_named() {
        let effective = *crate::config::load(&[], &[]).unwrap().limits.envelope("S".parse().unwrap()).base();
        let view = |at: usize, book| InstrumentView {
            symbol: format!("S{at}").parse().unwrap(),
            effective,
            source: gate::LimitsSource::Static,
            tier: types::Tier::Normal,
            score: None,
            tier_since: None,
            book,
            feed: String::new(),
            trading: types::TradingStatus::Trading,
            has_reference: true,
            drivers: Vec::new(),
        };
        let joined = BookState::Stale(StaleCause::Joined);
        let views: Vec<_> =
            (0..12).map(|at| view(at, if at < 9 { joined } else { BookState::Live })).collect();
        let groups = book_groups(&views);
        let of = |group: &BookGroup| (group.state.clone(), group.count, group.symbols.len());
        let states: Vec<_> = groups.iter().map(of).collect();
        assert_eq!(states, [("live".to_owned(), 3, 0), ("stale (joined in mid-session)".to_owned(), 9, 9)]);
    }

    #[test]
    fn every_state_has_its_own_words() {
        let words: std::collections::BTreeSet<_> =
            (0..=u8::MAX).filter_map(BookState::from_u8).map(book_word).collect();
        assert_eq!(words.len(), 3 + StaleCause::ALL.len());
    }
}
