//! What the orders that the adaptive gate alone stopped would have earned or lost: a table, the sums in words, and a file.

use crate::answers;
use crate::judged::Judged;
use crate::markout::{Gain, MARK_NAMES, MARKS, Mark, Markout};
use crate::svg;
use comfy_table::{CellAlignment, presets::UTF8_HORIZONTAL_ONLY};
use serde::Serialize;
use std::fmt::Write;
use types::Px;

/// How each is measured.
pub(crate) const MEASURED: &str = "Gains in currency, losses with a minus. Each order is measured alone on the book of its moment: one that crosses walks the levels down to \
its limit, one that rests is filled at its price when the quote crosses it within five seconds. The market does not answer it, so impact is the least it would have been.";

/// Headings of the columns that are numbers.
fn headings() -> [String; 4 + MARKS] {
    let net = MARK_NAMES.map(|name| format!("net {name}"));
    let [a, b, c, d] = net;
    let fixed = ["filled", "average", "spread", "walk"].map(str::to_owned);
    let [filled, average, spread, walk] = fixed;
    [filled, average, spread, walk, a, b, c, d]
}

/// The numbers of one order.
fn cells(order: &Judged) -> [String; 4 + MARKS] {
    let Some(found) = &order.markout else { return std::array::from_fn(|_| "-".to_owned()) };
    let net =
        |mark: &Option<Mark>| mark.as_ref().map_or_else(|| "-".to_owned(), |m| found.net(m).to_string());
    let [a, b, c, d] = found.marks.each_ref().map(net);
    let average = found.average().map_or_else(|| "-".to_owned(), |px| format!("{:.2}", px.to_f64()));
    let filled = format!("{} of {}", found.qty, order.qty);
    [filled, average, found.spread().to_string(), found.walk().to_string(), a, b, c, d]
}

fn stopped(judged: &[Judged]) -> impl Iterator<Item = &Judged> + Clone {
    judged.iter().filter(|order| order.is_stopped())
}

/// The table for a terminal.
pub(crate) fn text(judged: &[Judged]) -> String {
    let mut table = comfy_table::Table::new();
    let names = ["order", "side"].map(str::to_owned);
    table.load_style(UTF8_HORIZONTAL_ONLY).set_header(names.into_iter().chain(headings()));
    for order in stopped(judged) {
        let first = [order.cl_ord_id.clone(), format!("{} {}", order.side.as_order_str(), order.symbol)];
        table.add_row(first.into_iter().chain(cells(order)));
    }
    table.column_iter_mut().skip(2).for_each(|column| column.set_cell_alignment(CellAlignment::Right));
    table.to_string()
}

/// The table for a page; the planted order is marked.
pub(crate) fn html(judged: &[Judged], planted: Option<&str>) -> String {
    let mut page = String::from("<div class=\"wide\"><table><tr><th>order</th><th>side</th>");
    let number = |page: &mut String, tag: &str, text: &str| {
        let _ = write!(page, "<{tag} class=\"n\">{}</{tag}>", svg::escape(text));
    };
    headings().iter().for_each(|heading| number(&mut page, "th", heading));
    page.push_str("</tr>");
    for order in stopped(judged) {
        let class = if planted == Some(order.cl_ord_id.as_str()) { " class=\"planted\"" } else { "" };
        let (id, symbol) = (svg::escape(&order.cl_ord_id), svg::escape(&order.symbol));
        let _ = write!(page, "<tr{class}><td>{id}</td><td>{} {symbol}</td>", order.side.as_order_str());
        cells(order).iter().for_each(|cell| number(&mut page, "td", cell));
        page.push_str("</tr>");
    }
    page.push_str("</table></div>");
    page
}

/// A mark over several orders: the sum, and how many had it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Total {
    net: Gain,
    orders: usize,
}

/// The sums over the orders that would have traded.
struct Totals {
    orders: usize,
    lots: u64,
    spread: Gain,
    walk: Gain,
    marks: [Total; MARKS],
}

impl Totals {
    fn of<'a>(traded: impl Iterator<Item = &'a Markout> + Clone) -> Self {
        let mark = |at: usize| {
            let nets = traded.clone().filter_map(|found| Some(found.net(found.marks[at].as_ref()?)));
            Total { net: nets.clone().sum(), orders: nets.count() }
        };
        Self {
            orders: traded.clone().count(),
            lots: traded.clone().map(|found| u64::from(found.qty)).sum(),
            spread: traded.clone().map(Markout::spread).sum(),
            walk: traded.clone().map(Markout::walk).sum(),
            marks: std::array::from_fn(mark),
        }
    }

    fn impact(&self) -> Gain {
        Gain(self.spread.0 + self.walk.0)
    }

    /// How the orders stood at each mark.
    fn nets(&self) -> String {
        let all = self.marks.iter().zip(MARK_NAMES).filter(|(total, _)| total.orders > 0);
        let each = all.map(|(total, name)| match total.orders {
            orders if orders < self.orders => format!("{} at {name} ({orders} of them)", total.net),
            _ => format!("{} at {name}", total.net),
        });
        each.collect::<Vec<_>>().join(", ")
    }

    /// Names of the marks at which the sum has the sign of `sign`.
    fn when(&self, sign: i128) -> String {
        let all = self.marks.iter().zip(MARK_NAMES);
        let of_sign = all.filter(|(total, _)| total.orders > 0 && total.net.0.signum() == sign);
        of_sign.map(|(_, name)| name).collect::<Vec<_>>().join(", ")
    }
}

/// What it comes to, in sentences.
pub(crate) fn sentences(judged: &[Judged], planted: Option<&str>) -> Vec<String> {
    let all = stopped(judged).count();
    let traded = stopped(judged).filter_map(|order| order.markout.as_ref()).filter(|found| found.qty > 0);
    let totals = Totals::of(traded);
    if totals.orders == 0 {
        return vec![format!(
            "Of the {all} orders that the adaptive gate alone stopped, none would have traded."
        )];
    }
    let mut said = vec![format!(
        "Had they been sent, {} of the {all} stopped orders would have traded, {} lots, and their impact would have been {} (half the spread {}, \
         the walk through the book {}): known before an order leaves, and what a limit on its size bounds.",
        totals.orders,
        totals.lots,
        totals.impact(),
        totals.spread,
        totals.walk
    )];
    said.push(format!(
        "What the market did next is known afterwards alone: net of impact, {}.",
        totals.nets()
    ));
    said.push(match (totals.when(1).as_str(), totals.when(-1).as_str()) {
        (earned, "") => format!("By profit alone, stopping them was wrong at each of these moments ({earned}). No limit knows where a price goes."),
        ("", lost) => format!("By profit alone, stopping them was right at each of these moments ({lost}), which is luck: no limit knows where a price goes."),
        (earned, lost) => format!("By profit alone, stopping them was wrong at {earned} and right at {lost}: the sign is the market's. No limit knows where a price goes."),
    });
    let planted = planted.and_then(|id| stopped(judged).find(|order| order.cl_ord_id == id));
    said.extend(planted.and_then(|order| of_planted(order, order.markout.as_ref()?)));
    said
}

/// The planted order alone.
fn of_planted(order: &Judged, found: &Markout) -> Option<String> {
    let average = found.average()?;
    let value = found.mid.to_f64() * f64::from(found.qty) * Px::SCALE as f64;
    let bps = 1e4 * found.impact().0 as f64 / value;
    let totals = Totals::of(std::iter::once(found));
    Some(format!(
        "The planted order alone: {} {} of {} lots at {:.2} on average, the mid being {}; impact {} ({bps:.1} bps: half the spread {}, \
         the walk {}); net of it {}.",
        order.side.as_order_str(),
        found.qty,
        order.qty,
        average.to_f64(),
        found.mid,
        found.impact(),
        found.spread(),
        found.walk(),
        totals.nets()
    ))
}

/// One order in the file.
#[derive(Debug, Serialize)]
struct OrderSummary<'a> {
    cl_ord_id: &'a str,
    ts_ns: u64,
    strategy: &'a str,
    symbol: &'a str,
    side: &'static str,
    qty: u32,
    px: Option<String>,
    reason: &'a str,
    /// None where the instrument had no two sides to judge by.
    filled: Option<u32>,
    /// Price times quantity of what was filled.
    paid: Option<String>,
    /// Best price that it met.
    touch: Option<String>,
    mid: Option<String>,
    spread: Option<String>,
    walk: Option<String>,
    marks: Vec<MarkSummary>,
}

/// One mark in the file. Money in decimals of the currency.
#[derive(Debug, Serialize)]
struct MarkSummary {
    at: &'static str,
    mid: String,
    /// What the market did.
    moved: String,
    /// Net of impact.
    net: String,
    /// Closed out through the book; null where it does not hold so much.
    closed: Option<String>,
}

impl<'a> OrderSummary<'a> {
    fn of(order: &'a Judged) -> Self {
        let found = order.markout.as_ref();
        let traded = found.filter(|found| found.qty > 0);
        let mark = |(mark, at): (&Option<Mark>, &'static str)| {
            let (mark, found) = (mark.as_ref()?, traded?);
            Some(MarkSummary {
                at,
                mid: mark.mid.to_string(),
                moved: found.moved(mark).exact(),
                net: found.net(mark).exact(),
                closed: found.closed(mark).map(Gain::exact),
            })
        };
        Self {
            cl_ord_id: &order.cl_ord_id,
            ts_ns: order.ts.0,
            strategy: &order.strategy,
            symbol: &order.symbol,
            side: order.side.as_order_str(),
            qty: order.qty,
            px: order.px.is_some().then(|| order.px.to_string()),
            reason: &order.adaptive,
            filled: found.map(|found| found.qty),
            paid: traded.map(|found| Gain(found.paid).exact()),
            touch: traded.map(|found| found.touch.to_string()),
            mid: traded.map(|found| found.mid.to_string()),
            spread: traded.map(|found| found.spread().exact()),
            walk: traded.map(|found| found.walk().exact()),
            marks: found
                .iter()
                .flat_map(|found| found.marks.iter().zip(MARK_NAMES).filter_map(mark))
                .collect(),
        }
    }
}

/// The file: every stopped order, and what it comes to.
pub(crate) fn json(judged: &[Judged], planted: Option<&str>, seed: u64) -> serde_json::Value {
    let stopped: Vec<_> = stopped(judged).map(OrderSummary::of).collect();
    serde_json::json!({
        "seed": seed,
        "orders": judged.len(),
        "planted_order": planted,
        "stopped": stopped,
        "venue": answers::json(judged),
        "conclusion": sentences(judged, planted),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::{Side, UnixNanos};

    const POINT: i64 = Px::SCALE;

    /// Sold at 99 on average, the mid being 100, the touch 99.50; the mid is `mids` later, in points.
    fn sold(id: &str, qty: u32, mids: [Option<i64>; MARKS]) -> Judged {
        let mark = |mid: i64| Mark { mid: Px(mid * POINT), exit: None };
        let paid = i128::from(99 * POINT) * i128::from(qty);
        let marks = mids.map(|mid| mid.map(mark));
        let (touch, mid) = (Px(99 * POINT + POINT / 2), Px(100 * POINT));
        Judged {
            ts: UnixNanos(7),
            cl_ord_id: id.to_owned(),
            strategy: "momentum".to_owned(),
            symbol: "FUTX".to_owned(),
            side: Side::Ask,
            qty: 200,
            px: Px(90 * POINT),
            fixed: "accept".to_owned(),
            adaptive: "QTY_DYNAMIC".to_owned(),
            sentence: String::new(),
            markout: Some(Markout { side: Side::Ask, qty, paid, touch, mid, marks }),
            answers: Default::default(),
        }
    }

    #[test]
    fn impact_and_luck_are_told_apart_in_words() {
        let passed = Judged { adaptive: "accept".to_owned(), ..sold("3", 7, [None; MARKS]) };
        let all = [
            sold("1", 10, [Some(98), Some(97), Some(101), Some(104)]),
            sold("2", 10, [Some(98), Some(97), Some(101), None]),
            passed,
        ];
        let said = sentences(&all, Some("1")).join("\n");
        for part in [
            "2 of the 2 stopped orders would have traded, 20 lots, and their impact would have been -20.00 (half the spread -10.00, \
             the walk through the book -10.00)",
            "+20.00 at 1 s, +40.00 at 10 s, -40.00 at 60 s, -50.00 at 10 min after the low (1 of them)",
            "wrong at 1 s, 10 s and right at 60 s, 10 min after the low",
            "sell 10 of 200 lots at 99.00 on average, the mid being 100.00; impact -10.00 (-100.0 bps",
        ] {
            assert!(said.contains(part), "{part}\n{said}");
        }
        let lucky = sentences(&[sold("1", 10, [Some(90); MARKS])], None).join("\n");
        assert!(
            lucky.contains("was wrong at each of these moments") && !lucky.contains("planted"),
            "{lucky}"
        );
        let unfilled = Judged { markout: Some(Markout::unfilled(Side::Ask)), ..sold("4", 1, [None; MARKS]) };
        let none = sentences(&[unfilled], None).join("\n");
        assert!(
            none.contains("Of the 1 orders that the adaptive gate alone stopped, none would have traded"),
            "{none}"
        );
    }

    #[test]
    fn page_terminal_and_file_show_the_same_numbers() {
        let all = [sold("1", 10, [Some(98), None, Some(101), Some(104)])];
        for number in ["10 of 200", "99.00", "-5.00", "+10.00", "-20.00", "-50.00"] {
            assert!(text(&all).contains(number), "{number}\n{}", text(&all));
            assert!(html(&all, Some("1")).contains(&format!("<td class=\"n\">{number}</td>")), "{number}");
        }
        assert!(html(&all, Some("1")).contains("<tr class=\"planted\"><td>1</td>"));
        let file = json(&all, Some("1"), 3);
        let order = &file["stopped"][0];
        assert_eq!(
            (&order["filled"], &order["spread"], &order["walk"]),
            (&10.into(), &"-5.00".into(), &"-5.00".into())
        );
        let marks = order["marks"].as_array().unwrap();
        assert_eq!(marks.len(), 3, "{marks:?}");
        assert_eq!(
            (&marks[1]["at"], &marks[1]["moved"], &marks[1]["net"]),
            (&"60 s".into(), &"-10.00".into(), &"-20.00".into())
        );
        assert!(marks[0]["closed"].is_null());
    }
}
