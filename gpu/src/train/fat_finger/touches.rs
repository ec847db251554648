//! Reads the best prices out of slippage.parquet, which `replay --write slippage` writes at every feature row: features are free
//! of prices, and an order's distance from the touch needs them.

use std::path::Path;

use parquet::basic::Type as PhysicalType;
use parquet::data_type::{ByteArrayType, Int64Type};
use parquet::schema::types::SchemaDescriptor;
use types::{Px, Symbol, UnixNanos};

use crate::captures::{CaptureError, column_at, read_column, read_keys, read_rows};

/// The best prices at one grid point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TouchRow {
    /// Grid point.
    pub ts: UnixNanos,
    /// The instrument's name.
    pub symbol: Symbol,
    /// Best bid.
    pub bid: Px,
    /// Best offer.
    pub ask: Px,
}

/// Appends the rows of the capture at `path` to `rows`; one without both prices, or whose book is crossed, is left out.
///
/// # Errors
/// A file that cannot be read or lacks a column (all faults at once), a row without time or symbol, more than
/// [`crate::FEATURE_ROWS_MAX`] rows in all. `rows` is then as it was.
pub fn read_touches(path: &Path, rows: &mut Vec<TouchRow>) -> Result<(), CaptureError> {
    let parquet = |source| CaptureError::Parquet { path: path.to_owned(), source };
    let mut read = 0;
    read_rows(
        path,
        rows,
        Columns::find,
        |_| Ok(()),
        |group, columns, rows| {
            let times = read_column::<Int64Type>(group, columns.ts).map_err(parquet)?;
            let symbols = read_column::<ByteArrayType>(group, columns.symbol).map_err(parquet)?;
            let bids = read_column::<Int64Type>(group, columns.bid).map_err(parquet)?;
            let asks = read_column::<Int64Type>(group, columns.ask).map_err(parquet)?;
            let keys = read_keys(path, read, times, symbols)?;
            read += keys.len();
            for (((ts, symbol), bid), ask) in keys.into_iter().zip(bids).zip(asks) {
                let (Some(bid), Some(ask)) = (bid.map(Px), ask.map(Px)) else { continue };
                if bid.0 > 0 && bid < ask && ask.is_some() {
                    rows.push(TouchRow { ts, symbol, bid, ask });
                }
            }
            Ok(())
        },
    )
}

/// Positions of the columns in a file.
struct Columns {
    ts: usize,
    symbol: usize,
    bid: usize,
    ask: usize,
}

impl Columns {
    /// Finds the columns by name; gives every fault at once.
    fn find(schema: &SchemaDescriptor) -> Result<Self, Vec<String>> {
        let mut faults = Vec::new();
        let mut find = |name: &str, wanted| column_at(schema, name, wanted, false, &mut faults);
        let columns = Self {
            ts: find("ts_ns", PhysicalType::INT64),
            symbol: find("symbol", PhysicalType::BYTE_ARRAY),
            bid: find("bid_px", PhysicalType::INT64),
            ask: find("ask_px", PhysicalType::INT64),
        };
        if faults.is_empty() { Ok(columns) } else { Err(faults) }
    }
}

#[cfg(test)]
#[expect(clippy::wildcard_enum_match_arm, reason = "a test decides on what it is about")]
mod tests {
    use super::*;
    use parquet::data_type::ByteArray;
    use parquet::file::properties::WriterProperties;
    use parquet::file::writer::SerializedFileWriter;
    use parquet::schema::parser::parse_message_type;
    use std::fs::File;
    use std::sync::Arc;

    fn write(path: &Path, schema: &str, symbol: &str) {
        let schema = Arc::new(parse_message_type(schema).unwrap());
        let properties = Arc::new(WriterProperties::builder().build());
        let mut file = SerializedFileWriter::new(File::create(path).unwrap(), schema, properties).unwrap();
        let mut group = file.next_row_group().unwrap();
        let mut integers = [[5_i64, 6, 7], [99, 100, 0], [101, 100, 5]].into_iter();
        while let Some(mut column) = group.next_column().unwrap() {
            match column.untyped() {
                parquet::column::writer::ColumnWriter::ByteArrayColumnWriter(w) => {
                    w.write_batch(&[symbol; 3].map(ByteArray::from), None, None).unwrap();
                }
                parquet::column::writer::ColumnWriter::Int64ColumnWriter(w) => {
                    w.write_batch(&integers.next().unwrap(), None, None).unwrap();
                }
                _ => panic!("no such column is written"),
            }
            column.close().unwrap();
        }
        group.close().unwrap();
        file.close().unwrap();
    }

    const SCHEMA: &str = "message costs { REQUIRED INT64 ts_ns; REQUIRED BYTE_ARRAY symbol (UTF8); REQUIRED INT64 bid_px; REQUIRED INT64 ask_px; }";

    #[test]
    fn prices_come_back_and_a_crossed_or_empty_book_has_none() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("slippage.parquet");
        write(&path, SCHEMA, "AAA");
        let mut rows = Vec::new();
        read_touches(&path, &mut rows).unwrap();
        read_touches(&path, &mut rows).unwrap();
        let symbol = Symbol::new("AAA").unwrap();
        let wanted = TouchRow { ts: UnixNanos(5), symbol, bid: Px(99), ask: Px(101) };
        assert_eq!(rows, [wanted; 2]);
    }

    #[test]
    fn missing_columns_and_bad_rows_are_refused_in_one_line_and_nothing_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("slippage.parquet");
        write(&path, &SCHEMA.replace("bid_px", "bid"), "AAA");
        let error = read_touches(&path, &mut Vec::new()).unwrap_err().to_string();
        assert!(error.ends_with("slippage.parquet: column bid_px missing"), "{error}");
        write(&path, SCHEMA, "");
        let mut rows = Vec::new();
        let error = read_touches(&path, &mut rows).unwrap_err().to_string();
        assert!(error.contains("row 0: symbol is \"\"") && rows.is_empty(), "{error}");
        let error = read_touches(&dir.path().join("none"), &mut rows).unwrap_err().to_string();
        assert!(error.contains("none: ") && !error.contains('\n'), "{error}");
    }
}
