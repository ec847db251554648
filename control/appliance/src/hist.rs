//! `portcullis hist`: percentiles and plots of the interval logs that `run`, `replay` and `demo` write.

use crate::cli::{Format, Hist, HistCommand};
use crate::hop_row::{HopRow, footnote, percentile};
use crate::output::{OutputDir, say, tell};
use crate::svg::{Chart, Series, render};
use anyhow::{Context, Result, ensure};
use hdrhistogram::Histogram;
use stage::hist::{HlogContents, read_hlog, write_hgrm};
use std::path::Path;

const COLOURS: [&str; 8] =
    ["#1d4ed8", "#b91c1c", "#0f766e", "#b45309", "#9333ea", "#374151", "#be185d", "#4d7c0f"];

pub(crate) fn run(args: &Hist) -> Result<()> {
    match &args.command {
        HistCommand::Show { file, output } => show(&hops(file)?, *output),
        HistCommand::Plot { file, out } => plot(&hops(file)?, out),
    }
}

/// All intervals of each hop merged, in the log's order.
fn hops(file: &Path) -> Result<Vec<(String, Histogram<u64>)>> {
    let bytes = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let HlogContents { hops, cut_line } = read_hlog(&bytes).with_context(|| file.display().to_string())?;
    if let Some(line) = cut_line {
        tell(format_args!("warning: {}: line {line} is cut off and left out", file.display()));
    }
    ensure!(!hops.is_empty(), "{}: no histogram in the log", file.display());
    Ok(hops.into_iter().map(|h| (h.tag, h.histogram)).collect())
}

/// The percentiles of one hop.
pub(crate) fn row(hop: &str, histogram: &Histogram<u64>) -> HopRow {
    HopRow {
        hop: hop.to_owned(),
        count: histogram.len(),
        p50_ns: histogram.value_at_quantile(0.5),
        p99_ns: histogram.value_at_quantile(0.99),
        p999_ns: histogram.value_at_quantile(0.999),
        max_ns: histogram.max(),
    }
}

/// Column headings, in [`cells`] order.
const HEADINGS: [&str; 6] = ["hop", "count", "p50_ns", "p99_ns", "p99.9_ns", "max_ns"];

fn cells(row: &HopRow) -> [String; 6] {
    let numbers = [row.count, row.p50_ns, row.p99_ns, row.p999_ns, row.max_ns].map(|n| n.to_string());
    let [count, p50, p99, p999, max] = numbers;
    [row.hop.clone(), count, p50, p99, p999, max]
}

fn show(hops: &[(String, Histogram<u64>)], format: Format) -> Result<()> {
    let rows: Vec<HopRow> = hops.iter().map(|(hop, histogram)| row(hop, histogram)).collect();
    match format {
        Format::Table => say(format_args!("{}", text(&rows))),
        Format::Csv => {
            say(format_args!("{}", HEADINGS.join(",")))?;
            rows.iter().try_for_each(|r| say(format_args!("{}", cells(r).join(","))))
        }
        Format::Json => say(format_args!("{}", serde_json::to_string_pretty(&rows)?)),
    }
}

/// The hops as a table for people, with what its marks mean.
pub(crate) fn text(rows: &[HopRow]) -> String {
    let note = footnote(rows).map(|note| format!("\n{note}"));
    format!("{}{}", table(rows), note.unwrap_or_default())
}

/// The hops as a table for people, numbers to the right.
fn table(rows: &[HopRow]) -> comfy_table::Table {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::UTF8_HORIZONTAL_ONLY).set_header(HEADINGS);
    for row in rows {
        let [hop, count, p50, _, _, max] = cells(row);
        let (p99, p999) = (percentile(row.p99_ns, row.count, 100), percentile(row.p999_ns, row.count, 1_000));
        table.add_row([hop, count, p50, p99, p999, max]);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(comfy_table::CellAlignment::Right);
    }
    table
}

fn plot(hops: &[(String, Histogram<u64>)], dir: &Path) -> Result<()> {
    let mut out = OutputDir::create(dir)?;
    for (name, (_, histogram)) in file_names(hops.iter().map(|(hop, _)| hop.as_str())).iter().zip(hops) {
        let mut file = out.file(name)?;
        write_hgrm(histogram, 1, &mut file).with_context(|| format!("cannot write {name}"))?;
        std::io::Write::flush(&mut file)?;
    }
    out.write("latency.svg", render(&percentile_chart(hops)).as_bytes())?;
    out.commit()?;
    say(format_args!("wrote {} .hgrm files and latency.svg to {}", hops.len(), dir.display()))?;
    Ok(())
}

/// A file name for each tag: what a tag says cannot lead out of the folder, hide the file, or take another's name.
fn file_names<'a>(tags: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for tag in tags {
        let safe = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '_' };
        let mut name: String = tag.chars().map(safe).take(100).collect();
        if name.is_empty() || name.starts_with(['.', '-']) {
            name.insert(0, '_');
        }
        let taken = |names: &[String], name: &str| names.iter().any(|n| n.eq_ignore_ascii_case(name));
        let mut file = format!("{name}.hgrm");
        let mut number = 2;
        while taken(&names, &file) {
            file = format!("{name}-{number}.hgrm");
            number += 1;
        }
        names.push(file);
    }
    names
}

/// Latency over percentile on the usual axis: each nine takes the same room.
fn percentile_chart(hops: &[(String, Histogram<u64>)]) -> Chart {
    let nines = |step: f64| 1.0 - 10_f64.powf(-step);
    let series = hops.iter().enumerate().map(|(index, (hop, histogram))| Series {
        name: hop.clone(),
        colour: COLOURS[index % COLOURS.len()],
        steps: true,
        points: (0..=200)
            .map(|i| f64::from(i) / 40.0)
            .map(|x| (x, histogram.value_at_quantile(nines(x)) as f64))
            .collect(),
    });
    Chart {
        title: "Latency by percentile".into(),
        y_label: "ns (log)".into(),
        series: series.collect(),
        marks: vec![],
        x_tick: Box::new(|x| match x as u32 {
            0 => "0%".to_owned(),
            1 => "90%".to_owned(),
            n => format!("99.{}%", "9".repeat(n as usize - 2)).replace(".%", "%"),
        }),
        x_ticks: (0..=5).map(f64::from).collect(),
        log_y: true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_a_file_name_in_the_folder_whatever_it_says() {
        let tags =
            ["nic_decode", "../escaped", "/etc/passwd", "..", "", "a/b", "a_b", "A_b", "-rf", "\u{e9}"];
        let names = file_names(tags.into_iter());
        assert_eq!(
            names,
            [
                "nic_decode.hgrm",
                "_.._escaped.hgrm",
                "_etc_passwd.hgrm",
                "_...hgrm",
                "_.hgrm",
                "a_b.hgrm",
                "a_b-2.hgrm",
                "A_b-3.hgrm",
                "_-rf.hgrm",
                "_-2.hgrm",
            ]
        );
        assert_eq!(file_names(std::iter::once("x".repeat(5_000).as_str()))[0].len(), 105);
    }

    #[test]
    fn a_table_for_people_marks_what_few_measurements_say() {
        let row = |count| HopRow { hop: "gate".into(), count, p50_ns: 1, p99_ns: 2, p999_ns: 3, max_ns: 4 };
        let few = text(&[row(81)]);
        assert!(few.contains("2*") && few.contains("3*") && few.contains("* fewer than ten"), "{few}");
        assert!(!text(&[row(10_000)]).contains('*'));
    }
}
