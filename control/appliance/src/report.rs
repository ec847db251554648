//! The HTML report of a run that put the same orders through two gates: what the market did, what the model said, what
//! each gate decided, and what that was worth.

use crate::hop_row::{HopRow, footnotes, percentile};
use crate::svg::{self, Chart, Mark, Series};
use std::fmt::Write;
use types::{Px, Side, Tier, UnixNanos};

/// What was seen at one grid point of the instrument in focus.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    pub(crate) ts: UnixNanos,
    pub(crate) mid: Px,
    pub(crate) spread_bps: Option<f64>,
    pub(crate) top_depth: Option<f64>,
    pub(crate) score: Option<f64>,
    pub(crate) tier: Tier,
    pub(crate) adaptive_max_qty: u32,
    pub(crate) static_max_qty: u32,
}

/// One order and what both gates said.
#[derive(Clone, Debug)]
pub(crate) struct Judged {
    pub(crate) ts: UnixNanos,
    pub(crate) cl_ord_id: String,
    pub(crate) strategy: String,
    pub(crate) symbol: String,
    pub(crate) side: Side,
    pub(crate) qty: u32,
    pub(crate) px: Px,
    /// `accept`, or the slug of the reason.
    pub(crate) fixed: String,
    pub(crate) adaptive: String,
    pub(crate) sentence: String,
}

/// Everything the report shows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Report {
    pub(crate) title: String,
    pub(crate) symbol: String,
    pub(crate) model: String,
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) samples: Vec<Sample>,
    pub(crate) judged: Vec<Judged>,
    pub(crate) marks: Vec<(UnixNanos, String)>,
    pub(crate) hops: Vec<HopRow>,
    /// Hours from UTC of the market's civil time, for the axis.
    pub(crate) utc_offset_s: i64,
}

/// Time of day in the market's zone, `HH:MM:SS`.
pub(crate) fn clock(ts: UnixNanos, utc_offset_s: i64) -> String {
    let seconds = (ts.0 / 1_000_000_000).cast_signed() + utc_offset_s;
    let day = seconds.rem_euclid(86_400);
    format!("{:02}:{:02}:{:02}", day / 3600, day / 60 % 60, day % 60)
}

impl Report {
    /// The page, complete in itself: no script, no outside resource.
    pub(crate) fn html(&self) -> String {
        let mut page = format!(
            "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{0}</title><style>\
             body{{font:15px/1.5 sans-serif;max-width:1000px;margin:2em auto;padding:0 1em;color:#111}}\
             table{{border-collapse:collapse;width:100%;font-size:13px}}td,th{{padding:4px 8px;border-bottom:1px solid #ddd;text-align:left}}\
             td.n,th.n{{text-align:right;font-variant-numeric:tabular-nums}}.no{{color:#b91c1c}}.yes{{color:#166534}}</style></head><body>\
             <h1>{0}</h1>",
            svg::escape(&self.title)
        );
        self.write_outcome(&mut page);
        for chart in self.charts() {
            page.push_str(&svg::render(&chart));
        }
        self.write_orders(&mut page);
        self.write_hops(&mut page);
        self.write_environment(&mut page);
        page.push_str("</body></html>\n");
        page
    }

    fn write_outcome(&self, page: &mut String) {
        let stopped: Vec<_> =
            self.judged.iter().filter(|j| j.fixed == "accept" && j.adaptive != "accept").collect();
        let quantity: u64 = stopped.iter().map(|j| u64::from(j.qty)).sum();
        let both = self.judged.iter().filter(|j| j.fixed == "accept" && j.adaptive == "accept").count();
        let _ = write!(
            page,
            "<p>{} orders went through both gates. Both accepted {both}; the adaptive gate alone stopped <b>{}</b>, {quantity} lots in all. \
             Model: {}.</p>",
            self.judged.len(),
            stopped.len(),
            svg::escape(&self.model)
        );
    }

    fn charts(&self) -> Vec<Chart> {
        let x = |s: &Sample| s.ts.0 as f64 / 1e9;
        let line = |name: &str, colour, steps, value: &dyn Fn(&Sample) -> Option<f64>| Series {
            name: name.to_owned(),
            colour,
            steps,
            points: self.samples.iter().filter_map(|s| Some((x(s), value(s)?))).collect(),
        };
        let mid = line("mid", "#1d4ed8", false, &|s| s.mid.is_some().then(|| s.mid.to_f64()));
        let spread = line("spread", "#9333ea", true, &|s| s.spread_bps);
        let depth = line("depth at touch", "#0f766e", true, &|s| s.top_depth.map(f64::exp));
        let score = line("score", "#b45309", true, &|s| s.score);
        let adaptive = line("adaptive", "#b91c1c", true, &|s| Some(f64::from(s.adaptive_max_qty)));
        let fixed = line("static", "#6b7280", true, &|s| Some(f64::from(s.static_max_qty)));
        vec![
            self.chart(&format!("{} mid price", self.symbol), "price", vec![mid]),
            self.chart("Spread", "bps", vec![spread]),
            self.chart("Quantity at the touch", "lots", vec![depth]),
            self.chart("Calibrated anomaly score", "score", vec![score]),
            self.chart("Live maximum order", "lots", vec![adaptive, fixed]),
        ]
    }

    fn chart(&self, title: &str, y_label: &str, series: Vec<Series>) -> Chart {
        let first = self.samples.first().map_or(0, |s| s.ts.0 / 1_000_000_000);
        let last = self.samples.last().map_or(0, |s| s.ts.0 / 1_000_000_000);
        let step = ((last.saturating_sub(first)) / 8).max(1);
        let offset = self.utc_offset_s;
        let marks = self.marks.iter().map(|(ts, label)| Mark { x: ts.0 as f64 / 1e9, label: label.clone() });
        Chart {
            title: title.to_owned(),
            y_label: y_label.to_owned(),
            series,
            marks: marks.collect(),
            x_tick: Box::new(move |s| clock(UnixNanos((s * 1e9) as u64), offset)),
            x_ticks: (first..=last).step_by(step as usize).map(|s| s as f64).collect(),
            log_y: false,
        }
    }

    fn write_orders(&self, page: &mut String) {
        page.push_str(
            "<h2>Orders on which the gates differ</h2><table><tr><th>time</th><th>order</th><th>strategy</th><th>side</th>\
             <th class=\"n\">lots</th><th class=\"n\">price</th><th>static</th><th>adaptive</th><th>why</th></tr>",
        );
        for j in self.judged.iter().filter(|j| j.fixed != j.adaptive) {
            let _ = write!(
                page,
                "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td>{}{}<td>{}</td></tr>",
                clock(j.ts, self.utc_offset_s),
                svg::escape(&j.cl_ord_id),
                svg::escape(&j.strategy),
                j.side.as_order_str(),
                j.qty,
                if j.px.is_some() { j.px.to_string() } else { "market".to_owned() },
                decision_cell(&j.fixed),
                decision_cell(&j.adaptive),
                svg::escape(&j.sentence)
            );
        }
        page.push_str("</table>");
    }

    fn write_hops(&self, page: &mut String) {
        page.push_str(
            "<h2>Latency per hop</h2><table><tr><th>hop</th><th class=\"n\">count</th><th class=\"n\">p50 ns</th>\
             <th class=\"n\">p99 ns</th><th class=\"n\">p99.9 ns</th><th class=\"n\">max ns</th></tr>",
        );
        for h in &self.hops {
            let _ = write!(
                page,
                "<tr><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
                svg::escape(&h.hop),
                h.count,
                h.p50_ns,
                percentile(h.p99_ns, h.count, 100),
                percentile(h.p999_ns, h.count, 1_000),
                h.max_ns
            );
        }
        page.push_str("</table>");
        for note in footnotes(&self.hops) {
            let _ = write!(page, "<p>{note}</p>");
        }
    }

    fn write_environment(&self, page: &mut String) {
        page.push_str("<h2>Made by</h2><table>");
        for (key, value) in &self.environment {
            let _ = write!(page, "<tr><th>{}</th><td>{}</td></tr>", svg::escape(key), svg::escape(value));
        }
        page.push_str("</table>");
    }
}

fn decision_cell(decision: &str) -> String {
    let class = if decision == "accept" { "yes" } else { "no" };
    format!("<td class=\"{class}\">{}</td>", svg::escape(decision))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_is_the_markets() {
        // 2026-01-05 19:30:28 UTC is 14:30:28 in New York.
        assert_eq!(clock(UnixNanos(1_767_641_428_000_000_000), -5 * 3600), "14:30:28");
    }

    #[test]
    fn only_orders_that_divide_the_gates_are_listed() {
        let order = |id: &str, adaptive: &str| Judged {
            ts: UnixNanos(0),
            cl_ord_id: id.into(),
            strategy: "mom".into(),
            symbol: "X".into(),
            side: Side::Ask,
            qty: 200,
            px: Px::NONE,
            fixed: "accept".into(),
            adaptive: adaptive.into(),
            sentence: String::new(),
        };
        let report = Report {
            judged: vec![order("same", "accept"), order("stopped", "qty-dynamic")],
            ..Report::default()
        };
        let html = report.html();
        assert!(html.contains("stopped") && !html.contains("<td>same</td>"));
        assert!(html.contains("alone stopped <b>1</b>, 200 lots"));
    }
}
