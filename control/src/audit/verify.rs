//! Proving the chain, line by line; works on a directory, with or without a daemon.

use super::anchor::Anchor;
use super::error::{AuditError, GENESIS, LINE_BYTES_MAX};
use super::key::AuditKey;
use super::record::{LINE_VERSION, OpenedLine, open_line};
use super::segment::{self, Segment};
use crate::protocol::{BrokenChain, VerifyReply};
use crate::stamp::Stamp;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

/// How to verify.
#[derive(Clone, Debug, Default)]
pub struct VerifyOptions {
    /// The oldest segments are kept elsewhere: take the first one found on trust as to what came before it.
    pub partial: bool,
    /// The hash of a record noted earlier; it must be in the chain, which shows that the chain was not rewritten or cut
    /// off before it.
    pub head: Option<String>,
    /// The key the lines were written with. Without it only the hashes are checked, which a forger makes as well as anybody.
    pub key: Option<AuditKey>,
    /// Heads noted elsewhere, oldest first; the chain must hold each of them at its place.
    pub anchors: Vec<Anchor>,
}

/// Where the chain stands after a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) seq: u64,
    pub(super) hash: String,
    pub(super) ts: Stamp,
}

/// What a walk found.
#[derive(Debug, Default)]
pub(super) struct Walk {
    pub(super) segments: u32,
    pub(super) records: u64,
    pub(super) first: Option<Stamp>,
    pub(super) last: Option<Link>,
    pub(super) broken: Option<BrokenChain>,
    /// Offset after the last good line of the last segment walked.
    pub(super) good_bytes: u64,
    pub(super) head_seen: bool,
    /// Records whose MAC was checked and is right.
    pub(super) keyed: u64,
    /// Whether a record with a MAC has been seen: from there on each must have one.
    pub(super) keyed_seen: bool,
    /// Anchors passed.
    pub(super) anchors: usize,
}

/// Proves the whole chain of `dir`.
///
/// # Errors
/// [`AuditError::Io`]. A broken chain is an answer, not an error.
pub fn verify(dir: &Path, options: &VerifyOptions) -> Result<VerifyReply, AuditError> {
    verify_up_to(dir, options, None)
}

/// Proves the chain up to `end`, an offset in a segment: what a log that is being written to has promised so far.
pub(super) fn verify_up_to(
    dir: &Path,
    options: &VerifyOptions,
    end: Option<(u32, u64)>,
) -> Result<VerifyReply, AuditError> {
    let segments = segment::list(dir)?;
    if segments.is_empty() {
        let problem = format!("found no audit-NNNNNN.jsonl in {}", dir.display());
        let broken = Some(BrokenChain { file: "audit-000001.jsonl".to_owned(), line: 0, offset: 0, problem });
        return Ok(VerifyReply { head: GENESIS.into(), broken, ..VerifyReply::default() });
    }
    let mut walk = walk(&segments, options, end)?;
    if walk.broken.is_none()
        && let Some(problem) = missing_from(&walk, options)
    {
        let file = segments.last().map_or_else(String::new, Segment::name);
        walk.broken = Some(BrokenChain { file, line: 0, offset: walk.good_bytes, problem });
    }
    let head = walk.last.as_ref().map_or_else(|| GENESIS.to_owned(), |link| link.hash.clone());
    let last = walk.last.map(|link| link.ts);
    let Walk { segments, records, first, broken, keyed, anchors, .. } = walk;
    let anchored = anchors.checked_sub(1).and_then(|at| options.anchors.get(at)).map(|anchor| anchor.seq);
    Ok(VerifyReply {
        segments,
        records,
        head,
        first,
        last,
        broken,
        key_checked: options.key.is_some(),
        keyed,
        anchored,
        unanchored: None,
    })
}

/// What was noted elsewhere and is not in a chain that holds by itself.
fn missing_from(walk: &Walk, options: &VerifyOptions) -> Option<String> {
    let seq = walk.last.as_ref().map_or(0, |link| link.seq);
    if let Some(anchor) = options.anchors.get(walk.anchors) {
        return Some(format!(
            "the chain ends at record {seq}, and record {} was anchored at {}: records were cut off",
            anchor.seq, anchor.at
        ));
    }
    let head = options.head.as_ref().filter(|_| !walk.head_seen)?;
    Some(format!(
        "the chain is sound, but does not hold the noted record {head}: it was cut off or rewritten"
    ))
}

/// Walks the segments until the end or the first break.
pub(super) fn walk(
    segments: &[Segment],
    options: &VerifyOptions,
    end: Option<(u32, u64)>,
) -> Result<Walk, AuditError> {
    let mut walk = Walk::default();
    let first_index = segments.first().map_or(1, |s| s.index);
    for (expected, segment) in (first_index..).zip(segments) {
        let missing = if first_index != 1 && !options.partial { Some(1) } else { Some(expected) };
        if let Some(missing) = missing.filter(|index| *index != segment.index) {
            let file = super::segment::segment(Path::new(""), missing).name();
            let problem =
                "the segment is missing (--partial accepts a chain whose oldest segments are kept elsewhere)";
            walk.broken = Some(BrokenChain { file, line: 0, offset: 0, problem: problem.to_owned() });
            return Ok(walk);
        }
        let bytes = end.filter(|(index, _)| *index == segment.index).map(|(_, bytes)| bytes);
        walk.segments += 1;
        walk_segment(segment, bytes, options, &mut walk)?;
        if walk.broken.is_some() || bytes.is_some() {
            break;
        }
    }
    Ok(walk)
}

fn walk_segment(
    segment: &Segment,
    bytes: Option<u64>,
    options: &VerifyOptions,
    walk: &mut Walk,
) -> Result<(), AuditError> {
    let file = File::open(&segment.path).map_err(AuditError::io(&segment.path, "cannot be opened"))?;
    let mut lines = BufReader::new(file.take(bytes.unwrap_or(u64::MAX)));
    let (mut number, mut line) = (0, Vec::new());
    walk.good_bytes = 0;
    loop {
        line.clear();
        let length = (&mut lines)
            .take(LINE_BYTES_MAX as u64)
            .read_until(b'\n', &mut line)
            .map_err(AuditError::io(&segment.path, "cannot be read"))?;
        if length == 0 {
            return Ok(());
        }
        number += 1;
        match check(&line, walk, options) {
            Ok((link, keyed)) => {
                walk.records += 1;
                walk.good_bytes += length as u64;
                walk.head_seen |= options.head.as_ref().is_some_and(|head| *head == link.hash);
                walk.keyed_seen |= keyed;
                walk.keyed += u64::from(keyed && options.key.is_some());
                let passed =
                    options.anchors[walk.anchors..].iter().take_while(|anchor| anchor.seq <= link.seq);
                walk.anchors += passed.count();
                walk.first = walk.first.or(Some(link.ts));
                walk.last = Some(link);
            }
            Err(problem) => {
                let offset = walk.good_bytes;
                walk.broken = Some(BrokenChain { file: segment.name(), line: number, offset, problem });
                return Ok(());
            }
        }
    }
}

/// Checks one line against the one before and the anchors at its place; whether it has a MAC.
fn check(line: &[u8], walk: &Walk, options: &VerifyOptions) -> Result<(Link, bool), String> {
    let Some((b'\n', line)) = line.split_last() else {
        return Err(match line.len() {
            LINE_BYTES_MAX => format!("the line is longer than {LINE_BYTES_MAX} bytes"),
            n => format!("the line has no end after {n} bytes"),
        });
    };
    let OpenedLine { body, hash, keyed } = open_line(line, options.key.as_ref())?;
    if !(1..=LINE_VERSION).contains(&body.v) || (body.v > 1) != keyed {
        return Err(format!(
            "found line version {}, wanted 1 without a MAC or {LINE_VERSION} with one",
            body.v
        ));
    }
    if options.key.is_some() && !keyed {
        return Err("found a line without a MAC, and the key of the log is here: it was written by somebody who has it not".to_owned());
    }
    if walk.keyed_seen && !keyed {
        return Err("found a line without a MAC after lines that have one".to_owned());
    }
    // Nothing before the first segment found is known when older ones are kept elsewhere.
    let trusted = options.partial && walk.last.is_none();
    let (seq, prev) = walk.last.as_ref().map_or((1, GENESIS), |link| (link.seq + 1, &link.hash));
    if !trusted && body.seq != seq {
        return Err(format!("found record {}, wanted {seq}", body.seq));
    }
    if !trusted && body.prev != prev {
        return Err(format!("the chain is cut before this line: found prev {}, wanted {prev}", body.prev));
    }
    let noted = options.anchors[walk.anchors..].iter().find(|anchor| anchor.seq == body.seq);
    if let Some(anchor) = noted.filter(|anchor| anchor.head != hash) {
        return Err(format!(
            "the chain was rewritten: record {} was anchored at {} with hash {}, found {hash}",
            anchor.seq, anchor.at, anchor.head
        ));
    }
    Ok((Link { seq: body.seq, hash: hash.to_owned(), ts: body.ts }, keyed))
}
