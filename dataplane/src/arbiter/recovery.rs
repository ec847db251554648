//! Asking a venue's servers again for what no line brought: who is asked for what, and when that is hopeless.
//!
//! No socket and no clock, as in all of arbitration: what is to be asked goes out through [`Deliver::request`], what came of it
//! comes in through `Arbiter::on_answer`. The numbers asked for at a time, the time for each answer, the requests in a row that a
//! server may leave unanswered, and the time without any news are bounded; behind each bound the hole is given up, which makes
//! the books stale.
//!
//! Source: MoldUDP64 1.00, "Request Packet": a request names the session, the first message and how many; the answer is a
//! downstream packet, with as many of them as fit.

use types::UnixNanos;

use super::contract::{Deliver, Hole, REQUESTS_MAX, RecoveryConfig, Request, SERVERS_MAX};
use super::stats::RecoveryStats;
use crate::session::{Head, SessionId};

/// A request under way.
#[derive(Clone, Copy, Debug)]
struct Asked {
    first: u64,
    count: u16,
    server: u8,
    until: UnixNanos,
}

/// The recovery of one channel.
#[derive(Debug)]
pub(super) struct Recovery {
    pub(super) config: RecoveryConfig,
    open: bool,
    /// The next message wanted when there was news last, and when that was.
    next: u64,
    since: UnixNanos,
    asked: Vec<Asked>,
    /// Whom to ask next.
    server: u8,
    /// By server: requests in a row that were not answered.
    silent: [u32; SERVERS_MAX],
}

impl Recovery {
    /// Nothing is asked for.
    pub(super) fn new(config: RecoveryConfig) -> Self {
        Self {
            config,
            open: false,
            next: 0,
            since: UnixNanos(0),
            asked: Vec::with_capacity(REQUESTS_MAX),
            server: 0,
            silent: [0; SERVERS_MAX],
        }
    }

    /// Whether something is being asked for.
    #[inline]
    pub(super) fn is_open(&self) -> bool {
        self.open
    }

    /// Begins to ask for what is missing from `next` on.
    pub(super) fn begin(&mut self, next: u64, now: UnixNanos) {
        (self.open, self.next, self.since) = (true, next, now);
        self.silent = [0; SERVERS_MAX];
        self.asked.clear();
    }

    /// Nothing is missing any more.
    pub(super) fn end(&mut self) {
        self.open = false;
        self.asked.clear();
    }

    fn servers(&self) -> usize {
        usize::from(self.config.servers).clamp(1, SERVERS_MAX)
    }

    fn is_silent(&self, server: usize) -> bool {
        self.silent[server] >= self.config.tries_max
    }

    /// Takes note of the time and of how far the sequence has come. Whether it is of no use to go on asking.
    pub(super) fn is_hopeless(&mut self, next: u64, now: UnixNanos, stats: &mut RecoveryStats) -> bool {
        if next != self.next {
            (self.next, self.since) = (next, now);
        }
        let mut late = [false; SERVERS_MAX];
        self.asked.retain(|asked| {
            let waits = now < asked.until;
            if !waits {
                late[usize::from(asked.server) % SERVERS_MAX] = true;
                stats.unanswered += 1;
            }
            // A line may have brought it meanwhile.
            waits && asked.first + u64::from(asked.count) > next
        });
        if late.contains(&true) {
            // Requests that were sent together count as one: they may be lost together.
            self.silent.iter_mut().zip(late).for_each(|(silent, late)| *silent += u32::from(late));
            self.turn();
        }
        now.since(self.since) >= self.config.give_up_after || (0..self.servers()).all(|s| self.is_silent(s))
    }

    /// Chooses another server than one that does not answer.
    fn turn(&mut self) {
        let servers = self.servers();
        let after = (1..=servers).map(|step| (usize::from(self.server) + step) % servers);
        let candidates = std::iter::once(usize::from(self.server) % servers).chain(after);
        // The one that is asked now, unless another has left fewer requests unanswered.
        if let Some(best) = candidates.min_by_key(|&server| self.silent[server]) {
            self.server = u8::try_from(best).unwrap_or(0);
        }
    }

    /// Asks for what is missing and was not asked for yet, as far as the bound allows.
    pub(super) fn ask(
        &mut self,
        session: SessionId,
        missing: impl Iterator<Item = Hole>,
        now: UnixNanos,
        stats: &mut RecoveryStats,
        out: &mut impl Deliver,
    ) {
        if self.asked.len() == REQUESTS_MAX {
            return;
        }
        for Hole { first, count } in missing {
            let (mut at, end) = (first, first + count);
            while at < end {
                if let Some(asked) = self.asked.iter().find(|asked| asked.covers(at)) {
                    at = asked.first + u64::from(asked.count);
                    continue;
                }
                if self.asked.len() == REQUESTS_MAX {
                    return;
                }
                let behind = self.asked.iter().map(|asked| asked.first).filter(|first| *first > at).min();
                let most = behind.unwrap_or(end).min(end) - at;
                let count = u16::try_from(most).unwrap_or(u16::MAX).min(self.config.request_messages.max(1));
                let (server, until) = (self.server, now.plus(self.config.answer_within));
                self.asked.push(Asked { first: at, count, server, until });
                stats.requests += 1;
                out.request(Request { session, first: at, count, server });
                at += u64::from(count);
            }
        }
    }

    /// Takes note of an answer that is believed: what is still missing of what was asked may be asked for again.
    pub(super) fn answered(&mut self, head: &Head, server: u8) {
        self.silent[usize::from(server) % SERVERS_MAX] = 0;
        self.asked.retain(|asked| !asked.covers(head.seq));
    }
}

impl Asked {
    fn covers(&self, seq: u64) -> bool {
        (self.first..self.first + u64::from(self.count)).contains(&seq)
    }
}
