//! What a session does with a message of its peer's.

use super::core::{Core, Gap, Held, untagged};
use super::terms::{Close, Role, State};
use super::{Application, GAP_TRIES, GAP_WAIT};
use crate::fix::dictionary::Version;
use crate::fix::message::{Message, SEQ_MAX};
use crate::fix::validate::{Problem, RejectCode, is_admin, problem_of};
use crate::fix::{tags, time};
use types::{Nanos, UnixNanos};

/// Characters that are kept of what a peer says when it leaves.
const SAID_CHARS_MAX: usize = 200;

impl Core {
    /// A piece of the stream that was no message. It has no number, so it is asked for again when the next message comes; before
    /// the logon nothing can be.
    pub(super) fn garbled(&mut self) {
        self.counts.garbled += 1;
        if self.state == State::LoggingOn {
            self.end(Close::BadLogon);
        }
    }

    /// Takes one whole message.
    pub(super) fn take(
        &mut self,
        message: &Message<'_>,
        whole: &[u8],
        now: UnixNanos,
        app: &mut dyn Application,
    ) {
        self.last_in = now;
        self.test_requests = 0;
        match self.state {
            State::Down => {}
            State::LoggingOn => self.take_first(message, now),
            State::Up | State::LoggingOut => self.take_next(message, whole, now, app),
        }
    }

    pub(super) fn test_request(&mut self, now: UnixNanos) {
        self.send_admin(b"1", now, |writer| writer.text(tags::TEST_REQ_ID, b"TEST"));
    }

    pub(super) fn heartbeat(&mut self, answers: Option<&[u8]>, now: UnixNanos) {
        self.send_admin(b"0", now, |writer| {
            if let Some(id) = answers {
                writer.text(tags::TEST_REQ_ID, id);
            }
        });
    }

    /// Whether the message is from and for whom it should be; fields that are missing are another matter.
    fn is_between_us(&self, message: &Message<'_>) -> bool {
        let differs = |tag, wanted: &str| {
            message.get(tag).is_some_and(|found| !found.is_empty() && found != wanted.as_bytes())
        };
        !differs(tags::SENDER_COMP_ID, &self.config.target)
            && !differs(tags::TARGET_COMP_ID, &self.config.sender)
    }

    /// Whether SendingTime (52) is near this side's clock; one that is no time is another matter.
    fn is_timely(&self, message: &Message<'_>, now: UnixNanos) -> bool {
        let sent = message.get(tags::SENDING_TIME).and_then(time::parse);
        sent.is_none_or(|sent| now.0.abs_diff(sent.0) <= self.config.sending_time_tolerance.0)
    }

    /// The first message of a connection: a logon, or nothing.
    fn take_first(&mut self, message: &Message<'_>, now: UnixNanos) {
        let ours = message.begin_string() == self.config.version.begin_string()
            && self.is_between_us(message)
            && self.is_timely(message, now);
        if ours && message.kind() == b"5" && self.config.role == Role::Initiator {
            self.note_text(message);
            if message.seq() == Some(self.next_in()) {
                self.advance();
            }
            return self.end(Close::BadLogon);
        }
        if !ours || message.kind() != b"A" || problem_of(message, self.rules()).is_some() {
            return self.end(Close::BadLogon);
        }
        let Some(seq) = message.seq() else { return self.end(Close::BadLogon) };
        if self.config.version == Version::Fixt11 && message.get(tags::DEFAULT_APPL_VER_ID) != Some(b"9") {
            return self.refuse_logon("DefaultApplVerID (1137) must be 9 (5.0 SP2)", now);
        }
        if message.get(tags::ENCRYPT_METHOD) != Some(b"0") {
            return self.refuse_logon("EncryptMethod (98) must be 0 (none)", now);
        }
        let Some(heartbeat_s) =
            message.number(tags::HEART_BT_INT).filter(|seconds| (1..=3_600).contains(seconds))
        else {
            return self.refuse_logon("HeartBtInt (108) must be 1 to 3600 seconds", now);
        };
        self.log_on(message, seq, heartbeat_s, now);
    }

    /// Keeps what a peer says when it leaves, for a person.
    fn note_text(&mut self, message: &Message<'_>) {
        let text = String::from_utf8_lossy(message.get(tags::TEXT).unwrap_or_default());
        self.peer_said = text.chars().filter(|c| !c.is_control()).take(SAID_CHARS_MAX).collect();
    }

    fn refuse_logon(&mut self, text: &str, now: UnixNanos) {
        self.send_logout(text, now);
        self.end(Close::BadLogon);
    }

    fn log_on(&mut self, message: &Message<'_>, seq: u64, heartbeat_s: u64, now: UnixNanos) {
        let accepts = self.config.role == Role::Acceptor;
        let asks_reset = message.get(tags::RESET_SEQ_NUM_FLAG) == Some(b"Y");
        if asks_reset && seq != 1 {
            return self.refuse_logon("a logon that resets must have MsgSeqNum (34) 1", now);
        }
        if accepts && (asks_reset || self.config.reset_on_logon) {
            if self.store.reset().is_err() {
                return self.end(Close::Store);
            }
        } else if asks_reset && !self.is_next_in(1) {
            return self.refuse_logon("a reset that was not asked for", now);
        }
        let next = self.next_in();
        if seq < next && !message.is_poss_dup() {
            return self.end_too_low(next, seq, now);
        }
        if accepts {
            self.heartbeat = Nanos(heartbeat_s * 1_000_000_000);
            self.send_logon(asks_reset, now);
        }
        (self.state, self.was_up) = (State::Up, true);
        if !accepts {
            // What was kept while the logon was under way has never been sent.
            self.resend_from(self.logon_out + 1);
        }
        if seq > next {
            self.note_gap(seq, now);
        } else if seq == next {
            self.advance();
        }
    }

    fn is_next_in(&self, number: u64) -> bool {
        self.next_in() == number
    }

    fn end_too_low(&mut self, next: u64, seq: u64, now: UnixNanos) {
        self.send_logout(&format!("MsgSeqNum too low, expecting {next} but received {seq}"), now);
        self.end(Close::SequenceTooLow);
    }

    /// A message of a session that is logged on.
    fn take_next(&mut self, message: &Message<'_>, whole: &[u8], now: UnixNanos, app: &mut dyn Application) {
        if message.begin_string() != self.config.version.begin_string() {
            return self.log_out("Incorrect BeginString", now);
        }
        let Some(seq) = message.seq() else {
            self.send_logout("Required tag missing: MsgSeqNum (34)", now);
            return self.end(Close::SequenceTooLow);
        };
        for (holds, code) in [
            (self.is_between_us(message), RejectCode::CompId),
            (self.is_timely(message, now), RejectCode::SendingTime),
        ] {
            if !holds {
                // What a venue says of orders is not lost for a clock that was wrong: it is not taken, and asked for again.
                if self.is_a_venues_word(message) {
                    self.reject(message, untagged(code), now);
                } else {
                    self.refuse(message, untagged(code), now);
                }
                return self.log_out("", now);
            }
        }
        match message.kind() {
            b"A" if message.get(tags::RESET_SEQ_NUM_FLAG) == Some(b"Y") => return self.begin_again(seq, now),
            b"2" => return self.take_resend_request(message, seq, now, app),
            b"4" if message.get(tags::GAP_FILL_FLAG) != Some(b"Y") => {
                self.take_reset(message, now);
                return self.drain_held(now, app);
            }
            b"5" => {
                self.note_text(message);
                return self.take_logout(seq, now);
            }
            _ => {}
        }
        if message.is_poss_dup() && message.kind() != b"4" && !self.is_original_before(message, now) {
            return;
        }
        let next = self.next_in();
        match seq.cmp(&next) {
            std::cmp::Ordering::Less if message.is_poss_dup() => self.counts.repeated += 1,
            std::cmp::Ordering::Less => self.end_too_low(next, seq, now),
            std::cmp::Ordering::Greater => {
                self.hold(seq, Held::Message(whole.into()));
                self.note_gap(seq, now);
            }
            std::cmp::Ordering::Equal => {
                self.dispatch(message, now, app);
                self.drain_held(now, app);
            }
        }
    }

    /// Whether a message that is said to be sent again names a time it was first sent, not after this time; if not, it is refused.
    fn is_original_before(&mut self, message: &Message<'_>, now: UnixNanos) -> bool {
        let Some(original) = message.get(tags::ORIG_SENDING_TIME) else {
            let problem =
                Problem { code: RejectCode::RequiredTagMissing, tag: Some(tags::ORIG_SENDING_TIME) };
            self.refuse(message, problem, now);
            return false;
        };
        let sent = message.get(tags::SENDING_TIME).and_then(time::parse);
        if let (Some(original), Some(sent)) = (time::parse(original), sent)
            && original > sent
        {
            self.refuse(message, untagged(RejectCode::SendingTime), now);
            self.log_out("", now);
            return false;
        }
        true
    }

    /// Whether a venue says something that is not the session's.
    fn is_a_venues_word(&self, message: &Message<'_>) -> bool {
        self.config.role == Role::Initiator && !is_admin(message.kind())
    }

    /// Refuses a message; where it was the next one, it has been taken.
    fn refuse(&mut self, message: &Message<'_>, problem: Problem, now: UnixNanos) {
        self.reject(message, problem, now);
        if message.seq() == Some(self.next_in()) {
            self.advance();
        }
    }

    /// The message that is next.
    fn dispatch(&mut self, message: &Message<'_>, now: UnixNanos, app: &mut dyn Application) {
        self.counts.received += 1;
        // A venue does not say again what was refused: what it says of orders is counted as far as it can be read.
        if let Some(problem) = problem_of(message, self.rules()).filter(|_| !self.is_a_venues_word(message)) {
            return self.refuse(message, problem, now);
        }
        match message.kind() {
            b"0" | b"A" => {}
            b"1" => self.heartbeat(message.get(tags::TEST_REQ_ID), now),
            b"4" => return self.take_gap_fill(message, now),
            // A reject is the session's and tells the application what became of a message of its.
            _ => {
                if app.take(message, self, now).is_err() {
                    return self.end(Close::Store);
                }
            }
        }
        self.advance();
    }

    /// Everything that came before its turn, and whose turn has come.
    fn drain_held(&mut self, now: UnixNanos, app: &mut dyn Application) {
        while self.close.is_none()
            && let Some(held) = self.take_held()
        {
            match held {
                Held::Answered => self.advance(),
                Held::Message(whole) => match Message::parse(&whole) {
                    Ok(message) => self.dispatch(&message, now, app),
                    Err(_) => return,
                },
            }
        }
        if self.gap.is_some_and(|gap| gap.until < self.next_in()) {
            self.gap = None;
        }
    }

    fn advance(&mut self) {
        self.go_to(self.next_in() + 1);
    }

    fn go_to(&mut self, next: u64) {
        if self.store.set_next_in(next).is_err() {
            self.end(Close::Store);
        }
    }

    /// A message came before its turn: those between are asked for, once.
    fn note_gap(&mut self, seq: u64, now: UnixNanos) {
        if let Some(gap) = &mut self.gap {
            gap.until = gap.until.max(seq - 1);
            return;
        }
        self.counts.gaps += 1;
        self.gap = Some(Gap { until: seq - 1, asked_at: now, tries: 1 });
        self.ask_again(now);
    }

    /// Asks again for what did not come in time, and gives up in the end.
    pub(super) fn chase_gap(&mut self, now: UnixNanos) {
        let Some(gap) = self.gap.filter(|gap| now.since(gap.asked_at) >= GAP_WAIT) else { return };
        if gap.tries == GAP_TRIES {
            self.send_logout("messages asked for again did not come", now);
            return self.end(Close::GapUnfilled);
        }
        self.gap = Some(Gap { asked_at: now, tries: gap.tries + 1, ..gap });
        self.ask_again(now);
    }

    /// A logon in the middle of a session: both directions begin at 1 again.
    fn begin_again(&mut self, seq: u64, now: UnixNanos) {
        if seq != 1 || self.config.role == Role::Initiator {
            return self.refuse_logon("a reset that was not asked for, or not by MsgSeqNum (34) 1", now);
        }
        self.forget_held();
        if self.store.reset().is_err() {
            return self.end(Close::Store);
        }
        self.send_logon(true, now);
        self.advance();
    }

    /// Answered at once, whatever its number: otherwise two sides that miss something would wait for each other.
    fn take_resend_request(
        &mut self,
        message: &Message<'_>,
        seq: u64,
        now: UnixNanos,
        app: &mut dyn Application,
    ) {
        let problem = problem_of(message, self.rules());
        if let Some(problem) = problem {
            self.refuse(message, problem, now);
        } else if let (Some(begin), Some(end)) =
            (message.number(tags::BEGIN_SEQ_NO), message.number(tags::END_SEQ_NO))
        {
            self.resend(begin, end, now, app);
        }
        let next = self.next_in();
        if seq > next {
            self.hold(seq, Held::Answered);
            self.note_gap(seq, now);
        } else if seq == next && problem.is_none() {
            self.advance();
            self.drain_held(now, app);
        }
    }

    /// SequenceReset-Reset: its own number means nothing.
    fn take_reset(&mut self, message: &Message<'_>, now: UnixNanos) {
        if let Some(problem) = problem_of(message, self.rules()) {
            return self.refuse(message, problem, now);
        }
        match new_seq_no(message) {
            Some(new) if new > self.next_in() => self.go_to(new),
            Some(new) if new == self.next_in() => {}
            _ => self.reject(message, untagged(RejectCode::ValueIncorrect), now),
        }
    }

    /// SequenceReset-GapFill, in its turn.
    fn take_gap_fill(&mut self, message: &Message<'_>, now: UnixNanos) {
        match new_seq_no(message) {
            Some(new) if new > self.next_in() => self.go_to(new),
            _ => self.refuse(message, untagged(RejectCode::ValueIncorrect), now),
        }
    }

    /// Answered whatever its number: what was missed before it is asked for at the next logon.
    fn take_logout(&mut self, seq: u64, now: UnixNanos) {
        if seq == self.next_in() {
            self.advance();
        }
        if self.state == State::Up {
            self.send_logout("", now);
        }
        self.end(Close::LoggedOut);
    }
}

/// NewSeqNo (36), where it is one that there can be.
fn new_seq_no(message: &Message<'_>) -> Option<u64> {
    message.number(tags::NEW_SEQ_NO).filter(|new| *new < SEQ_MAX)
}
