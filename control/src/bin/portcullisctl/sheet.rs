//! Rows and columns, printed for people or for spreadsheets.

use comfy_table::presets::NOTHING;
use comfy_table::{Attribute, Cell, CellAlignment, ContentArrangement, Table};
use control::stamp::Stamp;
use std::io::IsTerminal;

/// What a cell holds decides how people see it; spreadsheets always get the bare text.
pub(crate) enum Field {
    /// Words.
    Text(String),
    /// A number: right-aligned, thousands separated.
    Number(String),
    /// Words that must not be missed.
    Alarm(String),
    /// A moment: milliseconds for people, everything for spreadsheets.
    Moment(Option<Stamp>),
}

impl Field {
    /// What a row that is text says.
    #[cfg(test)]
    pub(crate) fn words(&self) -> &str {
        match self {
            Self::Text(text) | Self::Alarm(text) => text,
            Self::Number(_) | Self::Moment(_) => panic!("a row is text"),
        }
    }

    pub(crate) fn text(value: impl ToString) -> Self {
        Self::Text(value.to_string())
    }

    pub(crate) fn number(value: impl ToString) -> Self {
        Self::Number(value.to_string())
    }

    /// Words that are an alarm when `loud`.
    pub(crate) fn alarm_if(loud: bool, value: impl ToString) -> Self {
        if loud { Self::Alarm(value.to_string()) } else { Self::text(value) }
    }

    /// A number below zero is no formula.
    fn for_spreadsheets(&self) -> String {
        match self {
            Self::Number(text) if text.parse::<i64>().is_ok() => text.clone(),
            Self::Number(_) | Self::Text(_) | Self::Alarm(_) | Self::Moment(_) => quoted(&self.bare()),
        }
    }

    fn bare(&self) -> String {
        match self {
            Self::Text(text) | Self::Number(text) | Self::Alarm(text) => text.clone(),
            Self::Moment(stamp) => stamp.map_or_else(String::new, |at| at.to_string()),
        }
    }
}

/// A table.
pub(crate) struct Sheet {
    headers: Vec<&'static str>,
    rows: Vec<Vec<Field>>,
}

impl Sheet {
    pub(crate) fn new(headers: &[&'static str]) -> Self {
        Self { headers: headers.to_vec(), rows: Vec::new() }
    }

    pub(crate) fn row(&mut self, fields: Vec<Field>) {
        assert_eq!(fields.len(), self.headers.len(), "a field for every column");
        self.rows.push(fields);
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Columns under upper-case headers, as wide as the terminal allows.
    pub(crate) fn for_people(&self) -> String {
        let mut table = Table::new();
        table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
        // A set NO_COLOR, whatever it holds, asks for none (no-color.org).
        if std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty()) || !std::io::stdout().is_terminal() {
            table.force_no_tty();
        }
        table.set_header(self.headers.iter().map(|h| h.to_uppercase().replace('_', " ")).collect::<Vec<_>>());
        for row in &self.rows {
            table.add_row(row.iter().map(cell).collect::<Vec<_>>());
        }
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        let mut text = table.trim_fmt();
        text.push('\n');
        text
    }

    /// RFC 4180, header first.
    pub(crate) fn for_spreadsheets(&self) -> String {
        let mut text = self.headers.join(",");
        text.push_str("\r\n");
        for row in &self.rows {
            text.push_str(&row.iter().map(Field::for_spreadsheets).collect::<Vec<_>>().join(","));
            text.push_str("\r\n");
        }
        text
    }
}

fn cell(field: &Field) -> Cell {
    match field {
        Field::Text(text) => Cell::new(text),
        Field::Number(text) => Cell::new(thousands(text)).set_alignment(CellAlignment::Right),
        Field::Moment(stamp) => Cell::new(stamp.map_or_else(String::new, |at| format!("{at:.3}"))),
        Field::Alarm(text) => Cell::new(text).add_attribute(Attribute::Bold).fg(comfy_table::Color::Red),
    }
}

fn quoted(text: &str) -> String {
    // A spreadsheet takes a leading =, +, - or @ for a formula; officers' reasons are free text.
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if formula { format!("'{text}") } else { text.to_owned() };
    if text.contains([',', '"', '\r', '\n']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

/// `1234567.50` as `1,234,567.50`; anything that is no plain decimal as it is.
pub(crate) fn thousands(text: &str) -> String {
    if let Some(below_zero) = text.strip_prefix('-') {
        return format!("-{}", thousands(below_zero));
    }
    let (whole, fraction) = text.split_once('.').map_or((text, None), |(w, f)| (w, Some(f)));
    if whole.is_empty() || !whole.bytes().all(|b| b.is_ascii_digit()) {
        return text.to_owned();
    }
    let mut out = String::new();
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    fraction.map_or(out.clone(), |fraction| format!("{out}.{fraction}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_for_people_only() {
        for (plain, grouped) in [
            ("0", "0"),
            ("999", "999"),
            ("1000", "1,000"),
            ("1234567.50", "1,234,567.50"),
            ("-1000", "-1,000"),
            ("n/a", "n/a"),
        ] {
            assert_eq!(thousands(plain), grouped);
        }
        let mut sheet = Sheet::new(&["limit_key", "value"]);
        sheet.row(vec![Field::text("max_notional"), Field::number("250000")]);
        assert_eq!(sheet.for_spreadsheets(), "limit_key,value\r\nmax_notional,250000\r\n");
        assert!(sheet.for_people().contains("250,000") && sheet.for_people().contains("LIMIT KEY"));
    }

    #[test]
    fn free_text_survives_spreadsheets_and_starts_no_formula() {
        assert_eq!(quoted("a, \"b\""), "\"a, \"\"b\"\"\"");
        assert_eq!(quoted("=HYPERLINK(1)"), "'=HYPERLINK(1)");
        assert_eq!(quoted("plain"), "plain");
        let mut sheet = Sheet::new(&["position", "reason"]);
        sheet.row(vec![Field::number(-300), Field::text("-1+1")]);
        assert_eq!(sheet.for_spreadsheets(), "position,reason\r\n-300,'-1+1\r\n");
    }
}
