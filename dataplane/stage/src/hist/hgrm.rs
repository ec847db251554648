//! Percentile distribution text (`.hgrm`), as HdrHistogram's Java class prints it and the plotters read it.

use std::io::{self, Write};

use hdrhistogram::Histogram;

/// Lines per halving of the distance to 100 %.
const TICKS_PER_HALF_DISTANCE: u32 = 5;

/// Writes `histogram` as percentile text; `unit_ns` divides the values (1 keeps nanoseconds, 1,000 prints microseconds).
///
/// # Errors
///
/// Whatever `out` reports.
#[expect(clippy::cast_precision_loss, reason = "text for people; the format is decimal")]
pub fn write_hgrm(histogram: &Histogram<u64>, unit_ns: u64, out: &mut impl Write) -> io::Result<()> {
    let unit = unit_ns.max(1) as f64;
    let digits = usize::from(histogram.sigfig());
    writeln!(out, "{:>12} {:>14} {:>10} {:>14}\n", "Value", "Percentile", "TotalCount", "1/(1-Percentile)")?;
    let mut total = 0_u64;
    for step in histogram.iter_quantiles(TICKS_PER_HALF_DISTANCE) {
        total += step.count_since_last_iteration();
        let value = histogram.highest_equivalent(step.value_iterated_to()) as f64 / unit;
        let quantile = step.quantile_iterated_to();
        write!(out, "{value:12.digits$} {quantile:14.12} {total:10}")?;
        if quantile < 1.0 {
            writeln!(out, " {:14.2}", 1.0 / (1.0 - quantile))?;
        } else {
            writeln!(out)?;
        }
    }
    let (mean, deviation) = (histogram.mean() / unit, histogram.stdev() / unit);
    writeln!(out, "#[Mean    = {mean:12.digits$}, StdDeviation   = {deviation:12.digits$}]")?;
    let max = histogram.max() as f64 / unit;
    writeln!(out, "#[Max     = {max:12.digits$}, Total count    = {:12}]", histogram.len())?;
    let sub_buckets = 2_u64 * 10_u64.pow(u32::from(histogram.sigfig()));
    writeln!(
        out,
        "#[Buckets = {:12}, SubBuckets     = {:12}]",
        histogram.buckets(),
        sub_buckets.next_power_of_two()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hist::latency_histogram;

    fn text(histogram: &Histogram<u64>, unit_ns: u64) -> String {
        let mut out = Vec::new();
        write_hgrm(histogram, unit_ns, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_text_is_what_plotters_read() {
        let mut h = latency_histogram();
        for n in 1..=1_000 {
            h.record(n).unwrap();
        }
        let got = text(&h, 1);
        let lines: Vec<&str> = got.lines().collect();
        assert_eq!(lines[0], "       Value     Percentile TotalCount 1/(1-Percentile)");
        assert_eq!(lines[1], "");
        assert_eq!(lines[2], "       1.000 0.000000000000          1           1.00");
        assert!(got.contains("     500.000 0.500000000000        500           2.00\n"), "{got}");
        assert!(got.contains("    1000.000 1.000000000000       1000\n"), "{got}");
        assert!(got.contains("#[Mean    =      500.500, StdDeviation   =      288.675]\n"), "{got}");
        assert!(got.contains("#[Max     =     1000.000, Total count    =         1000]\n"), "{got}");
        assert!(got.ends_with("SubBuckets     =         2048]\n"), "{got}");
    }

    #[test]
    fn values_are_divided_by_the_unit_and_an_empty_histogram_prints() {
        let mut h = latency_histogram();
        h.record(1_500).unwrap();
        assert!(text(&h, 1_000).contains("       1.500 "));
        assert!(text(&latency_histogram(), 1).contains("Total count    =            0]"));
    }
}
