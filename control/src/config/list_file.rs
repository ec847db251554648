//! The form of a list: a file of lines under a header that names their columns.

use super::error::{ConfigError, Origin, Problem};
use crate::names::Name;
use crate::suggest::nearest;
use std::fmt::Display;

/// Errors after which the rest of a file is not looked at: it is none.
const ERRORS_MAX: usize = 100;

/// Which columns a list has, in the order of the help.
pub(super) struct Columns {
    /// Those that each has, in this order.
    pub(super) first: &'static [&'static str],
    /// Those that one may have besides.
    pub(super) others: &'static [&'static str],
}

impl Columns {
    fn header(&self) -> String {
        let (first, others) = (self.first.join(", "), self.others.join(", "));
        format!("a header: {first}, and then any of {others}, each once")
    }

    fn are(&self, columns: &[&str]) -> bool {
        let twice = columns.iter().enumerate().any(|(n, key)| columns[..n].contains(key));
        let known = |key: &&str| self.first.contains(key) || self.others.contains(key);
        columns.starts_with(self.first) && !twice && columns.iter().all(known)
    }
}

/// BLAKE3 of the lines of a list, in order: what it comes to, whatever file it came from.
pub(super) fn lines_digest(lines: impl Iterator<Item: Display>) -> String {
    let mut hasher = blake3::Hasher::new();
    for line in lines {
        hasher.update(format!("{line}\n").as_bytes());
    }
    hasher.finalize().to_hex().to_string()
}

/// One file being read, and what is wrong with it.
pub(super) struct ListFile<'a> {
    source: &'a str,
    pub(super) errors: Vec<ConfigError>,
}

impl<'a> ListFile<'a> {
    pub(super) const fn of(source: &'a str) -> Self {
        Self { source, errors: Vec::new() }
    }

    pub(super) fn refuse(
        &mut self,
        line: u32,
        key: &str,
        found: impl Into<String>,
        wanted: impl Into<String>,
    ) {
        let problem = Problem::Value { found: found.into(), wanted: wanted.into(), nearest: None };
        self.push(line, key, problem);
    }

    fn push(&mut self, line: u32, key: &str, problem: Problem) {
        let origin = Origin { source: self.source.into(), line };
        self.errors.push(ConfigError { origin, key: key.to_owned(), problem });
    }

    /// The one of `declared` that a cell names.
    pub(super) fn declared<'n>(
        &mut self,
        line: u32,
        kind: &str,
        cell: &str,
        declared: &[&'n Name],
    ) -> Option<&'n Name> {
        let found = declared.iter().find(|name| name.as_str() == cell).copied();
        if found.is_none() {
            let names: Vec<&str> = declared.iter().map(|name| name.as_str()).collect();
            let nearest = nearest(cell, &names).map(str::to_owned);
            let wanted = format!("the name of a declared {kind} ([{kind}.NAME])");
            self.push(line, kind, Problem::Value { found: format!("{cell:?}"), wanted, nearest });
        }
        found
    }

    /// Hands `each` every line: its number, and its cells by their columns. Lines that begin with # say nothing.
    pub(super) fn read(
        &mut self,
        text: &str,
        columns: &Columns,
        mut each: impl FnMut(&mut Self, u32, &[(&str, &str)]),
    ) {
        let text = text.trim_start_matches('\u{feff}');
        let lines = (1_u32..).zip(text.lines());
        let mut lines = lines.filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'));
        let Some((number, first)) = lines.next() else {
            // A file that was made empty by accident must not be a list that says nothing of anybody.
            return self.refuse(1, "", "no line", columns.header());
        };
        let header: Vec<&str> = first.split(',').map(str::trim).collect();
        if !columns.are(&header) {
            return self.refuse(number, "", header.join(","), columns.header());
        }
        let mut last = number;
        for (number, line) in lines {
            last = number;
            let cells: Vec<&str> = line.split(',').map(str::trim).collect();
            if cells.len() != header.len() || line.contains('"') {
                let wanted =
                    format!("{} without quotes, as the header has, and no comma in a cell", header.len());
                self.refuse(number, "", format!("{} cells", cells.len()), wanted);
            } else {
                let cells: Vec<(&str, &str)> = header.iter().copied().zip(cells).collect();
                each(self, number, &cells);
            }
            if self.errors.len() >= ERRORS_MAX {
                return;
            }
        }
        if !text.ends_with('\n') {
            let found = "a last line without its end";
            self.refuse(last, "", found, "a line break at the end: the file may have been cut short");
        }
    }
}
