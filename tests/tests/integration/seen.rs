//! What a person sees of a running daemon: each line of a feed, what drove a tier, instruments without room.

use crate::daemon::{Daemon, Started, configure, ctl, said, start_until, until};
use crate::fuzz::first_packets;
use crate::records::records;
use crate::tables::{replay, scenario};
use serde_json::Value;
use simulator::PcapWriter;
use std::fs::File;
use std::path::Path;
use tempfile::TempDir;

/// The first line of the simulated venue.
const LINE_A: &str = "239.192.12.1:26477";

/// A daemon on a capture of `market`, whose configuration `edit` has changed.
fn started(market: &TempDir, name: &str, edit: impl Fn(String) -> String) -> Started {
    let dir = tempfile::tempdir().unwrap();
    let config = configure(dir.path(), &market.path().join(format!("{name}.pcap")));
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, edit(text)).unwrap();
    let daemon = Daemon::start(&config, &dir.path().join("control.sock"));
    Started { daemon, dir }
}

/// The answer to a command, as programs get it.
fn json(dir: &Path, command: &[&str]) -> Value {
    let output = ctl(&dir.join("control.sock"), &[command, &["-o", "json"]].concat());
    serde_json::from_str(&said(&output)).expect("JSON")
}

#[test]
fn each_line_of_a_feed_is_told_and_a_dead_one_since_when() {
    let market = tempfile::tempdir().unwrap();
    let mut pcap = PcapWriter::new(File::create(market.path().join("first.pcap")).unwrap()).unwrap();
    first_packets(500).iter().for_each(|packet| pcap.frame(packet.ts_ns, &packet.frame()).unwrap());
    pcap.finish().unwrap();
    // A port that never falls silent: the packets come again and again. Nobody sends to the second group.
    let looped = |text: String| {
        let (head, path) = text.split_once("file:").unwrap();
        let (path, _) = path.split_once('"').unwrap();
        format!(
            "{head}net_pcap0,rx_pcap={path},infinite_rx=1\"\nigmp = \"off\"\nstale_after_ms = 1000\n\
             line_a = [\"{LINE_A}\"]\nline_b = [\"233.1.1.1:26477\"]\n"
        )
    };
    let Started { dir, daemon: _daemon } = started(&market, "first", looped);
    let lines = || json(dir.path(), &["status"])["status"]["feeds"][0]["lines"].clone();
    until("line B is dead", || lines()[1]["dead_since"].is_string());
    let now = lines();
    let [a, b] = &now.as_array().expect("lines")[..] else { panic!("two lines: {now}") };
    assert_eq!((a["line"].as_str(), a["group"].as_str()), (Some("A"), Some(LINE_A)));
    assert!(a["packets"].as_u64() > Some(1_000) && a["messages"].as_u64() > Some(1_000), "{a}");
    assert!(a["dead_since"].is_null() && a["last"].is_string(), "{a}");
    assert_eq!((b["line"].as_str(), b["packets"].as_u64(), b["last"].is_null()), (Some("B"), Some(0), true));
    let text = said(&ctl(&dir.path().join("control.sock"), &["status"]));
    let row = text.lines().find(|row| row.trim_start().starts_with("line B")).expect("a row of the line");
    assert!(row.contains("DEAD: not heard since the start"), "{row}");
}

#[test]
fn both_lines_of_a_capture_are_counted_apart() {
    let market = scenario("feed-gap", &[]);
    let summary = replay(&market.path().join("feed-gap.pcap"), &["--static"]);
    let summary = std::fs::read(summary.path().join("summary.json")).unwrap();
    let summary: Value = serde_json::from_slice(&summary).unwrap();
    let Started { dir, daemon: _daemon } = started(&market, "feed-gap", |text| text.replace("FUTX", "ALFA"));
    let lines = || json(dir.path(), &["status"])["status"]["feeds"][0]["lines"].clone();
    until("all of it was read", || lines()[1]["packets"] == summary["lines"][1]["packets"]);
    for (live, replayed) in lines().as_array().unwrap().iter().zip(summary["lines"].as_array().unwrap()) {
        assert!(live["missing"].as_u64() > Some(0), "this line loses packets: {live}");
        let pairs = [("messages", "messages"), ("missing", "lost"), ("late", "late"), ("damaged", "bad")];
        for (ours, theirs) in pairs {
            assert_eq!(live[ours], replayed[theirs], "{ours}: {live}, {replayed}");
        }
    }
}

#[test]
fn tier_show_says_the_values_of_what_drove_the_score() {
    let market = scenario("flash-crash", &[]);
    let row = |at: &Started| json(at.dir.path(), &["tier", "show", "FUTX"])["tiers"][0].clone();
    let start = || started(&market, "flash-crash", |text| text);
    let at = start_until("the crash is seen", start, |at| row(at)["tier"] == "critical");
    let (row, dir) = (row(&at), &at.dir);
    let drivers = row["driver_values"].as_array().expect("drivers");
    assert_eq!(drivers.len(), 3, "{row}");
    let table = said(&ctl(&dir.path().join("control.sock"), &["tier", "show", "FUTX"]));
    let told = table.lines().nth(1).expect("a row").split("; ");
    for ((driver, column), told) in drivers.iter().zip(row["drivers"].as_array().unwrap()).zip(told) {
        let feature = types::FEATURES.iter().find(|f| f.name == *column).expect("a column of captures");
        assert_eq!((&driver["feature"], driver["unit"].as_str()), (column, Some(feature.unit)));
        // "bid-ask spread 6.25 bps", whatever columns stand before it.
        let (value, said) = (driver["value"].as_f64().expect("a live book has them all"), told.trim());
        let (_, rest) = said.split_once(feature.plain).expect("the feature's name");
        let shown: f64 = rest.trim().trim_end_matches(feature.unit).trim().parse().expect("a value");
        assert!(
            (shown - value).abs() <= 0.005 * value.abs() && said.ends_with(feature.unit),
            "{said}: {value}"
        );
    }
}

#[test]
fn instruments_without_room_are_counted_in_the_summary_and_the_status() {
    let market = scenario("calm", &["--minutes", "1", "--instruments", "12"]);
    let small = |text: String| text.replace("instruments = 64", "instruments = 8");
    let Started { dir, daemon: _daemon } = started(&market, "calm", small);
    let feed = || json(dir.path(), &["status"])["status"]["feeds"][0].clone();
    until("four instruments have no room", || feed()["instruments_beyond"] == 4);
    let status = said(&ctl(&dir.path().join("control.sock"), &["status"]));
    assert!(status.contains("4 instruments without room (book.instruments)"), "{status}");
    let config = dir.path().join("portcullis.toml");
    let out = replay(&market.path().join("calm.pcap"), &["--static", "--config", config.to_str().unwrap()]);
    let summary: Value =
        serde_json::from_slice(&std::fs::read(out.path().join("summary.json")).unwrap()).unwrap();
    assert_eq!((summary["instruments_beyond"].as_u64(), summary["symbols"].as_u64()), (Some(4), Some(8)));
}

#[test]
fn a_feed_that_was_joined_in_mid_session_says_which_instruments_wait() {
    let market = scenario("calm", &["--minutes", "1"]);
    let whole = std::fs::read(market.path().join("calm.pcap")).unwrap();
    // What came first introduces the instruments; here it was missed.
    let first = records(&whole)[400].at;
    std::fs::write(market.path().join("late.pcap"), [&whole[..24], &whole[first..]].concat()).unwrap();
    for (name, waits) in [("late", true), ("calm", false)] {
        let Started { dir, daemon: _daemon } = started(&market, name, |text| text);
        let waiting = || {
            let books = json(dir.path(), &["status"])["status"]["books"].clone();
            let groups = books.as_array().cloned().unwrap_or_default().into_iter();
            let joined = |group: &Value| group["state"].as_str().unwrap().contains("joined");
            let names = |group: Value| group["symbols"].as_array().cloned().unwrap_or_default();
            groups
                .filter(joined)
                .flat_map(names)
                .map(|name| name.as_str().unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        if !waits {
            until("its books are live", || {
                json(dir.path(), &["tier", "show", "FUTX"])["tiers"][0]["book"] == "live"
            });
            assert_eq!(waiting(), [""; 0]);
            continue;
        }
        until("it says that instruments wait", || waiting().contains(&"FUTX".to_owned()));
        let text = said(&ctl(&dir.path().join("control.sock"), &["status"]));
        let row = text.lines().find(|row| row.starts_with("books")).expect("a row of the books");
        assert!(row.contains("joined in mid-session") && row.contains("ALFA"), "{row}");
    }
}

#[test]
fn without_a_model_no_tier_is_known() {
    let market = scenario("calm", &["--minutes", "1"]);
    let Started { dir, daemon: _daemon } =
        started(&market, "calm", |text| format!("{text}[scorer]\nenabled = false\n"));
    let row = json(dir.path(), &["tier", "show", "FUTX"])["tiers"][0].clone();
    assert_eq!((row["tier"].as_str(), row["score"].as_str()), (Some("unknown"), Some("")), "{row}");
    let status = json(dir.path(), &["status"])["status"].clone();
    let tiers = &status["tiers"];
    assert!(tiers["unknown"].as_u64() > Some(0) && tiers["normal"] == 0, "{tiers}");
    assert_eq!(status["scorer"]["backend"], "off");
    let order = ["gate", "explain", "--symbol", "FUTX", "--side", "buy", "--qty", "1", "--px", "4985"];
    let asked = [&order[..], &["--strategy", "s", "--account", "a"]].concat();
    let explained = json(dir.path(), &asked)["explain"].clone();
    assert_eq!(
        (explained["tier"].as_str(), explained["score"].as_str()),
        (Some("unknown"), Some("")),
        "{explained}"
    );
}

#[test]
fn an_order_is_flagged_above_the_share_of_a_limit_that_the_configuration_says() {
    let market = scenario("calm", &["--minutes", "1"]);
    let Started { dir, daemon: _daemon } = started(&market, "calm", |text| {
        let limit = |key: &str, n: u32| format!("{key} = {{ floor = 1, base = {n}, cap = {n} }}\n");
        let far = ["max_notional", "max_pos_long"].map(|key| limit(key, 1_000_000_000)).concat();
        let qty = limit("max_qty", 500);
        format!("{text}[scorer]\nenabled = false\n[limits]\nwarn_at = 0.6\n[limits.default]\n{far}{qty}")
    });
    let flagged = |qty: &str| {
        let order = ["gate", "explain", "--symbol", "FUTX", "--side", "buy", "--qty", qty, "--px", "4985"];
        let explained =
            json(dir.path(), &[&order[..], &["--strategy", "s", "--account", "a"]].concat())["explain"]
                .clone();
        let flags = explained["flags"].as_array().expect("flags").clone();
        flags.iter().any(|flag| flag == "near_limit")
    };
    until("FUTX is known", || json(dir.path(), &["limits", "show", "FUTX"])["limits"][0]["base"] == 500);
    assert_eq!(["300", "301"].map(flagged), [false, true]);
    let shown = said(&ctl(&dir.path().join("control.sock"), &["limits", "show", "FUTX"]));
    assert!(shown.contains("An order above 60 % of a limit has the flag near_limit."), "{shown}");
}
