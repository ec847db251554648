//! Feature captures: one Parquet row per (instrument, grid point), for training and research tools.
//!
//! Columns: `ts_ns` (INT64), `symbol` (UTF8), then for each feature of the schema `<name>` (DOUBLE) and `<name>_valid`
//! (BOOLEAN), then `<name>_age_ms` (INT64). A value that is not valid is 0 and means nothing. The schema's hash stands in
//! the file's key-value metadata under [`SCHEMA_KEY`]. Written by cold threads: this module allocates.

use std::path::Path;
use std::sync::Arc;

use parquet::basic::{ConvertedType, Repetition, Type as PhysicalType};
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;
use parquet::schema::types::{Type, TypePtr};
use types::{FEATURE_COUNT, FEATURES, FeatureSchema, FeatureVector, Symbol};

pub use crate::parquet_file::CaptureError;
use crate::parquet_file::{ParquetFile, column, unknown_column};

/// Metadata key of the feature schema's hash, sixteen hexadecimal digits.
pub const SCHEMA_KEY: &str = "portcullis.feature_schema";

/// Rows held back until they are written together: about 30 MB.
const ROWS_MAX: usize = 1 << 16;

/// Rows that wait for the next row group, column by column.
#[derive(Debug, Default)]
struct Columns {
    ts_ns: Vec<i64>,
    symbol: Vec<ByteArray>,
    values: [Vec<f64>; FEATURE_COUNT],
    valid: [Vec<bool>; FEATURE_COUNT],
    age_ms: [Vec<i64>; FEATURE_COUNT],
}

/// Writes a capture to the path given; giving the file its final name is the caller's.
pub struct FeatureWriter {
    file: ParquetFile,
    rows: Columns,
}

impl std::fmt::Debug for FeatureWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "FeatureWriter({})", self.file.path().display())
    }
}

fn schema() -> Result<TypePtr, ParquetError> {
    let column = |name: &str, physical, converted| column(name, physical, Repetition::REQUIRED, converted);
    let mut fields = vec![
        column("ts_ns", PhysicalType::INT64, ConvertedType::NONE)?,
        column("symbol", PhysicalType::BYTE_ARRAY, ConvertedType::UTF8)?,
    ];
    for feature in &FEATURES {
        fields.push(column(feature.name, PhysicalType::DOUBLE, ConvertedType::NONE)?);
    }
    for feature in &FEATURES {
        fields.push(column(&format!("{}_valid", feature.name), PhysicalType::BOOLEAN, ConvertedType::NONE)?);
    }
    for feature in &FEATURES {
        fields.push(column(&format!("{}_age_ms", feature.name), PhysicalType::INT64, ConvertedType::NONE)?);
    }
    Type::group_type_builder("features").with_fields(fields).build().map(Arc::new)
}

impl FeatureWriter {
    /// Creates the file.
    ///
    /// # Errors
    /// [`CaptureError`] when it cannot be created.
    pub fn create(path: &Path) -> Result<Self, CaptureError> {
        let hash = format!("{:016x}", FeatureSchema::CURRENT.hash);
        let file = ParquetFile::create(path, schema, (SCHEMA_KEY, hash))?;
        Ok(Self { file, rows: Columns::default() })
    }

    /// Adds one row.
    ///
    /// # Errors
    /// [`CaptureError`] when the rows held back cannot be written.
    pub fn write(&mut self, symbol: Symbol, vector: &FeatureVector) -> Result<(), CaptureError> {
        let rows = &mut self.rows;
        rows.ts_ns.push(vector.ts.0.cast_signed());
        rows.symbol.push(ByteArray::from(symbol.as_str()));
        for (i, feature) in FEATURES.iter().enumerate() {
            rows.values[i].push(vector.values[i]);
            rows.valid[i].push(vector.valid >> i & 1 == 1);
            rows.age_ms[i].push(i64::from(vector.age_ms(feature)));
        }
        if self.rows.ts_ns.len() == ROWS_MAX { self.write_group() } else { Ok(()) }
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
        let rows = std::mem::take(&mut self.rows);
        if rows.ts_ns.is_empty() {
            return Ok(());
        }
        self.file.write_group(|index, column| rows.write(index, column))
    }
}

impl Columns {
    /// Writes the column `index` of the schema.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "an enum of a library: each column of the schema has its arm"
    )]
    fn write(&self, index: usize, column: &mut ColumnWriter<'_>) -> Result<usize, ParquetError> {
        let feature = index.saturating_sub(2) % FEATURE_COUNT;
        match column {
            ColumnWriter::ByteArrayColumnWriter(w) => w.write_batch(&self.symbol, None, None),
            ColumnWriter::DoubleColumnWriter(w) => w.write_batch(&self.values[feature], None, None),
            ColumnWriter::BoolColumnWriter(w) => w.write_batch(&self.valid[feature], None, None),
            ColumnWriter::Int64ColumnWriter(w) => {
                let values = if index == 0 { &self.ts_ns } else { &self.age_ms[feature] };
                w.write_batch(values, None, None)
            }
            _ => Err(unknown_column()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::RowAccessor;
    use std::fs::File;
    use types::{FeatureId, FeatureInput, UnixNanos};

    #[test]
    fn rows_come_back_as_written_with_their_validity_and_schema() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("features.parquet");
        let mut writer = FeatureWriter::create(&path).unwrap();
        let mut vector = FeatureVector { ts: UnixNanos(100_000_000), ..FeatureVector::EMPTY };
        vector.set(FeatureId::SpreadBps, 0.25);
        vector.set(FeatureId::Resilience, 1.0);
        vector.ages_ms[FeatureInput::Quote as usize] = 7;
        for symbol in ["FUTX", "ZVZZT"] {
            writer.write(Symbol::new(symbol).unwrap(), &vector).unwrap();
        }
        writer.finish().unwrap();

        let reader = SerializedFileReader::new(File::open(&path).unwrap()).unwrap();
        let metadata = reader.metadata().file_metadata();
        let pairs = metadata.key_value_metadata().unwrap();
        let hash = pairs.iter().find(|kv| kv.key == SCHEMA_KEY).unwrap().value.as_deref();
        assert_eq!(hash, Some(format!("{:016x}", FeatureSchema::CURRENT.hash).as_str()));
        let rows: Vec<_> = reader.get_row_iter(None).unwrap().map(Result::unwrap).collect();
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[0].get_long(0).unwrap(), 100_000_000);
        assert_eq!(rows[1].get_string(1).unwrap(), "ZVZZT");
        assert!((rows[0].get_double(2).unwrap() - 0.25).abs() < f64::EPSILON);
        assert!((rows[0].get_double(2 + 12).unwrap() - 1.0).abs() < f64::EPSILON);
        let valid: Vec<_> =
            (0..FEATURE_COUNT).map(|i| rows[0].get_bool(2 + FEATURE_COUNT + i).unwrap()).collect();
        assert_eq!(valid.iter().filter(|v| **v).count(), 2);
        assert!(valid[0] && valid[12]);
        assert_eq!(rows[0].get_long(2 + 2 * FEATURE_COUNT).unwrap(), 7);
    }

    #[test]
    fn a_capture_that_cannot_be_created_names_its_path() {
        let error = FeatureWriter::create(Path::new("/nonexistent/features.parquet")).unwrap_err();
        assert!(error.to_string().contains("/nonexistent/features.parquet"), "{error}");
    }
}
