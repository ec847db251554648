//! LOBSTER archives: the events, applied to a naive book, show the order book file after every row.

use std::collections::{BTreeMap, HashMap};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;

use dataplane::{FeedKind, OpenError, SourceError};
use types::{Action, BookEvent, EventFlags, Px, Side};

use crate::common::{Replay, real_data, replay_archive};

fn replay(path: &Path) -> Result<Replay, SourceError> {
    replay_archive(FeedKind::Lobster, &[path]).map_err(|error| match error {
        OpenError::Source(error) => error,
        other => panic!("{other}"),
    })
}

/// The simplest book there is.
#[derive(Default)]
struct Naive {
    orders: HashMap<u64, (Side, Px, u64)>,
    levels: [BTreeMap<i64, u64>; 2],
}

impl Naive {
    fn add(&mut self, id: u64, side: Side, px: Px, qty: u64) {
        assert!(qty > 0 && self.orders.insert(id, (side, px, qty)).is_none(), "order {id} is new");
        *self.levels[side.index()].entry(px.0).or_default() += qty;
    }

    fn take(&mut self, id: u64, wanted: Option<u64>) -> (Side, Px) {
        let (side, px, held) = *self.orders.get(&id).expect("a known order");
        let taken = wanted.unwrap_or(held);
        assert!(taken <= held, "order {id} holds {held}");
        let level = self.levels[side.index()].get_mut(&px.0).unwrap();
        *level -= taken;
        if *level == 0 {
            self.levels[side.index()].remove(&px.0);
        }
        if taken == held {
            self.orders.remove(&id);
        } else {
            self.orders.insert(id, (side, px, held - taken));
        }
        (side, px)
    }

    fn apply(&mut self, e: &BookEvent) {
        let qty = u64::from(e.qty.0);
        match e.action {
            Action::OrderAdd => self.add(e.order_id, e.side, e.px, qty),
            Action::OrderReduce | Action::OrderExecute => {
                self.take(e.order_id, Some(qty));
            }
            Action::OrderDelete => {
                self.take(e.order_id, None);
            }
            Action::OrderReplace => {
                let (side, _) = self.take(e.order_id, None);
                self.add(e.aux, side, e.px, qty);
            }
            _ => {}
        }
    }

    /// The best levels as the order book file writes them.
    fn row(&self, levels: usize) -> Vec<i64> {
        let asks: Vec<_> = self.levels[1].iter().map(|(p, q)| (*p, *q)).take(levels).collect();
        let bids: Vec<_> = self.levels[0].iter().rev().map(|(p, q)| (*p, *q)).take(levels).collect();
        let mut row = Vec::new();
        for k in 0..levels {
            for (side, empty) in [(&asks, 9_999_999_999), (&bids, -9_999_999_999)] {
                let (px, qty) = side.get(k).map_or((empty, 0), |(p, q)| (p / 100_000, *q));
                row.extend([px, i64::try_from(qty).unwrap()]);
            }
        }
        row
    }
}

/// The archive's order book file, unpacked by another way than the code under test.
fn order_book_rows(path: &Path) -> Vec<Vec<i64>> {
    let mut zip = zip::ZipArchive::new(std::fs::File::open(path).unwrap()).unwrap();
    let name =
        zip.file_names().map(|n| String::from(n.unwrap())).find(|n| n.contains("_orderbook_")).unwrap();
    let entry = BufReader::new(zip.by_name(&name).unwrap());
    entry.lines().map(|line| line.unwrap().split(',').map(|n| n.parse().unwrap()).collect()).collect()
}

/// Applies the events and compares after each row; returns the number of rows.
fn check_rows(got: &Replay, rows: &[Vec<i64>], levels: usize) {
    let mut book = Naive::default();
    let mut events = got.events.iter().peekable();
    while let Some(e) = events.next_if(|e| e.seq.0 == 0) {
        book.apply(e);
    }
    for (i, wanted) in rows.iter().enumerate() {
        let seq = i as u64 + 1;
        let mut of_row = Vec::new();
        while let Some(e) = events.next_if(|e| e.seq.0 == seq) {
            book.apply(e);
            of_row.push(e);
        }
        // The row's own message comes first; only the row's last event says that the book is whole.
        assert!(!of_row[0].flags.has(EventFlags::SNAPSHOT), "row {seq} begins with its message");
        let last: Vec<bool> = of_row.iter().map(|e| e.flags.has(EventFlags::LAST)).collect();
        assert_eq!(last.iter().position(|l| *l), Some(of_row.len() - 1), "row {seq} ends whole");
        assert_eq!(&book.row(levels), wanted, "row {seq}");
    }
    assert!(events.next().is_none());
}

#[test]
fn five_levels_of_a_real_day_are_exact_on_every_row() {
    let Some(data) = real_data() else { return };
    let path = data.join("lobster/LOBSTER_SampleFile_AMZN_2012-06-21_5.zip");
    let got = replay(&path).unwrap();
    assert!(got.error.is_none(), "{}", got.error_text());
    assert_eq!((got.stats.messages, got.types().as_str()), (155_935, "177381 2450 366685 48974 52445"));
    assert_eq!(got.symbols, ["AMZN"]);
    // 2012-06-21 09:30 in New York.
    assert_eq!(got.stats.first_ts().0, 1_340_251_200_000_000_000 + 34_200_017_459_617);
    assert_eq!(got.stats.corrected_levels, 0, "only the deepest level can change unseen");
    assert!(got.stats.uncovered_levels > 1_000 && got.stats.unannounced_orders > 0);
    check_rows(&got, &order_book_rows(&path), 5);
    assert_eq!(
        (got.count(Action::Trade), got.count(Action::Define), got.count(Action::Clear)),
        (2_445, 1, 1)
    );
}

#[test]
fn one_level_of_a_real_day_is_exact_on_every_row() {
    let Some(data) = real_data() else { return };
    let path = data.join("lobster/LOBSTER_SampleFile_AMZN_2012-06-21_1.zip");
    let got = replay(&path).unwrap();
    assert!(got.error.is_none(), "{}", got.error_text());
    assert_eq!(got.stats.messages, 57_515);
    check_rows(&got, &order_book_rows(&path), 1);
}

/// An archive of these two files of two levels, in a folder that lives as long as the test.
fn archive(messages: &str, depths: &str) -> (tempfile::TempDir, std::path::PathBuf) {
    let name = |kind| format!("XYZ_2024-03-11_34200000_57600000_{kind}_2.csv");
    archive_of([(name("message"), messages), (name("orderbook"), depths)])
}

fn archive_of(files: [(String, &str); 2]) -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("day.zip");
    let mut zip = zip::ZipWriter::new(std::fs::File::create(&path).unwrap());
    for (name, text) in files {
        zip.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(text.as_bytes()).unwrap();
    }
    zip.finish().unwrap();
    (folder, path)
}

const EMPTY: &str = "9999999999,0,-9999999999,0";

#[test]
fn orders_nobody_announced_come_from_the_level() {
    // Row 2 executes 30 of an order known only from the book file, row 3 deletes the rest of that level.
    let messages = "1.5,1,7,10,20000,1\n2,4,99,30,21000,-1\n3,3,98,20,21000,-1\n4,7,0,0,-1,-1\n";
    let depths = format!(
        "21000,50,20000,110,{EMPTY}\n21000,20,20000,110,{EMPTY}\n9999999999,0,20000,110,{EMPTY}\n9999999999,0,20000,110,{EMPTY}\n"
    );
    let (_folder, path) = archive(messages, &depths);
    let got = replay(&path).unwrap();
    assert!(got.error.is_none(), "{}", got.error_text());
    let seed = 1_u64 << 63;
    let seen: Vec<_> = got.events.iter().map(|e| (e.seq.0, e.action, e.order_id, e.qty.0)).collect();
    let wanted = [
        (0, Action::Clear, 0, 0),
        (0, Action::Status, 0, 0),
        (0, Action::OrderAdd, seed, 100),
        (0, Action::OrderAdd, seed + 1, 50),
        (1, Action::OrderAdd, 7, 10),
        (2, Action::OrderExecute, seed + 1, 30),
        (3, Action::OrderDelete, seed + 1, 0),
        (4, Action::Status, 0, 0),
    ];
    assert_eq!(seen[1..], wanted);
    let snapshot: Vec<bool> = got.events[3..7].iter().map(|e| e.flags.has(EventFlags::SNAPSHOT)).collect();
    assert_eq!(snapshot, [true, true, false, false]);
    assert_eq!(
        (got.stats.unannounced_orders, got.stats.corrected_levels, got.stats.uncovered_levels),
        (2, 0, 0)
    );
}

#[test]
fn an_announced_order_is_left_alone_while_others_can_be_meant() {
    // Between rows 1 and 2 the second level grows unseen; row 3 executes what came, row 4 deletes the announced order.
    let messages = "1,1,7,10,19990,1\n2,5,0,1,20000,1\n3,4,99,20,19990,1\n4,3,7,10,19990,1\n";
    let row = |second: &str| format!("9999999999,0,20000,10,9999999999,0,{second}\n");
    let depths = [row("19990,10"), row("19990,30"), row("19990,10"), row("-9999999999,0")].concat();
    let (_folder, path) = archive(messages, &depths);
    let got = replay(&path).unwrap();
    assert!(got.error.is_none(), "{}", got.error_text());
    let seed = 1_u64 << 63;
    let seen: Vec<_> = got.events.iter().skip(4).map(|e| (e.seq.0, e.action, e.order_id, e.qty.0)).collect();
    let wanted = [
        (1, Action::OrderAdd, 7, 10),
        (2, Action::Trade, 0, 1),
        (2, Action::OrderAdd, seed + 1, 20),
        (3, Action::OrderExecute, seed + 1, 20),
        (4, Action::OrderDelete, 7, 0),
    ];
    assert_eq!(seen, wanted);
    assert_eq!(
        (got.stats.uncovered_levels, got.stats.corrected_levels),
        (0, 1),
        "no message says where from"
    );
}

#[test]
fn a_cross_trade_belongs_to_no_order() {
    let messages = "1.5,1,7,10,20000,1\n2,6,-1,500,20500,-1\n";
    let row = format!("9999999999,0,20000,10,{EMPTY}\n");
    let (_folder, path) = archive(messages, &[row.clone(), row].concat());
    let got = replay(&path).unwrap();
    assert!(got.error.is_none(), "{}", got.error_text());
    let cross = got.events.last().unwrap();
    assert_eq!((cross.action, cross.qty.0, cross.px), (Action::Trade, 500, Px::from_1e4(20_500)));
    assert!(cross.flags.has(EventFlags::CROSS.with(EventFlags::SIDELESS)));
}

#[test]
fn the_time_of_one_row_is_believed_when_the_row_behind_it_agrees() {
    let seconds = |times: [u64; 5]| {
        let messages: String = times.iter().map(|t| format!("{t},5,0,1,20000,1\n")).collect();
        let depths = format!("9999999999,0,20000,10,{EMPTY}\n").repeat(5);
        let (_folder, path) = archive(&messages, &depths);
        let got = replay(&path).unwrap();
        assert!(got.error.is_none(), "{}", got.error_text());
        let trades = got.events.iter().filter(|e| e.action == Action::Trade);
        let seconds: Vec<_> =
            trades.map(|e| (e.ts_event.0 - 1_710_129_600_000_000_000) / 1_000_000_000).collect();
        (seconds, got.stats.event_time_outliers())
    };
    assert_eq!(
        seconds([34_200, 34_201, 57_000, 34_202, 34_203]),
        (vec![34_200, 34_201, 34_201, 34_202, 34_203], 1)
    );
    assert_eq!(seconds([34_200, 34_201, 9_999_999, 34_202, 34_203]).1, 1);
    assert_eq!(
        seconds([57_000, 34_201, 34_201, 34_202, 34_203]),
        (vec![34_201, 34_201, 34_201, 34_202, 34_203], 1)
    );
    assert_eq!(
        seconds([34_200, 34_201, 30_000, 34_202, 34_203]),
        (vec![34_200, 34_201, 34_201, 34_202, 34_203], 1)
    );
    // A silence, also a long one.
    assert_eq!(
        seconds([34_200, 34_201, 50_000, 50_000, 57_000]),
        (vec![34_200, 34_201, 50_000, 50_000, 57_000], 0)
    );
}

#[test]
fn files_of_two_days_are_told_from_one_another() {
    // The best bid of the book file is never what the messages make it.
    let messages: String = (1..200).map(|n| format!("{n},1,{n},10,20000,1\n")).collect();
    let depths: String = (1..200).map(|n| format!("9999999999,0,20000,{},{EMPTY}\n", 7 * n)).collect();
    let (_folder, path) = archive(&messages, &depths);
    let text = replay(&path).unwrap().error_text();
    assert!(text.contains("rows that the messages do not lead to"), "{text}");
}

#[test]
fn files_of_one_level_that_do_not_belong_together_are_told_too() {
    // The only level shown is the deepest. Row by row the bid goes and another comes into view; then it changes by itself.
    let row = |px: i64, qty: i64| format!("9999999999,0,{px},{qty}\n");
    let name = |kind| format!("XYZ_2024-03-11_34200000_57600000_{kind}_1.csv");
    let replayed = |messages: &str, depths: &str| {
        let (_folder, path) = archive_of([(name("message"), messages), (name("orderbook"), depths)]);
        replay(&path).unwrap()
    };
    let gone: String = (1..300).map(|n| format!("{n},3,{n},10,{},1\n", 20_000 - 100 * n)).collect();
    let shown: String = (1..300).map(|n| row(19_900 - 100 * n, 10)).collect();
    let got = replayed(&gone, &shown);
    assert!(got.error.is_none(), "{}", got.error_text());
    assert_eq!((got.stats.uncovered_levels, got.stats.corrected_levels), (298, 0));
    let hidden: String = (1..300).map(|n| format!("{n},5,0,10,20000,1\n")).collect();
    let text = replayed(&hidden, &shown).error_text();
    assert!(text.contains("rows that the messages do not lead to"), "{text}");
}

#[test]
fn damaged_archives_say_what_is_wrong() {
    let why = |messages: &str, depths: &str| {
        let (_folder, path) = archive(messages, depths);
        replay(&path).unwrap().error_text()
    };
    let row = format!("21000,50,20000,110,{EMPTY}\n");
    let bad_type = why("1.5,9,7,10,20000,1\n", &row);
    assert!(bad_type.contains("message type 9 on line 1, wanted 1 to 7"), "{bad_type}");
    let bad_time = why("1.5,5,7,10,20000,1\nnoon,1,7,10,20000,1\n", &format!("{row}{row}"));
    assert!(bad_time.contains("offset 19: found time \"noon\" on line 2"), "{bad_time}");
    let short = why("1.5,5,7,10,20000,1\n2,5,7,10,20000,1\n", &row);
    assert!(short.contains("as many rows as"), "{short}");

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("not.zip");
    std::fs::write(&path, b"PK but not really").unwrap();
    let Err(refused) = replay(&path) else { panic!("opened") };
    assert!(refused.to_string().contains("wanted a zip archive"), "{refused}");
}
