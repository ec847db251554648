//! Reading feature captures (`features.parquet`, as `portcullis replay --write features` leaves them) for training.

use std::fs::File;
use std::path::{Path, PathBuf};

use parquet::column::reader::ColumnReader;
use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, RowGroupReader, SerializedFileReader};
use types::{FEATURE_COUNT, FEATURES, FeatureSchema, Symbol, UnixNanos};

use crate::row::FeatureRow;

/// Metadata key of the feature schema's hash.
const SCHEMA_KEY: &str = "portcullis.feature_schema";

/// Why a capture could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CaptureError {
    /// Not a Parquet file, or a damaged one.
    #[error("{}: {source}", path.display())]
    Parquet {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
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
    /// Columns are missing or of another type.
    #[error("{}: wanted columns that are not there: {missing}", path.display())]
    Columns {
        /// The file.
        path: PathBuf,
        /// Their names.
        missing: String,
    },
    /// A symbol that is none.
    #[error("{}: row {row}: found symbol {found:?}, wanted up to eight printable characters", path.display())]
    Symbol {
        /// The file.
        path: PathBuf,
        /// Row, from 0.
        row: usize,
        /// The text.
        found: String,
    },
}

/// Appends the rows of the capture at `path` to `rows`.
///
/// # Errors
/// [`CaptureError`]; then `rows` is as it was.
pub fn read_features(path: &Path, rows: &mut Vec<FeatureRow>) -> Result<(), CaptureError> {
    let damaged = |source| CaptureError::Parquet { path: path.to_owned(), source };
    let file = File::open(path).map_err(|e| damaged(e.into()))?;
    let reader = SerializedFileReader::new(file).map_err(damaged)?;
    check_schema(path, &reader)?;
    let places = places(path, &reader)?;
    let before = rows.len();
    for group in 0..reader.num_row_groups() {
        let outcome = reader
            .get_row_group(group)
            .and_then(|group| Columns::read(&*group, &places))
            .map_err(damaged)
            .and_then(|columns| columns.append_to(path, rows));
        if let Err(error) = outcome {
            rows.truncate(before);
            return Err(error);
        }
    }
    Ok(())
}

fn check_schema(path: &Path, reader: &SerializedFileReader<File>) -> Result<(), CaptureError> {
    let wanted = format!("{:016x}", FeatureSchema::V1.hash);
    let pairs = reader.metadata().file_metadata().key_value_metadata();
    let found = pairs.into_iter().flatten().find(|kv| kv.key == SCHEMA_KEY).and_then(|kv| kv.value.clone());
    let found = found.unwrap_or_else(|| "none".to_owned());
    if found == wanted { Ok(()) } else { Err(CaptureError::Schema { path: path.to_owned(), found, wanted }) }
}

/// Where the columns stand: time, symbol, values, valid bits.
struct Places {
    ts_ns: usize,
    symbol: usize,
    values: [usize; FEATURE_COUNT],
    valid: [usize; FEATURE_COUNT],
}

fn places(path: &Path, reader: &SerializedFileReader<File>) -> Result<Places, CaptureError> {
    let schema = reader.metadata().file_metadata().schema_descr();
    let mut missing = Vec::new();
    let mut place = |name: String| {
        let found = schema.columns().iter().position(|c| c.name() == name);
        found.unwrap_or_else(|| {
            missing.push(name);
            0
        })
    };
    let ts_ns = place("ts_ns".to_owned());
    let symbol = place("symbol".to_owned());
    let values = FEATURES.each_ref().map(|f| place(f.name.to_owned()));
    let valid = FEATURES.each_ref().map(|f| place(format!("{}_valid", f.name)));
    if missing.is_empty() {
        return Ok(Places { ts_ns, symbol, values, valid });
    }
    Err(CaptureError::Columns { path: path.to_owned(), missing: missing.join(", ") })
}

/// One row group.
#[derive(Default)]
struct Columns {
    ts_ns: Vec<i64>,
    symbol: Vec<ByteArray>,
    values: [Vec<f64>; FEATURE_COUNT],
    valid: [Vec<bool>; FEATURE_COUNT],
}

impl Columns {
    fn read(group: &dyn RowGroupReader, places: &Places) -> Result<Self, ParquetError> {
        let count = usize::try_from(group.metadata().num_rows()).unwrap_or(0);
        let mut this = Self::default();
        let wrong = |place: usize| ParquetError::General(format!("column {place} has another type than a capture's"));
        match group.get_column_reader(places.ts_ns)? {
            ColumnReader::Int64ColumnReader(mut r) => _ = r.read_records(count, None, None, &mut this.ts_ns)?,
            _ => return Err(wrong(places.ts_ns)),
        }
        match group.get_column_reader(places.symbol)? {
            ColumnReader::ByteArrayColumnReader(mut r) => _ = r.read_records(count, None, None, &mut this.symbol)?,
            _ => return Err(wrong(places.symbol)),
        }
        for (place, out) in places.values.iter().zip(&mut this.values) {
            match group.get_column_reader(*place)? {
                ColumnReader::DoubleColumnReader(mut r) => _ = r.read_records(count, None, None, out)?,
                _ => return Err(wrong(*place)),
            }
        }
        for (place, out) in places.valid.iter().zip(&mut this.valid) {
            match group.get_column_reader(*place)? {
                ColumnReader::BoolColumnReader(mut r) => _ = r.read_records(count, None, None, out)?,
                _ => return Err(wrong(*place)),
            }
        }
        this.check_lengths(count)?;
        Ok(this)
    }

    fn check_lengths(&self, count: usize) -> Result<(), ParquetError> {
        let lengths = [self.ts_ns.len(), self.symbol.len()].into_iter();
        let all = lengths.chain(self.values.iter().map(Vec::len)).chain(self.valid.iter().map(Vec::len));
        match all.min() {
            Some(least) if least < count => Err(ParquetError::General(format!("found {least} values, wanted {count}"))),
            _ => Ok(()),
        }
    }

    fn append_to(&self, path: &Path, rows: &mut Vec<FeatureRow>) -> Result<(), CaptureError> {
        for (i, (ts, name)) in self.ts_ns.iter().zip(&self.symbol).enumerate() {
            let text = String::from_utf8_lossy(name.data());
            let symbol = Symbol::new(&text).ok_or_else(|| CaptureError::Symbol {
                path: path.to_owned(),
                row: i,
                found: text.clone().into_owned(),
            })?;
            let bits = (0..FEATURE_COUNT).map(|f| u16::from(self.valid[f][i]) << f);
            rows.push(FeatureRow {
                ts: UnixNanos(ts.cast_unsigned()),
                symbol,
                valid: bits.fold(0, |all, bit| all | bit),
                values: std::array::from_fn(|f| self.values[f][i]),
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn a_file_that_is_no_capture_is_named() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"ts,symbol\n1,A\n").unwrap();
        let mut rows = Vec::new();
        let error = read_features(file.path(), &mut rows).unwrap_err().to_string();
        assert!(error.contains(file.path().to_str().unwrap()), "{error}");
        assert!(rows.is_empty());
    }
}
