//! Messages that the peer asks for again.

use super::Application;
use super::core::Core;
use super::terms::Close;
use crate::fix::message::Message;
use crate::fix::{dictionary, tags, time};
use types::UnixNanos;

/// A resend pauses while more than this waits for the socket.
const RESEND_PAUSE_BYTES: usize = 1 << 20;

impl Core {
    /// Sends everything from `begin` to `end` again, as there is room for it; in place of what is not sent again, how far to go.
    pub(super) fn resend(&mut self, begin: u64, end: u64, now: UnixNanos, app: &mut dyn Application) {
        let last = self.store.next_out() - 1;
        let end = if end == 0 { last } else { end.min(last) };
        self.resend = Some((begin.max(1), end));
        self.go_on_resending(now, app);
    }

    /// Everything from `begin` on is to be sent, with the next [`Core::go_on_resending`].
    pub(super) const fn resend_from(&mut self, begin: u64) {
        let last = self.store.next_out() - 1;
        if begin <= last {
            self.resend = Some((begin, last));
        }
    }

    pub(super) fn go_on_resending(&mut self, now: UnixNanos, app: &mut dyn Application) {
        let Some((mut at, end)) = self.resend.take() else { return };
        let mut skipped = None;
        while at <= end && self.waiting().len() < RESEND_PAUSE_BYTES {
            let mut stored = std::mem::take(&mut self.scratch);
            match self.store.read(at, &mut stored) {
                Ok(true) if !Message::parse(&stored).is_ok_and(|message| app.may_resend(&message, now)) => {
                    self.counts.withheld += 1;
                    skipped = skipped.or(Some(at));
                }
                Ok(true) => {
                    if let Some(from) = skipped.take() {
                        self.fill_gap(from, at, now);
                    }
                    self.send_again(at, &stored, now);
                }
                Ok(false) => skipped = skipped.or(Some(at)),
                Err(_) => self.end(Close::Store),
            }
            self.scratch = stored;
            at += 1;
        }
        if let Some(from) = skipped {
            self.fill_gap(from, at, now);
        }
        self.resend = (at <= end).then_some((at, end));
    }

    fn fill_gap(&mut self, from: u64, to: u64, now: UnixNanos) {
        self.header(b"4", from, now, Some(&time::text(now)));
        self.writer.number(tags::NEW_SEQ_NO, to);
        self.writer.text(tags::GAP_FILL_FLAG, b"Y");
        self.queue_again(now);
    }

    fn send_again(&mut self, number: u64, stored: &[u8], now: UnixNanos) {
        let Ok(message) = Message::parse(stored) else { return self.end(Close::Store) };
        let original = message.get(tags::SENDING_TIME).unwrap_or_default();
        self.header(message.kind(), number, now, Some(original));
        for field in message.fields() {
            let of_the_session =
                matches!(field.tag, 8 | 9 | 10 | 34 | 35 | 43 | 49 | 52 | 56 | tags::ORIG_SENDING_TIME);
            if !of_the_session && !dictionary::is_trailer(field.tag) {
                self.writer.text(field.tag, field.value);
            }
        }
        self.counts.resent += 1;
        self.resent_to = self.resent_to.max(number);
        self.queue_again(now);
    }
}
