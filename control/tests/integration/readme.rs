//! The officer's page shows what really happens: its commands are run in order, and what they print is compared.
//! `UPDATE_README=1` writes what they print instead.

use crate::cli::Terminal;
use std::path::Path;
use types::Tier;

/// The page's commands run as one person; the one who runs the tests plays her. Four letters, as `root` has, so that
/// columns stand as printed.
const OFFICER: &str = "anna";

/// One command and what stands under it.
struct Step {
    command: String,
    shown: Vec<String>,
}

/// What differs from run to run: who runs it, hashes (they hold the process number), widths that follow the name.
fn settled(text: &str, user: &str) -> String {
    let hash = |word: &str| word.len() == 64 && word.bytes().all(|b| b.is_ascii_hexdigit());
    let word = |word: &str| {
        if hash(word) {
            "9d2f…".to_owned()
        } else if word == user {
            OFFICER.to_owned()
        } else {
            word.to_owned()
        }
    };
    let line = |line: &str| line.split(' ').map(word).collect::<Vec<_>>().join(" ");
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

fn collapsed(text: &str) -> String {
    text.lines().map(|l| l.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>().join("\n")
}

/// Splits a command line as a shell would that knows double quotes only.
fn words(command: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (i, part) in command.split('"').enumerate() {
        match i % 2 {
            0 => words.extend(part.split_whitespace().map(str::to_owned)),
            _ => words.push(part.to_owned()),
        }
    }
    words
}

fn steps_of(block: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for line in block.lines() {
        match (line.strip_prefix("$ portcullisctl "), steps.last_mut()) {
            (Some(command), _) => steps.push(Step { command: command.to_owned(), shown: Vec::new() }),
            (None, Some(step)) => step.shown.push(line.to_owned()),
            (None, None) => panic!("output before the first command: {line}"),
        }
    }
    steps
}

/// Runs one step and returns what the terminal would show, the typed word where it is typed.
fn run(terminal: &Terminal, step: &Step, user: &str) -> String {
    let arguments = words(&step.command);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let typed =
        step.shown.iter().find_map(|line| line.split_once(" to go on: ").map(|(_, word)| word.trim()));
    let found = match typed {
        Some(word) => terminal.type_in(&arguments, &format!("{word}\n")),
        None => terminal.run(&arguments),
    };
    let spoken = found.err.replace(" to go on: \n", &format!(" to go on: {}\n", typed.unwrap_or_default()));
    settled(&format!("{spoken}{}", found.out), user)
}

#[test]
fn the_officers_page_shows_what_really_happens() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let terminal = Terminal::new(&[]);
    terminal.site.desk.set_tier("AAPL", Tier::Critical);
    terminal
        .site
        .controller
        .trip_by_model(&[("AAPL".parse().unwrap(), "score 0.981000".to_owned())])
        .unwrap();
    let whoami = rustix::process::geteuid().as_raw();
    let user = control::roles::UserDatabase::of_host().unwrap().user_name(whoami);

    let (mut rewritten, mut rest, mut count) = (String::new(), page.as_str(), 0);
    while let Some((before, after)) = rest.split_once("```console\n") {
        let (block, after) = after.split_once("```").expect("a closed block");
        rewritten.push_str(&format!("{before}```console\n"));
        for step in steps_of(block) {
            let real = run(&terminal, &step, &user);
            if std::env::var_os("UPDATE_README").is_none() {
                assert_eq!(
                    collapsed(&step.shown.join("\n")),
                    collapsed(&real),
                    "$ portcullisctl {}",
                    step.command
                );
            }
            rewritten.push_str(&format!("$ portcullisctl {}\n{real}\n", step.command));
            count += 1;
        }
        rewritten.push_str("```");
        rest = after;
    }
    assert!(count >= 15, "the page has its examples");
    if std::env::var_os("UPDATE_README").is_some() {
        std::fs::write(&path, rewritten + rest).unwrap();
    }
}
