//! Exact decimal amounts, as limits are written by people: whole counts and money in one type.

use serde::de::{self, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// A non-negative decimal in units of 1e-9 (the scale of [`types::Px`] and [`types::Notional`]), so that 500 shares,
/// 20 bps and 250,000.50 dollars compare and print exactly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount(i128);

/// Why a text is not an amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a number from 0 to {} with at most nine decimals", Amount::MAX)]
pub struct ParseAmountError;

impl Amount {
    /// Units in one.
    pub const SCALE: i128 = 1_000_000_000;
    /// The largest amount: 10^18 - 1 whole units. Its raw value fits 128 bits with room to multiply by 10^9 again.
    pub const MAX: Self = Self((1_000_000_000_000_000_000 - 1) * Self::SCALE);

    /// The amount of `n` whole units; saturates at [`Amount::MAX`].
    #[must_use]
    pub const fn whole(n: u64) -> Self {
        let raw = n as i128 * Self::SCALE;
        if raw > Self::MAX.0 { Self::MAX } else { Self(raw) }
    }

    /// The amount of `raw` units of 1e-9, `None` when negative or beyond [`Amount::MAX`].
    #[must_use]
    pub const fn from_raw(raw: i128) -> Option<Self> {
        if raw < 0 || raw > Self::MAX.0 { None } else { Some(Self(raw)) }
    }

    /// Units of 1e-9.
    #[must_use]
    pub const fn raw(self) -> i128 {
        self.0
    }

    /// The whole number this is, `None` when it has a fraction.
    #[must_use]
    pub const fn to_whole(self) -> Option<u64> {
        if self.0 % Self::SCALE == 0 { Some((self.0 / Self::SCALE) as u64) } else { None }
    }
}

impl fmt::Display for Amount {
    /// Exact; a whole amount has no point, any other at least two decimals.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut frac = self.0 % Self::SCALE;
        let whole = self.0 / Self::SCALE;
        if frac == 0 {
            return f.pad(&whole.to_string());
        }
        let mut digits = 9_usize;
        while digits > 2 && frac % 10 == 0 {
            frac /= 10;
            digits -= 1;
        }
        f.pad(&format!("{whole}.{frac:0digits$}"))
    }
}

impl FromStr for Amount {
    type Err = ParseAmountError;

    fn from_str(s: &str) -> Result<Self, ParseAmountError> {
        let (whole, frac) = s.split_once('.').unwrap_or((s, ""));
        let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        let dangling = s.contains('.') && frac.is_empty();
        if whole.is_empty()
            || whole.len() > 18
            || frac.len() > 9
            || dangling
            || !digits(whole)
            || !digits(frac)
        {
            return Err(ParseAmountError);
        }
        let whole: i128 = whole.parse().map_err(|_| ParseAmountError)?;
        let frac: i128 = format!("{frac:0<9}").parse().map_err(|_| ParseAmountError)?;
        Ok(Self(whole * Self::SCALE + frac))
    }
}

impl Serialize for Amount {
    /// A JSON integer where every reader holds it exactly (below 2^53), else a decimal string.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.to_whole() {
            Some(n) if n < 1 << 53 => serializer.serialize_u64(n),
            _ => serializer.collect_str(self),
        }
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AmountVisitor;
        impl Visitor<'_> for AmountVisitor {
            type Value = Amount;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(
                    f,
                    "{ParseAmountError}, written as a whole number or as a string such as \"250000.50\""
                )
            }

            fn visit_u64<E: de::Error>(self, n: u64) -> Result<Amount, E> {
                let raw = i128::from(n) * Amount::SCALE;
                Amount::from_raw(raw).ok_or_else(|| E::invalid_value(Unexpected::Unsigned(n), &self))
            }

            fn visit_i64<E: de::Error>(self, n: i64) -> Result<Amount, E> {
                let raw = i128::from(n) * Amount::SCALE;
                Amount::from_raw(raw).ok_or_else(|| E::invalid_value(Unexpected::Signed(n), &self))
            }

            fn visit_str<E: de::Error>(self, s: &str) -> Result<Amount, E> {
                s.parse().map_err(|ParseAmountError| E::invalid_value(Unexpected::Str(s), &self))
            }
        }
        deserializer.deserialize_any(AmountVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn amounts_print_as_people_write_them() {
        for (text, raw) in [
            ("0", 0),
            ("500", 500_000_000_000),
            ("250000.50", 250_000_500_000_000),
            ("0.000000001", 1),
            ("999999999999999999", Amount::MAX.raw()),
        ] {
            assert_eq!(text.parse(), Ok(Amount(raw)), "{text}");
            assert_eq!(Amount(raw).to_string(), text);
        }
        assert_eq!("7.5".parse::<Amount>().unwrap().to_string(), "7.50");
    }

    #[test]
    fn texts_that_are_no_amounts_are_refused() {
        for bad in
            ["", "-1", "+1", "1.", ".5", "1e3", "1,000", "1.0000000001", "1000000000000000000", "٣", " 1"]
        {
            assert_eq!(bad.parse::<Amount>(), Err(ParseAmountError), "{bad:?}");
        }
    }

    #[test]
    fn json_keeps_what_a_double_would_lose() {
        let json = |text: &str| serde_json::to_string(&text.parse::<Amount>().unwrap()).unwrap();
        assert_eq!(json("500"), "500");
        assert_eq!(json("9007199254740993"), "\"9007199254740993\"");
        assert_eq!(json("0.1"), "\"0.10\"");
        assert!(serde_json::from_str::<Amount>("-5").is_err());
        assert!(serde_json::from_str::<Amount>("0.5").is_err(), "a JSON float is not exact");
    }

    proptest! {
        #[test]
        fn every_amount_survives_text_and_json(raw in 0..=Amount::MAX.raw()) {
            let amount = Amount(raw);
            prop_assert_eq!(amount.to_string().parse::<Amount>(), Ok(amount));
            let json = serde_json::to_string(&amount).unwrap();
            prop_assert_eq!(serde_json::from_str::<Amount>(&json).unwrap(), amount);
        }
    }
}
