//! HdrHistogram's interval log, version 1.3: what HistogramLogAnalyzer, HistogramLogProcessor and the Python package
//! read. Histograms are V2, deflated, base64; values are nanoseconds.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::Duration;

use hdrhistogram::Histogram;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{
    IntervalLogIterator, IntervalLogWriterBuilder, IntervalLogWriterError, LogEntry, LogIteratorError, Tag,
};
use hdrhistogram::serialization::{Deserializer, V2DeflateSerializeError};
use types::UnixNanos;

use super::base64;

/// Why a log cannot be written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HistLogError {
    /// The file could not be written.
    #[error("cannot write the interval log")]
    Io(#[from] io::Error),
    /// The tag would break the line's syntax.
    #[error("tag {tag:?} holds a comma, a space or a line break, which an interval log cannot carry")]
    Tag {
        /// The tag refused.
        tag: String,
    },
    /// The histogram could not be encoded.
    #[error("cannot encode the histogram of {tag}: {reason}")]
    Encode {
        /// Tag of the line.
        tag: String,
        /// What the encoder says.
        reason: String,
    },
    /// A line is not part of an interval log.
    #[error(
        "line {line}: found {found:?}, wanted a comment, the legend or `[Tag=…,]start,length,max,histogram`"
    )]
    Syntax {
        /// Line, counted from one.
        line: usize,
        /// Start of the offending line.
        found: String,
    },
    /// A line's histogram is damaged.
    #[error("interval {interval} (tag {tag}): {reason}")]
    Decode {
        /// Which interval of the file, counted from one.
        interval: usize,
        /// Its tag.
        tag: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// Whether `text` can be a tag.
pub(super) fn is_tag(text: &str) -> bool {
    !text.is_empty() && Tag::new(text).is_some()
}

/// Writes an interval log.
pub struct HistLog<W: Write> {
    out: W,
    serializer: V2DeflateSerializer,
    base: UnixNanos,
}

impl<W: Write> HistLog<W> {
    /// Starts a log at `start` with `comments` (machine, kernel, NIC, command line; one per line) in its head.
    ///
    /// # Errors
    ///
    /// Whatever `out` reports.
    pub fn begin(mut out: W, start: UnixNanos, comments: &[String]) -> Result<Self, HistLogError> {
        writeln!(
            out,
            "#[Logged by portcullis; values in nanoseconds, not corrected for coordinated omission]"
        )?;
        for line in comments.iter().flat_map(|comment| comment.lines()) {
            writeln!(out, "#[{line}]")?;
        }
        writeln!(out, "#[Histogram log format version 1.3]")?;
        let (secs, millis) = (start.0 / 1_000_000_000, start.0 / 1_000_000 % 1_000);
        writeln!(out, "#[StartTime: {secs}.{millis:03} (seconds since epoch), {}]", utc(secs))?;
        writeln!(out, "#[BaseTime: {secs}.{millis:03} (seconds since epoch)]")?;
        out.write_all(LEGEND.as_bytes())?;
        // The base is what the header says, to the millisecond: lines are relative to it.
        let base = UnixNanos(start.0 / 1_000_000 * 1_000_000);
        Ok(Self { out, serializer: V2DeflateSerializer::new(), base })
    }

    /// Adds one interval of the hop `tag`.
    ///
    /// # Errors
    ///
    /// [`HistLogError`] when the tag is not one, or the line cannot be written.
    pub fn write(
        &mut self,
        tag: &str,
        start: UnixNanos,
        end: UnixNanos,
        histogram: &Histogram<u64>,
    ) -> Result<(), HistLogError> {
        let valid = Tag::new(tag).ok_or_else(|| HistLogError::Tag { tag: tag.to_owned() })?;
        let since_base = Duration::from_nanos(start.since(self.base).0);
        let length = Duration::from_nanos(end.since(start).0);
        IntervalLogWriterBuilder::new()
            .begin_log_with(&mut self.out, &mut self.serializer)?
            .write_histogram(histogram, since_base, length, Some(valid))
            .map_err(|e| encode_error(tag, e))
    }

    /// Flushes and returns what the log was written to.
    ///
    /// # Errors
    ///
    /// Whatever the writer reports.
    pub fn finish(mut self) -> Result<W, HistLogError> {
        self.out.flush()?;
        Ok(self.out)
    }

    /// Flushes what was written so far, so that a reader can follow a live log.
    ///
    /// # Errors
    ///
    /// Whatever the writer reports.
    pub fn flush(&mut self) -> Result<(), HistLogError> {
        Ok(self.out.flush()?)
    }
}

const LEGEND: &str =
    "\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"\n";

fn encode_error(tag: &str, e: IntervalLogWriterError<V2DeflateSerializeError>) -> HistLogError {
    match e {
        IntervalLogWriterError::IoError(e) => HistLogError::Io(e),
        IntervalLogWriterError::SerializeError(e) => {
            HistLogError::Encode { tag: tag.to_owned(), reason: e.to_string() }
        }
    }
}

/// A moment as `YYYY-MM-DDThh:mm:ssZ` (days to civil date after Howard Hinnant's `civil_from_days`, years from 1970).
fn utc(secs: u64) -> String {
    let (days, of_day) = (secs / 86_400, secs % 86_400);
    let z = days + 719_468;
    let (era, day_of_era) = (z / 146_097, z % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let mp = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * mp + 2) / 5 + 1;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (h, m, s) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}-{month:02}-{day:02}T{h:02}:{m:02}:{s:02}Z")
}

/// All intervals of one tag, added up.
#[derive(Debug)]
pub struct TaggedHistogram {
    /// The tag; empty for lines without one.
    pub tag: String,
    /// Sum of the intervals.
    pub histogram: Histogram<u64>,
    /// How many intervals there were.
    pub intervals: usize,
}

/// Reads a whole interval log and adds up the intervals of each tag, in the order of the tags' names.
///
/// # Errors
///
/// [`HistLogError`] that names the line or the interval that is damaged.
pub fn read_hlog(bytes: &[u8]) -> Result<Vec<TaggedHistogram>, HistLogError> {
    let mut by_tag: BTreeMap<&str, TaggedHistogram> = BTreeMap::new();
    let mut deserializer = Deserializer::new();
    let mut intervals = 0;
    for entry in IntervalLogIterator::new(bytes) {
        let LogEntry::Interval(line) = entry.map_err(|e| syntax_error(bytes, &e))? else { continue };
        intervals += 1;
        let tag = line.tag().map_or("", |t| t.as_str());
        let decode_error =
            |reason: String| HistLogError::Decode { interval: intervals, tag: tag.to_owned(), reason };
        let raw = base64::decode(line.encoded_histogram())
            .ok_or_else(|| decode_error("the histogram is not base64".to_owned()))?;
        let one: Histogram<u64> =
            deserializer.deserialize(&mut raw.as_slice()).map_err(|e| decode_error(e.to_string()))?;
        let sum = by_tag.entry(tag).or_insert_with(|| TaggedHistogram {
            tag: tag.to_owned(),
            histogram: growing_like(&one),
            intervals: 0,
        });
        sum.histogram.add(&one).map_err(|e| decode_error(e.to_string()))?;
        sum.intervals += 1;
    }
    Ok(by_tag.into_values().collect())
}

fn growing_like(one: &Histogram<u64>) -> Histogram<u64> {
    let mut sum = Histogram::new_from(one);
    sum.auto(true);
    sum
}

fn syntax_error(bytes: &[u8], e: &LogIteratorError) -> HistLogError {
    let LogIteratorError::ParseError { offset } = *e;
    let line = bytes[..offset].iter().filter(|&&b| b == b'\n').count() + 1;
    let rest = bytes[offset..].split(|&b| b == b'\n').next().unwrap_or_default();
    let shown = &rest[..rest.len().min(40)];
    HistLogError::Syntax { line, found: String::from_utf8_lossy(shown).into_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hist::latency_histogram;

    fn histogram(values: &[u64]) -> Histogram<u64> {
        let mut h = latency_histogram();
        for &v in values {
            h.record(v).unwrap();
        }
        h
    }

    fn sample() -> Vec<u8> {
        let start = UnixNanos(1_577_716_200_123_456_789);
        let at = |s: u64| UnixNanos(start.0 + s * 1_000_000_000);
        let mut log = HistLog::begin(Vec::new(), start, &["cpu: test\nkernel: test".to_owned()]).unwrap();
        log.write("nic-decode", at(0), at(1), &histogram(&[100, 200])).unwrap();
        log.write("decode-ring", at(0), at(1), &histogram(&[50])).unwrap();
        log.write("nic-decode", at(1), at(2), &histogram(&[300, 10_000_000_000])).unwrap();
        log.finish().unwrap()
    }

    #[test]
    fn the_head_is_what_the_java_tools_write() {
        let text = String::from_utf8(sample()).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[1..3], ["#[cpu: test]", "#[kernel: test]"]);
        assert_eq!(lines[3], "#[Histogram log format version 1.3]");
        assert_eq!(lines[4], "#[StartTime: 1577716200.123 (seconds since epoch), 2019-12-30T14:30:00Z]");
        assert_eq!(lines[5], "#[BaseTime: 1577716200.123 (seconds since epoch)]");
        assert_eq!(lines[6], LEGEND.trim_end());
        assert!(lines[7].starts_with("Tag=nic-decode,0.000,1.000,200.000,HIST"), "{}", lines[7]);
        assert!(lines[9].starts_with("Tag=nic-decode,1.000,1.000,"), "{}", lines[9]);
    }

    #[test]
    fn a_log_reads_back_summed_by_tag() {
        let sums = read_hlog(&sample()).unwrap();
        let seen: Vec<_> = sums.iter().map(|s| (s.tag.as_str(), s.intervals, s.histogram.len())).collect();
        assert_eq!(seen, [("decode-ring", 1, 1), ("nic-decode", 2, 4)]);
        assert_eq!(sums[1].histogram.value_at_quantile(0.5), 200);
        assert!(sums[1].histogram.max() >= 10_000_000_000);
    }

    #[test]
    fn damage_is_located() {
        let text = String::from_utf8(sample()).unwrap();
        let garbled = text.replace("Tag=decode-ring,0.000", "Tag=decode-ring,zero");
        let why = read_hlog(garbled.as_bytes()).unwrap_err().to_string();
        assert!(why.starts_with("line 9: found \"Tag=decode-ring,zero,"), "{why}");
        let cut = text.replacen("1.000,50.000,HIST", "1.000,50.000,AAAA", 1);
        let why = read_hlog(cut.as_bytes()).unwrap_err().to_string();
        assert!(why.starts_with("interval 2 (tag decode-ring): "), "{why}");
    }

    #[test]
    fn a_tag_that_breaks_the_line_is_refused() {
        let mut log = HistLog::begin(Vec::new(), UnixNanos(0), &[]).unwrap();
        let refused = log.write("a,b", UnixNanos(0), UnixNanos(1), &latency_histogram());
        assert!(matches!(refused, Err(HistLogError::Tag { .. })));
    }

    #[test]
    fn civil_dates_at_their_corners() {
        assert_eq!(utc(0), "1970-01-01T00:00:00Z");
        assert_eq!(utc(951_782_399), "2000-02-28T23:59:59Z");
        assert_eq!(utc(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(utc(4_107_542_399), "2100-02-28T23:59:59Z");
        assert_eq!(utc(4_107_542_400), "2100-03-01T00:00:00Z");
    }
}
