//! slippage.parquet, one row per decision.
//!
//! Columns: `ts_ns` (INT64), `symbol` (UTF8), `bid_px` and `ask_px` (INT64, in 1e-9), `touch_qty` (INT64), then
//! `buy_now_bps_1` … `_8`, `sell_now_bps_…`, `buy_next_bps_…` and `sell_next_bps_…` (DOUBLE, null where the cost is not
//! known), the number being that of the size. The sizes, as multiples of `touch_qty`, stand in the file's key-value
//! metadata under [`SLIPPAGE_SIZES_KEY`].

use std::path::Path;
use std::sync::Arc;

use parquet::basic::{ConvertedType, Repetition, Type as PhysicalType};
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;
use parquet::schema::types::{Type, TypePtr};
use types::Symbol;

use super::ledger::SlippageRow;
use super::walk::{SLIPPAGE_SIZE_COUNT, SLIPPAGE_SIZES_HALVES};
use crate::parquet_file::{CaptureError, ParquetFile, column, unknown_column};

/// Metadata key of the sizes: multiples of the touch, smallest first, with commas between.
pub const SLIPPAGE_SIZES_KEY: &str = "portcullis.cost_sizes";

/// Rows held back until they are written together: about 20 MB.
const ROWS_MAX: usize = 1 << 16;

/// Columns before the slippage.
const HEAD: usize = 5;

/// Columns of slippage.
const COLUMNS: usize = 4 * SLIPPAGE_SIZE_COUNT;

/// Writes the file to the path given; giving it its final name is the caller's.
pub struct SlippageWriter {
    file: ParquetFile,
    symbols: Vec<ByteArray>,
    rows: Vec<SlippageRow>,
}

impl std::fmt::Debug for SlippageWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SlippageWriter({})", self.file.path().display())
    }
}

fn schema() -> Result<TypePtr, ParquetError> {
    let integer = |name| column(name, PhysicalType::INT64, Repetition::REQUIRED, ConvertedType::NONE);
    let mut fields = vec![
        integer("ts_ns")?,
        column("symbol", PhysicalType::BYTE_ARRAY, Repetition::REQUIRED, ConvertedType::UTF8)?,
        integer("bid_px")?,
        integer("ask_px")?,
        integer("touch_qty")?,
    ];
    for name in ["buy_now", "sell_now", "buy_next", "sell_next"] {
        for size in 1..=SLIPPAGE_SIZE_COUNT {
            let name = format!("{name}_bps_{size}");
            fields.push(column(&name, PhysicalType::DOUBLE, Repetition::OPTIONAL, ConvertedType::NONE)?);
        }
    }
    Type::group_type_builder("slippage").with_fields(fields).build().map(Arc::new)
}

/// The sizes as multiples of the touch.
#[expect(clippy::cast_precision_loss, reason = "small powers of two")]
fn sizes_text() -> String {
    SLIPPAGE_SIZES_HALVES.map(|halves| (halves as f64 / 2.0).to_string()).join(",")
}

impl SlippageWriter {
    /// Creates the file.
    ///
    /// # Errors
    /// [`CaptureError`] when it cannot be created.
    pub fn create(path: &Path) -> Result<Self, CaptureError> {
        let file = ParquetFile::create(path, schema, (SLIPPAGE_SIZES_KEY, sizes_text()))?;
        Ok(Self { file, symbols: Vec::new(), rows: Vec::new() })
    }

    /// Adds one row.
    ///
    /// # Errors
    /// [`CaptureError`] when the rows held back cannot be written.
    pub fn write(&mut self, symbol: Symbol, row: &SlippageRow) -> Result<(), CaptureError> {
        self.symbols.push(ByteArray::from(symbol.as_str()));
        self.rows.push(*row);
        if self.rows.len() == ROWS_MAX { self.write_group() } else { Ok(()) }
    }

    /// Writes what is held back and the file's end.
    ///
    /// # Errors
    /// [`CaptureError`] when that fails; the file is then no capture.
    pub fn finish(mut self) -> Result<(), CaptureError> {
        self.write_group()?;
        self.file.close()
    }

    fn write_group(&mut self) -> Result<(), CaptureError> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let (symbols, rows) = (&self.symbols, &self.rows);
        self.file.write_group(|index, column| write_column(index, column, symbols, rows))?;
        self.symbols.clear();
        self.rows.clear();
        Ok(())
    }
}

/// Integer column `index` of `row`.
fn integer(row: &SlippageRow, index: usize) -> i64 {
    match index {
        0 => row.ts.0.cast_signed(),
        2 => row.decision.bid.0,
        3 => row.decision.ask.0,
        _ => row.decision.touch_qty.cast_signed(),
    }
}

/// Cost column `index` of `row`.
fn cost(row: &SlippageRow, index: usize) -> Option<f64> {
    let costs = if index < COLUMNS / 2 { &row.now } else { &row.next };
    costs.as_flattened()[index % (COLUMNS / 2)]
}

/// Writes the column `index` of the schema.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "an enum of a library: each column of the schema has its arm"
)]
fn write_column(
    index: usize,
    column: &mut ColumnWriter<'_>,
    symbols: &[ByteArray],
    rows: &[SlippageRow],
) -> Result<usize, ParquetError> {
    match column {
        ColumnWriter::ByteArrayColumnWriter(w) => w.write_batch(symbols, None, None),
        ColumnWriter::Int64ColumnWriter(w) => {
            let values: Vec<i64> = rows.iter().map(|row| integer(row, index)).collect();
            w.write_batch(&values, None, None)
        }
        ColumnWriter::DoubleColumnWriter(w) => {
            let costs = || rows.iter().map(|row| cost(row, index - HEAD));
            let levels: Vec<i16> = costs().map(|c| i16::from(c.is_some())).collect();
            let values: Vec<f64> = costs().flatten().collect();
            w.write_batch(&values, Some(&levels), None)
        }
        _ => Err(unknown_column()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slippage::{Decision, UNKNOWN_SLIPPAGE};
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::Field;
    use std::fs::File;
    use types::{InstrumentId, Px, UnixNanos};

    #[test]
    fn rows_come_back_as_written_with_their_nulls_and_sizes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("slippage.parquet");
        let decision = Decision { bid: Px(99), ask: Px(101), touch_qty: 7 };
        let (ts, instrument) = (UnixNanos(100_000_000), InstrumentId(0));
        let mut row = SlippageRow { ts, instrument, decision, now: UNKNOWN_SLIPPAGE, next: UNKNOWN_SLIPPAGE };
        row.now[1][2] = Some(1.25);
        row.next[0][7] = Some(-0.5);
        let mut writer = SlippageWriter::create(&path).unwrap();
        writer.write(Symbol::new("ZVZZT").unwrap(), &row).unwrap();
        writer.finish().unwrap();

        let reader = SerializedFileReader::new(File::open(&path).unwrap()).unwrap();
        let pairs = reader.metadata().file_metadata().key_value_metadata().unwrap();
        let sizes = pairs.iter().find(|kv| kv.key == SLIPPAGE_SIZES_KEY).unwrap().value.as_deref();
        assert_eq!(sizes, Some("0.5,1,2,4,8,16,32,64"));
        let rows: Vec<_> = reader.get_row_iter(None).unwrap().map(Result::unwrap).collect();
        let known: Vec<(String, Field)> = rows[0]
            .get_column_iter()
            .filter(|(_, f)| **f != Field::Null)
            .map(|(n, f)| (n.clone(), f.clone()))
            .collect();
        let wanted = [
            ("ts_ns", Field::Long(100_000_000)),
            ("symbol", Field::Str("ZVZZT".to_owned())),
            ("bid_px", Field::Long(99)),
            ("ask_px", Field::Long(101)),
            ("touch_qty", Field::Long(7)),
            ("sell_now_bps_3", Field::Double(1.25)),
            ("buy_next_bps_8", Field::Double(-0.5)),
        ];
        assert_eq!(known, wanted.map(|(name, field)| (name.to_owned(), field)));
        assert_eq!((rows.len(), rows[0].len()), (1, HEAD + COLUMNS));
    }

    #[test]
    fn a_file_that_cannot_be_created_names_its_path() {
        let error = SlippageWriter::create(Path::new("/nonexistent/slippage.parquet")).unwrap_err();
        assert!(error.to_string().contains("/nonexistent/slippage.parquet"), "{error}");
    }
}
