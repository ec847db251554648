//! Looking into packets without a line behind it: what each one is, message by message, as it was captured.
//!
//! Nothing is arbitrated and nothing is left out: both lines of a feed are seen, duplicates and all.

use std::net::SocketAddrV4;

use types::{FeedKind, UnixNanos};
use wire::WireError;
use wire::frame::parse_udp;

use crate::decode::{Description, FeedDecoder, describe};
use crate::session::{Head, Transport};
use crate::source::{Layer, Packet};

/// One message, or the head of a packet without any.
#[derive(Clone, Debug)]
pub struct Seen {
    /// When its packet was captured; zero where nobody stamped it.
    pub ts: UnixNanos,
    /// The feed whose protocol it follows.
    pub feed: FeedKind,
    /// Where its packet was sent; `None` in a file of bare messages.
    pub group: Option<SocketAddrV4>,
    /// Its sequence number.
    pub seq: u64,
    /// What it says; an error says what the bytes are not.
    pub what: Result<Description, WireError>,
}

/// Tells the protocols of packets apart.
#[derive(Debug)]
pub struct Sniffer {
    only: Option<FeedKind>,
    /// The feed that the last packet was of: the next is most often of the same.
    last: Option<FeedKind>,
    bare: u64,
    foreign: u64,
}

impl Sniffer {
    /// Of packets of one feed, or of every feed there is.
    #[must_use]
    pub fn new(only: Option<FeedKind>) -> Self {
        Self { only, last: None, bare: 0, foreign: 0 }
    }

    /// Packets that were of no feed looked for.
    #[must_use]
    pub fn foreign(&self) -> u64 {
        self.foreign
    }

    /// Hands each message of a packet to `see`, until that fails.
    ///
    /// # Errors
    ///
    /// What `see` fails with.
    pub fn packet<E>(
        &mut self,
        packet: &Packet<'_>,
        mut see: impl FnMut(Seen) -> Result<(), E>,
    ) -> Result<(), E> {
        let link = match packet.layer {
            Layer::Frame(link) | Layer::Condemned(link) => link,
            Layer::Message => {
                self.bare += 1;
                // NASDAQ's alone are published so.
                let feed = FeedKind::Itch50;
                let Some(what) = describe(feed, packet.bytes) else { return Ok(()) };
                return see(Seen { ts: packet.ts, feed, group: None, seq: self.bare, what });
            }
        };
        let datagram = parse_udp(link, packet.bytes).ok();
        let found = datagram.and_then(|udp| self.transport_of(udp.payload).map(|found| (udp, found)));
        let Some((udp, (feed, transport, head))) = found else {
            self.foreign += 1;
            return Ok(());
        };
        self.last = Some(feed);
        let group = Some(SocketAddrV4::new(udp.dst_addr, udp.dst_port));
        let seen = |seq, what| Seen { ts: packet.ts, feed, group, seq, what };
        if head.count == 0 {
            let name = if head.end { "EndOfSession" } else { "Heartbeat" };
            return see(seen(head.seq, Ok(Description { name, text: name.to_owned() })));
        }
        for (index, message) in (0..).zip(transport.messages(udp.payload).into_iter().flatten()) {
            let seq = if transport.numbers_packets() { head.seq } else { head.seq.saturating_add(index) };
            let what = match message {
                Ok(bytes) => describe(feed, bytes).unwrap_or(Err(WireError::ZeroLength { offset: 0 })),
                Err(error) => Err(error),
            };
            see(seen(seq, what))?;
        }
        Ok(())
    }

    /// The feed whose transport a payload is of, the likeliest first: MoldUDP64 has nothing by which another protocol is told from it,
    /// so it comes last.
    fn transport_of(&self, payload: &[u8]) -> Option<(FeedKind, Transport, Head)> {
        let is_plain = |kind: &FeedKind| FeedDecoder::transport(*kind) == Some(Transport::MoldUdp64);
        let (plain, telling): (Vec<FeedKind>, Vec<FeedKind>) =
            FeedKind::ALL.iter().partition(|kind| is_plain(kind));
        let wanted = self.last.into_iter().chain(telling).chain(plain);
        wanted.filter(|kind| self.only.is_none_or(|only| only == *kind)).find_map(|kind| {
            let transport = FeedDecoder::transport(kind)?;
            transport.read(payload).ok().map(|head| (kind, transport, head))
        })
    }
}
