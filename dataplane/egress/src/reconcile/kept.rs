//! What was copied and what was compared, in an append-only file: who is killed anywhere compares each copy once.

use super::words::{Copied, Execution, Label, Order, Terms};
use crate::log::{Head, Log, make_folder};
use std::io;
use std::path::Path;
use types::{Px, Side, Symbol};

/// A message of the copies', and what it says; its number is the message's, where the stream has numbers.
const COPY: u64 = 1;
/// This was compared.
const COMPARED: u64 = 2;

/// The most bytes of one file.
const BYTES_MAX: u64 = 16 << 30;

/// Bytes of one thing that was copied.
const COPIED_BYTES: usize = 64;

/// The file.
#[derive(Debug)]
pub(crate) struct Kept {
    log: Log,
    next: u64,
}

impl Kept {
    /// Opens or makes the file `name` in the folder `dir`, and adds to `out` what it says: that the stream begins, what was compared, and
    /// every copy of the gate's session `session`.
    ///
    /// # Errors
    /// The system's, and damage.
    pub(crate) fn open(dir: &Path, name: &str, session: u64, out: &mut Vec<Copied>) -> io::Result<Self> {
        make_folder(dir)?;
        let (mut next, mut compared, mut copies) = (1, Vec::new(), Vec::new());
        let log = Log::open(&dir.join(name), BYTES_MAX, |head, _, bytes| {
            if head.kind == COMPARED {
                compared.push(Copied::Settled(head.number));
                return;
            }
            next = next.max(head.number.saturating_add(1));
            if head.id == session {
                copies.extend(bytes.chunks_exact(COPIED_BYTES).filter_map(unpack));
            }
        })?;
        out.push(Copied::Begin { is_new: log.is_empty() });
        out.append(&mut compared);
        out.append(&mut copies);
        Ok(Self { log, next })
    }

    /// The number of the message that is to come next, from 1.
    pub(crate) const fn next(&self) -> u64 {
        self.next
    }

    /// Keeps a message of the copies'.
    ///
    /// # Errors
    /// The system's; it is not kept.
    pub(crate) fn keep(&mut self, number: u64, session: u64, said: &[Copied]) -> io::Result<()> {
        let bytes: Vec<u8> = said.iter().flat_map(pack).collect();
        self.log.append(Head { kind: COPY, number, id: session, cause: 0 }, &bytes)?;
        self.next = self.next.max(number.saturating_add(1));
        Ok(())
    }

    /// Keeps that this was compared.
    ///
    /// # Errors
    /// The system's: after a restart it is compared again.
    pub(crate) fn compared(&mut self, key: u64) -> io::Result<()> {
        self.log.append_or_hold(Head { kind: COMPARED, number: key, ..Head::default() }, &[]).map(drop)
    }
}

const ORDER: u8 = 1;
const EXECUTION: u8 = 2;
const BUST: u8 = 3;

/// Kind, side, qty, two words, price, symbol or nothing, label: what the gate's numbers are is not of the copies.
fn pack(copied: &Copied) -> Vec<u8> {
    let side = |side: Option<Side>| match side {
        None => 0,
        Some(Side::Bid) => 1,
        Some(Side::Ask) => 2,
    };
    let mut bytes = Vec::with_capacity(COPIED_BYTES);
    let mut put = |head: [u8; 2], qty: u32, words: [u64; 2], px: Px, symbol: [u8; 8], label: Label| {
        bytes.extend_from_slice(&[head[0], head[1], 0, 0]);
        bytes.extend_from_slice(&qty.to_le_bytes());
        words.iter().for_each(|word| bytes.extend_from_slice(&word.to_le_bytes()));
        bytes.extend_from_slice(&px.0.to_le_bytes());
        bytes.extend_from_slice(&symbol);
        bytes.extend_from_slice(label.bytes());
    };
    match *copied {
        Copied::Order(Order { name, terms, label, .. }) => {
            let side = side(terms.map(|terms| terms.side));
            let symbol = terms.map_or([0; 8], |terms| terms.symbol.0);
            let (qty, px) = terms.map_or((0, Px::NONE), |terms| (terms.qty, terms.px));
            put([ORDER, side], qty, [name, 0], px, symbol, label);
        }
        Copied::Executed(Execution { number, order, side: of, qty, px, is_bust, label }) => {
            let kind = if is_bust { BUST } else { EXECUTION };
            put([kind, side(of)], qty, [number, order], px, [0; 8], label);
        }
        // Of the file itself.
        Copied::Begin { .. } | Copied::Settled(_) => {}
    }
    bytes
}

fn unpack(bytes: &[u8]) -> Option<Copied> {
    let word = |at: usize| Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
    let [kind, side, ..] = *bytes else { return None };
    let side = match side {
        1 => Some(Side::Bid),
        2 => Some(Side::Ask),
        _ => None,
    };
    let qty = u32::from_le_bytes(bytes.get(4..8)?.try_into().ok()?);
    let (first, second, px) = (word(8)?, word(16)?, Px(word(24)?.cast_signed()));
    let symbol = Symbol(bytes.get(32..40)?.try_into().ok()?);
    let label = Label::of(bytes.get(40..64)?);
    let is_bust = kind == BUST;
    match kind {
        ORDER => {
            let terms = side.map(|side| Terms { symbol, side, qty, px });
            Some(Copied::Order(Order { name: first, id: 0, terms, label }))
        }
        EXECUTION | BUST => {
            Some(Copied::Executed(Execution { number: first, order: second, side, qty, px, is_bust, label }))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_kept_is_said_again_and_what_was_compared_comes_first() {
        let dir = tempfile::tempdir().unwrap();
        let terms = Terms { symbol: Symbol(*b"FUTX    "), side: Side::Ask, qty: 7, px: Px(-3) };
        let order = Order { name: 11, id: 0, terms: Some(terms), label: Label::of(b"A-1") };
        let label = Label::of_number(u64::MAX);
        let (side, px, is_bust) = (Some(Side::Bid), Px::NONE, false);
        let trade = Execution { number: 21, order: 11, side, qty: 5, px, is_bust, label };
        let said = [Copied::Order(order), Copied::Executed(trade), Copied::Executed(trade.busted())];
        let mut out = Vec::new();
        let mut kept = Kept::open(dir.path(), "copies", 9, &mut out).unwrap();
        assert_eq!((out, kept.next()), (vec![Copied::Begin { is_new: true }], 1));
        kept.keep(1, 9, &said).unwrap();
        kept.keep(2, 9, &[]).unwrap();
        kept.compared(21).unwrap();
        drop(kept);
        let mut out = Vec::new();
        let kept = Kept::open(dir.path(), "copies", 9, &mut out).unwrap();
        let begin = [Copied::Begin { is_new: false }, Copied::Settled(21)];
        assert_eq!((out, kept.next()), ([&begin[..], &said].concat(), 3));
        drop(kept);
        // Copies of another session of the gate's have other names.
        let mut out = Vec::new();
        let kept = Kept::open(dir.path(), "copies", 10, &mut out).unwrap();
        assert_eq!((out, kept.next()), (begin.to_vec(), 3));
        assert_eq!(
            (Label::of(b" x ").to_string(), Label::default().to_string()),
            ("x".to_owned(), "(unnamed)".to_owned())
        );
        assert_eq!(
            (label.to_string(), Label::of_number(0).to_string()),
            (u64::MAX.to_string(), "0".to_owned())
        );
    }
}
