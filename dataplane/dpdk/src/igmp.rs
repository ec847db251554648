//! Multicast membership by hand (IGMP version 3, RFC 3376; version 2, RFC 2236).
//!
//! A switch that snoops sends a group only to ports that report it, and asks again every couple of minutes. On an ordinary
//! interface the kernel reports and answers; a DPDK port has no kernel behind it, and an XDP socket's default program takes the
//! queries away from the kernel, so that a membership the kernel reported ends some minutes later. [`Membership`] does the
//! host's part: reports on joining, answers queries, reports on leaving.
//!
//! It neither sends nor reads a clock: received frames and the time go in, frames to send come out.
//!
//! ```no_run
//! # use dpdk::{Mempool, RxQueue, TxQueue, igmp::{IgmpVersion, Membership, MembershipConfig}};
//! # use types::UnixNanos;
//! # fn tick(rx: &mut RxQueue, tx: &mut TxQueue, pool: &Mempool, membership: &mut Membership, now: UnixNanos) {
//! for packet in &rx.rx_burst() {
//!     membership.on_frame(packet.data(), now);
//! }
//! membership.poll(now, |frame| tx.send(pool, frame).is_ok());
//! # }
//! ```
//!
//! What is left out, and why it does no harm: other hosts' reports do not suppress ours (behind a snooping switch nobody hears
//! them, and version 3 dropped the rule), a version 1 querier is answered in version 2, and a query about single sources is
//! answered with the whole state of the group, which says more than was asked.

mod message;

use std::net::Ipv4Addr;

use types::{GOLDEN, Nanos, UnixNanos};

use crate::mac::MacAddr;
use message::{Frame, Query, Received, RecordType, Sender};

/// Most groups one port can be a member of. An A/B pair of a large venue has some dozens.
pub const GROUPS_MAX: usize = 64;
/// Most sources a group can be limited to.
pub const SOURCES_MAX: usize = 8;

/// Times a change of membership is reported (robustness variable, RFC 3376 section 8.1).
const ROBUSTNESS: u8 = 2;
/// Longest wait before a change is reported again, version 3 (RFC 3376 section 8.11).
const REPEAT_V3: Nanos = Nanos(1_000_000_000);
/// The same, version 2 (RFC 2236 section 8.10).
const REPEAT_V2: Nanos = Nanos(10_000_000_000);
/// Time a version 2 querier is believed to be there after its last query: 2 x 125 s + 10 s (RFC 3376 section 8.12).
const OLDER_QUERIER: Nanos = Nanos(260_000_000_000);

/// Version of the protocol to speak.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IgmpVersion {
    /// Version 2 alone, for switches that know no other.
    V2,
    /// Version 3, and version 2 as long as a version 2 querier is heard.
    #[default]
    V3,
}

/// Who the member is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MembershipConfig {
    /// The port's Ethernet address.
    pub mac: MacAddr,
    /// An IPv4 address of the port's subnet; routers may ignore reports from another (RFC 3376 section 4.2.13), and
    /// some accept 0.0.0.0.
    pub address: Ipv4Addr,
    /// The VLAN the feed is on, if frames are tagged. Queries of other VLANs are not answered.
    pub vlan: Option<u16>,
    /// The version to speak.
    pub version: IgmpVersion,
}

/// Whether a frame is IGMP over IPv4, untagged or behind one VLAN tag: nothing else can be a query. Three comparisons, for
/// the thread that receives.
#[inline]
#[must_use]
pub fn may_be_query(frame: &[u8]) -> bool {
    message::is_igmp(frame)
}

/// Why a membership cannot be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IgmpError {
    /// The address is no multicast group, or is 224.0.0.1, which every host is in and nobody reports.
    #[error("{0} is not a group that can be joined")]
    NotJoinable(Ipv4Addr),
    /// [`GROUPS_MAX`] groups are joined, or still being left.
    #[error("{group}: a port can be a member of {GROUPS_MAX} groups")]
    TooManyGroups {
        /// The group that found no room.
        group: Ipv4Addr,
    },
    /// More than [`SOURCES_MAX`] sources.
    #[error("{group}: {count} sources given, {SOURCES_MAX} can be")]
    TooManySources {
        /// The group.
        group: Ipv4Addr,
        /// Sources given.
        count: usize,
    },
    /// The group is not joined.
    #[error("{0} is not joined")]
    NotJoined(Ipv4Addr),
}

/// What happened so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IgmpCounters {
    /// Queries heard.
    pub queries: u64,
    /// Queries that were damaged or not allowed, and so not answered.
    pub malformed: u64,
    /// Frames handed out and sent.
    pub sent: u64,
    /// Frames handed out and not sent; tried again at the next poll.
    pub refused: u64,
}

/// One group and what is due for it.
#[derive(Clone, Copy, Debug)]
struct Group {
    address: Ipv4Addr,
    sources: [Ipv4Addr; SOURCES_MAX],
    source_count: usize,
    leaving: bool,
    /// Reports of the last change still to send, and when the next is due.
    changes_left: u8,
    change_due: UnixNanos,
    /// When the answer to a query about this group is due.
    answer_due: Option<UnixNanos>,
}

impl Group {
    fn sources(&self) -> &[Ipv4Addr] {
        &self.sources[..self.source_count]
    }

    /// The record of the last change (RFC 3376 section 5.1).
    fn change(&self) -> RecordType {
        match (self.source_count, self.leaving) {
            (0, false) => RecordType::ChangeToExclude,
            (0, true) => RecordType::ChangeToInclude,
            (_, false) => RecordType::AllowNewSources,
            (_, true) => RecordType::BlockOldSources,
        }
    }

    /// The record of the state as it is (RFC 3376 section 5.2).
    fn state(&self) -> RecordType {
        if self.source_count == 0 { RecordType::ModeIsExclude } else { RecordType::ModeIsInclude }
    }

    fn due(&self) -> UnixNanos {
        let change = if self.changes_left > 0 { self.change_due } else { NEVER };
        change.min(self.answer_due.unwrap_or(NEVER))
    }
}

const NEVER: UnixNanos = UnixNanos(u64::MAX);

/// A port's membership of its groups.
#[derive(Debug)]
pub struct Membership {
    sender: Sender,
    version: IgmpVersion,
    /// At most [`GROUPS_MAX`]; room for all is taken at the start.
    groups: Vec<Group>,
    /// When the answer to a query about all groups is due (version 3).
    answer_due: Option<UnixNanos>,
    /// Until when a version 2 querier is believed to be there.
    older_querier_until: UnixNanos,
    random: u64,
    counters: IgmpCounters,
    frame: Frame,
}

impl Membership {
    /// A member of nothing.
    #[must_use]
    pub fn new(config: MembershipConfig) -> Self {
        let MembershipConfig { mac, address, vlan, version } = config;
        // Waits are drawn at random so that hosts do not answer all at once; addresses differ, so do the draws.
        let [a, b, c, d, e, f] = mac.0;
        let seed = u64::from_be_bytes([0, 0, a, b, c, d, e, f]) ^ u64::from(address.to_bits()) << 32;
        Self {
            sender: Sender { mac, address, vlan },
            version,
            groups: Vec::with_capacity(GROUPS_MAX),
            answer_due: None,
            older_querier_until: UnixNanos(0),
            random: seed,
            counters: IgmpCounters::default(),
            frame: Frame::new(),
        }
    }

    /// Joins `group`, from `sources` alone or, when there are none, from anywhere. The next poll reports it, and once more
    /// within a second (version 2: ten). Joining again replaces the sources.
    ///
    /// # Errors
    /// [`IgmpError`] but for `NotJoined`.
    pub fn join(&mut self, group: Ipv4Addr, sources: &[Ipv4Addr], now: UnixNanos) -> Result<(), IgmpError> {
        if !group.is_multicast() || group == Ipv4Addr::new(224, 0, 0, 1) {
            return Err(IgmpError::NotJoinable(group));
        }
        if sources.len() > SOURCES_MAX {
            return Err(IgmpError::TooManySources { group, count: sources.len() });
        }
        let mut list = [Ipv4Addr::UNSPECIFIED; SOURCES_MAX];
        list[..sources.len()].copy_from_slice(sources);
        let joined = Group {
            address: group,
            sources: list,
            source_count: sources.len(),
            leaving: false,
            changes_left: ROBUSTNESS,
            change_due: now,
            answer_due: None,
        };
        match self.groups.iter().position(|g| g.address == group) {
            Some(known) => self.groups[known] = joined,
            None if self.groups.len() == GROUPS_MAX => return Err(IgmpError::TooManyGroups { group }),
            None => self.groups.push(joined),
        }
        Ok(())
    }

    /// Leaves `group`: the next poll says so.
    ///
    /// # Errors
    /// [`IgmpError::NotJoined`].
    pub fn leave(&mut self, group: Ipv4Addr, now: UnixNanos) -> Result<(), IgmpError> {
        let known = self.groups.iter_mut().find(|g| g.address == group && !g.leaving);
        let known = known.ok_or(IgmpError::NotJoined(group))?;
        known.leaving = true;
        known.changes_left = ROBUSTNESS;
        known.change_due = now;
        known.answer_due = None;
        Ok(())
    }

    /// The groups joined.
    pub fn groups(&self) -> impl Iterator<Item = Ipv4Addr> {
        self.groups.iter().filter(|g| !g.leaving).map(|g| g.address)
    }

    /// What happened so far.
    #[must_use]
    pub fn counters(&self) -> IgmpCounters {
        self.counters
    }

    /// Takes note of a received frame; `true` when it was a query. Any frame may be passed; [`may_be_query`] says cheaply
    /// which ones need not be.
    pub fn on_frame(&mut self, frame: &[u8], now: UnixNanos) -> bool {
        match message::parse(frame, self.sender.vlan.map(|tag| tag & 0x0fff)) {
            Received::Other => false,
            Received::Malformed => {
                self.counters.malformed += 1;
                false
            }
            Received::Query(query) => {
                self.counters.queries += 1;
                self.on_query(query, now);
                true
            }
        }
    }

    /// Hands out the frames due at `now`. `send` returns whether it could send; a frame it could not send is due again at the
    /// next poll.
    pub fn poll(&mut self, now: UnixNanos, mut send: impl FnMut(&[u8]) -> bool) {
        if self.next_due() > now {
            return;
        }
        if self.speaks_v2(now) {
            self.poll_v2(now, &mut send);
        } else {
            self.poll_v3(now, &mut send);
        }
        self.groups.retain(|g| !(g.leaving && g.changes_left == 0));
    }

    /// When [`Membership::poll`] will have something to send; the end of time when nothing is due.
    #[must_use]
    pub fn next_due(&self) -> UnixNanos {
        let groups = self.groups.iter().map(Group::due).min().unwrap_or(NEVER);
        groups.min(self.answer_due.unwrap_or(NEVER))
    }

    fn speaks_v2(&self, now: UnixNanos) -> bool {
        self.version == IgmpVersion::V2 || now < self.older_querier_until
    }

    fn on_query(&mut self, query: Query, now: UnixNanos) {
        if !query.v3 {
            self.older_querier_until = now.plus(OLDER_QUERIER);
            self.answer_due = None;
        }
        let v2 = self.speaks_v2(now);
        match query.group {
            None if !v2 => {
                let due = now.plus(self.draw(query.max_response));
                self.answer_due = Some(self.answer_due.map_or(due, |pending| pending.min(due)));
            }
            wanted => {
                for i in 0..self.groups.len() {
                    if wanted.is_some_and(|group| group != self.groups[i].address) || self.groups[i].leaving {
                        continue;
                    }
                    let due = now.plus(self.draw(query.max_response));
                    let group = &mut self.groups[i];
                    group.answer_due = Some(group.answer_due.map_or(due, |pending| pending.min(due)));
                }
            }
        }
    }

    fn poll_v2(&mut self, now: UnixNanos, send: &mut impl FnMut(&[u8]) -> bool) {
        self.answer_due = None;
        for i in 0..self.groups.len() {
            let group = self.groups[i];
            if group.due() > now {
                continue;
            }
            let frame = if group.leaving {
                self.frame.leave_v2(self.sender, group.address)
            } else {
                self.frame.report_v2(self.sender, group.address)
            };
            if !self.counters.count(send(frame)) {
                continue;
            }
            let again = now.plus(self.draw(REPEAT_V2));
            let group = &mut self.groups[i];
            group.answer_due = None;
            // A leave is said once: the router asks about the group twice itself (RFC 2236 section 3).
            group.changes_left = if group.leaving { 0 } else { group.changes_left.saturating_sub(1) };
            group.change_due = again;
        }
    }

    fn poll_v3(&mut self, now: UnixNanos, send: &mut impl FnMut(&[u8]) -> bool) {
        let change = |group: &Group| group.changes_left > 0 && group.change_due <= now;
        if self.groups.iter().any(change) && self.report(change, Group::change, send) {
            let again = now.plus(self.draw(REPEAT_V3));
            for group in self.groups.iter_mut().filter(|group| change(group)) {
                group.changes_left -= 1;
                group.change_due = again;
            }
        }
        let all = self.answer_due.is_some_and(|due| due <= now);
        let asked = |group: &Group| !group.leaving && (all || group.answer_due.is_some_and(|due| due <= now));
        if !self.report(asked, Group::state, send) {
            return;
        }
        for group in self.groups.iter_mut().filter(|group| asked(group)) {
            group.answer_due = None;
        }
        if all {
            self.answer_due = None;
        }
    }

    /// Sends one record for each group that `wanted` picks, in as few reports as they fit into; none for none. `false` when a
    /// report could not be sent.
    fn report(
        &mut self,
        wanted: impl Fn(&Group) -> bool,
        kind: impl Fn(&Group) -> RecordType,
        send: &mut impl FnMut(&[u8]) -> bool,
    ) -> bool {
        self.frame.begin_report_v3(self.sender);
        for group in self.groups.iter().filter(|group| wanted(group)) {
            if self.frame.record(kind(group), group.address, group.sources()) {
                continue;
            }
            if !self.counters.count(send(self.frame.finish_report_v3())) {
                return false;
            }
            self.frame.begin_report_v3(self.sender);
            self.frame.record(kind(group), group.address, group.sources());
        }
        self.frame.is_empty() || self.counters.count(send(self.frame.finish_report_v3()))
    }

    /// A random wait of at most `longest` (SplitMix64).
    fn draw(&mut self, longest: Nanos) -> Nanos {
        self.random = self.random.wrapping_add(GOLDEN);
        let mut mixed = self.random;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        Nanos(((u128::from(mixed) * u128::from(longest.0)) >> 64) as u64)
    }
}

impl IgmpCounters {
    fn count(&mut self, sent: bool) -> bool {
        *(if sent { &mut self.sent } else { &mut self.refused }) += 1;
        sent
    }
}

#[cfg(test)]
mod tests {
    use super::message::tests::{SENDER, message, query_frame};
    use super::*;

    const SECOND: u64 = 1_000_000_000;
    const A: Ipv4Addr = Ipv4Addr::new(233, 54, 12, 111);
    const B: Ipv4Addr = Ipv4Addr::new(239, 1, 1, 1);
    const SOURCE: Ipv4Addr = Ipv4Addr::new(10, 1, 1, 1);
    const ALL_SYSTEMS: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 1);

    fn member(version: IgmpVersion) -> Membership {
        Membership::new(MembershipConfig { mac: SENDER.mac, address: SENDER.address, vlan: None, version })
    }

    /// What a poll sends: destination and message without its checksum.
    fn poll(member: &mut Membership, now: u64) -> Vec<(Ipv4Addr, Vec<u8>)> {
        let mut sent = Vec::new();
        member.poll(UnixNanos(now), |frame| {
            let (to, mut bytes) = message(frame);
            bytes.drain(2..4);
            sent.push((to, bytes));
            true
        });
        sent
    }

    fn v3(records: &[&[u8]]) -> Vec<(Ipv4Addr, Vec<u8>)> {
        let mut bytes = vec![0x22, 0, 0, 0, 0, records.len() as u8];
        bytes.extend(records.concat());
        vec![(Ipv4Addr::new(224, 0, 0, 22), bytes)]
    }

    fn v2(kind: u8, to: Ipv4Addr, group: Ipv4Addr) -> Vec<(Ipv4Addr, Vec<u8>)> {
        vec![(to, [&[kind, 0], group.octets().as_slice()].concat())]
    }

    /// What Linux 6.18 sends for the same join and leave from the same addresses, captured on the other end of a veth pair
    /// (`force_igmp_version` 2 and 3); Ethernet header, IPv4 with Router Alert, IGMP, no padding.
    #[test]
    fn frames_are_those_the_kernel_sends() {
        const SSM: Ipv4Addr = Ipv4Addr::new(232, 1, 2, 3);
        let cases: [(IgmpVersion, Ipv4Addr, &[Ipv4Addr], &str, &str); 3] = [
            (
                IgmpVersion::V3,
                A,
                &[],
                "01005e000016020000aabbcc080046c00028000040000102f9e70a090009e000001694040000\
                 2200e4580000000104000000e9360c6f",
                "01005e000016020000aabbcc080046c00028000040000102f9e70a090009e000001694040000\
                 2200e5580000000103000000e9360c6f",
            ),
            (
                IgmpVersion::V3,
                SSM,
                &[SOURCE],
                "01005e000016020000aabbcc080046c0002c000040000102f9e30a090009e000001694040000\
                 2200e3f60000000105000001e80102030a010101",
                "01005e000016020000aabbcc080046c0002c000040000102f9e30a090009e000001694040000\
                 2200e2f60000000106000001e80102030a010101",
            ),
            (
                IgmpVersion::V2,
                A,
                &[],
                "01005e360c6f020000aabbcc080046c00020000040000102e4600a090009e9360c6f94040000\
                 1600f459e9360c6f",
                "01005e000002020000aabbcc080046c00020000040000102fa030a090009e000000294040000\
                 1700f359e9360c6f",
            ),
        ];
        for (version, group, sources, join, leave) in cases {
            let mut m = member(version);
            m.join(group, sources, UnixNanos(0)).unwrap();
            expect(&mut m, join);
            m.leave(group, UnixNanos(0)).unwrap();
            expect(&mut m, leave);
        }
    }

    fn expect(member: &mut Membership, wanted: &str) {
        let mut sent = Vec::new();
        member.poll(UnixNanos(0), |frame| {
            sent.push(frame.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
            true
        });
        let [frame] = sent.as_slice() else { panic!("one frame wanted: {sent:?}") };
        let (frame, padding) = frame.split_at(wanted.len());
        assert_eq!(frame, wanted);
        assert!(padding.bytes().all(|c| c == b'0'), "{padding}");
    }

    #[test]
    fn version_3_reports_changes_twice_and_leaves_nothing_behind() {
        let mut m = member(IgmpVersion::V3);
        m.join(A, &[], UnixNanos(0)).unwrap();
        m.join(B, &[SOURCE], UnixNanos(0)).unwrap();
        let join = v3(&[&[4, 0, 0, 0, 233, 54, 12, 111], &[5, 0, 0, 1, 239, 1, 1, 1, 10, 1, 1, 1]]);
        assert_eq!(poll(&mut m, 0), join);
        let again = m.next_due();
        assert!(again.0 <= SECOND, "{again}");
        assert_eq!(poll(&mut m, again.0 - 1), []);
        assert_eq!(poll(&mut m, again.0), join);
        assert_eq!(m.next_due(), NEVER);

        m.leave(A, UnixNanos(5 * SECOND)).unwrap();
        assert_eq!(m.groups().collect::<Vec<_>>(), [B]);
        let leave = v3(&[&[3, 0, 0, 0, 233, 54, 12, 111]]);
        assert_eq!(poll(&mut m, 5 * SECOND), leave);
        assert_eq!(poll(&mut m, 6 * SECOND), leave);
        m.leave(B, UnixNanos(7 * SECOND)).unwrap();
        assert_eq!(poll(&mut m, 7 * SECOND), v3(&[&[6, 0, 0, 1, 239, 1, 1, 1, 10, 1, 1, 1]]));
        poll(&mut m, 8 * SECOND);
        assert!(m.groups.is_empty());
        assert_eq!(m.leave(A, UnixNanos(0)), Err(IgmpError::NotJoined(A)));
        assert_eq!(m.counters(), IgmpCounters { sent: 6, ..IgmpCounters::default() });
    }

    #[test]
    fn a_general_query_is_answered_once_within_its_time() {
        let mut m = member(IgmpVersion::V3);
        m.join(A, &[], UnixNanos(0)).unwrap();
        m.join(B, &[SOURCE], UnixNanos(0)).unwrap();
        poll(&mut m, 0);
        poll(&mut m, SECOND);
        let query = query_frame(ALL_SYSTEMS, Ipv4Addr::UNSPECIFIED, 100, true);
        assert!(m.on_frame(&query, UnixNanos(20 * SECOND)));
        let due = m.next_due().0;
        assert!((20 * SECOND..=30 * SECOND).contains(&due), "{due}");
        // A second query while an answer is pending must not put it off.
        assert!(m.on_frame(&query, UnixNanos(due - 1)));
        assert!(m.next_due().0 <= due);
        let state = v3(&[&[2, 0, 0, 0, 233, 54, 12, 111], &[1, 0, 0, 1, 239, 1, 1, 1, 10, 1, 1, 1]]);
        assert_eq!(poll(&mut m, due), state);
        assert_eq!(poll(&mut m, 60 * SECOND), []);
        assert_eq!(m.counters().queries, 2);
    }

    #[test]
    fn a_query_about_a_group_is_answered_for_that_group() {
        let mut m = member(IgmpVersion::V3);
        m.join(A, &[], UnixNanos(0)).unwrap();
        m.join(B, &[], UnixNanos(0)).unwrap();
        poll(&mut m, 0);
        poll(&mut m, SECOND);
        m.on_frame(&query_frame(B, B, 10, true), UnixNanos(10 * SECOND));
        assert_eq!(poll(&mut m, 11 * SECOND), v3(&[&[2, 0, 0, 0, 239, 1, 1, 1]]));
        let other = Ipv4Addr::new(239, 9, 9, 9);
        m.on_frame(&query_frame(other, other, 10, true), UnixNanos(12 * SECOND));
        assert_eq!(m.next_due(), NEVER);
        let mut damaged = query_frame(B, B, 10, true);
        damaged[40] ^= 0xff;
        assert!(!m.on_frame(&damaged, UnixNanos(12 * SECOND)));
        assert_eq!((m.next_due(), m.counters().malformed), (NEVER, 1));
    }

    #[test]
    fn version_2_reports_each_group_by_itself() {
        let mut m = member(IgmpVersion::V2);
        m.join(A, &[], UnixNanos(0)).unwrap();
        assert_eq!(poll(&mut m, 0), v2(0x16, A, A));
        assert!(m.next_due().0 <= 10 * SECOND);
        assert_eq!(poll(&mut m, 10 * SECOND), v2(0x16, A, A));
        assert_eq!(m.next_due(), NEVER);
        m.on_frame(&query_frame(ALL_SYSTEMS, Ipv4Addr::UNSPECIFIED, 10, false), UnixNanos(20 * SECOND));
        assert!(m.next_due().0 <= 21 * SECOND);
        assert_eq!(poll(&mut m, 21 * SECOND), v2(0x16, A, A));
        m.leave(A, UnixNanos(22 * SECOND)).unwrap();
        assert_eq!(poll(&mut m, 22 * SECOND), v2(0x17, Ipv4Addr::new(224, 0, 0, 2), A));
        assert!(m.groups.is_empty());
    }

    #[test]
    fn an_older_querier_is_spoken_to_in_its_version_until_it_is_gone() {
        let mut m = member(IgmpVersion::V3);
        m.join(A, &[SOURCE], UnixNanos(0)).unwrap();
        poll(&mut m, 0);
        poll(&mut m, SECOND);
        let (old, new) = (false, true);
        m.on_frame(&query_frame(ALL_SYSTEMS, Ipv4Addr::UNSPECIFIED, 10, new), UnixNanos(2 * SECOND));
        m.on_frame(&query_frame(ALL_SYSTEMS, Ipv4Addr::UNSPECIFIED, 10, old), UnixNanos(2 * SECOND));
        assert_eq!(poll(&mut m, 4 * SECOND), v2(0x16, A, A), "and the pending version 3 answer is dropped");
        m.on_frame(&query_frame(ALL_SYSTEMS, Ipv4Addr::UNSPECIFIED, 10, new), UnixNanos(260 * SECOND));
        assert_eq!(poll(&mut m, 261 * SECOND), v2(0x16, A, A));
        m.on_frame(&query_frame(ALL_SYSTEMS, Ipv4Addr::UNSPECIFIED, 10, new), UnixNanos(263 * SECOND));
        assert_eq!(poll(&mut m, 264 * SECOND), v3(&[&[1, 0, 0, 1, 233, 54, 12, 111, 10, 1, 1, 1]]));
    }

    #[test]
    fn what_could_not_be_sent_is_due_again() {
        for version in [IgmpVersion::V2, IgmpVersion::V3] {
            let mut m = member(version);
            m.join(A, &[], UnixNanos(0)).unwrap();
            m.poll(UnixNanos(0), |_| false);
            assert_eq!(m.next_due(), UnixNanos(0));
            assert_eq!(poll(&mut m, 1).len(), 1);
            assert_eq!(m.counters(), IgmpCounters { sent: 1, refused: 1, ..IgmpCounters::default() });
            poll(&mut m, 10 * SECOND);
            m.on_frame(
                &query_frame(ALL_SYSTEMS, Ipv4Addr::UNSPECIFIED, 1, version == IgmpVersion::V3),
                UnixNanos(0),
            );
            m.poll(UnixNanos(SECOND), |_| false);
            assert_eq!(poll(&mut m, 2 * SECOND).len(), 1, "{version:?}");
        }
    }

    #[test]
    fn many_groups_with_sources_take_several_reports() {
        let mut m = member(IgmpVersion::V3);
        let sources = [SOURCE; SOURCES_MAX];
        for n in 0..GROUPS_MAX as u8 {
            m.join(Ipv4Addr::new(232, 0, 1, n), &sources, UnixNanos(0)).unwrap();
        }
        let sent = poll(&mut m, 0);
        let counts: Vec<u8> = sent.iter().map(|(_, bytes)| bytes[5]).collect();
        // (1500 - 24 - 8) / (8 + 8 * 4) = 36
        assert_eq!(counts, [36, 28]);
        assert_eq!(m.join(A, &[], UnixNanos(0)), Err(IgmpError::TooManyGroups { group: A }));
        assert_eq!(m.groups.capacity(), GROUPS_MAX, "joining does not allocate");
    }

    #[test]
    fn what_cannot_be_joined() {
        let mut m = member(IgmpVersion::V3);
        for address in [ALL_SYSTEMS, SOURCE] {
            assert_eq!(m.join(address, &[], UnixNanos(0)), Err(IgmpError::NotJoinable(address)));
        }
        let nine = [SOURCE; SOURCES_MAX + 1];
        assert_eq!(m.join(A, &nine, UnixNanos(0)), Err(IgmpError::TooManySources { group: A, count: 9 }));
        assert_eq!(m.next_due(), NEVER);
    }
}
