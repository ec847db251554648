//! One topology: a type that is a stage of the line is made in one file, and so is every ring between two threads, with its depth and
//! its overflow rule, so that whoever runs the line runs the same one.

use std::collections::{BTreeMap, BTreeSet};

use super::pending::{self, only_pending};
use super::source::{SourceFile, rust_files, words};

/// Types that implement `Stage` in what ships, each with the file of the implementation.
fn stage_types(files: &[SourceFile]) -> BTreeMap<&str, &str> {
    let mut found = BTreeMap::new();
    for file in files.iter().filter(|file| file.ships()) {
        let code = &file.production;
        for (at, _) in code.match_indices(" Stage for ") {
            let (_, name) = words(&code[at..]).nth(2).expect("a type behind `for`");
            found.insert(name, file.path.as_str());
        }
    }
    found
}

/// Whether `code` makes a `name`: by a function of the type, or by naming its fields.
fn makes(code: &str, name: &str) -> bool {
    words(code).filter(|(_, word)| *word == name).any(|(at, _)| {
        let before = code[..at].trim_end();
        let behind = code[at + name.len()..].trim_start();
        let call = |behind: &str| {
            let method =
                behind.strip_prefix("::").and_then(|rest| words(rest).next().filter(|(at, _)| *at == 0));
            // A variant or a constant begins with a capital.
            method.is_some_and(|(_, word)| word.starts_with(char::is_lowercase))
        };
        let generic = behind.strip_prefix("::<").map(|rest| &rest[rest.find('>').map_or(0, |at| at + 1)..]);
        let is_literal = behind.starts_with('{')
            && !["struct", "impl", "for", "enum", "->"].iter().any(|word| before.ends_with(word))
            && !before.ends_with('>');
        call(behind) || generic.is_some_and(call) || is_literal
    })
}

#[test]
fn a_stage_is_made_in_one_file() {
    let files = rust_files();
    let mut found = BTreeSet::new();
    for (name, home) in stage_types(&files) {
        let makers: Vec<&str> = files
            .iter()
            .filter(|file| file.ships() && file.package() != "bench")
            .filter(|file| makes(&file.production, name))
            .map(|file| file.path.as_str())
            .collect();
        println!("{name} of {home} is made in {}", makers.join(", "));
        if makers.len() > 1 {
            found.insert(name.to_owned());
        }
    }
    only_pending("stages made in more than one file (the output says where)", &found, pending::STAGES);
}

#[test]
fn what_makes_a_stage_is_told_from_what_names_it() {
    for made in ["A::new(1)", "A::<u8>::open()", "let a = A { b };", "Ok(A { b })"] {
        assert!(makes(made, "A"), "{made}");
    }
    for named in [
        "impl Stage for A {",
        "struct A {",
        "fn f() -> A {",
        "fn f(a: &A) {}",
        "A::MAX",
        "impl<T> A {",
        "Aa::new()",
    ] {
        assert!(!makes(named, "A"), "{named}");
    }
}

/// What stages are made of that is a stage of nothing itself, and what makes a receiver; each is called for in one file.
const PARTS: [(&str, &str); 4] = [
    ("Featurizer", "control/appliance/src/line/books.rs"),
    ("ScorerStage", "control/appliance/src/line/topology.rs"),
    ("open_files", "control/appliance/src/line/topology.rs"),
    ("receive", "control/appliance/src/line/topology.rs"),
];

#[test]
fn what_a_line_is_made_of_is_called_for_in_one_file() {
    let files = rust_files();
    for (part, home) in PARTS {
        let callers: Vec<&str> = files
            .iter()
            .filter(|file| file.ships() && file.package() == "control/appliance")
            .filter(|file| makes(&file.production, part) || calls(&file.production, &[part]))
            .map(|file| file.path.as_str())
            .collect();
        assert_eq!(callers, [home], "{part}");
    }
}

/// Files in which rings and channels are made, and which they are. The line's are declared with their depths and their overflow
/// rules in the first; another file needs a reason to be none of the line.
const RINGS: [(&str, &str); 10] = [
    ("control/appliance/src/line/topology.rs", "all of the line, of its histograms and of order threads"),
    ("control/rest/src/ask.rs", "questions of another process, and one answer each"),
    ("control/rest/src/main.rs", "the newest picture of another process"),
    ("dataplane/attach/src/thread.rs", "the other end of an order thread's ring, in its own process"),
    (
        "dataplane/egress/src/connect.rs",
        "one word of a gateway's helper: the connection, or why there is none",
    ),
    (
        "dataplane/egress/src/reconcile/tap.rs",
        "what a gateway tells the thread that reconciles its drop copies",
    ),
    ("dataplane/stage/src/hist/mod.rs", "what a histogram's ring is"),
    ("dataplane/stage/src/ring.rs", "what a ring is"),
    ("dataplane/stage/src/runner.rs", "one word of a new thread: that it stands where it is to"),
    // Of a library behind an interface of its own.
    ("gpu/src/score/cuda/reopener.rs", "one request to open a card again, and one answer"),
];

#[test]
fn a_ring_is_made_where_the_line_is_declared() {
    let files = rust_files();
    let found: BTreeSet<&str> = files
        .iter()
        .filter(|file| {
            file.ships() && !["bench", "tests"].iter().any(|tools| file.package().starts_with(tools))
        })
        .filter(|file| makes_ring(&file.production))
        .map(|file| file.path.as_str())
        .collect();
    let known: BTreeSet<&str> = RINGS.iter().map(|(path, _)| *path).collect();
    let new: Vec<_> = found.difference(&known).collect();
    assert!(
        new.is_empty(),
        "a ring of the line is declared in {}, with its depth and its overflow rule: {new:?}",
        RINGS[0].0
    );
    let gone: Vec<_> = known.difference(&found).collect();
    assert!(gone.is_empty(), "no ring is made there any more: {gone:?}");
}

/// Whether `code` makes a ring or a channel, whoever's it is.
fn makes_ring(code: &str) -> bool {
    let types = ["RingBuffer", "HopHistogram", "RingReader", "RingWriter"];
    let crates = ["crossbeam", "crossbeam_channel", "flume", "kanal", "thingbuf"];
    types.iter().any(|name| makes(code, name) && !code.contains(&format!("struct {name}")))
        || calls(code, &["ring", "channel", "sync_channel"])
        || words(code).any(|(_, word)| crates.contains(&word))
}

/// Whether `code` calls a function of one of these names, which is no method and no type's.
fn calls(code: &str, names: &[&str]) -> bool {
    words(code).filter(|(_, word)| names.contains(word)).any(|(at, word)| {
        let before = code[..at].trim_end();
        let behind = &code[at + word.len()..];
        let path =
            before.strip_suffix("::").map_or("", |path| words(path).last().map_or("", |(_, word)| word));
        (behind.starts_with('(') || behind.starts_with("::<"))
            && !before.ends_with('.')
            && !before.ends_with("fn")
            && !path.starts_with(char::is_uppercase)
    })
}

#[test]
fn what_makes_a_ring_is_told_from_what_has_one() {
    for made in [
        "let (tx, rx) = ring(4);",
        "stage::ring::<u64>(4)",
        "std::sync::mpsc::channel()",
        "let (a, b) = sync_channel(1);",
        "oneshot::channel::<u8>()",
        "rtrb::RingBuffer::<u8>::new(1)",
        "HopHistogram::new(name, start, 2)",
        "RingReader::open(path, 4, 1)",
        "use crossbeam_channel::bounded;",
    ] {
        assert!(makes_ring(made), "{made}");
    }
    for had in [
        "fn ring<T>(depth: usize) {",
        "let ring = process.ring;",
        "Vdev::ring(0)",
        "a.channel(1)",
        "fn channel(&self) -> u8 {",
        "ring: RingReader,",
        "lines.map(channel)",
    ] {
        assert!(!makes_ring(had), "{had}");
    }
}
