//! Moments as people and files write them: UTC, RFC 3339, nanoseconds.

use gate::TradeDate;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;
use std::str::FromStr;
use types::UnixNanos;

/// Seconds of a day.
const DAY_S: i64 = 86_400;

/// A moment, printed as `2026-11-21T14:30:22.123456789Z`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stamp(pub UnixNanos);

impl Stamp {
    /// Whole microseconds from this moment to a later one, rounded up: nothing is said to have been faster than it was.
    #[must_use]
    pub const fn micros_until(self, later: Self) -> u64 {
        later.0.since(self.0).0.div_ceil(1_000)
    }
}

impl fmt::Display for Stamp {
    /// Nanoseconds always shown, so that columns align and nothing is rounded; a precision (`{:.0}`) shows fewer digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0.0;
        let seconds = i64::try_from(nanos / 1_000_000_000).unwrap_or(i64::MAX);
        let at = jiff::Timestamp::from_second(seconds)
            .unwrap_or(jiff::Timestamp::MAX)
            .to_zoned(jiff::tz::TimeZone::UTC);
        let (date, time) = (at.date(), at.time());
        write!(f, "{date}T{:02}:{:02}:{:02}", time.hour(), time.minute(), time.second())?;
        let fraction = format!("{:09}", nanos % 1_000_000_000);
        let digits = f.precision().unwrap_or(9).min(9);
        if digits > 0 { write!(f, ".{}Z", &fraction[..digits]) } else { f.write_str("Z") }
    }
}

/// A date as people write it.
#[must_use]
pub fn date_text(date: TradeDate) -> String {
    let at = jiff::Timestamp::from_second(i64::from(date.0) * DAY_S).unwrap_or(jiff::Timestamp::MAX);
    at.to_zoned(jiff::tz::TimeZone::UTC).date().to_string()
}

/// The date of a text such as `2026-11-27`, after the first of January 1970; none of any other.
#[must_use]
pub fn parse_date(text: &str) -> Option<TradeDate> {
    let date: jiff::civil::Date = text.parse().ok().filter(|_| text.len() == "2026-11-27".len())?;
    let at = date.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_second();
    u32::try_from(at / DAY_S).ok().filter(|days| *days > 0 && at > 0).map(TradeDate)
}

/// A text that is no moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a moment such as 2026-11-21T14:30:22.123456789Z, from 1970 on")]
pub struct ParseStampError;

impl FromStr for Stamp {
    type Err = ParseStampError;

    fn from_str(s: &str) -> Result<Self, ParseStampError> {
        let at: jiff::Timestamp = s.parse().map_err(|_| ParseStampError)?;
        u64::try_from(at.as_nanosecond()).map(|n| Self(UnixNanos(n))).map_err(|_| ParseStampError)
    }
}

impl Serialize for Stamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Stamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_survive_their_text() {
        for (text, days) in [("1970-01-02", 1), ("2026-11-27", 20_784), ("2099-12-31", 47_481)] {
            assert_eq!(parse_date(text), Some(TradeDate(days)), "{text}");
            assert_eq!(date_text(TradeDate(days)), text);
        }
        for text in [
            "",
            "1970-01-01",
            "1969-12-31",
            "2026-02-29",
            "20261127",
            "2026-11-27T00:00",
            "2026-W48-5",
            "27.11.2026",
        ] {
            assert_eq!(parse_date(text), None, "{text}");
        }
        assert_eq!(date_text(TradeDate(u32::MAX)), "9999-12-30", "the last one that can be told");
    }

    #[test]
    fn moments_survive_their_text_to_the_nanosecond() {
        for (nanos, text) in [
            (0, "1970-01-01T00:00:00.000000000Z"),
            (1_700_000_000_000_000_001, "2023-11-14T22:13:20.000000001Z"),
            (1_795_271_422_123_456_789, "2026-11-21T14:30:22.123456789Z"),
        ] {
            let stamp = Stamp(UnixNanos(nanos));
            assert_eq!(stamp.to_string(), text);
            assert_eq!(text.parse(), Ok(stamp));
        }
        assert_eq!(format!("{:.3}", Stamp(UnixNanos(1_999_999_999))), "1970-01-01T00:00:01.999Z");
        assert_eq!(format!("{:.0}", Stamp(UnixNanos(1_999_999_999))), "1970-01-01T00:00:01Z");
        assert!("1969-12-31T23:59:59Z".parse::<Stamp>().is_err());
        assert!(Stamp(UnixNanos(u64::MAX)).to_string().starts_with("2554-07-21T"));
    }
}
