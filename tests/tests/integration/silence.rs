//! A feed that falls silent and comes back: what nobody saw is not calm, however long it lasted.

use crate::records::{HEAD_BYTES, Record, records};
use crate::tables::{column, replay, rows, scenario};
use std::path::{Path, PathBuf};

/// How long nothing is heard, in nanoseconds: longer than High and Elevated must have been calm to be left.
const SILENCE_NS: u64 = 50_000_000_000;

/// How long a tier above Normal stands at least, by default, in calm that was seen.
const DWELL_NS: u64 = 30_000_000_000;

/// The capture `from` with everything after `since` moved on by [`SILENCE_NS`], arrivals and the venue's times alike: nothing is missing, but nothing is
/// heard either.
fn silenced(from: &Path, since: u64) -> PathBuf {
    let mut bytes = std::fs::read(from).unwrap();
    for Record { ts_ns, at, length } in records(&bytes).into_iter().filter(|record| record.ts_ns > since) {
        let moved = ts_ns + SILENCE_NS;
        bytes[at..at + 4].copy_from_slice(&((moved / 1_000_000_000) as u32).to_le_bytes());
        bytes[at + 4..at + 8].copy_from_slice(&((moved % 1_000_000_000) as u32).to_le_bytes());
        let frame = at + HEAD_BYTES;
        move_messages(&mut bytes[frame..frame + length]);
    }
    let to = from.with_file_name("silenced.pcap");
    std::fs::write(&to, bytes).unwrap();
    to
}

/// Moves the venue's time of every ITCH message of a frame: Ethernet, IPv4, UDP, MoldUDP64, then messages behind their lengths, whose time is 6
/// bytes from the fifth on.
fn move_messages(frame: &mut [u8]) {
    let udp = 14 + usize::from(frame[14] & 15) * 4;
    // No checksum: what was right before is not any more.
    frame[udp + 6..udp + 8].fill(0);
    let mold = udp + 8;
    let count = u16::from_be_bytes(frame[mold + 18..mold + 20].try_into().unwrap());
    let mut at = mold + 20;
    for _ in 0..if count == u16::MAX { 0 } else { count } {
        let length = usize::from(u16::from_be_bytes(frame[at..at + 2].try_into().unwrap()));
        let mut time = [0; 8];
        time[2..].copy_from_slice(&frame[at + 7..at + 13]);
        let moved = (u64::from_be_bytes(time) + SILENCE_NS).to_be_bytes();
        frame[at + 7..at + 13].copy_from_slice(&moved[2..]);
        at += 2 + length;
    }
}

/// FUTX's limits: when, tier, largest order.
fn limits(dir: &Path) -> Vec<(u64, String, u64)> {
    let at = |name| column("limits.csv", name);
    let rows = rows(dir, "limits.csv").into_iter().filter(|row| row[at("symbol")] == "FUTX");
    let row = |row: Vec<String>| {
        (row[at("ts_ns")].parse().unwrap(), row[at("tier")].clone(), row[at("max_qty")].parse().unwrap())
    };
    rows.map(row).collect()
}

#[test]
fn a_silence_leaves_no_tier_and_widens_no_limit() {
    let market = scenario("flash-crash", &[]);
    let pcap = market.path().join("flash-crash.pcap");
    let plain = limits(replay(&pcap, &["--write", "limits"]).path());
    let high = plain.iter().find(|(_, tier, _)| tier == "high").expect("the crash is seen");
    let since = high.0 + 300_000_000;
    let out = replay(&silenced(&pcap, since), &["--write", "limits,scores"]);
    let silent = limits(out.path());
    let before = silent.iter().rfind(|(ts, ..)| *ts <= since).unwrap();
    assert_eq!(before.1, "high");
    let back = since + SILENCE_NS;
    let after: Vec<_> = silent.iter().filter(|(ts, ..)| *ts > since && *ts < back + DWELL_NS).collect();
    let mut scored = rows(out.path(), "scores.csv");
    scored.retain(|row| row[1] == "FUTX");
    let ts = |row: &[String]| row[0].parse::<u64>().unwrap();
    assert!(scored.iter().any(|row| ts(row) > back), "the feed went on");
    let unseen = since + 4_000_000_000..back;
    assert!(!scored.iter().any(|row| unseen.contains(&ts(row))), "nothing was seen to score");
    // Where no limit changed, those of before hold; what the scorer says then is seen in its scores.
    let tier = column("scores.csv", "tier");
    let told: Vec<&str> = scored
        .iter()
        .filter(|row| (back..back + DWELL_NS).contains(&ts(row)))
        .map(|row| &*row[tier])
        .collect();
    assert!(!told.is_empty(), "it scores before the time is over");
    assert!(told.iter().all(|tier| ["high", "critical"].contains(tier)), "{told:?}");
    for (ts, tier, max_qty) in after {
        assert!(
            tier != "normal" && tier != "elevated" && *max_qty <= before.2,
            "{} s after the feed came back: {tier}, {max_qty} (before: {})",
            (*ts as i64 - back as i64) as f64 / 1e9,
            before.2
        );
    }
}
