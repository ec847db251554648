//! What the cold thread adds up for who looks: verdicts by reason, and how long each hop takes since the start.

use control::protocol::HopStatus;
use hdrhistogram::Histogram;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The sums. Written by the cold thread, read by connections.
#[derive(Default)]
pub(super) struct Pulse {
    verdicts: Mutex<BTreeMap<u16, u64>>,
    hops: Mutex<BTreeMap<&'static str, Histogram<u64>>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Whole after every statement.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Columns that a row of the verdict log has behind its code. None of them holds a comma.
const BEHIND_CODE: usize = 6;

/// The reason's number in a row of the verdict log.
fn code_of(line: &str) -> Option<u16> {
    // In audit mode the code that decides stands before the others.
    line.rsplit(',').nth(BEHIND_CODE)?.split(' ').next()?.parse().ok()
}

impl Pulse {
    /// Takes rows of the verdict log.
    pub(super) fn verdicts(&self, lines: &[String]) {
        let mut verdicts = lock(&self.verdicts);
        for code in lines.iter().filter_map(|line| code_of(line)) {
            *verdicts.entry(code).or_default() += 1;
        }
    }

    /// Takes an interval of a hop.
    pub(super) fn hop(&self, hop: &'static str, interval: &Histogram<u64>) {
        let mut hops = lock(&self.hops);
        match hops.get_mut(hop) {
            // Same bounds: they come from one constructor.
            Some(sum) => *sum += interval,
            None => _ = hops.insert(hop, interval.clone()),
        }
    }

    /// Verdicts by reason.
    pub(super) fn by_reason(&self) -> BTreeMap<u16, u64> {
        lock(&self.verdicts).clone()
    }

    /// Each hop, by name.
    pub(super) fn by_hop(&self) -> Vec<HopStatus> {
        let hops = lock(&self.hops);
        let status = |(hop, sum): (&&'static str, &Histogram<u64>)| HopStatus {
            hop: (*hop).to_owned(),
            count: sum.len(),
            p50_ns: sum.value_at_quantile(0.5),
            p90_ns: sum.value_at_quantile(0.9),
            p99_ns: sum.value_at_quantile(0.99),
            p999_ns: sum.value_at_quantile(0.999),
            max_ns: sum.max(),
        };
        hops.iter().map(status).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::VERDICTS_HEADING;
    use stage::hist::latency_histogram;

    #[test]
    fn a_rows_code_stands_where_the_heading_says() {
        let names: Vec<&str> = VERDICTS_HEADING.split(',').collect();
        assert_eq!(names[names.len() - 1 - BEHIND_CODE], "code");
        let pulse = Pulse::default();
        let row = |code: &str| format!("1,2,\"a,b\",s,X,buy,1,1.0,reject,{code},SLUG,1,2,normal,0.1,30");
        pulse.verdicts(&[row("903"), row("0"), row("903 600"), row("x"), String::new()]);
        assert_eq!(pulse.by_reason(), BTreeMap::from([(0, 1), (903, 2)]));
    }

    #[test]
    fn intervals_of_a_hop_add_up() {
        let pulse = Pulse::default();
        let mut histogram = latency_histogram();
        histogram.record(1_000).unwrap();
        pulse.hop("score", &histogram);
        pulse.hop("score", &histogram);
        let hops = pulse.by_hop();
        assert_eq!((hops[0].hop.as_str(), hops[0].count), ("score", 2));
        assert!((990..1_100).contains(&hops[0].max_ns));
    }
}
