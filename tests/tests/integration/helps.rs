//! The helps of both programs: each command has an example of itself that can be typed, each option says what it is, each number
//! its unit and its default; and whatever cannot be understood is wrong usage, exit code 2. Read from the programs as built, so
//! that what people see is what is tested. What pages say in passing is held against the same helps.

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, Output};
use std::sync::OnceLock;
use tests::{blocks, programs, repository};

/// What numbers count; a value's name says it.
const UNITS: [&str; 15] = [
    "TIMES",
    "ALARMS",
    "SEED",
    "LEVELS",
    "MICROSECONDS",
    "MINUTES",
    "INSTRUMENTS",
    "PASSES",
    "PERCENT",
    "SHARE",
    "SECONDS",
    "SHARES",
    "PRICE",
    "RECORDS",
    "YYYY-MM-DD",
];

/// No number.
const WORD: &str = "seventeen!";

/// Helps by program and subcommands, such as `portcullis train vae`.
type Helps = BTreeMap<String, String>;

fn run(command: &str, arguments: &[&str]) -> Output {
    let mut words = command.split(' ');
    let program = programs().join(words.next().expect("a program"));
    Command::new(program).args(words).args(arguments).output().expect("it starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

/// The words that stand under a heading of a help, each at the beginning of its line.
fn listed<'a>(help: &'a str, heading: &str) -> Vec<&'a str> {
    let lines = help.lines().skip_while(|line| *line != heading).skip(1);
    let entries = lines.take_while(|line| !line.is_empty());
    entries
        .filter_map(|line| line.strip_prefix("  ")?.split(' ').next())
        .filter(|word| !word.is_empty())
        .collect()
}

fn collect(command: &str, helps: &mut Helps) {
    let output = run(command, &["--help"]);
    assert!(output.status.success() && output.stderr.is_empty(), "{command} --help");
    let help = text(&output.stdout);
    for name in listed(&help, "Commands:").into_iter().filter(|name| *name != "help") {
        collect(&format!("{command} {name}"), helps);
    }
    helps.insert(command.to_owned(), help);
}

fn helps() -> &'static Helps {
    static HELPS: OnceLock<Helps> = OnceLock::new();
    HELPS.get_or_init(|| {
        let mut helps = Helps::new();
        ["portcullis", "portcullisctl", "portcullis-rest"]
            .iter()
            .for_each(|program| collect(program, &mut helps));
        helps
    })
}

/// Commands that do something themselves.
fn leaves() -> impl Iterator<Item = (&'static String, &'static String)> {
    helps().iter().filter(|(_, help)| listed(help, "Commands:").is_empty())
}

/// An option as a help describes it.
struct Described {
    /// `--seed`, or `-n` where that is all.
    name: String,
    /// What stands between angle brackets behind it.
    value: Option<String>,
    /// What is said of it.
    said: String,
}

fn options(help: &str) -> Vec<Described> {
    let mut found: Vec<Described> = Vec::new();
    let lines = help.lines().skip_while(|line| *line != "Options:").skip(1);
    for line in lines.take_while(|line| line.is_empty() || line.starts_with("  ")) {
        let head = line.trim_start();
        // Options stand at 2 columns, those without a short name at 6, what is said of them at 10.
        let indent = line.len() - head.len();
        if head.starts_with('-') && indent < 10 {
            let words: Vec<&str> = head.split([' ', ',']).filter(|word| word.starts_with('-')).collect();
            let name = words.iter().find(|word| word.starts_with("--")).or(words.first());
            let value =
                head.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map(|(value, _)| value);
            let name = name.expect("a name").trim_end_matches("...").to_owned();
            // Where everything said is short, it stands on the same line.
            let said = head.split_once("  ").map_or("", |(_, said)| said).trim_start().to_owned();
            found.push(Described { name, value: value.map(str::to_owned), said });
        } else if let Some(last) = found.last_mut() {
            last.said.push_str(head);
            last.said.push('\n');
        }
    }
    found
}

/// Whether `--help` marks the option as one that must be there.
fn is_required(help: &str, option: &Described) -> bool {
    let usage = help.lines().find_map(|line| line.strip_prefix("Usage: ")).expect("a usage");
    usage.split(' ').any(|word| word == option.name)
}

/// Whether a line that tells to run one of our programs names a command and options that there are. Lines that run none are
/// none of ours.
fn known(line: &str) -> Result<(), String> {
    for part in line.split('|') {
        let words: Vec<&str> = part.split_whitespace().collect();
        let Some(at) =
            words.iter().rposition(|word| ["portcullis", "portcullisctl", "portcullis-rest"].contains(word))
        else {
            continue;
        };
        let (mut command, mut rest) = (words[at].to_owned(), &words[at + 1..]);
        while let Some((first, behind)) = rest.split_first() {
            let longer = format!("{command} {first}");
            if !helps().contains_key(&longer) {
                break;
            }
            (command, rest) = (longer, behind);
        }
        let help = &helps()[&command];
        let is_group = !listed(help, "Commands:").is_empty();
        match rest.first() {
            Some(word) if is_group && !word.starts_with('-') => {
                return Err(format!("{command} has no {word}"));
            }
            _ => {}
        }
        let described = options(help);
        for word in rest.iter().filter(|word| word.starts_with("--") && word.len() > 2) {
            let name = word.split('=').next().unwrap_or_default();
            if !described.iter().any(|option| option.name == name) {
                return Err(format!("{command} has no {name}"));
            }
        }
    }
    Ok(())
}

#[test]
fn every_command_shows_an_example_of_itself_that_can_be_typed() {
    assert!(leaves().count() > 20, "all commands are found");
    // Groups of commands among them.
    for (command, help) in helps() {
        let (_, examples) =
            help.split_once("\nExample").unwrap_or_else(|| panic!("{command} has no example"));
        assert!(examples.contains(command.as_str()), "{command} shows examples of others alone");
        for line in examples.replace("\\\n", " ").lines().skip(1).take_while(|line| !line.is_empty()) {
            let begins =
                ["  portcullis", "  zcat ", "  sudo ", "  export "].iter().any(|word| line.starts_with(word));
            assert!(begins, "{command}: the terminal has broken an example: {line}");
            assert_eq!(known(line), Ok(()), "{command}: {line}");
        }
    }
}

#[test]
fn every_option_is_explained_and_every_number_has_a_unit_and_a_default() {
    let mut numbers = 0;
    for (command, help) in leaves() {
        for option in options(help) {
            let name = &option.name;
            assert!(option.said.len() > 8, "{command} {name} is not explained");
            let Some(value) = &option.value else { continue };
            let given = format!("{name}={WORD}");
            let given = if name.starts_with("--") { vec![given.as_str()] } else { vec![name, WORD] };
            // Whatever is understood is followed by what is not, so that nothing is done.
            let given = [&given[..], &["--no-such-option"]].concat();
            let refused = text(&run(command, &given).stderr);
            let is_number = ["invalid digit", "invalid float", "wanted a number"]
                .iter()
                .any(|words| refused.contains(words));
            numbers += u32::from(is_number);
            let is_unit = UNITS.contains(&value.as_str());
            assert!(is_unit || !is_number, "{command} {name} <{value}>: a number of what?");
            let has_default = option.said.contains("[default: ") || is_required(help, &option);
            assert!(has_default || !is_unit, "{command} {name} <{value}> has no default");
        }
    }
    assert!(numbers > 12, "numbers are found: {numbers}");
}

/// The first words of a refusal, and that it is one.
fn assert_wrong_usage(command: &str, arguments: &[&str]) {
    let output = run(command, arguments);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{command} {arguments:?}: {said}");
    assert!(!said.is_empty() && output.stdout.is_empty(), "{command} {arguments:?} says so on stderr alone");
}

#[test]
fn whatever_cannot_be_understood_is_wrong_usage() {
    for (command, help) in helps() {
        assert_wrong_usage(command, &["--no-such-option"]);
        if !listed(help, "Commands:").is_empty() {
            assert_wrong_usage(command, &["no-such-command"]);
            continue;
        }
        let required = options(help).into_iter().any(|option| is_required(help, &option));
        if required || help.contains("Arguments:\n") && !help.contains(" [SYMBOL]") {
            assert_wrong_usage(command, &[]);
        }
        for option in options(help) {
            let (name, value) = (option.name.as_str(), option.value.as_deref());
            if value.is_some_and(|value| UNITS.contains(&value)) {
                assert_wrong_usage(command, &[name, WORD]);
            } else if value.is_some() {
                assert_wrong_usage(command, &[name]);
            } else if !["--help", "--version"].contains(&name) {
                assert_wrong_usage(command, &[&format!("{name}={WORD}")]);
            }
        }
    }
}

#[test]
fn arguments_that_make_no_sense_together_are_wrong_usage() {
    let cases: [(&str, &[&str]); 11] = [
        ("portcullis demo", &["--speed", "0"]),
        ("portcullis demo", &["--speed", "NaN"]),
        ("portcullis scenario", &["flash-crush", "--out", "none/out"]),
        ("portcullis scenario", &["news-burst", "--minutes", "5", "--out", "none/out"]),
        ("portcullis scenario", &["calm", "--instruments", "65", "--out", "none/out"]),
        (
            "portcullis replay",
            &["x.pcap", "--feed", "itch50", "--symbols", "NINELETTERS", "--out", "none/out"],
        ),
        ("portcullis run", &["--set", "scorer.lease=5", "--check"]),
        ("portcullis run", &["--check"]),
        ("portcullis run", &[]),
        ("portcullisctl limits set", &["FUTX", "max_qty=0", "--reason", "a test"]),
        ("portcullisctl audit tail", &["-n", "1001"]),
    ];
    for (command, arguments) in cases {
        assert_wrong_usage(command, arguments);
    }
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().to_str().expect("UTF-8");
    let two = ["a.pcap", "b.pcap", "--feed", "itch50", "--source", "dpdk", "--static", "--out", out];
    assert_wrong_usage("portcullis replay", &two);
    let of = |n: usize| std::iter::repeat_n("x", n);
    let uneven = ["--orders"]
        .into_iter()
        .chain(of(2))
        .chain(["--features"])
        .chain(of(1))
        .chain(["--slippage"])
        .chain(of(1));
    let model = format!("{out}/model");
    let uneven: Vec<&str> = uneven.chain(["--out", &model]).collect();
    assert_wrong_usage("portcullis train fat-finger", &uneven);
}

#[test]
fn commands_that_pages_name_in_passing_are_there() {
    let mut named = BTreeSet::new();
    for path in
        ["README.md", "nic-config/README.md", "bench/README.md", "control/README.md"].into_iter().chain([
            "control/appliance/README.md",
            "gpu/README.md",
            "gpu/cuda/README.md",
            "dataplane/gate/README.md",
        ])
    {
        let page = std::fs::read_to_string(repository().join(path)).expect("a page");
        for (prose, block) in blocks(&page) {
            let quoted = prose.split('`').skip(1).step_by(2).map(|quoted| quoted.replace('\n', " "));
            let pasted = block.iter().filter(|block| block.is_shell() || block.kind.starts_with("console"));
            let pasted: Vec<String> = pasted
                .flat_map(|block| {
                    block.text.replace("\\\n", " ").lines().map(str::to_owned).collect::<Vec<_>>()
                })
                .filter_map(|line| Some(line.split(" # ").next()?.trim_start_matches("$ ").to_owned()))
                .collect();
            let ours = |line: &String| line.starts_with("portcullis ") || line.starts_with("portcullisctl ");
            for line in quoted.chain(pasted).filter(ours) {
                assert_eq!(known(&line), Ok(()), "{path}: {line}");
                named.insert(line);
            }
        }
    }
    assert!(named.len() > 40, "{named:?}");
}

#[test]
fn a_command_that_is_not_there_is_found_out() {
    for (line, missing) in [
        ("portcullis repaly x", "portcullis has no repaly"),
        ("zcat x | portcullis hist show - --format csv", "portcullis hist show has no --format"),
        ("sudo -u portcullis portcullis init --confg x", "portcullis init has no --confg"),
        ("portcullisctl breaker flip firm", "portcullisctl breaker has no flip"),
    ] {
        assert_eq!(known(line), Err(missing.to_owned()));
    }
    assert_eq!(known("sudo -u portcullis portcullis init --config x; gzip -d x"), Ok(()));
}
