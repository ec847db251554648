//! Midnight in New York: ITCH counts its nanoseconds from there, without a date.
//!
//! Rules: daylight saving from the second Sunday of March, 2:00, to the first Sunday of November, 2:00 (Energy Policy Act
//! of 2005, section 110, in force since 2007). Midnight never falls into a change, so a date decides.

use types::UnixNanos;

const DAY_S: u64 = 86_400;
const NS: u64 = 1_000_000_000;

/// A day of the civil calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date {
    /// Year.
    pub year: u32,
    /// Month, 1 to 12.
    pub month: u32,
    /// Day of the month, 1 to 31.
    pub day: u32,
}

impl Date {
    /// The date written `YYYY-MM-DD`, if it is one from 1970 on.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, '-').map(|part| part.parse::<u32>().ok());
        let date = Self { year: parts.next()??, month: parts.next()??, day: parts.next()?? };
        let valid = (1970..=9999).contains(&date.year) && Self::from_days(date.days()) == date;
        valid.then_some(date)
    }

    /// Days since 1970-01-01 (after Howard Hinnant's `days_from_civil`).
    fn days(self) -> u64 {
        let year = u64::from(self.year) - u64::from(self.month <= 2);
        let month = u64::from(self.month);
        let shifted = if month > 2 { month - 3 } else { month + 9 };
        let day_of_year = (153 * shifted + 2) / 5 + u64::from(self.day) - 1;
        let (era, year_of_era) = (year / 400, year % 400);
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        (era * 146_097 + day_of_era).saturating_sub(719_468)
    }

    /// The inverse (after `civil_from_days`).
    fn from_days(days: u64) -> Self {
        let z = days + 719_468;
        let (era, day_of_era) = (z / 146_097, z % 146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted = (5 * day_of_year + 2) / 153;
        let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
        let year = year_of_era + era * 400 + u64::from(month <= 2);
        let day = day_of_year - (153 * shifted + 2) / 5 + 1;
        let small = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
        Self { year: small(year), month: small(month), day: small(day) }
    }

    /// When the day begins in New York.
    #[must_use]
    pub fn eastern_midnight(self) -> UnixNanos {
        let offset_s = if self.begins_in_daylight_time() { 4 * 3_600 } else { 5 * 3_600 };
        UnixNanos((self.days() * DAY_S + offset_s) * NS)
    }

    /// At midnight of a changing day the old time still holds.
    fn begins_in_daylight_time(self) -> bool {
        let spring = nth_sunday(self.year, 3, 2);
        let autumn = nth_sunday(self.year, 11, 1);
        self > spring && self <= autumn
    }
}

fn nth_sunday(year: u32, month: u32, n: u32) -> Date {
    let first = Date { year, month, day: 1 };
    // 1970-01-01 was a Thursday: day 3 was a Sunday.
    let weekday = (first.days() + 4) % 7;
    let to_sunday = u32::try_from((7 - weekday) % 7).unwrap_or(0);
    Date { day: 1 + to_sunday + 7 * (n - 1), ..first }
}

/// The last midnight in New York at or before `ts`.
#[must_use]
pub fn eastern_midnight_before(ts: UnixNanos) -> UnixNanos {
    let utc_day = ts.0 / NS / DAY_S;
    let today = Date::from_days(utc_day).eastern_midnight();
    if today <= ts || utc_day == 0 { today.min(ts) } else { Date::from_days(utc_day - 1).eastern_midnight() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Second column: `date -d 'TZ="America/New_York" DATE 00:00' +%s`.
    #[test]
    fn midnights_agree_with_the_zone_database() {
        for (date, secs) in [
            ("2012-06-21", 1_340_251_200),
            ("2019-12-30", 1_577_682_000),
            ("2023-10-02", 1_696_219_200),
            ("2024-03-10", 1_710_046_800),
            ("2024-03-11", 1_710_129_600),
            ("2024-11-03", 1_730_606_400),
            ("2024-11-04", 1_730_696_400),
            ("2026-03-08", 1_772_946_000),
            ("2026-11-01", 1_793_505_600),
            ("2026-11-02", 1_793_595_600),
        ] {
            assert_eq!(Date::parse(date).unwrap().eastern_midnight(), UnixNanos(secs * NS), "{date}");
        }
    }

    #[test]
    fn a_moment_finds_its_day() {
        let midnight = 1_577_682_000 * NS;
        for (moment, wanted) in
            [(midnight, midnight), (midnight + 1, midnight), (midnight - 1, midnight - DAY_S * NS)]
        {
            assert_eq!(eastern_midnight_before(UnixNanos(moment)), UnixNanos(wanted));
        }
        // 19:30 in New York is already tomorrow in UTC.
        assert_eq!(eastern_midnight_before(UnixNanos(midnight + 70_200 * NS)), UnixNanos(midnight));
        assert_eq!(eastern_midnight_before(UnixNanos(5)), UnixNanos(5));
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for bad in
            ["", "2024", "2024-02-30", "2023-02-29", "2024-13-01", "2024-00-10", "1969-12-31", "2024-01-01x"]
        {
            assert_eq!(Date::parse(bad), None, "{bad:?}");
        }
        assert!(Date::parse("2024-02-29").is_some());
    }
}
