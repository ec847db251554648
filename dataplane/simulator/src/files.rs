//! A scenario as files: the capture, the firm's orders, the truth, and a manifest.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use types::{Px, Side};

use crate::error::{Result, SimulatorError};
use crate::feed::{Line, Loss, Packet, SESSION};
use crate::market::{FirmOrder, Intervention, Truth, TruthKind};
use crate::pcap::PcapWriter;
use crate::simulation::{Listener, MIDNIGHT_UNIX_NS, Planted, Simulation};

/// Number of the firm's first order.
const FIRST_ORDER_ID: u64 = 1_000_001;

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The capture: `NAME.pcap`.
    pub pcap: PathBuf,
    /// The firm's orders: `orders.csv`.
    pub orders: PathBuf,
    /// What really happened: `truth.csv`.
    pub truth: PathBuf,
    /// Seed, times, lines and instruments: `scenario.json`.
    pub manifest: PathBuf,
    /// Packets in the capture, both lines.
    pub packets: u64,
    /// Messages the venue sent, lost ones included.
    pub messages: u64,
    /// Orders of the firm.
    pub order_count: u64,
}

impl Simulation {
    /// Plays the scenario into `dir`: `NAME.pcap`, `orders.csv`, `truth.csv` and `scenario.json`. A file gets its
    /// final name only when all four are complete; after an error none of them is left behind half written.
    ///
    /// # Errors
    /// [`SimulatorError::Io`] with the file that could not be written.
    pub fn write(&self, dir: &Path) -> Result<Written> {
        fs::create_dir_all(dir).map_err(|e| io_error(dir, "create the folder", e))?;
        let mut files = Files::create(dir, self)?;
        let by_type = self.play(&mut files)?;
        files.finish(self, by_type.iter().sum())
    }
}

fn io_error(path: &Path, action: &'static str, source: io::Error) -> SimulatorError {
    SimulatorError::Io { path: path.to_owned(), action, source }
}

/// A file that is removed again unless it is kept.
#[derive(Debug)]
struct Partial {
    /// Its final name.
    path: PathBuf,
    /// Its name until then.
    partial: PathBuf,
}

impl Partial {
    fn create(dir: &Path, name: &str) -> Result<(Self, BufWriter<File>)> {
        let this = Self { path: dir.join(name), partial: dir.join(format!(".{name}.partial")) };
        let file = File::create(&this.partial).map_err(|e| io_error(&this.path, "create", e))?;
        Ok((this, BufWriter::with_capacity(1 << 18, file)))
    }

    fn check(&self, result: io::Result<()>) -> Result<()> {
        result.map_err(|e| io_error(&self.path, "write", e))
    }

    /// Gives the file its final name.
    fn keep(self) -> Result<PathBuf> {
        fs::rename(&self.partial, &self.path).map_err(|e| io_error(&self.path, "rename", e))?;
        Ok(self.path.clone())
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        // After `keep` there is nothing of that name any more, and a failing removal leaves only a hidden file.
        let _ = fs::remove_file(&self.partial);
    }
}

/// The files of one scenario while it is played.
struct Files {
    /// Name and tick (1e-4) by instrument.
    instruments: Vec<(String, i64)>,
    pcap: (Partial, PcapWriter<BufWriter<File>>),
    orders: (Partial, BufWriter<File>),
    truth: (Partial, BufWriter<File>),
    manifest: (Partial, BufWriter<File>),
    /// Planted events of the script and of the firm, waiting for their turn among the truths: time and row.
    planted: Vec<(u64, String)>,
    packets: u64,
    order_count: u64,
}

impl Files {
    fn create(dir: &Path, simulation: &Simulation) -> Result<Self> {
        let (partial, writer) = Partial::create(dir, &format!("{}.pcap", simulation.name()))?;
        let pcap = PcapWriter::new(writer).map_err(|e| io_error(&partial.path, "write", e))?;
        let mut orders = Partial::create(dir, "orders.csv")?;
        orders.0.check(writeln!(orders.1, "ts_ns,cl_ord_id,account,strategy,symbol,side,qty,px,type,tif"))?;
        let mut truth = Partial::create(dir, "truth.csv")?;
        truth.0.check(writeln!(truth.1, "ts_ns,symbol,event,value"))?;
        let manifest = Partial::create(dir, "scenario.json")?;
        let instruments =
            simulation.profiles().map(|p| (p.symbol.to_string(), i64::from(p.tick_1e4))).collect();
        let pcap = (partial, pcap);
        let losses = simulation.losses().iter().map(planted_loss);
        let planted = losses.chain(simulation.planted().into_iter().flat_map(planted_crisis)).collect();
        Ok(Self { instruments, pcap, orders, truth, manifest, planted, packets: 0, order_count: 0 })
    }

    /// `half_ticks` half ticks of an instrument as a price.
    fn px(&self, instrument: u16, half_ticks: i64) -> Px {
        // Half a tick is a whole number of 1e-9: ticks are multiples of 1e-4.
        Px(half_ticks * self.instruments[usize::from(instrument)].1 * 50_000)
    }

    /// A mid price, which lies on a tick or between two.
    fn mid_px(&self, instrument: u16, ticks: f64) -> Px {
        #[expect(clippy::cast_possible_truncation, reason = "prices in ticks fit")]
        let half_ticks = (ticks * 2.0).round() as i64;
        self.px(instrument, half_ticks)
    }

    /// Writes the planted events up to `until`.
    fn plant_until(&mut self, until: u64) -> Result<()> {
        self.planted.sort_by_key(|(ts, _)| *ts);
        let due = self.planted.partition_point(|(ts, _)| *ts <= until);
        for (ts, row) in self.planted.drain(..due) {
            let written = writeln!(self.truth.1, "{ts},{row}");
            self.truth.0.check(written)?;
        }
        Ok(())
    }

    /// Completes every file, then gives each its final name.
    fn finish(mut self, simulation: &Simulation, messages: u64) -> Result<Written> {
        self.plant_until(u64::MAX)?;
        let text = manifest(simulation, messages, self.packets, self.order_count);
        let written = self.manifest.1.write_all(text.as_bytes());
        self.manifest.0.check(written)?;
        let (pcap, writer) = self.pcap;
        let writer = writer.finish().map_err(|e| io_error(&pcap.path, "write", e))?;
        let files = [(pcap, writer), self.orders, self.truth, self.manifest];
        let mut complete = Vec::with_capacity(files.len());
        for (partial, mut writer) in files {
            partial.check(writer.flush())?;
            complete.push(partial);
        }
        let paths: Vec<_> = complete.into_iter().map(Partial::keep).collect::<Result<_>>()?;
        let [pcap, orders, truth, manifest] = paths.try_into().expect("four files were completed");
        let (packets, order_count) = (self.packets, self.order_count);
        Ok(Written { pcap, orders, truth, manifest, packets, messages, order_count })
    }
}

impl Listener for Files {
    type Error = SimulatorError;

    fn packet(&mut self, packet: &Packet) -> Result<()> {
        self.packets += 1;
        let written = self.pcap.1.frame(packet.ts_ns, &packet.frame());
        self.pcap.0.check(written)
    }

    fn order(&mut self, order: &FirmOrder) -> Result<()> {
        let id = FIRST_ORDER_ID + self.order_count;
        self.order_count += 1;
        let ts = MIDNIGHT_UNIX_NS + order.ts_ns;
        let symbol = &self.instruments[usize::from(order.instrument)].0;
        let (account, strategy) = (order.strategy.account(), order.strategy.name());
        let (side, qty) = (order.side.as_order_str(), order.qty);
        let (px, kind) = match order.px {
            Some(ticks) => (self.px(order.instrument, 2 * ticks).to_string(), "limit"),
            None => (String::new(), "market"),
        };
        let tif = if order.immediate { "ioc" } else { "day" };
        let row =
            writeln!(self.orders.1, "{ts},{id},{account},{strategy},{symbol},{side},{qty},{px},{kind},{tif}");
        self.orders.0.check(row)?;
        if order.planted {
            self.planted.push((ts, format!("{symbol},planted_order,{id}")));
        }
        Ok(())
    }

    fn truth(&mut self, truth: &Truth) -> Result<()> {
        let ts = MIDNIGHT_UNIX_NS + truth.ts_ns;
        self.plant_until(ts)?;
        let symbol = self.instruments[usize::from(truth.instrument)].0.clone();
        let (event, value) = self.words(truth);
        let row = writeln!(self.truth.1, "{ts},{symbol},{event},{value}");
        self.truth.0.check(row)
    }
}

impl Files {
    /// The `event` and `value` columns of a truth.
    fn words(&self, truth: &Truth) -> (&'static str, String) {
        let mid = |ticks| self.mid_px(truth.instrument, ticks).to_string();
        match truth.kind {
            TruthKind::Mid(ticks) => ("mid", mid(ticks)),
            TruthKind::SpreadTicks(ticks) => ("spread_ticks", ticks.to_string()),
            TruthKind::BidDepth(lots) => ("bid_depth", lots.to_string()),
            TruthKind::AskDepth(lots) => ("ask_depth", lots.to_string()),
            TruthKind::Withdrawal(share) => ("withdrawal", format!("{share:.2}")),
            TruthKind::IcebergStart(Side::Ask) => ("planted_seller_start", String::new()),
            TruthKind::IcebergStart(Side::Bid) => ("planted_buyer_start", String::new()),
            TruthKind::IcebergTraded(Side::Ask, lots) => ("seller_sold", lots.to_string()),
            TruthKind::IcebergTraded(Side::Bid, lots) => ("buyer_bought", lots.to_string()),
            TruthKind::IcebergDone(Side::Ask) => ("seller_done", String::new()),
            TruthKind::IcebergDone(Side::Bid) => ("buyer_done", String::new()),
            TruthKind::Extreme(Side::Ask, ticks) => ("crash_low", mid(ticks)),
            TruthKind::Extreme(Side::Bid, ticks) => ("crash_high", mid(ticks)),
            TruthKind::StuffingStart(rate) => ("planted_stuffing_per_s", rate.to_string()),
            TruthKind::StuffingDone => ("planted_stuffing_done", String::new()),
            TruthKind::Planted(Intervention::News { jump_bps }) => ("planted_news_bps", jump_bps.to_string()),
            TruthKind::Planted(Intervention::Drift { bps_per_min }) => {
                ("planted_drift_bps_per_min", bps_per_min.to_string())
            }
            TruthKind::Planted(Intervention::Rush { factor, .. }) => ("planted_rush", factor.to_string()),
            TruthKind::Planted(Intervention::Indicative { paired, .. }) => {
                ("planted_indicative", paired.to_string())
            }
            TruthKind::Planted(Intervention::OpeningCross { lots }) => {
                ("planted_opening_cross", lots.to_string())
            }
            TruthKind::Planted(Intervention::Withdraw { fear }) => {
                ("planted_withdrawal", format!("{fear:.2}"))
            }
            TruthKind::Planted(Intervention::Pause { for_s }) => ("planted_pause_s", for_s.to_string()),
            TruthKind::Planted(Intervention::Reopen { lots }) => {
                ("planted_reopening_cross", lots.to_string())
            }
        }
    }
}

/// When packets are planted to be lost, and the rest of the row that says so.
fn planted_loss(loss: &Loss) -> (u64, String) {
    let lines = match (loss.on_a, loss.on_b) {
        (true, true) => "both",
        (true, false) => "a",
        _ => "b",
    };
    (MIDNIGHT_UNIX_NS + loss.from_ns, format!(",planted_loss_{lines},{}", loss.packets))
}

/// When a crisis begins and ends, and the rest of the rows that say so.
fn planted_crisis(planted: &Planted) -> [(u64, String); 2] {
    let Planted { kind, symbol, from_ns, until_ns, size_percent } = planted;
    [
        (MIDNIGHT_UNIX_NS + from_ns, format!("{symbol},planted_{},{size_percent}", kind.replace('-', "_"))),
        (MIDNIGHT_UNIX_NS + until_ns, format!("{symbol},planted_end,{kind}")),
    ]
}

/// The manifest: what one must know to replay the capture. Every text in it is a name written in this crate, printable
/// ASCII without quotes, so none needs escaping.
fn manifest(simulation: &Simulation, messages: u64, packets: u64, orders: u64) -> String {
    let (start, end) = simulation.span_ns();
    let (start, end) = (MIDNIGHT_UNIX_NS + start, MIDNIGHT_UNIX_NS + end);
    let session = str::from_utf8(&SESSION).expect("the session's name is ASCII");
    let mut text = String::new();
    let mut line = |s: std::fmt::Arguments<'_>| {
        text.write_fmt(s).expect("a String takes everything");
        text.push('\n');
    };
    line(format_args!("{{\n  \"scenario\": \"{}\",", simulation.name()));
    line(format_args!("  \"seed\": {},", simulation.seed()));
    line(format_args!("  \"feed\": \"itch50\",\n  \"session\": \"{session}\","));
    line(format_args!("  \"midnight_unix_ns\": {MIDNIGHT_UNIX_NS},"));
    line(format_args!("  \"start_unix_ns\": {start},\n  \"end_unix_ns\": {end},"));
    line(format_args!("  \"line_a\": \"{}\",\n  \"line_b\": \"{}\",", Line::A.group(), Line::B.group()));
    line(format_args!("  \"messages\": {messages},\n  \"packets\": {packets},\n  \"orders\": {orders},"));
    if let Some(Planted { kind, symbol, from_ns, until_ns, size_percent }) = simulation.planted() {
        let (from, until) = (MIDNIGHT_UNIX_NS + from_ns, MIDNIGHT_UNIX_NS + until_ns);
        line(format_args!(
            "  \"planted\": {{ \"kind\": \"{kind}\", \"symbol\": \"{symbol}\", \"from_unix_ns\": {from}, \"until_unix_ns\": {until}, \"size_percent\": {size_percent} }},"
        ));
    }
    line(format_args!("  \"instruments\": ["));
    let count = simulation.profiles().len();
    for (i, profile) in simulation.profiles().enumerate() {
        let (locate, comma) = (i + 1, if i + 1 < count { "," } else { "" });
        let tick = Px::from_1e4(profile.tick_1e4.into());
        let px = Px::from_1e4(profile.start_px_ticks * i64::from(profile.tick_1e4));
        let symbol = profile.symbol;
        line(format_args!(
            "    {{ \"symbol\": \"{symbol}\", \"locate\": {locate}, \"tick\": \"{tick}\", \"start_px\": \"{px}\" }}{comma}"
        ));
    }
    line(format_args!("  ]\n}}"));
    text
}
