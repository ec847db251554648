//! Serde over the layered tree, with errors that know their key, their line, what was found and what was wanted, and
//! a driver that collects all of them.

use super::error::{ConfigError, Origin, Problem};
use super::tree::{Node, Step, Value, dotted};
use crate::suggest;
use serde::de::value::{MapAccessDeserializer, StrDeserializer};
use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, SeqAccess, Visitor,
};
use std::collections::{BTreeSet, btree_map};
use std::fmt;

/// Keys that there were, and what says now what they said.
const GONE: [(&str, &str); 1] = [(
    "link.verdict_records",
    "verdicts go through the ring of the order process that they are of, whose depth is orders.ring_records",
)];

/// Deserializes `root`, collecting every error. A value that fails is replaced by its default (or removed) and the
/// reading starts again, so the number of rounds is bounded by the number of values.
pub(crate) fn collect<T: DeserializeOwned>(root: &Node, defaults: &Node) -> Result<T, Vec<ConfigError>> {
    let mut tree = root.clone();
    let mut errors: Vec<ConfigError> = Vec::new();
    let mut removed: BTreeSet<String> = BTreeSet::new();
    loop {
        let mut fault = match T::deserialize(&tree) {
            Ok(value) if errors.is_empty() => return Ok(value),
            Ok(_) => return Err(errors),
            Err(fault) => fault,
        };
        fault.path.reverse();
        let key = dotted(&fault.path);
        if matches!(fault.problem, Problem::Missing) {
            // A key removed in an earlier round is not missing; its table is given up instead.
            if !removed.contains(&key) {
                errors.push(ConfigError {
                    origin: tree.origin_near(&fault.path),
                    key,
                    problem: Problem::Missing,
                });
            }
            fault.path.pop();
            if fault.path.is_empty() {
                return Err(errors);
            }
            removed.insert(dotted(&fault.path));
            tree.put(&fault.path, None);
            continue;
        }
        let unknown = matches!(fault.problem, Problem::UnknownKey { .. });
        let gone = GONE.iter().find(|(name, _)| unknown && *name == key);
        let problem = gone.map_or(fault.problem, |(_, instead)| Problem::Gone { instead });
        errors.push(ConfigError { origin: tree.origin_near(&fault.path), key: key.clone(), problem });
        if fault.path.is_empty() || !removed.insert(key) {
            return Err(errors);
        }
        tree.put(&fault.path, defaults.find(&fault.path).filter(|_| !unknown).cloned());
    }
}

/// A serde error and the way to it, innermost step first.
#[derive(Debug)]
pub(crate) struct Fault {
    path: Vec<Step>,
    problem: Problem,
}

impl Fault {
    fn of(problem: Problem) -> Self {
        Self { path: Vec::new(), problem }
    }

    fn under(mut self, step: Step) -> Self {
        self.path.push(step);
        self
    }
}

impl std::error::Error for Fault {}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let origin = Origin { source: "configuration".into(), line: 0 };
        let path: Vec<Step> = self.path.iter().rev().cloned().collect();
        ConfigError { origin, key: dotted(&path), problem: self.problem.clone() }.fmt(f)
    }
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|n| (*n).to_owned()).collect()
}

impl de::Error for Fault {
    fn custom<T: fmt::Display>(text: T) -> Self {
        let (found, wanted) = ("a value that does not fit".to_owned(), text.to_string());
        Self::of(Problem::Value { found, wanted, nearest: None })
    }

    fn invalid_type(found: de::Unexpected<'_>, wanted: &dyn de::Expected) -> Self {
        let wanted = plain(&wanted.to_string());
        Self::of(Problem::Value { found: found.to_string(), wanted, nearest: None })
    }

    fn invalid_value(found: de::Unexpected<'_>, wanted: &dyn de::Expected) -> Self {
        Self::invalid_type(found, wanted)
    }

    fn unknown_variant(found: &str, known: &'static [&'static str]) -> Self {
        let wanted = match known {
            [one] => format!("{one:?}"),
            many => {
                format!("one of {}", many.iter().map(|n| format!("{n:?}")).collect::<Vec<_>>().join(", "))
            }
        };
        let nearest = suggest::nearest(found, known).map(str::to_owned);
        Self::of(Problem::Value { found: format!("{found:?}"), wanted, nearest })
    }

    fn unknown_field(found: &str, known: &'static [&'static str]) -> Self {
        let nearest = suggest::nearest(found, known).map(str::to_owned);
        Self::of(Problem::UnknownKey { known: owned(known), nearest }).under(Step::Key(found.to_owned()))
    }

    fn missing_field(name: &'static str) -> Self {
        Self::of(Problem::Missing).under(Step::Key(name.to_owned()))
    }
}

/// Rust's words for types, in a reader's words.
fn plain(wanted: &str) -> String {
    match wanted {
        "u16" => format!("a whole number from 0 to {}", u16::MAX),
        "u32" => format!("a whole number from 0 to {}", u32::MAX),
        "u64" | "usize" => "a whole number, 0 or more".to_owned(),
        "f64" => "a number".to_owned(),
        "a boolean" => "true or false".to_owned(),
        "a sequence" => "a list".to_owned(),
        "a map" => "a table".to_owned(),
        other if other.starts_with("struct ") => "a table".to_owned(),
        other => other.to_owned(),
    }
}

impl<'de> Deserializer<'de> for &'de Node {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.value {
            Value::Text(text) => visitor.visit_borrowed_str(text),
            Value::Integer(n) => visitor.visit_i64(*n),
            Value::Float(x) => visitor.visit_f64(*x),
            Value::Boolean(b) => visitor.visit_bool(*b),
            Value::SetAside => visitor.visit_unit(),
            Value::Array(items) => visitor.visit_seq(Items { items: items.iter().enumerate() }),
            Value::Table(table) => visitor.visit_map(Entries { entries: table.iter(), value: None }),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match &self.value {
            Value::Text(text) => {
                let word: StrDeserializer<'_, Fault> = text.as_str().into_deserializer();
                word.deserialize_enum(name, variants, visitor)
            }
            Value::Table(table) => {
                visitor.visit_enum(MapAccessDeserializer::new(Entries { entries: table.iter(), value: None }))
            }
            Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Array(_) | Value::SetAside => {
                self.deserialize_any(visitor)
            }
        }
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct identifier ignored_any
    }
}

struct Items<'de> {
    items: std::iter::Enumerate<std::slice::Iter<'de, Node>>,
}

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        let standing = |(_, node): &(usize, &Node)| !matches!(node.value, Value::SetAside);
        let Some((index, node)) = self.items.find(standing) else { return Ok(None) };
        seed.deserialize(node).map(Some).map_err(|fault| fault.under(Step::Index(index)))
    }
}

struct Entries<'de> {
    entries: btree_map::Iter<'de, String, Node>,
    value: Option<(&'de str, &'de Node)>,
}

impl<'de> MapAccess<'de> for Entries<'de> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        let Some((key, node)) = self.entries.next() else { return Ok(None) };
        self.value = Some((key, node));
        let word: StrDeserializer<'de, Fault> = key.as_str().into_deserializer();
        seed.deserialize(word).map(Some).map_err(|fault| as_key_fault(fault, key))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        let (key, node) = self.value.take().expect("serde asks for a value only after its key");
        seed.deserialize(node).map_err(|fault| fault.under(Step::Key(key.to_owned())))
    }
}

/// A key of a map that is not of its kind (no limit of that name, no legal symbol) is an unknown key, not a bad value.
fn as_key_fault(fault: Fault, key: &str) -> Fault {
    if matches!(fault.problem, Problem::UnknownKey { .. }) {
        fault
    } else {
        fault.under(Step::Key(key.to_owned()))
    }
}
