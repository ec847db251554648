//! Rust files as the rules read them: text, code without comments and literals, and the part of it that ships.

use std::collections::BTreeSet;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use tests::repository;

/// One Rust file of the repository.
pub(crate) struct SourceFile {
    /// Path from the repository's root, with slashes.
    pub(crate) path: String,
    /// The file as it stands.
    pub(crate) text: String,
    /// Comments and literals replaced by blanks, so that offsets and lines are those of `text`.
    pub(crate) code: String,
    /// `code` without the items that only a test build has; blank when the whole file is a test's.
    pub(crate) production: String,
    /// Lines that a build for production or the documentation reads.
    pub(crate) production_lines: usize,
}

impl SourceFile {
    /// A file for the tests of the rules.
    pub(crate) fn of_test(path: &str, text: &str) -> Self {
        Self::new(path.to_owned(), text.to_owned())
    }

    fn new(path: String, text: String) -> Self {
        let code = code_of(&text);
        let cut = test_items(&code);
        let production = blank(&code, &cut);
        let lines_cut: usize = cut.iter().map(|range| code[range.clone()].lines().count()).sum();
        let production_lines = text.lines().count() - lines_cut;
        Self { path, text, code, production, production_lines }
    }

    /// The folder of the package that holds the file, from the repository's root.
    pub(crate) fn package(&self) -> &str {
        let folders = self.path.match_indices('/').map(|(at, _)| &self.path[..at]);
        let mut packages = folders.filter(|folder| repository().join(folder).join("Cargo.toml").is_file());
        packages.next_back().unwrap_or_else(|| panic!("{} is in no package", self.path))
    }

    /// The path within the package.
    pub(crate) fn within_package(&self) -> &str {
        &self.path[self.package().len() + 1..]
    }

    /// Whether the file is compiled into what ships: below `src`, and no test's.
    pub(crate) fn ships(&self) -> bool {
        self.within_package().starts_with("src/") && !self.production.trim().is_empty()
    }
}

/// Every Rust file of the repository, by path.
pub(crate) fn rust_files() -> Vec<SourceFile> {
    let files = files_with(&["rs"]);
    let mut sources: Vec<SourceFile> = files
        .into_iter()
        .map(|(path, full)| SourceFile::new(path, fs::read_to_string(full).expect("a source file")))
        .collect();
    // A module declared for tests alone makes tests of its files.
    let folders: BTreeSet<String> = sources.iter().flat_map(test_modules).collect();
    for source in &mut sources {
        let module = source.path.trim_end_matches(".rs").trim_end_matches("/mod");
        if folders.iter().any(|f| module == f || module.starts_with(&format!("{f}/"))) {
            source.production = blank(&source.code, std::slice::from_ref(&(0..source.code.len())));
            source.production_lines = 0;
        }
    }
    sources
}

/// Every file of the repository with one of these extensions, as path from the root and full path, sorted.
pub(crate) fn files_with(extensions: &[&str]) -> Vec<(String, PathBuf)> {
    let mut found = Vec::new();
    let root = repository();
    walk(&root, &mut |path| {
        if path.extension().is_some_and(|e| extensions.iter().any(|wanted| e == *wanted)) {
            let relative = path.strip_prefix(&root).expect("a path below the root");
            found.push((relative.to_str().expect("a UTF-8 path").to_owned(), path.to_owned()));
        }
    });
    found.sort();
    found
}

/// Calls `visit` with every file that a clone could hold: not what builds and runs leave behind.
fn walk(folder: &Path, visit: &mut dyn FnMut(&Path)) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        if path.is_dir() {
            let generated = ["target", "out"].contains(&name.as_str()) && folder == repository();
            if !generated && (!name.starts_with('.') || name == ".ci") {
                walk(&path, visit);
            }
        } else {
            visit(&path);
        }
    }
}

/// The paths, without `.rs`, of the modules that `file` declares for tests alone.
fn test_modules(file: &SourceFile) -> Vec<String> {
    let stem = file.path.trim_end_matches(".rs");
    let root = ["/mod", "/lib", "/main"].iter().find_map(|end| stem.strip_suffix(end)).unwrap_or(stem);
    let declared = |range: &Range<usize>| {
        let words = words(&file.code[range.clone()]).map(|(_, word)| word).collect::<Vec<_>>();
        let at = words.iter().position(|word| *word == "mod")?;
        let is_file = !file.code[range.clone()].contains('{');
        is_file.then(|| format!("{root}/{}", words[at + 1]))
    };
    test_items(&file.code).iter().filter_map(declared).collect()
}

/// Identifiers and keywords of `code` with their offsets.
pub(crate) fn words(code: &str) -> impl Iterator<Item = (usize, &str)> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    code.split(move |c| !is_word(c)).filter(|word| !word.is_empty()).map(|word| {
        // `split` yields slices of `code`, so that the distance of the pointers is the offset.
        (word.as_ptr() as usize - code.as_ptr() as usize, word)
    })
}

/// `code` with the bytes of `ranges` replaced by blanks, line ends kept.
fn blank(code: &str, ranges: &[Range<usize>]) -> String {
    let mut bytes = code.as_bytes().to_vec();
    for range in ranges {
        for byte in &mut bytes[range.clone()] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
    }
    String::from_utf8(bytes).expect("whole characters are replaced")
}

/// `text` with comments and literals replaced by blanks, line ends kept.
pub(crate) fn code_of(text: &str) -> String {
    let mut ranges = Vec::new();
    let mut at = 0;
    let bytes = text.as_bytes();
    while at < bytes.len() {
        let rest = &text[at..];
        let word_before = at > 0 && (bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'_');
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            block_comment(rest)
        } else if rest.starts_with('"') {
            string(rest)
        } else if !word_before && let Some(length) = raw_string(rest) {
            length
        } else if rest.starts_with('\'') {
            character(rest)
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
            continue;
        };
        ranges.push(at..at + length);
        at += length;
    }
    blank(text, &ranges)
}

/// Length of the block comment that `text` begins with; they nest.
fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        if text[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if text[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                break;
            }
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    at
}

/// Length of the string literal that `text` begins with.
fn string(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// Length of the raw string literal that `text` begins with, or `None` when it begins with none.
fn raw_string(text: &str) -> Option<usize> {
    let prefix = ["br", "cr", "r"].into_iter().find(|prefix| text.starts_with(prefix))?;
    let hashes = text[prefix.len()..].bytes().take_while(|b| *b == b'#').count();
    let open = prefix.len() + hashes;
    if !text[open..].starts_with('"') {
        return None;
    }
    let close = format!("\"{}", "#".repeat(hashes));
    let length = text[open + 1..].find(&close).map_or(text.len(), |at| open + 1 + at + close.len());
    Some(length)
}

/// Length of the character literal that `text` begins with; of a lifetime, its tick alone.
fn character(text: &str) -> usize {
    let mut after = text.char_indices().skip(1);
    let Some((_, first)) = after.next() else { return 1 };
    if first == '\\' {
        // The escaped character may be a tick itself.
        return text[3..].find('\'').map_or(text.len(), |at| at + 4);
    }
    match after.next() {
        Some((at, '\'')) => at + 1,
        _ => 1,
    }
}

/// Where the items stand that only a test build has: the attribute and all that it governs.
fn test_items(code: &str) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    for (at, _) in code.match_indices("#[cfg(") {
        if found.last().is_some_and(|last| at < last.end) {
            continue;
        }
        let end = at + closing(&code[at..], '[', ']');
        let condition = &code[at + "#[cfg(".len()..end];
        let squeezed: String = condition.chars().filter(|c| !c.is_whitespace()).collect();
        let for_tests = words(condition).any(|(_, word)| word == "test")
            && !squeezed.contains("not(test")
            // loom checks models of the code, so what it needs is a test's.
            && (!squeezed.starts_with("any(") || squeezed.starts_with("any(test,loom)"));
        if for_tests {
            found.push(at..end + governed(&code[end..]));
        }
    }
    found
}

/// Offset behind the bracket that closes the first `open` of `code`.
pub(crate) fn closing(code: &str, open: char, close: char) -> usize {
    let mut depth = 0;
    for (at, c) in code.char_indices() {
        if c == open {
            depth += 1;
        } else if c == close {
            depth -= 1;
            if depth == 0 {
                return at + 1;
            }
        }
    }
    code.len()
}

/// Length of what an attribute before `code` governs: further attributes, and an item, a statement or a field.
fn governed(code: &str) -> usize {
    let start = code.len() - code.trim_start().len();
    if code[start..].starts_with("#[") {
        let attribute = start + closing(&code[start..], '[', ']');
        return attribute + governed(&code[attribute..]);
    }
    let items = ["fn", "mod", "impl", "struct", "enum", "trait", "use", "const", "static", "type", "let"];
    let is_item = words(&code[start..]).take(4).any(|(_, word)| items.contains(&word));
    let mut depth = 0_usize;
    for (at, c) in code.char_indices() {
        match c {
            '(' | '[' => depth += 1,
            ')' | ']' => depth = depth.saturating_sub(1),
            '{' if depth == 0 => return at + closing(&code[at..], '{', '}'),
            '}' if depth == 0 => return at,
            ';' if depth == 0 => return at + 1,
            ',' if depth == 0 && !is_item => return at + 1,
            _ => {}
        }
    }
    code.len()
}

#[test]
fn code_is_what_remains_without_comments_and_literals() {
    let text = "let a = \"//\\\" fn\"; // fn b\n/* x /* fn */ fn */ let c = 'f'; let d: &'a str = r#\"fn \"\"#;\nlet e = ('\\'', b'\\\\', '\"', \"é\");";
    let code = code_of(text);
    assert_eq!(code.len(), text.len());
    let kept: Vec<&str> = words(&code).map(|(_, word)| word).collect();
    assert_eq!(kept, ["let", "a", "let", "c", "let", "d", "a", "str", "let", "e", "b"]);
    assert_eq!(code.lines().count(), 3);
}

#[test]
fn what_only_tests_have_is_cut() {
    let text = "fn a() {}\n#[cfg(test)]\nfn b(x: [u8; 2], y: u8) {\n}\nstruct C {\n #[cfg(test)]\n d: Vec<(u8, u8)>,\n e: u8,\n}\n\
                #[cfg(all(test, not(loom)))]\n#[allow(x)]\nmod tests {\n fn f() {}\n}\n#[cfg(not(test))]\nfn g() {}\n#[cfg(test)]\nmod more;\n#[cfg(any(test, x))]\nfn h() {}\n#[cfg(any(test, loom))]\nfn i() {}\n";
    let file = SourceFile::of_test("x/src/a.rs", text);
    let kept: Vec<&str> = words(&file.production).map(|(_, word)| word).collect();
    let expected = [
        "fn", "a", "struct", "C", "e", "u8", "cfg", "not", "test", "fn", "g", "cfg", "any", "test", "x",
        "fn", "h",
    ];
    assert_eq!(kept, expected);
    assert_eq!(file.production_lines, text.lines().count() - 14);
    assert_eq!(test_modules(&file), ["x/src/a/more"]);
}
