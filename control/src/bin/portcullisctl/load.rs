//! What `status` says of the line's own load: how busy its threads are and how full its rings and tables. JSON has all of it.

use crate::sheet::Field;
use crate::words::n;
use control::protocol::{LoadStatus, RingStatus, StageStatus, TableStatus};

/// So full is a table that somebody should look, in hundredths.
const FULL_PERCENT: u64 = 90;

/// The rows, of a line that has run for `up_ns`; none of what there is not.
pub(crate) fn rows(load: &LoadStatus, up_ns: u64) -> Vec<(String, Field)> {
    let LoadStatus { stages, rings, tables, memory } = load;
    let mut rows = Vec::new();
    if !stages.is_empty() {
        rows.push(("threads".to_owned(), Field::Text(threads(stages, up_ns))));
    }
    let fullest = rings.iter().filter(|ring| ring.high_water > 0).max_by_key(|ring| {
        // Compared as shares, without a division that rounds.
        (u128::from(ring.high_water) << 32) / u128::from(ring.depth.max(1))
    });
    if let Some(RingStatus { ring, depth, high_water, .. }) = fullest {
        let said = format!("the fullest was {ring}: {} of {} at most", n(*high_water), n(*depth));
        rows.push(("rings".to_owned(), Field::Text(said)));
    }
    for RingStatus { ring, full, lost, when_full, .. } in rings.iter().filter(|ring| ring.full > 0) {
        let said = format!("full {} times, {} lost ({when_full})", n(*full), n(*lost));
        rows.push((format!("  {ring}"), Field::alarm_if(*lost > 0, said)));
    }
    if !tables.is_empty() {
        let is_full =
            |table: &TableStatus| table.used.saturating_mul(100) >= table.room.saturating_mul(FULL_PERCENT);
        let said = |TableStatus { table, used, high_water, room }: &TableStatus| {
            format!("{table} {} of {} (at most {})", n(*used), n(*room), n(*high_water))
        };
        let said = tables.iter().map(said).collect::<Vec<_>>().join(", ");
        rows.push(("tables".to_owned(), Field::alarm_if(tables.iter().any(is_full), said)));
    }
    rows.extend(memory.shortfall().map(|said| ("memory".to_owned(), Field::Text(said))));
    rows
}

/// How busy each thread is, and which of them was away for longest.
fn threads(stages: &[StageStatus], up_ns: u64) -> String {
    let busy = |stage: &StageStatus| {
        let share = stage.busy_ns as f64 * 100.0 / up_ns.max(1) as f64;
        format!("{} {share:.1} % busy", stage.stage)
    };
    let all = stages.iter().map(busy).collect::<Vec<_>>().join(", ");
    let longest = stages.iter().max_by_key(|stage| stage.poll_ns_max).filter(|stage| stage.poll_ns_max > 0);
    let longest = longest.map_or_else(String::new, |stage| {
        format!("; the longest poll took {} µs ({})", n(stage.poll_ns_max.div_ceil(1_000)), stage.stage)
    });
    format!("{all}{longest}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use control::protocol::MemoryStatus;

    #[test]
    fn what_is_busy_and_what_is_full_is_told_and_nothing_of_what_there_is_not() {
        assert!(rows(&LoadStatus::default(), 1).is_empty());
        let stage = |stage: &str, busy_ns, poll_ns_max| StageStatus {
            stage: stage.to_owned(),
            busy_ns,
            poll_ns_max,
            ..StageStatus::default()
        };
        let ring = |ring: &str, high_water, full, lost| RingStatus {
            ring: ring.to_owned(),
            depth: 1_000,
            high_water,
            full,
            lost,
            when_full: "drop and count".to_owned(),
            ..RingStatus::default()
        };
        let table = |used| TableStatus { table: "orders".to_owned(), used, high_water: 95, room: 100 };
        let mut load = LoadStatus {
            stages: vec![stage("receiver", 31, 45_001), stage("desk", 0, 7)],
            rings: vec![ring("events", 312, 0, 0), ring("vectors", 12, 0, 0)],
            tables: vec![table(12)],
            memory: MemoryStatus { bytes: 700 << 20, huge_bytes: Some(0), huge_wanted: true },
        };
        let said = rows(&load, 1_000);
        let names: Vec<&str> = said.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["threads", "rings", "tables", "memory"]);
        let wanted = "receiver 3.1 % busy, desk 0.0 % busy; the longest poll took 46 µs (receiver)";
        assert_eq!(said[0].1.words(), wanted);
        assert_eq!(said[1].1.words(), "the fullest was events: 312 of 1,000 at most");
        assert_eq!(said[2].1.words(), "orders 12 of 100 (at most 95)");
        assert!(said.iter().all(|(_, field)| matches!(field, Field::Text(_))));
        load.rings = vec![ring("events", 1_000, 2, 0), ring("card changes", 1_000, 9, 5)];
        load.tables = vec![table(90)];
        let said = rows(&load, 1_000);
        assert_eq!(
            (said[2].0.as_str(), said[2].1.words()),
            ("  events", "full 2 times, 0 lost (drop and count)")
        );
        assert_eq!(
            (said[3].0.as_str(), said[3].1.words()),
            ("  card changes", "full 9 times, 5 lost (drop and count)")
        );
        let alarms: Vec<bool> = said.iter().map(|(_, field)| matches!(field, Field::Alarm(_))).collect();
        assert_eq!(alarms, [false, false, false, true, true, false]);
    }
}
