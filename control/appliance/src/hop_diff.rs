//! Two logs hop by hop: what became of each.

use crate::hop_row::{HopRow, percentile};

/// One hop before and after; none where a log lacks it.
#[derive(Clone, Debug, serde::Serialize)]
pub(crate) struct HopDiff {
    pub(crate) hop: String,
    pub(crate) before: Option<HopRow>,
    pub(crate) after: Option<HopRow>,
}

/// The hops of both, those of `before` first, each list in its own order.
pub(crate) fn compare(before: &[HopRow], after: &[HopRow]) -> Vec<HopDiff> {
    let find = |rows: &[HopRow], hop: &str| rows.iter().find(|row| row.hop == hop).cloned();
    let new = after.iter().filter(|row| find(before, &row.hop).is_none());
    let both = before.iter().chain(new).map(|row| HopDiff {
        hop: row.hop.clone(),
        before: find(before, &row.hop),
        after: find(after, &row.hop),
    });
    both.collect()
}

/// A value of a hop, by the share of measurements above it: one in so many; none for what is no percentile.
type Value = (&'static str, fn(&HopRow) -> u64, Option<u64>);

const VALUES: [Value; 6] = [
    ("count", |row| row.count, None),
    ("mean_ns", |row| row.mean_ns, None),
    ("p50_ns", |row| row.p50_ns, Some(2)),
    ("p99_ns", |row| row.p99_ns, Some(100)),
    ("p99.9_ns", |row| row.p999_ns, Some(1_000)),
    ("max_ns", |row| row.max_ns, None),
];

/// By how much, in percent; empty where there is nothing to compare with.
fn change(before: Option<u64>, after: Option<u64>) -> String {
    match (before, after) {
        (Some(before), Some(after)) if before > 0 => {
            format!("{:+.1} %", (after as f64 / before as f64 - 1.0) * 100.0)
        }
        _ => String::new(),
    }
}

/// A row per hop and value.
fn lines(rows: &[HopDiff], marked: bool) -> Vec<[String; 5]> {
    let mut out = Vec::new();
    for HopDiff { hop, before, after } in rows {
        for (name, value, one_in) in VALUES {
            let shown = |row: &Option<HopRow>| {
                row.as_ref().map_or_else(String::new, |row| match one_in.filter(|_| marked) {
                    Some(one_in) => percentile(value(row), row.count, one_in),
                    None => value(row).to_string(),
                })
            };
            let changed = change(before.as_ref().map(value), after.as_ref().map(value));
            out.push([hop.clone(), name.to_owned(), shown(before), shown(after), changed]);
        }
    }
    out
}

const HEADINGS: [&str; 5] = ["hop", "value", "before", "after", "change"];

/// For people; what the asterisk of a percentile means stands in the help of `hist show`.
pub(crate) fn text(rows: &[HopDiff]) -> String {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::UTF8_HORIZONTAL_ONLY).set_header(HEADINGS);
    table.add_rows(lines(rows, true));
    for column in table.column_iter_mut().skip(2) {
        column.set_cell_alignment(comfy_table::CellAlignment::Right);
    }
    table.to_string()
}

/// For spreadsheets.
pub(crate) fn csv(rows: &[HopDiff]) -> String {
    let all = std::iter::once(HEADINGS.join(","));
    all.chain(lines(rows, false).iter().map(|line| line.join(","))).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(hop: &str, count: u64, p99_ns: u64) -> HopRow {
        HopRow {
            hop: hop.into(),
            count,
            p50_ns: 50,
            p99_ns,
            p999_ns: 200,
            max_ns: 300,
            mean_ns: 0,
            p90_ns: 90,
            p9999_ns: 250,
        }
    }

    #[test]
    fn hops_are_compared_by_name_and_new_and_gone_ones_stay() {
        let rows =
            compare(&[row("gate", 10, 100), row("gone", 1, 1)], &[row("new", 1, 1), row("gate", 5_000, 150)]);
        let names: Vec<&str> = rows.iter().map(|row| row.hop.as_str()).collect();
        assert_eq!(names, ["gate", "gone", "new"]);
        let csv = csv(&rows);
        for line in ["gate,p99_ns,100,150,+50.0 %", "gate,mean_ns,0,0,", "gone,p99_ns,1,,", "new,p50_ns,,50,"]
        {
            assert!(csv.lines().any(|found| found == line), "{line}\n{csv}");
        }
        let text = text(&rows);
        assert!(text.contains("100*") && text.contains("150 ") && !text.contains("150*"), "{text}");
    }
}
