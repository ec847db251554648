//! How busy the line is and how full: its threads, its rings, its tables and their memory, as `status` shows them.

use serde::{Deserialize, Serialize};

/// How busy the line is and how full.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadStatus {
    /// Its threads, in the order of the line.
    pub stages: Vec<StageStatus>,
    /// Its rings.
    pub rings: Vec<RingStatus>,
    /// Its tables with a bound.
    pub tables: Vec<TableStatus>,
    /// What the tables of the books lie in.
    pub memory: MemoryStatus,
}

/// How busy the thread of one stage is, since its start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageStatus {
    /// Its name.
    pub stage: String,
    /// How often it looked for work.
    pub polls: u64,
    /// How often it found some.
    pub busy_polls: u64,
    /// Packets, events, vectors or questions that it took.
    pub items: u64,
    /// Nanoseconds that it worked: over a time, its busy share.
    pub busy_ns: u64,
    /// The longest that it did not look for work, in nanoseconds.
    pub poll_ns_max: u64,
    /// How often that was longer than 50 µs.
    pub slow_polls: u64,
}

/// What one ring has carried, since its start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RingStatus {
    /// What it carries, from which stage to which.
    pub ring: String,
    /// Items that fit.
    pub depth: u64,
    /// Items that wait now.
    pub waiting: u64,
    /// The most that ever waited.
    pub high_water: u64,
    /// Items that went in.
    pub carried: u64,
    /// How often there was less room than wanted.
    pub full: u64,
    /// Items that found no room and are lost.
    pub lost: u64,
    /// What happens when it is full.
    pub when_full: String,
}

impl RingStatus {
    /// The name of the ring from the receiver to the books: what it loses, its feed says.
    pub const EVENTS: &str = "events";

    /// Whether it is that ring, of whichever feed: of several, the feed's name stands behind it.
    #[must_use]
    pub fn carries_events(&self) -> bool {
        self.ring.strip_prefix(Self::EVENTS).is_some_and(|feed| feed.is_empty() || feed.starts_with(" of "))
    }
}

/// How full one table is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableStatus {
    /// What it holds.
    pub table: String,
    /// How many it holds now.
    pub used: u64,
    /// The most that it ever held.
    pub high_water: u64,
    /// How many it can hold.
    pub room: u64,
}

/// What the tables of the books lie in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryStatus {
    /// Bytes of them.
    pub bytes: u64,
    /// How many of those lay in huge pages at the start; none where the kernel does not say.
    pub huge_bytes: Option<u64>,
    /// Whether huge pages were asked for.
    pub huge_wanted: bool,
}

impl MemoryStatus {
    /// What is to be said where huge pages were asked for and the kernel gave them for less than nine tenths, or does not say.
    #[must_use]
    pub fn shortfall(&self) -> Option<String> {
        let Self { bytes, huge_bytes, huge_wanted } = *self;
        let mib = |bytes: u64| bytes >> 20;
        let whole = huge_bytes.is_some_and(|huge| huge >= bytes - bytes / 10);
        if !huge_wanted || whole {
            return None;
        }
        let found =
            huge_bytes.map_or_else(|| "an unknown part".to_owned(), |huge| format!("{} MiB", mib(huge)));
        Some(format!(
            "{found} of the {} MiB of the books' tables in huge pages: books cost about a third more time",
            mib(bytes)
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_outside_huge_pages_are_told_where_they_were_to_be_inside() {
        let of =
            |huge_bytes, huge_wanted| MemoryStatus { bytes: 700 << 20, huge_bytes, huge_wanted }.shortfall();
        assert_eq!(
            [of(Some(0), false), of(Some(700 << 20), true), of(Some(630 << 20), true)],
            [None, None, None]
        );
        let said = of(Some(12 << 20), true).unwrap();
        assert!(said.starts_with("12 MiB of the 700 MiB of the books' tables in huge pages"), "{said}");
        assert!(of(None, true).unwrap().starts_with("an unknown part of the 700 MiB"));
    }
}
