//! Length-prefixed message blocks, the body of both MoldUDP64 and IEX-TP packets.

use core::marker::PhantomData;

use zerocopy::FromBytes;
use zerocopy::byteorder::{ByteOrder, U16};

use crate::error::{WireError, clamp};

/// Iterator over the messages of one packet: `count` blocks of a 16-bit length in byte order `O`, then that many bytes.
///
/// Every item, `Ok` or not, is one sequence number. A [`WireError::ZeroLength`] block loses only itself and the
/// iteration goes on; any other error ends it, since nothing after it can be found. Offsets in errors count from the
/// start of the packet. The length prefix is bounded by the packet, so no input makes this read outside it or run
/// longer than the packet has bytes.
#[derive(Clone, Debug)]
pub struct Blocks<'a, O> {
    rest: &'a [u8],
    offset: usize,
    left: u16,
    /// Bytes behind the announced body that belong to no message.
    excess: usize,
    failed: bool,
    order: PhantomData<O>,
}

impl<'a, O: ByteOrder> Blocks<'a, O> {
    /// `offset` is where `body` begins in its packet, `excess` how many bytes the packet has behind `body`.
    #[inline]
    pub(crate) const fn new(body: &'a [u8], offset: usize, count: u16, excess: usize) -> Self {
        Self { rest: body, offset, left: count, excess, failed: false, order: PhantomData }
    }

    /// Where the next length prefix begins, counted from the start of the packet.
    #[inline]
    #[must_use]
    pub const fn offset(&self) -> usize {
        self.offset
    }

    /// Ends the iteration with `error`.
    #[cold]
    fn fail(&mut self, error: WireError) -> Option<Result<&'a [u8], WireError>> {
        self.failed = true;
        Some(Err(error))
    }

    /// Nothing more is announced: whatever is left should not be there.
    #[cold]
    fn end(&mut self) -> Option<Result<&'a [u8], WireError>> {
        let found = self.rest.len().saturating_add(self.excess);
        if found == 0 || self.failed {
            return None;
        }
        let offset = self.offset as u64;
        self.fail(WireError::TrailingBytes { offset, found: clamp(found) })
    }
}

impl<'a, O: ByteOrder> Iterator for Blocks<'a, O> {
    type Item = Result<&'a [u8], WireError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            return self.end();
        }
        if self.failed {
            return None;
        }
        let Ok((len, after)) = U16::<O>::read_from_prefix(self.rest) else {
            return self.fail(WireError::truncated(self.offset, 2, self.rest.len()));
        };
        let len = usize::from(len.get());
        let Some((message, rest)) = after.split_at_checked(len) else {
            return self.fail(WireError::truncated(self.offset.saturating_add(2), len, after.len()));
        };
        let start = self.offset;
        self.rest = rest;
        self.offset = self.offset.saturating_add(2).saturating_add(len);
        self.left -= 1;
        if len == 0 {
            return Some(Err(WireError::ZeroLength { offset: start as u64 }));
        }
        Some(Ok(message))
    }
}

impl<O: ByteOrder> core::iter::FusedIterator for Blocks<'_, O> {}

/// Writes `message` behind its length prefix at `at`, and returns where the next one goes. `None`, and nothing changes,
/// when it does not fit `buf`, is empty, or is longer than 65,535 bytes.
#[inline]
pub(crate) fn append<O: ByteOrder>(buf: &mut [u8], at: usize, message: &[u8]) -> Option<usize> {
    let len = u16::try_from(message.len()).ok().filter(|len| *len > 0)?;
    let (prefix, free) = buf.get_mut(at..)?.split_first_chunk_mut::<2>()?;
    let place = free.get_mut(..message.len())?;
    *prefix = U16::<O>::new(len).to_bytes();
    place.copy_from_slice(message);
    Some(at.saturating_add(2).saturating_add(message.len()))
}
