//! `orders.csv`: the firm's orders that a replay puts through the gate.

use anyhow::{Context, Result, bail, ensure};
use std::path::Path;
use types::{Px, Qty, Side, UnixNanos};

/// One order as the file gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OrderRow {
    pub(crate) ts: UnixNanos,
    pub(crate) cl_ord_id: String,
    pub(crate) account: String,
    pub(crate) strategy: String,
    pub(crate) symbol: String,
    pub(crate) side: Side,
    pub(crate) qty: Qty,
    /// [`Px::NONE`] for a market order.
    pub(crate) px: Px,
    /// Immediate-or-cancel: never rests.
    pub(crate) ioc: bool,
}

const COLUMNS: [&str; 10] =
    ["ts_ns", "cl_ord_id", "account", "strategy", "symbol", "side", "qty", "px", "type", "tif"];

/// Reads the whole file. Times must not decrease, since the gate sees orders in their order.
///
/// # Errors
/// Names the file, the line, what was found and what was wanted.
pub(crate) fn read(path: &Path) -> Result<Vec<OrderRow>> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read orders {}", path.display()))?;
    let mut reader = csv::Reader::from_reader(bytes.as_slice());
    let mut lines = Lines { bytes: &bytes, at: 0, line: 1 };
    let header = reader.headers().with_context(|| format!("{}: no header", path.display()))?;
    ensure!(
        header.iter().eq(COLUMNS),
        "{}: line 1: found columns `{}`, wanted `{}`",
        path.display(),
        header.iter().collect::<Vec<_>>().join(","),
        COLUMNS.join(",")
    );
    let mut rows: Vec<OrderRow> = Vec::new();
    for record in reader.records() {
        let place = match &record {
            Ok(record) => record.position(),
            Err(error) => error.position(),
        };
        let line = place.map_or(0, |place| lines.number_of(place.byte()));
        let row = record
            .map_err(anyhow::Error::from)
            .and_then(|r| parse(&r))
            .with_context(|| format!("{}: line {line}", path.display()))?;
        if let Some(last) = rows.last().filter(|last| row.ts < last.ts) {
            bail!("{}: line {line}: ts_ns {} is before the row above ({})", path.display(), row.ts, last.ts);
        }
        rows.push(row);
    }
    Ok(rows)
}

/// Numbers the lines of a file as an editor does.
struct Lines<'a> {
    bytes: &'a [u8],
    /// How far lines have been counted, and the number of the line there.
    at: usize,
    line: usize,
}

impl Lines<'_> {
    /// The line on which the record stands that was read from byte `start` on. Records come in their order.
    fn number_of(&mut self, start: u64) -> usize {
        let start = usize::try_from(start).unwrap_or(usize::MAX).clamp(self.at, self.bytes.len());
        // The reader skips blank lines before a record without saying so.
        let blank = self.bytes[start..].iter().take_while(|byte| matches!(byte, b'\n' | b'\r')).count();
        let passed = &self.bytes[self.at..start + blank];
        self.line += passed.iter().filter(|byte| **byte == b'\n').count();
        self.at = start + blank;
        self.line
    }
}

fn parse(record: &csv::StringRecord) -> Result<OrderRow> {
    let field = |i: usize| record.get(i).unwrap_or_default();
    let wanted = |i: usize, what: &str| format!("{} `{}`: wanted {what}", COLUMNS[i], field(i));
    let side = match field(5) {
        "buy" => Side::Bid,
        "sell" => Side::Ask,
        _ => bail!("{}", wanted(5, "buy or sell")),
    };
    let px = match (field(8), field(7)) {
        ("market", "") => Px::NONE,
        ("market", _) => bail!("{}", wanted(7, "nothing, since the type is market")),
        ("limit", text) => text.parse().with_context(|| wanted(7, "a decimal price"))?,
        _ => bail!("{}", wanted(8, "limit or market")),
    };
    let ioc = match field(9) {
        "ioc" => true,
        "day" | "gtc" => false,
        _ => bail!("{}", wanted(9, "day, ioc or gtc")),
    };
    Ok(OrderRow {
        ts: UnixNanos(field(0).parse().with_context(|| wanted(0, "nanoseconds since 1970"))?),
        cl_ord_id: field(1).to_owned(),
        account: field(2).to_owned(),
        strategy: field(3).to_owned(),
        symbol: field(4).to_owned(),
        side,
        qty: Qty(field(6).parse().with_context(|| wanted(6, "a whole number"))?),
        px,
        ioc: ioc || !px.is_some(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    const HEADER: &str = "ts_ns,cl_ord_id,account,strategy,symbol,side,qty,px,type,tif\n";

    fn read_text(text: &str) -> Result<Vec<OrderRow>> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        read(file.path())
    }

    #[test]
    fn a_limit_and_a_market_order_are_read_exactly() {
        let rows = read_text(&format!(
            "{HEADER}5,a1,ACC,mm,FUTX,buy,10,5000.25,limit,day\n6,a2,ACC,mom,FUTX,sell,200,,market,ioc\n"
        ));
        let rows = rows.unwrap();
        assert_eq!(rows[0].px, Px(5_000_250_000_000));
        assert!(!rows[0].ioc);
        assert_eq!(
            (rows[1].side, rows[1].qty, rows[1].px, rows[1].ioc),
            (Side::Ask, Qty(200), Px::NONE, true)
        );
    }

    #[test]
    fn each_bad_field_is_named_with_its_line() {
        for (row, part) in [
            ("x,a,b,c,S,buy,1,1.0,limit,day", "line 2: ts_ns `x`"),
            ("1,a,b,c,S,up,1,1.0,limit,day", "side `up`: wanted buy or sell"),
            ("1,a,b,c,S,buy,-1,1.0,limit,day", "qty `-1`"),
            ("1,a,b,c,S,buy,1,1e3,limit,day", "px `1e3`"),
            ("1,a,b,c,S,buy,1,,limit,day", "px ``"),
            ("1,a,b,c,S,buy,1,1.0,stop,day", "type `stop`"),
            ("1,a,b,c,S,buy,1,1.0,limit,fok", "tif `fok`"),
            ("1,a,b", "line 2"),
        ] {
            let error = format!("{:#}", read_text(&format!("{HEADER}{row}\n")).unwrap_err());
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn a_line_is_counted_as_an_editor_counts_it() {
        let good = "1,\"a\nb\",b,c,S,buy,1,1.0,limit,day";
        let text = format!("{HEADER}\n\n{good}\n\n1,a,b,c,S,up,1,1.0,limit,day\n");
        let error = format!("{:#}", read_text(&text).unwrap_err());
        assert!(error.contains("line 7: side `up`"), "{error}");
    }

    #[test]
    fn time_must_not_run_backwards() {
        let row = "a,b,c,S,buy,1,1.0,limit,day";
        let error = read_text(&format!("{HEADER}5,{row}\n4,{row}\n")).unwrap_err().to_string();
        assert!(error.contains("line 3: ts_ns 4 is before the row above (5)"), "{error}");
    }
}
