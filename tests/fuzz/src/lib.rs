//! What every reader of foreign bytes must hold for any bytes: it ends, it does not panic, and what it accepts is consistent.
//!
//! Each function is a fuzz target of its name. The tests of the workspace compile this file too and run it over the committed
//! corpora and what lies near them.

mod orders;

use std::convert::Infallible;
use std::io::{Cursor, Write};
use std::net::SocketAddrV4;
use std::path::PathBuf;

use control::audit::{self, VerifyOptions};
use control::protocol::{parse_request, read_frame};
use dataplane::arbiter::{Arbiter, ArbiterConfig, Arrival, Deliver, Hole, RecoveryConfig, Request};
use dataplane::session::{Head, SessionId, Transport};
use dataplane::sniff::{Seen, Sniffer};
use dataplane::source::SourceStatus;
use dataplane::{
    ChannelConfig, EventTx, Feed, FeedConfig, FeedKind, FileOptions, FileSource, PacketSource, open_files,
    receive,
};
use simulator::{Line, PcapWriter};
use stage::{LosslessTx, WorkStatus, ring};
use types::{Action, BookEvent, FeedInput, Nanos, UnixNanos};
use wire::frame::{LinkType, parse_udp};
use wire::{WireError, deep10, iex, itch50, moldudp64, tops16};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

pub use orders::{fix_sessions, order_messages, order_sessions};

/// A target by its name.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: &[Target] = &[
    ("messages", messages),
    ("packets", packets),
    ("captures", captures),
    ("sessions", sessions),
    ("feeds", feeds),
    ("recoveries", recoveries),
    ("lobster", lobster),
    ("databento", databento),
    ("configuration", configuration),
    ("control_frames", control_frames),
    ("histogram_logs", histogram_logs),
    ("audit_logs", audit_logs),
    ("order_messages", order_messages),
    ("order_sessions", order_sessions),
    ("fix_sessions", fix_sessions),
];

/// One message of a feed: what is decoded stands for all of its bytes. The first byte chooses the protocol.
pub fn messages(bytes: &[u8]) {
    let Some((protocol, message)) = bytes.split_first() else { return };
    let kept = match protocol % 3 {
        0 => itch50::decode(message).map(|decoded| (decoded.as_bytes(), decoded.to_string())),
        1 => deep10::decode(message).map(|decoded| (decoded.as_bytes(), decoded.to_string())),
        _ => tops16::decode(message).map(|decoded| (decoded.as_bytes(), decoded.to_string())),
    };
    match kept {
        Ok((whole, shown)) => {
            // IEX says that fields may be appended to a message; ITCH messages have one length.
            let kept = whole
                .is_none_or(|whole| message.starts_with(whole) && (protocol % 3 > 0 || whole == message));
            assert!(kept, "a known message is kept byte for byte");
            assert!(!shown.is_empty());
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// Every link that frames come from.
pub const LINKS: [LinkType; 5] =
    [LinkType::Ethernet, LinkType::Loopback, LinkType::RawIp, LinkType::LinuxCooked, LinkType::LinuxCooked2];

/// One frame of a link, and its payload as a packet of each transport. The first byte chooses the link.
pub fn packets(bytes: &[u8]) {
    let Some((link, frame)) = bytes.split_first() else { return };
    // Also as a payload by itself, so that the transports are reached without a whole frame.
    let framed = parse_udp(LINKS[usize::from(*link) % LINKS.len()], frame).map(|udp| udp.payload);
    for payload in framed.into_iter().chain([frame]) {
        assert!(payload.len() <= frame.len());
        if let Ok(packet) = moldudp64::Packet::parse(payload) {
            blocks(packet.messages(), packet.message_count(), payload.len());
        }
        if let Ok(segment) = iex::Segment::parse(payload) {
            blocks(segment.messages(), segment.message_count(), payload.len());
        }
    }
}

/// The messages of a packet are as many as it announces, or an error ends them; they do not overlap. An empty message is an
/// error that ends nothing.
fn blocks<'a>(messages: impl Iterator<Item = Result<&'a [u8], WireError>>, announced: u16, room: usize) {
    let (mut count, mut bytes, mut over) = (0_u32, 0, false);
    for message in messages {
        assert!(!over, "nothing comes behind an error");
        match message {
            Ok(message) => {
                count += 1;
                bytes += message.len() + 2;
            }
            Err(WireError::ZeroLength { .. }) => count += 1,
            Err(_) => over = true,
        }
    }
    assert!(bytes <= room, "{bytes} bytes of messages in {room}");
    assert!(over || count == u32::from(announced), "{count} messages, {announced} announced");
}

/// A capture or raw file of any format, read as any feed. The first byte chooses the feed.
pub fn captures(bytes: &[u8]) {
    let Some((kind, file)) = bytes.split_first() else { return };
    let config = FeedConfig::new([FeedKind::Itch50, FeedKind::Deep, FeedKind::Tops][usize::from(kind % 3)]);
    replay(file.to_vec(), &config);
}

/// Packets as in [`sessions`], of the feed that the first byte chooses: every decoder through its whole line, and every message as
/// text.
pub fn feeds(bytes: &[u8]) {
    let Some((kind, packets)) = bytes.split_first() else { return };
    let of_packets: Vec<FeedKind> =
        FeedKind::ALL.iter().copied().filter(|kind| kind.input() == FeedInput::Packets).collect();
    let kind = of_packets[usize::from(*kind) % of_packets.len()];
    let capture = two_lines(packets);
    let lines: Vec<SocketAddrV4> = [Line::A, Line::B].map(Line::group).to_vec();
    let config = FeedConfig { channels: vec![ChannelConfig { lines }], ..FeedConfig::new(kind) };
    replay(capture.clone(), &config);
    let source = FileSource::from_reader("fuzz", Box::new(Cursor::new(capture)), FileOptions::default());
    let (mut source, mut sniffer) = (source.expect("a capture of ours"), Sniffer::new(Some(kind)));
    let see = |seen: Seen| match seen.what {
        Ok(described) => {
            assert!(!described.text.is_empty() && !described.text.contains('\n'));
            Ok::<(), Infallible>(())
        }
        Err(error) => {
            assert!(!error.to_string().is_empty());
            Ok(())
        }
    };
    while let Ok(SourceStatus::Open) = source.next_burst(64, |packet| sniffer.packet(&packet, see).is_ok()) {}
}

/// Packets on the two lines of a channel: a byte for the line (its lowest bit) and the pause in milliseconds, two for the
/// length, then the payload. Each event comes once and in sequence, whatever the lines repeat, lose or make up.
pub fn sessions(bytes: &[u8]) {
    let lines: Vec<SocketAddrV4> = [Line::A, Line::B].map(Line::group).to_vec();
    let config = FeedConfig { channels: vec![ChannelConfig { lines }], ..FeedConfig::new(FeedKind::Itch50) };
    let events = replay(two_lines(bytes), &config);
    let (mut session, mut last) = (0_usize, 0);
    for event in events {
        if event.action == Action::Gap || event.action == Action::Clear {
            session += 1;
            last = 0;
        } else if event.seq.0 != 0 {
            assert!(event.seq.0 >= last, "sequence {} behind {last} (after {session} breaks)", event.seq.0);
            last = event.seq.0;
        }
    }
}

/// Packets of two lines, answers of two servers and time, in any order: every message is delivered or said to be lost, once and in
/// order, requests are for what is missing, and a recovery that began is over in the end. A record is its kind, with the time before
/// it, and a length; the rest of what is read stands behind those three bytes.
pub fn recoveries(bytes: &[u8]) {
    let recovery = RecoveryConfig {
        servers: 2,
        request_messages: 50,
        answer_within: Nanos(2_000_000),
        tries_max: 3,
        give_up_after: Nanos(20_000_000),
        missing_max: 100_000,
    };
    let config =
        ArbiterConfig { slots: 16, slot_bytes: 512, recovery: Some(recovery), ..ArbiterConfig::default() };
    let (mut arbiter, mut told) = (Arbiter::new(config), Told::default());
    let (mut rest, mut now) = (bytes, UnixNanos(1));
    while let [kind, low, high, after @ ..] = rest {
        let length = usize::from(u16::from_le_bytes([*low, *high])).min(after.len());
        now = now.plus(Nanos(u64::from(kind >> 2) * 200_000));
        let (line, payload) = (kind & 1, &after[..length]);
        let arrival = Arrival { at: now, ts_recv: now, line, offset: 0 };
        told.room = 2;
        arbiter.on_time(now, &mut told);
        match (Transport::MoldUdp64.read(payload), kind & 2) {
            (Err(_), 0) => arbiter.note_bad(line),
            (Err(_), _) => arbiter.note_bad_answer(),
            (Ok(head), 0) => arbiter.on_packet(&head, payload, arrival, &mut told),
            (Ok(head), _) => arbiter.on_answer(&head, payload, line, arrival, &mut told),
        }
        rest = &after[length..];
    }
    for _ in 0..64 {
        told.room = 64;
        now = now.plus(Nanos(5_000_000));
        arbiter.on_time(now, &mut told);
    }
    told.room = 64;
    arbiter.finish(&mut told);
    assert!(!told.recovering && !arbiter.is_waiting(), "a recovery has an end");
    assert_eq!(told.messages, arbiter.stats().delivered + arbiter.stats().missing);
}

/// Holds what an arbiter says to its contract.
#[derive(Default)]
struct Told {
    next: Option<u64>,
    messages: u64,
    recovering: bool,
    room: usize,
}

impl Told {
    fn advance(&mut self, first: u64, end: u64) {
        assert!(self.next.is_none_or(|next| next == first), "{first} is not next");
        self.messages += end - first;
        self.next = Some(end);
    }
}

impl Deliver for Told {
    fn packet(&mut self, head: &Head, _payload: &[u8], skip: u16, _arrival: Arrival) {
        self.advance(head.seq + u64::from(skip), head.next_seq());
        self.room = self.room.saturating_sub(1);
    }
    fn hole(&mut self, hole: Hole, _arrival: Arrival) {
        self.advance(hole.first, hole.first.saturating_add(hole.count));
    }
    fn heartbeat(&mut self, _head: &Head, _arrival: Arrival) {}
    fn session(&mut self, _session: SessionId, _interrupted: bool, _arrival: Arrival) {
        self.next = None;
    }
    fn end_of_session(&mut self, _arrival: Arrival) {}
    fn request(&mut self, request: Request) {
        assert!(
            self.next.is_none_or(|next| request.first >= next) && request.server < 2 && request.count > 0
        );
    }
    fn recovering(&mut self, begins: bool, _arrival: Arrival) {
        assert_ne!(self.recovering, begins);
        self.recovering = begins;
    }
    fn has_room(&self) -> bool {
        self.room > 0
    }
}

/// A capture of such packets.
fn two_lines(bytes: &[u8]) -> Vec<u8> {
    let mut pcap = PcapWriter::new(Vec::new()).expect("memory is written");
    let (mut rest, mut ts_ns) = (bytes, 1_778_092_110_000_000_000_u64);
    while let [head, low, high, after @ ..] = rest {
        let length = usize::from(u16::from_le_bytes([*low, *high])).min(after.len());
        let line = if head & 1 == 0 { Line::A } else { Line::B };
        ts_ns += u64::from(head >> 1) * 1_000_000;
        let packet = simulator::Packet { ts_ns, line, payload: after[..length].to_vec() };
        if length < 1_472 {
            pcap.frame(ts_ns, &packet.frame()).expect("the frame fits");
        }
        rest = &after[length..];
    }
    pcap.finish().expect("memory is written")
}

/// Reads a file to its end or its first error: every event once, and counted.
pub fn replay(file: Vec<u8>, config: &FeedConfig) -> Vec<BookEvent> {
    let source = FileSource::from_reader("fuzz", Box::new(Cursor::new(file)), FileOptions::default());
    let source = match source {
        Ok(source) => source,
        Err(error) => {
            assert!(!error.to_string().contains('\n'), "an error is a line: {error}");
            return Vec::new();
        }
    };
    let (tx, rx) = ring(1 << 12);
    let tx = EventTx::Replay(LosslessTx::new(tx));
    let feed = receive("fuzz", source, config, tx, None, None).expect("the configuration is valid");
    drain(feed, rx)
}

fn drain(mut feed: Box<dyn Feed + Send>, mut rx: stage::RingRx<BookEvent>) -> Vec<BookEvent> {
    let mut events = Vec::new();
    let mut polls = 0_u32;
    loop {
        let now = feed.replay_time();
        let status = feed.poll(now).status;
        rx.drain(usize::MAX, |chunk| events.extend_from_slice(chunk));
        if status == WorkStatus::Done {
            break;
        }
        polls += 1;
        assert!(polls < 1 << 20, "the input does not end");
    }
    feed.housekeep(UnixNanos(0));
    assert_eq!(feed.stats().events, events.len() as u64, "every event is handed on once");
    if let Some(error) = feed.take_error() {
        assert!(!error.to_string().contains('\n'), "an error is a line: {error}");
    }
    events
}

/// The two files of a LOBSTER archive, with a byte of zero between them.
pub fn lobster(bytes: &[u8]) {
    let cut = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    let (messages, book) = (&bytes[..cut], bytes.get(cut + 1..).unwrap_or_default());
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (kind, content) in [("message", messages), ("orderbook", book)] {
        let name = format!("FUZZ_2012-06-21_34200000_57600000_{kind}_1.csv");
        archive.start_file(name, SimpleFileOptions::default()).expect("memory is written");
        archive.write_all(content).expect("memory is written");
    }
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("FUZZ_2012-06-21_1.zip");
    std::fs::write(&path, archive.finish().expect("an archive").into_inner()).expect("a file");
    read_archive(FeedKind::Lobster, path);
}

/// A file of Databento's records.
pub fn databento(bytes: &[u8]) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("fuzz.dbn");
    std::fs::write(&path, bytes).expect("a file");
    read_archive(FeedKind::Databento, path);
}

/// Whatever stands at `path`, as an archive of a feed.
fn read_archive(kind: FeedKind, path: PathBuf) {
    let (tx, rx) = ring(1 << 12);
    let tx = EventTx::Replay(LosslessTx::new(tx));
    match open_files("fuzz", &[path], &FeedConfig::new(kind), FileOptions::default(), tx, None) {
        Ok(feed) => drop(drain(feed, rx)),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// A configuration file, and each of its lines as `--set`.
pub fn configuration(bytes: &[u8]) {
    let folder = tempfile::tempdir().expect("a folder");
    let path: PathBuf = folder.path().join("fuzz.toml");
    std::fs::write(&path, bytes).expect("a file");
    let said = |result: Result<control::config::Plan, control::config::ConfigErrors>| {
        if let Err(errors) = result {
            assert!(!errors.0.is_empty(), "refused for a reason");
            assert!(errors.0.iter().all(|error| !error.to_string().is_empty()));
        }
    };
    said(control::config::load(&[path], &[]));
    let lines = String::from_utf8_lossy(bytes);
    said(control::config::load(&[], &lines.lines().take(8).map(str::to_owned).collect::<Vec<_>>()));
}

/// What a client sends to the control socket: a request that is accepted is the same when it is written and read again.
pub fn control_frames(bytes: &[u8]) {
    let Ok(body) = read_frame(&mut &bytes[..]) else { return };
    let Ok(request) = parse_request(&body) else { return };
    let again = serde_json::to_vec(&request).expect("a request is JSON");
    assert_eq!(parse_request(&again).expect("a request that was accepted"), request);
}

/// A histogram log.
pub fn histogram_logs(bytes: &[u8]) {
    match stage::hist::read_hlog(bytes) {
        Ok(log) => assert!(log.hops.iter().all(|tagged| tagged.intervals > 0)),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// A segment of an audit log: a chain that is said to be sound is one that no byte can leave.
pub fn audit_logs(bytes: &[u8]) {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("audit-000001.jsonl"), bytes).expect("a file");
    let options = VerifyOptions::default();
    let reply = audit::verify(folder.path(), &options).expect("the folder is read");
    if reply.broken.is_none() {
        assert_eq!(reply.records, bytes.iter().filter(|byte| **byte == b'\n').count() as u64, "{reply:?}");
    }
}
