//! How busy the line is and how full, for `status`: read when somebody asks, from what the stages count anyway.

use crate::line::link::RingView;
use control::protocol::{LoadStatus, MemoryStatus, StageStatus, TableStatus};
use featurizer::MemoryReport;
use stage::{CounterReader, PollCounters};
use std::sync::OnceLock;

/// Threads, rings and tables of the line.
pub(super) struct LoadView {
    rings: Vec<RingView>,
    /// What the featurizer counts.
    booked: CounterReader,
    /// Orders that the tables have room for, as configured.
    orders_room: u64,
    memory: MemoryStatus,
    /// The stages' threads, from when they run.
    threads: OnceLock<Vec<(String, PollCounters)>>,
}

impl LoadView {
    pub(super) fn new(
        rings: Vec<RingView>,
        booked: CounterReader,
        orders_room: u64,
        tables: &MemoryReport,
    ) -> Self {
        let MemoryReport { paged_bytes, huge_bytes, huge_wanted, .. } = *tables;
        let huge_bytes = huge_bytes.map(|bytes| bytes as u64);
        let memory = MemoryStatus { bytes: paged_bytes as u64, huge_bytes, huge_wanted };
        Self { rings, booked, orders_room, memory, threads: OnceLock::new() }
    }

    /// What is to be said at a start of the memory that it got.
    pub(super) fn memory_shortfall(&self) -> Option<String> {
        self.memory.shortfall()
    }

    /// What the featurizer counts.
    pub(super) const fn booked(&self) -> &CounterReader {
        &self.booked
    }

    /// The stages run on these threads, in the order of the line.
    pub(super) fn note_threads(&self, threads: Vec<(String, PollCounters)>) {
        let noted = self.threads.set(threads);
        debug_assert!(noted.is_ok(), "once a start");
    }

    /// All of it now.
    pub(super) fn status(&self) -> LoadStatus {
        let stage = |(name, counted): &(String, PollCounters)| StageStatus {
            stage: name.clone(),
            polls: counted.polls(),
            busy_polls: counted.busy_polls(),
            items: counted.items(),
            busy_ns: counted.busy_ns(),
            poll_ns_max: counted.poll_ns_max(),
            slow_polls: counted.over_budget(),
        };
        LoadStatus {
            stages: self.threads.get().into_iter().flatten().map(stage).collect(),
            rings: self.rings.iter().map(RingView::status).collect(),
            tables: self.tables(),
            memory: self.memory,
        }
    }

    fn tables(&self) -> Vec<TableStatus> {
        let counted = |name: &str| self.booked.iter().find(|(n, _)| *n == name).map_or(0, |(_, value)| value);
        let table = |table: &str, used: &str, high_water: &str, room: u64| TableStatus {
            table: table.to_owned(),
            used: counted(used),
            high_water: counted(high_water),
            room,
        };
        vec![
            table("instruments", "instruments", "instruments", counted("instruments_room")),
            table("orders", "live_orders", "live_orders_max", self.orders_room),
            table("side orders", "side_orders", "side_orders_max", counted("side_orders_room")),
            table("far levels", "far_levels", "far_levels_max", counted("far_levels_room")),
        ]
    }
}
