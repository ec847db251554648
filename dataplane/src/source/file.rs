//! Packets from files: one file, or several merged by their stamps.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use types::UnixNanos;

use super::detect::{Kind, detect};
use super::error::{Fault, SourceError};
use super::itch::{ItchFraming, RawItch};
use super::packet::{BURST_MAX, Packet, PacketSource, SourceNotes, SourceStatus};
use super::pcap::Pcap;
use super::pcapng::{Found, PcapNg};
use super::window::Window;

/// How files are read.
#[derive(Clone, Copy, Debug, Default)]
pub struct FileOptions {
    /// For raw ITCH files.
    pub itch_framing: ItchFraming,
}

/// The format of one open file.
enum Format {
    Pcap(Pcap),
    PcapNg(PcapNg),
    RawItch(RawItch),
}

/// Where the next packet of a file stands in its window.
#[derive(Clone, Copy)]
pub(super) enum Next {
    Pcap { captured: usize },
    PcapNg(Found),
    RawItch { len: usize },
}

/// One open file.
pub(super) struct OneFile {
    name: String,
    window: Window,
    format: Format,
    ended: bool,
    /// Where the file ends within a record, if it does.
    cut: Option<SourceError>,
}

impl OneFile {
    pub(super) fn open(path: &Path, options: FileOptions) -> Result<Self, SourceError> {
        if path == Path::new("-") {
            return Self::from_reader("<stdin>".to_owned(), Box::new(std::io::stdin()), options);
        }
        let name = path.display().to_string();
        match File::open(path) {
            Ok(file) => Self::from_reader(name, Box::new(file), options),
            Err(source) => Err(SourceError::Open { file: name, source }),
        }
    }

    fn from_reader(
        name: String,
        reader: Box<dyn Read + Send>,
        options: FileOptions,
    ) -> Result<Self, SourceError> {
        let (kind, reader) = detect(reader).map_err(|fault| fault.at(&name, 0))?;
        let mut window = Window::new(reader);
        let format = match kind {
            Kind::Pcap => Pcap::begin(&mut window).map(Format::Pcap),
            Kind::PcapNg => Ok(Format::PcapNg(PcapNg::begin())),
            Kind::RawItch => Ok(Format::RawItch(RawItch::begin(options.itch_framing))),
        };
        let format = format.map_err(|fault| fault.at(&name, 0))?;
        Ok(Self { name, window, format, ended: false, cut: None })
    }

    /// Stamp and place of the next packet; `None` at the end.
    #[inline]
    pub(super) fn peek(&mut self) -> Result<Option<(UnixNanos, Next)>, SourceError> {
        if self.ended {
            return Ok(None);
        }
        let found = match &mut self.format {
            Format::RawItch(raw) => {
                raw.peek(&mut self.window).map(|len| len.map(|len| (UnixNanos(0), Next::RawItch { len })))
            }
            Format::Pcap(pcap) => {
                pcap.peek(&mut self.window).map(|p| p.map(|(ts, captured)| (ts, Next::Pcap { captured })))
            }
            Format::PcapNg(ng) => {
                ng.peek(&mut self.window).map(|p| p.map(|(ts, found)| (ts, Next::PcapNg(found))))
            }
        };
        match found {
            Ok(Some(next)) => Ok(Some(next)),
            Ok(None) => {
                self.ended = true;
                Ok(None)
            }
            Err(fault) => self.give_up(fault),
        }
    }

    /// Hands the packet that [`OneFile::peek`] found to `sink` and steps over it.
    #[inline]
    pub(super) fn take(
        &mut self,
        ts: UnixNanos,
        next: Next,
        sink: &mut impl FnMut(Packet<'_>) -> bool,
    ) -> bool {
        let (packet, len) = match (&mut self.format, next) {
            (Format::Pcap(pcap), Next::Pcap { captured }) => pcap.packet(&self.window, ts, captured),
            (Format::PcapNg(ng), Next::PcapNg(found)) => ng.packet(&self.window, found),
            (Format::RawItch(raw), Next::RawItch { len }) => raw.packet(&self.window, len),
            _ => unreachable!("a file keeps its format"),
        };
        let go_on = sink(packet);
        self.window.consume(len);
        go_on
    }

    /// Ends the file: with what was whole before a cut, or with an error.
    #[cold]
    fn give_up(&mut self, fault: Fault) -> Result<Option<(UnixNanos, Next)>, SourceError> {
        self.ended = true;
        let is_cut = fault.is_cut();
        let error = fault.at(&self.name, self.window.offset());
        if !is_cut {
            return Err(error);
        }
        self.cut = Some(error);
        Ok(None)
    }

    /// Where the file was read to.
    pub(super) fn offset(&self) -> u64 {
        self.window.offset()
    }

    /// Refuses a capture in which a link type was seen that is not Ethernet.
    pub(super) fn check_ethernet(&self) -> Result<(), Fault> {
        let other = match &self.format {
            Format::Pcap(pcap) => pcap.link_if_not_ethernet(),
            Format::PcapNg(ng) => ng.link_if_not_ethernet(),
            Format::RawItch(_) => None,
        };
        other.map_or(Ok(()), |found| {
            Err(Fault::new(found, "Ethernet alone (1), which is what a port of DPDK carries"))
        })
    }

    /// Packets that were left out so far, although they lie within what was read.
    pub(super) fn skipped_packets(&self) -> u64 {
        match &self.format {
            Format::PcapNg(ng) => ng.skipped_packets(),
            Format::Pcap(_) | Format::RawItch(_) => 0,
        }
    }

    pub(super) fn note(&self, notes: &mut SourceNotes) {
        if let Format::PcapNg(ng) = &self.format {
            notes.skipped_blocks += ng.skipped_blocks();
            notes.skipped_packets += ng.skipped_packets();
        }
        if notes.cut.is_none() {
            notes.cut = self.cut.as_ref().map(SourceError::with_source);
        }
    }
}

/// Packets from one or several files.
///
/// Several captures (line A and line B of one feed, or one file per hour) are merged by their stamps; files without
/// stamps come one after the other, in the order given. Memory is bounded: one window of 1 MiB per file.
pub struct FileSource {
    files: Vec<OneFile>,
    name: String,
}

impl FileSource {
    /// Most files that can be merged.
    pub const FILES_MAX: usize = 64;

    /// Opens one file; `-` is standard input.
    ///
    /// # Errors
    ///
    /// [`SourceError`] when it cannot be opened or is no format we read.
    pub fn open(path: impl AsRef<Path>, options: FileOptions) -> Result<Self, SourceError> {
        Self::open_all(&[path.as_ref().to_path_buf()], options)
    }

    /// Opens several files, to be merged.
    ///
    /// # Errors
    ///
    /// [`SourceError`] when one of them cannot be opened or is no format we read, or there are more than
    /// [`FileSource::FILES_MAX`] or none.
    pub fn open_all(paths: &[PathBuf], options: FileOptions) -> Result<Self, SourceError> {
        if paths.is_empty() || paths.len() > Self::FILES_MAX {
            let wanted = format!("1 to {}", Self::FILES_MAX);
            return Err(Fault::new(format!("{} input files", paths.len()), wanted).at("inputs", 0));
        }
        let files: Vec<OneFile> =
            paths.iter().map(|path| OneFile::open(path, options)).collect::<Result<_, _>>()?;
        let names: Vec<&str> = files.iter().map(|f| f.name.as_str()).collect();
        let name = names.join(", ");
        Ok(Self { files, name })
    }

    /// Reads from anything; `name` stands for it in messages.
    ///
    /// # Errors
    ///
    /// [`SourceError`] when the bytes are no format we read.
    pub fn from_reader(
        name: &str,
        reader: Box<dyn Read + Send>,
        options: FileOptions,
    ) -> Result<Self, SourceError> {
        let file = OneFile::from_reader(name.to_owned(), reader, options)?;
        Ok(Self { files: vec![file], name: name.to_owned() })
    }

    /// The first of the files that holds bare messages instead of packets.
    #[must_use]
    pub fn message_file(&self) -> Option<&str> {
        self.files.iter().find(|f| matches!(f.format, Format::RawItch(_))).map(|f| f.name.as_str())
    }

    /// The file whose next packet is the earliest; the first of them when several are equal.
    #[inline]
    fn earliest(&mut self) -> Result<Option<(usize, UnixNanos, Next)>, SourceError> {
        let mut best: Option<(usize, UnixNanos, Next)> = None;
        for (index, file) in self.files.iter_mut().enumerate() {
            let Some((ts, next)) = file.peek()? else { continue };
            if best.is_none_or(|(_, earliest, _)| ts < earliest) {
                best = Some((index, ts, next));
            }
        }
        Ok(best)
    }
}

impl PacketSource for FileSource {
    fn next_burst(
        &mut self,
        max: usize,
        mut sink: impl FnMut(Packet<'_>) -> bool,
    ) -> Result<SourceStatus, SourceError> {
        for _ in 0..max.min(BURST_MAX) {
            let Some((index, ts, next)) = self.earliest()? else { return Ok(SourceStatus::End) };
            if !self.files[index].take(ts, next, &mut sink) {
                break;
            }
        }
        Ok(SourceStatus::Open)
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn checksums_unseen(&self) -> bool {
        true
    }

    fn notes(&self) -> SourceNotes {
        let mut notes = SourceNotes::default();
        self.files.iter().for_each(|file| file.note(&mut notes));
        notes
    }
}
