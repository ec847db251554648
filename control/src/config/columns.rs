//! Comma-separated files as layers of the configuration: a row is a table, its columns are keys, and what is wrong with a cell is
//! said like what is wrong with a key, with the file and the line.

use super::error::{ConfigError, Origin, Problem};
use super::tree::{Node, Value};
use std::collections::BTreeMap;

/// What a file holds: tables named by the first column.
pub(super) struct Columns {
    /// The first column.
    pub(super) name: &'static str,
    /// The others, in any order, each of which may be left out.
    pub(super) keys: &'static [&'static str],
}

/// The tables of `text`, or everything that is wrong with its form.
pub(super) fn parse(columns: &Columns, source: &str, text: &str) -> Result<Node, Vec<ConfigError>> {
    let mut rows = Rows { source, tables: BTreeMap::new(), errors: Vec::new() };
    let lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'));
    let mut lines = lines.map(|(n, line)| (n, line.split(',').map(str::trim).collect::<Vec<_>>()));
    let Some((line, header)) = lines.next() else {
        rows.refuse(1, "no line", format!("a header: {}", columns.header()));
        return Err(rows.errors);
    };
    // A column that is there twice says two things of one key.
    let twice = header.iter().enumerate().any(|(n, key)| header.iter().take(n).any(|before| before == key));
    let known = header.iter().skip(1).all(|key| columns.keys.contains(key));
    if header.first() != Some(&columns.name) || twice || !known {
        rows.refuse(line, header.join(","), format!("a header of {}", columns.header()));
        return Err(rows.errors);
    }
    for (line, cells) in lines {
        rows.row(line, &header, &cells);
    }
    let Rows { tables, errors, .. } = rows;
    let origin = Origin { source: source.into(), line: 1 };
    if errors.is_empty() { Ok(Node { value: Value::Table(tables), origin }) } else { Err(errors) }
}

impl Columns {
    fn header(&self) -> String {
        format!("{}, and then any of {}, each once", self.name, self.keys.join(", "))
    }
}

struct Rows<'a> {
    source: &'a str,
    tables: BTreeMap<String, Node>,
    errors: Vec<ConfigError>,
}

impl Rows<'_> {
    fn refuse(&mut self, line: u32, found: impl Into<String>, wanted: impl Into<String>) {
        let problem = Problem::Value { found: found.into(), wanted: wanted.into(), nearest: None };
        let origin = Origin { source: self.source.into(), line };
        self.errors.push(ConfigError { origin, key: String::new(), problem });
    }

    fn row(&mut self, line: u32, header: &[&str], cells: &[&str]) {
        if cells.len() != header.len() {
            let wanted = format!("{}, as the header has, and no comma in a cell", header.len());
            return self.refuse(line, format!("{} cells", cells.len()), wanted);
        }
        if let Some(cell) = cells.iter().find(|cell| cell.contains('"')) {
            return self.refuse(line, *cell, "a cell without quotes");
        }
        let name = cells.first().copied().unwrap_or_default();
        if name.is_empty() || self.tables.contains_key(name) {
            let wanted = format!("a {} that no other line has", header.first().copied().unwrap_or_default());
            return self.refuse(line, format!("{name:?}"), wanted);
        }
        let origin = Origin { source: self.source.into(), line };
        let node = |cell: &str| Node { value: Value::Text(cell.to_owned()), origin: origin.clone() };
        let keys = header.iter().zip(cells).skip(1).filter(|(_, cell)| !cell.is_empty());
        let table = keys.map(|(key, cell)| ((*key).to_owned(), node(cell))).collect();
        self.tables.insert(name.to_owned(), Node { value: Value::Table(table), origin });
    }
}
