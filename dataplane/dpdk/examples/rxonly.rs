//! Packets per second of receiving and freeing, the counterpart of `dpdk-testpmd --forward-mode=rxonly`.
//!
//! ```text
//! rxonly [--vdev net_null0 | --vdev net_pcap0,rx_pcap=FILE,infinite_rx=1] [--work free|touch] [--no-huge]
//!        [--megabytes 256] [--mbufs 8191] [--seconds 0.5] [--reps 7]
//! rxonly --write-pcap FILE
//! ```
//!
//! Prints one line of JSON. `ns` figures are per packet: `wall` is elapsed time, `cpu` is time the thread had a CPU, which
//! another process cannot inflate. Pin it from outside (`taskset -c 1 rxonly ...`). `rxonly_vs_testpmd.sh` beside this file runs
//! both programs in turn.

use std::error::Error;
use std::fmt::Write as _;
use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use dpdk::{
    BURST_MAX, Burst, Eal, EalConfig, Memory, Mempool, MempoolConfig, Port, PortConfig, RxQueue, Vdev,
};

/// Bytes of Ethernet, IPv4 and UDP headers; what a decoder reads first lies behind them.
const PAYLOAD: usize = 42;

#[derive(Clone, Copy)]
enum Work {
    /// Give the buffers back, and no more.
    Free,
    /// Read a word of the header and one of the payload of each packet first.
    Touch,
}

struct Options {
    vdev: Vdev,
    work: Work,
    no_huge: bool,
    megabytes: u32,
    mbufs: u32,
    seconds: f64,
    reps: usize,
}

struct Sample {
    packets: u64,
    wall_ns: f64,
    cpu_ns: f64,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, path] = arguments.as_slice()
        && flag == "--write-pcap"
    {
        return Ok(std::fs::write(path, capture())?);
    }
    let options = parse(&arguments)?;
    let (mut config, warning) = EalConfig::for_this_host(options.megabytes);
    if options.no_huge {
        config = EalConfig::no_huge(options.megabytes);
    } else if let Some(warning) = warning {
        eprintln!("rxonly: {warning}");
    }
    let memory = if matches!(config.memory(), Memory::NoHuge { .. }) { "no-huge" } else { "huge" };

    let eal = Eal::init(&config.vdev(options.vdev.clone()))?;
    let pool = Mempool::new(&eal, &MempoolConfig { mbufs: options.mbufs, ..MempoolConfig::new("rxonly") })?;
    let port = Port::configure(&eal, options.vdev.name(), PortConfig::default(), &pool)?;
    let driver = port.info().driver.clone();
    let mut started = port.start()?;
    let samples = measure(&mut started.rx[0], &options)?;
    println!("{}", json(&options, &driver, memory, &samples));
    Ok(())
}

fn parse(arguments: &[String]) -> Result<Options, Box<dyn Error>> {
    let mut options = Options {
        vdev: Vdev::parse("net_null0")?,
        work: Work::Free,
        no_huge: false,
        megabytes: 256,
        mbufs: 8191,
        seconds: 0.5,
        reps: 7,
    };
    let mut rest = arguments.iter();
    while let Some(flag) = rest.next() {
        if flag == "--no-huge" {
            options.no_huge = true;
            continue;
        }
        let value = rest.next().ok_or_else(|| format!("{flag} wants a value"))?;
        match flag.as_str() {
            "--vdev" => options.vdev = Vdev::parse(value)?,
            "--work" if value == "free" => options.work = Work::Free,
            "--work" if value == "touch" => options.work = Work::Touch,
            "--megabytes" => options.megabytes = value.parse()?,
            "--mbufs" => options.mbufs = value.parse()?,
            "--seconds" => options.seconds = value.parse()?,
            "--reps" => options.reps = value.parse::<usize>()?.max(1),
            _ => return Err(format!("{flag} {value}: not understood").into()),
        }
    }
    Ok(options)
}

fn measure(queue: &mut RxQueue, options: &Options) -> Result<Vec<Sample>, Box<dyn Error>> {
    let time = Duration::from_secs_f64(options.seconds);
    run(queue, options.work, time / 4)?;
    (0..options.reps).map(|_| run(queue, options.work, time)).collect()
}

fn run(queue: &mut RxQueue, work: Work, time: Duration) -> Result<Sample, Box<dyn Error>> {
    let (start, cpu) = (Instant::now(), thread_cpu_ns()?);
    let (mut packets, mut sum) = (0, 0);
    while start.elapsed() < time {
        // The clock is read once in a thousand bursts, so that it costs nothing.
        for _ in 0..1000 {
            let burst = queue.rx_burst();
            packets += burst.len() as u64;
            if let Work::Touch = work {
                sum ^= touch(&burst);
            }
        }
    }
    black_box(sum);
    if packets == 0 {
        return Err("nothing was received".into());
    }
    let per_packet = |ns: f64| ns / packets as f64;
    let wall_ns = per_packet(start.elapsed().as_nanos() as f64);
    Ok(Sample { packets, wall_ns, cpu_ns: per_packet((thread_cpu_ns()? - cpu) as f64) })
}

fn touch(burst: &Burst<'_>) -> u64 {
    let word = |data: &[u8], at: usize| {
        data.get(at..at + 8).map_or(0, |bytes| u64::from_le_bytes(bytes.try_into().unwrap_or_default()))
    };
    burst.iter().map(|packet| word(packet.data(), 0) ^ word(packet.data(), PAYLOAD)).fold(0, |a, b| a ^ b)
}

/// Nanoseconds this thread has run on a CPU so far, exact to a scheduler tick.
fn thread_cpu_ns() -> Result<u64, Box<dyn Error>> {
    let text = std::fs::read_to_string(Path::new("/proc/thread-self/schedstat"))?;
    Ok(text.split_whitespace().next().ok_or("schedstat is empty")?.parse()?)
}

fn median(samples: &[Sample], of: impl Fn(&Sample) -> f64) -> f64 {
    let mut values: Vec<f64> = samples.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn json(options: &Options, driver: &str, memory: &str, samples: &[Sample]) -> String {
    let work = match options.work {
        Work::Free => "free",
        Work::Touch => "touch",
    };
    let (wall, cpu) = (median(samples, |s| s.wall_ns), median(samples, |s| s.cpu_ns));
    let (lowest, highest) =
        samples.iter().map(|s| s.cpu_ns).fold((f64::MAX, 0.0), |(low, high), ns| (ns.min(low), ns.max(high)));
    let packets: u64 = samples.iter().map(|s| s.packets).sum();
    let mut line = String::new();
    let _ = write!(
        line,
        r#"{{"program":"rxonly","dpdk":"{}","driver":"{driver}","memory":"{memory}","work":"{work}","burst":{BURST_MAX},"#,
        dpdk::version()
    );
    let _ = write!(
        line,
        r#""reps":{},"packets":{packets},"mpps":{:.2},"wall_ns":{wall:.2},"cpu_ns":{cpu:.2},"cpu_ns_min":{lowest:.2},"cpu_ns_max":{highest:.2}}}"#,
        samples.len(),
        1e3 / cpu,
    );
    line
}

/// A capture of 1,024 UDP multicast packets of 64 to 256 bytes, one millisecond apart.
fn capture() -> Vec<u8> {
    let mut file = Vec::new();
    let words =
        |file: &mut Vec<u8>, words: &[u32]| words.iter().for_each(|word| file.extend(word.to_le_bytes()));
    words(&mut file, &[0xa1b2_c3d4, 4 << 16 | 2, 0, 0, 65535, 1]);
    for n in 0..1024_u32 {
        let len = 64 + n % 193;
        words(&mut file, &[1_700_000_000, n * 1000, len, len]);
        let begin = file.len();
        file.extend([0x01, 0x00, 0x5e, 0x01, 0x01, 0x01, 0x02, 0, 0, 0, 0, 0x01, 0x08, 0x00, 0x45, 0]);
        file.extend((len as u16 - 14).to_be_bytes());
        file.extend([0, 0, 0x40, 0, 1, 17, 0, 0, 10, 9, 0, 2, 239, 1, 1, 1, 0x13, 0x88, 0x13, 0x88]);
        file.extend((len as u16 - 34).to_be_bytes());
        file.extend([0, 0]);
        file.extend(u64::from(n).to_le_bytes());
        file.resize(begin + len as usize, n as u8);
    }
    file
}
