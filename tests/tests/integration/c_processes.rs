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
        assert!(said.contains("installed libportcullis_gate") && said.contains("run ldconfig"), "{said}");
        Self { prefix }
    }

    fn flags(&self, which: &str, package: &str) -> Vec<String> {
        let mut command = Command::new("pkg-config");
        command.env("PKG_CONFIG_PATH", self.prefix.join("lib/pkgconfig")).args([which, package]);
        run(&mut command).split_whitespace().map(str::to_owned).collect()
    }

    /// Compiles `source` without a warning; gives the program.
    fn build(&self, name: &str, compiler: &[&str], source: &str, package: &str) -> PathBuf {
        let program = self.prefix.join(name);
        let strict = ["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-g", "-O1"];
        let mut command = Command::new(compiler[0]);
        command.args(&compiler[1..]).args(strict).args(self.flags("--cflags", package));
        command.arg(repository().join("dataplane/gate-ffi/examples").join(source));
        command.args(self.flags("--libs", package));
        run(command.arg("-o").arg(&program));
        program
    }

    /// A program that loads the shared library from where it was installed; one that has it within is not told where that is.
    fn program(&self, words: &[&str]) -> Command {
        let lib = self.prefix.join("lib");
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).env_remove("LD_LIBRARY_PATH");
        if !words[0].ends_with(ALONE) {
            command.env("LD_LIBRARY_PATH", &lib);
        }
        command.env("PORTCULLIS_GATE_LIBRARY", lib.join("libportcullis_gate.so"));
        command
    }
}

/// The program that has the library within.
const ALONE: &str = "order-static";

/// An order as the examples take it.
#[derive(Clone, Copy)]
struct Wanted {
    id: u64,
    qty: u32,
    cents: i64,
    /// Whether the venue can be reached.
    is_reached: bool,
}

fn order(installed: &Installed, words: &[&str], socket: &Path, wanted: Wanted) -> Output {
    let Wanted { id, qty, cents, is_reached } = wanted;
    let price = format!("{}.{:02}", cents / 100, cents % 100);
    let mut command = installed.program(words);
    command.arg(socket).args(["c1", "s", "a", "FUTX", &qty.to_string(), &price, &id.to_string()]);
    command.args((!is_reached).then_some("unsent"));
    command.output().expect("an example that starts")
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Takes one order of ten through an example: it is asked again, each time a cent lower, until the gate lets it out and it rests.
/// Gives the exit code, and what was said.
fn let_out(installed: &Installed, words: &[&str], socket: &Path, wanted: Wanted) -> (i32, String) {
    let end = Instant::now() + PATIENCE;
    let (from_cents, mut cents) = (wanted.cents, wanted.cents);
    loop {
        let output = order(installed, words, socket, Wanted { cents, ..wanted });
        let text = said(&output);
        match output.status.code() {
            Some(code @ (0 | 4)) => return (code, text),
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
    let [shared, whole] = ["portcullis_gate", "portcullis_gate_static"];
    let c11 = ["gcc", "-std=gnu11"];
    let plain = installed.build("order", &c11, "order.c", shared);
    let alone = installed.build(ALONE, &c11, "order.c", whole);
    let checked = ["gcc", "-std=gnu11", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"];
    let checked = installed.build("order-checked", &checked, "order.c", shared);
    let cpp = installed.build("order-cpp", &["g++", "-std=c++17"], "order.cpp", shared);
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
            let wanted = Wanted { id: n, qty: 10, cents, is_reached: true };
            let (code, text) = let_out(&installed, words, &socket, wanted);
            let told = format!("sent: {n}\nopen: {n} leaves 10\nposition: {n} working: 0 0 lost: 0\n");
            assert_eq!((code, text), (0, told), "{words:?}");
            // One that cannot be sent is given back.
            let id = 200 + n;
            let (code, text) =
                let_out(&installed, words, &socket, Wanted { id, is_reached: false, ..wanted });
            let told = format!("released: {id}\nposition: {n} working: 0 0 lost: 0\n");
            assert_eq!((code, text), (4, told), "{words:?}");
            let large = Wanted { id: 100 + n, qty: 4_000_000, ..wanted };
            let refused = order(&installed, words, &socket, large);
            let text = said(&refused);
            assert_eq!(refused.status.code(), Some(3), "{words:?}: {text}");
            assert!(
                text.starts_with("refused: ") && text.contains("QTY_STATIC: The quantity 4000000 is above")
            );
        }
    });
    let shown = appliance.ask(&["status"], "status");
    assert_eq!(shown["counters"]["order process c1"]["open_orders"], 0);
    assert_eq!(shown["counters"]["order process c1"]["lost_records"], 0);
}
