//! The officer's page shows what really happens: its commands are run in order, and what they print is compared.
//! `UPDATE_README=1` writes what they print instead.

use crate::cli::Terminal;
use crate::events::{settled_events, tell, until};
use crate::holdings::CLIENT;
use std::path::Path;
use std::process::Command;
use tests::blocks;
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

/// Pastes a block into a shell: where the socket is, it says so to `portcullisctl`; in the state directory, what it prints is
/// what the audit log's third record says of itself.
fn paste(terminal: &Terminal, block: &str) {
    let sh = |folder: &Path, script: &str| {
        let programs = Path::new(env!("CARGO_BIN_EXE_portcullisctl")).parent().unwrap();
        let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
        let mut shell = Command::new("sh");
        shell.args(["-ec", script]).current_dir(folder).env("PATH", path).env_remove("PORTCULLIS_SOCKET");
        let output = shell.output().unwrap();
        assert!(output.status.success(), "{script}\n{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    if block.contains("PORTCULLIS_SOCKET") {
        let said = sh(terminal.site.dir.path(), &format!("{block}\nportcullisctl status"));
        assert!(said.contains("orders can pass"), "{said}");
        return;
    }
    let said = sh(terminal.site.state_dir(), block);
    let hashes: Vec<&str> = said.lines().filter_map(|line| line.split(' ').next()).collect();
    let record = &terminal.site.records()[2];
    assert_eq!(hashes, [record["hash"].as_str().unwrap(), record["mac"].as_str().unwrap()], "{block}");
}

#[test]
fn the_officers_page_shows_what_really_happens() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let terminal = Terminal::new(&[CLIENT]);
    let _told = tell(&terminal.site);
    until("what lasts from before is found", || settled_events(&terminal.site).then_some(()));
    terminal.site.desk.set_tier("AAPL", Tier::Critical);
    terminal
        .site
        .controller
        .trip_by_model(&[("AAPL".parse().unwrap(), "score 0.981000".to_owned())])
        .unwrap();
    let whoami = rustix::process::geteuid().as_raw();
    let user = control::roles::UserDatabase::of_host().unwrap().user_name(whoami);

    let (mut rewritten, mut count, mut pasted) = (String::new(), 0, 0);
    for (before, block) in blocks(&page) {
        rewritten.push_str(before);
        let Some(block) = block else { continue };
        rewritten.push_str(&format!("```{}\n", block.kind));
        if block.is_shell() {
            paste(&terminal, block.text);
            pasted += 1;
        }
        if block.kind != "console" {
            rewritten.push_str(&format!("{}```", block.text));
            continue;
        }
        for step in steps_of(block.text) {
            // What the step before did is told beside it.
            until("everything is told", || settled_events(&terminal.site).then_some(()));
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
    }
    assert!(count >= 15 && pasted == 2, "the page has its examples: {count}, {pasted}");
    if std::env::var_os("UPDATE_README").is_some() {
        std::fs::write(&path, rewritten).unwrap();
    }
}
