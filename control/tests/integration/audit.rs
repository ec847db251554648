//! The chain: every byte is proven, a torn line is told from a changed one, segments follow each other.

use control::audit::{Actor, Anchor, AuditError, AuditKey, AuditLog, Entry, VerifyOptions, verify};
use control::roles::Role;
use control::stamp::Stamp;
use proptest::prelude::*;
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};
use types::UnixNanos;

/// Where the tests keep a log's key.
fn key(dir: &Path) -> PathBuf {
    dir.join("audit.key")
}

fn append(log: &mut AuditLog, n: u64) -> u64 {
    try_append(log, n).unwrap()
}

fn try_append(log: &mut AuditLog, n: u64) -> Result<u64, AuditError> {
    let actor = Actor { uid: 1001, gid: 100, pid: 7, user: "alice".into(), role: Some(Role::RiskOfficer) };
    let entry = Entry {
        action: "limits.set",
        target: format!("SYM{n}"),
        before: json!({ "max_qty": 500 }),
        after: json!({ "max_qty": 50 }),
        reason: format!("reason \"{n}\" — naïve, ünïcode"),
        ticket: "CHG-1".into(),
        result: "done".into(),
    };
    log.append(Stamp(UnixNanos(1_795_271_422_000_000_000 + n)), &actor, &entry)
}

/// A log of `count` records in segments of about `segment_bytes`.
fn log_of(dir: &Path, count: u64, segment_bytes: u64) -> AuditLog {
    let (mut log, torn) = AuditLog::open(dir, &key(dir), segment_bytes).unwrap();
    assert_eq!(torn, None);
    for n in 1..=count {
        assert_eq!(append(&mut log, n), n);
    }
    log
}

fn segment(dir: &Path, index: u32) -> PathBuf {
    dir.join(format!("audit-{index:06}.jsonl"))
}

/// A line with something else in it and hashes that are right for that; the MAC is made with a key of the forger's.
fn rehashed(line: &str, from: &str, to: &str) -> String {
    let body = line[..line.len() - 148].replace(from, to);
    let (hash, mac) = (blake3::hash(body.as_bytes()), blake3::keyed_hash(&[7; 32], body.as_bytes()));
    format!("{body},\"hash\":\"{hash}\",\"mac\":\"{mac}\"}}")
}

fn keyed(dir: &Path) -> VerifyOptions {
    VerifyOptions { key: AuditKey::read(&key(dir)).unwrap(), ..VerifyOptions::default() }
}

fn problem(dir: &Path, options: &VerifyOptions) -> Option<(String, u64, String)> {
    verify(dir, options).unwrap().broken.map(|at| (at.file, at.line, at.problem))
}

#[test]
fn a_sound_chain_is_proven_across_segments_and_reopenings() {
    let dir = tempfile::tempdir().unwrap();
    let head = {
        let log = log_of(dir.path(), 5, 600);
        log.head().to_owned()
    };
    let (mut log, torn) = AuditLog::open(dir.path(), &key(dir.path()), 600).unwrap();
    assert_eq!((torn, log.records(), log.head()), (None, 5, head.as_str()));
    assert_eq!(append(&mut log, 6), 6);
    let proof = verify(dir.path(), &VerifyOptions::default()).unwrap();
    assert_eq!((proof.records, &proof.broken, proof.head.as_str()), (6, &None, log.head()));
    assert!(proof.segments >= 3, "{proof:?}");
    assert_eq!(proof.first.unwrap().to_string(), "2026-11-21T14:30:22.000000001Z");
    assert_eq!(problem(dir.path(), &VerifyOptions { head: Some(head), ..VerifyOptions::default() }), None);
}

#[test]
fn a_line_can_be_proven_by_hand() {
    let dir = tempfile::tempdir().unwrap();
    drop(log_of(dir.path(), 3, 1 << 20));
    let text = fs::read_to_string(segment(dir.path(), 1)).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let (body, tail) = lines[2].split_at(lines[2].len() - 148);
    let key: [u8; 32] = fs::read(key(dir.path())).unwrap().try_into().unwrap();
    let (hash, mac) = (blake3::hash(body.as_bytes()), blake3::keyed_hash(&key, body.as_bytes()));
    assert_eq!(tail, format!(",\"hash\":\"{hash}\",\"mac\":\"{mac}\"}}"));
    let second: serde_json::Value = serde_json::from_str(lines[1]).unwrap();
    let third: serde_json::Value = serde_json::from_str(lines[2]).unwrap();
    assert_eq!(second["hash"], third["prev"]);
}

#[test]
fn lines_taken_out_put_in_or_swapped_break_the_chain_where_it_happened() {
    let dir = tempfile::tempdir().unwrap();
    drop(log_of(dir.path(), 5, 1 << 20));
    let path = segment(dir.path(), 1);
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let write = |lines: &[&str]| {
        fs::write(&path, lines.iter().map(|l| format!("{l}\n")).collect::<String>()).unwrap();
    };
    for (changed, line, part) in [
        (vec![0, 2, 3, 4], 2, "found record 3, wanted 2"),
        (vec![1, 2, 3, 4], 1, "found record 2, wanted 1"),
        (vec![0, 1, 1, 2, 3, 4], 3, "found record 2, wanted 3"),
        (vec![0, 2, 1, 3, 4], 2, "found record 3, wanted 2"),
    ] {
        write(&changed.iter().map(|i| lines[*i]).collect::<Vec<_>>());
        let found = problem(dir.path(), &VerifyOptions::default()).unwrap();
        assert!(found.1 == line && found.2.contains(part), "{found:?}");
    }
    // A line rewritten with a hash of its own is caught by the line after it.
    let forged = rehashed(lines[1], "alice", "nobody");
    write(&[lines[0], &forged, lines[2], lines[3], lines[4]]);
    let found = problem(dir.path(), &VerifyOptions::default()).unwrap();
    assert!(found.1 == 3 && found.2.contains("the chain is cut before this line"), "{found:?}");
}

#[test]
fn a_chain_cut_off_at_a_line_is_sound_but_misses_a_noted_head() {
    let dir = tempfile::tempdir().unwrap();
    let head = log_of(dir.path(), 5, 1 << 20).head().to_owned();
    let path = segment(dir.path(), 1);
    let text = fs::read_to_string(&path).unwrap();
    let cut: String = text.lines().take(3).map(|l| format!("{l}\n")).collect();
    fs::write(&path, cut).unwrap();
    assert_eq!(problem(dir.path(), &VerifyOptions::default()), None);
    let found = problem(dir.path(), &VerifyOptions { head: Some(head), ..VerifyOptions::default() }).unwrap();
    assert!(found.2.contains("cut off or rewritten"), "{found:?}");
}

#[test]
fn missing_segments_are_named_and_old_ones_may_live_elsewhere() {
    let dir = tempfile::tempdir().unwrap();
    drop(log_of(dir.path(), 8, 600));
    let segments = verify(dir.path(), &VerifyOptions::default()).unwrap().segments;
    assert!(segments >= 4);
    fs::rename(segment(dir.path(), 1), dir.path().join("archived")).unwrap();
    assert_eq!(problem(dir.path(), &VerifyOptions::default()).unwrap().0, "audit-000001.jsonl");
    let partial = VerifyOptions { partial: true, ..VerifyOptions::default() };
    assert_eq!(problem(dir.path(), &partial), None);
    fs::remove_file(segment(dir.path(), 3)).unwrap();
    assert_eq!(problem(dir.path(), &partial).unwrap().0, "audit-000003.jsonl");
    let nothing = tempfile::tempdir().unwrap();
    assert!(
        problem(nothing.path(), &VerifyOptions::default()).unwrap().2.contains("found no audit-NNNNNN.jsonl")
    );
}

#[test]
fn a_torn_last_line_is_kept_and_the_log_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    drop(log_of(dir.path(), 3, 1 << 20));
    let path = segment(dir.path(), 1);
    let good = fs::read(&path).unwrap();
    let torn_tails: [&[u8]; 4] =
        [b"{\"v\":1,\"seq\":4,\"ts\"", b"{", &[0; 300], b"\0\0\0\0\0\"result\":\"done\"}\n"];
    for (round, tail) in (1..).zip(torn_tails) {
        fs::write(&path, [&good, tail].concat()).unwrap();
        let (mut log, torn) = AuditLog::open(dir.path(), &key(dir.path()), 1 << 20).unwrap();
        let torn = torn.expect("torn");
        assert_eq!(fs::read(&torn.kept).unwrap(), tail, "kept as it was");
        assert_eq!(torn.bytes, tail.len() as u64);
        assert!(
            torn.kept.display().to_string().ends_with(&format!("audit-000001.torn-{}-{round}", good.len()))
        );
        assert_eq!(append(&mut log, 4), 4);
        assert_eq!(problem(dir.path(), &VerifyOptions::default()), None);
    }
}

#[test]
fn a_changed_last_line_is_not_taken_for_a_torn_one() {
    let dir = tempfile::tempdir().unwrap();
    drop(log_of(dir.path(), 3, 1 << 20));
    let path = segment(dir.path(), 1);
    let text = fs::read_to_string(&path).unwrap();
    let at = text.rfind("alice").unwrap();
    let changed = format!("{}mallo{}", &text[..at], &text[at + 5..]);
    fs::write(&path, &changed).unwrap();
    let error = AuditLog::open(dir.path(), &key(dir.path()), 1 << 20).unwrap_err();
    assert!(matches!(&error, AuditError::Broken { at } if at.line == 3), "{error}");
    assert_eq!(fs::read_to_string(&path).unwrap(), changed, "nothing was taken away");
    // More than a line without an end is not the work of one interrupted write.
    fs::write(&path, [text.as_bytes(), &vec![b'x'; 70_000]].concat()).unwrap();
    assert!(matches!(AuditLog::open(dir.path(), &key(dir.path()), 1 << 20), Err(AuditError::Broken { .. })));
}

#[test]
fn the_tail_is_the_last_records_in_order_and_within_bounds() {
    let dir = tempfile::tempdir().unwrap();
    let log = log_of(dir.path(), 9, 1_000);
    let seqs = |count, bytes| -> Vec<u64> {
        let records = log.promise().tail(count, bytes).unwrap();
        records.iter().map(|r| r["seq"].as_u64().unwrap()).collect()
    };
    assert_eq!(seqs(1, 1 << 20), [9]);
    assert_eq!(seqs(4, 1 << 20), [6, 7, 8, 9]);
    assert_eq!(seqs(100, 1 << 20), (1..=9).collect::<Vec<_>>());
    let few = seqs(100, 1_500);
    assert!(few.len() < 9 && few.last() == Some(&9) && few.windows(2).all(|w| w[0] + 1 == w[1]), "{few:?}");
    assert_eq!(seqs(5, 10), [] as [u64; 0]);
}

#[test]
fn a_promise_is_proven_while_the_log_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = log_of(dir.path(), 4, 1_000);
    let promise = log.promise();
    append(&mut log, 5);
    fs::write(segment(dir.path(), 99), "a file of tomorrow").unwrap();
    let proof = promise.verify(Vec::new()).unwrap();
    assert_eq!((proof.records, proof.broken), (4, None));
}

#[test]
fn what_is_not_a_line_is_said_so() {
    let dir = tempfile::tempdir().unwrap();
    let long = "x".repeat(70_000);
    let sealed = |body: &str| format!("{body},\"hash\":\"{}\"}}\n", blake3::hash(body.as_bytes()));
    for (text, part) in [
        ("\n".to_owned(), "found 0 bytes"),
        ("{}\n".to_owned(), "found 2 bytes, wanted a record and its hash"),
        (format!("{}\n", "y".repeat(200)), "found no hash at the end of the line"),
        (long, "the line is longer than 65536 bytes"),
        (sealed("{\"v\":1"), "the hash is right, yet it is no record"),
    ] {
        fs::write(segment(dir.path(), 1), text).unwrap();
        let found = problem(dir.path(), &VerifyOptions::default()).unwrap();
        assert!(found.1 == 1 && found.2.contains(part), "{found:?}");
    }
}

/// The whole chain written anew by somebody who has no key: every hash is right, and only the key tells.
#[test]
fn a_forgery_with_right_hashes_is_told_by_the_key() {
    let dir = tempfile::tempdir().unwrap();
    drop(log_of(dir.path(), 4, 1 << 20));
    let sound = verify(dir.path(), &keyed(dir.path())).unwrap();
    assert!(sound.is_proven() && sound.keyed == 4, "{sound:?}");
    let path = segment(dir.path(), 1);
    let mut before = String::new();
    let mut forged = String::new();
    for line in fs::read_to_string(&path).unwrap().lines() {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        let prev = value["prev"].as_str().unwrap();
        let now = if before.is_empty() { prev } else { &before };
        let line = rehashed(&line.replace(prev, now), "alice", "nobody");
        before =
            serde_json::from_str::<serde_json::Value>(&line).unwrap()["hash"].as_str().unwrap().to_owned();
        forged.push_str(&line);
        forged.push('\n');
    }
    fs::write(&path, forged).unwrap();
    let blind = verify(dir.path(), &VerifyOptions::default()).unwrap();
    assert_eq!(
        (blind.broken.as_ref(), blind.records, blind.is_proven()),
        (None, 4, false),
        "holds, proves nothing"
    );
    let found = verify(dir.path(), &keyed(dir.path())).unwrap().broken.unwrap();
    assert!(found.line == 1 && found.problem.contains("not written with this key"), "{found:?}");
    let error = AuditLog::open(dir.path(), &key(dir.path()), 1 << 20).unwrap_err();
    assert!(matches!(error, AuditError::Broken { .. }), "the daemon does not go on with it: {error}");
}

#[test]
fn anchors_tell_a_chain_that_was_cut_off_or_written_anew_even_with_the_key() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = log_of(dir.path(), 3, 1 << 20);
    let anchor =
        |log: &AuditLog| Anchor { at: Stamp(UnixNanos(1)), seq: log.records(), head: log.head().to_owned() };
    let mut anchors = vec![anchor(&log)];
    append(&mut log, 4);
    append(&mut log, 5);
    anchors.push(anchor(&log));
    append(&mut log, 6);
    drop(log);
    let options = VerifyOptions { anchors, ..keyed(dir.path()) };
    let proof = verify(dir.path(), &options).unwrap();
    assert_eq!((proof.broken, proof.anchored, proof.records), (None, Some(5), 6));
    let path = segment(dir.path(), 1);
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.lines().take(4).map(|l| format!("{l}\n")).collect::<String>()).unwrap();
    assert!(verify(dir.path(), &keyed(dir.path())).unwrap().is_proven(), "nothing but the anchor tells");
    let found = verify(dir.path(), &options).unwrap().broken.unwrap();
    assert!(
        found.problem.contains("record 5 was anchored at") && found.problem.contains("cut off"),
        "{found:?}"
    );
    // The holder of the key writes another chain of the same length.
    fs::remove_file(&path).unwrap();
    let mut log = AuditLog::open(dir.path(), &key(dir.path()), 1 << 20).unwrap().0;
    (11..=16).for_each(|n| _ = append(&mut log, n));
    let found = verify(dir.path(), &options).unwrap().broken.unwrap();
    assert!(
        found.line == 3 && found.problem.contains("the chain was rewritten: record 3 was anchored"),
        "{found:?}"
    );
}

#[test]
fn where_the_key_is_no_line_without_a_mac_is_believed() {
    let dir = tempfile::tempdir().unwrap();
    drop(log_of(dir.path(), 2, 1 << 20));
    let path = segment(dir.path(), 1);
    let text = fs::read_to_string(&path).unwrap();
    let plain = |line: &str, prev: &str, with: &str| {
        let body = line[..line.len() - 148].replacen("{\"v\":2", "{\"v\":1", 1).replace(prev, with);
        let hash = blake3::hash(body.as_bytes()).to_string();
        (format!("{body},\"hash\":\"{hash}\"}}\n"), hash)
    };
    let lines: Vec<&str> = text.lines().collect();
    let value = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap();
    let (first, first_hash) = plain(lines[0], "\u{0}", "");
    let (second, _) = plain(lines[1], value(lines[1])["prev"].as_str().unwrap(), &first_hash);
    fs::write(&path, format!("{first}{second}")).unwrap();
    let blind = verify(dir.path(), &VerifyOptions::default()).unwrap();
    assert_eq!((blind.broken.as_ref(), blind.records, blind.is_proven()), (None, 2, false), "proves nothing");
    let found = verify(dir.path(), &keyed(dir.path())).unwrap().broken.unwrap();
    assert!(found.line == 1 && found.problem.contains("found a line without a MAC"), "{found:?}");
    let error = AuditLog::open(dir.path(), &key(dir.path()), 1 << 20).unwrap_err();
    assert!(matches!(error, AuditError::Broken { .. }), "{error}");
    fs::remove_file(key(dir.path())).unwrap();
    let error = AuditLog::open(dir.path(), &key(dir.path()), 1 << 20).unwrap_err();
    assert!(
        matches!(error, AuditError::KeyMissing { .. }),
        "nor is it gone on with under a new key: {error}"
    );
    // Without the key, a line without a MAC after one that has one is told all the same.
    let (late, _) =
        plain(lines[1], value(lines[1])["prev"].as_str().unwrap(), value(lines[0])["hash"].as_str().unwrap());
    fs::write(&path, format!("{}\n{late}", lines[0])).unwrap();
    let found = problem(dir.path(), &VerifyOptions::default()).unwrap();
    assert!(found.1 == 2 && found.2.contains("without a MAC after lines that have one"), "{found:?}");
}

#[test]
fn a_log_whose_key_is_gone_is_not_continued() {
    let dir = tempfile::tempdir().unwrap();
    drop(log_of(dir.path(), 2, 1 << 20));
    fs::remove_file(key(dir.path())).unwrap();
    let error = AuditLog::open(dir.path(), &key(dir.path()), 1 << 20).unwrap_err();
    assert!(matches!(error, AuditError::KeyMissing { .. }), "{error}");
    assert!(!key(dir.path()).exists(), "no other key takes its place");
}

#[test]
fn nothing_is_written_into_a_file_that_is_no_longer_the_log() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = log_of(dir.path(), 2, 1 << 20);
    let (path, aside) = (segment(dir.path(), 1), dir.path().join("aside"));
    let before = fs::read(&path).unwrap();
    fs::rename(&path, &aside).unwrap();
    let gone = try_append(&mut log, 3).unwrap_err();
    assert!(matches!(gone, AuditError::Replaced { .. }), "{gone}");
    fs::copy(&aside, &path).unwrap();
    assert!(matches!(try_append(&mut log, 3), Err(AuditError::Replaced { .. })), "a copy is another file");
    assert_eq!((fs::read(&path).unwrap(), fs::read(&aside).unwrap()), (before.clone(), before));
    fs::rename(&aside, &path).unwrap();
    assert_eq!(try_append(&mut log, 3).unwrap(), 3, "back again, as a disk that was mounted again");
}

/// As a tool that rotates logs does by copying them away.
#[test]
fn nothing_is_written_into_a_log_that_was_cut_while_it_is_in_use() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = log_of(dir.path(), 2, 1 << 20);
    let path = segment(dir.path(), 1);
    let whole = fs::read(&path).unwrap();
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    for kept in [0, 100, whole.len() as u64 - 1] {
        file.set_len(kept).unwrap();
        let cut = try_append(&mut log, 3).unwrap_err();
        assert!(matches!(cut, AuditError::Shortened { found, .. } if found == kept), "{cut}");
        assert_eq!(fs::metadata(&path).unwrap().len(), kept, "no hole");
    }
    fs::write(&path, &whole).unwrap();
    assert_eq!(try_append(&mut log, 3).unwrap(), 3, "its end is back");
}

#[test]
fn an_empty_segment_that_a_full_disk_left_is_written_to() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = log_of(dir.path(), 1, 1);
    fs::write(segment(dir.path(), 2), "").unwrap();
    assert_eq!(append(&mut log, 2), 2);
    assert!(verify(dir.path(), &keyed(dir.path())).unwrap().is_proven());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Any byte of any segment changed to any other: the chain breaks, at the line that holds the byte.
    #[test]
    fn no_byte_can_be_changed(which in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), flip in 1..=255_u8) {
        thread_local! {
            static LOG: tempfile::TempDir = {
                let dir = tempfile::tempdir().unwrap();
                drop(log_of(dir.path(), 6, 1_000));
                dir
            };
        }
        LOG.with(|dir| {
            let segments = verify(dir.path(), &keyed(dir.path())).unwrap().segments;
            let index = u32::try_from(which.index(segments as usize)).unwrap() + 1;
            let path = segment(dir.path(), index);
            let good = fs::read(&path).unwrap();
            let at = at.index(good.len());
            let mut bad = good.clone();
            bad[at] ^= flip;
            fs::write(&path, &bad).unwrap();
            let found = problem(dir.path(), &keyed(dir.path()));
            fs::write(&path, &good).unwrap();
            let (file, line, what) = found.expect("the chain is broken");
            let expected = good[..at].iter().filter(|b| **b == b'\n').count() as u64 + 1;
            prop_assert_eq!((file, line), (format!("audit-{index:06}.jsonl"), expected), "{}", what);
            Ok(())
        })?;
    }
}
