//! Whatever is wrong with the input: one clear line, the right exit code, and no half-written output.

use crate::tables::{replay, scenario};
use std::path::Path;
use tests::portcullis;

/// Runs `portcullis replay` on a file with these bytes and returns the one line it says; the run must fail with 1 and
/// leave nothing under a final name.
fn complaint(name: &str, bytes: &[u8], feed: &str) -> String {
    complaint_with(name, bytes, feed, &[])
}

/// The same, with more arguments.
fn complaint_with(name: &str, bytes: &[u8], feed: &str, extra: &[&str]) -> String {
    let tmp = tempfile::tempdir().unwrap();
    let input = tmp.path().join(name);
    std::fs::write(&input, bytes).unwrap();
    let out = tmp.path().join("out");
    let mut args =
        vec!["replay", input.to_str().unwrap(), "--feed", feed, "--static", "--out", out.to_str().unwrap()];
    args.extend(extra);
    let run = portcullis(args);
    assert_eq!(run.status.code(), Some(1), "{}", String::from_utf8_lossy(&run.stderr));
    assert_leaves_nothing(&out);
    one_line(&run.stderr)
}

fn one_line(stderr: &[u8]) -> String {
    let text = String::from_utf8(stderr.to_vec()).unwrap();
    let lines: Vec<_> = text.lines().filter(|l| l.starts_with("portcullis: ")).collect();
    assert_eq!(lines.len(), 1, "{text}");
    lines[0].to_owned()
}

/// Replays an empty input with `extra` arguments, which must fail, and returns the one line that says why.
fn complaint_of(dir: &Path, extra: &[&str]) -> String {
    let input = dir.join("a.itch");
    std::fs::write(&input, []).unwrap();
    let out = dir.join("out");
    let mut args =
        vec!["replay", input.to_str().unwrap(), "--feed", "itch50", "--out", out.to_str().unwrap()];
    args.extend(extra);
    let run = portcullis(args);
    assert_eq!(run.status.code(), Some(1));
    one_line(&run.stderr)
}

fn assert_leaves_nothing(out: &Path) {
    if let Ok(entries) = std::fs::read_dir(out) {
        assert_eq!(entries.count(), 0, "a failed run left files");
    }
}

/// A pcap file header: little-endian, nanoseconds, Ethernet.
fn pcap_header() -> Vec<u8> {
    let mut header = Vec::new();
    for word in [0xa1b2_3c4d_u32, 0x0004_0002, 0, 0, 65_535, 1] {
        header.extend(word.to_le_bytes());
    }
    header
}

fn pcap_with(frame: &[u8]) -> Vec<u8> {
    let mut file = pcap_header();
    for word in [1_700_000_000, 0, u32::try_from(frame.len()).unwrap(), u32::try_from(frame.len()).unwrap()] {
        file.extend(word.to_le_bytes());
    }
    file.extend(frame);
    file
}

#[test]
fn a_truncated_capture_names_file_and_offset() {
    let mut file = pcap_with(&[0; 60]);
    file.truncate(file.len() - 10);
    let said = complaint_with("cut.pcap", &file, "itch50", &["--strict"]);
    assert!(said.contains("cut.pcap") && said.contains("offset"), "{said}");
}

#[test]
fn a_cut_itch_message_names_the_offset_of_the_cut() {
    // A system event of 12 bytes whose last 4 are missing.
    let mut file = vec![0, 12];
    file.extend([b'S', 0, 0, 0, 0, 0, 0, 0]);
    let said = complaint_with("cut.itch", &file, "itch50", &["--strict"]);
    assert!(said.contains("cut.itch") && said.contains("offset 0") && said.contains("12"), "{said}");
}

#[test]
fn what_came_before_a_cut_is_replayed_with_one_warning() {
    // One system event, and half of another.
    let event = [&[0, 12, b'S'][..], &[0; 10], b"O"].concat();
    let tmp = tempfile::tempdir().unwrap();
    let (input, out) = (tmp.path().join("cut.itch"), tmp.path().join("out"));
    std::fs::write(&input, [&event[..], &event[..7]].concat()).unwrap();
    let run = portcullis([
        "replay",
        input.to_str().unwrap(),
        "--feed",
        "itch50",
        "--static",
        "--out",
        out.to_str().unwrap(),
    ]);
    let said = String::from_utf8(run.stderr).unwrap();
    assert_eq!(run.status.code(), Some(0), "{said}");
    let warnings: Vec<_> = said.lines().filter(|l| l.starts_with("warning: ")).collect();
    assert!(matches!(&warnings[..], [one] if one.contains("cut.itch: offset 14")), "{said}");
    let summary = std::fs::read_to_string(out.join("summary.json")).unwrap();
    assert!(summary.contains("\"messages\": 1,"), "{summary}");
}

/// Replays `bytes` into `dir/out` with more arguments. Gives the exit code, and what was said.
fn replayed(dir: &Path, bytes: &[u8], extra: &[&str]) -> (Option<i32>, String) {
    let (input, out) = (dir.join("day.itch"), dir.join("out"));
    std::fs::write(&input, bytes).unwrap();
    let (input, out) = (input.to_str().unwrap(), out.to_str().unwrap());
    let run =
        portcullis([&["replay", input, "--feed", "itch50", "--static", "--out", out][..], extra].concat());
    (run.status.code(), String::from_utf8(run.stderr).unwrap())
}

/// A system event of a raw file.
fn start() -> Vec<u8> {
    [&[0, 12, b'S'][..], &[0; 10], b"O"].concat()
}

#[test]
fn what_came_before_damage_is_kept_and_the_damage_said() {
    let damaged = [&start()[..], &[0, 0, 1, 2, 3, 4]].concat();
    for extra in [&["--write", "bbo"][..], &["--write", "bbo", "--pinned"]] {
        let tmp = tempfile::tempdir().unwrap();
        let (code, said) = replayed(tmp.path(), &damaged, extra);
        assert_eq!(code, Some(1), "{said}");
        assert!(one_line(said.as_bytes()).contains("offset 14"), "{said}");
        let summary = std::fs::read_to_string(tmp.path().join("out/summary.json")).unwrap();
        assert!(summary.contains("\"messages\": 1,") && summary.contains("offset 14"), "{summary}");
        assert!(tmp.path().join("out/bbo.csv").exists());
    }
    let strict = tempfile::tempdir().unwrap();
    let (code, _) = replayed(strict.path(), &damaged, &["--strict"]);
    assert_eq!(code, Some(1));
    assert_leaves_nothing(&strict.path().join("out"));
}

#[test]
fn a_second_replay_leaves_no_table_of_the_first() {
    let tmp = tempfile::tempdir().unwrap();
    let (code, said) =
        replayed(tmp.path(), &start(), &["--symbols", "zvzzt", "--write", "bbo,depth,slippage"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("warning: --symbols names instruments that the input does not: zvzzt"), "{said}");
    let there = |name: &str| tmp.path().join("out").join(name).exists();
    assert!(there("depth.csv") && there("slippage.parquet"));
    std::fs::write(tmp.path().join("out/costs.parquet"), "of an earlier release").unwrap();
    let (code, said) = replayed(tmp.path(), &pcap_header(), &["--write", "bbo"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("warning: the input has no packet"), "{said}");
    assert!(there("bbo.csv") && !there("depth.csv") && there("summary.json"));
    assert!(!there("slippage.parquet") && !there("costs.parquet"));
}

#[test]
fn a_look_into_a_capture_that_is_cut_or_damaged_shows_what_came_before_and_says_so() {
    let tmp = tempfile::tempdir().unwrap();
    let path = tmp.path().join("day.itch");
    let look = |bytes: &[u8], extra: &[&str]| {
        std::fs::write(&path, bytes).unwrap();
        let run = portcullis([&["sniff", path.to_str().unwrap()][..], extra].concat());
        let shown = String::from_utf8(run.stdout).unwrap().lines().count();
        (run.status.code(), shown, String::from_utf8(run.stderr).unwrap())
    };
    let cut = [&start()[..], &start()[..7]].concat();
    let (code, shown, said) = look(&cut, &[]);
    assert_eq!((code, shown), (Some(0), 1), "{said}");
    assert!(said.starts_with("warning: ") && said.contains("day.itch: offset 14"), "{said}");
    let (code, shown, said) = look(&cut, &["--strict"]);
    assert_eq!((code, shown), (Some(1), 1), "{said}");
    let (code, shown, said) = look(&[&start()[..], &[0, 0, 1, 2, 3, 4]].concat(), &[]);
    assert_eq!((code, shown), (Some(1), 1), "{said}");
    assert!(one_line(said.as_bytes()).contains("offset 14"), "{said}");
}

#[test]
fn a_zero_length_prefix_is_refused_where_it_stands() {
    let said = complaint("zero.itch", &[0, 0, b'S', 0, 0, 0], "itch50");
    assert!(said.contains("zero.itch") && said.contains("offset 0"), "{said}");
}

#[test]
fn an_unknown_magic_is_named() {
    let said =
        complaint("notes.txt", b"# these are notes, not packets, and they go on for a while\n", "deep");
    assert!(said.contains("notes.txt") && said.contains("pcap"), "{said}");
}

#[test]
fn a_capture_of_another_protocol_says_so() {
    // An ARP request: Ethernet, but no IPv4 in the whole file.
    let mut frame = vec![0xff; 6];
    frame.extend([2, 0, 0, 0, 0, 1, 0x08, 0x06]);
    frame.resize(60, 0);
    let said = complaint("arp.pcap", &pcap_with(&frame), "itch50");
    assert!(said.contains("arp.pcap") && said.contains("itch50"), "{said}");
}

#[test]
fn a_missing_file_is_named() {
    let out = tempfile::tempdir().unwrap();
    let run = portcullis([
        "replay",
        "nowhere.pcap",
        "--feed",
        "deep",
        "--static",
        "--out",
        out.path().to_str().unwrap(),
    ]);
    assert_eq!(run.status.code(), Some(1));
    assert!(one_line(&run.stderr).contains("nowhere.pcap"));
}

#[test]
fn an_unknown_feed_is_a_usage_error_that_lists_the_feeds() {
    let run = portcullis(["replay", "x.pcap", "--feed", "itch40", "--out", "x"]);
    assert_eq!(run.status.code(), Some(2));
    let said = String::from_utf8(run.stderr).unwrap();
    assert!(said.contains("itch50") && said.contains("deep") && said.contains("lobster"), "{said}");
}

#[test]
fn an_unreadable_model_is_named() {
    let tmp = tempfile::tempdir().unwrap();
    let said = complaint_of(tmp.path(), &["--model", tmp.path().join("no-model").to_str().unwrap()]);
    assert!(said.contains("no-model"));
}

#[test]
fn a_model_of_another_schema_is_refused() {
    let tmp = tempfile::tempdir().unwrap();
    let shipped = tests::repository().join("gpu/models/default");
    let changed = tmp.path().join("model");
    std::fs::create_dir(&changed).unwrap();
    for entry in std::fs::read_dir(shipped).unwrap().map(Result::unwrap) {
        std::fs::copy(entry.path(), changed.join(entry.file_name())).unwrap();
    }
    let manifest = changed.join("manifest.toml");
    let text = std::fs::read_to_string(&manifest).unwrap();
    let line = text
        .lines()
        .find(|l| l.starts_with("schema_hash"))
        .expect("the manifest names its schema")
        .to_owned();
    std::fs::write(&manifest, text.replace(&line, "schema_hash = \"0000000000000000\"")).unwrap();
    let said = complaint_of(tmp.path(), &["--model", changed.to_str().unwrap()]);
    assert!(said.contains("schema") && said.contains("0000000000000000"), "{said}");
}

#[test]
fn a_symbol_of_the_configuration_that_no_feed_has_is_told() {
    let tmp = tempfile::tempdir().unwrap();
    let [config, input] = ["portcullis.toml", "a.itch"].map(|name| tmp.path().join(name));
    let state = tmp.path().join("state");
    let text = format!(
        "[instance]\nstate_dir = {state:?}\nsocket = {:?}\n[limits.symbol.futx]\nmax_qty = {{ floor = 1, base = 9, cap = 9 }}\n\
         [[feed]]\nname = \"sim\"\nkind = \"itch50\"\nsource = \"file:{}\"\n",
        tmp.path().join("control.sock"),
        input.display()
    );
    std::fs::write(&config, text).unwrap();
    // A message of the session's start, which names no instrument.
    let start =
        wire::itch50::SystemEvent::new(0, 0, 34_200_000_000_000, wire::itch50::event::START_OF_MESSAGES);
    let message = wire::IntoBytes::as_bytes(&start);
    std::fs::write(&input, [&u16::try_from(message.len()).unwrap().to_be_bytes(), message].concat()).unwrap();
    let (config, out) = (config.to_str().unwrap(), tmp.path().join("out"));
    let warned = |arguments: &[&str], wanted: &str| {
        let said = String::from_utf8(portcullis(arguments).stderr).unwrap();
        assert!(said.lines().any(|line| line.starts_with("warning: ") && line.contains(wanted)), "{said}");
    };
    let [input, out] = [input.as_path(), &out].map(|path| path.to_str().unwrap());
    let replay = ["replay", input, "--feed", "itch50", "--static", "--config", config, "--out", out];
    warned(&replay, "names futx; feeds write FUTX");
    warned(&replay, "names instruments that the input does not: futx");
    warned(&["run", "--check", "--config", config], "names futx; feeds write FUTX");
}

#[test]
fn a_typo_in_the_configuration_gets_a_suggestion() {
    let tmp = tempfile::tempdir().unwrap();
    let config = tmp.path().join("portcullis.toml");
    std::fs::write(&config, "[placement]\nreciever_cpu = 1\n").unwrap();
    let run = portcullis(["run", "--check", "--config", config.to_str().unwrap()]);
    assert_eq!(run.status.code(), Some(2));
    let said = String::from_utf8(run.stderr).unwrap();
    assert!(
        said.contains("reciever_cpu") && said.contains("receiver_cpu") && said.contains("portcullis.toml"),
        "{said}"
    );
}

#[test]
fn an_order_file_with_a_bad_line_names_the_line() {
    let tmp = tempfile::tempdir().unwrap();
    let orders = tmp.path().join("orders.csv");
    let header = "ts_ns,cl_ord_id,account,strategy,symbol,side,qty,px,type,tif\n";
    std::fs::write(&orders, format!("{header}1,a,b,c,S,buy,many,1.0,limit,day\n")).unwrap();
    let said = complaint_of(tmp.path(), &["--static", "--orders", orders.to_str().unwrap()]);
    assert!(said.contains("orders.csv: line 2") && said.contains("many"), "{said}");
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let market = scenario("calm", &["--minutes", "1"]);
    let replayed = replay(&market.path().join("calm.pcap"), &["--static"]);
    let log = replayed.path().join("latency.hlog");
    for args in [
        &["run", "--print-default-config"][..],
        &["scenario", "--list"],
        &["demo", "--headless"],
        &["hist", "show", log.to_str().unwrap()],
    ] {
        let out = tempfile::tempdir().unwrap();
        let mut command = std::process::Command::new(tests::programs().join("portcullis"));
        command.args(args).current_dir(out.path());
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
        let mut child = command.spawn().unwrap();
        // Nobody reads from the first line on.
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(!String::from_utf8_lossy(&output.stderr).contains("panicked"), "{args:?}");
    }
}
