//! Decode, book and best quotes beside the two fastest public books, which run as programs of their own.
//!
//! `bench/peers/build.sh` fetches and builds them; without, this says so and succeeds. All read the same bytes in turn, on one CPU, and
//! say what CPU time each segment took and a checksum over their best quotes, which must agree. `cargo bench --bench peers -- HEAVY`
//! runs the days whose name holds the text.

use std::error::Error;
use std::fs::{self, File};
use std::hint::black_box;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use bench::day::{Day, DayConfig, FULL, HEAVY, WRAPPED};
use bench::line::{BookOptions, BookRig};
use bench::machine::{Fingerprint, load_average, pin};
use bench::report::{Transcript, results_folder};
use bench::rounds::{Row, interleave};
use bench::stopwatch::cpu_time;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// The programs, as `bench/peers/build.sh` names them.
const PROGRAMS: [&str; 2] = ["itch_order_book", "cpp_trader"];

/// Everything in the caches: what is left is instructions.
const CACHED: DayConfig = DayConfig { symbols: 64, preload_orders: 4_000, ..FULL };

fn main() -> Outcome<()> {
    let results = results_folder()?;
    let built = results.parent().map_or_else(|| PathBuf::from("peers"), |target| target.join("peers"));
    let folder = std::env::var_os("PEERS").map_or(built, PathBuf::from);
    if !PROGRAMS.iter().all(|program| folder.join(program).is_file()) {
        println!("skipped: no peers in {0} (bench/peers/build.sh {0} builds them)", folder.display());
        return Ok(());
    }
    let filter = std::env::args().skip(1).find(|a| !a.starts_with('-')).unwrap_or_default();
    let pinned = pin(true);
    let mut out = Transcript::begin("peers: cargo bench --workspace --bench peers", &Fingerprint::read());
    out.line(format!("{pinned}; CPU time of each program's thread; the product's default bounds"));
    let days = [("FULL", FULL), ("WRAPPED", WRAPPED), ("HEAVY", HEAVY), ("CACHED", CACHED)];
    for (name, config) in days.iter().filter(|(name, _)| name.contains(&filter)) {
        let day = Day::generate(config);
        out.line(format!(
            "\n{name}: {} symbols, {} live orders before; {} rounds of {} messages to warm up and as many timed",
            day.symbols(),
            config.preload_orders,
            day.segments() / 2,
            day.segment_messages()
        ));
        compare(&mut out, &day, &folder, &results.join("peers.itch"))?;
    }
    out.save(&results, "peers.txt")?;
    Ok(())
}

/// All three in turn over one day.
fn compare(out: &mut Transcript, day: &Day, folder: &Path, file: &Path) -> Outcome<()> {
    let pieces = write_day(day, file)?;
    let ours = Books::Ours(Box::new(BookRig::new(BookOptions::PRODUCT)?));
    let mut all = vec![Runner { name: "portcullis", books: ours, sums: Vec::new() }];
    for name in PROGRAMS {
        let books = Books::Peer(Peer::start(&folder.join(name), file)?);
        all.push(Runner { name, books, sums: Vec::new() });
    }
    for runner in &mut all {
        runner.piece(day.preload(), &pieces[0])?;
    }
    let rounds = day.segments() / 2;
    let rows = all.iter_mut().map(|runner| {
        Row::new(runner.name, |round| {
            let mut step = |i: usize| runner.piece(day.segment(i), &pieces[i + 1]).expect("it answers");
            step(2 * round);
            step(2 * round + 1) / day.segment_messages() as f64
        })
    });
    let found = interleave(rounds, rows.collect());
    out.table("ns/message", &found);
    for peer in &all[1..] {
        if peer.sums != all[0].sums {
            return Err(format!("{} and {} read different quotes", all[0].name, peer.name).into());
        }
    }
    out.line(format!("the checksums of all best quotes agree; load average at end: {}", load_average()));
    fs::remove_file(file)?;
    Ok(())
}

/// Writes the day to a file; where preload and segments stand in it.
fn write_day(day: &Day, file: &Path) -> Outcome<Vec<Range<usize>>> {
    let mut to = BufWriter::new(File::create(file)?);
    let mut pieces = Vec::new();
    let mut at = 0;
    for bytes in std::iter::once(day.preload()).chain((0..day.segments()).map(|i| day.segment(i))) {
        to.write_all(bytes)?;
        pieces.push(at..at + bytes.len());
        at += bytes.len();
    }
    to.flush()?;
    Ok(pieces)
}

/// One row of the table.
struct Runner {
    name: &'static str,
    books: Books,
    /// The checksum of each piece it has seen.
    sums: Vec<u64>,
}

enum Books {
    Ours(Box<BookRig>),
    Peer(Peer),
}

impl Runner {
    /// Eats the next piece; the nanoseconds of CPU time it took.
    fn piece(&mut self, bytes: &[u8], range: &Range<usize>) -> Outcome<f64> {
        let (ns, sum) = match &mut self.books {
            Books::Ours(rig) => {
                let start = cpu_time();
                let sum = black_box(rig.run(black_box(bytes)));
                ((cpu_time() - start).as_secs_f64() * 1e9, sum)
            }
            Books::Peer(peer) => peer.run(range)?,
        };
        self.sums.push(sum);
        Ok(ns)
    }
}

/// A peer's program, which has the day in memory and waits to be told which part of it to apply.
struct Peer {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Peer {
    fn start(program: &Path, day: &Path) -> Outcome<Self> {
        let mut child = Command::new(program)
            .arg(day)
            // Huge pages, as our tables have.
            .env("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let output = BufReader::new(child.stdout.take().ok_or("no output of a peer")?);
        Ok(Self { input: child.stdin.take(), child, output })
    }

    fn run(&mut self, range: &Range<usize>) -> Outcome<(f64, u64)> {
        let input = self.input.as_mut().ok_or("no input of a peer")?;
        writeln!(input, "{} {}", range.start, range.end)?;
        input.flush()?;
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        let mut words = line.split_ascii_whitespace();
        let (Some(ns), Some(sum)) = (words.next(), words.next()) else {
            return Err(format!("a peer answered {line:?}, wanted nanoseconds and checksum").into());
        };
        Ok((ns.parse()?, sum.parse()?))
    }
}

impl Drop for Peer {
    /// The end of its input ends it.
    fn drop(&mut self) {
        self.input = None;
        self.child.wait().ok();
    }
}
