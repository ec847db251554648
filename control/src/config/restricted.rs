//! `[restricted]`: where the restricted list lies, and what it says at the start.

use super::check::Checker;
use super::restricted_list::RestrictedList;
use super::schema::Restricted;
use super::scopes::DeclaredScopes;
use std::path::PathBuf;

/// The restricted list of the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RestrictedPlan {
    /// The file; empty for none.
    pub file: PathBuf,
    /// What it says at the start.
    pub list: RestrictedList,
}

impl Checker<'_> {
    /// Reads the list: one that is named and cannot be had is as wrong as any other key.
    pub(super) fn restricted(&mut self, restricted: &Restricted, scopes: &DeclaredScopes) -> RestrictedPlan {
        let file = restricted.file.clone();
        if file.as_os_str().is_empty() {
            return RestrictedPlan::default();
        }
        let list = RestrictedList::read(&file, scopes).unwrap_or_else(|errors| {
            self.errors.extend(errors.0);
            RestrictedList::default()
        });
        RestrictedPlan { file, list }
    }
}
