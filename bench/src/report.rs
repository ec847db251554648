//! Result files: text for people, `.hlog` and `.hgrm` for the tools latency engineers have.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use hdrhistogram::Histogram;
use stage::hist::{HistLog, write_hgrm};
use types::UnixNanos;

use crate::machine::Fingerprint;
use crate::rounds::Summary;

/// Where benches leave their files: `bench-results` in cargo's target folder, or in the current folder for a binary that was
/// copied elsewhere.
///
/// # Errors
/// When the binary's own path cannot be read or the folder cannot be made.
pub fn results_folder() -> io::Result<PathBuf> {
    let binary = std::env::current_exe()?;
    // <target>/<profile>/deps/<binary>
    let built =
        binary.parent().filter(|folder| folder.ends_with("deps")).and_then(|deps| deps.ancestors().nth(2));
    let folder = built.unwrap_or(Path::new(".")).join("bench-results");
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// Prints lines and keeps them for a file.
#[derive(Debug, Default)]
pub struct Transcript {
    text: String,
}

impl Transcript {
    /// A transcript that opens with the machine.
    #[must_use]
    pub fn begin(title: &str, machine: &Fingerprint) -> Self {
        let mut transcript = Self::default();
        transcript.line(title);
        machine.lines().iter().for_each(|line| transcript.line(line));
        transcript
    }

    /// One line.
    pub fn line(&mut self, line: impl AsRef<str>) {
        println!("{}", line.as_ref());
        self.text.push_str(line.as_ref());
        self.text.push('\n');
    }

    /// A table of rounds.
    pub fn table(&mut self, unit: &str, rows: &[Summary]) {
        let width = rows.iter().map(|row| row.name.chars().count()).max().unwrap_or(0);
        self.line(format!("{:width$} {:>10} {:>10} {:>10}  {unit}", "", "median", "min", "max"));
        for row in rows {
            let Summary { name, median, min, max, .. } = row;
            self.line(format!("{name:width$} {median:10.2} {min:10.2} {max:10.2}"));
        }
    }

    /// A table of percentiles, in nanoseconds, with maximum and count.
    pub fn percentiles(&mut self, rows: &[Percentiles<'_>]) {
        let width = rows.iter().map(|row| row.tag.len()).max().unwrap_or(0);
        let head = ["p50", "p90", "p99", "p99.9", "p99.99", "max", "mean<p99", "count"];
        let head: String = head.iter().map(|name| format!(" {name:>9}")).collect();
        self.line(format!("{:width$}{head}  ns", ""));
        for Percentiles { tag, histogram } in rows {
            let at = |q: f64| format!(" {:>9}", histogram.value_at_quantile(q));
            let quantiles: String = [0.5, 0.9, 0.99, 0.999, 0.9999].into_iter().map(at).collect();
            let (mean, max, count) = (body_mean(histogram), histogram.max(), histogram.len());
            self.line(format!("{tag:width$}{quantiles} {max:>9} {mean:>9.1} {count:>9}"));
        }
    }

    /// Writes the transcript.
    ///
    /// # Errors
    /// Whatever the file system reports.
    pub fn save(&self, folder: &Path, name: &str) -> io::Result<()> {
        fs::write(folder.join(name), &self.text)
    }
}

/// One row of [`Transcript::percentiles`].
#[derive(Clone, Copy, Debug)]
pub struct Percentiles<'a> {
    /// Name; a tag in the interval log, so without spaces and commas.
    pub tag: &'a str,
    /// Nanoseconds.
    pub histogram: &'a Histogram<u64>,
}

/// Mean of the values up to the 99th percentile: where the clock's step is coarse, the mean sees between two steps and the
/// percentiles do not; interruptions stay out of it.
#[must_use]
pub fn body_mean(histogram: &Histogram<u64>) -> f64 {
    let limit = histogram.value_at_quantile(0.99);
    let (mut sum, mut count) = (0.0, 0.0);
    for bucket in histogram.iter_recorded() {
        if bucket.value_iterated_to() <= limit {
            let weight = bucket.count_at_value() as f64;
            sum += weight * bucket.value_iterated_to() as f64;
            count += weight;
        }
    }
    if count > 0.0 { sum / count } else { 0.0 }
}

/// Writes one `.hlog` with every histogram as an interval of its tag, and one `.hgrm` per tag.
///
/// # Errors
/// Whatever the file system or the encoder reports, as text.
pub fn write_histograms(
    folder: &Path,
    name: &str,
    comments: &[String],
    rows: &[Percentiles<'_>],
) -> Result<(), String> {
    let text = |e: &dyn std::fmt::Display| format!("{}: {e}", folder.display());
    let file = File::create(folder.join(format!("{name}.hlog"))).map_err(|e| text(&e))?;
    let start = UnixNanos(0);
    let mut log = HistLog::begin(BufWriter::new(file), start, comments).map_err(|e| text(&e))?;
    for row in rows {
        log.write(row.tag, start, UnixNanos(1_000_000_000), row.histogram).map_err(|e| text(&e))?;
        let file = File::create(folder.join(format!("{name}-{}.hgrm", row.tag))).map_err(|e| text(&e))?;
        let mut out = BufWriter::new(file);
        write_hgrm(row.histogram, 1, &mut out).and_then(|()| out.flush()).map_err(|e| text(&e))?;
    }
    log.finish().map_err(|e| text(&e))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use stage::hist::{latency_histogram, read_hlog};

    fn steps() -> Histogram<u64> {
        let mut histogram = latency_histogram();
        histogram.record_n(10, 60).unwrap();
        histogram.record_n(20, 39).unwrap();
        histogram.record(9_000).unwrap();
        histogram
    }

    #[test]
    fn the_mean_of_the_body_leaves_the_tail_out() {
        assert!((body_mean(&steps()) - (60.0 * 10.0 + 39.0 * 20.0) / 99.0).abs() < 1e-9);
        assert!(body_mean(&latency_histogram()).abs() < 1e-9);
    }

    #[test]
    fn files_read_back() {
        let folder = results_folder().unwrap().join("self-test");
        fs::create_dir_all(&folder).unwrap();
        let histogram = steps();
        let rows = [Percentiles { tag: "check", histogram: &histogram }];
        write_histograms(&folder, "gate", &["cpu: test".to_owned()], &rows).unwrap();
        let sums = read_hlog(&fs::read(folder.join("gate.hlog")).unwrap()).unwrap().hops;
        assert_eq!((sums[0].tag.as_str(), sums[0].histogram.len()), ("check", 100));
        let text = fs::read_to_string(folder.join("gate-check.hgrm")).unwrap();
        assert!(text.contains("Total count    =          100"), "{text}");
        let mut transcript = Transcript::default();
        transcript.percentiles(&rows);
        transcript.save(&folder, "gate.txt").unwrap();
        assert!(fs::read_to_string(folder.join("gate.txt")).unwrap().contains("check        10"));
        fs::remove_dir_all(folder).unwrap();
    }
}
