//! The pages show what really happens: the demo's lines in the README are lines of the demo, and what the other pages show of
//! `portcullis` is run in order, in one folder, beside the demo's output. `UPDATE_README=1` writes what the programs print.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use tests::{portcullis_ok, programs, repository};

/// Pages whose `console` blocks are run here; the officer's page is run against a real gate in `control/tests`.
const PAGES: [&str; 4] =
    ["nic-config/README.md", "bench/README.md", "control/appliance/README.md", "gpu/README.md"];

/// The officer's page.
const OFFICERS: &str = "control/README.md";

/// The demo's folder, as `--out out/demo` leaves it, and what the demo said.
fn demo() -> &'static (tempfile::TempDir, String) {
    static PLAYED: OnceLock<(tempfile::TempDir, String)> = OnceLock::new();
    PLAYED.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a folder");
        let out = folder.path().join("out/demo");
        let said = portcullis_ok(["demo", "--headless", "--out", out.to_str().expect("a UTF-8 path")]);
        (folder, said)
    })
}

fn page(name: &str) -> String {
    std::fs::read_to_string(repository().join(name)).expect("a page of the repository")
}

/// Words with one space between them, so that a page may wrap its lines anywhere.
fn collapsed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn the_readme_shows_lines_of_the_demo() {
    let (_, said) = demo();
    let readme = page("README.md");
    assert!(readme.len() <= 8 * 1024, "the README has {} bytes, wanted 8 kB at most", readme.len());
    let (_, block) = readme.split_once("```\ntime ").expect("the demo's block");
    let (block, rest) = block.split_once("```").expect("a closed block");
    let shown: Vec<&str> = block.lines().skip(1).collect();
    assert!(shown.len() >= 5, "{shown:?}");
    for line in shown {
        assert!(said.lines().any(|l| l == line), "the demo does not say: {line}");
    }
    let rest = collapsed(rest);
    let (_, ending) = rest.split_once("The run ends with `").expect("the demo's last line");
    let (ending, _) = ending.split_once('`').expect("a closed quotation");
    assert!(collapsed(said).contains(ending), "the demo does not end with: {ending}");
}

/// A `console` or `toml` block of a page. One that is marked `numbers vary` keeps its words and not its numbers.
struct Block<'a> {
    kind: &'a str,
    text: &'a str,
}

/// Cuts `page` into text and fenced blocks, in order.
fn blocks(page: &str) -> Vec<(&str, Option<Block<'_>>)> {
    let (mut out, mut rest) = (Vec::new(), page);
    while let Some((before, fenced)) = rest.split_once("```") {
        let (kind, body) = fenced.split_once('\n').expect("a line behind the fence");
        let (text, after) = body.split_once("```").expect("a closed block");
        out.push((before, Some(Block { kind, text })));
        rest = after;
    }
    out.push((rest, None));
    out
}

/// Runs the commands of a block in `folder`; gives the block as the programs print it now.
fn replayed(block: &str, folder: &Path) -> String {
    let mut out = String::new();
    for command in block.lines().filter_map(|line| line.strip_prefix("$ ")) {
        let output = Command::new("sh")
            .args(["-c", command])
            .current_dir(folder)
            .env("PATH", path_with(programs()))
            .output()
            .expect("a shell");
        let said = [output.stderr, output.stdout].map(|bytes| String::from_utf8(bytes).expect("UTF-8"));
        let said = said.concat();
        let lines = said.lines().filter(|line| !line.contains("huge pages")).map(str::trim_end);
        out.push_str(&format!("$ {command}\n"));
        lines.for_each(|line| out.push_str(&format!("{line}\n")));
    }
    out
}

fn path_with(first: &Path) -> std::ffi::OsString {
    let inherited = std::env::var_os("PATH").unwrap_or_default();
    let all = std::iter::once(PathBuf::from(first)).chain(std::env::split_paths(&inherited));
    std::env::join_paths(all).expect("a path")
}

/// What of a block must hold: lines without trailing space; where numbers vary, the words alone. Whether huge pages are free
/// is the machine's.
fn kept(block: &str, numbers_vary: bool) -> Vec<String> {
    let words = |line: &str| {
        let is_word = |word: &&str| word.chars().any(char::is_alphabetic);
        line.split_whitespace().filter(is_word).collect::<Vec<_>>().join(" ")
    };
    let lines = block.lines().map(|l| if numbers_vary { words(l) } else { l.trim_end().to_owned() });
    lines.filter(|line| !line.is_empty() && !line.contains("huge pages")).collect()
}

#[test]
fn what_the_pages_show_of_the_programs_is_what_they_print() {
    let folder = demo().0.path();
    let mut run = 0;
    for name in PAGES {
        let (text, mut rewritten) = (page(name), String::new());
        for (before, block) in blocks(&text) {
            rewritten.push_str(before);
            let Some(Block { kind, text: shown }) = block else { continue };
            let mut now = shown.to_owned();
            if kind == "toml" {
                std::fs::write(folder.join("portcullis.toml"), shown).expect("a configuration");
            } else if kind.starts_with("console") {
                now = replayed(shown, folder);
                run += 1;
                if std::env::var_os("UPDATE_README").is_none() {
                    let vary = kind.ends_with("numbers vary");
                    assert_eq!(kept(shown, vary), kept(&now, vary), "{name}");
                }
            }
            rewritten.push_str(&format!("```{kind}\n{now}```"));
        }
        if std::env::var_os("UPDATE_README").is_some() {
            std::fs::write(repository().join(name), rewritten).expect("a page that can be written");
        }
    }
    assert!(run >= 4, "the pages have their examples: {run}");
}

/// Every Markdown file under `folder`, by its path in the repository.
fn markdown(folder: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry")) {
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        if path.is_dir() && !name.starts_with('.') && name != "target" {
            markdown(&path, found);
        } else if name.ends_with(".md") {
            let within = path.strip_prefix(repository()).expect("a path of the repository");
            found.push(within.to_str().expect("UTF-8").to_owned());
        }
    }
}

#[test]
fn every_page_that_shows_a_console_is_run() {
    let mut pages = Vec::new();
    markdown(&repository(), &mut pages);
    pages.retain(|name| {
        blocks(&page(name))
            .iter()
            .any(|(_, block)| block.as_ref().is_some_and(|block| block.kind.starts_with("console")))
    });
    pages.sort();
    let mut run: Vec<&str> = PAGES.into_iter().chain([OFFICERS]).collect();
    run.retain(|name| page(name).contains("```console"));
    run.sort_unstable();
    assert_eq!(pages, run);
}
