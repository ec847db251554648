//! What a comment or a page cites, its reader can open: files named by path or by name stand in the repository.

use std::collections::BTreeSet;
use std::fs;

use tests::repository;

use super::pending::{self, only_pending};
use super::source::{code_of, files_with};

/// Extensions of the files that people write by hand, which are those that are cited and those that cite.
const BY_HAND: &[&str] =
    &["md", "rs", "sh", "toml", "c", "h", "cu", "cuh", "cpp", "hpp", "py", "yml", "service", "conf", "rules"];

/// Beginnings of what is no file of the repository: an address, what the user's own machine holds.
const NOT_OURS: &[&str] = &["//", "/usr/share/doc/", "/etc/", "~/"];

/// Files that the user has and the repository has not, and where they come from.
const OF_THE_USER: &[(&str, &str)] = &[
    ("portcullis.toml", "the user's own configuration"),
    ("reference.toml", "an example's: what `run --print-default-config` prints"),
    ("tighter.toml", "an example's"),
    ("fat-finger.toml", "an example's"),
    ("out/demo/demo.toml", "written by the demo"),
    ("dpdk-devbind.py", "DPDK's"),
    ("rte_config.h", "DPDK's"),
    ("rte_mbuf_core.h", "DPDK's"),
    ("cpp_trader_book.h", "cut from a peer's source when that is built"),
];

/// The cited paths of a text: words that end with the extension of a file that is written by hand.
fn cited(text: &str) -> BTreeSet<String> {
    let part_of_path = |c: char| c.is_ascii_alphanumeric() || "_-./~<>*{}$".contains(c);
    let words = text.split(|c: char| !part_of_path(c)).map(|word| word.trim_end_matches('.'));
    let is_file = |word: &&str| {
        let name = word.rsplit('/').next().unwrap_or_default();
        let stem = name.rsplit_once('.').filter(|(_, end)| BY_HAND.contains(end));
        // A pattern or a place to fill in names no one file.
        stem.is_some_and(|(stem, _)| !stem.is_empty()) && !word.contains(['<', '*', '{', '$'])
    };
    words.filter(is_file).map(str::to_owned).collect()
}

/// Documents that were never in the repository, and what only they number.
fn foreign(text: &str) -> BTreeSet<String> {
    let words: Vec<&str> = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '\'').collect();
    let numbered = words.windows(2).filter(|pair| {
        ["issue", "Issue", "issues"].contains(&pair[0])
            && (pair[1].bytes().all(|b| b.is_ascii_digit()) && !pair[1].is_empty())
    });
    // With their ending they are cited as files.
    let documents = words.iter().zip(words.iter().skip(1).chain([&""])).filter(|(word, next)| {
        let word = word.trim_end_matches("'s");
        ["DESIGN", "DOMAIN", "STYLE", "ATTACK"].contains(&word) && **next != "md"
    });
    let named = documents.map(|(word, _)| word.trim_end_matches("'s").to_owned());
    numbered.map(|pair| pair.join(" ")).chain(named).collect()
}

/// Comments of a Rust file, literals excluded.
fn comments(text: &str) -> String {
    let code = code_of(text);
    let in_comment = text.lines().zip(code.lines()).filter_map(|(line, code)| {
        // A comment begins where code ends; a literal that holds `//` is followed by code.
        let start =
            line.find("//").filter(|at| code.get(*at..).is_some_and(|rest| rest.trim().is_empty()))?;
        Some(&line[start..])
    });
    in_comment.collect::<Vec<_>>().join("\n")
}

/// The part of a file in which citations count: pages whole, comments of everything else, and what a Python file documents.
fn prose(path: &str, text: &str) -> String {
    let behind_hashes = || text.lines().filter_map(|l| l.find('#').map(|at| &l[at..])).collect::<Vec<_>>();
    match path.rsplit_once('.').map(|(_, end)| end) {
        Some("md") => text.to_owned(),
        Some("rs") => comments(text),
        Some("c" | "h" | "cu" | "cuh" | "cpp" | "hpp") => {
            text.lines().filter(|l| l.contains("//") || l.contains('*')).collect::<Vec<_>>().join("\n")
        }
        Some("py") => behind_hashes()
            .into_iter()
            .chain(text.split("\"\"\"").skip(1).step_by(2))
            .collect::<Vec<_>>()
            .join("\n"),
        _ => behind_hashes().join("\n"),
    }
}

#[test]
fn cited_files_stand_in_the_repository() {
    let files = files_with(BY_HAND);
    let all: Vec<String> = files.iter().map(|(path, _)| path.clone()).collect();
    let mut of_the_user = BTreeSet::new();
    let mut found = BTreeSet::new();
    for (path, full) in &files {
        let prose = prose(path, &fs::read_to_string(full).expect("a text file"));
        let named = cited(&prose).into_iter().filter(|c| !NOT_OURS.iter().any(|place| c.starts_with(place)));
        for citation in named {
            if OF_THE_USER.iter().any(|(name, _)| *name == citation) {
                of_the_user.insert(citation);
            } else if !stands(&citation, path, &all) {
                found.insert(format!("{path}: {citation}"));
            }
        }
        found.extend(foreign(&prose).into_iter().map(|name| format!("{path}: {name}")));
    }
    only_pending("cited, but not in the repository", &found, pending::CITATIONS);
    let listed = OF_THE_USER.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(of_the_user, listed, "files of the user that somebody cites");
    let ours = OF_THE_USER.iter().find(|(name, _)| stands(name, "", &all));
    assert_eq!(ours, None, "a file of the repository is none of the user's");
}

/// Whether `citation`, in the file at `path`, names a file: from the root, from a folder above the citing file or its `src`,
/// or, as a bare name, anywhere.
fn stands(citation: &str, path: &str, all: &[String]) -> bool {
    let ends = format!("/{}", citation.trim_start_matches("./"));
    if !citation.contains("../") {
        return all.iter().any(|file| format!("/{file}").ends_with(&ends));
    }
    let folder = repository().join(path);
    folder.parent().is_some_and(|folder| folder.join(citation).exists())
}

#[test]
fn links_of_pages_lead_somewhere() {
    let mut broken = BTreeSet::new();
    for (path, full) in files_with(&["md"]) {
        let text = fs::read_to_string(&full).expect("a text file");
        for link in text.split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0)) {
            let target = link.split('#').next().unwrap_or_default();
            let elsewhere = target.is_empty() || target.contains("://") || target.starts_with("mailto:");
            let folder = full.parent().expect("a folder");
            if !elsewhere && !folder.join(target).exists() {
                broken.insert(format!("{path}: {link}"));
            }
        }
    }
    assert!(broken.is_empty(), "links that lead nowhere: {broken:#?}");
}

#[test]
fn citations_are_found_in_comments_and_pages_alone() {
    let text = "let a = \"b.rs\"; // see c.rs and d/E.md. Not <f>.md\n/// `tests/g.sh`, issue 8, STYLE's\nlet url = \"http://x/h.md\";";
    let of_rust = prose("x.rs", text);
    assert_eq!(cited(&of_rust).into_iter().collect::<Vec<_>>(), ["c.rs", "d/E.md", "tests/g.sh"]);
    assert_eq!(foreign(&of_rust).into_iter().collect::<Vec<_>>(), ["STYLE", "issue 8"]);
    let found = |path: &str, text: &str| cited(&prose(path, text)).into_iter().collect::<Vec<_>>();
    for path in ["x.c", "x.h", "x.hpp", "x.cpp", "x.cu", "x.cuh"] {
        assert_eq!(
            found(path, "int a; // as k.cuh\n#include \"n.h\"\n * m.cu, l.py */"),
            ["k.cuh", "l.py", "m.cu"],
            "{path}"
        );
    }
    assert_eq!(
        found("x.py", "\"\"\"Reads a.toml\nand b.service.\"\"\"\nopen('c.md')  # d.hpp"),
        ["a.toml", "b.service", "d.hpp"]
    );
    for path in ["x.toml", "x.service", "x.sh"] {
        assert_eq!(found(path, "# see e.conf\nf = \"g.md\""), ["e.conf"], "{path}");
    }
    let all = ["dataplane/gate/src/a.rs".to_owned()];
    assert!(stands("gate/src/a.rs", "x.md", &all) && stands("a.rs", "x.md", &all));
    assert!(!stands("gate/a.rs", "x.md", &all) && !stands("ta.rs", "x.md", &all));
}
