//! Reads what the flow channel's law is fitted to: of the feature captures that training works on, the columns of
//! [`types::FeatureId::SellingExcess`] and [`types::FeatureId::BuyingExcess`].

use std::fs::File;
use std::path::Path;

use parquet::basic::Type as PhysicalType;
use parquet::data_type::{BoolType, ByteArrayType, DoubleType, Int64Type};
use parquet::file::reader::{RowGroupReader, SerializedFileReader};
use parquet::schema::types::SchemaDescriptor;
use types::{FEATURES, FeatureId, Symbol, UnixNanos};

use super::columns::{CaptureError, column_at, read_column, read_keys, read_rows};
use super::features::check_schema;

/// The features read.
const READ: [FeatureId; 2] = [FeatureId::SellingExcess, FeatureId::BuyingExcess];

/// How far order flow had gone beyond the usual at one grid point.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FlowRow {
    /// Grid point.
    pub ts: UnixNanos,
    /// The instrument's name.
    pub symbol: Symbol,
    /// The larger excess of both sides, in usual flows of a grid step; none where the instrument's flow is not known long enough.
    pub excess: Option<f64>,
}

/// Positions of the columns in a file.
struct Columns {
    ts: usize,
    symbol: usize,
    values: [usize; 2],
    valid: [usize; 2],
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
pub fn read_flow(path: &Path, rows: &mut Vec<FlowRow>) -> Result<(), CaptureError> {
    let check =
        |reader: &SerializedFileReader<File>| check_schema(path, reader, FeatureId::BuyingRun as usize + 1);
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
    rows: &mut Vec<FlowRow>,
) -> Result<(), CaptureError> {
    let parquet = |source| CaptureError::Parquet { path: path.to_owned(), source };
    let start = rows.len();
    let times = read_column::<Int64Type>(group, columns.ts).map_err(parquet)?;
    let symbols = read_column::<ByteArrayType>(group, columns.symbol).map_err(parquet)?;
    let keys = read_keys(path, start - first, times, symbols)?;
    rows.extend(keys.into_iter().map(|(ts, symbol)| FlowRow { ts, symbol, excess: None }));
    for (value, valid) in columns.values.into_iter().zip(columns.valid) {
        let values = read_column::<DoubleType>(group, value).map_err(parquet)?;
        let valid = read_column::<BoolType>(group, valid).map_err(parquet)?;
        for ((row, value), valid) in rows[start..].iter_mut().zip(values).zip(valid) {
            if let (Some(value), Some(true)) = (value.filter(|v| v.is_finite()), valid) {
                row.excess = Some(row.excess.map_or(value, |other| other.max(value)));
            }
        }
    }
    Ok(())
}
