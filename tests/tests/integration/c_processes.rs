//! Order processes in C, C++ and Python under the running appliance: the examples of `dataplane/gate-ffi`, built against what its
//! script installs, and run under what finds a wrong access.

use crate::on_a_wire::{Appliance, PATIENCE, StopOnDrop, datagrams, in_namespaces, send};
use crate::order_process::{CLIENT, traded_cents};
use crate::tables::scenario;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::AtomicBool;
use std::time::Instant;
use tests::{Need, programs, repository, skip};

/// What the examples are built and run with.
const TOOLS: [&str; 5] = ["gcc", "g++", "pkg-config", "valgrind", "python3"];

fn has(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success())
}

fn run(command: &mut Command) -> String {
    let output = command.output().expect("a program that starts");
    let said = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    assert!(output.status.success(), "{command:?}: {}", said.concat());
    said[0].clone()
}

/// What was installed, and the examples built against it.
struct Installed {
    prefix: PathBuf,
}

impl Installed {
    fn new(dir: &Path) -> Self {
        let prefix = dir.join("prefix");
        let script = repository().join("scripts/install-gate-ffi.sh");
        let said = run(Command::new(script).arg(&prefix).arg(programs()));
        assert!(said.contains("installed libportcullis_gate"), "{said}");
        Self { prefix }
    }

    fn flags(&self, more: &[&str]) -> Vec<String> {
        let mut command = Command::new("pkg-config");
        command.env("PKG_CONFIG_PATH", self.prefix.join("lib/pkgconfig")).args(more).arg("portcullis_gate");
        run(&mut command).split_whitespace().map(str::to_owned).collect()
    }

    /// Compiles `source` without a warning; gives the program.
    fn build(&self, name: &str, compiler: &[&str], source: &str, libraries: &[String]) -> PathBuf {
        let program = self.prefix.join(name);
        let strict = ["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-g", "-O1"];
        let mut command = Command::new(compiler[0]);
        command.args(&compiler[1..]).args(strict).args(self.flags(&["--cflags"]));
        command.arg(repository().join("dataplane/gate-ffi/examples").join(source)).args(libraries);
        run(command.arg("-o").arg(&program));
        program
    }

    /// A program that loads the shared library from where it was installed.
    fn program(&self, words: &[&str]) -> Command {
        let lib = self.prefix.join("lib");
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).env("LD_LIBRARY_PATH", &lib);
        command.env("PORTCULLIS_GATE_LIBRARY", lib.join("libportcullis_gate.so"));
        command
    }
}

/// An order as the examples take it: the socket's client, quantity and price.
fn order(installed: &Installed, words: &[&str], socket: &Path, (id, qty, cents): (u64, u32, i64)) -> Output {
    let price = format!("{}.{:02}", cents / 100, cents % 100);
    let mut command = installed.program(words);
    command.arg(socket).args(["c1", "s", "a", "FUTX", &qty.to_string(), &price, &id.to_string()]);
    command.output().expect("an example that starts")
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Sends one order of ten through an example: it is asked again, each time a cent lower, until the gate lets it out and it rests.
fn is_sent(installed: &Installed, words: &[&str], socket: &Path, id: u64, from_cents: i64, position: i64) {
    let end = Instant::now() + PATIENCE;
    let mut cents = from_cents;
    loop {
        let output = order(installed, words, socket, (id, 10, cents));
        let text = said(&output);
        match output.status.code() {
            Some(0) => {
                let wanted =
                    format!("sent: {id}\nopen: {id} leaves 10\nposition: {position} working: 0 0 lost: 0\n");
                assert_eq!(text, wanted, "{words:?}");
                return;
            }
            // What it says of the gate, or that the appliance is not ready for it.
            Some(1 | 3) if text.contains("order: ") || text.contains("refused: ") => {}
            _ => panic!("{words:?}: {}: {text}", output.status),
        }
        assert!(Instant::now() < end, "{words:?}: waited in vain for an order to be let out: {text}");
        std::thread::sleep(std::time::Duration::from_millis(50));
        cents = if cents < from_cents - 300 { from_cents } else { cents - 1 };
    }
}

#[test]
fn the_examples_in_c_cpp_and_python_trade_under_the_running_appliance() {
    let name = "c_processes::the_examples_in_c_cpp_and_python_trade_under_the_running_appliance";
    if let Some(tool) = TOOLS.into_iter().find(|tool| !has(tool)) {
        return skip(Need::Program(tool), &format!("no {tool}"));
    }
    if !in_namespaces(name) {
        return;
    }
    let market = scenario("calm", &["--minutes", "14"]);
    let datagrams = datagrams(&market.path().join("calm.pcap"));
    let cents = traded_cents(market.path());
    let appliance = Appliance::start(CLIENT);
    let installed = Installed::new(appliance.dir.path());
    let shared = installed.flags(&["--libs"]);
    let archive = installed.prefix.join("lib/libportcullis_gate.a").to_str().unwrap().to_owned();
    let private = installed.flags(&["--libs-only-l", "--libs-only-other", "--static"]);
    let private = private.into_iter().filter(|flag| flag != "-lportcullis_gate");
    let whole: Vec<String> = [archive].into_iter().chain(private).collect();
    let c11 = ["gcc", "-std=gnu11"];
    let plain = installed.build("order", &c11, "order.c", &shared);
    let alone = installed.build("order-static", &c11, "order.c", &whole);
    let checked = ["gcc", "-std=gnu11", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"];
    let checked = installed.build("order-checked", &checked, "order.c", &shared);
    let cpp = installed.build("order-cpp", &["g++", "-std=c++17"], "order.cpp", &shared);
    let python = repository().join("dataplane/gate-ffi/examples/order.py");
    let [plain, alone, checked, cpp, python] =
        [plain, alone, checked, cpp, python].map(|p| p.display().to_string());
    let memcheck =
        ["valgrind", "-q", "--error-exitcode=99", "--leak-check=full", "--errors-for-leak-kinds=definite"];
    let ways: [&[&str]; 6] = [
        &[&plain],
        &[&alone],
        &[&checked],
        &[&memcheck[..], &[&plain]].concat(),
        &[&cpp],
        &["python3", &python],
    ];
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| send(&datagrams, &stop));
        let _stop = StopOnDrop(&stop);
        let socket = appliance.socket();
        for (n, words) in (1..).zip(ways) {
            is_sent(&installed, words, &socket, n, cents, i64::try_from(n).unwrap());
            let refused = order(&installed, words, &socket, (100 + n, 4_000_000, cents));
            assert_eq!(refused.status.code(), Some(3), "{words:?}: {}", said(&refused));
            assert!(said(&refused).contains("refused: QTY_STATIC: The quantity 4000000 is above"));
        }
    });
    let shown = appliance.ask(&["status"], "status");
    assert_eq!(shown["counters"]["order process c1"]["open_orders"], 0);
    assert_eq!(shown["counters"]["order process c1"]["lost_records"], 0);
}
