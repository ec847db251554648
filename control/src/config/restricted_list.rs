//! The restricted list: a file of lines that say whose orders in an instrument are refused.
//!
//! A header names the columns: `symbol`, and then any of `account`, `desk`, `strategy` (at most one of them in a line; none is
//! everybody), `side` (`buy` or `sell`; none is both) and `reason`. The file is the list: nothing else is kept of it.

use super::error::ConfigErrors;
use super::list_file::{Columns, ListFile, lines_digest};
use super::scopes::DeclaredScopes;
use super::text::text_of;
use crate::names::{Name, Scope, SymbolName};
use gate::{AccountId, RestrictedTo, Restriction, StrategyId};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use types::Side;

const COLUMNS: Columns =
    Columns { first: &["symbol"], others: &["account", "desk", "strategy", "side", "reason"] };

/// Whose orders a line is about, in what.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct RestrictedLine {
    symbol: SymbolName,
    /// An account, a desk or a strategy; none is everybody.
    scope: Option<Scope>,
    /// Whether it is about buys or sells alone: `true` for buys; none is both.
    buys: Option<bool>,
}

impl std::fmt::Display for RestrictedLine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { symbol, scope, buys } = self;
        write!(f, "{symbol}")?;
        scope.iter().try_for_each(|scope| write!(f, " {scope}"))?;
        buys.iter().try_for_each(|buys| f.write_str(if *buys { " buy" } else { " sell" }))
    }
}

/// Whose orders of one side are refused in an instrument.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Who {
    everyone: bool,
    strategies: BTreeSet<Name>,
    accounts: BTreeSet<Name>,
}

impl Who {
    fn and(&mut self, other: &Self) {
        self.everyone |= other.everyone;
        self.strategies.extend(other.strategies.iter().cloned());
        self.accounts.extend(other.accounts.iter().cloned());
    }

    fn covers(&self, other: &Self) -> bool {
        self.everyone
            || !other.everyone
                && self.strategies.is_superset(&other.strategies)
                && self.accounts.is_superset(&other.accounts)
    }
}

/// Whose orders in one instrument are refused: of each desk its strategies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Restricted {
    buys: Who,
    sells: Who,
}

impl Restricted {
    /// What either refuses.
    #[must_use]
    pub fn and(mut self, other: &Self) -> Self {
        self.buys.and(&other.buys);
        self.sells.and(&other.sells);
        self
    }

    /// Whether everything that `other` refuses is refused.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        self.buys.covers(&other.buys) && self.sells.covers(&other.sells)
    }

    /// The same by the numbers of a gate. A name that has none stands for everybody: it must not open anything.
    #[must_use]
    pub fn numbered(
        &self,
        strategy: impl Fn(&Name) -> Option<StrategyId>,
        account: impl Fn(&Name) -> Option<AccountId>,
    ) -> Restriction {
        let mut all = Restriction::NONE;
        for (side, who) in [(Side::Bid, &self.buys), (Side::Ask, &self.sells)] {
            let strategies = who.strategies.iter().map(|name| strategy(name).map(RestrictedTo::Strategy));
            let accounts = who.accounts.iter().map(|name| account(name).map(RestrictedTo::Account));
            let everyone = who.everyone.then_some(Some(RestrictedTo::Everyone));
            for to in strategies.chain(accounts).chain(everyone) {
                all = all.and(side, to.unwrap_or(RestrictedTo::Everyone));
            }
        }
        all
    }
}

/// A whole, checked list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RestrictedList {
    lines: BTreeSet<RestrictedLine>,
    by_symbol: BTreeMap<SymbolName, Restricted>,
    digest: String,
}

impl RestrictedList {
    /// The list that `path` holds, for the accounts, desks and strategies of `scopes`. An instrument may be named before a feed
    /// does.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with its line, what was found and what was wanted.
    pub fn read(path: &Path, scopes: &DeclaredScopes) -> Result<Self, ConfigErrors> {
        let text = text_of(path).map_err(ConfigErrors)?;
        Self::parse(&path.display().to_string(), &text, scopes)
    }

    /// The same of `text`, which came from `source`.
    fn parse(source: &str, text: &str, scopes: &DeclaredScopes) -> Result<Self, ConfigErrors> {
        let (mut list, mut file) = (Self::default(), ListFile::of(source));
        file.read(text, &COLUMNS, |file, number, cells| {
            let Some(line) = line_of(file, number, cells, scopes) else { return };
            if list.lines.contains(&line) {
                return file.refuse(number, "", format!("{line} again"), "each line once");
            }
            list.add(line, scopes);
        });
        list.digest = blake3::hash(text.as_bytes()).to_hex().to_string();
        if file.errors.is_empty() { Ok(list) } else { Err(ConfigErrors(file.errors)) }
    }

    /// How many lines it has.
    #[must_use]
    pub fn count(&self) -> usize {
        self.lines.len()
    }

    /// BLAKE3 of the file, as `b3sum` says it; empty where there was none.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The same of its lines alone, in order: what it comes to, whatever file it came from.
    #[must_use]
    pub fn lines_digest(&self) -> String {
        lines_digest(self.lines.iter())
    }

    /// Instruments that it names.
    pub fn symbols(&self) -> impl Iterator<Item = SymbolName> {
        self.by_symbol.keys().copied()
    }

    /// Whose orders in an instrument are refused.
    #[must_use]
    pub fn of(&self, symbol: SymbolName) -> Restricted {
        self.by_symbol.get(&symbol).cloned().unwrap_or_default()
    }

    /// The lines of both, under the digest of this one.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let mut all = self.clone();
        all.lines.extend(other.lines.iter().cloned());
        for (symbol, restricted) in &other.by_symbol {
            let both = all.of(*symbol).and(restricted);
            all.by_symbol.insert(*symbol, both);
        }
        all
    }

    /// Whether everything that `other` refuses is refused.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        other.by_symbol.iter().all(|(symbol, restricted)| self.of(*symbol).covers(restricted))
    }

    /// Lines that `other` does not have.
    #[must_use]
    pub fn beyond(&self, other: &Self) -> Vec<String> {
        self.lines.difference(&other.lines).map(ToString::to_string).collect()
    }

    fn add(&mut self, line: RestrictedLine, scopes: &DeclaredScopes) {
        let mut who = Who::default();
        match &line.scope {
            None => who.everyone = true,
            Some(Scope::Account(name)) => drop(who.accounts.insert(name.clone())),
            Some(Scope::Strategy(name)) => drop(who.strategies.insert(name.clone())),
            Some(scope @ (Scope::Desk(_) | Scope::Trader(_))) => {
                who.strategies.extend(scopes.strategies_of(scope).cloned());
            }
            Some(Scope::Firm | Scope::Instrument(_)) => who.everyone = true,
        }
        let restricted = self.by_symbol.entry(line.symbol).or_default();
        if line.buys != Some(false) {
            restricted.buys.and(&who);
        }
        if line.buys != Some(true) {
            restricted.sells.and(&who);
        }
        self.lines.insert(line);
    }
}

/// The line of a file's cells; what is wrong with it goes to `file`.
fn line_of(
    file: &mut ListFile<'_>,
    number: u32,
    cells: &[(&str, &str)],
    scopes: &DeclaredScopes,
) -> Option<RestrictedLine> {
    let before = file.errors.len();
    let (mut symbol, mut scope, mut buys) = (None, None, None);
    for &(column, cell) in cells {
        match column {
            "symbol" => match cell.parse::<SymbolName>() {
                Ok(name) => symbol = Some(name),
                Err(wanted) => file.refuse(number, column, format!("{cell:?}"), wanted.to_string()),
            },
            "reason" => {}
            _ if cell.is_empty() => {}
            "side" => match cell {
                "buy" => buys = Some(true),
                "sell" => buys = Some(false),
                _ => {
                    let wanted = "buy, sell or an empty cell for both";
                    file.refuse(number, column, format!("{cell:?}"), wanted);
                }
            },
            kind if scope.is_some() => {
                let wanted = "at most one of account, desk and strategy in a line";
                file.refuse(number, kind, format!("{cell:?}"), wanted);
            }
            kind => scope = scope_of(file, number, kind, cell, scopes),
        }
    }
    let symbol = symbol.filter(|_| file.errors.len() == before)?;
    Some(RestrictedLine { symbol, scope, buys })
}

/// The declared scope of a cell.
fn scope_of(
    file: &mut ListFile<'_>,
    number: u32,
    kind: &str,
    cell: &str,
    scopes: &DeclaredScopes,
) -> Option<Scope> {
    let (declared, make): (Vec<&Name>, fn(Name) -> Scope) = match kind {
        "account" => (scopes.accounts.iter().collect(), Scope::Account),
        "desk" => (scopes.desks.iter().collect(), Scope::Desk),
        _ => (scopes.strategies.keys().collect(), Scope::Strategy),
    };
    file.declared(number, kind, cell, &declared).map(|name| make(name.clone()))
}
