//! Books that the feed itself proves wrong, or that were joined in mid-session: from messages to verdicts and summary.

use std::fmt::Write as _;

use wire::IntoBytes;
use wire::itch50::{AddOrder, OrderDelete, OrderExecuted, StockDirectory, StockTradingAction, SystemEvent};

use crate::tables::{column, rows};
use tests::portcullis_ok;

const STOCK: [u8; 8] = *b"ZVZZT   ";
const OTHER: [u8; 8] = *b"ZWZZT   ";
/// 2024-03-11 in New York.
const MIDNIGHT_NS: u64 = 1_710_129_600_000_000_000;
const OPEN_NS: u64 = 34_200_000_000_000;

/// A raw file: messages behind their lengths, a millisecond apart.
struct Day {
    bytes: Vec<u8>,
    at_ns: u64,
}

impl Day {
    fn empty() -> Self {
        Self { bytes: Vec::new(), at_ns: OPEN_NS }
    }

    /// One that begins as a day does, with a quote of 100.00 to 100.02 in orders 4 and 8.
    fn whole() -> Self {
        let mut day = Self::empty();
        day.send(|ts| SystemEvent::new(0, 0, ts, b'O').as_bytes().to_vec());
        day.send(|ts| StockDirectory::common_stock(1, ts, STOCK, 100).as_bytes().to_vec());
        day.trades();
        day.quotes();
        day
    }

    fn send(&mut self, message: impl FnOnce(u64) -> Vec<u8>) {
        self.at_ns += 1_000_000;
        let message = message(self.at_ns);
        let length = u16::try_from(message.len()).unwrap();
        self.bytes.extend_from_slice(&length.to_be_bytes());
        self.bytes.extend_from_slice(&message);
    }

    fn trades(&mut self) {
        self.send(|ts| StockTradingAction::new(1, 0, ts, STOCK, b'T', b' ', *b"    ").as_bytes().to_vec());
    }

    fn quotes(&mut self) {
        self.send(|ts| AddOrder::new(1, 0, ts, 4, b'B', 100, STOCK, 1_000_000).as_bytes().to_vec());
        self.send(|ts| AddOrder::new(1, 0, ts, 8, b'S', 100, STOCK, 1_000_200).as_bytes().to_vec());
    }

    /// What a replay of it with one sound order at its end writes.
    fn replay(&self) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let (feed, orders, out) =
            (dir.path().join("day.itch"), dir.path().join("orders.csv"), dir.path().join("out"));
        std::fs::write(&feed, &self.bytes).unwrap();
        let mut table = "ts_ns,cl_ord_id,account,strategy,symbol,side,qty,px,type,tif\n".to_owned();
        let ts = MIDNIGHT_NS + self.at_ns + 1_000_000;
        writeln!(table, "{ts},1,A,S,ZVZZT,buy,10,99.99,limit,day").unwrap();
        std::fs::write(&orders, table).unwrap();
        portcullis_ok([
            "replay",
            feed.to_str().unwrap(),
            "--feed",
            "itch50",
            "--date",
            "2024-03-11",
            "--static",
            "--write",
            "bbo,depth,verdicts",
            "--depth",
            "1",
            "--orders",
            orders.to_str().unwrap(),
            "--out",
            out.to_str().unwrap(),
        ]);
        dir
    }

    /// What the order gets: its code, and the summary.
    fn judge(&self) -> (String, serde_json::Value) {
        let dir = self.replay();
        let out = dir.path().join("out");
        let verdict = &rows(&out, "verdicts.csv")[0];
        let code = verdict[column("verdicts.csv", "code")].clone();
        let summary = std::fs::read_to_string(out.join("summary.json")).unwrap();
        (code, serde_json::from_str(&summary).unwrap())
    }

    /// What each best price is said to be worth.
    fn marks(&self) -> Vec<String> {
        let dir = self.replay();
        let of = |table| -> Vec<String> {
            rows(&dir.path().join("out"), table).into_iter().map(|mut row| row.pop().unwrap()).collect()
        };
        // Of one level and one instrument, the table of levels says the same.
        assert_eq!(column("bbo.csv", "book"), 7, "the last one");
        assert_eq!(of("bbo.csv"), of("depth.csv"));
        of("bbo.csv")
    }
}

/// The code of orders against a book that is not to be believed.
const STALE: &str = "901";

#[test]
fn a_whole_book_that_nothing_contradicts_is_live() {
    let mut day = Day::whole();
    day.send(|ts| OrderExecuted::new(1, 0, ts, 4, 50, 1).as_bytes().to_vec());
    day.send(|ts| OrderDelete::new(1, 0, ts, 77).as_bytes().to_vec());
    let (code, summary) = day.judge();
    assert_ne!(code, STALE);
    assert_eq!(summary["stale_books"], serde_json::json!({}));
    assert_eq!(
        (&summary["unknown_orders"], &summary["books"]["ZVZZT"]["state"]),
        (&1.into(), &"live".into())
    );
    // Of the day that `--date` says, and not of 1970.
    let times = ["first_ts_ns", "last_ts_ns"].map(|key| summary[key].as_u64().unwrap());
    assert_eq!(times, [MIDNIGHT_NS + OPEN_NS + 1_000_000, MIDNIGHT_NS + day.at_ns]);
}

#[test]
fn each_best_price_says_whether_its_book_can_be_believed() {
    let mut day = Day::whole();
    assert_eq!(day.marks(), ["live", "live"]);
    day.send(|ts| OrderExecuted::new(1, 0, ts, 4, 101, 1).as_bytes().to_vec());
    day.send(|ts| AddOrder::new(1, 0, ts, 12, b'B', 100, STOCK, 1_000_100).as_bytes().to_vec());
    assert_eq!(day.marks()[2..], ["over_execution", "over_execution"]);
    let mut joined = Day::empty();
    joined.trades();
    joined.quotes();
    assert_eq!(joined.marks(), ["joined_in_mid_session"; 2]);
}

#[test]
fn a_book_that_is_doubted_while_its_quotes_stand_is_said_to_be() {
    // By its own messages, by another one's, with all others, and a day that makes it whole again before it has quotes.
    let mut doubted = Day::whole();
    (0..4).for_each(|n| doubted.send(|ts| OrderDelete::new(1, 0, ts, 1_000 + n).as_bytes().to_vec()));
    assert_eq!(doubted.marks(), ["live", "live", "unknown_orders"]);
    let mut stolen = Day::whole();
    stolen.send(|ts| StockDirectory::common_stock(2, ts, OTHER, 100).as_bytes().to_vec());
    stolen.send(|ts| OrderDelete::new(2, 0, ts, 4).as_bytes().to_vec());
    assert_eq!(stolen.marks(), ["live", "live", "mixed_locate"]);
    let mut damaged = Day::whole();
    damaged.send(|_| b"A123".to_vec());
    assert_eq!(damaged.marks(), ["live", "live", "gap"]);
}

#[test]
fn what_proves_a_book_wrong_makes_it_stale_with_its_cause() {
    type Contradict = fn(&mut Day);
    let cases: [(&str, Contradict); 5] = [
        ("unknown_orders", |day| {
            (0..4).for_each(|n| day.send(|ts| OrderDelete::new(1, 0, ts, 1_000 + n).as_bytes().to_vec()));
        }),
        ("over_execution", |day| day.send(|ts| OrderExecuted::new(1, 0, ts, 4, 101, 1).as_bytes().to_vec())),
        ("duplicate_order", |day| {
            day.send(|ts| AddOrder::new(1, 0, ts, 8, b'S', 100, STOCK, 1_000_300).as_bytes().to_vec());
        }),
        ("mixed_locate", |day| {
            day.send(|ts| AddOrder::new(1, 0, ts, 12, b'B', 100, OTHER, 999_900).as_bytes().to_vec());
        }),
        ("mixed_locate", |day| {
            day.send(|ts| StockDirectory::common_stock(1, ts, OTHER, 100).as_bytes().to_vec());
        }),
    ];
    for (cause, contradict) in cases {
        let mut day = Day::whole();
        contradict(&mut day);
        let (code, summary) = day.judge();
        assert_eq!(code, STALE, "{cause}");
        assert!(summary["stale_books"][cause].as_u64().is_some_and(|n| n > 0), "{cause}: {summary}");
        // A new day makes it whole again.
        day.send(|ts| SystemEvent::new(0, 0, ts, b'O').as_bytes().to_vec());
        day.send(|ts| StockDirectory::common_stock(1, ts, STOCK, 100).as_bytes().to_vec());
        day.trades();
        day.quotes();
        let (code, summary) = day.judge();
        let expected_mixed = summary["redefined_locates"].as_u64().unwrap_or(0) > 0;
        assert!(expected_mixed || code != STALE, "{cause}");
    }
}

#[test]
fn a_book_joined_in_mid_session_is_never_live_from_deltas_alone() {
    let mut joined = Day::empty();
    joined.trades();
    joined.quotes();
    let (code, summary) = joined.judge();
    assert_eq!(
        (code.as_str(), &summary["books"]["ZVZZT"]["state"]),
        (STALE, &"joined_in_mid_session".into())
    );
    // The day was heard from its start, and this stock was not introduced.
    let mut unknown = Day::empty();
    unknown.send(|ts| SystemEvent::new(0, 0, ts, b'O').as_bytes().to_vec());
    unknown.trades();
    unknown.quotes();
    let (code, summary) = unknown.judge();
    assert_eq!(
        (code.as_str(), &summary["books"]["ZVZZT"]["state"]),
        (STALE, &"joined_in_mid_session".into())
    );
}
