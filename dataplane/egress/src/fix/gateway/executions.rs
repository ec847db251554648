//! Executions of the day: text at the venue, numbers at the gate.

use std::collections::{HashMap, HashSet};
use types::{FNV_BASIS, GOLDEN, fnv1a};

/// Of the second sum of an id.
const CHECK_BASIS: u64 = GOLDEN;

/// The most executions that are remembered; beyond, those that come are counted all the same, and a correction of one is taken
/// to have had the quantity that the correction names.
const EXECUTIONS_MAX: usize = 458_752;

/// What is remembered of an execution.
#[derive(Clone, Copy, Debug)]
struct Known {
    /// A second sum of its id: two ids with one number are told apart by it.
    check: u64,
    qty: u32,
}

/// Every execution of the day, by its number.
#[derive(Debug)]
pub(super) struct Executions {
    known: HashMap<u64, Known>,
    /// The reports that took a trade back or changed it, by a sum of their ids.
    corrections: HashSet<u64>,
}

/// The most of those that are remembered; one beyond is counted each time it is told.
const CORRECTIONS_MAX: usize = 16_384;

impl Executions {
    pub(super) fn new() -> Self {
        Self {
            known: HashMap::with_capacity(EXECUTIONS_MAX),
            corrections: HashSet::with_capacity(CORRECTIONS_MAX),
        }
    }

    /// Whether the report `id`, which takes a trade back or changes it, was not told before since the process began.
    pub(super) fn is_first_correction(&mut self, id: &[u8]) -> bool {
        let sum = sum([b"", b"", id], CHECK_BASIS);
        if id.is_empty() || self.corrections.len() >= CORRECTIONS_MAX && !self.corrections.contains(&sum) {
            return true;
        }
        self.corrections.insert(sum)
    }

    /// The number of an execution: a sum of its id, the same whenever it is asked for. Where two ids of a day have one sum (among
    /// a million, one day in 37 million), the later one takes the next number that is free, and both count.
    pub(super) fn number(&mut self, id: [&[u8]; 3], qty: u32) -> u64 {
        let check = sum(id, CHECK_BASIS);
        let mut number = sum(id, FNV_BASIS).max(1);
        while self.known.get(&number).is_some_and(|known| known.check != check) {
            number = number.wrapping_add(1).max(1);
        }
        if self.known.len() < EXECUTIONS_MAX {
            self.known.entry(number).or_insert(Known { check, qty });
        }
        number
    }

    /// Whether the execution `id` has been counted since this process began.
    pub(super) fn is_known(&self, id: [&[u8]; 3]) -> bool {
        self.known(id).is_some()
    }

    /// The number of the execution `id`, and how much traded in it, where it is remembered.
    pub(super) fn known(&self, id: [&[u8]; 3]) -> Option<(u64, u32)> {
        let check = sum(id, CHECK_BASIS);
        let mut number = sum(id, FNV_BASIS).max(1);
        loop {
            let known = self.known.get(&number)?;
            if known.check == check {
                return Some((number, known.qty));
            }
            number = number.wrapping_add(1).max(1);
        }
    }
}

/// The number of an execution by its id alone: what [`Executions::number`] gives, but where two ids have one sum.
pub(super) fn number_of(id: [&[u8]; 3]) -> u64 {
    sum(id, FNV_BASIS).max(1)
}

/// The parts, each with a separator behind it.
fn sum(parts: [&[u8]; 3], basis: u64) -> u64 {
    parts.iter().fold(basis, |sum, part| fnv1a(fnv1a(sum, part), &[0]))
}
