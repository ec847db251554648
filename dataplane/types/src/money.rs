//! Prices, quantities and values. Integers throughout: a price compared or accumulated as a float is a wrong price.

use core::fmt;

/// A price in units of 1e-9 of the currency (the fixed scale of databento's DBN), so that every venue's price is exact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Px(pub i64);

/// Why a text is not a price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParsePxError;

impl fmt::Display for ParsePxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a decimal price with at most nine decimals that fits 64 bits")
    }
}

impl core::error::Error for ParsePxError {}

impl Px {
    /// Units in one unit of currency.
    pub const SCALE: i64 = 1_000_000_000;
    /// No price: a market order, an empty side, a message that has none. Compares above every real price and is
    /// never one; whoever reads a price checks [`Px::is_some`] first.
    pub const NONE: Self = Self(i64::MAX);

    /// Whether this is a price at all.
    #[inline]
    #[must_use]
    pub const fn is_some(self) -> bool {
        self.0 != i64::MAX
    }

    /// From a wire price with four implied decimals (ITCH 5.0 section 1.2 "Price (4)", IEX DEEP "Price").
    #[inline]
    #[must_use]
    pub const fn from_1e4(raw: i64) -> Self {
        Self(raw.saturating_mul(100_000))
    }

    /// The price in units of currency, for statistics and screens only.
    #[inline]
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "statistics; exact values stay integers")]
    pub fn to_f64(self) -> f64 {
        self.0 as f64 / Self::SCALE as f64
    }
}

impl fmt::Display for Px {
    /// Exact decimal, no trailing zeros beyond what the value needs, at least two decimals; `-` when there is none.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.is_some() {
            return f.write_str("-");
        }
        let magnitude = self.0.unsigned_abs();
        let scale = Self::SCALE.unsigned_abs();
        let mut frac = magnitude % scale;
        let mut digits = 9_usize;
        while digits > 2 && frac.is_multiple_of(10) {
            frac /= 10;
            digits -= 1;
        }
        let sign = if self.0 < 0 { "-" } else { "" };
        write!(f, "{sign}{}.{frac:0digits$}", magnitude / scale)
    }
}

impl core::str::FromStr for Px {
    type Err = ParsePxError;

    fn from_str(s: &str) -> Result<Self, ParsePxError> {
        let (negative, body) = s.strip_prefix('-').map_or((false, s), |rest| (true, rest));
        let (whole, frac) = body.split_once('.').unwrap_or((body, ""));
        if whole.is_empty() || frac.len() > 9 || (body.contains('.') && frac.is_empty()) {
            return Err(ParsePxError);
        }
        if !whole.bytes().chain(frac.bytes()).all(|b| b.is_ascii_digit()) {
            return Err(ParsePxError);
        }
        let mut value: i64 = 0;
        for digit in whole.bytes().chain(frac.bytes()).chain(core::iter::repeat_n(b'0', 9 - frac.len())) {
            value = value
                .checked_mul(10)
                .and_then(|v| v.checked_add(i64::from(digit - b'0')))
                .ok_or(ParsePxError)?;
        }
        let px = Self(if negative { -value } else { value });
        if px.is_some() { Ok(px) } else { Err(ParsePxError) }
    }
}

/// A quantity in shares, lots or contracts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Qty(pub u32);

impl fmt::Display for Qty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Price times quantity, exact, in units of 1e-9 of the currency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Notional(pub i128);

impl Notional {
    /// `|px| × qty`; cannot overflow 128 bits.
    #[inline]
    #[must_use]
    pub const fn of(px: Px, qty: Qty) -> Self {
        Self(px.0.unsigned_abs() as i128 * qty.0 as i128)
    }
}

/// Which side of the book; for an order, what it wants to do (`Bid` buys).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Side {
    /// Buyers.
    Bid = 0,
    /// Sellers.
    Ask = 1,
}

impl Side {
    /// The other side.
    #[inline]
    #[must_use]
    pub const fn opposite(self) -> Self {
        match self {
            Self::Bid => Self::Ask,
            Self::Ask => Self::Bid,
        }
    }

    /// 0 for bid, 1 for ask.
    #[inline]
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// `buy` or `sell`, as order files and reports write it.
    #[must_use]
    pub const fn as_order_str(self) -> &'static str {
        match self {
            Self::Bid => "buy",
            Self::Ask => "sell",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    extern crate std;
    use std::string::ToString;

    #[test]
    fn prices_print_exactly_and_parse_back() {
        for (raw, text) in [
            (392_110_000_000, "392.11"),
            (-500_000_000, "-0.50"),
            (1, "0.000000001"),
            (100_000_000_000, "100.00"),
            (12_345_600_000, "12.3456"),
        ] {
            assert_eq!(Px(raw).to_string(), text);
            assert_eq!(text.parse::<Px>(), Ok(Px(raw)));
        }
        assert_eq!(Px::NONE.to_string(), "-");
        assert_eq!("7".parse::<Px>(), Ok(Px(7 * Px::SCALE)));
    }

    #[test]
    fn texts_that_are_no_prices_are_refused() {
        for bad in [
            "",
            "-",
            "1.",
            ".5",
            "1e3",
            "1.0000000001",
            "99999999999",
            "abc",
            "1.2.3",
            "9223372036.854775807",
        ] {
            assert_eq!(bad.parse::<Px>(), Err(ParsePxError), "{bad:?}");
        }
    }

    #[test]
    fn wire_prices_with_four_decimals_scale_exactly() {
        assert_eq!(Px::from_1e4(3_921_100), Px(392_110_000_000));
    }

    #[test]
    fn the_largest_notional_fits() {
        assert_eq!(Notional::of(Px(i64::MIN), Qty(u32::MAX)).0, (1_i128 << 63) * i128::from(u32::MAX));
    }
}
