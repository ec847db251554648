//! A bounded window that slides over a stream of bytes.

use std::io::{self, Read};

/// Bytes in the window: four of the largest records accepted.
const WINDOW_BYTES: usize = 1 << 20;
/// Largest record a reader may ask for at once.
pub(super) const RECORD_BYTES_MAX: usize = WINDOW_BYTES / 4;

/// A stream seen through a fixed buffer.
pub(super) struct Window {
    reader: Box<dyn Read + Send>,
    buf: Box<[u8]>,
    start: usize,
    end: usize,
    /// Offset in the stream of `buf[start]`.
    offset: u64,
    exhausted: bool,
}

impl Window {
    pub(super) fn new(reader: Box<dyn Read + Send>) -> Self {
        let buf = vec![0; WINDOW_BYTES].into_boxed_slice();
        Self { reader, buf, start: 0, end: 0, offset: 0, exhausted: false }
    }

    /// What is in the window.
    pub(super) fn data(&self) -> &[u8] {
        &self.buf[self.start..self.end]
    }

    /// Offset in the stream of the window's first byte.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Slides the window over its first `n` bytes.
    pub(super) fn consume(&mut self, n: usize) {
        assert!(n <= self.end - self.start, "the window does not hold {n} bytes");
        self.start += n;
        self.offset += n as u64;
    }

    /// Slides over `n` bytes, however many that is; false when the stream ends before.
    pub(super) fn skip(&mut self, mut n: u64) -> io::Result<bool> {
        while n > 0 {
            if !self.require(1)? {
                return Ok(false);
            }
            let step = self.data().len().min(usize::try_from(n).unwrap_or(usize::MAX));
            self.consume(step);
            n -= step as u64;
        }
        Ok(true)
    }

    /// Reads until the window holds `wanted` bytes or the stream ends; returns whether it does hold them.
    pub(super) fn require(&mut self, wanted: usize) -> io::Result<bool> {
        if self.end - self.start >= wanted {
            return Ok(true);
        }
        self.refill(wanted)
    }

    fn refill(&mut self, wanted: usize) -> io::Result<bool> {
        assert!(wanted <= self.buf.len(), "no record is larger than the window");
        if self.start + wanted > self.buf.len() || self.start == self.end {
            self.buf.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        while self.end - self.start < wanted && !self.exhausted {
            match self.reader.read(&mut self.buf[self.end..]) {
                Ok(0) => self.exhausted = true,
                Ok(n) => self.end += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(self.end - self.start >= wanted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Gives out its bytes a few at a time, as pipes do.
    struct Trickle {
        bytes: Vec<u8>,
        at: usize,
        step: usize,
    }

    impl Read for Trickle {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            let n = self.step.min(out.len()).min(self.bytes.len() - self.at);
            out[..n].copy_from_slice(&self.bytes[self.at..self.at + n]);
            self.at += n;
            Ok(n)
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn the_stream_comes_through_whole(len in 0_usize..3_000_000, step in 1_usize..300_000, take in 1_usize..RECORD_BYTES_MAX) {
            let step = step.max(len / 2_000);
            let bytes: Vec<u8> = (0..len).map(|i| ((i * 31) >> 3) as u8).collect();
            let mut window = Window::new(Box::new(Trickle { bytes: bytes.clone(), at: 0, step }));
            let mut got = Vec::new();
            while window.require(take).unwrap() {
                prop_assert_eq!(window.offset(), got.len() as u64);
                got.extend_from_slice(&window.data()[..take]);
                window.consume(take);
            }
            got.extend_from_slice(window.data());
            prop_assert!(got == bytes);
        }
    }

    #[test]
    fn skipping_goes_beyond_what_the_window_holds() {
        let bytes: Vec<u8> = (0..3_000_000_u32).map(|i| (i % 251) as u8).collect();
        let mut window = Window::new(Box::new(Trickle { bytes, at: 0, step: 70_000 }));
        assert!(window.require(10).unwrap() && window.skip(2_500_000).unwrap());
        assert!(window.require(1).unwrap());
        assert_eq!((window.offset(), window.data()[0]), (2_500_000, (2_500_000 % 251) as u8));
        assert!(window.skip(500_000).unwrap() && !window.skip(1).unwrap());
    }
}
