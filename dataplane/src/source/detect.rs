//! What a file is, told by its first bytes; its name says nothing.

use std::io::{self, Cursor, Read};

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
    let unpacked: Reader = match compression(&head)? {
        None => return Ok((head, reader)),
        Some(Compression::Gzip) => Box::new(flate2::read::MultiGzDecoder::new(reader)),
        Some(Compression::Zstd) => Box::new(zstd::stream::read::Decoder::new(reader)?),
    };
    let (head, reader) = peek(unpacked)?;
    if compression(&head)?.is_some() {
        return Err(Fault::new("a compressed file within a compressed file", "one layer of compression"));
    }
    Ok((head, reader))
}

#[derive(Clone, Copy)]
enum Compression {
    Gzip,
    Zstd,
}

fn compression(head: &[u8]) -> Result<Option<Compression>, Fault> {
    match head {
        [0x1f, 0x8b, ..] => Ok(Some(Compression::Gzip)),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Ok(Some(Compression::Zstd)),
        [b'B', b'Z', b'h', ..] => {
            Err(Fault::new("a bzip2 file", "gzip, zstd or no compression: recompress it"))
        }
        [0xfd, b'7', b'z', b'X', b'Z', ..] => {
            Err(Fault::new("an xz file", "gzip, zstd or no compression: recompress it"))
        }
        _ => Ok(None),
    }
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
    let found = match head {
        [] => "an empty file".to_owned(),
        [b'P', b'K', 3, 4, ..] => "a zip archive (LOBSTER samples are read as feed lobster)".to_owned(),
        _ => format!("bytes {}", hex(head)),
    };
    Err(Fault::new(
        found,
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

/// The first bytes, and a reader that begins with them again.
fn peek(mut reader: Reader) -> io::Result<(Vec<u8>, Reader)> {
    let mut head = Vec::with_capacity(HEAD_LEN);
    reader.by_ref().take(HEAD_LEN as u64).read_to_end(&mut head)?;
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
        assert!(outcome(b"PK\x03\x04").unwrap_err().starts_with("a zip archive"));
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
