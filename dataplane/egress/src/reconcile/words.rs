//! What both sides say of orders and executions, in words that every protocol has.

use gate::Booked;
use std::fmt;
use types::{Px, Side, Symbol};

/// Bytes of a name that people know an order or an execution by; what is longer is cut.
const LABEL_BYTES: usize = 24;

/// The name that people know it by: a ClOrdID, a token, an ExecID, a match number. Empty where nobody says one.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Label([u8; LABEL_BYTES]);

impl Label {
    /// Of a text.
    pub(crate) fn of(text: &[u8]) -> Self {
        let mut label = [0; LABEL_BYTES];
        label.iter_mut().zip(text.trim_ascii()).for_each(|(place, byte)| *place = *byte);
        Self(label)
    }

    /// Of a number, in its decimal digits.
    pub(crate) fn of_number(mut number: u64) -> Self {
        let mut label = [0; LABEL_BYTES];
        let digits = number.checked_ilog10().unwrap_or(0) as usize + 1;
        for place in label.iter_mut().take(digits).rev() {
            *place = b'0' + (number % 10) as u8;
            number /= 10;
        }
        Self(label)
    }

    pub(super) const fn bytes(&self) -> &[u8; LABEL_BYTES] {
        &self.0
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.split(|byte| *byte == 0).next().unwrap_or_default();
        if text.is_empty() { f.write_str("(unnamed)") } else { text.escape_ascii().fmt(f) }
    }
}

impl fmt::Debug for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// What an order is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Terms {
    pub(crate) symbol: Symbol,
    pub(crate) side: Side,
    /// 0 where nobody says.
    pub(crate) qty: u32,
    /// [`Px::NONE`] where nobody says, and of a market order.
    pub(crate) px: Px,
}

impl fmt::Display for Terms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = side_word(self.side);
        match self.qty {
            0 => write!(f, "{side} {}", self.symbol)?,
            qty => write!(f, "{side} {qty} {}", self.symbol)?,
        }
        if self.px.is_some() { write!(f, " at {}", self.px) } else { Ok(()) }
    }
}

pub(super) const fn side_word(side: Side) -> &'static str {
    match side {
        Side::Bid => "buy",
        Side::Ask => "sell",
    }
}

/// An order, as one side has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Order {
    /// What both sides call it: a number that follows from its name at the venue.
    pub(crate) name: u64,
    /// Its number at the gate; 0 from a copy.
    pub(crate) id: u64,
    /// None where only its name is known.
    pub(crate) terms: Option<Terms>,
    pub(crate) label: Label,
}

/// A trade of an order, or its taking back, as one side has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Execution {
    /// What both sides call it: a number that follows from the venue's.
    pub(crate) number: u64,
    /// Whose it is: from a copy the order's name, from the gate its number there.
    pub(crate) order: u64,
    /// None where nobody says.
    pub(crate) side: Option<Side>,
    pub(crate) qty: u32,
    /// [`Px::NONE`] where nobody says.
    pub(crate) px: Px,
    /// The trade was taken back.
    pub(crate) is_bust: bool,
    pub(crate) label: Label,
}

/// The number of the taking back of a trade: another than the trade's.
const BUST: u64 = 0xB057_ED7A_DE00_0001;

impl Execution {
    /// The taking back of this trade.
    pub(crate) const fn busted(self) -> Self {
        Self { number: self.number ^ BUST, is_bust: true, ..self }
    }

    pub(super) const fn what(&self) -> &'static str {
        if self.is_bust { "the taking back of trade" } else { "execution" }
    }
}

impl fmt::Display for Execution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.qty)?;
        if self.px.is_some() { write!(f, " at {}", self.px) } else { Ok(()) }
    }
}

/// What a copy says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Copied {
    /// The copies begin: of a stream that nothing was kept of, or of one that goes on.
    Begin {
        /// Nothing was kept of it.
        is_new: bool,
    },
    /// This was compared before the process began.
    Settled(u64),
    /// The venue has this order.
    Order(Order),
    /// It traded, or was taken back.
    Executed(Execution),
}

/// An execution that the gate remembers, and its taking back.
pub(crate) fn booked_as(number: u64, booked: Booked) -> impl Iterator<Item = Execution> {
    let Booked { px, order, qty, left } = booked;
    let trade = Execution { number, order, side: None, qty, px, is_bust: false, label: Label::default() };
    [Some(trade), (left < qty).then_some(trade.busted())].into_iter().flatten()
}
