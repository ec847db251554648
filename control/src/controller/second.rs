//! What a loosening knows of a second person.

use serde_json::Value;
use std::cell::RefCell;

/// What a loosening is told of a second person, and what it says of wanting one.
#[derive(Debug, Default)]
pub(super) struct Second {
    /// What stood when the change was proposed that a second person approves now.
    pub(super) approved: Option<Value>,
    /// What stands, of a change that wants a second person.
    pub(super) wanted: RefCell<Option<Value>>,
    /// What was done of it at once, since it tightens.
    pub(super) done: RefCell<String>,
}

impl Second {
    pub(super) const fn approving(before: Value) -> Self {
        Self { approved: Some(before), wanted: RefCell::new(None), done: RefCell::new(String::new()) }
    }
}
