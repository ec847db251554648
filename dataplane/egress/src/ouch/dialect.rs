//! Which version is spoken, and how its names become the gate's numbers.

use super::words::{Message, Refusal, Report, Request, Token, Unfit};
use super::{v42, v50};
use types::{FNV_BASIS, fnv1a};

/// A version of OUCH.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// 5.0: orders have numbers that rise.
    V50,
    /// 4.2: orders have tokens.
    V42,
}

/// A venue's session as a factor of numbers: orders and executions of another day have other numbers here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SessionKey(u64);

impl SessionKey {
    /// Of the session's name.
    pub(super) fn of(session: &[u8; 10]) -> Self {
        Self(mixed(fnv1a(FNV_BASIS, session)))
    }

    /// As a number.
    pub(super) const fn number(self) -> u64 {
        self.0
    }

    /// Of that number.
    pub(super) const fn of_number(number: u64) -> Self {
        Self(number)
    }

    /// The number of an execution: the two sides of a trade have the same match number, and may both be ours.
    pub(super) fn execution(self, match_number: u64, token: Token) -> u64 {
        mixed(match_number ^ self.0.rotate_left(32) ^ mixed(fnv1a(0, &token.0))).max(1)
    }
}

/// SplitMix64's finaliser: every bit of the result depends on every bit of `x`, and no two are the same.
const fn mixed(x: u64) -> u64 {
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

impl Dialect {
    /// The gate's number of an order, which a restarted gateway finds again. Of 5.0 the session is in its upper half; of 4.2 it is
    /// a hash: two tokens with the same one are taken for the same order, and the later one is refused.
    pub(super) fn id(self, session: SessionKey, token: Token) -> u64 {
        match self {
            Self::V50 => (session.0 >> 32) << 32 | u64::from(token.number()),
            Self::V42 => mixed(fnv1a(session.0, &token.0)).max(1),
        }
    }

    /// The token of a number that [`Dialect::id`] made in this session; none where it cannot be told.
    pub(super) fn token(self, session: SessionKey, id: u64) -> Option<Token> {
        let token = Token::of_number((id & 0xffff_ffff) as u32);
        (self == Self::V50 && self.id(session, token) == id).then_some(token)
    }

    /// Whether orders have numbers that rise, and the venue can be asked for the next one.
    pub(super) const fn has_numbers(self) -> bool {
        matches!(self, Self::V50)
    }

    pub(super) fn request(self, message: &[u8]) -> Result<Request, Unfit> {
        match self {
            Self::V50 => v50::request(message),
            Self::V42 => v42::request(message),
        }
    }

    pub(super) fn report(self, message: &[u8]) -> Option<(Report, u64)> {
        match self {
            Self::V50 => v50::report(message),
            Self::V42 => v42::report(message),
        }
    }

    /// The reject of an order, made so many nanoseconds after midnight.
    pub(super) fn rejected(
        self,
        token: Token,
        text: [u8; 14],
        refusal: Refusal,
        since_midnight: u64,
    ) -> Message {
        match self {
            Self::V50 => v50::rejected(token, text, refusal, since_midnight),
            Self::V42 => v42::rejected(token, refusal, since_midnight),
        }
    }

    /// A cancel of all that is left of an order.
    pub(super) fn cancel(self, token: Token) -> Message {
        match self {
            Self::V50 => v50::cancel(token),
            Self::V42 => v42::cancel(token),
        }
    }

    /// The question for the next number.
    pub(super) fn query(self) -> Option<Message> {
        self.has_numbers().then(v50::query)
    }

    /// Its answer.
    pub(super) fn next(self, number: u32, since_midnight: u64) -> Option<Message> {
        self.has_numbers().then(|| v50::next(number, since_midnight))
    }
}
