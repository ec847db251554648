//! How much of a capture `net_pcap` is to deliver, since it never says that it is at the end: as much as reading the file gives.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::detect;
use super::error::{Fault, SourceError};
use super::file::{FileOptions, OneFile};
use super::packet::SourceNotes;

/// What a capture file holds that libpcap can deliver, counted by the reader that reads files here: both ways of reading a
/// capture stop at the same record.
#[derive(Debug)]
pub struct CaptureCount {
    path: PathBuf,
    /// Whole packets before the end, the damage, or what libpcap does not read.
    pub packets: u64,
    /// What reading left out, and where the file is cut short.
    pub notes: SourceNotes,
    /// Why the rest cannot be read, if it cannot.
    pub damage: Option<SourceError>,
}

impl CaptureCount {
    /// Counts the file at `path`.
    ///
    /// # Errors
    /// [`SourceError`] when `net_pcap` can give nothing of it: it is no regular file, compressed, no capture, or of another
    /// link type than Ethernet.
    pub fn of(path: &Path) -> Result<Self, SourceError> {
        let name = path.display().to_string();
        check_plain(path, &name)?;
        let mut file = OneFile::open(path, FileOptions::default())?;
        let (path, notes) = (path.to_path_buf(), SourceNotes::default());
        let mut counted = Self { path, packets: 0, notes, damage: None };
        let mut end = 0;
        loop {
            let found = file.peek();
            if counted.packets == 0 {
                file.check_ethernet().map_err(|fault| fault.at(&name, 0))?;
            }
            if file.skipped_packets() > 0 {
                let found = "a packet of another kind of network, or longer than any datagram";
                counted.damage = Some(Fault::new(found, "what libpcap delivers").at(&name, end));
                break;
            }
            match found {
                Ok(Some((ts, next))) => _ = file.take(ts, next, &mut |_| true),
                Ok(None) => break,
                Err(error) => {
                    counted.damage = Some(error);
                    break;
                }
            }
            counted.packets += 1;
            end = file.offset();
        }
        file.note(&mut counted.notes);
        // They are why it stopped.
        counted.notes.skipped_packets = 0;
        Ok(counted)
    }

    /// Why `net_pcap` gave only `packets` of them: where what follows stands, that it does not read.
    #[cold]
    #[must_use]
    pub fn stopped_after(&self, packets: u64) -> SourceError {
        let fault = Fault::new(
            format!("a record at which net_pcap stopped, after {packets} of {} packets", self.packets),
            "what libpcap reads: interfaces of one kind, blocks of at most 16 MiB (--source file reads more)",
        );
        fault.at(&self.path.display().to_string(), self.offset_after(packets).unwrap_or_default())
    }

    /// Where the file goes on after so many packets.
    fn offset_after(&self, packets: u64) -> Result<u64, SourceError> {
        let mut file = OneFile::open(&self.path, FileOptions::default())?;
        for _ in 0..packets {
            let Some((ts, next)) = file.peek()? else { break };
            file.take(ts, next, &mut |_| true);
        }
        Ok(file.offset())
    }
}

/// libpcap reads files alone, which it does not unpack.
fn check_plain(path: &Path, name: &str) -> Result<(), SourceError> {
    let open = |source| SourceError::Open { file: name.to_owned(), source };
    let wanted = "a pcap or pcapng file that is not compressed: libpcap reads no other (--source file does)";
    let refused = |found: String| Err(Fault::new(found, wanted).at(name, 0));
    // Looked at before it is opened, since a pipe would wait for its other end.
    if !std::fs::metadata(path).map_err(open)?.is_file() {
        return refused("no regular file".to_owned());
    }
    let head = File::open(path).and_then(|mut file| detect::head_of(&mut file)).map_err(open)?;
    if detect::is_capture(&head) { Ok(()) } else { refused(detect::described(&head)) }
}
