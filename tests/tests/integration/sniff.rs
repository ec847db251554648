//! `portcullis sniff` and `portcullis feeds` as built: every message of every vendor vector is named and has no field that is not
//! known, filters hold, and a reader that has seen enough is no error.

use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tests::{portcullis_ok, programs, real_data};

fn sniff(path: &Path, more: &[&str]) -> String {
    let mut args = vec!["sniff", path.to_str().expect("a path")];
    args.extend(more);
    portcullis_ok(args)
}

/// The captures of a folder of vectors.
fn vectors(folder: &str) -> Vec<PathBuf> {
    let Some(folder) = real_data(&format!("omi_vectors/{folder}")) else { return Vec::new() };
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let mut found: Vec<_> = entries.filter(|path| path.extension().is_some_and(|e| e == "pcap")).collect();
    found.sort();
    found
}

/// A field that the layout does not explain is printed as `+N`, a type that the protocol does not have as unknown.
fn assert_known(text: &str, path: &Path) {
    for line in text.lines() {
        let is_unknown = line.contains(" unknown t") || line.contains("ERROR");
        let has_rest = line.split([' ', '[', ']', ';']).any(|word| {
            word.strip_prefix('+').is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
        });
        assert!(!is_unknown && !has_rest, "{}: {line}", path.display());
    }
}

#[test]
fn every_field_of_the_vendor_vectors_is_known() {
    let folders = [
        ("Cme/Mdp3.Sbe.v1.5", "mdp3"),
        ("Cme/Mdp3.Sbe.v1.8", "mdp3"),
        ("Cme/Mdp3.Sbe.v1.9", "mdp3"),
        ("Cboe/Options.DepthOfBook.Pitch.v2.39.4", "pitch"),
        ("Cboe/Options.ComplexDepthOfBook.Pitch.v2.1.18", "pitch"),
        ("Iex/Deep.IexTp.v1.0", "deep"),
        ("Iex/Tops.IexTp.v1.6", "tops"),
        ("Nasdaq/Nasdaq.Equities.TotalView.Itch.v5.0", "itch50"),
        ("Nasdaq/Nasdaq.Equities.TotalView.Itch.v5.0.20230822", "itch50"),
    ];
    for (folder, feed) in folders {
        for path in vectors(folder) {
            let text = sniff(&path, &["--feed", feed]);
            assert!(!text.is_empty(), "{}", path.display());
            assert_known(&text, &path);
            // The file is called after a message that is in it: by CME's own names, elsewhere by the vendor's.
            let name = path.file_stem().expect("a name").to_string_lossy().to_lowercase();
            let wanted = name.trim_start_matches("md").trim_end_matches("message").replace('.', "");
            let squeezed = text.to_lowercase().replace(['_', ' '], "");
            let known = ["", "order", "symbol"].iter().any(|part| {
                let other = wanted.replacen(part, "", 1);
                squeezed.contains(&wanted) || squeezed.contains(&other)
            });
            assert!(known || feed != "mdp3", "{}: no {wanted} in {text}", path.display());
        }
    }
}

#[test]
fn the_cme_capture_is_told_message_by_message_and_filtered() {
    let Some(path) = real_data("cme/Cme.Mdp3.Sbe.v8.1.pcap") else { return };
    let all = sniff(&path, &[]);
    assert_eq!(all.lines().count(), 2 * (4_898 + 179 + 99 + 60 + 57 + 6), "both lines, every message");
    assert_known(&all, &path);
    assert!(
        all.lines().all(|line| line.contains(" mdp3 224.0.3") && line.contains(" seq=173")),
        "{}",
        &all[..300]
    );
    let trades = sniff(
        &path,
        &["--type", "IncrementalRefreshTradeSummary42", "--seq", "17347815..17349000", "-o", "json"],
    );
    assert!((2..120).contains(&trades.lines().count()));
    for line in trades.lines() {
        let object: Value = serde_json::from_str(line).expect("an object a line");
        assert_eq!(
            (object["type"].as_str(), object["feed"].as_str()),
            (Some("IncrementalRefreshTradeSummary42"), Some("mdp3"))
        );
        assert!(
            object["seq"].as_u64().is_some_and(|seq| seq <= 17_349_000) && object["ts_ns"].as_u64().is_some()
        );
        assert!(object["fields"]["md_entries"][0]["md_entry_px"].is_string(), "{line}");
    }
    let of_one = sniff(&path, &["--symbol", "174969"]);
    assert!(of_one.lines().count() > 10 && of_one.lines().all(|line| line.contains("security_id=174969")));
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let Some(path) = real_data("cme/Cme.Mdp3.Sbe.v8.1.pcap") else { return };
    let mut child = Command::new(programs().join("portcullis"))
        .args(["sniff", path.to_str().expect("a path")])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut first = String::new();
    BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut first).expect("a line");
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    assert!(first.starts_with("2016-09-27T21:46:13"), "{first}");
}

#[test]
fn feeds_are_listed_and_explained() {
    let list = portcullis_ok(["feeds", "list"]);
    for name in ["itch50", "deep", "tops", "mdp3", "mdp3-mbo", "pitch", "lobster"] {
        assert!(list.lines().any(|line| line.split_whitespace().next() == Some(name)), "{name} in {list}");
    }
    let explained = portcullis_ok(["feeds", "explain", "mdp3"]);
    assert!(explained.contains("0x2e IncrementalRefreshBook46\n"), "{explained}");
}
