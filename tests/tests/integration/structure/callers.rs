//! Nothing is public that nothing needs: each public item is named by code that ships, outside its definition, what passes
//! it on and the headers of its implementations. (What is not public the compiler watches over.) A function of a type is named
//! by a call behind a dot or by a path, and by a path of its own type where another type has a function of that name. Methods that
//! several types have under one name, called behind a dot, count for all of them.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::pending::{self, only_pending};
use super::source::{SourceFile, closing, code_of, rust_files, words};
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

/// A bench has no cold thread that reads a hop's intervals.
const READ_AT_THE_END: &str = "how the bench reads, at its end, the hops of a run without a cold thread";

/// What calls the functions that are exported to C, every one of them.
const C_CALLS: &str = "dataplane/gate-ffi/include/portcullis_gate.hpp";

/// Public items that need no caller in the code, each with the reason.
const NEED_NONE: &[(&str, &str)] = &[
    ("dataplane/dpdk-sys/src/lib.rs STEP_MAC", "the numbers of the C shim's steps, whole"),
    (
        "dataplane/dpdk/src/vdev.rs Vdev::af_packet",
        "what the tests and the bench make; a configuration names it by its text",
    ),
    ("dataplane/dpdk/src/vdev.rs Vdev::af_xdp", "what the tests make; a configuration names it by its text"),
    ("dataplane/gate/src/breaker.rs BreakerTable", ONE_TABLE),
    ("dataplane/gate/src/reference.rs RefTable", ONE_TABLE),
    ("dataplane/gate/src/fat_finger.rs FatFingerTable", ONE_TABLE),
    ("dataplane/gate/src/table.rs LimitTable", ONE_TABLE),
    ("dataplane/gate/src/table.rs StaticTable", ONE_TABLE),
    ("dataplane/gate/src/table.rs LimitTable::create_within", ONE_TABLE),
    (
        "dataplane/gate/src/limits.rs Envelope::fixed",
        "limits that no model moves: what the gate's page begins with, its tests and the bench",
    ),
    ("dataplane/gate/src/codes.rs markdown", "writes CODES.md, by the example of its name"),
    (
        "gpu/src/score/fused/autoencoder.rs FusedAutoencoder::mean_squared_errors",
        "the kernels on networks of any size: what the bench compares with other engines, and the tests with plain sums",
    ),
    ("dataplane/src/receiver/mod.rs Receiver::hops", READ_AT_THE_END),
    ("dataplane/stage/src/hist/mod.rs HopHistogram::current", READ_AT_THE_END),
    ("dataplane/wire/src/deep10.rs ETP", LISTED_WHOLE),
    ("dataplane/wire/src/deep10.rs EXTENDED_HOURS", LISTED_WHOLE),
    ("dataplane/wire/src/deep10.rs ODD_LOT", LISTED_WHOLE),
    ("dataplane/wire/src/deep10.rs TEST_SECURITY", LISTED_WHOLE),
    ("dataplane/wire/src/deep10.rs PriceLevelUpdate::sell", OTHER_SIDE),
    (
        "dataplane/wire/src/framing.rs Frames",
        "a day in memory, message by message: how the bench and its counts read one",
    ),
    ("dataplane/wire/src/iex.rs SegmentBuilder", OTHER_SIDE),
    (
        "dataplane/wire/src/moldudp64.rs Packet::next_sequence",
        "what the tests of simulator and gateways follow a line by",
    ),
    ("dataplane/wire/src/tops16.rs EXTENDED_HOURS", LISTED_WHOLE),
];

/// Words that introduce an item, each followed by its name.
const ITEMS: &[&str] = &["fn", "struct", "enum", "trait", "const", "static", "type", "union"];

/// What an item is, which says by which of its uses it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Form<'a> {
    /// A function of a type that takes one of it: called behind a dot, or by its path.
    Method(&'a str),
    /// A function of a type that takes none: named by its path alone.
    Function(&'a str),
    /// Everything else: named anywhere.
    Other,
}

/// A public item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Item<'a> {
    name: &'a str,
    form: Form<'a>,
}

/// Public items of a file that ships.
fn public_items(code: &str) -> BTreeSet<Item<'_>> {
    let all: Vec<(usize, &str)> = words(code).collect();
    let blocks = impl_blocks(code);
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
        let (name_at, name) = all[at + keyword + 2];
        let form = if rest[keyword] == "fn" { form_of(code, name_at, &blocks) } else { Form::Other };
        found.insert(Item { name, form });
    }
    found
}

/// What the function whose name stands at `name_at` is.
fn form_of<'a>(code: &str, name_at: usize, blocks: &[(Range<usize>, &'a str)]) -> Form<'a> {
    let Some(of) = type_at(blocks, name_at) else { return Form::Other };
    let name = &code[name_at..];
    let behind = &name[name.find(['<', '(']).unwrap_or(name.len())..];
    let parameters = behind[angles(behind)..].trim_start_matches('(');
    let first = parameters.split([',', ')', ':']).next().unwrap_or_default();
    let is_method = words(first).last().is_some_and(|(_, word)| word == "self");
    if is_method { Form::Method(of) } else { Form::Function(of) }
}

/// Length of the generics that `code` begins with; none where it begins with no angle bracket.
fn angles(code: &str) -> usize {
    let (mut depth, mut before) = (0_i32, ' ');
    for (at, c) in code.char_indices() {
        match c {
            '<' => depth += 1,
            // An arrow closes nothing.
            '>' if before != '-' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return if at == 0 { 0 } else { at + 1 };
        }
        before = c;
    }
    code.len()
}

/// The blocks in which types are implemented, each with the type's name; those of a macro's parameter have none and are left out.
fn impl_blocks(code: &str) -> Vec<(Range<usize>, &str)> {
    let headers = words(code).filter(|(at, word)| *word == "impl" && is_header(code, *at));
    let block = |(at, _): (usize, &str)| {
        let begin = at + code[at..].find('{')?;
        let header = &code[at + 4..begin];
        let header = &header[angles(header)..];
        let of = header.split_once(" for ").map_or(header, |(_, of)| of);
        let path = of.trim_start().split(['<', ' ', '\n', '{']).next()?;
        let name = path.rsplit("::").next()?;
        let is_name = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
        let end = begin + closing(&code[begin..], '{', '}');
        is_name.then_some((begin..end, name))
    };
    headers.filter_map(block).collect()
}

/// The type whose block `at` lies in.
fn type_at<'a>(blocks: &[(Range<usize>, &'a str)], at: usize) -> Option<&'a str> {
    blocks.iter().find(|(block, _)| block.contains(&at)).map(|(_, name)| *name)
}

/// The names that code uses, and how.
#[derive(Default)]
struct Uses<'a> {
    /// However they stand there.
    words: BTreeSet<&'a str>,
    /// Behind a dot, as what is called.
    calls: BTreeSet<&'a str>,
    /// Behind a path, with its last part; without one where that is no name.
    paths: BTreeSet<(&'a str, &'a str)>,
}

impl<'a> Uses<'a> {
    /// The names that `file` uses: not where it defines an item, passes one on or says what it implements.
    fn of(file: &'a SourceFile, code: &'a str) -> Self {
        let mut found = Self::default();
        found.words.extend(captures(file));
        attributes(file).for_each(|word| found.anyhow(word));
        let (all, blocks): (Vec<(usize, &str)>, _) = (words(code).collect(), impl_blocks(code));
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
                found.note(code, (offset, word), at.checked_sub(1).map(|before| all[before].1), &blocks);
                at += 1;
            }
        }
        found
    }

    /// `word` at `offset` of `code`, behind the word `before`.
    fn note(
        &mut self,
        code: &'a str,
        (offset, word): (usize, &'a str),
        before: Option<&'a str>,
        blocks: &[(Range<usize>, &'a str)],
    ) {
        self.words.insert(word);
        let (front, behind) = (code[..offset].trim_end(), &code[offset + word.len()..]);
        if front.ends_with('.') && (behind.starts_with('(') || behind.starts_with("::<")) {
            self.calls.insert(word);
        }
        if let Some(path) = front.strip_suffix("::") {
            let is_name = path.ends_with(|c: char| c.is_alphanumeric() || c == '_');
            let of = before.filter(|_| is_name).unwrap_or_default();
            let of = if of == "Self" { type_at(blocks, offset).unwrap_or_default() } else { of };
            self.paths.insert((of, word));
        }
    }

    /// A name of which nothing says how it is used.
    fn anyhow(&mut self, word: &'a str) {
        self.words.insert(word);
        self.calls.insert(word);
        self.paths.insert(("", word));
    }

    fn add(&mut self, other: Self) {
        self.words.extend(other.words);
        self.calls.extend(other.calls);
        self.paths.extend(other.paths);
    }

    /// Whether `item` is among them. `types` says of a function's name which types have one: a path of another of these is another's.
    fn has(&self, item: Item<'_>, types: &BTreeMap<&str, BTreeSet<&str>>) -> bool {
        let Item { name, form } = item;
        // A type's name begins with a capital; what else stands before a path's last part is a module.
        let is_type = |of: &str| of.is_empty() || of.starts_with(char::is_uppercase);
        let mut paths =
            self.paths.iter().filter(|(of, named)| *named == name && is_type(of)).map(|(of, _)| *of);
        let others = |of: &str| types.get(name).is_some_and(|types| types.contains(of));
        match form {
            Form::Other => self.words.contains(name),
            Form::Method(own) => self.calls.contains(name) || paths.any(|of| of == own || !others(of)),
            Form::Function(own) => paths.any(|of| of == own || !others(of)),
        }
    }
}

/// Of each function of a type, public or not, which types have one of that name.
fn types_by_function(files: &[SourceFile]) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut found: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for file in files {
        let (all, blocks): (Vec<(usize, &str)>, _) = (words(&file.code).collect(), impl_blocks(&file.code));
        for pair in all.windows(2).filter(|pair| pair[0].1 == "fn") {
            let (at, name) = pair[1];
            found.entry(name).or_default().extend(type_at(&blocks, at));
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

/// Names that formatting captures.
fn captures(file: &SourceFile) -> impl Iterator<Item = &str> {
    let opened = file.text.split('{').skip(1);
    opened.filter_map(|rest| words(rest).next().filter(|(at, _)| *at == 0)).map(|(_, word)| word)
}

/// Names in attributes (`#[serde(default = "name")]`).
fn attributes(file: &SourceFile) -> impl Iterator<Item = &str> {
    let attributes = file.text.lines().map(str::trim_start).filter(|line| line.starts_with("#["));
    attributes.flat_map(words).map(|(_, word)| word)
}

/// Public items without a caller, as the file and the name, behind its type where it has one.
fn without_callers(files: &[SourceFile]) -> BTreeSet<String> {
    let mut used_by_what_ships = Uses::default();
    let mut used_by: BTreeMap<&str, Uses<'_>> = BTreeMap::new();
    let mut used_by_own_tests: BTreeMap<&str, Uses<'_>> = BTreeMap::new();
    for file in files {
        let (package, within) = (file.package(), file.within_package());
        if file.ships() && !["bench", "bench/instructions", "tests", "tests/fuzz"].contains(&package) {
            used_by_what_ships.add(Uses::of(file, &file.production));
        }
        let code = if within.starts_with("src/") { &file.production } else { &file.code };
        let is_test =
            within.starts_with("tests/") && !["bench", "bench/instructions", "tests"].contains(&package);
        let by = if is_test { &mut used_by_own_tests } else { &mut used_by };
        by.entry(package).or_default().add(Uses::of(file, code));
    }
    let types = types_by_function(files);
    let has_caller = |package: &str, item: Item<'_>| {
        let of_others = used_by_own_tests.iter().filter(|(by, _)| **by != package);
        used_by.iter().chain(of_others).any(|(_, uses)| uses.has(item, &types))
    };
    let from_c = code_of(&std::fs::read_to_string(repository().join(C_CALLS)).expect("the header for C++"));
    // What it calls belongs to no type.
    used_by_what_ships.words.extend(words(&from_c).map(|(_, word)| word));
    let mut found = BTreeSet::new();
    for file in files.iter().filter(|file| file.ships()) {
        let is_tool = TOOLS.contains(&file.package());
        for item in public_items(&file.production) {
            let used =
                if is_tool { has_caller(file.package(), item) } else { used_by_what_ships.has(item, &types) };
            if !used {
                let of = match item.form {
                    Form::Method(of) | Form::Function(of) => format!("{of}::"),
                    Form::Other => String::new(),
                };
                found.insert(format!("{} {of}{}", file.path, item.name));
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
    let items: Vec<&str> = public_items(&code).into_iter().map(|item| item.name).collect();
    assert_eq!(items, ["Alone", "MAX", "c", "called", "lonely"]);
    let used = Uses::of(&file, &code).words;
    for name in ["Used", "called", "inside", "by_attribute"] {
        assert!(used.contains(name), "{name} is used");
    }
    for name in ["Passed", "Alone", "lonely", "hidden", "c", "MAX"] {
        assert!(!used.contains(name), "{name} is not used");
    }
}

#[test]
fn a_function_of_a_type_is_used_by_its_call_or_its_path_and_not_by_whoever_has_its_name() {
    let defined = "pub struct A; pub struct B;\n\
                   impl<T: Fn(u8) -> Vec<u8>> A { pub fn new() {} pub fn mode(&self) {} pub fn kernel<'a>(&'a mut self) {} }\n\
                   impl B { pub fn new() {} pub fn mode(mut self) {} } impl From<A> for B { fn from(a: A) -> Self { Self } }";
    let of = |code: &str| {
        let user = SourceFile::of_test("x/src/b.rs", code);
        let definer = SourceFile::of_test("x/src/a.rs", defined);
        let types = types_by_function(std::slice::from_ref(&definer));
        let (items, uses) = (public_items(&definer.production), Uses::of(&user, &user.production));
        let unused = items.into_iter().filter(|item| item.form != Form::Other && !uses.has(*item, &types));
        let named = |item: Item<'_>| match item.form {
            Form::Method(of) => format!("{of}.{}", item.name),
            Form::Function(of) => format!("{of}::{}", item.name),
            Form::Other => unreachable!(),
        };
        unused.map(named).collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join(" ")
    };
    let all = "A.kernel A.mode A::new B.mode B::new";
    assert_eq!(
        of("fn f(mode: u8) { let kernel = mode; new(kernel.mode, x.new()); }"),
        all,
        "names of others"
    );
    assert_eq!(of("fn f() { A::new(); x\n .mode(); y.kernel::<u8>() }"), "B::new");
    assert_eq!(of("fn f() { Other::new(); list.map(B::mode) }"), "A.kernel A.mode");
    assert_eq!(of("impl B { fn f() { Self::new() } }"), "A.kernel A.mode A::new B.mode");
    assert_eq!(of("use crate::a::mode; fn f() { a::new(mode); }"), all, "a module is no type");
    assert_eq!(
        of("fn f() { Vec::<u8>::new(); }"),
        "A.kernel A.mode B.mode",
        "a path that nobody follows is anybody's"
    );
}
