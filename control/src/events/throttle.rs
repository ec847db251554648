//! At most so many events of a kind and severity in a second; one stands for all beyond them.

use super::draft::Draft;
use crate::protocol::{EventKind, Severity};
use crate::stamp::Stamp;
use std::collections::BTreeMap;

const SECOND_NS: u64 = 1_000_000_000;

/// Scopes that a summary names.
const NAMED_MAX: usize = 5;

/// What came of one kind and severity in the second that began last.
#[derive(Debug)]
struct Second {
    began: Stamp,
    let_through: u32,
    /// Beyond what was let through.
    beyond: u64,
    named: Vec<String>,
    last: Option<Draft>,
}

impl Second {
    const fn of(began: Stamp) -> Self {
        Self { began, let_through: 0, beyond: 0, named: Vec::new(), last: None }
    }

    fn is_over(&self, now: Stamp) -> bool {
        // A clock that was set back ends it, too.
        now < self.began || now.0.since(self.began.0).0 >= SECOND_NS
    }

    /// The event that stands for all beyond what was let through.
    fn summary(&mut self) -> Option<Draft> {
        let last = self.last.take()?;
        let event = last.event();
        let (beyond, kind) = (self.beyond, event.kind);
        let more = if beyond > self.named.len() as u64 { ", ..." } else { "" };
        let text = format!(
            "{beyond} more events of kind {kind} within a second: {}{more}; the last: {}",
            self.named.join(", "),
            event.text
        );
        let summary = Draft::new(event.at, event.severity, kind, "many", &text).by(&event.cause);
        Some(summary.standing_for(beyond))
    }
}

/// The bound of each kind and severity.
#[derive(Debug)]
pub(super) struct Throttle {
    per_second: u32,
    seconds: BTreeMap<(EventKind, Severity), Second>,
    summarised: u64,
}

impl Throttle {
    /// Lets `per_second` events of each kind and severity through.
    pub(super) const fn new(per_second: u32) -> Self {
        Self { per_second, seconds: BTreeMap::new(), summarised: 0 }
    }

    /// Takes one event; gives what goes on of it and of what waited.
    pub(super) fn take(&mut self, draft: Draft, now: Stamp) -> impl Iterator<Item = Draft> + use<> {
        let event = draft.event();
        let second = self.seconds.entry((event.kind, event.severity)).or_insert_with(|| Second::of(now));
        let mut summary = None;
        if second.is_over(now) {
            summary = second.summary();
            *second = Second::of(now);
        }
        let mut through = None;
        if second.let_through < self.per_second {
            second.let_through += 1;
            through = Some(draft);
        } else {
            second.beyond += 1;
            self.summarised += 1;
            if second.named.len() < NAMED_MAX {
                second.named.push(event.scope.clone());
            }
            second.last = Some(draft);
        }
        summary.into_iter().chain(through)
    }

    /// The summaries of seconds that are over; of all, where nothing comes any more.
    pub(super) fn due(&mut self, now: Stamp, all: bool) -> Vec<Draft> {
        let over = |second: &Second| all || second.is_over(now);
        let summaries =
            self.seconds.values_mut().filter(|second| over(second)).filter_map(Second::summary).collect();
        self.seconds.retain(|_, second| !over(second));
        summaries
    }

    /// Events for which a summary stands.
    pub(super) const fn summarised(&self) -> u64 {
        self.summarised
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::UnixNanos;

    fn at(ms: u64) -> Stamp {
        Stamp(UnixNanos(1_000 * SECOND_NS + ms * 1_000_000))
    }

    fn draft(severity: Severity, scope: &str) -> Draft {
        Draft::new(at(0), severity, EventKind::Tier, scope, "tier high")
    }

    #[test]
    fn ten_thousand_in_a_second_are_a_few_and_one_that_counts_the_rest() {
        let mut throttle = Throttle::new(50);
        let mut through = Vec::new();
        for n in 0..10_000_u64 {
            through.extend(throttle.take(draft(Severity::Warning, &format!("instrument:S{n}")), at(n / 20)));
        }
        assert_eq!(through.len(), 50);
        let critical: Vec<_> = throttle.take(draft(Severity::Critical, "instrument:FUTX"), at(500)).collect();
        assert_eq!(critical.len(), 1, "what is worse is not held up by what is not");
        assert!(throttle.due(at(999), false).is_empty());
        let due = throttle.due(at(1_000), false);
        assert_eq!(due.len(), 1);
        let summary = due[0].event();
        assert_eq!((summary.count, summary.scope.as_str()), (9_950, "many"));
        assert!(summary.text.contains("instrument:S50, instrument:S51"), "{}", summary.text);
        assert_eq!(throttle.summarised(), 9_950);
        assert!(throttle.due(at(9_000), true).is_empty(), "said once");
    }

    #[test]
    fn every_event_goes_through_or_is_counted() {
        let mut throttle = Throttle::new(3);
        let (mut through, mut counted) = (0, 0);
        for n in 0..1_000 {
            // Times that run back now and then.
            let now = at((n * 7) % 4_001);
            for event in throttle.take(draft(Severity::Info, "x"), now) {
                if event.event().scope == "many" { counted += event.event().count } else { through += 1 }
            }
        }
        counted += throttle.due(at(0), true).iter().map(|summary| summary.event().count).sum::<u64>();
        assert_eq!(through + counted, 1_000);
    }
}
