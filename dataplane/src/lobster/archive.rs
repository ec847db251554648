//! The two files of an archive, row by row. Both are unpacked as they are read: memory does not grow with the day.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use flate2::CrcReader;
use flate2::read::DeflateDecoder;
use types::{Side, Symbol};
use zip::CompressionMethod;

use crate::eastern::Date;
use crate::source::SourceError;

/// Levels an order book file may show.
const LEVELS_MAX: usize = 200;

/// One row of the message file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct MessageRow {
    /// Nanoseconds since midnight, New York.
    pub(super) ns: u64,
    /// 1 new, 2 reduced, 3 deleted, 4 executed, 5 hidden execution, 6 cross, 7 trading status.
    pub(super) kind: u8,
    pub(super) order_id: u64,
    pub(super) qty: u32,
    /// In 1e-4 dollars; a code in rows of kind 7.
    pub(super) px: i64,
    pub(super) side: Side,
}

impl Default for MessageRow {
    fn default() -> Self {
        Self { ns: 0, kind: 0, order_id: 0, qty: 0, px: 0, side: Side::Bid }
    }
}

/// One row of the order book file: price and quantity from the best level down, by side; levels without orders left out.
#[derive(Clone, Debug)]
pub(super) struct DepthRow {
    sides: [Vec<(i64, u32)>; 2],
    levels: usize,
}

impl DepthRow {
    pub(super) fn new(levels: usize) -> Self {
        Self { sides: [Vec::with_capacity(levels), Vec::with_capacity(levels)], levels }
    }

    pub(super) fn side(&self, side: Side) -> &[(i64, u32)] {
        &self.sides[side.index()]
    }

    /// Levels a full row shows.
    pub(super) fn levels(&self) -> usize {
        self.levels
    }
}

/// One CSV file within the archive.
struct Csv {
    name: String,
    reader: csv::Reader<Checked>,
    record: csv::ByteRecord,
}

/// An unpacked file whose checksum is verified at its end.
struct Checked {
    inner: CrcReader<Box<dyn Read + Send>>,
    crc: u32,
}

impl Read for Checked {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(out)?;
        if n == 0 && !out.is_empty() && self.inner.crc().sum() != self.crc {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the checksum in the archive does not match",
            ));
        }
        Ok(n)
    }
}

/// An open archive.
pub(super) struct Archive {
    name: String,
    symbol: Symbol,
    date: Date,
    levels: usize,
    messages: Csv,
    depths: Csv,
}

impl Archive {
    pub(super) fn open(path: &Path) -> Result<Self, SourceError> {
        let name = path.display().to_string();
        let open = || File::open(path).map_err(|source| SourceError::Open { file: name.clone(), source });
        let mut zip =
            zip::ZipArchive::new(open()?).map_err(|e| bad(&name, 0, e.to_string(), "a zip archive"))?;
        let messages = Csv::find(&name, &mut zip, open()?, "_message_")?;
        let depths = Csv::find(&name, &mut zip, open()?, "_orderbook_")?;
        let (symbol, date, levels) = name_parts(&messages.name).ok_or_else(|| {
            let wanted = "a file name TICKER_YYYY-MM-DD_START_END_message_LEVELS.csv";
            bad(&name, 0, format!("file {:?}", messages.name), wanted)
        })?;
        let of_depths = name_parts(&depths.name);
        if of_depths != Some((symbol, date, levels)) {
            let wanted = format!("the order book file of {:?}, with as many levels", messages.name);
            return Err(bad(&name, 0, format!("file {:?}", depths.name), wanted));
        }
        Ok(Self { name, symbol, date, levels, messages, depths })
    }

    pub(super) fn symbol(&self) -> Symbol {
        self.symbol
    }

    pub(super) fn date(&self) -> Date {
        self.date
    }

    pub(super) fn levels(&self) -> usize {
        self.levels
    }

    /// Reads the next row of both files; false at their end.
    pub(super) fn next_row(
        &mut self,
        message: &mut MessageRow,
        depth: &mut DepthRow,
    ) -> Result<bool, SourceError> {
        let more = self.messages.advance(&self.name)?;
        if more != self.depths.advance(&self.name)? {
            let (short, long) =
                if more { (&self.depths, &self.messages) } else { (&self.messages, &self.depths) };
            let (found, wanted) = ("the end of the file", format!("as many rows as {}", long.name));
            return Err(short.fault(&self.name, found, &wanted));
        }
        if more {
            *message = self.messages.message(&self.name)?;
            self.depths.depth(&self.name, depth)?;
        }
        Ok(more)
    }

    /// The two files tell of different books.
    pub(super) fn files_of_two_days(&self, levels: u64, rows: u64) -> SourceError {
        let found = format!("{levels} levels in {rows} rows that the messages do not lead to,");
        self.depths.fault(&self.name, &found, "the order book file of the same day and instrument")
    }

    pub(super) fn too_many_orders(&self, most: usize) -> SourceError {
        self.messages.fault(&self.name, &format!("more than {most} orders at once"), "fewer")
    }
}

fn bad(file: &str, offset: u64, found: impl Into<String>, wanted: impl Into<String>) -> SourceError {
    SourceError::Format { file: file.to_owned(), offset, found: found.into(), wanted: wanted.into() }
}

/// Ticker, date and levels of `AMZN_2012-06-21_34200000_57600000_message_5.csv`.
fn name_parts(file: &str) -> Option<(Symbol, Date, usize)> {
    let stem = file.rsplit('/').next()?.strip_suffix(".csv")?;
    let mut parts = stem.split('_');
    let (symbol, date) = (Symbol::new(parts.next()?)?, Date::parse(parts.next()?)?);
    let levels = parts.next_back()?.parse().ok().filter(|n| (1..=LEVELS_MAX).contains(n))?;
    Some((symbol, date, levels))
}

impl Csv {
    /// The archive's one file whose name holds `part`, read through a file handle of its own.
    fn find(
        archive: &str,
        zip: &mut zip::ZipArchive<File>,
        mut file: File,
        part: &str,
    ) -> Result<Self, SourceError> {
        let names: Vec<String> =
            zip.file_names().filter_map(Result::ok).map(String::from).filter(|n| n.contains(part)).collect();
        let [name] = names.as_slice() else {
            return Err(bad(archive, 0, format!("{} files named *{part}*", names.len()), "exactly one"));
        };
        let entry = zip.by_name(name).map_err(|e| bad(archive, 0, e.to_string(), "a readable entry"))?;
        let start = entry.data_start().unwrap_or(0);
        let (packed, crc, method) = (entry.compressed_size(), entry.crc32(), entry.compression());
        file.seek(SeekFrom::Start(start)).map_err(|source| SourceError::Read {
            file: archive.to_owned(),
            offset: start,
            source,
        })?;
        let raw = BufReader::new(file).take(packed);
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "of what zip knows, samples are packed in two ways"
        )]
        let plain: Box<dyn Read + Send> = match method {
            CompressionMethod::Stored => Box::new(raw),
            CompressionMethod::Deflated => Box::new(DeflateDecoder::new(raw)),
            other => {
                return Err(bad(
                    archive,
                    start,
                    format!("{name} packed with {other}"),
                    "deflate or no packing",
                ));
            }
        };
        let checked = Checked { inner: CrcReader::new(plain), crc };
        let reader = csv::ReaderBuilder::new().has_headers(false).from_reader(checked);
        Ok(Self { name: name.clone(), reader, record: csv::ByteRecord::new() })
    }

    fn advance(&mut self, archive: &str) -> Result<bool, SourceError> {
        let outcome = self.reader.read_byte_record(&mut self.record);
        outcome.map_err(|e| {
            let found = e.to_string();
            self.fault(archive, &found, "a row like those before it")
        })
    }

    #[cold]
    fn fault(&self, archive: &str, found: &str, wanted: &str) -> SourceError {
        let place = self.record.position().unwrap_or(self.reader.position());
        bad(
            &format!("{archive}/{}", self.name),
            place.byte(),
            format!("{found} on line {}", place.line()),
            wanted,
        )
    }

    fn field(&self, archive: &str, index: usize) -> Result<&[u8], SourceError> {
        self.record.get(index).ok_or_else(|| {
            self.fault(archive, &format!("{} columns", self.record.len()), &format!("at least {}", index + 1))
        })
    }

    fn integer(&self, archive: &str, index: usize) -> Result<i64, SourceError> {
        let text = self.field(archive, index)?;
        parse_integer(text).ok_or_else(|| {
            self.fault(
                archive,
                &format!("{:?} in column {}", String::from_utf8_lossy(text), index + 1),
                "an integer",
            )
        })
    }

    fn ranged<T: TryFrom<i64>>(&self, archive: &str, index: usize, wanted: &str) -> Result<T, SourceError> {
        let value = self.integer(archive, index)?;
        T::try_from(value)
            .map_err(|_| self.fault(archive, &format!("{value} in column {}", index + 1), wanted))
    }

    fn message(&self, archive: &str) -> Result<MessageRow, SourceError> {
        let time = self.field(archive, 0)?;
        let ns = parse_seconds(time).ok_or_else(|| {
            let found = format!("time {:?}", String::from_utf8_lossy(time));
            self.fault(archive, &found, "decimal seconds since midnight")
        })?;
        let kind: u8 = self.ranged(archive, 1, "a message type from 1 to 7")?;
        if !(1..=7).contains(&kind) {
            return Err(self.fault(archive, &format!("message type {kind}"), "1 to 7"));
        }
        let side = match self.integer(archive, 5)? {
            1 => Side::Bid,
            -1 => Side::Ask,
            other => return Err(self.fault(archive, &format!("direction {other}"), "1 or -1")),
        };
        Ok(MessageRow {
            ns,
            kind,
            order_id: self.order_id(archive, kind)?,
            qty: self.ranged(archive, 3, "a size from 0 to 4294967295")?,
            px: self.integer(archive, 4)?,
            side,
        })
    }

    /// The order's number. Crosses and trading halts concern no order, and say so by 0 or -1.
    fn order_id(&self, archive: &str, kind: u8) -> Result<u64, SourceError> {
        match (kind, self.integer(archive, 2)?) {
            (6 | 7, -1) => Ok(0),
            (_, number) => u64::try_from(number).map_err(|_| {
                self.fault(archive, &format!("{number} in column 3"), "an order number from 0 up")
            }),
        }
    }

    /// Ask price, ask size, bid price, bid size, from the best level down; empty levels have size zero.
    fn depth(&self, archive: &str, row: &mut DepthRow) -> Result<(), SourceError> {
        row.sides.iter_mut().for_each(Vec::clear);
        for level in 0..row.levels {
            for (side, column) in [(Side::Ask, 4 * level), (Side::Bid, 4 * level + 2)] {
                let px = self.integer(archive, column)?;
                let qty = self.ranged(archive, column + 1, "a size from 0 to 4294967295")?;
                if qty > 0 {
                    row.sides[side.index()].push((px, qty));
                }
            }
        }
        Ok(())
    }
}

fn parse_integer(text: &[u8]) -> Option<i64> {
    std::str::from_utf8(text).ok()?.trim_ascii().parse().ok()
}

/// `34200.017459617` in nanoseconds. Some rows carry more than nine decimals, remains of a binary fraction in the tool that
/// wrote them: those are cut off.
fn parse_seconds(text: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(text).ok()?.trim_ascii();
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || decimals.len() > 18 || !digits(whole) || !digits(decimals) {
        return None;
    }
    let decimals = &decimals[..decimals.len().min(9)];
    let fraction: u64 = if decimals.is_empty() { 0 } else { decimals.parse().ok()? };
    let scale = 10_u64.pow(9 - u32::try_from(decimals.len()).ok()?);
    whole.parse::<u64>().ok()?.checked_mul(1_000_000_000)?.checked_add(fraction * scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_read_exactly() {
        assert_eq!(parse_seconds(b"34200.017459617"), Some(34_200_017_459_617));
        assert_eq!(parse_seconds(b"57599.5"), Some(57_599_500_000_000));
        assert_eq!(parse_seconds(b"0"), Some(0));
        assert_eq!(parse_seconds(b"43002.632812672004"), Some(43_002_632_812_672));
        for bad in ["", ".5", "1.0000000000000000001", "-1", "1e3", "+1", "99999999999999"] {
            assert_eq!(parse_seconds(bad.as_bytes()), None, "{bad:?}");
        }
    }

    #[test]
    fn a_file_name_tells_ticker_day_and_depth() {
        let (symbol, date, levels) = name_parts("x/AMZN_2012-06-21_34200000_57600000_message_5.csv").unwrap();
        assert_eq!((symbol.as_str(), date, levels), ("AMZN", Date { year: 2012, month: 6, day: 21 }, 5));
        for bad in
            ["AMZN_message_5.csv", "AMZN_2012-06-21_1_2_message_0.csv", "AMZN_2012-06-21_1_2_message_5.txt"]
        {
            assert!(name_parts(bad).is_none(), "{bad}");
        }
    }
}
