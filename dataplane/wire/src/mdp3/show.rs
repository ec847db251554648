//! A message as text, after the layouts of its template: every field by name, one line.

use core::fmt;

use super::groups::Entries;
use super::packet::Message;
use super::schema::TEMPLATES;

impl Message<'_> {
    /// The template's name; `Unknown` for one that no schema up to 13 has.
    #[must_use]
    pub fn name(&self) -> &'static str {
        let known = TEMPLATES.iter().find(|template| template.id == self.template());
        known.map_or("Unknown", |template| template.name)
    }
}

/// `NAME field=value …`, each group as `name[field=value …; …]`, and `+N` for N bytes that no known field explains. A value that
/// stands for none is `-`.
impl fmt::Display for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = self.template();
        let Some(template) = TEMPLATES.iter().find(|template| template.id == id) else {
            return write!(f, "unknown template {id} +{}", self.block().len());
        };
        f.write_str(template.name)?;
        let style = Style { version: self.header().version.get(), unit: self.price_unit() };
        style.show(f, self.block(), template.block, " ")?;
        let mut groups = self.groups();
        for &(name, dimension, layout) in template.groups {
            // An older version ends before groups that a newer one appended.
            if groups.rest().is_empty() {
                break;
            }
            let Ok(mut entries) = groups.next_raw::<u8>(dimension) else { break };
            write!(f, " {name}[")?;
            show_entries(f, &style, &mut entries, layout)?;
            f.write_str("]")?;
        }
        show_unknown(f, groups.rest().len())
    }
}

fn show_entries(
    f: &mut fmt::Formatter<'_>,
    style: &Style,
    entries: &mut Entries<'_, u8>,
    layout: &str,
) -> fmt::Result {
    let mut between = "";
    while let Some(entry) = entries.next_bytes() {
        style.show(f, entry, layout, between)?;
        between = "; ";
    }
    Ok(())
}

fn show_unknown(f: &mut fmt::Formatter<'_>, bytes: usize) -> fmt::Result {
    if bytes == 0 { Ok(()) } else { write!(f, " +{bytes}") }
}

/// What printing a field depends on besides its bytes.
struct Style {
    version: u16,
    /// Units of 1e-9 in one unit of a price.
    unit: i64,
}

impl Style {
    /// The fields of one block, each behind a space but the first, which stands behind `before`.
    fn show(&self, f: &mut fmt::Formatter<'_>, block: &[u8], layout: &str, before: &str) -> fmt::Result {
        let (mut rest, mut before) = (block, before);
        for field in layout.split_ascii_whitespace() {
            if let Some(padding) = field.strip_prefix('-') {
                rest = rest.get(number(padding)..).unwrap_or_default();
                continue;
            }
            let (name, encoding) = field.split_once(':').unwrap_or((field, ""));
            let (encoding, since) = encoding.split_once('@').unwrap_or((encoding, "0"));
            let Some((bytes, after)) = rest.split_at_checked(size(encoding)) else { break };
            rest = after;
            if usize::from(self.version) < number(since) {
                continue;
            }
            write!(f, "{before}{name}=")?;
            self.show_value(f, encoding, bytes)?;
            before = " ";
        }
        show_unknown(f, rest.len())
    }

    fn show_value(&self, f: &mut fmt::Formatter<'_>, encoding: &str, bytes: &[u8]) -> fmt::Result {
        let raw = little_endian(bytes);
        match encoding {
            "u8" | "u16" | "u32" | "u64" if raw == ones(bytes.len()) => f.write_str("-"),
            "i8" | "i32" | "px" | "d4" if raw == ones(bytes.len()) >> 1 => f.write_str("-"),
            "date" if raw == ones(2) => f.write_str("-"),
            "u8" | "u16" | "u32" | "u64" | "date" => write!(f, "{raw}"),
            "i8" | "i16" | "i32" => write!(f, "{}", signed(raw, bytes.len())),
            "px" => show_decimal(f, raw.cast_signed(), self.unit),
            "d4" => show_decimal(f, signed(raw, 4), 100_000),
            "ns" => write!(f, "{}.{:09}", raw / 1_000_000_000, raw % 1_000_000_000),
            "c" => show_text(f, bytes),
            "ym" => show_maturity(f, bytes),
            bits if bits.starts_with('x') => write!(f, "0x{raw:0width$x}", width = bytes.len() * 2),
            _ => show_text(f, bytes),
        }
    }
}

/// Bytes of a field in this encoding.
fn size(encoding: &str) -> usize {
    match encoding {
        "u8" | "i8" | "c" => 1,
        "u16" | "i16" | "date" => 2,
        "u32" | "i32" | "d4" => 4,
        "ym" => 5,
        "u64" | "px" | "ns" => 8,
        text => number(text.get(1..).unwrap_or_default()),
    }
}

fn number(digits: &str) -> usize {
    digits.parse().unwrap_or(0)
}

/// The number in at most eight bytes.
fn little_endian(bytes: &[u8]) -> u64 {
    bytes.iter().take(8).rev().fold(0, |word, byte| word << 8 | u64::from(*byte))
}

/// The largest number of so many bytes.
fn ones(bytes: usize) -> u64 {
    u64::MAX.checked_shr(64_u32.saturating_sub(8 * u32::try_from(bytes).unwrap_or(8))).unwrap_or(0)
}

/// The same bits as a number with a sign.
fn signed(raw: u64, bytes: usize) -> i64 {
    let shift = 64_u32.saturating_sub(8 * u32::try_from(bytes).unwrap_or(8)) & 63;
    (raw << shift).cast_signed() >> shift
}

/// A mantissa of units of 1e-9, without zeros that say nothing.
fn show_decimal(f: &mut fmt::Formatter<'_>, mantissa: i64, unit: i64) -> fmt::Result {
    let nanos = i128::from(mantissa) * i128::from(unit);
    let (sign, size) = (if nanos < 0 { "-" } else { "" }, nanos.unsigned_abs());
    let (mut fraction, mut digits) = (size % 1_000_000_000, 9_usize);
    while digits > 0 && fraction.is_multiple_of(10) {
        fraction /= 10;
        digits -= 1;
    }
    write!(f, "{sign}{}", size / 1_000_000_000)?;
    if digits > 0 { write!(f, ".{fraction:0digits$}") } else { Ok(()) }
}

/// Text without its padding, which is of zeros, quoted where it has spaces; anything unprintable escaped.
fn show_text(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    let end = bytes.iter().rposition(|byte| !matches!(byte, 0 | b' ')).map_or(0, |last| last + 1);
    let text = bytes.get(..end).unwrap_or_default();
    match text {
        [] => f.write_str("-"),
        _ if text.contains(&b' ') => write!(f, "\"{}\"", text.escape_ascii()),
        _ => write!(f, "{}", text.escape_ascii()),
    }
}

/// Year and month, and the day and the week where they are said.
fn show_maturity(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    let [low, high, month, day, week] = *bytes else { return Ok(()) };
    match u16::from_le_bytes([low, high]) {
        u16::MAX => f.write_str("-")?,
        year => write!(f, "{year:04}")?,
    }
    for (before, part) in [("", month), ("d", day), ("w", week)] {
        if part != u8::MAX {
            write!(f, "{before}{part:02}")?;
        }
    }
    Ok(())
}
