//! Nothing is public that nothing needs: each public item is named by code that ships, outside its definition, what passes
//! it on and the headers of its implementations. (What is not public the compiler watches over.) A name that several items
//! share counts for all of them.

use std::collections::{BTreeMap, BTreeSet};

use super::pending::{self, only_pending};
use super::source::{SourceFile, code_of, rust_files, words};
use tests::repository;

/// Packages that never run in production: for theirs, any code but their own tests counts as a caller. What `bench` and `tests`
/// test is the product. `wire` is none of them: what it reads the product reads, and what it writes the product sends, the
/// simulator among it; the rest stands below.
const TOOLS: &[&str] = &["bench", "bench/instructions", "tests", "tests/fuzz", "dataplane/simulator"];

/// A list of bits of a specification has a hole where one is left out.
const LISTED_WHOLE: &str = "one of a list of the specification, which is kept whole";

/// The appliance lays all tables of a gate out together.
const ONE_TABLE: &str =
    "makes one table alone, for who builds a gate piece by piece: its page, benches and tests";

/// No program here sends it: the receiver's tests and fuzz targets play that side.
const OTHER_SIDE: &str =
    "writes what no program here sends, for the tests that play that side to the receiver";

/// What calls the functions that are exported to C, every one of them.
const C_CALLS: &str = "dataplane/gate-ffi/include/portcullis_gate.hpp";

/// Public items that need no caller in the code, each with the reason.
const NEED_NONE: &[(&str, &str)] = &[
    ("dataplane/dpdk-sys/src/lib.rs STEP_MAC", "the numbers of the C shim's steps, whole"),
    (
        "dataplane/dpdk/src/vdev.rs af_packet",
        "what the tests and the bench make; a configuration names it by its text",
    ),
    ("dataplane/dpdk/src/vdev.rs af_xdp", "what the tests make; a configuration names it by its text"),
    ("dataplane/gate/src/breaker.rs BreakerTable", ONE_TABLE),
    ("dataplane/gate/src/reference.rs RefTable", ONE_TABLE),
    ("dataplane/gate/src/fat_finger.rs FatFingerTable", ONE_TABLE),
    ("dataplane/gate/src/table.rs LimitTable", ONE_TABLE),
    ("dataplane/gate/src/table.rs StaticTable", ONE_TABLE),
    ("dataplane/gate/src/table.rs create_within", ONE_TABLE),
    ("dataplane/gate/src/codes.rs markdown", "writes CODES.md, by the example of its name"),
    (
        "gpu/src/score/fused/autoencoder.rs mean_squared_errors",
        "the kernels on networks of any size: what the bench compares with other engines, and the tests with plain sums",
    ),
    ("dataplane/wire/src/deep10.rs ETP", LISTED_WHOLE),
    ("dataplane/wire/src/deep10.rs EXTENDED_HOURS", LISTED_WHOLE),
    ("dataplane/wire/src/deep10.rs ODD_LOT", LISTED_WHOLE),
    ("dataplane/wire/src/deep10.rs TEST_SECURITY", LISTED_WHOLE),
    ("dataplane/wire/src/deep10.rs sell", OTHER_SIDE),
    (
        "dataplane/wire/src/framing.rs Frames",
        "a day in memory, message by message: how the bench and its counts read one",
    ),
    ("dataplane/wire/src/iex.rs SegmentBuilder", OTHER_SIDE),
    (
        "dataplane/wire/src/moldudp64.rs next_sequence",
        "what the tests of simulator and gateways follow a line by",
    ),
    ("dataplane/wire/src/tops16.rs EXTENDED_HOURS", LISTED_WHOLE),
];

/// Words that introduce an item, each followed by its name.
const ITEMS: &[&str] = &["fn", "struct", "enum", "trait", "const", "static", "type", "union"];

/// Names of the public items of a file that ships.
fn public_items(code: &str) -> BTreeSet<&str> {
    let all: Vec<(usize, &str)> = words(code).collect();
    let mut found = BTreeSet::new();
    for (at, (offset, _)) in all.iter().enumerate().filter(|(_, (_, word))| *word == "pub") {
        // `pub(crate)` is not public.
        let restricted = code[offset + 3..].trim_start().starts_with('(');
        // Before the item may stand `const`, `unsafe`, `extern` or `async`.
        let rest = all[at + 1..].iter().take(5).map(|(_, word)| *word).collect::<Vec<_>>();
        let keyword = rest.iter().position(|word| ITEMS.contains(word));
        let Some(mut keyword) = keyword.filter(|_| !restricted) else { continue };
        if rest[..keyword].iter().any(|word| !["unsafe", "extern", "async"].contains(word)) {
            continue;
        }
        if rest[keyword] == "const" && ["fn", "unsafe", "extern"].contains(&rest[keyword + 1]) {
            keyword = rest.iter().position(|word| *word == "fn").expect("a const function");
        }
        found.insert(rest[keyword + 1]);
    }
    found
}

/// The names that `file` uses: not where it defines an item, passes one on or says what it implements.
fn uses<'a>(file: &'a SourceFile, code: &'a str) -> BTreeSet<&'a str> {
    let mut found: BTreeSet<&str> = literal_uses(file).collect();
    let all: Vec<(usize, &str)> = words(code).collect();
    let mut at = 0;
    while at < all.len() {
        let (offset, word) = all[at];
        let until = |end: char| offset + code[offset..].find(end).unwrap_or(code.len() - offset);
        let skip_to = match word {
            _ if ITEMS.contains(&word) => {
                Some(all.get(at + 1).map_or(code.len(), |(next, name)| next + name.len()))
            }
            "use" if at > 0 && is_public(code, all[at - 1], offset) => Some(until(';')),
            "impl" if is_header(code, offset) => Some(until('{')),
            _ => None,
        };
        if let Some(end) = skip_to {
            // `const fn` defines one item.
            let is_const_fn = word == "const" && all.get(at + 1).is_some_and(|(_, next)| *next == "fn");
            at += 1;
            while !is_const_fn && at < all.len() && all[at].0 < end {
                at += 1;
            }
        } else {
            found.insert(word);
            at += 1;
        }
    }
    found
}

/// Whether the word before the one at `offset` makes it public.
fn is_public(code: &str, (before, word): (usize, &str), offset: usize) -> bool {
    word == "pub" || code[before..offset].contains(')')
}

/// Whether `impl` at `offset` begins a block, rather than a type (`-> impl Iterator`).
fn is_header(code: &str, offset: usize) -> bool {
    let before = code[..offset].trim_end();
    before.is_empty() || before.ends_with(['}', ';', ']', '{']) || before.ends_with("unsafe")
}

/// Names in literals: those that formatting captures, and those in attributes (`#[serde(default = "name")]`).
fn literal_uses(file: &SourceFile) -> impl Iterator<Item = &str> {
    let captured =
        file.text.split('{').skip(1).filter_map(|rest| words(rest).next().filter(|(at, _)| *at == 0));
    let attributes = file.text.lines().map(str::trim_start).filter(|line| line.starts_with("#["));
    captured.chain(attributes.flat_map(words)).map(|(_, word)| word)
}

/// Public items without a caller, as the file and the name.
fn without_callers(files: &[SourceFile]) -> BTreeSet<String> {
    let mut used_by_what_ships = BTreeSet::new();
    let mut used_by: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut used_by_own_tests: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for file in files {
        let (package, within) = (file.package(), file.within_package());
        if file.ships() && !["bench", "bench/instructions", "tests", "tests/fuzz"].contains(&package) {
            used_by_what_ships.extend(uses(file, &file.production));
        }
        let code = if within.starts_with("src/") { &file.production } else { &file.code };
        let is_test =
            within.starts_with("tests/") && !["bench", "bench/instructions", "tests"].contains(&package);
        let by = if is_test { &mut used_by_own_tests } else { &mut used_by };
        by.entry(package).or_default().extend(uses(file, code));
    }
    let has_caller = |package: &str, name: &str| {
        let of_others = used_by_own_tests.iter().filter(|(by, _)| **by != package);
        used_by.iter().chain(of_others).any(|(_, names)| names.contains(name))
    };
    let from_c = code_of(&std::fs::read_to_string(repository().join(C_CALLS)).expect("the header for C++"));
    used_by_what_ships.extend(words(&from_c).map(|(_, word)| word));
    let mut found = BTreeSet::new();
    for file in files.iter().filter(|file| file.ships()) {
        let is_tool = TOOLS.contains(&file.package());
        for name in public_items(&file.production) {
            let used =
                if is_tool { has_caller(file.package(), name) } else { used_by_what_ships.contains(name) };
            if !used {
                found.insert(format!("{} {name}", file.path));
            }
        }
    }
    found
}

#[test]
fn every_public_item_has_a_caller_that_ships() {
    let mut found = without_callers(&rust_files());
    for (item, reason) in NEED_NONE {
        assert!(found.remove(*item), "{item} has a caller or is gone, so it needs no excuse ({reason})");
    }
    only_pending("public items without a caller that ships", &found, pending::WITHOUT_CALLERS);
}

#[test]
fn definitions_reexports_and_headers_are_no_use() {
    let text = "pub use a::Passed; use b::Used; pub struct Alone; impl Alone { pub const fn called(&self) -> impl Fn() { captured!(\"{inside:?}\") } }\n\
                pub fn lonely() { called(); }\n#[serde(default = \"by_attribute\")]\npub(crate) fn hidden() {} pub unsafe extern fn c() {} pub const MAX: u8 = 1; pub mod m {}";
    let file = SourceFile::of_test("x/src/a.rs", text);
    let code = code_of(text);
    let items: Vec<&str> = public_items(&code).into_iter().collect();
    assert_eq!(items, ["Alone", "MAX", "c", "called", "lonely"]);
    let used = uses(&file, &code);
    for name in ["Used", "called", "inside", "by_attribute"] {
        assert!(used.contains(name), "{name} is used");
    }
    for name in ["Passed", "Alone", "lonely", "hidden", "c", "MAX"] {
        assert!(!used.contains(name), "{name} is not used");
    }
}
