//! Reads slippage.parquet, which `replay --write slippage` writes: columns found by name, the sizes checked against this build's.

use std::fs::File;
use std::path::Path;

use parquet::basic::Type as PhysicalType;
use parquet::data_type::{ByteArrayType, DoubleType, Int64Type};
use parquet::file::reader::{RowGroupReader, SerializedFileReader};
use parquet::schema::types::SchemaDescriptor;
use types::{Symbol, UnixNanos};

use crate::captures::{CaptureError, column_at, metadata_value, read_column, read_keys, read_rows};
use crate::heads::slippage::{SLIPPAGE_OUTPUTS, SLIPPAGE_SIZES};

/// Metadata key of the sizes.
const SIZES_KEY: &str = "portcullis.cost_sizes";

/// What orders decided on at one grid point cost, in bps: of a buyer, then of a seller, smallest size first; NaN where the
/// book did not hold the size, or nobody knows.
#[derive(Clone, Copy, Debug)]
pub struct SlippageSample {
    /// Grid point of the decision.
    pub ts: UnixNanos,
    /// The instrument's name.
    pub symbol: Symbol,
    /// Filled at once.
    pub now: [f32; SLIPPAGE_OUTPUTS],
    /// Filled at the next grid point.
    pub next: [f32; SLIPPAGE_OUTPUTS],
}

/// Positions of the columns in a file.
struct Columns {
    ts: usize,
    symbol: usize,
    now: [usize; SLIPPAGE_OUTPUTS],
    next: [usize; SLIPPAGE_OUTPUTS],
}

impl Columns {
    /// Finds the columns by name; gives every fault at once.
    fn find(schema: &SchemaDescriptor) -> Result<Self, Vec<String>> {
        let mut faults = Vec::new();
        let mut find = |name: &str, wanted, nulls| column_at(schema, name, wanted, nulls, &mut faults);
        let (ts, symbol) =
            (find("ts_ns", PhysicalType::INT64, false), find("symbol", PhysicalType::BYTE_ARRAY, false));
        let mut costs = |when: &str| {
            core::array::from_fn(|i| {
                let (side, size) =
                    (if i < SLIPPAGE_SIZES.len() { "buy" } else { "sell" }, i % SLIPPAGE_SIZES.len());
                find(&format!("{side}_{when}_bps_{}", size + 1), PhysicalType::DOUBLE, true)
            })
        };
        let columns = Self { ts, symbol, now: costs("now"), next: costs("next") };
        if faults.is_empty() { Ok(columns) } else { Err(faults) }
    }
}

/// Appends the rows of the capture at `path` to `rows`.
///
/// # Errors
/// A file that cannot be read or holds no slippage (all faults of its columns at once), other sizes, a row without time or
/// symbol, more than [`crate::FEATURE_ROWS_MAX`] rows in all. `rows` is then as it was.
pub fn read_slippage(path: &Path, rows: &mut Vec<SlippageSample>) -> Result<(), CaptureError> {
    let before = rows.len();
    read_rows(
        path,
        rows,
        Columns::find,
        |reader| check_sizes(path, reader),
        |group, columns, rows| read_group(path, group, columns, before, rows),
    )
}

fn check_sizes(path: &Path, reader: &SerializedFileReader<File>) -> Result<(), CaptureError> {
    let wanted = SLIPPAGE_SIZES.map(|size| size.to_string()).join(",");
    let found = metadata_value(reader, SIZES_KEY);
    if found == wanted { Ok(()) } else { Err(CaptureError::Sizes { path: path.to_owned(), found, wanted }) }
}

fn read_group(
    path: &Path,
    group: &dyn RowGroupReader,
    columns: &Columns,
    first: usize,
    rows: &mut Vec<SlippageSample>,
) -> Result<(), CaptureError> {
    let parquet = |source| CaptureError::Parquet { path: path.to_owned(), source };
    let start = rows.len();
    let times = read_column::<Int64Type>(group, columns.ts).map_err(parquet)?;
    let symbols = read_column::<ByteArrayType>(group, columns.symbol).map_err(parquet)?;
    for (ts, symbol) in read_keys(path, start - first, times, symbols)? {
        rows.push(SlippageSample {
            ts,
            symbol,
            now: [f32::NAN; SLIPPAGE_OUTPUTS],
            next: [f32::NAN; SLIPPAGE_OUTPUTS],
        });
    }
    for i in 0..SLIPPAGE_OUTPUTS {
        let now = read_column::<DoubleType>(group, columns.now[i]).map_err(parquet)?;
        let next = read_column::<DoubleType>(group, columns.next[i]).map_err(parquet)?;
        #[expect(clippy::cast_possible_truncation, reason = "labels of a single-precision network")]
        let known = |cost: Option<f64>| cost.filter(|c| c.is_finite()).map_or(f32::NAN, |c| c as f32);
        for ((row, now), next) in rows[start..].iter_mut().zip(now).zip(next) {
            (row.now[i], row.next[i]) = (known(now), known(next));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use parquet::data_type::ByteArray;
    use parquet::file::metadata::KeyValue;
    use parquet::file::properties::WriterProperties;
    use parquet::file::writer::SerializedFileWriter;
    use parquet::schema::parser::parse_message_type;
    use std::sync::Arc;

    const SIZES: &str = "0.5,1,2,4,8,16,32,64";

    fn names() -> Vec<String> {
        let name = |side: &str, when: &str, size: usize| format!("{side}_{when}_bps_{size}");
        let order = [("buy", "now"), ("sell", "now"), ("buy", "next"), ("sell", "next")];
        order.iter().flat_map(|(side, when)| (1..=8).map(move |size| name(side, when, size))).collect()
    }

    /// One row whose n-th cost is n, but for a null in every third place, in a file that names `sizes` and lacks `missing`.
    fn write(path: &Path, sizes: &str, missing: &str) {
        let costs: Vec<(usize, String)> =
            names().into_iter().enumerate().filter(|(_, n)| n != missing).collect();
        let columns: String = costs.iter().map(|(_, name)| format!("OPTIONAL DOUBLE {name}; ")).collect();
        let schema =
            format!("message costs {{ REQUIRED INT64 ts_ns; REQUIRED BYTE_ARRAY symbol (UTF8); {columns}}}");
        let pair = KeyValue::new(SIZES_KEY.to_owned(), sizes.to_owned());
        let properties =
            Arc::new(WriterProperties::builder().set_key_value_metadata(Some(vec![pair])).build());
        let schema = Arc::new(parse_message_type(&schema).unwrap());
        let mut file = SerializedFileWriter::new(File::create(path).unwrap(), schema, properties).unwrap();
        let mut group = file.next_row_group().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<Int64Type>().write_batch(&[7], None, None).unwrap();
        column.close().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<ByteArrayType>().write_batch(&[ByteArray::from("AAA")], None, None).unwrap();
        column.close().unwrap();
        for (n, _) in costs {
            let mut column = group.next_column().unwrap().unwrap();
            #[expect(clippy::cast_precision_loss, reason = "a column's number")]
            let known = [n as f64];
            let (values, level) = if n % 3 == 2 { (&known[..0], 0) } else { (&known[..], 1) };
            column.typed::<DoubleType>().write_batch(values, Some(&[level]), None).unwrap();
            column.close().unwrap();
        }
        group.close().unwrap();
        file.close().unwrap();
    }

    #[test]
    fn costs_come_back_by_side_and_size_and_nulls_as_unknown() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("slippage.parquet");
        write(&path, SIZES, "");
        let mut rows = Vec::new();
        read_slippage(&path, &mut rows).unwrap();
        read_slippage(&path, &mut rows).unwrap();
        assert_eq!(rows.len(), 2, "rows are appended");
        assert_eq!((rows[0].ts, rows[0].symbol.as_str()), (UnixNanos(7), "AAA"));
        let found = [rows[1].now, rows[1].next].concat();
        for (n, cost) in found.into_iter().enumerate() {
            #[expect(clippy::cast_precision_loss, reason = "a column's number")]
            let wanted = n as f32;
            assert!(if n % 3 == 2 { cost.is_nan() } else { cost == wanted }, "column {n}: {cost}");
        }
    }

    #[test]
    fn other_sizes_and_missing_columns_are_refused_in_one_line_and_nothing_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("slippage.parquet");
        let mut rows = Vec::new();
        let mut refused = |sizes: &str, missing: &str| {
            write(&path, sizes, missing);
            let error = read_slippage(&path, &mut rows).unwrap_err().to_string();
            assert!(rows.is_empty() && !error.contains('\n'), "{error}");
            error
        };
        let sizes = refused("1,2", "");
        assert!(
            sizes.contains("slippage.parquet: found the order sizes 1,2, wanted 0.5,1,2,4,8,16,32,64;"),
            "{sizes}"
        );
        let column = refused(SIZES, "sell_next_bps_8");
        assert!(column.ends_with("slippage.parquet: column sell_next_bps_8 missing"), "{column}");
    }
}
