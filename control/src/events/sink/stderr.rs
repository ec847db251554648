//! The daemon's own log: lines on stderr, for people or for machines, with the journal's level where the journal reads them.

use super::{Refusal, Sink, line_for_people};
use crate::protocol::Event;
use std::io::Write;
use std::sync::Arc;

/// Stderr.
pub(in crate::events) struct StderrSink {
    json: bool,
    /// The journal reads this, and takes a level before each line (sd-daemon(3)).
    levels: bool,
}

impl StderrSink {
    /// Lines of JSON, or for people. `levels` where the journal reads them.
    pub(in crate::events) const fn new(json: bool, levels: bool) -> Self {
        Self { json, levels }
    }

    fn lines(&self, events: &[Arc<Event>]) -> String {
        let mut lines = String::new();
        for event in events {
            if self.levels {
                lines.push_str(&format!("<{}>", event.severity.syslog()));
            }
            let line = if self.json { serde_json::to_string(event.as_ref()).ok() } else { None };
            lines.push_str(&line.unwrap_or_else(|| line_for_people(event)));
            lines.push('\n');
        }
        lines
    }
}

impl Sink for StderrSink {
    fn send(&mut self, events: &[Arc<Event>], _newest: u64) -> Result<(), Refusal> {
        // A terminal or a journal that has gone is no reason to keep anything: the next line may find another reader.
        drop(std::io::stderr().write_all(self.lines(events).as_bytes()));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::draft::Draft;
    use crate::protocol::{EventKind, Severity};
    use crate::stamp::Stamp;
    use types::UnixNanos;

    #[test]
    fn lines_are_for_people_or_machines_and_carry_the_journals_level() {
        let at = Stamp(UnixNanos(1_795_271_422_123_456_789));
        let draft = Draft::new(at, Severity::Critical, EventKind::Halt, "firm", "halted\nby anna");
        let events = [Arc::new(draft.numbered(3))];
        let people = "2026-11-21T14:30:22.123Z CRITICAL halt firm: halted by anna\n";
        assert_eq!(StderrSink::new(false, false).lines(&events), people);
        assert_eq!(StderrSink::new(false, true).lines(&events), format!("<2>{people}"));
        let json = StderrSink::new(true, false).lines(&events);
        assert_eq!(serde_json::from_str::<Event>(json.trim_end()).unwrap(), *events[0]);
    }
}
