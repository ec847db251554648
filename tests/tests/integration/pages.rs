//! The pages show what really happens: the demo's lines in the README are lines of the demo, and what the other pages tell to
//! paste is run in order, each page in a folder and a home of its own, beside the demo's output. `UPDATE_README=1` writes what
//! the programs print.

use crate::structure::crates::metadata;
use std::collections::BTreeSet;
use std::fs::File;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use tests::{Block, Need, blocks, portcullis_ok, programs, repository, skip};

/// Pages whose blocks are run here; the officer's page is run against a real gate in `control/tests`.
const PAGES: [&str; 4] =
    ["nic-config/README.md", "bench/README.md", "control/appliance/README.md", "gpu/README.md"];

/// What a block may be, beside one that says why it is not run.
const KINDS: [&str; 8] =
    ["sh", "console", "console numbers vary", "toml", "text", "c", "rust,ignore", "rust,no_run"];

/// Why a block is not run here.
const NOT_RUN: [&str; 5] = [
    "it builds everything anew",
    "it measures for an hour",
    "it measures on a CPU of its own",
    "it fetches a compiler of 104 MB",
    "it needs a card",
];

/// Seconds that a pasted block may take.
const PASTE_S: &str = "120";

/// The officer's page.
const OFFICERS: &str = "control/README.md";

/// The demo's folder, as `--out out/demo` leaves it, and what the demo said.
pub(crate) fn demo() -> &'static (tempfile::TempDir, String) {
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
    let (_, block) = readme.split_once("```text\ntime ").expect("the demo's block");
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

#[test]
fn the_two_commands_say_first_how_long_they_take_and_how_much_disk() {
    for script in ["scripts/demo.sh", "scripts/test.sh"] {
        let text = page(script);
        let first =
            text.lines().find(|line| line.starts_with("echo ")).expect("a word before anything is done");
        assert!(
            first.contains("minutes") && first.contains(" GB of disk") && first.ends_with(">&2"),
            "{first}"
        );
        assert!(text.find(first) < text.find("scripts/setup.sh\n"), "{script} says it first");
    }
}

#[test]
fn the_report_says_nothing_of_the_hosts_processor_and_a_spread_in_one_unit() {
    let report = std::fs::read_to_string(demo().0.path().join("out/demo/report.html")).expect("a report");
    for flag in ["avx", "sse4", "tsc", "model name", "cpu flags"] {
        assert!(!report.to_lowercase().contains(flag), "{flag}");
    }
    let charts: Vec<_> = report.match_indices(">Spread</text>").collect();
    assert_eq!(charts.len(), 1, "one chart of it");
    assert!(report.contains("ticks") && !report.contains("spread, bps"), "in ticks");
}

#[test]
fn the_report_reads_on_a_narrow_screen() {
    let report = demo().0.path().join("out/demo/report.html");
    let check = |width: &str| {
        let script = repository().join("scripts/check-report.sh");
        Command::new(script).arg(&report).arg(width).output().expect("the check starts")
    };
    let checked = check("400");
    let said = String::from_utf8_lossy(&checked.stderr);
    if said.contains("no Chromium found") {
        return skip(Need::Browser, "no browser to render the report");
    }
    assert!(checked.status.success(), "{said}");
    assert!(
        !check("200").status.success(),
        "the check finds what lies beyond the edge of a screen too narrow"
    );
}

/// Runs the commands of a block in `folder`; gives the block as the programs print it now.
fn replayed(block: &str, folder: &Path) -> String {
    let mut out = String::new();
    for command in block.lines().filter_map(|line| line.strip_prefix("$ ")) {
        let output = shell(folder).args(["sh", "-c", command]).output().expect("a shell");
        let said = [output.stderr, output.stdout].map(|bytes| String::from_utf8(bytes).expect("UTF-8"));
        let said = said.concat();
        let lines = said.lines().filter(|line| !line.contains("huge pages")).map(str::trim_end);
        out.push_str(&format!("$ {command}\n"));
        lines.for_each(|line| out.push_str(&format!("{line}\n")));
    }
    out
}

/// A command as the reader of a page runs it: in `folder`, with the programs at hand and nothing else set. One that takes too
/// long is ended.
fn shell(folder: &Path) -> Command {
    let mut command = Command::new("timeout");
    command.arg(PASTE_S).current_dir(folder).env("PATH", path_with(programs()));
    command.env("HOME", folder.join("home")).env_remove("PORTCULLIS_SOCKET");
    command
}

/// Pastes a block into a shell in `folder`; what it leaves running ends with it.
fn paste(block: &str, folder: &Path) {
    let said = folder.join("said");
    // A file, since a daemon that outlives the shell would hold a pipe open.
    let log = File::create(&said).expect("a file");
    let mut shell = shell(folder);
    shell.args(["sh", "-ec", block]).process_group(0).stdout(log.try_clone().expect("a file")).stderr(log);
    let mut child = shell.spawn().expect("a shell");
    let status = child.wait().expect("the shell ends");
    let group = format!("-{}", child.id());
    let left = Command::new("kill").args(["-s", "KILL", "--", &group]).output().expect("kill");
    let said = std::fs::read_to_string(said).expect("UTF-8");
    assert!(status.success(), "{block}\n{status}:\n{said}");
    assert!(!left.status.success(), "it left something running:\n{block}");
}

/// A folder of a page's reader, who has played the demo.
fn readers_folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["out", "home"] {
        std::fs::create_dir(folder.path().join(name)).expect("a folder");
    }
    let demo = demo().0.path().join("out/demo");
    std::os::unix::fs::symlink(demo, folder.path().join("out/demo")).expect("a link");
    folder
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
    let mut run = 0;
    for name in PAGES {
        let folder = readers_folder();
        let folder = folder.path();
        let (text, mut rewritten) = (page(name), String::new());
        for (before, block) in blocks(&text) {
            rewritten.push_str(before);
            let Some(Block { kind, text: shown }) = block else { continue };
            let mut now = shown.to_owned();
            if kind == "toml" {
                std::fs::write(folder.join("portcullis.toml"), shown).expect("a configuration");
            } else if kind == "sh" {
                paste(shown, folder);
                run += 1;
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
    assert!(run >= 7, "the pages have their examples: {run}");
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

/// Every page of the repository.
fn pages() -> Vec<String> {
    let mut pages = Vec::new();
    markdown(&repository(), &mut pages);
    pages.sort();
    pages
}

#[test]
fn every_page_with_something_to_paste_is_run() {
    let is_run = |block: &Block<'_>| block.kind == "sh" || block.kind.starts_with("console");
    let with_blocks = pages()
        .into_iter()
        .filter(|name| blocks(&page(name)).iter().any(|(_, block)| block.as_ref().is_some_and(is_run)));
    let mut run: Vec<&str> = PAGES.into_iter().chain([OFFICERS]).collect();
    run.sort_unstable();
    assert_eq!(with_blocks.collect::<Vec<_>>(), run);
}

/// A command of a block that nobody runs here names what there is: a script that can be read and executed, or packages and
/// benches of the workspace.
fn names_what_there_is(command: &str) -> Result<(), String> {
    let command = command.split('#').next().unwrap_or_default();
    let words: Vec<&str> = command.split_whitespace().collect();
    let Some(first) = words.first() else { return Ok(()) };
    if *first == "cargo" {
        let metadata = metadata();
        let packages = metadata.workspace_packages();
        let known = |option: &str, name: &str| match option {
            "-p" => packages.iter().any(|package| package.name == name),
            "--bench" => {
                packages.iter().flat_map(|package| &package.targets).any(|target| target.name == name)
            }
            _ => true,
        };
        let mut pairs = words.windows(2);
        return pairs.find(|pair| !known(pair[0], pair[1])).map_or(Ok(()), |pair| Err(pair.join(" ")));
    }
    if *first == "export" {
        return Ok(());
    }
    let script = repository().join(first);
    let mode = std::fs::metadata(&script).map_err(|error| format!("{first}: {error}"))?.permissions().mode();
    let read = Command::new("bash").arg("-n").arg(&script).output().expect("bash");
    if mode & 0o111 == 0 || !read.status.success() {
        return Err(format!("{first} cannot be executed"));
    }
    Ok(())
}

#[test]
fn every_block_is_run_or_says_why_not() {
    let mut reasons = BTreeSet::new();
    for name in pages() {
        let text = page(&name);
        for (before, block) in blocks(&text) {
            // A block without a fence is run by nobody and marked by nothing.
            let indented = before.split("\n\n").find(|paragraph| paragraph.starts_with("    "));
            assert_eq!(indented, None, "{name}: an indented block");
            let Some(block) = block else { continue };
            let Some(reason) = block.not_run() else {
                assert!(KINDS.contains(&block.kind), "{name}: a block of kind {:?}", block.kind);
                continue;
            };
            assert!(NOT_RUN.contains(&reason), "{name}: not run: {reason}");
            reasons.insert(reason.to_owned());
            for command in block.text.lines() {
                assert_eq!(names_what_there_is(command), Ok(()), "{name}: {command}");
            }
        }
    }
    assert!(NOT_RUN.into_iter().all(|reason| reasons.contains(reason)), "nothing needs some of {NOT_RUN:?}");
}

#[test]
fn a_block_that_is_not_run_names_no_script_or_bench_that_is_not_there() {
    assert_eq!(names_what_there_is("cargo bench -p bench --bench gate   # one"), Ok(()));
    assert!(names_what_there_is("cargo bench -p bench --bench gates").is_err());
    assert_eq!(names_what_there_is("scripts/setup.sh"), Ok(()));
    assert!(names_what_there_is("scripts/nothing.sh").is_err());
    assert!(names_what_there_is("README.md --all").is_err());
}
