//! What breaks a rule today. The lists only shrink: what is mended must leave, and nothing may join.

use std::collections::BTreeSet;

/// Fails unless `found` is exactly what is `pending`.
pub(crate) fn only_pending(rule: &str, found: &BTreeSet<String>, pending: &[&str]) {
    let known: BTreeSet<String> = pending.iter().map(ToString::to_string).collect();
    assert_eq!(known.len(), pending.len(), "{rule}: the list names something twice");
    let new: Vec<_> = found.difference(&known).collect();
    let mended: Vec<_> = known.difference(found).collect();
    assert!(new.is_empty(), "{rule}: {new:#?}");
    assert!(mended.is_empty(), "{rule}: mended, so remove it from the list: {mended:#?}");
}

/// Functions longer than 70 lines, by file and name.
pub(crate) const LONG_FUNCTIONS: &[&str] = &[];

/// Files longer than 500 lines without their tests.
pub(crate) const LONG_FILES: &[&str] = &[];

/// Files in a circle, and modules (by their own file) that are in one as a whole.
pub(crate) const CIRCLES: &[&str] = &[];

/// Public items without a caller that ships, by file and name.
pub(crate) const WITHOUT_CALLERS: &[&str] = &[];

/// Citations of what is not in the repository, by citing file.
pub(crate) const CITATIONS: &[&str] = &[];

/// Stages made in more than one file.
pub(crate) const STAGES: &[&str] = &[];
