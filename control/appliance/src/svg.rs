//! Line charts as plain SVG, for reports and histograms: axes, a legend, series, and vertical marks.

use std::fmt::Write;

/// One line of a chart.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    pub(crate) name: String,
    pub(crate) colour: &'static str,
    pub(crate) points: Vec<(f64, f64)>,
    /// Horizontal until the next point, then a jump: for values that hold until they change.
    pub(crate) steps: bool,
}

/// A labelled moment.
#[derive(Clone, Debug)]
pub(crate) struct Mark {
    pub(crate) x: f64,
    pub(crate) label: String,
}

/// A chart to be drawn.
pub(crate) struct Chart {
    pub(crate) title: String,
    pub(crate) y_label: String,
    pub(crate) series: Vec<Series>,
    pub(crate) marks: Vec<Mark>,
    /// Label of an x value.
    pub(crate) x_tick: Box<dyn Fn(f64) -> String>,
    pub(crate) x_ticks: Vec<f64>,
    pub(crate) log_y: bool,
}

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 240.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 30.0;
const BOTTOM: f64 = 28.0;
const LEGEND_TOP: f64 = 17.0;
const LEGEND_LINE: f64 = 13.0;

/// Linear map from data to the plot area.
struct Scale {
    x: (f64, f64),
    y: (f64, f64),
    log_y: bool,
}

impl Scale {
    fn fit(chart: &Chart) -> Self {
        let points = || chart.series.iter().flat_map(|s| &s.points);
        let range = |values: &mut dyn Iterator<Item = f64>| {
            values.fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), v| (lo.min(v), hi.max(v)))
        };
        // Charts of one report share their ticks, and so their axis, also where a series begins late.
        let x = range(&mut points().map(|p| p.0).chain(chart.x_ticks.iter().copied()));
        let mut y = range(&mut points().map(|p| if chart.log_y { p.1.max(1.0).log10() } else { p.1 }));
        if y.1 - y.0 < 1e-9 {
            y = (y.0 - 0.5, y.1 + 0.5);
        }
        let pad = (y.1 - y.0) * 0.05;
        let low = if y.0 >= 0.0 { (y.0 - pad).max(0.0) } else { y.0 - pad };
        Self { x, y: (low, y.1 + pad), log_y: chart.log_y }
    }

    fn px(&self, x: f64) -> f64 {
        LEFT + (x - self.x.0) / (self.x.1 - self.x.0).max(1e-9) * (WIDTH - LEFT - RIGHT)
    }

    fn py(&self, y: f64) -> f64 {
        let y = if self.log_y { y.max(1.0).log10() } else { y };
        HEIGHT - BOTTOM - (y - self.y.0) / (self.y.1 - self.y.0) * (HEIGHT - TOP - BOTTOM)
    }
}

/// The chart as a standalone `<svg>` element; a chart without points says so instead of drawing an empty frame.
pub(crate) fn render(chart: &Chart) -> String {
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" font-size=\"11\">\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#fff\"/><text x=\"{LEFT}\" y=\"16\" font-weight=\"bold\">{}</text>",
        escape(&chart.title)
    );
    if chart.series.iter().all(|s| s.points.is_empty()) {
        svg.push_str("<text x=\"70\" y=\"120\">no data</text></svg>");
        return svg;
    }
    let scale = Scale::fit(chart);
    draw_axes(&mut svg, chart, &scale);
    let names: Vec<&str> = chart.series.iter().map(|series| series.name.as_str()).collect();
    for (series, place) in chart.series.iter().zip(legend(&chart.title, &names)) {
        draw_series(&mut svg, series, &scale, place);
    }
    for (index, mark) in chart.marks.iter().enumerate() {
        let x = scale.px(mark.x);
        let _ = write!(
            svg,
            "<line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{TOP}\" y2=\"{:.1}\" stroke=\"#b91c1c\" stroke-dasharray=\"3 3\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" fill=\"#b91c1c\">{}</text>",
            HEIGHT - BOTTOM,
            x + 3.0,
            // Marks close to each other keep their labels apart.
            TOP + 10.0 + 12.0 * (index % 3) as f64,
            escape(&mark.label)
        );
    }
    svg.push_str("</svg>");
    svg
}

fn draw_axes(svg: &mut String, chart: &Chart, scale: &Scale) {
    let ticks = if chart.log_y { log_ticks(scale.y) } else { round_ticks(scale.y) };
    for (value, label) in ticks {
        let y = scale.py(value);
        let _ = write!(
            svg,
            "<line x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\" stroke=\"#e5e7eb\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"#374151\">{}</text>",
            WIDTH - RIGHT,
            LEFT - 6.0,
            y + 4.0,
            label
        );
    }
    for &x in &chart.x_ticks {
        let _ = write!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"#374151\">{}</text>",
            scale.px(x),
            HEIGHT - 10.0,
            (chart.x_tick)(x)
        );
    }
    let _ = write!(svg, "<text x=\"4\" y=\"{TOP}\" fill=\"#374151\">{}</text>", escape(&chart.y_label));
}

/// About the width of `text` at the charts' font size.
fn width_of(text: &str) -> f64 {
    text.chars().count() as f64 * 6.5
}

/// Where each name of the legend stands (left end and base line): behind the title from left to right, in as many lines as it
/// takes, so that none stands on another.
fn legend(title: &str, names: &[&str]) -> Vec<(f64, f64)> {
    let mut places = Vec::new();
    let (mut x, mut y) = (LEFT + width_of(title) * 1.15 + 24.0, LEGEND_TOP);
    for name in names {
        let room = 14.0 + width_of(name) + 14.0;
        if x + room > WIDTH - RIGHT && x > LEFT {
            (x, y) = (LEFT, y + LEGEND_LINE);
        }
        places.push((x, y));
        x += room;
    }
    places
}

fn draw_series(svg: &mut String, series: &Series, scale: &Scale, place: (f64, f64)) {
    let mut path = String::new();
    let mut last_y = None;
    for &(x, y) in &series.points {
        let (px, py) = (scale.px(x), scale.py(y));
        match last_y {
            None => _ = write!(path, "M{px:.1} {py:.1}"),
            Some(previous) if series.steps => _ = write!(path, "L{px:.1} {previous:.1}L{px:.1} {py:.1}"),
            Some(_) => _ = write!(path, "L{px:.1} {py:.1}"),
        }
        last_y = Some(py);
    }
    let _ = write!(
        svg,
        "<path d=\"{path}\" fill=\"none\" stroke=\"{0}\" stroke-width=\"1.5\"/>\
         <rect x=\"{1:.1}\" y=\"{2:.1}\" width=\"10\" height=\"10\" fill=\"{0}\"/>\
         <text x=\"{3:.1}\" y=\"{4:.1}\">{5}</text>",
        series.colour,
        place.0,
        place.1 - 9.0,
        place.0 + 14.0,
        place.1,
        escape(&series.name)
    );
}

/// Where an axis over `range` is labelled, and with what: a few values, 1, 2 or 5 times a power of ten apart.
fn round_ticks(range: (f64, f64)) -> Vec<(f64, String)> {
    let rough = (range.1 - range.0) / 6.0;
    let power = 10_f64.powf(rough.log10().floor());
    let step =
        [1.0, 2.0, 5.0].map(|n| n * power).into_iter().find(|step| *step >= rough).unwrap_or(10.0 * power);
    let decimals = (-(step.log10() + 1e-9).floor()).max(0.0) as usize;
    // A sum of steps would gather their rounding.
    let (first, last) = ((range.0 / step - 1e-9).ceil() as i64, (range.1 / step + 1e-9).floor() as i64);
    (first..=last).map(|n| n as f64 * step).map(|value| (value, format!("{value:.decimals$}"))).collect()
}

/// The same over a range of decimal logarithms: powers of ten, between few of them twice and five times these, too.
fn log_ticks(range: (f64, f64)) -> Vec<(f64, String)> {
    let between: &[f64] = if range.1 - range.0 > 3.0 { &[1.0] } else { &[1.0, 2.0, 5.0] };
    let powers = range.0.floor() as i32..=range.1.ceil() as i32;
    let values = powers.flat_map(|power| between.iter().map(move |n| n * 10_f64.powi(power)));
    let inside = |value: &f64| (range.0..=range.1).contains(&value.log10());
    values.filter(inside).map(|value| (value, format!("{value}"))).collect()
}

/// Text made safe for XML and HTML.
pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(points: Vec<(f64, f64)>, steps: bool) -> Chart {
        let series = Series { name: "a<b".into(), colour: "#000", points, steps };
        Chart {
            title: "t".into(),
            y_label: "y".into(),
            series: vec![series],
            marks: vec![Mark { x: 1.0, label: "m".into() }],
            x_tick: Box::new(|x| format!("{x}")),
            x_ticks: vec![0.0, 1.0],
            log_y: false,
        }
    }

    #[test]
    fn a_step_series_holds_its_value_until_the_next_point() {
        let svg = render(&chart(vec![(0.0, 0.0), (1.0, 10.0)], true));
        let flat = render(&chart(vec![(0.0, 0.0), (1.0, 10.0)], false));
        assert_eq!(svg.matches('L').count(), flat.matches('L').count() + 1);
    }

    #[test]
    fn no_name_of_a_legend_stands_on_another() {
        let names = [
            "book_features",
            "decode_ring",
            "gate",
            "nic_decode",
            "publish",
            "score",
            "a",
            "a_rather_long_hop",
        ];
        let places = legend("Latency by percentile", &names);
        for (index, (&(x, y), name)) in places.iter().zip(names).enumerate() {
            assert!(x >= LEFT && x + 14.0 + width_of(name) <= WIDTH - RIGHT, "{name} is on the chart");
            let meets = places[..index]
                .iter()
                .zip(names)
                .any(|(&(other, line), before)| line == y && other + 14.0 + width_of(before) > x);
            assert!(!meets, "{name} stands on another");
        }
        assert!(places[0].0 > LEFT + width_of("Latency by percentile"), "and none on the title");
        assert_eq!(legend("t", &["a", "b"]).iter().map(|place| place.1).collect::<Vec<_>>(), [LEGEND_TOP; 2]);
    }

    #[test]
    fn axes_are_labelled_with_round_numbers() {
        let labels = |ticks: Vec<(f64, String)>| ticks.into_iter().map(|tick| tick.1).collect::<Vec<_>>();
        assert_eq!(labels(round_ticks((4_900.9, 5_006.9))), ["4920", "4940", "4960", "4980", "5000"]);
        assert_eq!(labels(round_ticks((0.05, 20.95))), ["5", "10", "15", "20"]);
        assert_eq!(labels(round_ticks((0.0, 0.866))), ["0.0", "0.2", "0.4", "0.6", "0.8"]);
        assert_eq!(labels(round_ticks((-0.5, 0.5))), ["-0.4", "-0.2", "0.0", "0.2", "0.4"]);
        assert_eq!(labels(log_ticks((1.9, 4.2))), ["100", "200", "500", "1000", "2000", "5000", "10000"]);
        assert_eq!(labels(log_ticks((0.0, 5.0))), ["1", "10", "100", "1000", "10000", "100000"]);
    }

    #[test]
    fn names_are_escaped_and_an_empty_chart_says_so() {
        assert!(render(&chart(vec![(0.0, 1.0)], false)).contains("a&lt;b"));
        assert!(render(&chart(vec![], false)).contains("no data"));
    }
}
