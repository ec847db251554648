//! What an order thread says of each order and answer: sixteen words, in its ring and in the daemon's journal alike.
//!
//! ```text
//! word 0      its number, from 1
//!      1-8    the step (gate::Step), of a refused order the step it would have been; 7 is when it was
//!      9-12   the verdict on an order
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
    /// Anything else that the gate did.
    Step(Step),
    /// The same, at a time for which nobody vouched: the gate has not noted it ([`gate::Gate::pass_time`]).
    Untimed(Step),
}

impl Entry {
    /// An order, what the gate said of it, and how long that took; `None` of what is no order's.
    #[must_use]
    pub const fn judged(&self) -> Option<(OrderIntent, Verdict, Nanos)> {
        match *self {
            Self::Refused { order, verdict, check } => Some((order, verdict, check)),
            Self::Sent { step: Step::Sent(sent) | Step::Replaced { sent, .. }, verdict, check } => {
                Some((sent.order, verdict, check))
            }
            Self::Sent { .. } | Self::Step(_) | Self::Untimed(_) => None,
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
        };
        let mut words = [0; RECORD_WORDS];
        let check = check.0.min(u32::MAX.into());
        words[0] = self.number;
        words[1..=STEP_WORDS].copy_from_slice(&step.pack());
        words[AT] = self.at.0;
        words[9..13].copy_from_slice(&verdict);
        (words[13], words[14]) = (u64::from(kind) | check << 32, self.symbol.map_or(0, Symbol::to_word));
        words[15] = sum(&words);
        words
    }

    /// The record of `words`; `None` when they are none, or not written whole.
    #[must_use]
    pub fn unpack(words: &[u64; RECORD_WORDS]) -> Option<Self> {
        let &[number, s0, s1, s2, s3, s4, s5, at, s7, v0, v1, v2, v3, kind, symbol, found] = words;
        if found != sum(words) {
            return None;
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
        let symbol = (symbol != 0).then(|| Symbol::from_word(symbol));
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
