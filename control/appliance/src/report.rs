//! The HTML report of a run that put the same orders through two gates: what the market did, what the model said, what
//! each gate decided, and what that was worth.

use crate::answers;
use crate::hop_row::{HopRow, footnotes, percentile};
use crate::judged::Judged;
use crate::stopped;
use crate::svg::{self, Chart, Mark, Series};
use std::fmt::Write;
use std::path::Path;
use types::{Px, Tier, UnixNanos};

/// What was seen at one grid point of the instrument in focus.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    pub(crate) ts: UnixNanos,
    pub(crate) mid: Px,
    pub(crate) spread_ticks: Option<f64>,
    pub(crate) top_depth: Option<f64>,
    pub(crate) score: Option<f64>,
    pub(crate) tier: Tier,
    pub(crate) adaptive_max_qty: u32,
    pub(crate) static_max_qty: u32,
}

/// What the scenario planted; everything else comes out of the run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Planted {
    /// When the seller's instructions begin.
    pub(crate) seller: Option<UnixNanos>,
    /// The order, by its id.
    pub(crate) order: Option<(UnixNanos, String)>,
    /// When the mid was lowest after the seller's begin: nothing that was planted, but what came of it.
    pub(crate) low: Option<UnixNanos>,
}

impl Planted {
    /// What `truth.csv` says of it.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(crate) fn read(truth: &Path) -> Result<Self, csv::Error> {
        let mut found = Self::default();
        for row in csv::Reader::from_path(truth)?.records() {
            let row = row?;
            let Some(ts) = row.get(0).and_then(|ts| ts.parse().ok()).map(UnixNanos) else { continue };
            match (row.get(2), row.get(3)) {
                (Some("planted_seller_start"), _) => found.seller = Some(ts),
                (Some("planted_order"), Some(id)) => found.order = Some((ts, id.to_owned())),
                (Some("crash_low"), _) => found.low = Some(ts),
                _ => {}
            }
        }
        Ok(found)
    }
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
    /// The last moment of the detailed charts: the firm's orders are over.
    pub(crate) story_end: UnixNanos,
    pub(crate) planted: Planted,
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
            "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><title>{0}</title><style>\
             body{{font:15px/1.5 sans-serif;max-width:1000px;margin:2em auto;padding:0 1em;color:#111}}\
             svg{{width:100%;min-width:640px;height:auto;display:block}}.wide{{overflow-x:auto}}h1{{font-size:1.4em}}.planted td{{background:#fef3c7}}\
             table{{border-collapse:collapse;width:100%;font-size:13px}}td,th{{padding:4px 8px;border-bottom:1px solid #ddd;text-align:left}}\
             td.n,th.n{{text-align:right;font-variant-numeric:tabular-nums}}.no{{color:#b91c1c}}.yes{{color:#166534}}</style></head><body>\
             <h1>{0}</h1>",
            svg::escape(&self.title)
        );
        self.write_conclusion(&mut page);
        self.write_planted(&mut page);
        let _ = write!(page, "<p>Times are the market's, {}.</p>", self.zone());
        for chart in self.charts() {
            let _ = write!(page, "<div class=\"wide\">{}</div>", svg::render(&chart));
        }
        page.push_str(TIERS);
        self.write_orders(&mut page);
        self.write_answers(&mut page);
        self.write_stopped(&mut page);
        self.write_hops(&mut page);
        self.write_environment(&mut page);
        page.push_str("</body></html>\n");
        page
    }

    /// The zone of the times, as `UTC-4`.
    fn zone(&self) -> String {
        format!("UTC{:+}", self.utc_offset_s / 3_600)
    }

    fn write_planted(&self, page: &mut String) {
        let at = |ts: &UnixNanos| clock(*ts, self.utc_offset_s);
        let mut what: Vec<String> = Vec::new();
        what.extend(self.planted.seller.iter().map(|ts| format!("from {} a seller's instructions", at(ts))));
        what.extend(
            self.planted.order.iter().map(|(ts, id)| format!("at {} the order {}", at(ts), svg::escape(id))),
        );
        if !what.is_empty() {
            let _ = write!(
                page,
                "<p>Planted: {}. Every price, score, tier and verdict comes out of the run.</p>",
                what.join(", ")
            );
        }
    }

    fn write_conclusion(&self, page: &mut String) {
        let stopped: Vec<_> = self.judged.iter().filter(|j| j.is_stopped()).collect();
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
        let planted =
            self.planted.order.as_ref().and_then(|(_, id)| self.judged.iter().find(|j| j.cl_ord_id == *id));
        if let Some(order) = planted {
            let said = |word: &str| {
                if word == "accept" { "let it through".to_owned() } else { format!("refused it ({word})") }
            };
            let _ = write!(
                page,
                "<p><b>Of the planted order, {} {} {}: the static gate {}, the adaptive gate {}.</b></p>",
                order.side.as_order_str(),
                order.qty,
                svg::escape(&order.symbol),
                said(&order.fixed),
                said(&order.adaptive)
            );
        }
    }

    fn charts(&self) -> Vec<Chart> {
        let x = |s: &Sample| s.ts.0 as f64 / 1e9;
        let line = |name: &str, colour, steps, value: &dyn Fn(&Sample) -> Option<f64>| Series {
            name: name.to_owned(),
            colour,
            steps,
            points: self.story().iter().filter_map(|s| Some((x(s), value(s)?))).collect(),
        };
        let mid = line("mid", "#1d4ed8", false, &|s| s.mid.is_some().then(|| s.mid.to_f64()));
        let spread = line("spread", "#9333ea", true, &|s| s.spread_ticks);
        let depth = line("depth at touch", "#0f766e", true, &|s| s.top_depth.map(f64::exp));
        let score = line("score", "#b45309", true, &|s| s.score);
        let adaptive = line("adaptive", "#b91c1c", true, &|s| Some(f64::from(s.adaptive_max_qty)));
        let fixed = line("static", "#6b7280", true, &|s| Some(f64::from(s.static_max_qty)));
        let whole = Series {
            points: self.samples.iter().filter(|s| s.mid.is_some()).map(|s| (x(s), s.mid.to_f64())).collect(),
            ..mid.clone()
        };
        let after = self.samples.len() > self.story().len();
        let mut charts = vec![
            self.chart(&format!("{} mid price", self.symbol), "price", vec![mid]),
            self.chart("Spread", "ticks", vec![spread]),
            self.chart("Quantity at the touch", "lots", vec![depth]),
            self.chart("Calibrated anomaly score", "score", vec![score]),
            self.chart("Live maximum order", "lots", vec![adaptive, fixed]),
        ];
        if after {
            let title = format!("{} mid price, to ten minutes after the low", self.symbol);
            charts.push(self.chart_of(&self.samples, &title, "price", vec![whole]));
        }
        charts
    }

    /// The samples of the time in which the firm traded.
    fn story(&self) -> &[Sample] {
        let count = self.samples.partition_point(|s| s.ts <= self.story_end);
        self.samples.get(..count).filter(|story| !story.is_empty()).unwrap_or(&self.samples)
    }

    fn chart(&self, title: &str, y_label: &str, series: Vec<Series>) -> Chart {
        self.chart_of(self.story(), title, y_label, series)
    }

    fn chart_of(&self, samples: &[Sample], title: &str, y_label: &str, series: Vec<Series>) -> Chart {
        let first = samples.first().map_or(0, |s| s.ts.0 / 1_000_000_000);
        let last = samples.last().map_or(0, |s| s.ts.0 / 1_000_000_000);
        let step = round_step(last.saturating_sub(first));
        let offset = self.utc_offset_s;
        let planted = [
            self.planted.seller.map(|ts| (ts, "seller (planted)".to_owned())),
            self.planted.order.as_ref().map(|(ts, _)| (*ts, "order (planted)".to_owned())),
        ];
        let all = self.marks.iter().cloned().chain(planted.into_iter().flatten());
        let marks = all.map(|(ts, label)| Mark { x: ts.0 as f64 / 1e9, label });
        Chart {
            title: title.to_owned(),
            y_label: y_label.to_owned(),
            series,
            marks: marks.collect(),
            x_tick: Box::new(move |s| clock(UnixNanos((s * 1e9) as u64), offset)),
            x_ticks: (first.next_multiple_of(step)..=last).step_by(step as usize).map(|s| s as f64).collect(),
            log_y: false,
        }
    }

    fn write_orders(&self, page: &mut String) {
        page.push_str(
            "<h2>Orders on which the gates differ</h2><div class=\"wide\"><table><tr><th>time</th><th>order</th><th>strategy</th><th>side</th>\
             <th class=\"n\">lots</th><th class=\"n\">price</th><th>static</th><th>adaptive</th><th>why</th></tr>",
        );
        let is_planted = |id: &str| self.planted.order.as_ref().is_some_and(|(_, planted)| planted == id);
        for j in self.judged.iter().filter(|j| j.fixed != j.adaptive) {
            let _ = write!(
                page,
                "<tr{}><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td>{}{}<td>{}</td></tr>",
                if is_planted(&j.cl_ord_id) { " class=\"planted\"" } else { "" },
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
        page.push_str("</table></div>");
    }

    fn write_answers(&self, page: &mut String) {
        if self.judged.is_empty() {
            return;
        }
        let planted = self.planted.order.as_ref().map(|(_, id)| id.as_str());
        page.push_str("<h2>What the venue answered</h2>");
        for sentence in answers::sentences(&self.judged, planted) {
            let _ = write!(page, "<p>{}</p>", svg::escape(&sentence));
        }
    }

    fn write_stopped(&self, page: &mut String) {
        if !self.judged.iter().any(Judged::is_stopped) {
            return;
        }
        let planted = self.planted.order.as_ref().map(|(_, id)| id.as_str());
        page.push_str("<h2>What the stopped orders would have earned or lost</h2>");
        for sentence in stopped::sentences(&self.judged, planted) {
            let _ = write!(page, "<p>{}</p>", svg::escape(&sentence));
        }
        page.push_str(&stopped::html(&self.judged, planted));
        let _ = write!(page, "<p>{}</p>", stopped::MEASURED);
    }

    fn write_hops(&self, page: &mut String) {
        page.push_str(
            "<h2>Latency per hop</h2><div class=\"wide\"><table><tr><th>hop</th><th class=\"n\">count</th><th class=\"n\">p50 ns</th>\
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
        page.push_str("</table></div>");
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

/// What each tier means, beside the charts that name them.
const TIERS: &str = "<h2>Tiers</h2><ul><li>normal: the officer's base holds.</li>\
     <li>elevated: the model saw something unusual in two of three scores; the largest order is halved.</li>\
     <li>high: one score far from calm; every limit is tightened.</li>\
     <li>critical: the instrument's breaker trips, and every order in it is refused until a person resets it.</li></ul>";

/// Seconds between ticks of a time axis, so that at most nine fit and each falls on a round moment.
fn round_step(span_s: u64) -> u64 {
    const ROUND: [u64; 11] = [1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600];
    ROUND.into_iter().find(|step| span_s / step <= 8).unwrap_or_else(|| (span_s / 8).next_multiple_of(600))
}

fn decision_cell(decision: &str) -> String {
    let class = if decision == "accept" { "yes" } else { "no" };
    format!("<td class=\"{class}\">{}</td>", svg::escape(decision))
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::Side;

    /// An order for 200 that the static gate let through.
    fn judged(id: &str, adaptive: &str) -> Judged {
        Judged {
            ts: UnixNanos(3_000_000_000),
            cl_ord_id: id.into(),
            strategy: "mom".into(),
            symbol: "X".into(),
            side: Side::Ask,
            qty: 200,
            px: Px::NONE,
            fixed: "accept".into(),
            adaptive: adaptive.into(),
            sentence: String::new(),
            markout: None,
            answers: Default::default(),
        }
    }

    #[test]
    fn the_clock_is_the_markets() {
        // 2026-01-05 19:30:28 UTC is 14:30:28 in New York.
        assert_eq!(clock(UnixNanos(1_767_641_428_000_000_000), -5 * 3600), "14:30:28");
    }

    #[test]
    fn only_orders_that_divide_the_gates_are_listed() {
        let report = Report {
            judged: vec![judged("same", "accept"), judged("stopped", "qty-dynamic")],
            ..Report::default()
        };
        let html = report.html();
        assert!(html.contains("stopped") && !html.contains("<td>same</td>"));
        assert!(html.contains("alone stopped <b>1</b>, 200 lots"));
    }

    #[test]
    fn ticks_of_a_time_axis_are_round() {
        let steps = [0, 8, 9, 20, 120, 149, 240, 3_600, 10_000].map(round_step);
        assert_eq!(steps, [1, 1, 2, 5, 15, 20, 30, 600, 1_800]);
    }

    #[test]
    fn what_was_planted_is_said_marked_and_judged() {
        let dir = tempfile::tempdir().unwrap();
        let truth = dir.path().join("truth.csv");
        let rows = "ts_ns,symbol,event,value\n1000000000,X,mid,5\n2000000000,X,planted_seller_start,\n3000000000,X,planted_order,77\n4000000000,X,crash_low,4.5\n";
        std::fs::write(&truth, rows).unwrap();
        let planted = Planted::read(&truth).unwrap();
        assert_eq!(planted.seller, Some(UnixNanos(2_000_000_000)));
        assert_eq!(planted.order, Some((UnixNanos(3_000_000_000), "77".to_owned())));
        assert_eq!(planted.low, Some(UnixNanos(4_000_000_000)));
        let sample = |second: u64| Sample {
            ts: UnixNanos(second * 1_000_000_000),
            mid: Px(second as i64 * 1_000_000_000),
            spread_ticks: Some(2.0),
            top_depth: None,
            score: None,
            tier: Tier::Normal,
            adaptive_max_qty: 50,
            static_max_qty: 500,
        };
        let report = Report {
            planted,
            samples: (1..=4).map(sample).collect(),
            judged: vec![judged("76", "QTY_DYNAMIC"), judged("77", "QTY_DYNAMIC")],
            utc_offset_s: -4 * 3_600,
            ..Report::default()
        };
        let html = report.html();
        for part in [
            "from 20:00:02 a seller's instructions, at 20:00:03 the order 77",
            "sell 200 X: the static gate let it through, the adaptive gate refused it (QTY_DYNAMIC).",
            "UTC-4",
            "seller (planted)",
            "width=device-width",
            "<tr class=\"planted\"><td>20:00:03</td><td>77</td>",
        ] {
            assert!(html.contains(part), "{part}");
        }
        assert_eq!(html.matches("<tr class=\"planted\">").count(), 2, "in both tables");
        assert!(html.contains("What the stopped orders would have earned or lost"));
    }
}
