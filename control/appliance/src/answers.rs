//! What the venue answered to each of the demo's gateways, in sentences and for a file.

use crate::judged::{ADAPTIVE, Judged, STATIC};
use crate::order_path::Answer;
use serde::Serialize;
use types::Px;

/// What one gateway's orders came to at the venue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
struct Totals {
    /// Orders that the gate let out.
    sent: usize,
    /// Of them, rejected by the venue.
    rejected: usize,
    /// Orders that traded, in part or whole.
    traded: usize,
    /// Lots of them that traded.
    lots: u64,
    /// Lots that were taken back: what an immediate order could not trade, and what had rested for long enough.
    cancelled_lots: u64,
}

impl Totals {
    fn of(judged: &[Judged], gateway: usize) -> Self {
        let sent = || judged.iter().filter(move |order| order.outcome(gateway) == "accept");
        let answers = || sent().map(move |order| order.answers[gateway]);
        Self {
            sent: sent().count(),
            rejected: answers().filter(|answer| answer.rejected.is_some()).count(),
            traded: answers().filter(|answer| answer.filled > 0).count(),
            lots: answers().map(|answer| u64::from(answer.filled)).sum(),
            cancelled_lots: answers().map(|answer| u64::from(answer.cancelled)).sum(),
        }
    }

    fn sentence(&self, name: &str) -> String {
        let Self { sent, rejected, traded, lots, cancelled_lots } = self;
        format!(
            "The {name} gateway sent {sent} orders to the venue, which rejected {rejected}; {traded} traded {lots} lots, and {cancelled_lots} \
             lots were taken back."
        )
    }
}

/// The average price of what traded.
fn average(answer: &Answer) -> Option<f64> {
    (answer.filled > 0).then(|| answer.paid as f64 / f64::from(answer.filled) / Px::SCALE as f64)
}

/// What one order that was sent came to.
fn came_to(answer: &Answer, qty: u32) -> String {
    let filled = average(answer).map(|px| format!("filled {} of {qty} at {px:.2} on average", answer.filled));
    let parts = [
        answer.rejected.map(|reason| format!("rejected it (reason 0x{reason:04x})")),
        filled,
        (answer.cancelled > 0).then(|| format!("took {} back", answer.cancelled)),
    ];
    let said: Vec<String> = parts.into_iter().flatten().collect();
    match (said.as_slice(), answer.is_accepted) {
        ([], true) => "took it".to_owned(),
        ([], false) => "said nothing of it".to_owned(),
        (said, _) => said.join(" and "),
    }
}

/// What it comes to, gateway by gateway, and what became of the planted order where it was sent.
pub(crate) fn sentences(judged: &[Judged], planted: Option<&str>) -> Vec<String> {
    let mut said = vec![
        Totals::of(judged, STATIC).sentence("static"),
        Totals::of(judged, ADAPTIVE).sentence("adaptive"),
    ];
    let planted = judged.iter().find(|order| Some(order.cl_ord_id.as_str()) == planted);
    if let Some(order) = planted.filter(|order| order.is_stopped()) {
        let came_to = came_to(&order.answers[STATIC], order.qty);
        said.push(format!(
            "Of the planted order, which the static gateway sent, the venue, which has the ten best levels of a book, {came_to}."
        ));
    }
    said
}

/// One order in the file.
#[derive(Serialize)]
struct AnswerSummary<'a> {
    cl_ord_id: &'a str,
    gateway: &'static str,
    filled: u32,
    average: Option<String>,
    cancelled: u32,
    /// Reason of OUCH 5.0 (appendix C).
    rejected: Option<u16>,
}

/// The part of the file: totals, and each order that was sent.
pub(crate) fn json(judged: &[Judged]) -> serde_json::Value {
    let of = |gateway: usize, name: &'static str| {
        let sent = judged.iter().filter(move |order| order.outcome(gateway) == "accept");
        sent.map(move |order| {
            let answer = &order.answers[gateway];
            AnswerSummary {
                cl_ord_id: &order.cl_ord_id,
                gateway: name,
                filled: answer.filled,
                average: average(answer).map(|px| format!("{px:.4}")),
                cancelled: answer.cancelled,
                rejected: answer.rejected,
            }
        })
    };
    let orders: Vec<_> = of(STATIC, "static").chain(of(ADAPTIVE, "adaptive")).collect();
    serde_json::json!({
        "static": Totals::of(judged, STATIC),
        "adaptive": Totals::of(judged, ADAPTIVE),
        "orders": orders,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::{Side, UnixNanos};

    fn order(id: &str, adaptive: &str, answers: [Answer; 2]) -> Judged {
        Judged {
            ts: UnixNanos(1),
            cl_ord_id: id.to_owned(),
            strategy: "momentum".to_owned(),
            symbol: "FUTX".to_owned(),
            side: Side::Ask,
            qty: 200,
            px: Px(90 * Px::SCALE),
            fixed: "accept".to_owned(),
            adaptive: adaptive.to_owned(),
            sentence: String::new(),
            markout: None,
            answers,
        }
    }

    #[test]
    fn what_the_venue_answered_is_told_gateway_by_gateway() {
        let scale = i128::from(Px::SCALE);
        let filled = |qty: u32| Answer {
            is_accepted: true,
            filled: qty,
            paid: 95 * scale * i128::from(qty),
            cancelled: 200 - qty,
            ..Answer::default()
        };
        let rejected = Answer { rejected: Some(15), ..Answer::default() };
        // A reject of the gate's own is none of the venue's.
        let by_gate = Answer { rejected: Some(0x31), ..Answer::default() };
        let all = [
            order("1", "accept", [filled(200), filled(200)]),
            order("2", "QTY_DYNAMIC", [filled(163), by_gate]),
            order("3", "accept", [rejected, rejected]),
        ];
        assert_eq!(
            sentences(&all, Some("2")),
            [
                "The static gateway sent 3 orders to the venue, which rejected 1; 2 traded 363 lots, and 37 lots were taken back.",
                "The adaptive gateway sent 2 orders to the venue, which rejected 1; 1 traded 200 lots, and 0 lots were taken back.",
                "Of the planted order, which the static gateway sent, the venue, which has the ten best levels of a book, filled 163 of 200 at 95.00 on average and took 37 back.",
            ]
        );
        assert_eq!(sentences(&all, Some("1")).len(), 2, "both gateways sent it");
        let file = json(&all);
        assert_eq!((&file["static"]["lots"], &file["adaptive"]["sent"]), (&363.into(), &2.into()));
        assert_eq!(file["orders"].as_array().unwrap().len(), 5);
        assert_eq!(file["orders"][1]["average"], "95.0000");
        assert_eq!(came_to(&rejected, 200), "rejected it (reason 0x000f)");
        assert_eq!(came_to(&Answer::default(), 200), "said nothing of it");
        assert_eq!(came_to(&Answer { is_accepted: true, ..Answer::default() }, 200), "took it");
    }
}
