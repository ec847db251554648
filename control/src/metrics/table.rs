//! What a metric is, and how its samples are written: OpenMetrics 1.0, or the text format 0.0.4 for those who ask for no other.

use std::fmt::{Display, Write as _};

/// What all names begin with.
const PREFIX: &str = "portcullis_";

/// What a metric's values are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// 1, with what is to be known in labels.
    Info,
    /// What goes up and down.
    Gauge,
    /// What only goes up.
    Counter,
    /// Quantiles and a count.
    Summary,
}

/// One metric.
#[derive(Clone, Copy, Debug)]
pub(super) struct Metric {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) unit: &'static str,
    pub(super) help: &'static str,
}

impl Metric {
    pub(super) const fn info(name: &'static str, unit: &'static str, help: &'static str) -> Self {
        Self { name, kind: Kind::Info, unit, help }
    }

    pub(super) const fn gauge(name: &'static str, unit: &'static str, help: &'static str) -> Self {
        Self { name, kind: Kind::Gauge, unit, help }
    }

    pub(super) const fn counter(name: &'static str, unit: &'static str, help: &'static str) -> Self {
        Self { name, kind: Kind::Counter, unit, help }
    }

    pub(super) const fn summary(name: &'static str, unit: &'static str, help: &'static str) -> Self {
        Self { name, kind: Kind::Summary, unit, help }
    }
}

/// In which format an exposition is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// OpenMetrics 1.0.
    OpenMetrics,
    /// The older text format.
    Text,
}

impl Format {
    /// What somebody takes who sent this `Accept`.
    pub(super) fn accepted(accept: &str) -> Self {
        if accept.contains("application/openmetrics-text") { Self::OpenMetrics } else { Self::Text }
    }

    /// Its media type.
    pub(super) const fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// An exposition being written.
pub(super) struct Exposition {
    format: Format,
    text: String,
}

impl Exposition {
    pub(super) const fn new(format: Format) -> Self {
        Self { format, text: String::new() }
    }

    /// Begins a metric; its samples follow.
    pub(super) fn family(&mut self, metric: &Metric) {
        let Metric { name, kind, unit, help } = metric;
        let (family, kind) = match (self.format, kind) {
            (Format::OpenMetrics, Kind::Info) => (format!("{PREFIX}{name}"), "info"),
            (Format::OpenMetrics, Kind::Counter) => (format!("{PREFIX}{name}"), "counter"),
            (Format::Text, Kind::Info) => (format!("{PREFIX}{name}_info"), "gauge"),
            (Format::Text, Kind::Counter) => (format!("{PREFIX}{name}_total"), "counter"),
            (_, Kind::Gauge) => (format!("{PREFIX}{name}"), "gauge"),
            (_, Kind::Summary) => (format!("{PREFIX}{name}"), "summary"),
        };
        self.text.push_str(&format!("# TYPE {family} {kind}\n"));
        if self.format == Format::OpenMetrics && !unit.is_empty() {
            self.text.push_str(&format!("# UNIT {family} {unit}\n"));
        }
        self.text.push_str(&format!("# HELP {family} {help}.\n"));
    }

    /// One sample of the metric that was begun.
    pub(super) fn sample(&mut self, metric: &Metric, labels: &[(&str, &str)], value: impl Display) {
        let ending = match metric.kind {
            Kind::Info => "_info",
            Kind::Counter => "_total",
            Kind::Gauge | Kind::Summary => "",
        };
        self.line(metric.name, ending, labels, value);
    }

    /// How many values a summary has.
    pub(super) fn count(&mut self, metric: &Metric, labels: &[(&str, &str)], value: u64) {
        self.line(metric.name, "_count", labels, value);
    }

    /// A metric of one sample without labels.
    pub(super) fn single(&mut self, metric: &Metric, value: impl Display) {
        self.family(metric);
        self.sample(metric, &[], value);
    }

    fn line(&mut self, name: &str, ending: &str, labels: &[(&str, &str)], value: impl Display) {
        self.text.push_str(PREFIX);
        self.text.push_str(name);
        self.text.push_str(ending);
        for (at, (label, value)) in labels.iter().enumerate() {
            self.text.push(if at == 0 { '{' } else { ',' });
            self.text.push_str(label);
            self.text.push_str("=\"");
            for c in value.chars() {
                match c {
                    '\\' => self.text.push_str("\\\\"),
                    '"' => self.text.push_str("\\\""),
                    '\n' => self.text.push_str("\\n"),
                    c => self.text.push(c),
                }
            }
            self.text.push('"');
        }
        if !labels.is_empty() {
            self.text.push('}');
        }
        // Writing to a string does not fail.
        let _ = writeln!(self.text, " {value}");
    }

    /// The whole.
    pub(super) fn end(mut self) -> String {
        if self.format == Format::OpenMetrics {
            self.text.push_str("# EOF\n");
        }
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_is_named_as_its_format_wants_and_labels_are_quoted() {
        let metric = Metric { name: "x", kind: Kind::Counter, unit: "", help: "Help" };
        let of = |format| {
            let mut out = Exposition::new(format);
            out.family(&metric);
            out.sample(&metric, &[("a", "1"), ("b", "q\"\\\n")], 7);
            out.end()
        };
        let sample = "portcullis_x_total{a=\"1\",b=\"q\\\"\\\\\\n\"} 7\n";
        let open = format!("# TYPE portcullis_x counter\n# HELP portcullis_x Help.\n{sample}# EOF\n");
        assert_eq!(of(Format::OpenMetrics), open);
        let text = format!("# TYPE portcullis_x_total counter\n# HELP portcullis_x_total Help.\n{sample}");
        assert_eq!(of(Format::Text), text);
        assert_eq!(
            Format::accepted("text/plain;q=0.5,application/openmetrics-text;version=1.0.0"),
            Format::OpenMetrics
        );
        assert_eq!(Format::accepted("*/*"), Format::Text);
    }
}
