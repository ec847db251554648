//! The receiver stage: from packets to book events.

mod candidates;
mod lag;
mod line_counters;
mod lines;
mod output;
mod pipeline;
mod raw_time;
mod silence;
mod stamps;
mod vouched;

pub use line_counters::{LineCounts, LineReader};
pub use output::EventTx;

use stage::{Clock, CounterCell, CounterReader, HopHistogram, LiveClock, Stage, Work, WorkStatus, counters};
use types::{FeedKind, Nanos, UnixNanos};

use crate::config::{ConfigError, FeedConfig};
use crate::recovery::RecoveryEnds;
use crate::source::{BURST_MAX, PacketSource, SourceError, SourceStatus};
use crate::stats::{DROP_CAUSES, FeedStats};
use line_counters::LineCounters;
use pipeline::{CHUNK, Pipeline};

/// A stage that turns some input into book events: what a replay and the live line alike need to know of it.
pub trait Feed: Stage {
    /// Every count so far.
    fn stats(&self) -> FeedStats;

    /// The time the input has reached: the latest packet's stamp, or the venue's time where packets have none. A replay
    /// sets its clock by it.
    fn replay_time(&self) -> UnixNanos;

    /// Why the input ended early, once it did. Everything before the damage was handed on.
    fn take_error(&mut self) -> Option<SourceError>;

    /// Counters for metrics, published at housekeeping.
    fn counters(&self) -> CounterReader;

    /// Counters of each line there can be, published at housekeeping; none where an input has no lines.
    fn lines(&self) -> Vec<LineReader>;
}

/// Latency measurement of a receiver. One poll in `sample_every` reads the clock three times.
#[derive(Debug)]
pub struct ReceiverHops {
    /// The clock measured by.
    pub clock: LiveClock,
    /// From the NIC's stamp, or the poll's begin where there is none of this arrival, to the decoded event.
    pub nic_decode: HopHistogram,
    /// From the decoded event to its place in the ring.
    pub decode_ring: HopHistogram,
    /// Polls with packets per measured one; 1 measures all.
    pub sample_every: u32,
    /// How long an interval of the histograms lasts.
    pub interval: Nanos,
}

/// Answers of servers taken in one poll.
const ANSWERS_MAX: usize = 64;

/// What a receiver is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Reading,
    /// The input is over; this channel is to be ended next.
    Ending(usize),
    Done,
}

/// Names of the counters; what was dropped also by its cause, in the order of [`FeedStats::dropped_by_cause`].
const COUNTERS: [&str; 35 + DROP_CAUSES] = [
    "packets",
    "bytes",
    "messages",
    "messages_unknown",
    "events",
    "gaps",
    "missing",
    "duplicates",
    "late",
    "errors",
    "other_traffic",
    "lost_events",
    "dropped",
    "outliers",
    "instruments_beyond",
    "requests",
    "unanswered",
    "recovered",
    "refused_answers",
    "not_recovered",
    "recovering",
    "bad_checksums",
    "restarts",
    "redefined_locates",
    "heartbeats",
    "lost_definitions",
    "ring_gaps",
    "reordered",
    "sessions",
    "late_channels",
    "lag_ns",
    "ends",
    "ended_channel",
    "ends_taken_back",
    "resumed_channel",
    "dropped_stray_sessions",
    "dropped_stray_jumps",
    "dropped_stray_restarts",
    "dropped_stray_ends",
    "dropped_unkept_packets",
    "dropped_contradictions",
    "dropped_stale_sessions",
    "dropped_implausible_sequences",
    "dropped_bad_checksums",
    "dropped_chained_packets",
    "dropped_bad_fields",
    "dropped_foreign_stocks",
    "dropped_orders_beyond",
    "dropped_directory_full",
];

/// Reads packets, arbitrates, decodes and hands events on. The same code live and in a replay; only where events go and
/// which clock timeouts run on differ.
pub struct Receiver<S> {
    name: &'static str,
    kind: FeedKind,
    source: S,
    pipeline: Pipeline,
    tx: EventTx,
    hops: Option<ReceiverHops>,
    /// Stamps events as they leave; live only.
    stamp: Option<LiveClock>,
    polls: u32,
    burst_max: usize,
    phase: Phase,
    error: Option<SourceError>,
    /// Gaps of the ring after which the state of each channel was said again.
    gaps_told: u64,
    reader: CounterReader,
    cells: [CounterCell; COUNTERS.len()],
    lines: LineCounters,
    recovery: Option<RecoveryEnds>,
}

impl<S: PacketSource> Receiver<S> {
    /// A receiver of `config`'s feed from `source` into `tx`. Everything is allocated here.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] when the feed cannot be received so.
    pub fn new(name: &'static str, source: S, config: &FeedConfig, tx: EventTx) -> Result<Self, ConfigError> {
        let (reader, cells) = counters(name, COUNTERS);
        let pipeline = Pipeline::new(config, source.overshoot_bytes(), source.checksums_unseen())?;
        let lines = LineCounters::new(pipeline.channels());
        Ok(Self {
            name,
            kind: config.kind,
            source,
            pipeline,
            tx,
            hops: None,
            stamp: None,
            polls: 0,
            burst_max: config.burst_max.clamp(1, BURST_MAX),
            phase: Phase::Reading,
            error: None,
            gaps_told: 0,
            reader,
            cells,
            lines,
            recovery: None,
        })
    }

    /// Measures latencies.
    #[must_use]
    pub fn with_hops(mut self, hops: ReceiverHops) -> Self {
        self.hops = Some(hops);
        self
    }

    /// Stamps each event with the time from its arrival to its push, read from `clock` once per burst. For live lines: a
    /// replay's events must not depend on a clock.
    #[must_use]
    pub fn with_publish_stamps(mut self, clock: LiveClock) -> Self {
        self.stamp = Some(clock);
        self
    }

    /// Sends what is to be asked of servers through `ends`, and takes what they answer.
    #[must_use]
    pub fn with_recovery(mut self, ends: RecoveryEnds) -> Self {
        self.recovery = Some(ends);
        self
    }

    /// The latencies, where they are measured; for a run without a cold thread.
    #[must_use]
    pub const fn hops(&self) -> Option<&ReceiverHops> {
        self.hops.as_ref()
    }

    /// The source, for what only it knows (a port's own counters).
    #[must_use]
    pub fn source(&self) -> &S {
        &self.source
    }

    fn read(&mut self, now: UnixNanos) -> Work {
        let begin = self.begin_sample(now);
        let live = self.tx.is_live();
        let Self { source, pipeline, tx, stamp, .. } = self;
        if let Some(clock) = stamp {
            pipeline.note_steering(clock.steered_ns());
        }
        let mut packets = 0_u32;
        let mut first_ts = UnixNanos(0);
        let outcome = source.next_burst(self.burst_max, |packet| {
            if packets == 0 {
                first_ts = packet.ts;
            }
            packets += 1;
            if live {
                pipeline.on_packet(&packet, now);
            } else {
                pipeline.on_recorded(&packet, now);
            }
            // The spare room comes back only with an empty buffer, and the next packet may need all of it.
            if pipeline.out().len() < CHUNK && !pipeline.out().is_spare_used() {
                return true;
            }
            hand_on(pipeline, tx, stamp.as_ref());
            pipeline.out().is_empty()
        });
        let time = if live { now } else { self.pipeline.replay_time() };
        self.pipeline.on_time(time);
        if self.recovery.is_some() {
            self.exchange(time);
        }
        let stamped = live && first_ts.0 > 0 && self.source.stamps_arrival();
        let decoded = begin.map(|begin| (if stamped { first_ts } else { begin }, self.sample()));
        self.hand_on();
        if let (Some((begin, decoded)), true) = (decoded, packets > 0) {
            self.record(begin, decoded);
        }
        self.conclude(outcome, packets)
    }

    /// Takes what servers answered, and sends what is to be asked.
    fn exchange(&mut self, now: UnixNanos) {
        let Self { pipeline, tx, stamp, recovery: Some(ends), .. } = self else { return };
        if !ends.answers.is_empty() {
            ends.answers.drain(ANSWERS_MAX, |answers| {
                for answer in answers {
                    pipeline.on_answer(answer, now);
                    hand_on(pipeline, tx, stamp.as_ref());
                }
            });
        }
        // What finds no room was not sent, and is asked for again when its time is over.
        ends.asks.send(pipeline.asks());
        pipeline.note_asked();
    }

    /// What the poll was, given how the burst ended.
    fn conclude(&mut self, outcome: Result<SourceStatus, SourceError>, packets: u32) -> Work {
        match outcome {
            Ok(SourceStatus::Open) if packets == 0 => return Work::IDLE,
            Ok(SourceStatus::Open) => return Work { items: packets, status: WorkStatus::Busy },
            Ok(SourceStatus::End) => {}
            Err(error) => self.error = Some(error),
        }
        self.pipeline.release_held();
        self.hand_on();
        self.phase = Phase::Ending(0);
        Work { items: packets, status: WorkStatus::Busy }
    }

    /// Gives up what is still missing, channel by channel, since each may fill the buffer.
    fn end(&mut self, channel: usize) -> Work {
        if self.pipeline.finish_channel(channel) {
            self.hand_on();
            self.phase = Phase::Ending(channel + 1);
            return Work { items: 0, status: WorkStatus::Busy };
        }
        if self.error.is_none() {
            self.error = self.foreign();
        }
        self.phase = Phase::Done;
        Work::DONE
    }

    /// What to say about an input of which no packet was of the feed.
    #[cold]
    fn foreign(&self) -> Option<SourceError> {
        let stats = self.pipeline.stats();
        if !stats.is_foreign() {
            return None;
        }
        let first = stats
            .errors()
            .filter_map(|(_, e)| e.first.map(|first| (e.first_offset, first)))
            .chain(stats.first_foreign)
            .min_by_key(|e| e.0);
        let (offset, reason) = match first {
            Some((offset, error)) => (offset, error.to_string()),
            None => (0, "all of it is for other groups".to_owned()),
        };
        let packets = stats.packets;
        Some(SourceError::Format {
            file: self.source.name().to_owned(),
            offset,
            found: format!("{packets} packets, none of them of this feed ({reason})"),
            wanted: format!("a capture of {}: this is one of another protocol", self.kind),
        })
    }

    fn hand_on(&mut self) {
        hand_on(&mut self.pipeline, &mut self.tx, self.stamp.as_ref());
    }

    /// The poll's begin on the measuring clock, when this poll is measured. A live poll begins at `now`.
    #[inline]
    fn begin_sample(&mut self, now: UnixNanos) -> Option<UnixNanos> {
        let hops = self.hops.as_ref()?;
        self.polls = self.polls.wrapping_add(1);
        if !self.polls.is_multiple_of(hops.sample_every.max(1)) {
            return None;
        }
        Some(if self.tx.is_live() { now } else { hops.clock.now() })
    }

    fn sample(&self) -> UnixNanos {
        self.hops.as_ref().map_or(UnixNanos(0), |hops| hops.clock.now())
    }

    fn record(&mut self, begin: UnixNanos, decoded: UnixNanos) {
        let Some(hops) = &mut self.hops else { return };
        let pushed = hops.clock.now();
        hops.nic_decode.record_between(begin, decoded);
        hops.decode_ring.record_between(decoded, pushed);
    }

    fn publish_counters(&self, now: UnixNanos) {
        let mut stats = self.pipeline.totals();
        // Takes memory only where an input is cut short, at its end.
        stats.source = self.source.notes();
        let by_cause = stats.dropped_by_cause().map(|(_, count)| count);
        let lost = self.tx.gap_stats();
        let values = [
            stats.packets,
            stats.bytes,
            stats.messages,
            stats.messages_unknown,
            stats.events,
            stats.gaps,
            stats.missing,
            stats.duplicates,
            stats.late,
            stats.errors_total(),
            stats.other_traffic,
            lost.lost_events,
            by_cause.iter().sum(),
            stats.event_time_outliers() + stats.stamp_outliers,
            stats.instruments_beyond,
            stats.recovery.requests,
            stats.recovery.unanswered,
            stats.recovery.recovered,
            stats.recovery.refused(),
            stats.recovery.failed,
            self.pipeline.recovering().into(),
            stats.bad_checksums,
            stats.restarts,
            stats.redefined_locates,
            stats.heartbeats,
            lost.lost_defines,
            lost.gaps,
            stats.reordered,
            stats.sessions,
            self.pipeline.lag().late() as u64,
            self.pipeline.lag().worst().0,
            stats.ends,
            stats.ended_channel.into(),
            stats.ends_taken_back,
            stats.resumed_channel.into(),
        ];
        for (cell, value) in self.cells.iter().zip(values.into_iter().chain(by_cause)) {
            cell.set(value);
        }
        self.pipeline.each_line(|line, group, stats| self.lines.publish(line, group, stats, now));
    }
}

/// Stamps what waits in the buffer and hands it to the ring.
#[inline]
fn hand_on(pipeline: &mut Pipeline, tx: &mut EventTx, stamp: Option<&LiveClock>) {
    let waiting = pipeline.out();
    if waiting.is_empty() {
        return;
    }
    if let Some(clock) = stamp {
        let now = clock.now();
        for event in waiting.pending_mut() {
            event.pub_delta_ns = u32::try_from(now.since(event.ts_recv).0).unwrap_or(u32::MAX);
        }
    }
    let sent = tx.push(waiting.pending());
    pipeline.note_sent(sent);
}

impl<S: PacketSource> Stage for Receiver<S> {
    fn name(&self) -> &'static str {
        self.name
    }

    #[inline]
    fn poll(&mut self, now: UnixNanos) -> Work {
        self.hand_on();
        if !self.pipeline.out().is_empty() {
            return Work { items: 0, status: WorkStatus::Busy };
        }
        match self.phase {
            Phase::Reading => self.read(now),
            Phase::Ending(channel) => self.end(channel),
            Phase::Done => Work::DONE,
        }
    }

    fn housekeep(&mut self, now: UnixNanos) {
        self.tx.flush_gaps();
        let gaps = self.tx.gap_stats().gaps;
        if gaps != self.gaps_told && self.pipeline.out().len() < CHUNK {
            // What was said of a channel may be among what was lost.
            self.gaps_told = gaps;
            self.pipeline.say_again(now);
            self.hand_on();
        }
        self.publish_counters(now);
        if let Some(hops) = &mut self.hops {
            let at = if self.tx.is_live() { now } else { hops.clock.now() };
            hops.nic_decode.swap_after(at, hops.interval);
            hops.decode_ring.swap_after(at, hops.interval);
        }
    }
}

impl<S: PacketSource> Feed for Receiver<S> {
    fn stats(&self) -> FeedStats {
        let mut stats = self.pipeline.stats();
        stats.source = self.source.notes();
        stats
    }

    fn replay_time(&self) -> UnixNanos {
        self.pipeline.replay_time()
    }

    fn take_error(&mut self) -> Option<SourceError> {
        self.error.take()
    }

    fn counters(&self) -> CounterReader {
        self.reader.clone()
    }

    fn lines(&self) -> Vec<LineReader> {
        self.lines.readers()
    }
}
