//! The per-hop histograms of one run and the interval log they end in.

use anyhow::{Context, Result};
use hdrhistogram::Histogram;
use stage::{Clock, HistLog, HopReader, OsClock};
use std::io::Write;
use types::UnixNanos;

/// Readers of every hop, in the order of the line. Their times are the machine's, also where the line runs by another clock.
pub(crate) struct Latency {
    start: UnixNanos,
    readers: Vec<HopReader>,
    done: Vec<(&'static str, UnixNanos, UnixNanos, Histogram<u64>)>,
}

impl Default for Latency {
    fn default() -> Self {
        Self { start: OsClock.now(), readers: Vec::new(), done: Vec::new() }
    }
}

impl Latency {
    /// Since when hops are measured.
    pub(crate) const fn start(&self) -> UnixNanos {
        self.start
    }

    /// Takes the cold end of a hop, to be read.
    pub(crate) fn keep(&mut self, reader: HopReader) {
        self.readers.push(reader);
    }

    /// Takes the intervals that are finished.
    pub(crate) fn collect(&mut self) {
        let Self { readers, done, .. } = self;
        for reader in readers {
            let hop = reader.hop();
            let taken: Result<usize, std::convert::Infallible> = reader.collect(|interval| {
                if !interval.histogram.is_empty() {
                    done.push((hop, interval.start, interval.end, (*interval.histogram).clone()));
                }
                Ok(())
            });
            let Ok(_) = taken;
        }
    }

    /// The intervals collected since the last call, for a log that is written as it grows.
    pub(crate) fn take(&mut self) -> Vec<(&'static str, UnixNanos, UnixNanos, Histogram<u64>)> {
        std::mem::take(&mut self.done)
    }

    /// Sum of each hop over the whole run, hops without a value left out.
    pub(crate) fn totals(&self) -> Vec<(String, Histogram<u64>)> {
        let mut totals: Vec<(String, Histogram<u64>)> = Vec::new();
        for (hop, _, _, histogram) in &self.done {
            match totals.iter_mut().find(|(name, _)| name == hop) {
                // Same bounds: they come from one constructor.
                Some((_, sum)) => *sum += histogram,
                None => totals.push(((*hop).to_owned(), histogram.clone())),
            }
        }
        totals
    }

    /// Writes the interval log.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn write<W: Write>(&self, out: W) -> Result<()> {
        let mut log = HistLog::begin(out, self.start, &fingerprint()).context("cannot write latency.hlog")?;
        for (hop, from, to, histogram) in &self.done {
            log.write(hop, *from, *to, histogram)?;
        }
        log.finish()?;
        Ok(())
    }
}

/// What a latency engineer asks first: which machine, which kernel, which command.
pub(crate) fn fingerprint() -> Vec<String> {
    let first_line = |path: &str, key: &str| {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let line = text.lines().find(|l| l.starts_with(key)).unwrap_or_default();
        line.rsplit(": ").next().unwrap_or_default().trim().to_owned()
    };
    vec![
        format!("Version: portcullis {}", env!("CARGO_PKG_VERSION")),
        format!("CPU: {}", first_line("/proc/cpuinfo", "model name")),
        format!("Kernel: {}", first_line("/proc/sys/kernel/osrelease", "")),
        format!("KernelCommandLine: {}", first_line("/proc/cmdline", "")),
        format!("LoadAverage: {}", first_line("/proc/loadavg", "")),
        format!("Command: {}", std::env::args().collect::<Vec<_>>().join(" ")),
    ]
}
