//! Reads the feature captures that training works on: Parquet, one row per (instrument, grid point), columns found by
//! name: `ts_ns` INT64, `symbol` UTF-8, each feature DOUBLE, each `<feature>_valid` BOOLEAN; others are ignored. The file
//! says which feature schema it holds under [`SCHEMA_KEY`].

use std::fs::File;
use std::path::{Path, PathBuf};

use parquet::basic::Type as PhysicalType;
use parquet::column::reader::get_typed_column_reader;
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, RowGroupReader, SerializedFileReader};
use parquet::schema::types::SchemaDescriptor;
use types::{FEATURE_COUNT, FEATURES, FeatureSchema, Symbol, UnixNanos};

use crate::row::FeatureRow;

/// Metadata key of the feature schema's hash, sixteen hexadecimal digits.
const SCHEMA_KEY: &str = "portcullis.feature_schema";

/// Most rows held in memory: 6 GB of them, weeks of a few hundred instruments.
pub const FEATURE_ROWS_MAX: usize = 50_000_000;

/// Why a capture was not read.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// The file cannot be opened.
    #[error("{}: {source}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The file is no readable Parquet.
    #[error("{}: {source}", path.display())]
    Parquet {
        /// The file.
        path: PathBuf,
        /// The library's reason.
        source: ParquetError,
    },
    /// Features of another schema.
    #[error("{}: found feature schema {found}, wanted {wanted}; capture it again with this build", path.display())]
    Schema {
        /// The file.
        path: PathBuf,
        /// The hash it names, or `none`.
        found: String,
        /// The hash of this build.
        wanted: String,
    },
    /// Costs of other sizes.
    #[error("{}: found the order sizes {found}, wanted {wanted}; capture it again with this build", path.display())]
    Sizes {
        /// The file.
        path: PathBuf,
        /// The sizes it names, or `none`.
        found: String,
        /// The sizes of this build.
        wanted: String,
    },
    /// Columns are missing or of another type.
    #[error("{}: {}", path.display(), faults.join("; "))]
    Columns {
        /// The file.
        path: PathBuf,
        /// Each fault: the column, what was found and what was wanted.
        faults: Vec<String>,
    },
    /// A row cannot be used.
    #[error("{}: row {row}: {column} is {found}, wanted {wanted}", path.display())]
    Row {
        /// The file.
        path: PathBuf,
        /// Row, from 0.
        row: usize,
        /// Column.
        column: &'static str,
        /// Its value.
        found: String,
        /// What it may be.
        wanted: &'static str,
    },
    /// More rows than fit.
    #[error("{}: found more than {rows_max} rows in all, wanted at most that", path.display())]
    TooManyRows {
        /// The file that goes over.
        path: PathBuf,
        /// The bound.
        rows_max: usize,
    },
}

/// Positions of the columns in a file.
struct Columns {
    ts: usize,
    symbol: usize,
    values: [usize; FEATURE_COUNT],
    valid: [usize; FEATURE_COUNT],
}

impl Columns {
    /// Finds the columns by name; gives every fault at once.
    fn find(schema: &SchemaDescriptor) -> Result<Self, Vec<String>> {
        let mut faults = Vec::new();
        let mut find = |name: &str, wanted| column_at(schema, name, wanted, true, &mut faults);
        let columns = Self {
            ts: find("ts_ns", PhysicalType::INT64),
            symbol: find("symbol", PhysicalType::BYTE_ARRAY),
            values: FEATURES.map(|feature| find(feature.name, PhysicalType::DOUBLE)),
            valid: FEATURES.map(|feature| find(&format!("{}_valid", feature.name), PhysicalType::BOOLEAN)),
        };
        if faults.is_empty() { Ok(columns) } else { Err(faults) }
    }
}

/// The position of the column `name`, or 0 and a fault: missing, of another type than `wanted`, a list, or able to hold
/// nulls where it must not.
pub(crate) fn column_at(
    schema: &SchemaDescriptor,
    name: &str,
    wanted: PhysicalType,
    nulls: bool,
    faults: &mut Vec<String>,
) -> usize {
    let found = schema.columns().iter().position(|column| column.path().string() == name);
    match found.map(|i| (i, schema.column(i))) {
        None => faults.push(format!("column {name} missing")),
        Some((_, column)) if column.physical_type() != wanted || column.max_rep_level() > 0 => {
            faults.push(format!("column {name} found {}, wanted {wanted}", column.physical_type()));
        }
        Some((i, column)) if nulls || column.max_def_level() == 0 => return i,
        Some(_) => faults.push(format!("column {name} found optional, wanted required")),
    }
    0
}

/// The value under `key` in a file's metadata, or `none`.
pub(crate) fn metadata_value(reader: &SerializedFileReader<File>, key: &str) -> String {
    let pairs = reader.metadata().file_metadata().key_value_metadata();
    let found = pairs.into_iter().flatten().find(|kv| kv.key == key).and_then(|kv| kv.value.clone());
    found.unwrap_or_else(|| "none".to_owned())
}

/// Time and symbol of each row; `row` is the number of the first in its file.
pub(crate) fn read_keys(
    path: &Path,
    row: usize,
    times: Vec<Option<i64>>,
    symbols: Vec<Option<ByteArray>>,
) -> Result<Vec<(UnixNanos, Symbol)>, CaptureError> {
    let key = |(i, (ts, symbol)): (usize, (Option<i64>, Option<ByteArray>))| {
        let fault = |column, found, wanted| CaptureError::Row {
            path: path.to_owned(),
            row: row + i,
            column,
            found,
            wanted,
        };
        let Some(ns) = ts.and_then(|ts| u64::try_from(ts).ok()) else {
            let found = ts.map_or("null".to_owned(), |ts| ts.to_string());
            return Err(fault("ts_ns", found, "nanoseconds since 1970"));
        };
        let text = symbol.as_ref().and_then(|s| std::str::from_utf8(s.data()).ok()).unwrap_or("");
        let Some(symbol) = Symbol::new(text.trim_end()) else {
            return Err(fault("symbol", format!("{text:?}"), "1 to 8 printable ASCII bytes"));
        };
        Ok((UnixNanos(ns), symbol))
    };
    times.into_iter().zip(symbols).enumerate().map(key).collect()
}

/// One column of a row group; `None` where the file holds null.
pub(crate) fn read_column<T: DataType>(
    group: &dyn RowGroupReader,
    index: usize,
) -> Result<Vec<Option<T::T>>, ParquetError> {
    let rows = usize::try_from(group.metadata().num_rows()).unwrap_or(0);
    let optional = group.metadata().column(index).column_descr().max_def_level() > 0;
    let mut reader = get_typed_column_reader::<T>(group.get_column_reader(index)?);
    let (mut levels, mut values) = (Vec::new(), Vec::new());
    let mut read = 0;
    while read < rows {
        let (records, _, _) =
            reader.read_records(rows - read, optional.then_some(&mut levels), None, &mut values)?;
        if records == 0 {
            return Err(ParquetError::EOF(format!("column {index} ends after {read} of {rows} rows")));
        }
        read += records;
    }
    if !optional {
        return Ok(values.into_iter().map(Some).collect());
    }
    let mut values = values.into_iter();
    Ok(levels.into_iter().map(|level| if level > 0 { values.next() } else { None }).collect())
}

fn check_schema(path: &Path, reader: &SerializedFileReader<File>) -> Result<(), CaptureError> {
    let wanted = format!("{:016x}", FeatureSchema::V1.hash);
    let found = metadata_value(reader, SCHEMA_KEY);
    if found == wanted { Ok(()) } else { Err(CaptureError::Schema { path: path.to_owned(), found, wanted }) }
}

/// Appends the rows of the capture at `path` to `rows`. A value that is null, not finite or marked invalid becomes an
/// invalid 0.
///
/// # Errors
/// A file that cannot be read or is no capture (all faults of its columns at once), a row without time or symbol, more
/// than [`FEATURE_ROWS_MAX`] rows in all. `rows` is then as it was.
pub fn read_features(path: &Path, rows: &mut Vec<FeatureRow>) -> Result<(), CaptureError> {
    let before = rows.len();
    read_rows(
        path,
        rows,
        Columns::find,
        |reader| check_schema(path, reader),
        |group, columns, rows| read_group(path, group, columns, before, rows),
    )
}

/// Appends to `rows` what `read_group` makes of each group of the capture at `path`, after `find` has found its columns and
/// `check` has had a look. When anything fails, `rows` is as it was.
pub(crate) fn read_rows<R, C>(
    path: &Path,
    rows: &mut Vec<R>,
    find: impl FnOnce(&SchemaDescriptor) -> Result<C, Vec<String>>,
    check: impl FnOnce(&SerializedFileReader<File>) -> Result<(), CaptureError>,
    mut read_group: impl FnMut(&dyn RowGroupReader, &C, &mut Vec<R>) -> Result<(), CaptureError>,
) -> Result<(), CaptureError> {
    let file = File::open(path).map_err(|source| CaptureError::Open { path: path.to_owned(), source })?;
    let parquet = |source| CaptureError::Parquet { path: path.to_owned(), source };
    let reader = SerializedFileReader::new(file).map_err(parquet)?;
    let metadata = reader.metadata().file_metadata();
    let columns = find(metadata.schema_descr())
        .map_err(|faults| CaptureError::Columns { path: path.to_owned(), faults })?;
    check(&reader)?;
    let before = rows.len();
    let count = usize::try_from(metadata.num_rows()).unwrap_or(usize::MAX);
    if count.saturating_add(before) > FEATURE_ROWS_MAX {
        return Err(CaptureError::TooManyRows { path: path.to_owned(), rows_max: FEATURE_ROWS_MAX });
    }
    let outcome = (0..reader.num_row_groups()).try_for_each(|i| {
        let group = reader.get_row_group(i).map_err(parquet)?;
        read_group(&*group, &columns, rows)
    });
    if outcome.is_err() {
        rows.truncate(before);
    }
    outcome
}

fn read_group(
    path: &Path,
    group: &dyn RowGroupReader,
    columns: &Columns,
    first: usize,
    rows: &mut Vec<FeatureRow>,
) -> Result<(), CaptureError> {
    let parquet = |source| CaptureError::Parquet { path: path.to_owned(), source };
    let start = rows.len();
    let times = read_column::<Int64Type>(group, columns.ts).map_err(parquet)?;
    let symbols = read_column::<ByteArrayType>(group, columns.symbol).map_err(parquet)?;
    for (ts, symbol) in read_keys(path, start - first, times, symbols)? {
        rows.push(FeatureRow { ts, symbol, valid: 0, values: [0.0; FEATURE_COUNT] });
    }
    for feature in 0..FEATURE_COUNT {
        let values = read_column::<DoubleType>(group, columns.values[feature]).map_err(parquet)?;
        let valid = read_column::<BoolType>(group, columns.valid[feature]).map_err(parquet)?;
        for ((row, value), valid) in rows[start..].iter_mut().zip(values).zip(valid) {
            if let (Some(value), Some(true)) = (value.filter(|v| v.is_finite()), valid) {
                row.values[feature] = value;
                row.valid |= 1 << feature;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synthetic::calm;
    use parquet::file::metadata::KeyValue;
    use parquet::file::properties::WriterProperties;
    use parquet::file::writer::SerializedFileWriter;
    use parquet::schema::parser::parse_message_type;
    use std::sync::Arc;

    /// Writes rows as a capture; `schema` lists the columns, `skip` leaves values of one feature out as nulls.
    fn write(path: &Path, schema: &str, rows: &[FeatureRow], nulls: Option<usize>) {
        write_named(path, schema, rows, nulls, &format!("{:016x}", FeatureSchema::V1.hash));
    }

    fn write_named(path: &Path, schema: &str, rows: &[FeatureRow], nulls: Option<usize>, hash: &str) {
        let schema = Arc::new(parse_message_type(schema).unwrap());
        let names: Vec<String> = schema.get_fields().iter().map(|f| f.name().to_owned()).collect();
        let pair = KeyValue::new(SCHEMA_KEY.to_owned(), hash.to_owned());
        let properties =
            Arc::new(WriterProperties::builder().set_key_value_metadata(Some(vec![pair])).build());
        let mut file = SerializedFileWriter::new(File::create(path).unwrap(), schema, properties).unwrap();
        for chunk in rows.chunks(1_000) {
            let mut group = file.next_row_group().unwrap();
            for name in &names {
                let mut column = group.next_column().unwrap().unwrap();
                let feature = FEATURES.iter().position(|f| f.name == name.trim_end_matches("_valid"));
                match (name.as_str(), feature) {
                    ("ts_ns", _) => {
                        let v: Vec<i64> = chunk.iter().map(|r| i64::try_from(r.ts.0).unwrap()).collect();
                        column.typed::<Int64Type>().write_batch(&v, None, None).unwrap();
                    }
                    ("symbol", _) => {
                        let v: Vec<ByteArray> =
                            chunk.iter().map(|r| ByteArray::from(r.symbol.as_str())).collect();
                        column.typed::<ByteArrayType>().write_batch(&v, None, None).unwrap();
                    }
                    (name, Some(i)) if name.ends_with("_valid") => {
                        let v: Vec<bool> = chunk.iter().map(|r| r.valid >> i & 1 == 1).collect();
                        column.typed::<BoolType>().write_batch(&v, None, None).unwrap();
                    }
                    (_, Some(i)) if nulls == Some(i) => {
                        column
                            .typed::<DoubleType>()
                            .write_batch(&[], Some(&vec![0; chunk.len()]), None)
                            .unwrap();
                    }
                    (_, i) => {
                        let v: Vec<f64> = chunk.iter().map(|r| r.values[i.unwrap_or(0)]).collect();
                        column.typed::<DoubleType>().write_batch(&v, None, None).unwrap();
                    }
                }
                column.close().unwrap();
            }
            group.close().unwrap();
        }
        file.close().unwrap();
    }

    fn schema(optional: Option<usize>, leave_out: &str) -> String {
        let mut text =
            "message capture { REQUIRED INT64 ts_ns; REQUIRED BYTE_ARRAY symbol (UTF8); ".to_owned();
        for (i, feature) in FEATURES.iter().enumerate() {
            let repetition = if optional == Some(i) { "OPTIONAL" } else { "REQUIRED" };
            text += &format!("{repetition} DOUBLE {}; REQUIRED BOOLEAN {0}_valid; ", feature.name);
        }
        let text = text + "}";
        text.split_inclusive(';').filter(|c| leave_out.is_empty() || !c.contains(leave_out)).collect()
    }

    #[test]
    fn a_capture_comes_back_as_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("features.parquet");
        let mut wanted = calm(700, 3);
        for row in &mut wanted {
            if row.valid >> 12 & 1 == 0 {
                row.values[12] = 0.0;
            }
        }
        write(&path, &schema(None, ""), &wanted, None);
        let mut rows = Vec::new();
        read_features(&path, &mut rows).unwrap();
        assert_eq!(rows, wanted);
        read_features(&path, &mut rows).unwrap();
        assert_eq!(rows.len(), 2 * wanted.len(), "rows are appended");
    }

    #[test]
    fn nulls_and_numbers_that_are_none_become_invalid() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("features.parquet");
        let mut written = calm(10, 3);
        written[4].values[1] = f64::NAN;
        write(&path, &schema(Some(3), ""), &written, Some(3));
        let mut rows = Vec::new();
        read_features(&path, &mut rows).unwrap();
        assert!(rows.iter().all(|r| r.valid >> 3 & 1 == 0 && r.values[3] == 0.0));
        assert_eq!((rows[4].valid >> 1 & 1, rows[4].values[1]), (0, 0.0));
        assert_eq!(rows[5].get(1), Some(written[5].values[1]));
    }

    #[test]
    fn every_missing_column_is_named_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("features.parquet");
        write(&path, &schema(None, "rv_1s"), &calm(3, 1), None);
        let error = read_features(&path, &mut Vec::new()).unwrap_err().to_string();
        assert!(
            error.ends_with("features.parquet: column rv_1s missing; column rv_1s_valid missing"),
            "{error}"
        );
        let other =
            schema(None, "").replace("DOUBLE rv_1m;", "DOUBLE rv_2m;").replace("INT64 ts_ns", "DOUBLE ts_ns");
        let other = other.replace("rv_2m;", "rv_1m_x;");
        let parsed = parse_message_type(&other).unwrap();
        let found = Columns::find(&SchemaDescriptor::new(Arc::new(parsed))).err().unwrap();
        assert_eq!(found, ["column ts_ns found DOUBLE, wanted INT64", "column rv_1m missing"]);
    }

    #[test]
    fn a_capture_of_another_schema_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("features.parquet");
        write_named(&path, &schema(None, ""), &calm(3, 1), None, "00ff");
        let error = read_features(&path, &mut Vec::new()).unwrap_err().to_string();
        assert!(error.contains("found feature schema 00ff, wanted 43e7a910454d019b"), "{error}");
    }

    #[test]
    fn rows_without_a_symbol_and_files_that_are_none_are_refused_in_one_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("features.parquet");
        let mut rows = calm(3, 1);
        rows[2].symbol = Symbol(*b"        ");
        write(&path, &schema(None, ""), &rows, None);
        let mut kept = calm(1, 1);
        let error = read_features(&path, &mut kept).unwrap_err().to_string();
        assert_eq!(kept, calm(1, 1), "rows of a bad file are not kept");
        assert!(error.ends_with("row 2: symbol is \"\", wanted 1 to 8 printable ASCII bytes"), "{error}");
        std::fs::write(&path, b"not parquet").unwrap();
        assert!(matches!(read_features(&path, &mut Vec::new()), Err(CaptureError::Parquet { .. })));
        let none = dir.path().join("none.parquet");
        let error = read_features(&none, &mut Vec::new()).unwrap_err().to_string();
        assert!(error.contains("none.parquet") && !error.contains('\n'), "{error}");
    }
}
