//! From one message of a feed to the events it means for the books.

mod buffer;
mod directory;
mod iex;
mod itch;
mod tick;

pub use buffer::EventBuffer;
pub use directory::{Directory, INSTRUMENTS_MAX};
pub use iex::{IexDecoder, IexFeed};
pub use itch::ItchDecoder;
pub use tick::TickSizes;

use types::{Action, BookEvent, EventFlags, GapCause, InstrumentId, Qty, SeqNo, UnixNanos};
use wire::WireError;

use crate::stats::FeedStats;

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

/// Where one message's events go.
struct Emit<'a> {
    place: &'a Place,
    ts_event: UnixNanos,
    out: &'a mut EventBuffer,
    stats: &'a mut FeedStats,
}

impl Emit<'_> {
    #[inline]
    fn event(&self, instrument: InstrumentId, action: Action) -> BookEvent {
        self.place.event(self.ts_event, instrument, action)
    }

    #[inline]
    fn push(&mut self, event: BookEvent) {
        self.out.push(event);
    }
}

/// Turns the messages of one protocol into events.
pub trait Decoder {
    /// Reads one message, counts it in `stats` and appends its events to `out`: two at most, the first of them a
    /// definition.
    ///
    /// # Errors
    ///
    /// [`Damage`] when the message cannot be understood; nothing was appended, and the books that it concerns are not to
    /// be believed any more.
    fn decode(
        &mut self,
        message: &[u8],
        place: &Place,
        out: &mut EventBuffer,
        stats: &mut FeedStats,
    ) -> Result<(), Damage>;

    /// The instruments seen so far.
    fn directory(&self) -> &Directory;
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
