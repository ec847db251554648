//! The lists that one command reads anew: the restricted list and the locates.

use super::error::ConfigErrors;
use super::locate_list::{LocateList, Locates};
use super::locates::LocatePlan;
use super::restricted::RestrictedPlan;
use super::restricted_list::{Restricted, RestrictedList};
use super::scopes::DeclaredScopes;
use crate::names::SymbolName;
use gate::ProfitRules;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Where the lists lie, and when the days of their dates end.
#[derive(Clone, Debug)]
pub struct ListFiles {
    restricted: PathBuf,
    locates: PathBuf,
    days: ProfitRules,
}

fn named(file: &Path) -> Option<&Path> {
    Some(file).filter(|file| !file.as_os_str().is_empty())
}

impl ListFiles {
    /// Those of a configuration.
    #[must_use]
    pub fn of(restricted: &RestrictedPlan, locates: &LocatePlan, days: ProfitRules) -> Self {
        Self { restricted: restricted.file.clone(), locates: locates.file.clone(), days }
    }

    /// The restricted list's; none where there is no such list.
    #[must_use]
    pub fn restricted(&self) -> Option<&Path> {
        named(&self.restricted)
    }

    /// That of the locates; none where nobody is held to them.
    #[must_use]
    pub fn locates(&self) -> Option<&Path> {
        named(&self.locates)
    }

    /// All there are.
    pub fn all(&self) -> impl Iterator<Item = &Path> {
        self.restricted().into_iter().chain(self.locates())
    }

    /// Reads all of them, for the names of `scopes`.
    ///
    /// # Errors
    /// Everything that is wrong with any.
    pub fn read(&self, scopes: &DeclaredScopes) -> Result<ListSet, ConfigErrors> {
        let restricted = self.restricted().map(|file| RestrictedList::read(file, scopes)).transpose();
        let locates = self.locates().map(|file| LocateList::read(file, scopes, &self.days)).transpose();
        match (restricted, locates) {
            (Ok(restricted), Ok(locates)) => Ok(ListSet {
                restricted: restricted.unwrap_or_default(),
                locates: locates.unwrap_or_default(),
            }),
            (restricted, locates) => {
                let both = restricted.err().into_iter().chain(locates.err());
                Err(ConfigErrors(both.flat_map(|errors| errors.0).collect()))
            }
        }
    }
}

/// What the lists say together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListSet {
    /// Whose orders are refused in what.
    pub restricted: RestrictedList,
    /// Who may be short of how much of what.
    pub locates: LocateList,
}

impl ListSet {
    /// What is refused by either, under the digests of this one.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        Self { restricted: self.restricted.and(&other.restricted), locates: self.locates.and(&other.locates) }
    }

    /// Whether everything that `other` refuses is refused.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        self.restricted.covers(&other.restricted) && self.locates.covers(&other.locates)
    }

    /// Instruments that any of them names.
    #[must_use]
    pub fn symbols(&self) -> BTreeSet<SymbolName> {
        self.restricted.symbols().chain(self.locates.symbols()).collect()
    }

    /// What they say of one instrument.
    #[must_use]
    pub fn of(&self, symbol: SymbolName) -> (Restricted, Locates) {
        (self.restricted.of(symbol), self.locates.of(symbol))
    }
}
