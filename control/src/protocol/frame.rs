//! One message on the wire: its length as four little-endian bytes, then so many bytes of JSON.

use std::io::{self, ErrorKind, Read, Write};

/// Largest message, either way, in bytes.
pub const MESSAGE_BYTES_MAX: usize = 1 << 20;

/// Why no message could be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// The other side hung up between messages.
    #[error("the connection was closed")]
    Closed,
    /// The other side hung up inside a message.
    #[error("the connection was closed inside a message: {found} of {wanted} bytes came")]
    Truncated {
        /// Bytes that came.
        found: usize,
        /// Bytes that were announced.
        wanted: usize,
    },
    /// The message is too long.
    #[error("a message of {found} bytes, at most {MESSAGE_BYTES_MAX} wanted")]
    TooLarge {
        /// Announced or attempted length.
        found: usize,
    },
    /// Nothing came in time.
    #[error("nothing came within the time limit")]
    TimedOut,
    /// The system said no.
    #[error(transparent)]
    Io(io::Error),
}

impl From<io::Error> for FrameError {
    fn from(error: io::Error) -> Self {
        if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) {
            Self::TimedOut
        } else {
            Self::Io(error)
        }
    }
}

/// Reads one message. Allocates no more than has really come, so that an announced length costs nothing.
///
/// # Errors
/// [`FrameError`].
pub fn read_frame(from: &mut impl Read) -> Result<Vec<u8>, FrameError> {
    let mut prefix = [0; 4];
    match fill(from, &mut prefix)? {
        4 => {}
        0 => return Err(FrameError::Closed),
        found => return Err(FrameError::Truncated { found, wanted: 4 }),
    }
    let wanted = u32::from_le_bytes(prefix) as usize;
    if wanted > MESSAGE_BYTES_MAX {
        return Err(FrameError::TooLarge { found: wanted });
    }
    let mut body = Vec::new();
    from.take(wanted as u64).read_to_end(&mut body)?;
    if body.len() < wanted {
        return Err(FrameError::Truncated { found: body.len(), wanted });
    }
    Ok(body)
}

/// Fills `into` as far as the other side sends.
fn fill(from: &mut impl Read, into: &mut [u8]) -> Result<usize, FrameError> {
    let mut found = 0;
    while found < into.len() {
        match from.read(&mut into[found..]) {
            Ok(0) => break,
            Ok(n) => found += n,
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => return Err(e.into()),
        }
    }
    Ok(found)
}

/// Writes one message in one call.
///
/// # Errors
/// [`FrameError::TooLarge`] before anything is written; [`FrameError::Io`].
pub fn write_frame(to: &mut impl Write, body: &[u8]) -> Result<(), FrameError> {
    let length = u32::try_from(body.len()).ok().filter(|_| body.len() <= MESSAGE_BYTES_MAX);
    let Some(length) = length else { return Err(FrameError::TooLarge { found: body.len() }) };
    let mut message = Vec::with_capacity(4 + body.len());
    message.extend_from_slice(&length.to_le_bytes());
    message.extend_from_slice(body);
    to.write_all(&message)?;
    to.flush()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_survives_the_wire() {
        let mut wire = Vec::new();
        write_frame(&mut wire, b"{}").unwrap();
        write_frame(&mut wire, b"").unwrap();
        assert_eq!(wire, [2, 0, 0, 0, b'{', b'}', 0, 0, 0, 0]);
        let mut from = wire.as_slice();
        assert_eq!(read_frame(&mut from).unwrap(), b"{}");
        assert_eq!(read_frame(&mut from).unwrap(), b"");
        assert!(matches!(read_frame(&mut from), Err(FrameError::Closed)));
    }

    #[test]
    fn lengths_that_lie_are_refused_without_being_believed() {
        let huge = u32::MAX.to_le_bytes();
        assert!(matches!(read_frame(&mut huge.as_slice()), Err(FrameError::TooLarge { found: 0xffff_ffff })));
        let cut = [9, 0, 0, 0, b'x'];
        assert!(matches!(
            read_frame(&mut cut.as_slice()),
            Err(FrameError::Truncated { found: 1, wanted: 9 })
        ));
        assert!(matches!(
            read_frame(&mut [1, 0].as_slice()),
            Err(FrameError::Truncated { found: 2, wanted: 4 })
        ));
        let too_long = vec![0; MESSAGE_BYTES_MAX + 1];
        let mut sink = Vec::new();
        assert!(matches!(write_frame(&mut sink, &too_long), Err(FrameError::TooLarge { .. })));
        assert!(sink.is_empty());
    }
}
