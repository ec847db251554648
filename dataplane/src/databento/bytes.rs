//! The records of one file.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use dbn::decode::dbn::fsm::{DbnFsm, ProcessResult};
use dbn::{Metadata, RecordRef};

use crate::source::{SourceError, unpacked_bytes};

/// What comes next in a file.
pub(super) enum Next {
    /// What the file says of itself; before everything else, once.
    Metadata(Box<Metadata>),
    /// A record, to be had by [`DbnFile::record`].
    Record,
    /// Nothing.
    End,
    /// Nothing whole: the file ends within a record.
    Cut(SourceError),
}

/// One open file.
pub(super) struct DbnFile {
    name: String,
    reader: Box<dyn Read + Send>,
    fsm: DbnFsm,
    /// Bytes taken from `reader`.
    taken: u64,
}

impl DbnFile {
    /// Opens a file, which may be packed by gzip or zstd.
    pub(super) fn open(path: &Path) -> Result<Self, SourceError> {
        let name = path.display().to_string();
        let file = File::open(path).map_err(|source| SourceError::Open { file: name.clone(), source })?;
        let (head, reader) = unpacked_bytes(&name, Box::new(file))?;
        if !head.starts_with(b"DBN") {
            let found = match head.first() {
                None => "an empty file".to_owned(),
                Some(_) => format!("bytes {:02x?}", head.get(..4).unwrap_or(&head)),
            };
            let wanted = "a DBN file with its metadata, plain or compressed with gzip or zstd".to_owned();
            return Err(SourceError::Format { file: name, offset: 0, found, wanted });
        }
        Ok(Self { name, reader, fsm: DbnFsm::default(), taken: 0 })
    }

    /// Goes on to what comes next.
    pub(super) fn advance(&mut self) -> Result<Next, SourceError> {
        loop {
            match self.fsm.process() {
                ProcessResult::Metadata(metadata) => return Ok(Next::Metadata(Box::new(metadata))),
                ProcessResult::Record(()) => return Ok(Next::Record),
                ProcessResult::Err(error) => return Err(self.fault(error.to_string(), "a record of DBN")),
                ProcessResult::ReadMore(_) => {}
            }
            let offset = self.offset();
            let got = self.reader.read(self.fsm.space()).map_err(|source| SourceError::Read {
                file: self.name.clone(),
                offset,
                source,
            })?;
            if got == 0 {
                let left = self.fsm.data().len();
                if left == 0 && self.fsm.has_decoded_metadata() {
                    return Ok(Next::End);
                }
                let found = format!("the end of the file after {left} bytes");
                return Ok(Next::Cut(self.fault(found, "a whole record")));
            }
            self.fsm.fill(got);
            self.taken += got as u64;
        }
    }

    /// The record that [`Next::Record`] announced.
    pub(super) fn record(&self) -> Option<RecordRef<'_>> {
        self.fsm.last_record()
    }

    /// Something that stands where the file was read to.
    #[cold]
    pub(super) fn fault(&self, found: impl Into<String>, wanted: &str) -> SourceError {
        let (file, offset) = (self.name.clone(), self.offset());
        SourceError::Format { file, offset, found: found.into(), wanted: wanted.to_owned() }
    }

    fn offset(&self) -> u64 {
        self.taken.saturating_sub(self.fsm.data().len() as u64)
    }
}
