//! What OUCH says, in words that both versions have.

use gate::{RejectReason, TimeInForce};
use types::{Px, Side, Symbol};

/// An order's name: the token of 4.2; of 5.0 the number, in its first four bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Token(pub(super) [u8; 14]);

impl Token {
    /// The token of a `UserRefNum`.
    pub(super) fn of_number(number: u32) -> Self {
        let mut token = [0; 14];
        token[..4].copy_from_slice(&number.to_be_bytes());
        Self(token)
    }

    /// The inverse.
    pub(super) fn number(self) -> u32 {
        let Self([a, b, c, d, ..]) = self;
        u32::from_be_bytes([a, b, c, d])
    }
}

/// An order as a firm asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Order {
    pub(super) token: Token,
    /// The firm's own text; blank where the version has none.
    pub(super) text: [u8; 14],
    /// The MPID that it is entered for; blank where it says none, as no replacement does.
    pub(super) mpid: [u8; 4],
    /// None for a replacement, which has that of its order.
    pub(super) symbol: Option<Symbol>,
    /// None for a replacement that leaves it.
    pub(super) side: Option<Side>,
    pub(super) qty: u32,
    pub(super) px: Px,
    pub(super) tif: TimeInForce,
}

/// What a firm sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Request {
    Enter(Order),
    Replace {
        of: Token,
        order: Order,
    },
    /// A cancel, of all that is left or of a part.
    Cancel {
        token: Token,
        all: bool,
    },
    /// A modification: fewer shares, or another kind of sale.
    Modify {
        token: Token,
        side: Option<Side>,
        qty: u32,
    },
    /// A message that adds no risk.
    Harmless,
    /// A mass cancel, or a request to enable or disable order entry: it has a number, as orders have.
    Numbered(Token),
    /// Which number is next.
    Query,
}

/// Why a message is not a [`Request`] that can be judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unfit {
    /// It is none of this version.
    Malformed,
    /// It is an order that the gate cannot judge.
    Order { token: Token, text: [u8; 14], why: Cannot },
}

/// What of an order cannot be judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cannot {
    /// More shares than the venue takes: of a replacement it would make a cancel.
    Quantity,
    /// A side that is none.
    Side,
    /// A price that the venue makes: a peg, or discretion beyond the limit.
    Peg,
    /// A channel of numbers beside the first.
    Channel,
    /// An MPID that is nobody's.
    Mpid,
    /// An option that is none, or one twice.
    Option,
}

/// Why an order is answered with a reject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The gate said so.
    Gate(RejectReason),
    /// It cannot be judged.
    Cannot(Cannot),
    /// The venue cannot be reached, or the order never reached it.
    VenueAway,
    /// A replacement whose order was done when it came to the venue.
    TooLate,
    /// The gateway stops, or no longer understands the venue.
    Closed,
}

/// What a venue answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Report {
    Accepted {
        token: Token,
        symbol: Symbol,
        side: Side,
        qty: u32,
        /// None of a market order.
        px: Px,
        dead: bool,
    },
    /// `left` shares can still trade.
    Replaced {
        of: Token,
        token: Token,
        symbol: Symbol,
        side: Side,
        left: u32,
        dead: bool,
    },
    /// `by` shares were taken off.
    Reduced {
        token: Token,
        by: u32,
    },
    /// `left` shares can still trade.
    Left {
        token: Token,
        left: u32,
    },
    Executed {
        token: Token,
        qty: u32,
        /// None where the venue says none that can be.
        px: Px,
        match_number: u64,
    },
    Broken {
        token: Token,
        match_number: u64,
    },
    Rejected {
        token: Token,
    },
    /// The next number.
    Next(u32),
    /// Something that changes no order.
    Other,
}

/// The price of an execution. Nothing trades at 0 in OUCH: what says so says nothing, and does not make a purchase free.
pub(super) fn traded(px: Px) -> Px {
    if px == Px(0) { Px::NONE } else { px }
}

/// A message of the gateway's own.
#[derive(Clone, Copy, Debug)]
pub(super) struct Message {
    bytes: [u8; 64],
    len: usize,
}

impl Message {
    /// Of at most 64 bytes; what is longer would be cut.
    pub(super) fn new(parts: &[&[u8]]) -> Self {
        let mut message = Self { bytes: [0; 64], len: 0 };
        for byte in parts.iter().copied().flatten() {
            if let Some(place) = message.bytes.get_mut(message.len) {
                *place = *byte;
                message.len += 1;
            }
        }
        message
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}
