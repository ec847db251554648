//! A row of a table as text, put together in one buffer that the next row uses again.

use types::{BookLevel, Px};

/// The text of one row. Numbers are written digit by digit, without `core::fmt`, since a row of depth.csv has forty of them.
#[derive(Debug, Default)]
pub(crate) struct Row(Vec<u8>);

impl Row {
    /// Begins the next row.
    pub(crate) fn begin(&mut self) {
        self.0.clear();
    }

    /// What was written since.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.0.extend_from_slice(text.as_bytes());
    }

    pub(crate) fn number(&mut self, number: u64) {
        self.text(itoa::Buffer::new().format(number));
    }

    /// A level as two fields, each behind a comma; an empty one as empty fields.
    pub(crate) fn level(&mut self, level: BookLevel) {
        if level.px.is_some() {
            self.text(",");
            self.px(level.px);
            self.text(",");
            self.number(level.qty);
        } else {
            self.text(",,");
        }
    }

    /// A price as [`Px`] shows it: exact, with two decimals at least and no zero behind the others. It must be one.
    fn px(&mut self, px: Px) {
        const CENT: u64 = Px::SCALE.unsigned_abs() / 100;
        if px.0 < 0 {
            self.text("-");
        }
        let magnitude = px.0.unsigned_abs();
        self.number(magnitude / Px::SCALE.unsigned_abs());
        let cents = magnitude / CENT % 100;
        self.text(".");
        self.digits::<2>(cents);
        let rest = magnitude % CENT;
        if rest != 0 {
            self.digits::<7>(rest);
            let zeros = self.0.iter().rev().take_while(|&&digit| digit == b'0').count();
            self.0.truncate(self.0.len() - zeros);
        }
    }

    /// The last `N` digits of a number, zeros included.
    fn digits<const N: usize>(&mut self, mut number: u64) {
        let mut digits = [b'0'; N];
        for digit in digits.iter_mut().rev() {
            *digit += (number % 10) as u8;
            number /= 10;
        }
        self.0.extend_from_slice(&digits);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(px: i64, qty: u64) -> String {
        let mut row = Row::default();
        row.text("of the row before");
        row.begin();
        row.level(BookLevel { px: Px(px), qty, order_count: 1 });
        String::from_utf8(row.as_bytes().to_vec()).unwrap()
    }

    #[test]
    fn a_level_is_written_as_its_price_shows_itself() {
        let scale = Px::SCALE;
        let mut prices = vec![0, 1, -1, 10, scale, -scale, scale - 1, i64::MAX - 1, i64::MIN, i64::MIN + 1];
        for power in 0..10 {
            let unit = 10_i64.pow(power);
            prices.extend([
                unit,
                -unit,
                7 * unit,
                392_110_000_000 + unit,
                101 * unit - 1,
                123_456_789 * unit / 1_000,
            ]);
        }
        let mut state = 1_u64;
        for _ in 0..20_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            prices.push(state.cast_signed() >> (state % 60));
        }
        for px in prices.into_iter().filter(|&px| Px(px).is_some()) {
            let qty = px.unsigned_abs();
            assert_eq!(level(px, qty), format!(",{},{qty}", Px(px)));
        }
        assert_eq!(level(Px::NONE.0, 5), ",,");
    }
}
