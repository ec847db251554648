//! The layers (built-in defaults, files, `--set`) as one tree in which every value remembers where it was written.

use super::error::{ConfigError, Origin, Problem};
use std::collections::BTreeMap;
use std::sync::Arc;
use toml::de::{DeTable, DeValue};

/// A value and its origin.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) value: Value,
    pub(crate) origin: Origin,
}

#[derive(Clone, Debug)]
pub(crate) enum Value {
    Text(String),
    Integer(i64),
    Float(f64),
    Boolean(bool),
    Array(Vec<Node>),
    Table(BTreeMap<String, Node>),
    /// An element of an array that was found wrong and set aside; its neighbours keep their indices.
    SetAside,
}

/// One step on the way to a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Key(String),
    Index(usize),
}

impl Step {
    /// The way to `key` in a table of a list of them, as `feed[0].cpu`.
    pub(crate) fn into_row(list: &str, index: usize, key: &str) -> [Self; 3] {
        [Self::Key(list.to_owned()), Self::Index(index), Self::Key(key.to_owned())]
    }
}

/// The way as people write it: `feed[0].line_a`.
pub(crate) fn dotted(path: &[Step]) -> String {
    let mut out = String::new();
    for step in path {
        match step {
            Step::Key(key) => {
                let bare = key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
                let dot = if out.is_empty() { "" } else { "." };
                out.push_str(&if bare && !key.is_empty() {
                    format!("{dot}{key}")
                } else {
                    format!("{dot}{key:?}")
                });
            }
            Step::Index(index) => out.push_str(&format!("[{index}]")),
        }
    }
    out
}

impl Node {
    /// The node at `path`, if it exists.
    pub(crate) fn find(&self, path: &[Step]) -> Option<&Self> {
        path.iter().try_fold(self, |node, step| match (&node.value, step) {
            (Value::Table(table), Step::Key(key)) => table.get(key),
            (Value::Array(items), Step::Index(index)) => items.get(*index),
            _ => None,
        })
    }

    /// The origin of the nearest existing node on the way to `path`.
    pub(crate) fn origin_near(&self, path: &[Step]) -> Origin {
        let mut length = path.len();
        loop {
            match self.find(&path[..length]) {
                Some(node) => return node.origin.clone(),
                None => length = length.saturating_sub(1),
            }
        }
    }

    /// Replaces the node at `path`, or removes it; an element of an array is set aside rather than removed.
    pub(crate) fn put(&mut self, path: &[Step], node: Option<Self>) {
        let Some((last, parents)) = path.split_last() else { return };
        let Some(parent) = parents.iter().try_fold(self, |at, step| match (&mut at.value, step) {
            (Value::Table(table), Step::Key(key)) => table.get_mut(key),
            (Value::Array(items), Step::Index(index)) => items.get_mut(*index),
            _ => None,
        }) else {
            return;
        };
        match (&mut parent.value, last, node) {
            (Value::Table(table), Step::Key(key), Some(node)) => drop(table.insert(key.clone(), node)),
            (Value::Table(table), Step::Key(key), None) => drop(table.remove(key)),
            (Value::Array(items), Step::Index(index), node) => {
                if let Some(item) = items.get_mut(*index) {
                    match node {
                        Some(node) => *item = node,
                        None => item.value = Value::SetAside,
                    }
                }
            }
            _ => {}
        }
    }

    /// Calls the key `was` of the table `table` by its name of today, unless that is there, too.
    pub(crate) fn rename(&mut self, table: &str, was: &str, is: &str) {
        let Value::Table(root) = &mut self.value else { return };
        let Some(Self { value: Value::Table(keys), .. }) = root.get_mut(table) else { return };
        if !keys.contains_key(is)
            && let Some(node) = keys.remove(was)
        {
            keys.insert(is.to_owned(), node);
        }
    }

    /// Lays `over` on top: tables merge key by key, anything else is replaced. A table whose keys are numbers, laid on
    /// an array, changes single elements (`--set feed.0.source=...`).
    pub(crate) fn merge(&mut self, over: Self) -> Result<(), ConfigError> {
        match (&mut self.value, over.value) {
            (Value::Table(mine), Value::Table(theirs)) => {
                self.origin = over.origin;
                theirs.into_iter().try_for_each(|(key, node)| match mine.get_mut(&key) {
                    Some(existing) => existing.merge(node),
                    None => {
                        mine.insert(key, node);
                        Ok(())
                    }
                })
            }
            (Value::Array(items), Value::Table(theirs)) => theirs.into_iter().try_for_each(|(key, node)| {
                let count = items.len();
                let Some(item) = key.parse().ok().and_then(|index: usize| items.get_mut(index)) else {
                    let wanted = match count {
                        0 => "a file that fills this list first: it is empty".to_owned(),
                        _ => format!("an index from 0 to {}", count - 1),
                    };
                    let problem = Problem::Value { found: format!("index `{key}`"), wanted, nearest: None };
                    return Err(ConfigError { origin: node.origin, key, problem });
                };
                item.merge(node)
            }),
            (_, value) => {
                *self = Self { value, origin: over.origin };
                Ok(())
            }
        }
    }

    /// A digest input that does not depend on layout, comments or which layer a value came from.
    pub(crate) fn canonical(&self, out: &mut String) {
        match &self.value {
            Value::Text(text) => out.push_str(&format!("{text:?}")),
            Value::Integer(n) => out.push_str(&n.to_string()),
            Value::Float(x) => out.push_str(&format!("{x:?}")),
            Value::Boolean(b) => out.push_str(&b.to_string()),
            Value::SetAside => {}
            Value::Array(items) => {
                out.push('[');
                items.iter().for_each(|item| {
                    item.canonical(out);
                    out.push(',');
                });
                out.push(']');
            }
            Value::Table(table) => {
                out.push('{');
                table.iter().for_each(|(key, node)| {
                    out.push_str(&format!("{key:?}="));
                    node.canonical(out);
                    out.push(',');
                });
                out.push('}');
            }
        }
    }
}

/// One text being turned into nodes.
struct Layer<'a> {
    source: Arc<str>,
    text: &'a str,
    errors: Vec<ConfigError>,
    /// `--set` has one line and it is not a file's.
    numbered: bool,
}

/// Parses a whole TOML text; every syntax error is returned, not just the first.
pub(crate) fn parse(source: &str, text: &str) -> Result<Node, Vec<ConfigError>> {
    let mut layer = Layer { source: source.into(), text, errors: Vec::new(), numbered: true };
    let (table, errors) = DeTable::parse_recoverable(text);
    layer.syntax_errors(&errors);
    let node = layer.table(table.get_ref(), 0);
    if layer.errors.is_empty() { Ok(node) } else { Err(layer.errors) }
}

/// Parses `a.b=c`. The value may be any TOML value; a text that is none is taken as a string, so that quotes need not
/// be quoted again for the shell.
pub(crate) fn parse_set(argument: &str) -> Result<Node, Vec<ConfigError>> {
    let source: Arc<str> = format!("--set {argument}").into();
    let origin = Origin { source: source.clone(), line: 0 };
    let Some((key, value)) = argument.split_once('=') else {
        let (found, wanted) =
            (format!("{argument:?}"), "KEY=VALUE, for example scorer.lease_ms=500".to_owned());
        let problem = Problem::Value { found, wanted, nearest: None };
        return Err(vec![ConfigError { origin, key: String::new(), problem }]);
    };
    let as_string = format!("{key} = {}", toml::Value::String(value.trim().to_owned()));
    let text =
        if DeValue::parse(value.trim()).is_ok() { format!("{key} = {}", value.trim()) } else { as_string };
    let mut layer = Layer { source, text: &text, errors: Vec::new(), numbered: false };
    let (table, errors) = DeTable::parse_recoverable(&text);
    layer.syntax_errors(&errors);
    let node = layer.table(table.get_ref(), 0);
    if layer.errors.is_empty() { Ok(node) } else { Err(layer.errors) }
}

impl Layer<'_> {
    fn origin(&self, offset: usize) -> Origin {
        let before = &self.text.as_bytes()[..offset.min(self.text.len())];
        let line = before.iter().filter(|b| **b == b'\n').count() + 1;
        let line = if self.numbered { u32::try_from(line).unwrap_or(u32::MAX) } else { 0 };
        Origin { source: self.source.clone(), line }
    }

    fn syntax_errors(&mut self, errors: &[toml::de::Error]) {
        for error in errors {
            let origin = self.origin(error.span().map_or(0, |span| span.start));
            let cause = error.message().replace('\n', ", ");
            self.errors.push(ConfigError { origin, key: String::new(), problem: Problem::Syntax { cause } });
        }
    }

    fn table(&mut self, table: &DeTable<'_>, offset: usize) -> Node {
        let entries = table.iter().map(|(key, value)| {
            let at = key.span().start;
            (key.get_ref().to_string(), self.node(value.get_ref(), at))
        });
        Node { value: Value::Table(entries.collect()), origin: self.origin(offset) }
    }

    fn node(&mut self, value: &DeValue<'_>, offset: usize) -> Node {
        let value = match value {
            DeValue::String(text) => Value::Text(text.to_string()),
            DeValue::Boolean(b) => Value::Boolean(*b),
            DeValue::Integer(n) => match i64::from_str_radix(n.as_str(), n.radix()) {
                Ok(n) => Value::Integer(n),
                Err(_) => self.refused(offset, n.to_string(), "an integer of 64 bits"),
            },
            DeValue::Float(x) => match x.as_str().parse::<f64>() {
                Ok(x) if x.is_finite() => Value::Float(x),
                _ => self.refused(offset, x.to_string(), "a finite number"),
            },
            DeValue::Datetime(at) => self.refused(offset, at.to_string(), "no date: no key takes one"),
            DeValue::Array(items) => {
                Value::Array(items.iter().map(|item| self.node(item.get_ref(), item.span().start)).collect())
            }
            DeValue::Table(table) => return self.table(table, offset),
        };
        Node { value, origin: self.origin(offset) }
    }

    fn refused(&mut self, offset: usize, found: String, wanted: &str) -> Value {
        let problem = Problem::Value { found, wanted: wanted.to_owned(), nearest: None };
        self.errors.push(ConfigError { origin: self.origin(offset), key: String::new(), problem });
        Value::Boolean(false)
    }
}
