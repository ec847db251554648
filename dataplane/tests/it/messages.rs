//! `MESSAGES.md` against the decoders: every type with its code, name and size, and whether it does more than count.

use dataplane::FeedStats;
use dataplane::decode::{
    Damage, Decoder, DecoderSetup, EventBuffer, FeedDecoder, Place, message_types, type_code,
};
use dataplane::listed_types;
use types::{BookEvent, FeedInput, FeedKind, TickTableId, UnixNanos};
use wire::{ouch42, ouch50};

use crate::common::{real_data, replay_archive};

const PAGE: &str = include_str!("../../MESSAGES.md");

/// A row of the page: code, name, bytes, and what the type does.
type Row = [String; 4];

/// The rows of the section headed `heading`.
fn section(heading: &str) -> Vec<Row> {
    let headed = format!("\n## {heading}\n");
    let (_, behind) = PAGE.split_once(&headed).unwrap_or_else(|| panic!("no section {heading}"));
    let body = behind.split("\n## ").next().unwrap_or_default();
    let cells = |line: &str| -> Option<Row> {
        let inner = line.strip_prefix("| ")?.strip_suffix(" |")?;
        let cells: Vec<String> = inner.split(" | ").map(str::to_owned).collect();
        Some(cells.try_into().unwrap_or_else(|_| panic!("{heading}: four cells: {line}")))
    };
    body.lines().filter_map(cells).skip(1).collect()
}

/// Code, name and bytes, as the page writes them.
fn listed(types: &[(u8, u16, &str)], code: impl Fn(u8) -> String) -> Vec<[String; 3]> {
    types.iter().map(|(byte, len, name)| [code(*byte), (*name).to_owned(), len.to_string()]).collect()
}

fn of_page(heading: &str) -> Vec<[String; 3]> {
    section(heading).into_iter().map(|[code, name, bytes, _]| [code, name, bytes]).collect()
}

/// The section of a feed: the two of MDP 3.0 have one.
fn heading(kind: FeedKind) -> &'static str {
    if kind == FeedKind::Mdp3Orders { FeedKind::Mdp3.as_str() } else { kind.as_str() }
}

fn of_packets() -> impl Iterator<Item = FeedKind> {
    FeedKind::ALL.iter().copied().filter(|kind| kind.input() == FeedInput::Packets)
}

#[test]
fn every_message_type_of_every_feed_stands_in_the_page_with_its_code_and_size() {
    for kind in of_packets() {
        let wanted = listed(message_types(kind), |code| type_code(kind, code));
        assert_eq!(of_page(heading(kind)), wanted, "{kind}");
    }
}

#[test]
fn every_message_type_of_order_entry_stands_in_the_page_with_its_code_and_size() {
    let tables = [
        ("ouch50 in", ouch50::inbound::MESSAGE_TYPES),
        ("ouch50 out", ouch50::outbound::MESSAGE_TYPES),
        ("ouch42 in", ouch42::inbound::MESSAGE_TYPES),
        ("ouch42 out", ouch42::outbound::MESSAGE_TYPES),
    ];
    for (heading, types) in tables {
        assert_eq!(of_page(heading), listed(types, |code| char::from(code).to_string()), "{heading}");
    }
}

/// What a decoder makes of a message: the events, or the damage.
type Said = Result<Vec<BookEvent>, Damage>;

/// What a fresh decoder of `kind` makes of each of `messages`.
fn said(kind: FeedKind, messages: &[Vec<u8>]) -> Vec<Said> {
    let (midnight, ticks) = (UnixNanos(0), TickTableId::US_EQUITY.into());
    let setup = DecoderSetup { midnight, instruments_max: 16, ticks };
    let mut decoder = FeedDecoder::new(kind, &setup).expect("a feed of packets");
    let (mut out, mut stats) = (EventBuffer::new(4_096), FeedStats::default());
    let place = Place { seq: 1, ts_recv: UnixNanos(0), channel: 0, offset: 0 };
    let each = messages.iter().map(|message| {
        let told = decoder.decode(message, &place, &mut out, &mut stats);
        // When something happened is no effect: a message that is counted may tell the time.
        let events: Vec<BookEvent> =
            out.pending().iter().map(|event| BookEvent { ts_event: UnixNanos(0), ..*event }).collect();
        out.advance(events.len());
        told.map(|()| events)
    });
    each.collect()
}

/// A message of a type, every byte of its body the same. One of MDP 3.0 is its size and its header alone, too short for any
/// block that is read.
fn filled(kind: FeedKind, (code, len, _): (u8, u16, &str), fill: u8) -> Vec<u8> {
    if heading(kind) == FeedKind::Mdp3.as_str() {
        return [10_u16, 0, u16::from(code), 1, 13].iter().flat_map(|field| field.to_le_bytes()).collect();
    }
    let mut message = vec![fill; len.into()];
    message[0] = code;
    message
}

/// Whether a type, behind the messages `before`, does anything: by itself, or to what comes behind it.
fn does_something_behind(kind: FeedKind, of: &[u8], before: &[Vec<u8>], after: &[Vec<u8>]) -> bool {
    let without: Vec<Vec<u8>> = before.iter().chain(after).cloned().collect();
    let mut with = without.clone();
    with.insert(before.len(), of.to_vec());
    let mut found = said(kind, &with);
    let its_own = found.remove(before.len());
    its_own != Ok(Vec::new()) || found != said(kind, &without)
}

#[test]
fn counted_types_do_nothing_and_all_others_do_something() {
    // A decoder of PITCH has room for every order of a unit, too much to make one for each of these cases.
    for kind in of_packets().filter(|kind| *kind != FeedKind::Pitch) {
        let types = message_types(kind);
        // Letters that fields of one byte have, which say a side, a state, or yes.
        let fills = if types.iter().all(|(_, len, _)| *len == 0) { &b"0"[..] } else { &b"\0BHQSTO"[..] };
        let rows = section(heading(kind));
        // What empties books hides what was done to them, and takes as long as they have room.
        let others: Vec<_> =
            types.iter().zip(&rows).filter(|(_, row)| !row[3].starts_with("session")).collect();
        for (of, [code, name, _, what]) in &others {
            let does = |before_all: bool| {
                fills.iter().any(|&fill| {
                    let all: Vec<Vec<u8>> =
                        others.iter().map(|(other, _)| filled(kind, **other, fill)).collect();
                    let of = filled(kind, **of, fill);
                    let behind = |before: &[Vec<u8>]| does_something_behind(kind, &of, before, &all);
                    behind(&[]) || if before_all { behind(&all) } else { all.chunks(1).any(behind) }
                })
            };
            let is_counted = what == "counted";
            // For what must do nothing all the others before it at once are enough; what must do something may need one alone.
            assert_eq!(does(is_counted), !is_counted, "{kind} {code} {name}: {what}");
        }
    }
}

#[test]
fn every_row_that_an_archive_counts_is_listed_with_its_feed() {
    let Some(data) = real_data() else { return };
    let archives = [
        (FeedKind::Lobster, "lobster/LOBSTER_SampleFile_AMZN_2012-06-21_1.zip", 5),
        (FeedKind::Databento, "dbn/CLX5_mbo.dbn", 5),
        (FeedKind::Databento, "dbn/nautilus_orderbooks_mbo_2024-05-08.dbn.zst", 3),
        (FeedKind::Databento, "dbn/futures_mbp-1_2024-07-01.dbn.zst", 3),
        (FeedKind::Databento, "dbn/definition-glbx-es-fut.dbn.zst", 1),
        (FeedKind::Databento, "dbn/dbn_test_data/test_data.status.v3.dbn.zst", 1),
    ];
    for (kind, file, least) in archives {
        let types = replay_archive(kind, &[&data.join(file)]).unwrap().types();
        let counted: Vec<String> = types.split(' ').map(|word| word[..1].to_owned()).collect();
        let listed: Vec<String> = listed_types(kind).into_iter().map(|(code, _)| code).collect();
        assert!(
            counted.len() >= least && counted.iter().all(|code| listed.contains(code)),
            "{file}: {counted:?}"
        );
    }
}
