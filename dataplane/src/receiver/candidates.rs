//! Which session a capture's feed is of, where the configuration does not say: the one that several packets agree on, and not the
//! first packet that can be read.

use std::net::SocketAddrV4;

use crate::arbiter::Arrival;
use crate::session::{Head, SessionId};
use crate::stats::LeftOut;

/// Packets with messages of their own that agree on a session before it is chosen.
const PACKETS: u32 = 3;
/// Sessions that are told apart.
const SESSIONS_MAX: usize = 8;
/// Packets that wait for a session to be chosen.
pub(super) const KEPT_MAX: usize = 64;
/// Their bytes, in all.
const KEPT_BYTES_MAX: usize = 65_507;
/// How far the numbers of one session's packets may be apart.
const NEAR: u64 = 1_024;

/// One session that was heard.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    session: SessionId,
    /// What follows its highest number.
    next: u64,
    /// Packets that brought messages of their own and went on with it.
    packets: u32,
}

/// A packet that waits.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) group: SocketAddrV4,
    pub(super) head: Head,
    pub(super) arrival: Arrival,
    pub(super) payload: Vec<u8>,
}

/// The sessions that were heard while none is chosen, and their packets.
#[derive(Debug, Default)]
pub(super) struct Candidates {
    sessions: Vec<Candidate>,
    kept: Vec<Kept>,
    bytes: usize,
}

impl Candidates {
    /// Takes a packet in. Whether a session can be chosen now, or has to be.
    #[cold]
    pub(super) fn add(&mut self, group: SocketAddrV4, head: &Head, payload: &[u8], arrival: Arrival) -> bool {
        let known = self.sessions.iter().position(|known| known.session == head.session);
        let agreed = match known {
            Some(at) => self.sessions[at].add(head),
            None if self.sessions.len() < SESSIONS_MAX => {
                let packets = u32::from(head.count > 0);
                self.sessions.push(Candidate { session: head.session, next: head.next_seq(), packets });
                packets
            }
            None => 0,
        };
        self.bytes += payload.len();
        self.kept.push(Kept { group, head: *head, arrival, payload: payload.to_vec() });
        agreed >= PACKETS || self.kept.len() == KEPT_MAX || self.bytes > KEPT_BYTES_MAX
    }

    /// The packets that waited: those of the session that most agree on, and all others. Of two sessions that are as good it is the one
    /// heard first.
    #[cold]
    pub(super) fn choose(&mut self) -> (Vec<Kept>, Vec<Kept>) {
        let best = self.sessions.iter().rev().max_by_key(|candidate| candidate.packets);
        let best = best.map(|candidate| candidate.session);
        let kept = std::mem::take(self).kept;
        kept.into_iter().partition(|kept| Some(kept.head.session) == best)
    }
}

impl Candidate {
    /// Takes one more packet of the session in, and gives how many agree.
    fn add(&mut self, head: &Head) -> u32 {
        let goes_on =
            head.count > 0 && head.next_seq() > self.next && head.seq <= self.next.saturating_add(NEAR);
        self.packets += u32::from(goes_on);
        self.next = if goes_on || self.packets == 0 { head.next_seq() } else { self.next };
        self.packets
    }
}

/// Groups that are told apart; the last one stands for all the others.
pub(super) const GROUPS_MAX: usize = 16;

/// Counts a packet of a group that is left out.
#[cold]
pub(super) fn leave_out(left_out: &mut Vec<LeftOut>, group: SocketAddrV4) {
    let known = left_out.iter().position(|left| left.group == group);
    match known.or_else(|| (left_out.len() == GROUPS_MAX).then_some(GROUPS_MAX - 1)) {
        Some(at) => left_out[at].packets += 1,
        None => left_out.push(LeftOut { group, packets: 1 }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;
    use types::UnixNanos;

    const GROUP: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(233, 54, 12, 1), 1);

    fn add(candidates: &mut Candidates, session: u8, seq: u64, count: u16) -> bool {
        let head = Head { session: SessionId([session; 10]), seq, count, end: false, sent: UnixNanos(0) };
        candidates.add(GROUP, &head, &[session], Arrival::default())
    }

    fn sessions(candidates: &mut Candidates) -> [Vec<u8>; 2] {
        let (chosen, others) = candidates.choose();
        [chosen, others].map(|kept| kept.iter().map(|kept| kept.head.session.0[0]).collect())
    }

    #[test]
    fn the_session_that_packets_agree_on_is_chosen_whichever_came_first() {
        let mut candidates = Candidates::default();
        assert!(!add(&mut candidates, 9, 77, 1));
        assert!(!add(&mut candidates, 1, 1, 2) && !add(&mut candidates, 9, 77, 1), "a copy is no evidence");
        assert!(!add(&mut candidates, 1, 3, 2) && !add(&mut candidates, 1, 3, 0));
        assert!(add(&mut candidates, 1, 5, 1));
        assert_eq!(sessions(&mut candidates), [vec![1; 4], vec![9; 2]]);
        // Numbers far from one another agree on nothing.
        for seq in [1 << 40, 7, 1 << 50, 9] {
            assert!(!add(&mut candidates, 2, seq, 1), "{seq}");
        }
        assert!(!add(&mut candidates, 3, 1, 1));
        assert_eq!(sessions(&mut candidates), [vec![2; 4], vec![3]], "as good, and heard first");
    }

    #[test]
    fn what_waits_is_bounded() {
        let mut candidates = Candidates::default();
        for n in 0..KEPT_MAX {
            assert_eq!(add(&mut candidates, n as u8, 1, 1), n + 1 == KEPT_MAX, "{n}");
        }
        assert_eq!(sessions(&mut candidates).map(|kept| kept.len()), [1, KEPT_MAX - 1]);
        let mut left_out = Vec::new();
        for port in 0..100 {
            leave_out(&mut left_out, SocketAddrV4::new(*GROUP.ip(), port));
        }
        assert_eq!((left_out.len(), left_out[0].packets, left_out[15].packets), (16, 1, 85));
    }
}
