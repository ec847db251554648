//! What the decoders of all feeds share: where a message came from, where its events go, and the contract.

use types::{Action, BookEvent, EventFlags, GapCause, InstrumentId, Qty, SeqNo, TradingStatus, UnixNanos};
use wire::WireError;

use super::buffer::EventBuffer;
use super::directory::InstrumentDirectory;
use super::tick::TickSizes;
use crate::stats::FeedStats;

/// Channels one receiver may have: an event carries the channel in a byte, and each has slots of its own.
pub const CHANNELS_MAX: usize = 64;

/// What a decoder is made for.
#[derive(Clone, Debug)]
pub struct DecoderSetup {
    /// When the venue's day begins, for protocols that count time from there, until a session says otherwise.
    pub midnight: UnixNanos,
    /// Instruments that may be defined.
    pub instruments_max: usize,
    /// Their tick sizes.
    pub ticks: TickSizes,
}

/// What a message does not say itself: where and when it came.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Its sequence number.
    pub seq: u64,
    /// When its packet arrived.
    pub ts_recv: UnixNanos,
    /// Its channel.
    pub channel: u8,
    /// Where it stands in its file.
    pub offset: u64,
}

impl Place {
    /// An event of this message, to be completed.
    #[inline]
    pub(crate) fn event(&self, ts_event: UnixNanos, instrument: InstrumentId, action: Action) -> BookEvent {
        BookEvent {
            ts_event,
            ts_recv: self.ts_recv,
            seq: SeqNo(self.seq),
            instrument,
            channel: self.channel,
            action,
            flags: EventFlags::LAST,
            ..BookEvent::EMPTY
        }
    }
}

/// What is at hand before a message's type is known. Decoders match once, from the type byte to the event: a second match, on
/// the decoded message, would be a second jump that the mix of types makes unpredictable. Hence [`Emit`] begins in every arm.
pub(super) struct Begin<'a> {
    pub(super) place: &'a Place,
    pub(super) out: &'a mut EventBuffer,
    pub(super) stats: &'a mut FeedStats,
}

impl<'a> Begin<'a> {
    /// Counts a message of a known type that happened at `ts_event`.
    #[inline(always)]
    pub(super) fn message(self, message_type: u8, ts_event: UnixNanos) -> Emit<'a> {
        let ts_event = self.stats.note_message(message_type, ts_event);
        Emit { place: self.place, ts_event, out: self.out, stats: self.stats }
    }

    /// Counts a message of a known type that makes no event.
    #[inline]
    pub(super) fn counted(self, message_type: u8, ts_event: UnixNanos) {
        self.stats.note_message(message_type, ts_event);
    }

    /// Counts a message of a known type that does not say when it happened: when the one before did.
    #[cold]
    pub(super) fn timeless(self, message_type: u8) -> Emit<'a> {
        self.stats.note_timeless(message_type);
        Emit { place: self.place, ts_event: self.stats.last_ts(), out: self.out, stats: self.stats }
    }

    /// Counts a message of an unknown type, which happened at the time of the one before.
    #[cold]
    pub(super) fn unknown(self, message_type: u8) {
        self.stats.note_timeless(message_type);
        self.stats.messages_unknown += 1;
    }
}

/// Where one message's events go.
pub(super) struct Emit<'a> {
    place: &'a Place,
    ts_event: UnixNanos,
    out: &'a mut EventBuffer,
    pub(super) stats: &'a mut FeedStats,
}

impl Emit<'_> {
    #[inline]
    pub(super) fn event(&self, instrument: InstrumentId, action: Action) -> BookEvent {
        self.place.event(self.ts_event, instrument, action)
    }

    #[inline]
    pub(super) fn push(&mut self, event: BookEvent) {
        self.out.push(event);
    }

    /// Where the message came from.
    #[inline]
    pub(super) fn place(&self) -> &Place {
        self.place
    }

    /// Where its events go, for whoever keeps some of them back.
    #[inline]
    pub(super) fn out(&mut self) -> &mut EventBuffer {
        self.out
    }

    /// Whether `instrument` trades from now on.
    pub(super) fn status(&mut self, instrument: InstrumentId, status: TradingStatus) {
        self.push(BookEvent { aux: status as u64, ..self.event(instrument, Action::Status) });
    }

    /// No message was lost, and the book of `instrument` is not whole all the same.
    #[cold]
    pub(super) fn doubt(&mut self, instrument: InstrumentId, cause: GapCause) {
        self.push(self.gap(instrument, cause));
    }

    /// The event that says so.
    pub(super) fn gap(&self, instrument: InstrumentId, cause: GapCause) -> BookEvent {
        BookEvent { qty: Qty(cause as u32), ..self.event(instrument, Action::Gap) }
    }
}

/// Turns the messages of one protocol into events.
pub trait Decoder {
    /// Reads one message, counts it in `stats` and appends its events to `out`: one at most for every ten bytes of the
    /// message, before them a definition, and before the first definition of a feed that was joined in mid-session a gap.
    ///
    /// # Errors
    ///
    /// [`Damage`] when the message cannot be understood, or the part of it behind what was appended; the books that it concerns are
    /// not to be believed any more.
    fn decode(
        &mut self,
        message: &[u8],
        place: &Place,
        out: &mut EventBuffer,
        stats: &mut FeedStats,
    ) -> Result<(), Damage>;

    /// It is `now` on a channel, by the venue's clock: an event that should be over is taken to be, and what was kept of it goes to
    /// `out`. For protocols that tell where events end.
    fn end_overdue(&mut self, _channel: u8, _now: UnixNanos, _out: &mut EventBuffer) {}

    /// The instruments seen so far.
    fn directory(&self) -> &InstrumentDirectory;

    /// A session begins, on the day that began at `midnight`.
    fn begin_session(&mut self, midnight: UnixNanos);
}

/// Why a message was not understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// Its bytes do not follow the protocol.
    Wire(WireError),
    /// A field has a value the protocol does not know.
    Field,
}

impl From<WireError> for Damage {
    #[inline]
    fn from(e: WireError) -> Self {
        Self::Wire(e)
    }
}

/// Whether a feed was heard from the start of its day, on which depends what its deltas are worth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Heard {
    /// Nothing that tells.
    #[default]
    Nothing,
    /// The message that starts the day.
    FromTheStart,
    /// A message that the start of a day comes before, and no start.
    FromTheMiddle,
}

impl Heard {
    /// The feed says something about an instrument that it has not introduced. The first time that this shows a join in
    /// mid-session, it is said to all books.
    #[cold]
    pub(super) fn unintroduced(&mut self, m: &mut Emit<'_>) {
        if *self == Self::Nothing {
            *self = Self::FromTheMiddle;
            m.doubt(InstrumentId::ALL, GapCause::MidSession);
        }
    }
}

/// A gap event for everything on the place's channel. `count` zero says that nobody knows how much is lost.
pub(crate) fn gap_event(
    place: &Place,
    ts_event: UnixNanos,
    first: u64,
    count: u64,
    cause: GapCause,
) -> BookEvent {
    BookEvent {
        order_id: first,
        aux: count,
        qty: Qty(cause as u32),
        ..place.event(ts_event, InstrumentId::ALL, Action::Gap)
    }
}
