//! The records of one file, framed here: the library takes a record's own word for its size, which damage may have written.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use dbn::decode::dbn::MetadataDecoder;
use dbn::decode::dbn::fsm::{DbnFsm, ProcessResult};
use dbn::{Metadata, RecordRef, VersionUpgradePolicy, rtype, v1, v2, v3};

use crate::source::{SourceError, unpacked_bytes};

/// `DBN`, the version, and the metadata's length in bytes.
const PRELUDE_BYTES: usize = 8;
/// Longest metadata that is read: a million names of instruments.
const METADATA_BYTES_MAX: usize = 1 << 27;
/// Length in words, type, publisher, instrument, time.
const HEADER_BYTES: usize = 16;
/// A length counts words of four bytes; every field is aligned to eight.
const WORD_BYTES: usize = 4;
/// The last version whose records begin with that header.
const VERSION_MAX: u8 = 3;

/// What comes next in a file.
pub(super) enum Next {
    /// A record of a type that means something here, to be had by [`DbnFile::record`].
    Record,
    /// A record of another type.
    Other,
    /// Nothing.
    End,
    /// Nothing whole: the file ends within a record.
    Cut(SourceError),
}

/// One open file.
pub(super) struct DbnFile {
    name: String,
    reader: BufReader<Box<dyn Read + Send>>,
    version: u8,
    /// Bytes that follow each record: when it was sent.
    trailer_bytes: usize,
    /// Brings records of earlier versions up to date.
    fsm: DbnFsm,
    /// Where the record that comes next stands.
    offset: u64,
    bytes: [u8; WORD_BYTES * 255],
}

impl DbnFile {
    /// Opens a file, which may be packed by gzip or zstd, and reads what it says of itself.
    pub(super) fn open(path: &Path) -> Result<(Self, Metadata), SourceError> {
        let name = path.display().to_string();
        let file = File::open(path).map_err(|source| SourceError::Open { file: name.clone(), source })?;
        let reader = unpacked_bytes(&name, Box::new(file))?;
        let mut reader = BufReader::new(reader);
        let mut prelude = [0; PRELUDE_BYTES];
        let (got, _) = read_up_to(&mut reader, &mut prelude).map_err(|source| failed(&name, 0, source))?;
        let fault = |found: String, wanted: &str| {
            let (file, wanted) = (name.clone(), wanted.to_owned());
            SourceError::Format { file, offset: 0, found, wanted }
        };
        let [b'D', b'B', b'N', version, length @ ..] = prelude else {
            let found =
                if got == 0 { "an empty file".to_owned() } else { format!("bytes {:02x?}", &prelude[..got]) };
            return Err(fault(found, "a DBN file with its metadata, plain or compressed with gzip or zstd"));
        };
        if !(1..=VERSION_MAX).contains(&version) {
            return Err(fault(format!("DBN version {version}"), "1 to 3"));
        }
        let length = u32::from_le_bytes(length) as usize;
        if length > METADATA_BYTES_MAX {
            return Err(fault(format!("metadata of {length} bytes"), "128 MiB at most"));
        }
        let mut whole = prelude.to_vec();
        whole.resize(PRELUDE_BYTES + length, 0);
        let (got, _) = read_up_to(&mut reader, &mut whole[PRELUDE_BYTES..])
            .map_err(|source| failed(&name, 8, source))?;
        if got < length {
            return Err(fault(format!("the end of the file after {got} bytes of its metadata"), "all of it"));
        }
        let metadata = MetadataDecoder::new(&whole[..]).decode();
        let metadata = metadata.map_err(|error| fault(error.to_string(), "metadata"))?;
        let fsm = DbnFsm::builder()
            .skip_metadata(true)
            .ts_out(metadata.ts_out)
            .upgrade_policy(VersionUpgradePolicy::UpgradeToV3)
            .input_dbn_version(Some(version))
            .and_then(|builder| builder.build())
            .map_err(|error| fault(error.to_string(), "a version that can be read"))?;
        let trailer_bytes = if metadata.ts_out { size_of::<u64>() } else { 0 };
        let offset = whole.len() as u64;
        let file = Self { name, reader, version, trailer_bytes, fsm, offset, bytes: [0; WORD_BYTES * 255] };
        Ok((file, metadata))
    }

    /// Goes on to what comes next.
    pub(super) fn advance(&mut self) -> Result<Next, SourceError> {
        let (got, has_ended) = self.read(0, HEADER_BYTES)?;
        if got == 0 && has_ended {
            return Ok(Next::End);
        }
        if got < HEADER_BYTES {
            return Ok(Next::Cut(
                self.fault(format!("the end of the file after {got} bytes"), "a whole record"),
            ));
        }
        let [words, kind, ..] = self.bytes;
        let length = usize::from(words) * WORD_BYTES;
        if length < HEADER_BYTES || !length.is_multiple_of(2 * WORD_BYTES) {
            return Err(self.fault(format!("a record of {length} bytes"), "16 or more of them, in eights"));
        }
        let got = HEADER_BYTES + self.read(HEADER_BYTES, length)?.0;
        if got < length {
            let wanted = format!("a record of {length} bytes");
            return Ok(Next::Cut(self.fault(format!("the end of the file after {got} bytes"), &wanted)));
        }
        let Some(size) = size_of_kind(kind, self.version).map(|size| size + self.trailer_bytes) else {
            self.offset += length as u64;
            return Ok(Next::Other);
        };
        if length != size {
            let found = format!("a record of {length} bytes and type {kind:#04x}");
            return Err(self.fault(found, &format!("{size} bytes")));
        }
        self.fsm.write_all(&self.bytes[..length]);
        match self.fsm.process() {
            ProcessResult::Record(()) => {}
            ProcessResult::Err(error) => return Err(self.fault(error.to_string(), "a record of DBN")),
            ProcessResult::Metadata(_) | ProcessResult::ReadMore(_) => {
                return Err(self.fault("something else", "a record of DBN"));
            }
        }
        self.offset += length as u64;
        Ok(Next::Record)
    }

    /// The record that [`Next::Record`] announced.
    pub(super) fn record(&self) -> Option<RecordRef<'_>> {
        self.fsm.last_record()
    }

    /// Something that stands where the file was read to.
    #[cold]
    pub(super) fn fault(&self, found: impl Into<String>, wanted: &str) -> SourceError {
        let (file, offset) = (self.name.clone(), self.offset);
        SourceError::Format { file, offset, found: found.into(), wanted: wanted.to_owned() }
    }

    /// Fills the record's bytes from `from` to `to`, as [`read_up_to`] does.
    fn read(&mut self, from: usize, to: usize) -> Result<(usize, bool), SourceError> {
        read_up_to(&mut self.reader, &mut self.bytes[from..to])
            .map_err(|source| failed(&self.name, self.offset, source))
    }
}

/// Bytes of a record of a type that means something here, as a version writes it.
fn size_of_kind(kind: u8, version: u8) -> Option<usize> {
    match (kind, version) {
        (rtype::MBO, _) => Some(size_of::<v3::MboMsg>()),
        (rtype::MBP_1, _) => Some(size_of::<v3::Mbp1Msg>()),
        (rtype::MBP_10, _) => Some(size_of::<v3::Mbp10Msg>()),
        (rtype::STATUS, _) => Some(size_of::<v3::StatusMsg>()),
        (rtype::INSTRUMENT_DEF, 1) => Some(size_of::<v1::InstrumentDefMsg>()),
        (rtype::INSTRUMENT_DEF, 2) => Some(size_of::<v2::InstrumentDefMsg>()),
        (rtype::INSTRUMENT_DEF, _) => Some(size_of::<v3::InstrumentDefMsg>()),
        _ => None,
    }
}

fn failed(file: &str, offset: u64, source: std::io::Error) -> SourceError {
    SourceError::Read { file: file.to_owned(), offset, source }
}

/// Fills `to` as far as the reader goes, and says how far that is, and whether what ended it is an end: a packed file that is cut has
/// none.
fn read_up_to(reader: &mut impl Read, to: &mut [u8]) -> std::io::Result<(usize, bool)> {
    let mut got = 0;
    while got < to.len() {
        match reader.read(&mut to[got..]) {
            Ok(0) => return Ok((got, true)),
            Ok(more) => got += more,
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok((got, false)),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok((got, true))
}
