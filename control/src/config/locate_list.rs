//! The list of locates: a file of lines that say how much of an instrument an account may be short of.
//!
//! A header names the columns: `account`, `symbol`, `quantity`, and then any of `expiry` (the last trading day on which it holds; none
//! is for ever) and `reason`. An account `*` is each that has no line of its own for the symbol. What no line locates is zero.

use super::error::ConfigErrors;
use super::list_file::{Columns, ListFile, lines_digest};
use super::scopes::DeclaredScopes;
use super::text::text_of;
use crate::names::{Name, SymbolName};
use crate::stamp::{date_text, parse_date};
use gate::{Located, ProfitRules, TradeDate};
use std::collections::BTreeMap;
use std::path::Path;
use types::{Qty, UnixNanos};

const COLUMNS: Columns = Columns { first: &["account", "symbol", "quantity"], others: &["expiry", "reason"] };

/// Every account that has no line of its own.
const EVERYONE: &str = "*";

/// What one line locates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Locate {
    located: Located,
    /// The last day on which it holds; none for ever.
    last_day: Option<TradeDate>,
}

impl Locate {
    const NOTHING: Self =
        Self { located: Located { qty: Qty(0), until: UnixNanos(u64::MAX) }, last_day: None };

    /// What both locate.
    fn and(self, other: Self) -> Self {
        let qty = self.located.qty.min(other.located.qty);
        let sooner = if other.located.until < self.located.until { other } else { self };
        Self { located: Located { qty, ..sooner.located }, last_day: sooner.last_day }
    }

    /// Whether it locates no more than `other`.
    fn covers(&self, other: &Self) -> bool {
        let Located { qty, until } = self.located;
        qty.0 == 0 || qty <= other.located.qty && until <= other.located.until
    }
}

/// How much of one instrument each account may be short of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Locates {
    /// Of those that have no line of their own; none is nothing.
    everyone: Option<Locate>,
    accounts: BTreeMap<Name, Locate>,
}

impl Locates {
    fn of_account(&self, account: &Name) -> Locate {
        self.accounts.get(account).or(self.everyone.as_ref()).copied().unwrap_or(Locate::NOTHING)
    }

    /// How much an account may be short of; none is one that has no name of a configuration.
    #[must_use]
    pub fn of(&self, account: Option<&Name>) -> Located {
        let everyone = || self.everyone.unwrap_or(Locate::NOTHING);
        account.map_or_else(everyone, |account| self.of_account(account)).located
    }

    /// What both locate.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let names = self.accounts.keys().chain(other.accounts.keys());
        let both = |name: &Name| (name.clone(), self.of_account(name).and(other.of_account(name)));
        Self {
            everyone: self.everyone.zip(other.everyone).map(|(one, other)| one.and(other)),
            accounts: names.map(both).collect(),
        }
    }

    /// Whether nobody has more located than by `other`.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        let mut names = self.accounts.keys().chain(other.accounts.keys());
        let rest = |everyone: Option<Locate>| everyone.unwrap_or(Locate::NOTHING);
        rest(self.everyone).covers(&rest(other.everyone))
            && names.all(|name| self.of_account(name).covers(&other.of_account(name)))
    }

    /// Its lines, as people read them.
    fn lines(&self, symbol: SymbolName) -> impl Iterator<Item = String> {
        let everyone = self.everyone.iter().map(|locate| (EVERYONE, locate));
        let named = self.accounts.iter().map(|(name, locate)| (name.as_str(), locate));
        everyone.chain(named).map(move |(account, locate)| {
            let qty = locate.located.qty.0;
            match locate.last_day {
                None => format!("{account} {symbol} {qty}"),
                Some(day) => format!("{account} {symbol} {qty} until {}", date_text(day)),
            }
        })
    }
}

/// A whole, checked list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LocateList {
    by_symbol: BTreeMap<SymbolName, Locates>,
    digest: String,
}

impl LocateList {
    /// The list that `path` holds, for the accounts of `scopes` and days that begin as `days` says. An instrument may be named before a
    /// feed does.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with its line, what was found and what was wanted.
    pub fn read(path: &Path, scopes: &DeclaredScopes, days: &ProfitRules) -> Result<Self, ConfigErrors> {
        let text = text_of(path).map_err(ConfigErrors)?;
        let source = path.display().to_string();
        let (mut list, mut file) = (Self::default(), ListFile::of(&source));
        file.read(&text, &COLUMNS, |file, number, cells| {
            let Some((account, symbol, locate)) = line_of(file, number, cells, scopes, days) else { return };
            if list.add(account, symbol, locate).is_none() {
                file.refuse(number, "", "the account's second line for the symbol", "one");
            }
        });
        list.digest = blake3::hash(text.as_bytes()).to_hex().to_string();
        if file.errors.is_empty() { Ok(list) } else { Err(ConfigErrors(file.errors)) }
    }

    /// None where there is such a line already.
    fn add(&mut self, account: Option<Name>, symbol: SymbolName, locate: Locate) -> Option<()> {
        let locates = self.by_symbol.entry(symbol).or_default();
        let before = match account {
            None => locates.everyone.replace(locate),
            Some(account) => locates.accounts.insert(account, locate),
        };
        before.is_none().then_some(())
    }

    /// How many lines it has.
    #[must_use]
    pub fn count(&self) -> usize {
        self.lines().count()
    }

    fn lines(&self) -> impl Iterator<Item = String> {
        self.by_symbol.iter().flat_map(|(symbol, locates)| locates.lines(*symbol))
    }

    /// BLAKE3 of the file, as `b3sum` says it; empty where there was none.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The same of its lines alone, in order: what it comes to, whatever file it came from.
    #[must_use]
    pub fn lines_digest(&self) -> String {
        lines_digest(self.lines())
    }

    /// Instruments that it names.
    pub fn symbols(&self) -> impl Iterator<Item = SymbolName> {
        self.by_symbol.keys().copied()
    }

    /// How much each account may be short of an instrument.
    #[must_use]
    pub fn of(&self, symbol: SymbolName) -> Locates {
        self.by_symbol.get(&symbol).cloned().unwrap_or_default()
    }

    /// What both locate, under the digest of this one.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        // An instrument that one of them does not name has nothing located.
        let both = self.symbols().filter(|symbol| other.by_symbol.contains_key(symbol));
        let by_symbol = both.map(|symbol| (symbol, self.of(symbol).and(&other.of(symbol)))).collect();
        Self { by_symbol, digest: self.digest.clone() }
    }

    /// Whether nobody has more located of anything than by `other`.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        self.by_symbol.iter().all(|(symbol, locates)| locates.covers(&other.of(*symbol)))
    }

    /// Lines that `other` does not have.
    #[must_use]
    pub fn beyond(&self, other: &Self) -> Vec<String> {
        let others: std::collections::BTreeSet<String> = other.lines().collect();
        self.lines().filter(|line| !others.contains(line)).collect()
    }
}

/// Whose line it is, none for everyone's, of what, and what it locates; what is wrong with it goes to `file`.
fn line_of(
    file: &mut ListFile<'_>,
    number: u32,
    cells: &[(&str, &str)],
    scopes: &DeclaredScopes,
    days: &ProfitRules,
) -> Option<(Option<Name>, SymbolName, Locate)> {
    let before = file.errors.len();
    let accounts: Vec<&Name> = scopes.accounts.iter().collect();
    let (mut account, mut symbol, mut located) = (None, None, Locate::NOTHING);
    for &(column, cell) in cells {
        match column {
            "account" if cell == EVERYONE => {}
            "account" => account = file.declared(number, column, cell, &accounts).cloned(),
            "symbol" => match cell.parse::<SymbolName>() {
                Ok(name) => symbol = Some(name),
                Err(wanted) => file.refuse(number, column, format!("{cell:?}"), wanted.to_string()),
            },
            "quantity" => match cell.parse() {
                Ok(qty) => located.located.qty = Qty(qty),
                Err(_) => {
                    file.refuse(number, column, format!("{cell:?}"), "a whole number from 0 to 4294967295");
                }
            },
            "expiry" if !cell.is_empty() => match parse_date(cell) {
                Some(day) => (located.last_day, located.located.until) = (Some(day), days.ends(day)),
                None => {
                    let wanted = "a trading day such as 2026-11-27, or an empty cell for no end";
                    file.refuse(number, column, format!("{cell:?}"), wanted);
                }
            },
            _ => {}
        }
    }
    let symbol = symbol.filter(|_| file.errors.len() == before)?;
    Some((account, symbol, located))
}
