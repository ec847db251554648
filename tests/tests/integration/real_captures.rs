//! Real captures give the counts that independent decoders gave (the numbers stand beside the captures).

use serde_json::Value;
use std::path::{Path, PathBuf};
use tests::{portcullis_ok, real_data};

/// Replays `input` into a fresh directory and returns the summary and the directory.
fn replay(input: &Path, feed: &str, extra: &[&str]) -> (Value, tempfile::TempDir) {
    let out = tempfile::tempdir().unwrap();
    let mut args =
        vec!["replay", input.to_str().unwrap(), "--feed", feed, "--out", out.path().to_str().unwrap()];
    args.extend(extra);
    portcullis_ok(args);
    let summary = std::fs::read_to_string(out.path().join("summary.json")).unwrap();
    (serde_json::from_str(&summary).unwrap(), out)
}

fn assert_counts(summary: &Value, expected: &[(&str, u64)]) {
    for (kind, count) in expected {
        assert_eq!(summary["messages_by_type"][kind], *count, "messages of type {kind}");
    }
    let total: u64 =
        summary["messages_by_type"].as_object().unwrap().values().map(|v| v.as_u64().unwrap()).sum();
    assert_eq!(total, expected.iter().map(|e| e.1).sum::<u64>(), "no other type occurs");
    assert_eq!(summary["messages"], total);
}

#[test]
fn the_itch_snippet_has_a_thousand_messages() {
    let Some(path) = real_data("itch/12302019_SNIPPET.NASDAQ_ITCH50") else { return };
    let (summary, _out) = replay(&path, "itch50", &["--static"]);
    assert_counts(
        &summary,
        &[
            ("A", 367),
            ("D", 167),
            ("F", 193),
            ("U", 225),
            ("E", 28),
            ("X", 6),
            ("C", 1),
            ("I", 4),
            ("P", 4),
            ("Q", 4),
            ("S", 1),
        ],
    );
    assert_eq!(summary["messages_unknown"], 0);
}

const DEEP_COUNTS: &[(&str, u64)] = &[
    ("P", 11_594),
    ("O", 11_317),
    ("H", 11_311),
    ("I", 11_309),
    ("8", 1_526),
    ("5", 1_226),
    ("T", 37),
    ("D", 3),
    ("S", 2),
];

fn assert_deep(summary: &Value) {
    assert_counts(summary, DEEP_COUNTS);
    for (key, value) in [
        ("packets", 5_000),
        ("first_seq", 1),
        ("gaps", 0),
        ("missing", 0),
        ("duplicates", 0),
        ("crossed_events", 0),
        ("symbols_with_book", 200),
        ("levels", 838),
        ("shares", 481_923),
    ] {
        assert_eq!(summary[key], value, "{key}");
    }
    for (symbol, bid, ask) in [("VOO", "392.11", "392.21"), ("TQQQ", "35.66", "35.68")] {
        assert_eq!(summary["books"][symbol]["bid_px"], bid, "{symbol}");
        assert_eq!(summary["books"][symbol]["ask_px"], ask, "{symbol}");
    }
}

#[test]
fn the_deep_capture_ends_with_the_known_books() {
    let Some(path) = real_data("iex/DEEP10_20231002_0734.pcap.gz") else { return };
    let (summary, _out) = replay(&path, "deep", &["--static"]);
    assert_deep(&summary);
}

#[test]
fn the_deep_capture_through_dpdk_gives_the_same_books_and_quotes() {
    let Some(packed) = real_data("iex/DEEP10_20231002_0734.pcap.gz") else { return };
    // net_pcap reads plain pcap only.
    let tmp = tempfile::tempdir().unwrap();
    let plain = tmp.path().join("deep.pcap");
    let unpacked = std::process::Command::new("gzip").arg("-dc").arg(&packed).output().unwrap();
    std::fs::write(&plain, unpacked.stdout).unwrap();
    let (by_file, file_out) = replay(&plain, "deep", &["--static", "--write", "bbo"]);
    let (by_dpdk, dpdk_out) = replay(&plain, "deep", &["--static", "--write", "bbo", "--source", "dpdk"]);
    assert_deep(&by_file);
    assert_deep(&by_dpdk);
    let bbo = |dir: &tempfile::TempDir| std::fs::read(dir.path().join("bbo.csv")).unwrap();
    assert!(bbo(&file_out).len() > 10_000);
    assert_eq!(bbo(&file_out), bbo(&dpdk_out));
}

#[test]
fn the_synthetic_itch_day_needs_lenient_framing() {
    let Some(path) = real_data("itch/RITCH_ex20101224.TEST_ITCH_50") else { return };
    let (summary, _out) = replay(&path, "itch50", &["--static", "--lenient-framing"]);
    assert_counts(
        &summary,
        &[
            ("S", 6),
            ("R", 3),
            ("H", 3),
            ("A", 4_997),
            ("F", 3),
            ("E", 198),
            ("D", 1_745),
            ("P", 5_000),
            ("U", 12),
            ("X", 45),
        ],
    );
}

/// The members of a LOBSTER archive whose name contains `part`, as text.
fn archive_member(path: &PathBuf, part: &str) -> String {
    let mut archive = zip::ZipArchive::new(std::fs::File::open(path).unwrap()).unwrap();
    let mut members = 0..archive.len();
    let index =
        members.find(|i| archive.by_index(*i).unwrap().name().unwrap().contains(part)).expect("the member");
    std::io::read_to_string(archive.by_index(index).unwrap()).unwrap()
}

#[test]
fn the_lobster_day_rebuilds_every_level_of_every_row() {
    let Some(path) = real_data("lobster/LOBSTER_SampleFile_AMZN_2012-06-21_5.zip") else { return };
    let (summary, out) = replay(&path, "lobster", &["--static", "--write", "depth", "--depth", "5"]);
    assert_eq!(summary["crossed_events"], 0);
    let messages = archive_member(&path, "message");
    let books = archive_member(&path, "orderbook");
    let depth = std::fs::read_to_string(out.path().join("depth.csv")).unwrap();
    let mut rows = depth.lines().skip(1).map(|l| l.splitn(4, ',').collect::<Vec<_>>());
    let mut compared = 0;
    for (number, (message, book)) in messages.lines().zip(books.lines()).enumerate() {
        let kind = message.split(',').nth(1).unwrap();
        // Row 0 of the order book is where the replay starts from; hidden executions and halts change no book.
        if number > 0 && ["1", "2", "3", "4"].contains(&kind) {
            let row = rows.next().expect("a depth row for each book-changing message");
            assert_eq!(row[1], (number + 1).to_string(), "sequence number");
            assert_eq!(row[3], format!("{},live", five_levels(book)), "row {}", number + 1);
            compared += 1;
        }
    }
    assert_eq!(compared, 153_490);
    assert!(rows.next().is_none(), "no depth row without a message");
}

/// A LOBSTER order-book row in the form of depth.csv (LOBSTER prices are dollars times 10,000; a level without shares is none).
fn five_levels(row: &str) -> String {
    let fields: Vec<i64> = row.split(',').map(|f| f.parse().unwrap()).collect();
    let level = |pair: &[i64]| match pair[1] {
        0 => ",".to_owned(),
        shares => format!("{},{shares}", types::Px::from_1e4(pair[0])),
    };
    fields.chunks(2).map(level).collect::<Vec<_>>().join(",")
}

#[test]
fn databento_files_have_their_records_and_say_when_a_book_can_be_believed() {
    let Some(path) = real_data("dbn/CLX5_mbo.dbn") else { return };
    let (summary, out) = replay(&path, "dbn", &["--static", "--write", "bbo"]);
    let types = &summary["messages_by_type"];
    let counts = ["A", "C", "M", "T", "F"].map(|letter| types[letter].as_u64().unwrap_or(0));
    assert_eq!(counts, [14_959, 16_252, 2_701, 1_599, 2_701], "{types}");
    let quotes = std::fs::read_to_string(out.path().join("bbo.csv")).unwrap();
    let rows: Vec<_> = quotes.lines().skip(1).collect();
    assert!(rows.len() > 1_000 && rows.iter().all(|row| row.contains(",CLX5,")), "{}", rows.len());
    assert!(rows[0].ends_with(",joined_in_mid_session"), "{}", rows[0]);
}
