//! Reads what the laws of the channels are fitted to: of the feature captures that training works on, the columns that
//! [`Channel::reading`] asks for.

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

/// The features read.
const READ: [FeatureId; 7] = [
    FeatureId::SellingCampaign,
    FeatureId::BuyingCampaign,
    FeatureId::SpreadInUsual,
    FeatureId::DepthInUsual,
    FeatureId::OrdersInUsual,
    FeatureId::Move10S,
    FeatureId::Move2M,
];

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
    values: [usize; READ.len()],
    valid: [usize; READ.len()],
}

impl Columns {
    fn find(schema: &SchemaDescriptor) -> Result<Self, Vec<String>> {
        let mut faults = Vec::new();
        let mut find = |name: &str, wanted| column_at(schema, name, wanted, true, &mut faults);
        let name = |id: FeatureId| FEATURES[id as usize].name;
        let columns = Self {
            ts: find("ts_ns", PhysicalType::INT64),
            symbol: find("symbol", PhysicalType::BYTE_ARRAY),
            values: READ.map(|id| find(name(id), PhysicalType::DOUBLE)),
            valid: READ.map(|id| find(&format!("{}_valid", name(id)), PhysicalType::BOOLEAN)),
        };
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
    let mut values = Vec::with_capacity(READ.len());
    for (value, valid) in columns.values.into_iter().zip(columns.valid) {
        let read = read_column::<DoubleType>(group, value).map_err(parquet)?;
        let valid = read_column::<BoolType>(group, valid).map_err(parquet)?;
        let known = |(value, valid): (Option<f64>, Option<bool>)| {
            value.filter(|v| v.is_finite() && valid == Some(true))
        };
        values.push(read.into_iter().zip(valid).map(known).collect::<Vec<_>>());
    }
    rows.extend(keys.into_iter().enumerate().map(|(at, (ts, symbol))| {
        let value = |id: FeatureId| {
            READ.iter().position(|read| *read == id).and_then(|column| *values[column].get(at)?)
        };
        let reading = |channel: Channel| channel.reading(value).map_or(f64::NAN, |reading| reading.value);
        ReadingRow { ts, symbol, readings: Channel::BESIDE.map(reading) }
    }));
    Ok(())
}
