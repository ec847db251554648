//! What an order thread says of each order and answer: sixteen words, in its ring and in the daemon's journal alike.
//!
//! ```text
//! word 0      its number, from 1
//!      1-8    the step (gate::Step), of a refused order the step it would have been; 7 is when it was
//!      9-12   the verdict on an order
//!             of what an order breaks in audit mode: 1 is the order, 2-6 and 8-12 are codes of reasons, four in a word
//!      13     kind:8 | time of the check in ns:32 at 32
//!      14     the name of the instrument, 0 where there is none
//!      15     a sum of the others: a record that was not written whole does not have it
//! ```
//!
//! The name stands beside the instrument's number because the number is the daemon's of the moment: a record may be read by
//! the next one.

use gate::{OrderIntent, RoundedValue, STEP_WORDS, Sent, Step, VERDICT_WORDS, Verdict};
use types::{GOLDEN, Nanos, Symbol, UnixNanos};

/// Words of a record.
pub const RECORD_WORDS: usize = 16;

/// Bytes of a record.
pub const RECORD_BYTES: usize = RECORD_WORDS * 8;

/// What a record says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// An order that was let through.
    Sent {
        /// [`Step::Sent`] or [`Step::Replaced`].
        step: Step,
        /// What the gate said.
        verdict: Verdict,
        /// How long that took.
        check: Nanos,
    },
    /// An order that was refused.
    Refused {
        /// The order.
        order: OrderIntent,
        /// What the gate said.
        verdict: Verdict,
        /// How long that took.
        check: Nanos,
    },
    /// Codes of reasons that the order breaks whose record comes next, where its gate is in audit mode; as many records as they take. For
    /// the log alone.
    Breaks {
        /// The order.
        order: u64,
        /// The codes, in the order of decision; 0 after the last.
        codes: [u16; CODES],
    },
    /// Anything else that the gate did.
    Step(Step),
    /// The same, at a time for which nobody vouched: the gate has not noted it ([`gate::Gate::pass_time`]).
    Untimed(Step),
}

/// Reasons that one record names.
pub const CODES: usize = 4 * CODE_WORDS.len();

/// The words that they stand in, four in each.
const CODE_WORDS: [usize; 10] = [2, 3, 4, 5, 6, 8, 9, 10, 11, 12];

/// An order and codes in the words of a record.
fn pack_codes(words: &mut [u64; RECORD_WORDS], order: u64, codes: &[u16; CODES]) {
    words[1] = order;
    for (at, four) in CODE_WORDS.into_iter().zip(codes.as_chunks::<4>().0) {
        words[at] = four.iter().rev().fold(0, |word, code| word << 16 | u64::from(*code));
    }
}

/// The inverse of [`pack_codes`].
fn unpack_codes(words: &[u64; RECORD_WORDS]) -> Entry {
    let mut codes = [0; CODES];
    for (at, four) in CODE_WORDS.into_iter().zip(codes.as_chunks_mut::<4>().0) {
        *four = [0, 16, 32, 48].map(|shift| (words[at] >> shift) as u16);
    }
    Entry::Breaks { order: words[1], codes }
}

impl Entry {
    /// Whether it is for the verdict log alone: no books follow from it.
    #[must_use]
    pub const fn is_for_the_log(&self) -> bool {
        matches!(self, Self::Refused { .. } | Self::Breaks { .. })
    }

    /// An order, what the gate said of it, and how long that took; `None` of what is no order's.
    #[must_use]
    pub const fn judged(&self) -> Option<(OrderIntent, Verdict, Nanos)> {
        match *self {
            Self::Refused { order, verdict, check } => Some((order, verdict, check)),
            Self::Sent { step: Step::Sent(sent) | Step::Replaced { sent, .. }, verdict, check } => {
                Some((sent.order, verdict, check))
            }
            Self::Sent { .. } | Self::Breaks { .. } | Self::Step(_) | Self::Untimed(_) => None,
        }
    }
}

/// One record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its number in the ring, from 1.
    pub number: u64,
    /// When.
    pub at: UnixNanos,
    /// The instrument that the entry names by its number.
    pub symbol: Option<Symbol>,
    /// What.
    pub entry: Entry,
}

const SENT: u8 = 1;
const REFUSED: u8 = 2;
const STEP: u8 = 3;
const UNTIMED: u8 = 4;
const BREAKS: u8 = 5;

/// The word of a step's time.
const AT: usize = 7;

/// The sum of a record's words but the last: each moves every bit of it, and where it stands matters.
#[must_use]
pub fn sum(words: &[u64; RECORD_WORDS]) -> u64 {
    let [rest @ .., _] = words;
    rest.iter().fold(1, |sum: u64, word| (sum.rotate_left(23) ^ word).wrapping_mul(GOLDEN))
}

impl Record {
    /// The record in words.
    #[inline(always)]
    #[must_use]
    pub fn pack(&self) -> [u64; RECORD_WORDS] {
        let (kind, step, verdict, check) = match self.entry {
            Entry::Sent { step, verdict, check } => (SENT, step, verdict.pack(), check),
            Entry::Refused { order, verdict, check } => {
                let sent = Sent { order, judged_px: 0, interval_ns: 0, value: RoundedValue(0), at: self.at };
                (REFUSED, Step::Sent(sent), verdict.pack(), check)
            }
            Entry::Step(step) => (STEP, step, [0; VERDICT_WORDS], Nanos(0)),
            Entry::Untimed(step) => (UNTIMED, step, [0; VERDICT_WORDS], Nanos(0)),
            Entry::Breaks { order, codes } => return self.pack_breaks(order, &codes),
        };
        let mut words = [0; RECORD_WORDS];
        words[1..=STEP_WORDS].copy_from_slice(&step.pack());
        words[9..13].copy_from_slice(&verdict);
        self.close(&mut words, kind, check);
        words
    }

    /// Of audit mode alone, and so apart: every order pays for what [`Record::pack`] does.
    #[cold]
    fn pack_breaks(&self, order: u64, codes: &[u16; CODES]) -> [u64; RECORD_WORDS] {
        let mut words = [0; RECORD_WORDS];
        pack_codes(&mut words, order, codes);
        self.close(&mut words, BREAKS, Nanos(0));
        words
    }

    /// What all kinds have: number, time, kind and name, and the sum of everything.
    #[inline(always)]
    fn close(&self, words: &mut [u64; RECORD_WORDS], kind: u8, check: Nanos) {
        let check = check.0.min(u32::MAX.into());
        words[0] = self.number;
        words[AT] = self.at.0;
        (words[13], words[14]) = (u64::from(kind) | check << 32, self.symbol.map_or(0, Symbol::to_word));
        words[15] = sum(words);
    }

    /// The record of `words`; `None` when they are none, or not written whole.
    #[must_use]
    pub fn unpack(words: &[u64; RECORD_WORDS]) -> Option<Self> {
        let &[number, s0, s1, s2, s3, s4, s5, at, s7, v0, v1, v2, v3, kind, symbol, found] = words;
        if found != sum(words) {
            return None;
        }
        let symbol = (symbol != 0).then(|| Symbol::from_word(symbol));
        if kind as u8 == BREAKS {
            return Some(Self { number, at: UnixNanos(at), symbol, entry: unpack_codes(words) });
        }
        let step = Step::unpack([s0, s1, s2, s3, s4, s5, at, s7])?;
        let verdict = || Verdict::unpack([v0, v1, v2, v3]);
        let check = Nanos(kind >> 32);
        let entry = match (kind as u8, step) {
            (SENT, Step::Sent(_) | Step::Replaced { .. }) => Entry::Sent { step, verdict: verdict()?, check },
            (REFUSED, Step::Sent(sent)) => Entry::Refused { order: sent.order, verdict: verdict()?, check },
            (STEP, step) => Entry::Step(step),
            (UNTIMED, step) => Entry::Untimed(step),
            _ => return None,
        };
        Some(Self { number, at: UnixNanos(at), symbol, entry })
    }

    /// The record in bytes.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; RECORD_BYTES] {
        bytes_of(&self.pack())
    }

    /// The record of `bytes`; as for [`Record::unpack`].
    #[must_use]
    pub fn from_bytes(bytes: &[u8; RECORD_BYTES]) -> Option<Self> {
        Self::unpack(&words_of(bytes)?)
    }
}

/// The words in `bytes`, least significant byte first; `None` when they are not as many.
#[must_use]
pub fn words_of<const N: usize>(bytes: &[u8]) -> Option<[u64; N]> {
    let (words, rest) = bytes.as_chunks::<8>();
    let words: &[[u8; 8]; N] = words.try_into().ok().filter(|_| rest.is_empty())?;
    Some(words.map(u64::from_le_bytes))
}

/// A record's words in bytes, the inverse of [`words_of`].
#[must_use]
pub fn bytes_of(words: &[u64; RECORD_WORDS]) -> [u8; RECORD_BYTES] {
    let mut bytes = [0; RECORD_BYTES];
    for (to, word) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(words) {
        *to = word.to_le_bytes();
    }
    bytes
}
