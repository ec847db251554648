//! What instruments may do: the venue's words, and the ends of sessions over them, which may be taken back.

use types::{Action, BookEvent, EndWord, GapCause, TradingStatus};

use crate::apply::BooksMut;
use crate::gaps::Channels;
use crate::view::Meta;

impl BooksMut<'_> {
    /// Takes in what the venue says of an instrument. While the session is over of the channel that says so, the instrument stays closed:
    /// what is said then, holds when the end is taken back.
    pub(crate) fn note_status(&mut self, i: usize, event: &BookEvent) {
        let word = word_of(event);
        let meta = &mut self.metas[i];
        if self.gaps.ended.has(event.channel) {
            meta.ended.add(event.channel);
            (meta.beside_end, meta.status) = (word, TradingStatus::Closed);
        } else {
            (meta.ended, meta.status) = (Channels::default(), word);
        }
    }

    /// Takes in what is said of all instruments: by their venue, or by the transport of a channel, which its session may take back.
    pub(crate) fn note_status_of_all(&mut self, event: &BookEvent) {
        let is_end = |word: EndWord| event.action == Action::SessionEnd && event.aux == word as u64;
        if is_end(EndWord::TakenBack) {
            self.take_end_back(event.channel);
        } else if is_end(EndWord::Channel) {
            self.gaps.ended.add(event.channel);
            for meta in &mut self.metas[..*self.used] {
                end(meta, event.channel);
            }
        } else {
            (0..*self.used).for_each(|i| self.note_status(i, event));
        }
    }

    /// The session of a channel goes on: what its instruments were beside its end, they are.
    fn take_end_back(&mut self, channel: u8) {
        self.gaps.ended.remove(channel);
        for meta in self.metas[..*self.used].iter_mut().filter(|meta| meta.ended.has(channel)) {
            meta.ended.remove(channel);
            if meta.ended.is_empty() {
                meta.status = meta.beside_end;
            }
        }
    }

    /// Another session began, or words were lost, that of an end or of its taking back perhaps among them: what is closed stays so until
    /// its venue says otherwise.
    pub(crate) fn forget_ends(&mut self, gap: &BookEvent) {
        let lost = gap.qty.0 == GapCause::RingFull as u32;
        if !lost && gap.qty.0 != GapCause::SessionChange as u32 {
            return;
        }
        if lost {
            self.gaps.ended = Channels::default();
        } else {
            self.gaps.ended.remove(gap.channel);
        }
        for meta in &mut self.metas[..*self.used] {
            if lost {
                meta.ended = Channels::default();
            } else if meta.ended.has(gap.channel) {
                meta.ended.remove(gap.channel);
                meta.beside_end = TradingStatus::Closed;
            }
        }
    }
}

/// The session of a channel is over: the instrument is closed, whatever it was.
fn end(meta: &mut Meta, channel: u8) {
    if meta.ended.is_empty() {
        meta.beside_end = meta.status;
    }
    meta.ended.add(channel);
    meta.status = TradingStatus::Closed;
}

/// What the venue says of an instrument.
fn word_of(event: &BookEvent) -> TradingStatus {
    if event.action == Action::SessionEnd {
        TradingStatus::Closed
    } else {
        TradingStatus::from_u64(event.aux)
    }
}
