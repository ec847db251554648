//! What every check of the configuration is made of: a finding with its key, its origin, what was found and what was wanted.

use super::error::{ConfigError, Problem};
use super::tree::{Node, Step, dotted};
use std::fmt::Display;

/// Collects what is wrong.
pub(super) struct Checker<'a> {
    pub(super) tree: &'a Node,
    pub(super) errors: Vec<ConfigError>,
}

/// The way to a key written with dots; no part of it holds a dot.
pub(super) fn way(dots: &str) -> Vec<Step> {
    dots.split('.').map(|key| Step::Key(key.to_owned())).collect()
}

impl Checker<'_> {
    pub(super) fn refuse(&mut self, path: &[Step], found: impl Display, wanted: impl Display) {
        let problem = Problem::Value { found: found.to_string(), wanted: wanted.to_string(), nearest: None };
        self.errors.push(ConfigError { origin: self.tree.origin_near(path), key: dotted(path), problem });
    }

    pub(super) fn equal(&mut self, key: &str, found: u32, wanted: u32) {
        if found != wanted {
            self.refuse(&way(key), found, format!("{wanted}, the version this build reads"));
        }
    }

    pub(super) fn range(&mut self, key: &str, found: u32, least: u32, most: u32) {
        if !(least..=most).contains(&found) {
            self.refuse(&way(key), found, format!("a whole number from {least} to {most}"));
        }
    }

    pub(super) fn depth(&mut self, key: &str, found: u32) {
        if !found.is_power_of_two() || !(64..=1 << 24).contains(&found) {
            self.refuse(&way(key), found, "a power of two from 64 to 16777216");
        }
    }
}
