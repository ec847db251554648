//! Alerts and the places that events go to, as rows of the status.

use crate::sheet::Field;
use crate::words::n;
use control::protocol::EventStatus;

/// What is to be said of them, by name.
pub(crate) fn rows(events: &EventStatus) -> Vec<(String, Field)> {
    let mut rows = Vec::new();
    if events.alerts > 0 {
        let said = format!("{}, {} not acknowledged", n(events.alerts), n(events.unacknowledged));
        rows.push(("alerts".to_owned(), Field::alarm_if(events.unacknowledged > 0, said)));
    }
    if !events.journal_failing.is_empty() {
        let said = format!("the journal of events cannot be written: {}", events.journal_failing);
        rows.push(("events".to_owned(), Field::Alarm(said)));
    }
    if events.lost > 0 {
        let said = format!("{} found no room on their way to the journal", n(events.lost));
        rows.push(("events".to_owned(), Field::Alarm(said)));
    }
    for sink in &events.sinks {
        let said = match (sink.failing.as_str(), sink.lost) {
            ("", 0) => continue,
            ("", lost) => format!("takes events; {} are lost to it", n(lost)),
            (why, lost) => {
                format!("takes none ({why}): {} wait, {} are lost to it", n(sink.waiting), n(lost))
            }
        };
        rows.push((format!("sink {}", sink.name), Field::Alarm(said)));
    }
    rows
}
