//! A live port's multicast groups: joined when the line starts, kept while it runs, left when it stops.
//!
//! No host stack stands behind a DPDK port, so nobody else reports its groups to the switch or answers the switch's
//! queries. Receiving does no more for that than look whether a frame is IGMP and, every couple of minutes, hand one to a
//! ring; everything else, the sending above all, is the receiving thread's housekeeping.

use crate::igmp_frame::{IgmpFrame, IgmpRing};
use anyhow::{Context, Result};
use control::config::{Feed, FeedSource, Igmp};
use dataplane::source::{DpdkSource, Packet, PacketSource, SourceError, SourceNotes, SourceStatus};
use dpdk::igmp::{IgmpVersion, Membership, MembershipConfig, may_be_query};
use dpdk::{MacAddr, Mempool, TxQueue};
use stage::{RingRx, RingTx};
use std::net::Ipv4Addr;
use types::{Nanos, UnixNanos};

/// The longest wait before a leave is said again (RFC 3376 section 8.11).
const REPEAT: Nanos = Nanos::SECOND;

/// A port's packets without its IGMP, which goes to the membership.
pub(crate) struct PortSource<S = DpdkSource> {
    source: S,
    igmp: Option<RingTx<IgmpFrame>>,
}

impl<S> PortSource<S> {
    /// A port that joins nothing: every frame is the feed's to judge.
    pub(crate) const fn unjoined(source: S) -> Self {
        Self { source, igmp: None }
    }
}

#[cold]
fn set_aside(igmp: &mut RingTx<IgmpFrame>, frame: &[u8]) {
    // A full ring counts what it drops; a query that is lost is asked again (RFC 3376 section 8.1).
    igmp.send(&[IgmpFrame::of(frame)]);
}

impl<S: PacketSource> PacketSource for PortSource<S> {
    #[inline]
    fn next_burst(
        &mut self,
        max: usize,
        mut sink: impl FnMut(Packet<'_>) -> bool,
    ) -> Result<SourceStatus, SourceError> {
        let Some(igmp) = &mut self.igmp else { return self.source.next_burst(max, sink) };
        self.source.next_burst(max, |packet| {
            if may_be_query(packet.bytes) {
                set_aside(igmp, packet.bytes);
                return true;
            }
            sink(packet)
        })
    }

    fn name(&self) -> &str {
        self.source.name()
    }

    fn stamps_arrival(&self) -> bool {
        self.source.stamps_arrival()
    }

    fn checksums_unseen(&self) -> bool {
        self.source.checksums_unseen()
    }

    fn notes(&self) -> SourceNotes {
        self.source.notes()
    }

    fn overshoot_bytes(&self) -> usize {
        self.source.overshoot_bytes()
    }
}

/// The port's way out.
pub(crate) struct Wire {
    pub(crate) tx: TxQueue,
    pub(crate) pool: Mempool,
}

/// A port's membership, its queue for reports, and what the port received for it.
pub(crate) struct Member {
    membership: Membership,
    wire: Wire,
    igmp: RingRx<IgmpFrame>,
}

/// Joins the groups of `feed` on the port behind `source`, whose IGMP goes through `ring`. The first report goes out with the first housekeeping.
///
/// # Errors
/// A group that cannot be joined.
pub(crate) fn join<S: PacketSource>(
    feed: &Feed,
    source: S,
    wire: Wire,
    mac: MacAddr,
    ring: IgmpRing,
) -> Result<(PortSource<S>, Option<Member>)> {
    let groups = groups_of(feed);
    let version = match feed.igmp {
        Igmp::Off => None,
        Igmp::V2 => Some(IgmpVersion::V2),
        Igmp::V3 => Some(IgmpVersion::V3),
    };
    let Some(version) = version.filter(|_| has_switch(&feed.source) && !groups.is_empty()) else {
        return Ok((PortSource::unjoined(source), None));
    };
    let (address, vlan) = (feed.igmp_address.ip(), feed.vlan);
    let mut membership = Membership::new(MembershipConfig { mac, address, vlan, version });
    for group in groups {
        // The time of a join is when it is first due: at once.
        membership
            .join(group, &[], UnixNanos(0))
            .with_context(|| format!("feed {}: a group cannot be joined", feed.name))?;
    }
    let (tx, igmp) = ring;
    Ok((PortSource { source, igmp: Some(tx) }, Some(Member { membership, wire, igmp })))
}

/// The groups of both lines, each once.
pub(crate) fn groups_of(feed: &Feed) -> Vec<Ipv4Addr> {
    let mut groups: Vec<_> = feed.line_a.iter().chain(&feed.line_b).map(|group| group.ip()).collect();
    groups.sort_unstable();
    groups.dedup();
    groups
}

/// Whether the port plays a recording, whose stamps are of another day.
pub(crate) fn plays_recording(source: &FeedSource) -> bool {
    matches!(source, FeedSource::Vdev(vdev) if vdev.as_str().contains(",rx_pcap="))
}

/// Whether a switch can be at the other end: not of a recording, nor of devices that lead nowhere.
fn has_switch(source: &FeedSource) -> bool {
    let nowhere = |name: &str| name.starts_with("net_null") || name.starts_with("net_ring");
    !plays_recording(source) && !matches!(source, FeedSource::Vdev(vdev) if nowhere(vdev.name()))
}

/// What the boot report says of a feed's groups.
pub(crate) fn described(feed: &Feed, joined: bool) -> String {
    match (joined, feed.igmp) {
        (true, Igmp::V2) => format!("IGMPv2 from {}", feed.igmp_address),
        (true, _) => format!("IGMPv3 from {}", feed.igmp_address),
        (false, Igmp::Off) => "not joined: igmp = \"off\"".to_owned(),
        (false, _) => "not joined: no switch behind this device".to_owned(),
    }
}

impl Member {
    /// Takes in what was received, and sends what is due.
    pub(crate) fn keep(&mut self, now: UnixNanos) {
        let Self { membership, wire, igmp } = self;
        igmp.drain(usize::MAX, |frames| {
            for frame in frames {
                membership.on_frame(frame.bytes(), now);
            }
        });
        membership.poll(now, |frame| wire.tx.send(&wire.pool, frame).is_ok());
    }

    /// Leaves every group, and says what became of the membership. Both reports of it go out now: a stop does not wait.
    pub(crate) fn leave(&mut self, now: UnixNanos) -> String {
        let groups: Vec<_> = self.membership.groups().collect();
        for group in &groups {
            // Listed a line above, so it is joined.
            let _ = self.membership.leave(*group, now);
        }
        self.keep(now);
        self.keep(now.plus(REPEAT));
        let c = self.membership.counters();
        format!(
            "{} multicast group(s) left; IGMP: {} queries heard, {} malformed, {} lost, {} reports sent, {} refused by the port",
            groups.len(),
            c.queries,
            c.malformed,
            self.igmp.counters().dropped(),
            c.sent,
            c.refused
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dataplane::source::Layer;
    use wire::frame::LinkType;

    fn feed(source: &str, igmp: &str) -> Feed {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("p.toml");
        let text = format!(
            "[[feed]]\nname = \"x\"\nkind = \"itch50\"\nsource = \"{source}\"\nigmp = \"{igmp}\"\nigmp_address = \"10.9.0.9\"\n\
             line_a = [\"239.1.1.1:5000\", \"239.1.1.1:5001\"]\nline_b = [\"239.1.1.2:5000\", \"239.1.1.3:5000\"]\n"
        );
        std::fs::write(&path, text).unwrap();
        control::config::load(&[path], &[]).unwrap().feeds.remove(0)
    }

    /// A burst of frames.
    struct Frames(Vec<Vec<u8>>);

    impl PacketSource for Frames {
        fn next_burst(
            &mut self,
            _max: usize,
            mut sink: impl FnMut(Packet<'_>) -> bool,
        ) -> Result<SourceStatus, SourceError> {
            for bytes in &self.0 {
                let layer = Layer::Frame(LinkType::Ethernet);
                sink(Packet { bytes, ts: UnixNanos(0), layer, offset: 0 });
            }
            Ok(SourceStatus::Open)
        }

        fn name(&self) -> &str {
            "frames"
        }
    }

    fn frame(protocol: u8, len: usize) -> Vec<u8> {
        let mut frame = vec![0; len];
        frame[12] = 0x08;
        frame[23] = protocol;
        frame
    }

    /// Frames that the test's ring holds.
    const WAITING: usize = 16;

    #[test]
    fn igmp_goes_aside_and_everything_else_to_the_feed() {
        let burst = vec![frame(17, 60), frame(2, 60), frame(2, 2_000), frame(17, 61)];
        let (tx, mut rx) = stage::ring(WAITING);
        let mut source = PortSource { source: Frames(burst.clone()), igmp: Some(tx) };
        let heard = |source: &mut PortSource<Frames>| {
            let mut lengths = Vec::new();
            source
                .next_burst(64, |packet| {
                    lengths.push(packet.bytes.len());
                    true
                })
                .unwrap();
            lengths
        };
        assert_eq!(heard(&mut source), [60, 61]);
        let mut aside = Vec::new();
        rx.drain(WAITING, |frames| aside.extend(frames.iter().map(|f| f.bytes().to_vec())));
        assert_eq!(aside, [burst[1].as_slice(), &burst[2][..1_518]]);
        for _ in 0..WAITING {
            heard(&mut source);
        }
        assert_eq!(rx.counters().dropped(), WAITING as u64, "a flood is dropped and counted");
        assert_eq!(heard(&mut PortSource::unjoined(Frames(burst))), [60, 60, 2_000, 61]);
    }

    #[test]
    fn only_a_port_with_a_switch_joins_and_the_report_says_why() {
        assert_eq!(groups_of(&feed("0000:3b:00.0", "v3")).len(), 3);
        for (source, joins) in [
            ("0000:3b:00.0", true),
            ("net_af_packet0,iface=eth1", true),
            ("net_pcap0,iface=eth1", true),
            ("net_pcap0,rx_pcap=day.pcap", false),
            ("net_null0", false),
            ("net_ring0", false),
        ] {
            assert_eq!(has_switch(&feed(source, "v3").source), joins, "{source}");
        }
        assert!(plays_recording(&feed("net_pcap0,rx_pcap=day.pcap", "v3").source));
        assert_eq!(described(&feed("net_null0", "v3"), false), "not joined: no switch behind this device");
        assert_eq!(described(&feed("0000:3b:00.0", "off"), false), "not joined: igmp = \"off\"");
        assert_eq!(described(&feed("0000:3b:00.0", "v2"), true), "IGMPv2 from 10.9.0.9");
        assert_eq!(described(&feed("0000:3b:00.0", "v3"), true), "IGMPv3 from 10.9.0.9");
    }
}
