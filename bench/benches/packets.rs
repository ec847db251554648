//! What a packet costs to receive through crate `dpdk`, beside `dpdk-testpmd --forward-mode=rxonly` on the same device.
//!
//! `cargo bench -p bench --bench packets` (or `-- null`, `-- pcap`). DPDK starts once per process, so every round of ours is
//! this program started again with `--receive`. Both programs take bursts of 64 from a pool of 8,191 buffers, on the same CPU,
//! in turn. Figures are CPU time of the receiving thread over packets received, so that another process on the CPU does not
//! count into them.
//!
//! Run as root it reserves huge pages while it runs and gives them back. Without huge pages it runs all the same and says that
//! its numbers are no performance figures.

use std::error::Error;
use std::fs;
use std::hint::black_box;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use bench::day::{Day, DayConfig, FULL};
use bench::line::Events;
use bench::machine::{Fingerprint, load_average};
use bench::paced::{MESSAGES, packetise};
use bench::report::{Transcript, results_folder};
use bench::rounds::{Row, interleave};
use dpdk::{BURST_MAX, Burst, Eal, EalConfig, Mempool, MempoolConfig, Port, PortConfig, RxQueue, Vdev};
use simulator::PcapWriter;
use wire::frame::{LinkType, parse_udp};
use wire::moldudp64::Packet;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Rounds of each row.
const ROUNDS: usize = 5;
/// How long one round receives.
const RECEIVE: Duration = Duration::from_millis(800);
/// Memory EAL takes.
const MEGABYTES: u32 = 256;
/// Buffers in the pool of either program.
const BUFFERS: u32 = 8_191;
/// Packets in the capture: `infinite_rx` loads them all, so they must fit the pool.
const CAPTURE_PACKETS: usize = 1_024;
/// How long a start may take before it counts as hung.
const PATIENCE: Duration = Duration::from_secs(20);

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, vdev, work, memory] = arguments.as_slice()
        && flag == "--receive"
    {
        return receive(vdev, work, memory);
    }
    if !can_run("dpdk-testpmd") {
        println!("skipped: no dpdk-testpmd to compare with (Debian: apt-get install dpdk-dev)");
        return Ok(());
    }
    let filter = arguments.iter().find(|a| !a.starts_with('-')).map_or("", String::as_str);
    compare(filter)
}

fn can_run(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// Both programs on both devices, in turn.
fn compare(filter: &str) -> Outcome<()> {
    let mut out = Transcript::begin("packets: cargo bench -p bench --bench packets", &Fingerprint::read());
    let pages = HugePages::reserve(u64::from(MEGABYTES) / 2);
    let memory = if pages.is_some() { "huge" } else { "no-huge" };
    let folder = results_folder()?;
    let capture = folder.join("packets.pcap");
    write_capture(&capture)?;
    out.line(format!("DPDK: {}, memory: {memory}, burst {BURST_MAX}", dpdk::version()));
    if pages.is_none() {
        out.line("no huge pages could be had: with --no-huge these are no performance figures");
    }
    let devices = [
        ("null", "net_null0".to_owned()),
        ("pcap", format!("net_pcap0,rx_pcap={},infinite_rx=1", capture.display())),
    ];
    let mut rows = Vec::new();
    for (name, vdev) in devices.iter().filter(|(name, _)| name.contains(filter)) {
        let works: &[&str] = if *name == "pcap" { &["free", "touch", "decode"] } else { &["free", "touch"] };
        for work in works {
            rows.push(Row::new(format!("net_{name}, ours, {work}"), move |_| {
                measured(ours(vdev, work, memory))
            }));
        }
        rows.push(Row::new(format!("net_{name}, testpmd rxonly"), move |_| measured(testpmd(vdev, memory))));
    }
    let found = interleave(ROUNDS, rows);
    out.line(format!("CPU time per packet, {ROUNDS} interleaved rounds of {} ms:", RECEIVE.as_millis()));
    out.table("ns/packet", &found);
    for row in &found {
        out.line(format!("{:30} {:8.2} Mpps at the median", row.name, 1e3 / row.median));
    }
    out.line(format!("one packet of net_pcap carries {MESSAGES} ITCH messages"));
    out.line(format!("load average at end: {}", load_average()));
    fs::remove_file(&capture)?;
    out.save(&folder, "packets.txt")?;
    println!("files: {}", folder.display());
    Ok(())
}

/// A round that fails ends the bench: half a comparison is none.
fn measured(round: Outcome<f64>) -> f64 {
    round.unwrap_or_else(|e| panic!("a round failed: {e}"))
}

/// Huge pages of 2 MiB, taken from the system while this lives.
struct HugePages {
    before: u64,
}

const PAGES: &str = "/proc/sys/vm/nr_hugepages";

impl HugePages {
    /// `None` when they cannot be had: not root, or memory too fragmented.
    fn reserve(count: u64) -> Option<Self> {
        let number = |path: &str| fs::read_to_string(path).ok()?.trim().parse::<u64>().ok();
        let before = number(PAGES)?;
        fs::write(PAGES, (before + count).to_string()).ok()?;
        let pages = Self { before };
        let free = number("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages")?;
        (free >= count).then_some(pages)
    }
}

impl Drop for HugePages {
    fn drop(&mut self) {
        if let Err(e) = fs::write(PAGES, self.before.to_string()) {
            eprintln!("vm.nr_hugepages could not be put back to {}: {e}", self.before);
        }
    }
}

/// A capture of MoldUDP64 packets of the benchmark day.
fn write_capture(path: &Path) -> Outcome<()> {
    let config = DayConfig {
        symbols: 200,
        preload_orders: 2_000,
        segments: 1,
        segment: CAPTURE_PACKETS * MESSAGES,
        ..FULL
    };
    let day = Day::generate(&config);
    let mut frames = Vec::with_capacity(CAPTURE_PACKETS);
    packetise(day.segment(0), &mut 1, |frame, _| frames.push(frame.to_vec()));
    let mut file = PcapWriter::new(BufWriter::new(fs::File::create(path)?))?;
    for (n, frame) in (0..).zip(&frames) {
        file.frame(1_572_445_800_000_000_000 + n * 1_000, frame)?;
    }
    file.finish()?.flush()?;
    Ok(())
}

/// The CPU both programs are measured on: the last one this process may use; testpmd's main thread sleeps on the first.
fn cpus() -> Outcome<(usize, usize)> {
    let allowed = std::thread::available_parallelism()?.get();
    if allowed < 2 {
        return Err("testpmd wants two CPUs, and this process may use one".into());
    }
    Ok((0, allowed - 1))
}

/// One round of ours, in a process of its own: nanoseconds of CPU time per packet.
fn ours(vdev: &str, work: &str, memory: &str) -> Outcome<f64> {
    let cpu = cpus()?.1.to_string();
    let program = std::env::current_exe()?;
    let output = Command::new("taskset")
        .args(["-c", &cpu])
        .arg(program)
        .args(["--receive", vdev, work, memory])
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let value = text.lines().find_map(|line| line.strip_prefix("ns_per_packet="));
    match value {
        Some(value) if output.status.success() => Ok(value.parse()?),
        _ => Err(format!("--receive {vdev}: {text}{}", String::from_utf8_lossy(&output.stderr)).into()),
    }
}

/// The process of one round of ours.
fn receive(vdev: &str, work: &str, memory: &str) -> Outcome<()> {
    let vdev = Vdev::parse(vdev)?;
    let config =
        if memory == "huge" { EalConfig::in_memory(MEGABYTES) } else { EalConfig::no_huge(MEGABYTES) };
    let eal = Eal::init(&config.vdev(vdev.clone()))?;
    let pool = Mempool::new(&eal, &MempoolConfig { mbufs: BUFFERS, ..MempoolConfig::new("packets") })?;
    let port = Port::configure(&eal, vdev.name(), PortConfig::default(), &pool)?;
    let mut started = port.start()?;
    let queue = started.rx.first_mut().ok_or("a started port has a queue")?;
    let mut decoder = Events::new();
    let mut run = |time| match work {
        "free" => run(queue, time, |_| 0),
        "touch" => run(queue, time, touch),
        "decode" => run(queue, time, |burst| decode(burst, &mut decoder)),
        _ => Err(format!("no work is called {work:?}").into()),
    };
    run(RECEIVE / 4)?;
    println!("ns_per_packet={}", run(RECEIVE)?);
    Ok(())
}

/// Receives for `time` and returns nanoseconds of CPU time per packet.
fn run(queue: &mut RxQueue, time: Duration, mut work: impl FnMut(&Burst<'_>) -> u64) -> Outcome<f64> {
    let (start, cpu) = (Instant::now(), cpu_time_ns("/proc/thread-self")?);
    let (mut packets, mut sum) = (0_u64, 0_u64);
    while start.elapsed() < time {
        // A thousand bursts to one look at the clock.
        for _ in 0..1_000 {
            let burst = queue.rx_burst();
            packets += burst.len() as u64;
            sum = sum.wrapping_add(work(&burst));
        }
    }
    black_box(sum);
    if packets == 0 {
        return Err("nothing was received".into());
    }
    Ok((cpu_time_ns("/proc/thread-self")? - cpu) as f64 / packets as f64)
}

/// Reads a word of the headers and one of the payload, as the first look of any decoder does.
fn touch(burst: &Burst<'_>) -> u64 {
    let word = |data: &[u8], at: usize| {
        data.get(at..).and_then(<[u8]>::first_chunk::<8>).map_or(0, |chunk| u64::from_le_bytes(*chunk))
    };
    burst.iter().fold(0, |sum, packet| sum ^ word(packet.data(), 0) ^ word(packet.data(), 42))
}

/// Everything up to the events: Ethernet, IPv4, UDP, MoldUDP64, ITCH 5.0.
fn decode(burst: &Burst<'_>, decoder: &mut Events) -> u64 {
    let mut seen = 0_u64;
    for frame in burst {
        let datagram = parse_udp(LinkType::Ethernet, frame.data()).expect("the capture's own frames");
        let packet = Packet::parse(datagram.payload).expect("the capture's own packets");
        for message in packet.messages() {
            let message = message.expect("whole messages");
            decoder.one(message, |events| {
                seen = events.iter().fold(seen, |sum, event| sum.wrapping_add(event.order_id));
            });
        }
    }
    seen
}

/// Nanoseconds the task has run on a CPU so far.
fn cpu_time_ns(task: &str) -> Outcome<u64> {
    let text = fs::read_to_string(format!("{task}/schedstat"))?;
    Ok(text.split_whitespace().next().ok_or("schedstat is empty")?.parse()?)
}

/// A running testpmd. Dropping it ends it.
struct Testpmd {
    child: Child,
    commands: ChildStdin,
    log: PathBuf,
}

impl Drop for Testpmd {
    fn drop(&mut self) {
        // Already gone is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One round of testpmd: CPU time of its worker, which sleeps before `start` and after `stop`, per packet.
fn testpmd(vdev: &str, memory: &str) -> Outcome<f64> {
    let mut testpmd = Testpmd::launch(vdev, memory)?;
    testpmd.wait_for("testpmd>")?;
    let worker = testpmd.worker()?;
    let before = cpu_time_ns(&worker)?;
    writeln!(testpmd.commands, "start")?;
    sleep(RECEIVE);
    writeln!(testpmd.commands, "stop")?;
    let log = testpmd.wait_for("+++++++++++++++++++++++++++++++++++++++++++++++")?;
    // The worker's last time slice is accounted when it sleeps.
    sleep(Duration::from_millis(50));
    let cpu = cpu_time_ns(&worker)? - before;
    writeln!(testpmd.commands, "quit")?;
    let packets = received(&log).ok_or("testpmd printed no RX-packets")?;
    Ok(cpu as f64 / packets as f64)
}

/// `RX-packets:` of the accumulated statistics that `stop` prints.
fn received(log: &str) -> Option<u64> {
    let (_, statistics) = log.split_once("Accumulated forward statistics")?;
    let (_, rest) = statistics.split_once("RX-packets:")?;
    rest.split_whitespace().next()?.parse().ok().filter(|&packets| packets > 0)
}

impl Testpmd {
    fn launch(vdev: &str, memory: &str) -> Outcome<Self> {
        let (main, cpu) = cpus()?;
        let log = results_folder()?.join("testpmd.log");
        let file = fs::File::create(&log)?;
        let megabytes = MEGABYTES.to_string();
        let pages: &[&str] = match memory {
            "huge" => &["--in-memory", "--socket-mem", &megabytes],
            _ => &["--no-huge", "--no-shconf", "-m", &megabytes],
        };
        // testpmd writes to a file by the block unless it is told to write by the line.
        let mut child = Command::new("stdbuf")
            .args(["-oL", "dpdk-testpmd", "--lcores", &format!("0@{main},1@{cpu}")])
            .args(["--no-telemetry", "--no-pci", "--log-level=error"])
            .args(pages)
            .arg(format!("--vdev={vdev}"))
            .args(["--", "-i", "--forward-mode=rxonly", "--mbcache=256", "--rxd=1024", "--txd=1024"])
            .args(["--no-mlockall", &format!("--burst={BURST_MAX}"), &format!("--total-num-mbufs={BUFFERS}")])
            .stdin(Stdio::piped())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()?;
        let commands = child.stdin.take().ok_or("the pipe was asked for")?;
        Ok(Self { child, commands, log })
    }

    /// Waits until the log holds `text` and returns the log.
    fn wait_for(&mut self, text: &str) -> Outcome<String> {
        let start = Instant::now();
        loop {
            let log = String::from_utf8_lossy(&fs::read(&self.log)?).into_owned();
            if log.contains(text) {
                return Ok(log);
            }
            if self.child.try_wait()?.is_some() || start.elapsed() > PATIENCE {
                return Err(format!("testpmd did not print {text:?}:\n{log}").into());
            }
            sleep(Duration::from_millis(20));
        }
    }

    /// The folder in `/proc` of the thread that receives.
    fn worker(&self) -> Outcome<String> {
        for task in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let path = task?.path();
            let name = fs::read_to_string(path.join("comm"))?;
            if name.contains("worker") {
                return Ok(path.to_string_lossy().into_owned());
            }
        }
        Err("testpmd has no worker thread".into())
    }
}
