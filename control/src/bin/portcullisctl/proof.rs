//! What came of proving an audit log, and what that proves.

use crate::cli::Format;
use crate::sheet::{Field, Sheet};
use crate::show::{answer, print};
use crate::words::n;
use anyhow::Result;
use control::protocol::VerifyReply;

pub(crate) fn verified(format: Format, reply: &VerifyReply) -> Result<()> {
    let mut sheet = Sheet::new(&[
        "sound",
        "records",
        "segments",
        "first",
        "last",
        "head",
        "file",
        "line",
        "problem",
        "proven",
        "anchored",
        "unanchored",
    ]);
    let broken = reply.broken.as_ref();
    sheet.row(vec![
        Field::text(broken.is_none()),
        Field::number(reply.records),
        Field::number(reply.segments),
        Field::Moment(reply.first),
        Field::Moment(reply.last),
        Field::text(&reply.head),
        Field::text(broken.map_or("", |at| &at.file)),
        Field::Text(broken.map_or_else(String::new, |at| at.line.to_string())),
        Field::text(broken.map_or("", |at| &at.problem)),
        Field::text(reply.is_proven()),
        Field::Text(reply.anchored.map_or_else(String::new, |seq| seq.to_string())),
        Field::text(reply.unanchored.as_deref().unwrap_or_default()),
    ]);
    if format != Format::Table {
        return answer(format, "verified", reply, &sheet, "");
    }
    let proven = match (reply.first, reply.last) {
        (Some(first), Some(last)) => {
            let segments = if reply.segments == 1 {
                "1 segment".to_owned()
            } else {
                format!("{} segments", reply.segments)
            };
            format!(
                "{} records in {segments}, {first:.3} to {last:.3}, head {}",
                n(reply.records),
                reply.head
            )
        }
        _ => format!("{} records", n(reply.records)),
    };
    match broken {
        None => print(&format!("{}: {proven}\n{}", verdict(reply), what_it_proves(reply))),
        Some(at) => {
            let place = if at.line == 0 {
                at.file.clone()
            } else {
                format!("{} line {} (byte {})", at.file, at.line, at.offset)
            };
            print(&format!("BROKEN at {place}: {}\nSound before that: {proven}\n", at.problem))
        }
    }
}

const fn verdict(reply: &VerifyReply) -> &'static str {
    if reply.is_proven() { "SOUND" } else { "NOT PROVEN" }
}

/// What a chain that holds shows and what it does not, for people.
fn what_it_proves(reply: &VerifyReply) -> String {
    let unkeyed = reply.records - reply.keyed;
    let made = match (reply.key_checked, unkeyed) {
        (true, 0) => "proven: a holder of the key wrote each record; none was changed, moved or taken out between".to_owned(),
        (true, some) => format!("not proven: who wrote {} records, which are older than the key", n(some)),
        (false, _) => {
            "not proven: who wrote it, since the records' keys were not checked (--key FILE); anybody who may write the \
             directory can make a chain that holds"
                .to_owned()
        }
    };
    let end = match (reply.anchored, &reply.unanchored) {
        (Some(seq), _) if seq == reply.records => "proven: the newest anchor is its last record".to_owned(),
        (Some(seq), _) => {
            format!("not proven: that none was cut off after record {seq}, the last one anchored elsewhere")
        }
        (None, Some(why)) => format!("not proven: that none was cut off its end: {why}"),
        (None, None) => {
            "not proven: that none was cut off its end, since no head noted elsewhere was given".to_owned()
        }
    };
    format!("{made}\n{end}\n")
}
