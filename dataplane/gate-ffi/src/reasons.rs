//! The words of the reject codes, each ended by a zero: made when this is compiled, so that C may keep the pointers.

use core::ffi::CStr;
use gate::{REASON_COUNT, RejectReason};

/// Bytes of a slug, and of a sentence, with the zero.
const SLUG_BYTES: usize = 32;
const SENTENCE_BYTES: usize = 256;

/// `text` with zeros behind it, at least one.
const fn padded<const N: usize>(text: &str) -> [u8; N] {
    let (bytes, mut out, mut at) = (text.as_bytes(), [0; N], 0);
    assert!(bytes.len() < N, "a text of the gate's is longer than its place");
    while at < bytes.len() {
        out[at] = bytes[at];
        at += 1;
    }
    out
}

static SLUGS: [[u8; SLUG_BYTES]; REASON_COUNT] = {
    let (mut all, mut at) = ([[0; SLUG_BYTES]; REASON_COUNT], 0);
    while at < REASON_COUNT {
        all[at] = padded(RejectReason::ALL[at].slug());
        at += 1;
    }
    all
};

static SENTENCES: [[u8; SENTENCE_BYTES]; REASON_COUNT] = {
    let (mut all, mut at) = ([[0; SENTENCE_BYTES]; REASON_COUNT], 0);
    while at < REASON_COUNT {
        all[at] = padded(RejectReason::ALL[at].sentence());
        at += 1;
    }
    all
};

fn place(code: u16) -> Option<usize> {
    RejectReason::ALL.iter().position(|reason| reason.code() == code)
}

/// The reason with this code.
pub(crate) fn reason(code: u16) -> Option<RejectReason> {
    RejectReason::ALL.get(place(code)?).copied()
}

/// Its slug.
pub(crate) fn slug(code: u16) -> Option<&'static CStr> {
    CStr::from_bytes_until_nul(SLUGS.get(place(code)?)?).ok()
}

/// Its sentence, with `{limit}` and `{value}` where the numbers stand.
pub(crate) fn sentence(code: u16) -> Option<&'static CStr> {
    CStr::from_bytes_until_nul(SENTENCES.get(place(code)?)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_its_words_and_no_other_number_has_any() {
        for wanted in RejectReason::ALL {
            let code = wanted.code();
            assert_eq!(reason(code), Some(wanted));
            assert_eq!(slug(code).unwrap().to_str(), Ok(wanted.slug()));
            assert_eq!(sentence(code).unwrap().to_str(), Ok(wanted.sentence()));
        }
        assert_eq!((reason(0), slug(0), sentence(u16::MAX)), (None, None, None));
    }
}
