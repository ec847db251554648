//! UTCTimestamp: `YYYYMMDD-HH:MM:SS`, with a fraction of up to nine places.

use types::UnixNanos;

const DAY_NS: u64 = 86_400_000_000_000;

/// `YYYYMMDD-HH:MM:SS.sss`.
pub(crate) fn text(at: UnixNanos) -> [u8; 21] {
    let (year, month, day) = civil(at.0 / DAY_NS);
    let ms = at.0 % DAY_NS / 1_000_000;
    let mut text = *b"00000000-00:00:00.000";
    let parts = [
        (0, 4, year),
        (4, 2, month),
        (6, 2, day),
        (9, 2, ms / 3_600_000),
        (12, 2, ms / 60_000 % 60),
        (15, 2, ms / 1_000 % 60),
        (18, 3, ms % 1_000),
    ];
    for (start, width, mut value) in parts {
        for at in (start..start + width).rev() {
            text[at] = b'0' + (value % 10) as u8;
            value /= 10;
        }
    }
    text
}

/// The time that `text` says; none when it is no UTCTimestamp. A leap second counts as the one after it.
pub(crate) fn parse(text: &[u8]) -> Option<UnixNanos> {
    let part = |start: usize, width: usize| {
        text.get(start..start + width)?
            .iter()
            .try_fold(0, |sum: u64, byte| byte.is_ascii_digit().then(|| sum * 10 + u64::from(byte - b'0')))
    };
    let marked = text.get(8) == Some(&b'-') && text.get(11) == Some(&b':') && text.get(14) == Some(&b':');
    let (year, month, day) = (part(0, 4)?, part(4, 2)?, part(6, 2)?);
    let (hour, minute, second) = (part(9, 2)?, part(12, 2)?, part(15, 2)?);
    let fraction = match text.get(17..)? {
        [] => 0,
        [b'.', digits @ ..] if (1..=9).contains(&digits.len()) => {
            part(18, digits.len())? * 10_u64.pow(9 - u32::try_from(digits.len()).ok()?)
        }
        _ => return None,
    };
    if !marked || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let days = days_of(year, month, day)?;
    Some(UnixNanos(days * DAY_NS + (hour * 3_600 + minute * 60 + second) * 1_000_000_000 + fraction))
}

/// Year, month and day of a day since 1970-01-01 (H. Hinnant, "chrono-compatible low-level date algorithms", civil_from_days).
const fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = era * 400 + year_of_era + (month <= 2) as u64;
    (year, month, day)
}

/// Days since 1970-01-01; none for a date there is not, or one before 1970 or after 2500.
fn days_of(year: u64, month: u64, day: u64) -> Option<u64> {
    if !(1970..=2500).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let year = year - u64::from(month <= 2);
    let shifted_month = if month > 2 { month - 3 } else { month + 9 };
    let of_year = (153 * shifted_month + 2) / 5 + day - 1;
    let (era, of_cycle) = (year / 400, year % 400);
    let of_era = of_cycle * 365 + of_cycle / 4 - of_cycle / 100 + of_year;
    let days = era * 146_097 + of_era - 719_468;
    (civil(days).2 == day).then_some(days)
}
