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
        Ok(Self::resume(out, start))
    }

    /// Goes on with a log that was begun at `start`.
    #[must_use]
    pub fn resume(out: W, start: UnixNanos) -> Self {
        Self { out, serializer: V2DeflateSerializer::new(), base: base_of(start) }
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

/// What lines are relative to: what the header says, to the millisecond.
const fn base_of(start: UnixNanos) -> UnixNanos {
    UnixNanos(start.0 / 1_000_000 * 1_000_000)
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

/// What an interval log holds.
#[derive(Debug)]
pub struct HlogContents {
    /// The hops, in the order of their tags.
    pub hops: Vec<TaggedHistogram>,
    /// The number of a last line that was passed over, since its writer was stopped in the middle of it.
    pub cut_line: Option<usize>,
}

/// Reads a whole interval log and adds up the intervals of each tag, in the order of the tags' names. Blank lines are passed
/// over; a last line without an end counts when it is whole, and is passed over when it is not.
///
/// # Errors
///
/// [`HistLogError`] that names the line or the interval that is damaged.
pub fn read_hlog(bytes: &[u8]) -> Result<HlogContents, HistLogError> {
    let mut by_tag: BTreeMap<String, TaggedHistogram> = BTreeMap::new();
    let mut deserializer = Deserializer::new();
    let mut intervals = 0;
    let mut cut_line = None;
    for (index, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let ended = line.ends_with(b"\n");
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        if text.is_empty() {
            continue;
        }
        match read_line(text, index + 1, intervals + 1, &mut deserializer) {
            Ok(None) => {}
            Ok(Some((tag, one))) => {
                intervals += 1;
                add(&mut by_tag, tag, &one, intervals)?;
            }
            Err(_) if !ended => cut_line = Some(index + 1),
            Err(error) => return Err(error),
        }
    }
    Ok(HlogContents { hops: by_tag.into_values().collect(), cut_line })
}

/// One line: the tag and the histogram of an interval, none for anything else that belongs into a log.
fn read_line(
    text: &[u8],
    line: usize,
    interval: usize,
    deserializer: &mut Deserializer,
) -> Result<Option<(String, Histogram<u64>)>, HistLogError> {
    let ended = [text, b"\n"].concat();
    let entry = match IntervalLogIterator::new(&ended).next() {
        Some(Ok(LogEntry::Interval(entry))) => entry,
        Some(Ok(_)) | None => return Ok(None),
        Some(Err(LogIteratorError::ParseError { .. })) => {
            let found = String::from_utf8_lossy(&text[..text.len().min(40)]).into_owned();
            return Err(HistLogError::Syntax { line, found });
        }
    };
    let tag = entry.tag().map_or("", |t| t.as_str()).to_owned();
    let decode_error = |reason: String| HistLogError::Decode { interval, tag: tag.clone(), reason };
    let raw = base64::decode(entry.encoded_histogram())
        .ok_or_else(|| decode_error("the histogram is not base64".to_owned()))?;
    let one = deserializer.deserialize(&mut raw.as_slice()).map_err(|e| decode_error(e.to_string()))?;
    Ok(Some((tag, one)))
}

fn add(
    by_tag: &mut BTreeMap<String, TaggedHistogram>,
    tag: String,
    one: &Histogram<u64>,
    interval: usize,
) -> Result<(), HistLogError> {
    let sum = by_tag.entry(tag).or_insert_with_key(|tag| TaggedHistogram {
        tag: tag.clone(),
        histogram: growing_like(one),
        intervals: 0,
    });
    let decode_error = |reason: String| HistLogError::Decode { interval, tag: sum.tag.clone(), reason };
    sum.histogram.add(one).map_err(|e| decode_error(e.to_string()))?;
    sum.intervals += 1;
    Ok(())
}

fn growing_like(one: &Histogram<u64>) -> Histogram<u64> {
    let mut sum = Histogram::new_from(one);
    sum.auto(true);
    sum
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
        let sums = read_hlog(&sample()).unwrap().hops;
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
    fn a_missing_last_newline_and_blank_lines_cost_nothing_and_half_a_last_line_costs_itself() {
        let whole = sample();
        let counts = |bytes: &[u8]| {
            let read = read_hlog(bytes).unwrap();
            (read.hops.iter().map(|hop| hop.intervals).sum::<usize>(), read.cut_line)
        };
        assert_eq!(counts(&whole), (3, None));
        assert_eq!(counts(&whole[..whole.len() - 1]), (3, None), "whole but for its end");
        let text = String::from_utf8(whole.clone()).unwrap();
        assert_eq!(counts(text.replace('\n', "\n\n").as_bytes()), (3, None));
        assert_eq!(counts(text.replace('\n', "\r\n").as_bytes()), (3, None));
        let last = text.trim_end().rfind('\n').unwrap() + 1;
        let sums = |bytes: &[u8]| -> Vec<Histogram<u64>> {
            read_hlog(bytes).unwrap().hops.into_iter().map(|hop| hop.histogram).collect()
        };
        for cut in last + 1..whole.len() - 1 {
            // The last bytes of a line are the end of its last block and its checksum: six bytes, eight letters, and what the
            // encoding fills up. Without them every value is still there.
            let (wanted, sum) = if counts(&whole[..cut]) == (3, None) {
                ((3, None), &whole[..])
            } else {
                ((2, Some(10)), &whole[..last])
            };
            assert_eq!(counts(&whole[..cut]), wanted, "cut at {cut}");
            assert_eq!(sums(&whole[..cut]), sums(sum), "cut at {cut}");
            assert!(wanted.1.is_some() || whole.len() - cut <= 12, "cut at {cut}");
        }
        assert_eq!(counts(&whole[..last]), (2, None), "cut between lines");
        assert_eq!(counts(b""), (0, None));
        let damaged = format!("{}\n{}", &text[..last - 20], &text[last..]);
        assert!(read_hlog(damaged.as_bytes()).is_err(), "damage before the end is damage");
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
