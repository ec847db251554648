//! What a file is, told by its first bytes; its name says nothing.

use std::io::{self, Cursor, Read};

use types::FeedKind;
use wire::itch50;

use super::error::Fault;
use super::{pcap, pcapng};

/// Bytes looked at.
const HEAD_LEN: usize = 8;

/// What the (uncompressed) bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Pcap,
    PcapNg,
    RawItch,
}

type Reader = Box<dyn Read + Send>;

/// Unpacks `reader` if it is compressed and says what it holds.
pub(super) fn detect(reader: Reader) -> Result<(Kind, Reader), Fault> {
    let (head, reader) = unpacked(reader)?;
    Ok((kind_of(&head)?, reader))
}

/// The bytes of `reader`, unpacked if they are compressed, and a copy of the first of them.
pub(super) fn unpacked(reader: Reader) -> Result<(Vec<u8>, Reader), Fault> {
    let (head, reader) = peek(reader)?;
    let unpacked: Reader = match Packing::of(&head) {
        None => return Ok((head, reader)),
        Some(Packing::Gzip) => Box::new(flate2::read::MultiGzDecoder::new(reader)),
        Some(Packing::Zstd) => Box::new(zstd::stream::read::Decoder::new(reader)?),
        Some(Packing::Bzip2 | Packing::Xz) => {
            return Err(Fault::new(described(&head), "gzip, zstd or no compression: recompress it"));
        }
    };
    let (head, reader) = peek(unpacked)?;
    if Packing::of(&head).is_some() {
        return Err(Fault::new("a compressed file within a compressed file", "one layer of compression"));
    }
    Ok((head, reader))
}

/// What a file is packed by.
#[derive(Clone, Copy)]
enum Packing {
    Gzip,
    Zstd,
    Bzip2,
    Xz,
}

impl Packing {
    fn of(head: &[u8]) -> Option<Self> {
        match head {
            [0x1f, 0x8b, ..] => Some(Self::Gzip),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Self::Zstd),
            [b'B', b'Z', b'h', ..] => Some(Self::Bzip2),
            [0xfd, b'7', b'z', b'X', b'Z', ..] => Some(Self::Xz),
            _ => None,
        }
    }

    const fn described(self) -> &'static str {
        match self {
            Self::Gzip => "a gzip file",
            Self::Zstd => "a zstd file",
            Self::Bzip2 => "a bzip2 file",
            Self::Xz => "an xz file",
        }
    }
}

/// What a file that begins with `head` is, for messages about one that is not wanted.
pub(super) fn described(head: &[u8]) -> String {
    if let Some(packing) = Packing::of(head) {
        return packing.described().to_owned();
    }
    match head {
        [] => "an empty file".to_owned(),
        [b'P', b'K', 3, 4, ..] => {
            format!("a zip archive (LOBSTER samples are read as feed {})", FeedKind::Lobster)
        }
        [b'D', b'B', b'N', ..] => format!("a DBN file (it is read as feed {})", FeedKind::Databento),
        _ => format!("bytes {}", hex(head)),
    }
}

/// Whether the bytes begin a capture of packets.
pub(super) fn is_capture(head: &[u8]) -> bool {
    pcap::is_pcap(head) || pcapng::is_pcapng(head)
}

fn kind_of(head: &[u8]) -> Result<Kind, Fault> {
    if pcap::is_pcap(head) {
        return Ok(Kind::Pcap);
    }
    if pcapng::is_pcapng(head) {
        return Ok(Kind::PcapNg);
    }
    if looks_like_itch(head) {
        return Ok(Kind::RawItch);
    }
    Err(Fault::new(
        described(head),
        "a pcap, pcapng or length-prefixed ITCH 5.0 file, plain or compressed with gzip or zstd",
    ))
}

/// A length, then a type that has it; or a length of zero that some writers leave, then a known type.
fn looks_like_itch(head: &[u8]) -> bool {
    let &[hi, lo, message_type, ..] = head else { return false };
    let announced = u16::from_be_bytes([hi, lo]);
    itch50::len_of(message_type).is_some_and(|len| announced == len || announced == 0)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect::<Vec<_>>().join(" ")
}

/// The first bytes, as many as tell what a file is.
pub(super) fn head_of(reader: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(HEAD_LEN);
    reader.take(HEAD_LEN as u64).read_to_end(&mut head)?;
    Ok(head)
}

/// The first bytes, and a reader that begins with them again.
fn peek(mut reader: Reader) -> io::Result<(Vec<u8>, Reader)> {
    let head = head_of(&mut reader)?;
    let whole = Cursor::new(head.clone()).chain(reader);
    Ok((head, Box::new(whole)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(bytes: &[u8]) -> Result<Kind, String> {
        match detect(Box::new(Cursor::new(bytes.to_vec()))) {
            Ok((kind, _)) => Ok(kind),
            Err(Fault::Format { found, .. } | Fault::Cut { found, .. }) => Err(found),
            Err(Fault::Io(e)) => Err(e.to_string()),
        }
    }

    #[test]
    fn the_first_bytes_decide() {
        assert_eq!(outcome(&[0xd4, 0xc3, 0xb2, 0xa1, 0, 0]), Ok(Kind::Pcap));
        assert_eq!(outcome(&[0xa1, 0xb2, 0x3c, 0x4d, 0, 0]), Ok(Kind::Pcap));
        assert_eq!(outcome(&[0x0a, 0x0d, 0x0d, 0x0a]), Ok(Kind::PcapNg));
        assert_eq!(outcome(b"\x00\x0cS\x00\x00"), Ok(Kind::RawItch));
        assert_eq!(outcome(b"\x00\x00S\x00\x00"), Ok(Kind::RawItch));
        assert_eq!(outcome(b"\x00\x0dS\x00\x00"), Err("bytes 00 0d 53 00 00".to_owned()));
        assert_eq!(outcome(b""), Err("an empty file".to_owned()));
        assert_eq!(outcome(b"BZh91AY"), Err("a bzip2 file".to_owned()));
        assert!(outcome(b"\xfd7zXZ").unwrap_err().starts_with("an xz file"));
        assert_eq!(
            outcome(b"PK\x03\x04"),
            Err("a zip archive (LOBSTER samples are read as feed lobster)".to_owned())
        );
        assert_eq!(outcome(b"DBN\x03"), Err("a DBN file (it is read as feed dbn)".to_owned()));
    }

    #[test]
    fn one_layer_of_compression_is_seen_through() {
        let inner = b"\x00\x0cS\x00\x00";
        let once = zstd::encode_all(&inner[..], 1).unwrap();
        assert_eq!(outcome(&once), Ok(Kind::RawItch));
        let twice = zstd::encode_all(&once[..], 1).unwrap();
        assert!(outcome(&twice).unwrap_err().starts_with("a compressed file within"));
        assert!(outcome(&once[..6]).is_err());
    }
}
