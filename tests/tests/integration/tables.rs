//! Running scenarios and replays, and reading the tables they write.

use std::path::Path;
use tempfile::TempDir;
use tests::portcullis_ok;

/// Simulates `name` into a fresh directory.
pub(crate) fn scenario(name: &str, extra: &[&str]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let mut args = vec!["scenario", name, "--out", dir.path().to_str().unwrap()];
    args.extend(extra);
    portcullis_ok(args);
    dir
}

/// Replays an ITCH capture into a fresh directory.
pub(crate) fn replay(pcap: &Path, extra: &[&str]) -> TempDir {
    let out = tempfile::tempdir().unwrap();
    let mut args =
        vec!["replay", pcap.to_str().unwrap(), "--feed", "itch50", "--out", out.path().to_str().unwrap()];
    args.extend(extra);
    portcullis_ok(args);
    out
}

/// A table's rows without its heading.
pub(crate) fn rows(dir: &Path, table: &str) -> Vec<Vec<String>> {
    let mut reader = csv::Reader::from_path(dir.join(table)).unwrap();
    reader.records().map(|r| r.unwrap().iter().map(str::to_owned).collect()).collect()
}

/// Where a column stands; the order is a contract.
pub(crate) fn column(table: &str, name: &str) -> usize {
    let heading = match table {
        "verdicts.csv" => {
            "ts_ns,cl_ord_id,account,strategy,symbol,side,qty,px,decision,code,slug,limit,value,tier,score,check_ns"
        }
        "bbo.csv" => "ts_event_ns,seq,symbol,bid_px,bid_qty,ask_px,ask_qty,book",
        "scores.csv" => "ts_ns,symbol,raw,score,tier,top1,top2,top3,channel",
        _ => {
            "ts_ns,symbol,tier,max_qty,max_notional,collar_bps,passive_min_ticks,max_pos_long,max_pos_short,lease_ns,cause"
        }
    };
    heading.split(',').position(|c| c == name).expect("a column of the contract")
}
