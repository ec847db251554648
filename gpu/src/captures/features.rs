//! Reads the feature captures that training works on: Parquet, one row per (instrument, grid point), columns found by
//! name: `ts_ns` INT64, `symbol` UTF-8, each feature DOUBLE, each `<feature>_valid` BOOLEAN; others are ignored. The file
//! says which feature schema it holds under [`SCHEMA_KEY`].

use std::array::from_fn;
use std::fs::File;
use std::path::Path;

use parquet::basic::Type as PhysicalType;
use parquet::data_type::{BoolType, ByteArrayType, DoubleType, Int64Type};
use parquet::file::reader::{RowGroupReader, SerializedFileReader};
use parquet::schema::types::SchemaDescriptor;
use types::{FEATURE_COUNT, FEATURES, FeatureSchema, MODEL_FEATURE_COUNT};

use super::columns::{CaptureError, column_at, metadata_value, read_column, read_keys, read_rows};
use crate::inputs::FeatureRow;

/// Metadata key of the feature schema's hash, sixteen hexadecimal digits.
const SCHEMA_KEY: &str = "portcullis.feature_schema";

/// Positions of the columns in a file.
struct Columns {
    ts: usize,
    symbol: usize,
    values: [usize; MODEL_FEATURE_COUNT],
    valid: [usize; MODEL_FEATURE_COUNT],
}

impl Columns {
    /// Finds the columns by name; gives every fault at once.
    fn find(schema: &SchemaDescriptor) -> Result<Self, Vec<String>> {
        let mut faults = Vec::new();
        let mut find = |name: &str, wanted| column_at(schema, name, wanted, true, &mut faults);
        let columns = Self {
            ts: find("ts_ns", PhysicalType::INT64),
            symbol: find("symbol", PhysicalType::BYTE_ARRAY),
            values: from_fn(|i| find(FEATURES[i].name, PhysicalType::DOUBLE)),
            valid: from_fn(|i| find(&format!("{}_valid", FEATURES[i].name), PhysicalType::BOOLEAN)),
        };
        if faults.is_empty() { Ok(columns) } else { Err(faults) }
    }
}

/// Refuses a capture that does not begin with the first `least` features of this build.
pub(super) fn check_schema(
    path: &Path,
    reader: &SerializedFileReader<File>,
    least: usize,
) -> Result<(), CaptureError> {
    let hash = |count| format!("{:016x}", FeatureSchema::prefix(count).hash);
    let found = metadata_value(reader, SCHEMA_KEY);
    // Features are only ever appended: a capture with more of them begins with those that are read here.
    if (least..=FEATURE_COUNT).any(|count| found == hash(count)) {
        return Ok(());
    }
    Err(CaptureError::Schema { path: path.to_owned(), found, wanted: hash(least) })
}

/// Appends the rows of the capture at `path` to `rows`. A value that is null, not finite or marked invalid becomes an
/// invalid 0.
///
/// # Errors
/// A file that cannot be read or is no capture (all faults of its columns at once), a row without time or symbol, more
/// than `FEATURE_ROWS_MAX` rows in all. `rows` is then as it was.
pub fn read_features(path: &Path, rows: &mut Vec<FeatureRow>) -> Result<(), CaptureError> {
    let before = rows.len();
    read_rows(
        path,
        rows,
        Columns::find,
        |reader| check_schema(path, reader, MODEL_FEATURE_COUNT),
        |group, columns, rows| read_group(path, group, columns, before, rows),
    )
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
        rows.push(FeatureRow { ts, symbol, valid: 0, values: [0.0; MODEL_FEATURE_COUNT] });
    }
    for feature in 0..MODEL_FEATURE_COUNT {
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
    use parquet::basic::{Compression, ZstdLevel};
    use parquet::data_type::ByteArray;
    use parquet::file::metadata::KeyValue;
    use parquet::file::properties::WriterProperties;
    use parquet::file::writer::SerializedFileWriter;
    use parquet::schema::parser::parse_message_type;
    use std::sync::Arc;
    use types::Symbol;

    /// Writes rows as a capture; `schema` lists the columns, `skip` leaves values of one feature out as nulls.
    fn write(path: &Path, schema: &str, rows: &[FeatureRow], nulls: Option<usize>) {
        write_named(path, schema, rows, nulls, &format!("{:016x}", FeatureSchema::MODEL.hash));
    }

    fn write_named(path: &Path, schema: &str, rows: &[FeatureRow], nulls: Option<usize>, hash: &str) {
        write_compressed(path, schema, rows, nulls, hash, Compression::UNCOMPRESSED);
    }

    fn write_compressed(
        path: &Path,
        schema: &str,
        rows: &[FeatureRow],
        nulls: Option<usize>,
        hash: &str,
        compression: Compression,
    ) {
        let schema = Arc::new(parse_message_type(schema).unwrap());
        let names: Vec<String> = schema.get_fields().iter().map(|f| f.name().to_owned()).collect();
        let pair = KeyValue::new(SCHEMA_KEY.to_owned(), hash.to_owned());
        let properties =
            WriterProperties::builder().set_key_value_metadata(Some(vec![pair])).set_compression(compression);
        let properties = Arc::new(properties.build());
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
        for (i, feature) in FEATURES[..MODEL_FEATURE_COUNT].iter().enumerate() {
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
    fn a_capture_is_read_however_its_columns_are_compressed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("features.parquet");
        let hash = format!("{:016x}", FeatureSchema::MODEL.hash);
        let lengths =
            [Compression::UNCOMPRESSED, Compression::SNAPPY, Compression::ZSTD(ZstdLevel::default())].map(
                |c| {
                    write_compressed(&path, &schema(None, ""), &calm(700, 3), None, &hash, c);
                    let mut rows = Vec::new();
                    read_features(&path, &mut rows).unwrap();
                    assert_eq!(rows.len(), calm(700, 3).len(), "{c:?}");
                    std::fs::metadata(&path).unwrap().len()
                },
            );
        assert!(lengths[1] < lengths[0] && lengths[2] < lengths[0], "they are compressed: {lengths:?}");
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
