//! `portcullis sniff`: the messages in a capture, one line each; `portcullis feeds`: which protocols there are.

use crate::cli::{Feeds, FeedsCommand, Sniff, SniffFormat};
use crate::output::tell;
use anyhow::{Context, Result, bail};
use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use control::stamp::Stamp;
use dataplane::decode::{Description, FeedDecoder, MessageFiles};
use dataplane::session::Transport;
use dataplane::sniff::{Seen, Sniffer};
use dataplane::source::{BURST_MAX, SourceStatus};
use dataplane::{FileOptions, FileSource, PacketSource, listed_types};
use serde_json::{Map, Value, json};
use std::io::{BufWriter, StdoutLock, Write};
use types::{FeedInput, FeedKind};

/// Prints the messages of a capture.
pub(crate) fn run(args: &Sniff) -> Result<()> {
    let mut source = FileSource::open_all(&args.inputs, FileOptions::default())?;
    let mut sniffer = Sniffer::new(args.feed);
    let mut out = BufWriter::new(std::io::stdout().lock());
    let mut failed = Ok(());
    loop {
        let status = source.next_burst(BURST_MAX, |packet| {
            failed = sniffer.packet(&packet, |seen| show(args, &seen, &mut out));
            failed.is_ok()
        });
        std::mem::replace(&mut failed, Ok(())).context("cannot write to stdout")?;
        match status {
            Ok(SourceStatus::Open) => {}
            Ok(SourceStatus::End) => break,
            Err(damage) => {
                out.flush().context("cannot write to stdout")?;
                return Err(damage.into());
            }
        }
    }
    out.flush().context("cannot write to stdout")?;
    if let Some(cut) = source.notes().cut {
        if args.strict {
            bail!("{cut}");
        }
        tell(format_args!("warning: {cut}; everything before it was shown"));
    }
    if sniffer.foreign() > 0 {
        let of = args.feed.map_or("any feed".to_owned(), |feed| format!("feed {feed}"));
        tell(format_args!("portcullis: {} packets are not of {of}", sniffer.foreign()));
    }
    Ok(())
}

/// Prints one message, if it is asked for.
fn show(args: &Sniff, seen: &Seen, out: &mut BufWriter<StdoutLock<'_>>) -> std::io::Result<()> {
    if !is_wanted(args, seen) {
        return Ok(());
    }
    match args.output {
        SniffFormat::Text => {
            let group = seen.group.map_or("-".to_owned(), |group| group.to_string());
            write!(out, "{} {} {group} seq={} ", Stamp(seen.ts), seen.feed, seen.seq)?;
            match &seen.what {
                Ok(described) => writeln!(out, "{}", described.text),
                Err(error) => writeln!(out, "ERROR {error}"),
            }
        }
        SniffFormat::Json => writeln!(out, "{}", object(seen)),
    }
}

fn is_wanted(args: &Sniff, seen: &Seen) -> bool {
    let described = seen.what.as_ref().ok();
    let of_type = |name: &String| described.is_some_and(|d| d.name == name);
    let of_symbol = |symbol: &String| described.is_some_and(|d| names(&fields(d), symbol));
    args.seq.as_ref().is_none_or(|range| range.contains(&seen.seq))
        && args.message_type.as_ref().is_none_or(of_type)
        && args.symbol.as_ref().is_none_or(of_symbol)
}

/// Whether one of the fields that name instruments has this value.
fn names(fields: &Map<String, Value>, symbol: &str) -> bool {
    fields.iter().any(|(name, value)| match value {
        Value::String(text) => {
            let of_instrument = name.contains("symbol") || name == "stock" || name.ends_with("security_id");
            of_instrument && text == symbol
        }
        Value::Array(entries) => {
            entries.iter().filter_map(Value::as_object).any(|entry| names(entry, symbol))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => false,
    })
}

fn object(seen: &Seen) -> Value {
    let group = seen.group.map(|group| group.to_string());
    let mut object = json!({"ts_ns": seen.ts.0, "feed": seen.feed.as_str(), "group": group, "seq": seen.seq});
    match &seen.what {
        Ok(described) => {
            object["type"] = described.name.into();
            object["fields"] = Value::Object(fields(described));
        }
        Err(error) => object["error"] = error.to_string().into(),
    }
    object
}

/// The fields of a description by name; a group is an array of entries.
fn fields(described: &Description) -> Map<String, Value> {
    read_fields(&mut described.text.as_str())
}

/// Reads `name=value` pairs and `name[entry; entry]` groups until the text or the entry is over; words without a value are none.
fn read_fields(rest: &mut &str) -> Map<String, Value> {
    let mut fields = Map::new();
    loop {
        *rest = rest.trim_start_matches(' ');
        let end = rest.find([' ', '=', '[', ']', ';']).unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        match after.chars().next() {
            Some('=') => {
                let value = read_value(&after[1..]);
                *rest = &after[1 + value.len()..];
                fields.insert(name.to_owned(), value.trim_matches(['"', '\'']).into());
            }
            Some('[') => {
                *rest = &after[1..];
                let mut entries = Vec::new();
                loop {
                    let entry = read_fields(rest);
                    let more = rest.starts_with(';');
                    *rest = rest.get(1..).unwrap_or_default();
                    if !entry.is_empty() {
                        entries.push(Value::Object(entry));
                    }
                    if !more {
                        break;
                    }
                }
                fields.insert(name.to_owned(), Value::Array(entries));
            }
            Some(' ') => *rest = after,
            _ => {
                *rest = after;
                return fields;
            }
        }
    }
}

/// A value: up to the next space or the end of its entry, or up to the quote that closes it.
fn read_value(text: &str) -> &str {
    let quoted = text.chars().next().filter(|quote| matches!(quote, '"' | '\''));
    let closed = quoted.and_then(|quote| text[1..].find(quote).map(|end| &text[..end + 2]));
    closed.unwrap_or_else(|| &text[..text.find([' ', ';', ']']).unwrap_or(text.len())])
}

/// Lists the feeds, or explains one.
pub(crate) fn feeds(args: &Feeds) -> Result<()> {
    let mut out = BufWriter::new(std::io::stdout().lock());
    let text = match args.command {
        FeedsCommand::List => list(),
        FeedsCommand::Explain { feed } => explain(feed),
    };
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).context("cannot write to stdout")
}

fn carrier(kind: FeedKind) -> &'static str {
    FeedDecoder::transport(kind).map_or("files of a vendor", Transport::as_str)
}

fn list() -> String {
    let mut table = comfy_table::Table::new();
    table.load_style(UTF8_HORIZONTAL_ONLY).set_header(["feed", "carried by", "what it is"]);
    for &kind in FeedKind::ALL {
        table.add_row([kind.as_str(), carrier(kind), kind.summary()]);
    }
    format!("{}\n", table.to_string().lines().map(str::trim_end).collect::<Vec<_>>().join("\n"))
}

fn explain(kind: FeedKind) -> String {
    let live = match kind.input() {
        FeedInput::Packets => "a port or a capture",
        FeedInput::Archive => "files alone; no port carries it",
    };
    let bare = match FeedDecoder::message_files(kind) {
        MessageFiles::Published => ", or a file of bare messages behind their lengths",
        MessageFiles::No => "",
    };
    let mut text = format!("{kind}: {}\n", kind.summary());
    text += &format!("carried by: {}\nread from: {live}{bare}\n", carrier(kind));
    let types = listed_types(kind);
    text += &format!("messages ({}):\n", types.len());
    for (code, name) in types {
        text += &format!("  {code:>4} {name}\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_of_a_text_are_found() {
        let text =
            "Name a=1 b=\"two words\" c=' ' stock=ES g[x=1 security_id=7; x=2 security_id=8] empty[] d=- +3";
        let description = Description { name: "Name", text: text.to_owned() };
        let found = fields(&description);
        let wanted = json!({
            "a": "1", "b": "two words", "c": " ", "stock": "ES",
            "g": [{"x": "1", "security_id": "7"}, {"x": "2", "security_id": "8"}], "empty": [], "d": "-"
        });
        assert_eq!(Value::Object(found.clone()), wanted);
        assert!(names(&found, "ES") && names(&found, "8") && !names(&found, "1"));
        for broken in ["g[", "g[x=1", "a=\"b", "]", ";", "=", "g[[", "a='"] {
            fields(&Description { name: "Name", text: broken.to_owned() });
        }
    }

    #[test]
    fn every_feed_is_listed_and_explained() {
        for &kind in FeedKind::ALL {
            assert!(list().contains(kind.as_str()) && explain(kind).contains(kind.summary()));
            assert!(
                listed_types(kind)
                    .iter()
                    .all(|(code, name)| explain(kind).contains(&format!("{code} {name}")))
            );
        }
        let dbn = "dbn: Databento DBN files, versions 1 to 3, of the schemas mbo, mbp-1, mbp-10, definition and status
carried by: files of a vendor
read from: files alone; no port carries it
messages (10):
     A Add
     C Cancel
     M Modify
     R Clear
     T Trade
     F Fill
     N None
     D Definition
     S Status
     O OtherRecord
";
        assert_eq!(explain(FeedKind::Databento), dbn);
        assert!(explain(FeedKind::Pitch).contains("0x21 AddOrderLong"));
        assert!(explain(FeedKind::Itch50).contains("   A AddOrder\n"));
    }
}
