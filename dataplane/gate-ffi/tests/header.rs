//! The header is what the sources say, and lays everything out as Rust does: in C, and in C++.

use portcullis_gate::*;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tests::{Need, skip};

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// `UPDATE_HEADER=1 cargo test -p gate-ffi --test header` writes what has changed.
#[test]
fn the_header_is_what_the_sources_say() {
    let config = cbindgen::Config::from_file(here("cbindgen.toml")).expect("a configuration");
    let mut sources = cbindgen::Builder::new().with_config(config);
    for source in ["src/layout.rs", "src/handle.rs", "src/abi.rs"] {
        sources = sources.with_src(here(source));
    }
    let mut made = Vec::new();
    sources.generate().expect("sources that cbindgen reads").write(&mut made);
    let made = String::from_utf8(made).expect("UTF-8");
    let path = here("include/portcullis_gate.h");
    if std::env::var_os("UPDATE_HEADER").is_some() {
        std::fs::write(&path, &made).expect("the header can be written");
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == made, "{} is not what the sources say: UPDATE_HEADER=1 writes it anew", path.display());
}

/// A line that stops a compiler for which a field lies elsewhere.
macro_rules! laid_out {
    ($($c:literal = $rust:ty { $($field:ident),+ };)+) => {
        [$(
            format!("CHECK(sizeof({}) == {});\n", $c, size_of::<$rust>()),
            $(format!("CHECK(offsetof({}, {}) == {});\n", $c, stringify!($field), std::mem::offset_of!($rust, $field)),)+
        )+].concat()
    };
}

/// What C and C++ must find in the header.
fn layout() -> String {
    let structs = laid_out! {
        "portcullis_order" = Order { id, price, instrument, quantity, strategy, account, side, order_type, time_in_force, reserved };
        "portcullis_event" = Event { id, execution, price, quantity, kind, reserved };
        "portcullis_verdict" = Verdict { limit, value, score_micros, version, reason, decision, tier, source, flags, would_reject, reserved };
        "portcullis_reservation" = Reservation { id, generation, replacement, reserved };
        "portcullis_exposure" = Exposure { position, working_buy, working_sell, in_doubt, reserved };
        "portcullis_open_order" = OpenOrder { id, price, instrument, leaves, strategy, account, side, reserved };
        "portcullis_breach" = Breach { limit, value, reason, unit, reserved };
    };
    format!(
        "#include \"portcullis_gate.h\"\n#ifdef __cplusplus\n#define CHECK(what) static_assert(what, \"laid out as in Rust\")\n\
         #else\n#define CHECK(what) _Static_assert(what, \"laid out as in Rust\")\n#endif\n{structs}\
         CHECK(PORTCULLIS_GATE_ABI_VERSION == {PORTCULLIS_GATE_ABI_VERSION});\n\
         CHECK(PORTCULLIS_GATE_NO_PRICE == {PORTCULLIS_GATE_NO_PRICE});\n\
         CHECK(PORTCULLIS_GATE_FAILED == {PORTCULLIS_GATE_FAILED});\n"
    )
}

/// Compiles `text` without warnings; gives what the compiler said of one that it refuses.
fn compiles(compiler: &str, language: [&str; 2], text: &str) -> Result<(), String> {
    let mut command = Command::new(compiler);
    let strict = ["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only", "-I"];
    command
        .args(strict)
        .arg(here("include"))
        .args(language)
        .arg("-")
        .stdin(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("the compiler starts");
    std::io::Write::write_all(&mut child.stdin.take().expect("a pipe"), text.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    output.status.success().then_some(()).ok_or_else(|| String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Names of the functions that the header declares, without what they all begin with.
fn functions() -> Vec<String> {
    let header = std::fs::read_to_string(here("include/portcullis_gate.h")).expect("the header");
    let code =
        header.lines().filter(|line| !line.trim_start().starts_with('*')).collect::<Vec<_>>().join("\n");
    let called = code.split("portcullis_gate_").skip(1).filter_map(|rest| rest.split_once('('));
    let is_name = |name: &str| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    let mut names: Vec<_> =
        called.map(|(name, _)| name).filter(|name| is_name(name)).map(str::to_owned).collect();
    names.sort();
    names
}

/// ctypes guesses the types of a function that is not declared, and a struct that is too small is written beyond.
#[test]
fn the_python_example_declares_every_function_and_structs_of_the_same_size() {
    let names = functions();
    assert!(names.len() > 20 && names.contains(&"set_position".to_owned()), "{names:?}");
    let sizes = [
        ("Order", size_of::<Order>()),
        ("Event", size_of::<Event>()),
        ("Verdict", size_of::<Verdict>()),
        ("Reservation", size_of::<Reservation>()),
        ("Exposure", size_of::<Exposure>()),
        ("OpenOrder", size_of::<OpenOrder>()),
        ("Breach", size_of::<Breach>()),
    ];
    let sizes: Vec<String> = sizes.iter().map(|(name, size)| format!("{name}={size}")).collect();
    let show = "import ctypes, order; print(*sorted(order.FUNCTIONS)); \
                print(*(f'{s.__name__}={ctypes.sizeof(s)}' for s in order.SIZES))";
    let mut python = Command::new("python3");
    python.args(["-B", "-c", show]).current_dir(here("examples"));
    let Ok(output) = python.output() else { return skip(Need::Program("python3"), "no python3") };
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(said, format!("{}\n{}\n", names.join(" "), sizes.join(" ")), "{output:?}");
}

#[test]
fn c_and_cpp_lay_out_what_rust_lays_out() {
    for (compiler, language) in [("gcc", ["-xc", "-std=c11"]), ("g++", ["-xc++", "-std=c++17"])] {
        if Command::new(compiler).arg("--version").output().is_err() {
            skip(Need::Program(compiler), &format!("no {compiler}"));
            continue;
        }
        assert_eq!(compiles(compiler, language, &layout()), Ok(()));
        let wrong = format!("{}CHECK(offsetof(portcullis_order, price) == 16);\n", layout());
        assert!(compiles(compiler, language, &wrong).is_err(), "{compiler} sees what is elsewhere");
    }
}

#[test]
fn the_pages_c_compiles() {
    let page = std::fs::read_to_string(here("README.md")).expect("the page");
    let blocks = tests::blocks(&page);
    let c: Vec<&str> =
        blocks.iter().filter_map(|(_, block)| block.filter(|b| b.kind == "c").map(|b| b.text)).collect();
    assert!(!c.is_empty(), "the page shows how it is used");
    if Command::new("gcc").arg("--version").output().is_err() {
        return skip(Need::Program("gcc"), "no gcc");
    }
    for text in c {
        assert_eq!(compiles("gcc", ["-xc", "-std=c11"], text), Ok(()));
    }
}
