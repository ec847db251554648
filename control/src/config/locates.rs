//! `[locates]`: where the list of locates lies, and what it says at the start.

use super::check::Checker;
use super::locate_list::LocateList;
use super::schema;
use super::scopes::DeclaredScopes;
use gate::ProfitRules;
use std::path::PathBuf;

/// The list of locates of the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LocatePlan {
    /// The file; empty where nobody is held to locates.
    pub file: PathBuf,
    /// What it says at the start.
    pub list: LocateList,
}

impl LocatePlan {
    /// Whether sells are held to what is located.
    #[must_use]
    pub fn is_on(&self) -> bool {
        !self.file.as_os_str().is_empty()
    }
}

impl Checker<'_> {
    /// Reads the list: one that is named and cannot be had is as wrong as any other key.
    pub(super) fn locates(
        &mut self,
        locates: &schema::Locates,
        scopes: &DeclaredScopes,
        days: &ProfitRules,
    ) -> LocatePlan {
        let file = locates.file.clone();
        if file.as_os_str().is_empty() {
            return LocatePlan::default();
        }
        let list = LocateList::read(&file, scopes, days).unwrap_or_else(|errors| {
            self.errors.extend(errors.0);
            LocateList::default()
        });
        LocatePlan { file, list }
    }
}
