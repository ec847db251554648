//! Reads what the laws of the channels are fitted to: of the feature captures that training works on, the columns that
//! [`Channel::reading`] asks for.

use std::cell::RefCell;
use std::fs::File;
use std::path::Path;

use parquet::basic::Type as PhysicalType;
use parquet::data_type::{BoolType, ByteArrayType, DoubleType, Int64Type};
use parquet::file::reader::{RowGroupReader, SerializedFileReader};
use parquet::schema::types::SchemaDescriptor;
use types::{FEATURES, FeatureId, Symbol, UnixNanos};

use super::columns::{CaptureError, column_at, read_column, read_keys, read_rows};
use super::features::check_schema;
use crate::model::{BESIDE_COUNT, Channel, READ_COUNT};

/// The features that the channels ask for.
fn asked() -> Vec<FeatureId> {
    let asked = RefCell::new(Vec::new());
    for channel in Channel::BESIDE {
        let _ = channel.reading(|id| {
            let mut asked = asked.borrow_mut();
            if !asked.contains(&id) {
                asked.push(id);
            }
            Some(1.0)
        });
    }
    asked.into_inner()
}

/// What the channels read at one grid point.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReadingRow {
    /// Grid point.
    pub ts: UnixNanos,
    /// The instrument's name.
    pub symbol: Symbol,
    /// In the order of [`Channel::BESIDE`]; NaN where something of it is not known yet.
    pub readings: [f64; BESIDE_COUNT],
}

/// Positions of the columns in a file.
struct Columns {
    ts: usize,
    symbol: usize,
    /// Of each feature that is read, its values, and whether each is valid.
    features: Vec<(FeatureId, usize, usize)>,
}

impl Columns {
    fn find(schema: &SchemaDescriptor) -> Result<Self, Vec<String>> {
        let mut faults = Vec::new();
        let mut find = |name: &str, wanted| column_at(schema, name, wanted, true, &mut faults);
        let (ts, symbol) = (find("ts_ns", PhysicalType::INT64), find("symbol", PhysicalType::BYTE_ARRAY));
        let feature = |id: FeatureId| {
            let name = FEATURES[id as usize].name;
            let value = find(name, PhysicalType::DOUBLE);
            (id, value, find(&format!("{name}_valid"), PhysicalType::BOOLEAN))
        };
        let columns = Self { ts, symbol, features: asked().into_iter().map(feature).collect() };
        if faults.is_empty() { Ok(columns) } else { Err(faults) }
    }
}

/// Appends the rows of the capture at `path` to `rows`.
///
/// # Errors
/// As of [`super::read_features`], and a capture of an older build, which has no such columns. `rows` is then as it was.
pub fn read_readings(path: &Path, rows: &mut Vec<ReadingRow>) -> Result<(), CaptureError> {
    let check = |reader: &SerializedFileReader<File>| check_schema(path, reader, READ_COUNT);
    let before = rows.len();
    read_rows(path, rows, Columns::find, check, |group, columns, rows| {
        read_group(path, group, columns, before, rows)
    })
}

fn read_group(
    path: &Path,
    group: &dyn RowGroupReader,
    columns: &Columns,
    first: usize,
    rows: &mut Vec<ReadingRow>,
) -> Result<(), CaptureError> {
    let parquet = |source| CaptureError::Parquet { path: path.to_owned(), source };
    let times = read_column::<Int64Type>(group, columns.ts).map_err(parquet)?;
    let symbols = read_column::<ByteArrayType>(group, columns.symbol).map_err(parquet)?;
    let keys = read_keys(path, rows.len() - first, times, symbols)?;
    let mut values = Vec::with_capacity(columns.features.len());
    for &(id, value, valid) in &columns.features {
        let read = read_column::<DoubleType>(group, value).map_err(parquet)?;
        let valid = read_column::<BoolType>(group, valid).map_err(parquet)?;
        let known = |(value, valid): (Option<f64>, Option<bool>)| {
            value.filter(|v| v.is_finite() && valid == Some(true))
        };
        values.push((id, read.into_iter().zip(valid).map(known).collect::<Vec<_>>()));
    }
    rows.extend(keys.into_iter().enumerate().map(|(at, (ts, symbol))| {
        let value = |id: FeatureId| {
            values.iter().find(|(read, _)| *read == id).and_then(|(_, column)| *column.get(at)?)
        };
        let reading = |channel: Channel| channel.reading(value).map_or(f64::NAN, |reading| reading.value);
        ReadingRow { ts, symbol, readings: Channel::BESIDE.map(reading) }
    }));
    Ok(())
}
