//! The arbiter's part in recovery: when a hole is asked for, and which answers fill it.

use types::UnixNanos;

use super::contract::{Arrival, Deliver, Hole, SERVER_LINE};
use super::sequencer::Arbiter;
use crate::session::Head;

impl Arbiter {
    /// Whether what is missing is being asked for. Asks for it if that is of any use.
    #[cold]
    pub(super) fn recovers(&mut self, now: UnixNanos, out: &mut impl Deliver) -> bool {
        if !self.is_asking() && !self.begin_recovery(now, out) {
            return false;
        }
        let (Some(recovery), Some(session)) = (&mut self.recovery, self.session) else { return false };
        if recovery.is_hopeless(self.next, now, &mut self.stats.recovery) {
            return false;
        }
        recovery.ask(session, self.waiting.missing(self.next), now, &mut self.stats.recovery, out);
        true
    }

    /// Begins to ask for what is missing before what waits; false where nothing does, or no server is asked for so much.
    fn begin_recovery(&mut self, now: UnixNanos, out: &mut impl Deliver) -> bool {
        let Some((_, arrival)) = self.waiting.first().filter(|(first, _)| self.may_recover(*first)) else {
            return false;
        };
        let Some(recovery) = self.recovery.as_mut().filter(|_| self.session.is_some()) else { return false };
        recovery.begin(self.next, now);
        self.tell_recovering(arrival, out);
        true
    }

    /// Says that what was delivered may be old, or no longer is, where that is other than it was said: for whichever reason, and for as
    /// long as there is any.
    pub(super) fn tell_recovering(&mut self, arrival: Arrival, out: &mut impl Deliver) {
        match (self.doubted || self.is_asking(), self.recovering) {
            (true, None) => {
                self.recovering = Some(arrival);
                out.recovering(true, arrival);
            }
            (false, Some(since)) => {
                self.recovering = None;
                let (at, ts_recv) = (arrival.at.max(since.at), arrival.ts_recv.max(since.ts_recv));
                out.recovering(false, Arrival { at, ts_recv, ..arrival });
            }
            (true, Some(_)) | (false, None) => {}
        }
    }

    /// Takes what a server answered, whose messages were checked to tile it. Its arrival's line is none of the channel's.
    #[cold]
    pub fn on_answer(
        &mut self,
        head: &Head,
        payload: &[u8],
        server: u8,
        arrival: Arrival,
        out: &mut impl Deliver,
    ) {
        let arrival = Arrival { line: SERVER_LINE, ..arrival };
        let Some(recovery) = &mut self.recovery else { return };
        if self.session != Some(head.session) {
            self.stats.recovery.foreign_answers += 1;
            return;
        }
        let within = |hole: Hole| (hole.first..hole.first + hole.count).contains(&head.seq);
        let shown = self.waiting.last_next().is_some_and(|last| head.next_seq() <= last);
        let wanted = recovery.is_open() && shown && head.count > 0 && !head.end;
        if !wanted || !self.waiting.missing(self.next).any(within) {
            self.stats.recovery.unasked_answers += 1;
            return;
        }
        recovery.answered(head, server);
        if head.seq > self.next {
            if self.waiting.fits(payload.len()) {
                // Without a slot it is asked for again.
                self.waiting.put(head, payload, arrival, false);
            }
        } else {
            self.deliver(head, payload, arrival, out);
            self.deliver_waiting(0, out);
        }
        self.on_time(arrival.at, out);
    }

    /// Counts a damaged answer.
    #[cold]
    pub fn note_bad_answer(&mut self) {
        self.stats.recovery.bad_answers += 1;
    }

    /// Says that nothing is asked for any more, if something was.
    pub(super) fn end_recovery(&mut self, arrival: Arrival, out: &mut impl Deliver) {
        if let Some(recovery) = self.recovery.as_mut().filter(|recovery| recovery.is_open()) {
            recovery.end();
            self.tell_recovering(arrival, out);
        }
    }

    /// Whether what is missing before `seq` may be asked for.
    pub(super) fn may_recover(&self, seq: u64) -> bool {
        let most = self.recovery.as_ref().map_or(0, |recovery| recovery.config.missing_max);
        seq.saturating_sub(self.next) <= most
    }
}
