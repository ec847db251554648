//! Reads Parquet captures, whatever they hold: columns found by name, all faults told at once, a bound on the rows.

use std::fs::File;
use std::path::{Path, PathBuf};

use parquet::basic::Type as PhysicalType;
use parquet::column::reader::get_typed_column_reader;
use parquet::data_type::{ByteArray, DataType};
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, RowGroupReader, SerializedFileReader};
use parquet::schema::types::SchemaDescriptor;
use types::{Symbol, UnixNanos};

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
    #[error("{}: more than {rows_max} rows with the files before it, the most that fit in memory", path.display())]
    TooManyRows {
        /// The file that goes over.
        path: PathBuf,
        /// The bound.
        rows_max: usize,
    },
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
