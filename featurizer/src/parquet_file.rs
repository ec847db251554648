//! The Parquet file under a capture: created with its schema, written one row group at a time, closed.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parquet::basic::{Compression, ConvertedType, Repetition, Type as PhysicalType, ZstdLevel};
use parquet::column::writer::ColumnWriter;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{Type, TypePtr};

/// Why a capture could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write capture {}: {source}", path.display())]
pub struct CaptureError {
    path: PathBuf,
    source: ParquetError,
}

/// An open file of one schema.
pub(crate) struct ParquetFile {
    path: PathBuf,
    file: SerializedFileWriter<File>,
}

impl ParquetFile {
    /// Creates the file `path` with the columns that `schema` gives and one pair of metadata.
    pub(crate) fn create(
        path: &Path,
        schema: impl FnOnce() -> Result<TypePtr>,
        (key, value): (&str, String),
    ) -> std::result::Result<Self, CaptureError> {
        let open = || {
            let properties = WriterProperties::builder()
                .set_compression(Compression::ZSTD(ZstdLevel::try_new(3)?))
                .set_created_by("portcullis".to_owned())
                .set_key_value_metadata(Some(vec![KeyValue::new(key.to_owned(), value)]))
                .build();
            let file = File::create(path)?;
            SerializedFileWriter::new(file, schema()?, Arc::new(properties))
        };
        let path = path.to_owned();
        match open() {
            Ok(file) => Ok(Self { path, file }),
            Err(source) => Err(CaptureError { path, source }),
        }
    }

    /// The path it was created at.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes one row group: `write` gets each column with its number, in the order of the schema.
    pub(crate) fn write_group(
        &mut self,
        mut write: impl FnMut(usize, &mut ColumnWriter<'_>) -> Result<usize>,
    ) -> std::result::Result<(), CaptureError> {
        let mut columns = || {
            let mut group = self.file.next_row_group()?;
            let mut index = 0_usize;
            while let Some(mut column) = group.next_column()? {
                write(index, column.untyped())?;
                column.close()?;
                index += 1;
            }
            group.close().map(|_| ())
        };
        columns().map_err(|source| CaptureError { path: self.path.clone(), source })
    }

    /// Writes the file's end.
    pub(crate) fn close(self) -> std::result::Result<(), CaptureError> {
        let Self { path, file } = self;
        file.close().map(|_| ()).map_err(|source| CaptureError { path, source })
    }
}

/// A column of a schema.
pub(crate) fn column(
    name: &str,
    physical: PhysicalType,
    repetition: Repetition,
    converted: ConvertedType,
) -> Result<TypePtr> {
    let builder = Type::primitive_type_builder(name, physical).with_repetition(repetition);
    builder.with_converted_type(converted).build().map(Arc::new)
}

/// A writer of a type that no column of the schema has.
pub(crate) fn unknown_column() -> ParquetError {
    ParquetError::General("a column the schema does not have".to_owned())
}
