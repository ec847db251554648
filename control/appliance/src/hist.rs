//! `portcullis hist`: percentiles, sums, comparisons and plots of the interval logs that `run`, `replay` and `demo` write.

use crate::cli::{Format, Hist, HistCommand};
use crate::hop_diff;
use crate::hop_row::{HopRow, footnotes, percentile};
use crate::output::{OutputDir, say, tell};
use crate::svg::{Chart, Series, render};
use anyhow::{Context, Result, ensure};
use hdrhistogram::Histogram;
use stage::hist::{HlogContents, read_hlog, write_hgrm};
use stage::{Clock as _, HistLog, OsClock};
use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

const COLOURS: [&str; 8] =
    ["#1d4ed8", "#b91c1c", "#0f766e", "#b45309", "#9333ea", "#374151", "#be185d", "#4d7c0f"];

pub(crate) fn run(args: &Hist) -> Result<()> {
    match &args.command {
        HistCommand::Show { file, output } => show(&hops(file)?, *output),
        HistCommand::Merge { files, out } => merge(files, out),
        HistCommand::Diff { before, after, output } => diff(&hops(before)?, &hops(after)?, *output),
        HistCommand::Plot { file, out } => plot(&hops(file)?, out),
    }
}

/// All intervals of each hop merged, in the log's order.
fn hops(file: &Path) -> Result<Vec<(String, Histogram<u64>)>> {
    let bytes = contents(file).with_context(|| format!("cannot read {}", file.display()))?;
    let HlogContents { hops, cut_line } = read_hlog(&bytes).with_context(|| file.display().to_string())?;
    if let Some(line) = cut_line {
        tell(format_args!("warning: {}: line {line} is cut off and left out", file.display()));
    }
    ensure!(!hops.is_empty(), "{}: no histogram in the log", file.display());
    Ok(hops.into_iter().map(|h| (h.tag, h.histogram)).collect())
}

/// A log is text of some hundred bytes an interval; what inflates to more than this is none.
const BYTES_MAX: u64 = 1 << 30;

/// The bytes of `file`, of stdin for `-`, inflated where they are gzip's.
fn contents(file: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if file == Path::new("-") {
        std::io::stdin().lock().take(BYTES_MAX + 1).read_to_end(&mut bytes)?;
    } else {
        bytes = std::fs::read(file)?;
    }
    if bytes.starts_with(&[0x1f, 0x8b]) {
        let packed = std::mem::take(&mut bytes);
        flate2::read::MultiGzDecoder::new(packed.as_slice()).take(BYTES_MAX + 1).read_to_end(&mut bytes)?;
    }
    if bytes.len() as u64 > BYTES_MAX {
        return Err(std::io::Error::other(format!("more than {BYTES_MAX} bytes")));
    }
    Ok(bytes)
}

/// The hops of several logs added up, in the order of their names.
fn sum(
    logs: impl IntoIterator<Item = Vec<(String, Histogram<u64>)>>,
) -> Result<BTreeMap<String, Histogram<u64>>> {
    let mut sums: BTreeMap<String, Histogram<u64>> = BTreeMap::new();
    for (hop, histogram) in logs.into_iter().flatten() {
        match sums.get_mut(&hop) {
            Some(sum) => sum.add(&histogram).with_context(|| format!("hop {hop}"))?,
            None => _ = sums.insert(hop, histogram),
        }
    }
    Ok(sums)
}

fn merge(files: &[PathBuf], path: &Path) -> Result<()> {
    let logs = files.iter().map(|file| hops(file)).collect::<Result<Vec<_>>>()?;
    let sums = sum(logs)?;
    let now = OsClock.now();
    let names: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
    let mut log = HistLog::begin(Vec::new(), now, &[format!("Sum of: {}", names.join(" "))])?;
    for (hop, histogram) in &sums {
        // A line without a tag reads as the hop of no name.
        log.write(if hop.is_empty() { "untagged" } else { hop }, now, now, histogram)?;
    }
    std::fs::write(path, log.finish()?).with_context(|| format!("cannot write {}", path.display()))?;
    say(format_args!("wrote {} hops of {} logs to {}", sums.len(), files.len(), path.display()))
}

fn diff(
    before: &[(String, Histogram<u64>)],
    after: &[(String, Histogram<u64>)],
    format: Format,
) -> Result<()> {
    let rows = hop_diff::compare(&rows_of(before), &rows_of(after));
    match format {
        Format::Table => say(format_args!("{}", hop_diff::text(&rows))),
        Format::Csv => say(format_args!("{}", hop_diff::csv(&rows))),
        Format::Json => say(format_args!("{}", serde_json::to_string_pretty(&rows)?)),
    }
}

fn rows_of(hops: &[(String, Histogram<u64>)]) -> Vec<HopRow> {
    hops.iter().map(|(hop, histogram)| row(hop, histogram)).collect()
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
        mean_ns: histogram.mean().round() as u64,
        p90_ns: histogram.value_at_quantile(0.9),
        p9999_ns: histogram.value_at_quantile(0.9999),
    }
}

/// Columns for spreadsheets, in [`cells`] order; they are only ever appended to.
const HEADINGS: [&str; 9] =
    ["hop", "count", "p50_ns", "p99_ns", "p99.9_ns", "max_ns", "mean_ns", "p90_ns", "p99.99_ns"];

fn cells(row: &HopRow) -> [String; 9] {
    let &HopRow { count, p50_ns, p99_ns, p999_ns, max_ns, mean_ns, p90_ns, p9999_ns, .. } = row;
    let [count, p50, p99, p999, max, mean, p90, p9999] =
        [count, p50_ns, p99_ns, p999_ns, max_ns, mean_ns, p90_ns, p9999_ns].map(|n| n.to_string());
    [row.hop.clone(), count, p50, p99, p999, max, mean, p90, p9999]
}

/// Columns for people.
const COLUMNS: [&str; 9] =
    ["hop", "count", "mean_ns", "p50_ns", "p90_ns", "p99_ns", "p99.9_ns", "p99.99_ns", "max_ns"];

fn show(hops: &[(String, Histogram<u64>)], format: Format) -> Result<()> {
    let rows = rows_of(hops);
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
    let notes: String = footnotes(rows).iter().map(|note| format!("\n{note}")).collect();
    format!("{}{notes}", table(rows))
}

/// The hops as a table for people, numbers to the right.
fn table(rows: &[HopRow]) -> comfy_table::Table {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::UTF8_HORIZONTAL_ONLY).set_header(COLUMNS);
    for row in rows {
        let [hop, count, _, _, _, max, mean, ..] = cells(row);
        let at = |value_ns, one_in| percentile(value_ns, row.count, one_in);
        let (p50, p90, p99) = (at(row.p50_ns, 2), at(row.p90_ns, 10), at(row.p99_ns, 100));
        let (p999, p9999) = (at(row.p999_ns, 1_000), at(row.p9999_ns, 10_000));
        table.add_row([hop, count, mean, p50, p90, p99, p999, p9999, max]);
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
        let row = |count| HopRow {
            hop: "gate".into(),
            count,
            p50_ns: 1,
            p99_ns: 2,
            p999_ns: 3,
            max_ns: 4,
            mean_ns: 5,
            p90_ns: 6,
            p9999_ns: 7,
        };
        let few = text(&[row(81)]);
        for marked in ["6*", "2*", "3*", "7*", "* fewer than ten"] {
            assert!(few.contains(marked), "{marked}: {few}");
        }
        assert!(!few.contains("1*") && text(&[row(19)]).contains("1*"), "{few}");
        let some = text(&[row(10_000)]);
        assert!(some.contains("7*") && !some.contains("3*") && !some.contains("6*"), "{some}");
        assert!(!text(&[row(100_000)]).contains('*') && !text(&[row(100_000)]).contains("sampled"));
        let receiver = HopRow { hop: "nic_decode".into(), ..row(100_000) };
        assert!(text(&[receiver]).contains("one packet in 1,024"));
    }

    fn histogram(values: impl IntoIterator<Item = u64>) -> Histogram<u64> {
        let mut histogram = stage::hist::latency_histogram();
        values.into_iter().for_each(|value| histogram.record(value).unwrap());
        histogram
    }

    #[test]
    fn a_row_says_what_its_measurements_say() {
        let HopRow { count, mean_ns, p50_ns, p90_ns, p99_ns, max_ns, .. } =
            row("gate", &histogram(1..=1_000));
        assert_eq!((count, mean_ns, p50_ns, p90_ns, p99_ns, max_ns), (1_000, 501, 500, 900, 990, 1_000));
    }

    #[test]
    fn logs_are_added_up_hop_by_hop() {
        let logs = [
            vec![("gate".to_owned(), histogram([100, 200])), ("score".to_owned(), histogram([7]))],
            vec![("gate".to_owned(), histogram([300]))],
        ];
        let sums = sum(logs).unwrap();
        let of = |hop: &str| (sums[hop].len(), sums[hop].min(), sums[hop].max());
        assert_eq!((of("gate"), of("score"), sums.len()), ((3, 100, 300), (1, 7, 7), 2));
    }

    #[test]
    fn a_merged_log_reads_back_as_what_went_into_it_packed_or_not() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, values: [u64; 2], packed: bool| {
            let mut log = HistLog::begin(Vec::new(), OsClock.now(), &[]).unwrap();
            log.write("gate", OsClock.now(), OsClock.now(), &histogram(values)).unwrap();
            let (path, bytes) = (dir.path().join(name), log.finish().unwrap());
            let mut file = std::fs::File::create(&path).unwrap();
            if packed {
                let mut gz = flate2::write::GzEncoder::new(file, flate2::Compression::default());
                std::io::Write::write_all(&mut gz, &bytes).unwrap();
                gz.finish().unwrap();
            } else {
                std::io::Write::write_all(&mut file, &bytes).unwrap();
            }
            path
        };
        let files = [write("a.hlog", [100, 200], false), write("b.hlog.gz", [300, 400], true)];
        let out = dir.path().join("sum.hlog");
        merge(&files, &out).unwrap();
        let read = hops(&out).unwrap();
        assert_eq!(
            (read.len(), read[0].0.as_str(), &read[0].1),
            (1, "gate", &histogram([100, 200, 300, 400]))
        );
    }
}
