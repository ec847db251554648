//! Checks of `[book.tick]` and `[book.tick_table]`: tick sizes, by price where they differ.

use super::check::{Checker, way};
use super::schema;
use super::schema_firm;
use super::tree::Step;
use crate::amount::Amount;
use crate::names::Name;
use std::collections::BTreeMap;
use types::{FeedKind, Px, Symbol, TICK_STEPS_MAX, TickStep, TickTable, TickTableError, TickTableId};

/// The tick sizes that make sense, in units of 1e-9: a millionth to a thousand.
const TICKS: std::ops::RangeInclusive<i128> = 1_000..=1_000 * Amount::SCALE;

/// The highest price a step may begin at, in units of 1e-9: more than any share was ever worth.
const FROM_MAX: i128 = 100_000_000 * Amount::SCALE;

/// What one instrument's prices are multiples of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TickChoice {
    /// The same at every price.
    Uniform(Px),
    /// What the table of this number says.
    Table(TickTableId),
}

/// The ticks of all instruments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TickPlan {
    /// The tables that [`TickTableId`]s number.
    pub tables: Vec<TickTable>,
    /// Instruments with ticks of their own.
    pub by_symbol: BTreeMap<Symbol, TickChoice>,
    by_feed: Vec<(Name, FeedKind, TickTableId)>,
}

impl TickPlan {
    /// The table of a feed's other instruments: that of the first `[[feed]]` of its kind, where it names one.
    #[must_use]
    pub fn of_feed(&self, kind: FeedKind) -> TickTableId {
        let named = self.by_feed.iter().find(|(_, of, _)| *of == kind);
        named.map_or(kind.tick_table(), |(_, _, table)| *table)
    }

    /// The table of the other instruments of one feed of the appliance: the one that it names, or its protocol's own.
    #[must_use]
    pub fn of_this_feed(&self, feed: &schema::Feed) -> TickTableId {
        let named = self.by_feed.iter().find(|(of, _, _)| *of == feed.name);
        named.map_or(feed.kind.tick_table(), |(_, _, table)| *table)
    }
}

impl Checker<'_> {
    pub(super) fn ticks(&mut self, config: &schema::Config) -> TickPlan {
        let (book, feeds) = (&config.book, &config.feed);
        let mut tables = TickTable::BUILT_IN.to_vec();
        let mut names: BTreeMap<&Name, TickTableId> = BTreeMap::new();
        for (name, rows) in &book.tick_table {
            if let Some(table) = self.tick_table(name, rows) {
                names.insert(name, TickTableId::of(tables.len()));
                tables.push(table);
            }
        }
        if tables.len() > TickTableId::COUNT_MAX {
            let most = TickTableId::COUNT_MAX - TickTable::BUILT_IN.len();
            self.refuse(
                &way("book.tick_table"),
                format!("{} tables", book.tick_table.len()),
                format!("at most {most}"),
            );
        }
        let mut by_symbol = BTreeMap::new();
        let place = |keys: &[&str]| keys.iter().map(|key| Step::Key((*key).to_owned())).collect::<Vec<_>>();
        let beside = book
            .tick
            .iter()
            .map(|(symbol, tick)| (symbol, tick, place(&["book", "tick", &symbol.to_string()])));
        let own = config.instrument.iter().filter_map(|(symbol, instrument)| {
            let tick = instrument.tick.as_ref()?;
            Some((symbol, tick, place(&["instrument", &symbol.to_string(), "tick"])))
        });
        for (symbol, tick, path) in beside.chain(own) {
            if by_symbol.contains_key(&symbol.symbol()) {
                self.refuse(&path, "a second tick", format!("one: [book.tick] has {symbol} too"));
            }
            let choice = match tick {
                schema_firm::TickOf::Amount(tick) if TICKS.contains(&tick.raw()) => {
                    Some(TickChoice::Uniform(px(*tick)))
                }
                schema_firm::TickOf::Amount(tick) => {
                    self.refuse(&path, tick, "an amount from 0.000001 to 1000");
                    None
                }
                schema_firm::TickOf::Table(name) => {
                    self.named(&path, name, book, &names).map(TickChoice::Table)
                }
            };
            by_symbol.extend(choice.map(|choice| (symbol.symbol(), choice)));
        }
        let mut by_feed = Vec::new();
        for (index, feed) in feeds.iter().enumerate() {
            let path = Step::into_row("feed", index, "tick_table");
            let table = feed.tick_table.as_ref().and_then(|name| self.named(&path, name, book, &names));
            by_feed.extend(table.map(|table| (feed.name.clone(), feed.kind, table)));
        }
        TickPlan { tables, by_symbol, by_feed }
    }

    fn tick_table(&mut self, name: &Name, rows: &[(Amount, Amount)]) -> Option<TickTable> {
        let mut path = way("book.tick_table");
        path.push(Step::Key(name.to_string()));
        if name.as_str().parse::<Amount>().is_ok() {
            self.refuse(&path, format!("\"{name}\""), "a name that cannot be read as an amount");
            return None;
        }
        for (index, (from, tick)) in rows.iter().enumerate() {
            path.push(Step::Index(index));
            if !TICKS.contains(&tick.raw()) || from.raw() > FROM_MAX {
                let found = format!("[{from}, {tick}]");
                self.refuse(&path, found, "a price up to 100000000 and a tick from 0.000001 to 1000");
                return None;
            }
            path.pop();
        }
        let steps: Vec<_> =
            rows.iter().map(|(from, tick)| TickStep { from: px(*from), tick: px(*tick) }).collect();
        match TickTable::new(&steps) {
            Ok(table) => Some(table),
            Err(TickTableError::Count) => {
                self.refuse(&path, format!("{} steps", rows.len()), format!("1 to {TICK_STEPS_MAX} steps"));
                None
            }
            Err(error) => {
                let rows: Vec<_> = rows.iter().map(|(from, tick)| format!("[{from}, {tick}]")).collect();
                self.refuse(&path, rows.join(", "), error);
                None
            }
        }
    }

    /// The table of that name; an error where there is none, unless the table has one of its own.
    fn named(
        &mut self,
        path: &[Step],
        name: &Name,
        book: &schema::Book,
        names: &BTreeMap<&Name, TickTableId>,
    ) -> Option<TickTableId> {
        if !book.tick_table.contains_key(name) {
            let wanted = format!("an amount, or a table that is declared under [book.tick_table] as {name}");
            self.refuse(path, format!("\"{name}\""), wanted);
        }
        names.get(name).copied()
    }
}

/// An amount, checked to be a price.
fn px(amount: Amount) -> Px {
    i64::try_from(amount.raw()).map_or(Px::NONE, Px)
}
