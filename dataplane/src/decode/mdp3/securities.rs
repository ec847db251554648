//! The instruments of one CME feed, by the numbers that messages name them by.

use types::{Action, BookEvent, EventFlags, GapCause, InstrumentId, Px, Qty, Symbol, TickTableId};

use super::ladder::{DEPTH_MAX, Ladder};
use super::scale::Scale;
use crate::decode::decoder::{DecoderSetup, Emit};
use crate::decode::directory::InstrumentDirectory;
use crate::decode::numbers::NumberMap;
use crate::decode::spread::{Member, Spread};
use crate::decode::tick::{TickSize, TickSizes};

/// Packets that a snapshot may be ahead of the first update of its instrument: what an incremental channel may be behind when
/// both are joined.
const AHEAD_MAX: u64 = 1_024;

/// What is known of one instrument.
#[derive(Clone, Copy, Debug)]
pub(super) struct Security {
    pub(super) ladder: Ladder,
    pub(super) scale: Scale,
    /// Number of its last update; 0 before any.
    pub(super) rpt_seq: u32,
    /// Packet of its last update on the incremental channel.
    pub(super) last_seq: u64,
    /// Packet up to which the last snapshot had everything.
    pub(super) covered: Option<u64>,
    /// The snapshot of orders under way: its packet, and the part that comes next.
    pub(super) part: Option<(u64, u32)>,
    /// Levels that its book shows.
    pub(super) depth: usize,
    /// The channel of its updates, once there was one.
    pub(super) channel: Option<u8>,
}

impl Security {
    const UNKNOWN: Self = Self {
        ladder: Ladder::EMPTY,
        scale: Scale::ONE,
        rpt_seq: 0,
        last_seq: 0,
        covered: None,
        part: None,
        depth: DEPTH_MAX,
        channel: None,
    };

    /// Its book is no more, and its updates are numbered anew.
    pub(super) fn restart(&mut self) {
        *self = Self { scale: self.scale, depth: self.depth, channel: self.channel, ..Self::UNKNOWN };
    }
}

/// What a definition says of an instrument.
#[derive(Clone, Copy, Debug)]
pub(super) struct Defined {
    pub(super) security_id: i32,
    pub(super) symbol: Option<Symbol>,
    pub(super) member: Member,
    pub(super) scale: Scale,
    pub(super) tick: Px,
    pub(super) depth: usize,
}

/// What became of the number of an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Numbered {
    /// It is the next one, or the first one heard.
    Next,
    /// A snapshot has it already.
    Known,
    /// Updates before it are lost.
    Lost,
}

/// The instruments of one feed.
#[derive(Debug)]
pub(super) struct Securities {
    pub(super) directory: InstrumentDirectory,
    pub(super) spread: Spread,
    by_id: NumberMap,
    all: Box<[Security]>,
    ticks: TickSizes,
}

impl Securities {
    /// None yet. All memory is taken here.
    pub(super) fn new(setup: &DecoderSetup) -> Self {
        let directory = InstrumentDirectory::new(setup.instruments_max);
        let capacity = directory.capacity();
        Self {
            directory,
            spread: Spread::new(capacity),
            by_id: NumberMap::new(capacity),
            all: vec![Security::UNKNOWN; capacity].into_boxed_slice(),
            ticks: setup.ticks.clone(),
        }
    }

    #[inline]
    pub(super) fn get(&mut self, instrument: InstrumentId) -> &mut Security {
        &mut self.all[instrument.index()]
    }

    /// The instruments of a channel begin anew.
    pub(super) fn restart(&mut self, channel: u8) {
        for instrument in self.spread.of_channel(channel) {
            self.all[instrument.index()].restart();
        }
    }

    /// The instrument of that number; one that no definition named goes by its number until one does. `None` when the directory
    /// is full.
    #[inline]
    pub(super) fn instrument(&mut self, m: &mut Emit<'_>, id: i32) -> Option<InstrumentId> {
        match self.by_id.find(key_of(id)) {
            Some(number) => Some(InstrumentId(number)),
            None => self.unnamed(m, id),
        }
    }

    #[cold]
    fn unnamed(&mut self, m: &mut Emit<'_>, id: i32) -> Option<InstrumentId> {
        let symbol = name_of(id);
        let instrument = self.enter(m, id, symbol)?;
        self.spread.enrol(instrument, Member::default());
        self.introduce(m, instrument, symbol, self.ticks.of(symbol), EventFlags::MAYBE_BAD_BOOK);
        Some(instrument)
    }

    /// The updates of an instrument come on `channel`: its first one came. Where all of the channel was heard, its book is whole:
    /// there was none before.
    #[cold]
    pub(super) fn adopt(&mut self, m: &mut Emit<'_>, instrument: InstrumentId, channel: u8, is_whole: bool) {
        self.spread.enrol(instrument, Member { channel, ..self.spread.member(instrument) });
        let security = &mut self.all[instrument.index()];
        security.channel = Some(channel);
        let furthest = m.place().seq.saturating_add(AHEAD_MAX);
        if security.covered.is_some_and(|covered| covered > furthest) {
            // The snapshot counts other packets: of another day, or before the numbers began again.
            security.restart();
            m.doubt(instrument, GapCause::MidSession);
            return;
        }
        if is_whole && security.rpt_seq == 0 && security.covered.is_none() {
            m.push(m.event(instrument, Action::Clear));
        }
    }

    fn enter(&mut self, m: &mut Emit<'_>, id: i32, symbol: Symbol) -> Option<InstrumentId> {
        // A name that another number has stays that number's.
        let is_taken = self.directory.find(symbol).is_some();
        let entered = self.directory.resolve(if is_taken { name_of(id) } else { symbol }, None);
        match entered.filter(|instrument| self.by_id.put(key_of(id), instrument.0)) {
            Some(instrument) => Some(instrument),
            None => {
                m.stats.directory_full += 1;
                None
            }
        }
    }

    /// Says who an instrument is. A book that nobody heard from its beginning is not whole, whatever is known of its instrument.
    fn introduce(
        &self,
        m: &mut Emit<'_>,
        instrument: InstrumentId,
        symbol: Symbol,
        tick: TickSize,
        doubt: EventFlags,
    ) {
        m.push(BookEvent {
            order_id: symbol.to_word(),
            aux: 1,
            px: tick.px,
            qty: Qty(tick.table.0.into()),
            flags: EventFlags::LAST.with(doubt),
            ..m.event(instrument, Action::Define)
        });
    }

    /// Takes a definition in. One that changes the unit of prices empties the book: its levels were told in another.
    pub(super) fn define(&mut self, m: &mut Emit<'_>, defined: &Defined) -> Option<InstrumentId> {
        let id = defined.security_id;
        let symbol = defined.symbol.unwrap_or_else(|| name_of(id));
        let (instrument, is_known) = match self.by_id.find(key_of(id)) {
            Some(number) => (InstrumentId(number), true),
            None => (self.enter(m, id, symbol)?, false),
        };
        // Another number's name stays that number's.
        let name = match self.directory.resolve(symbol, Some(instrument)) {
            Some(named) if named == instrument => symbol,
            _ => self.directory.symbol(instrument).unwrap_or(symbol),
        };
        let channel = self.spread.member(instrument).channel;
        self.spread.enrol(instrument, Member { channel, ..defined.member });
        let tick = match defined.tick {
            px if px.is_some() && px.0 > 0 => TickSize { px, table: TickTableId::NONE },
            _ => self.ticks.of(name),
        };
        let doubt = if is_known { EventFlags::NONE } else { EventFlags::MAYBE_BAD_BOOK };
        self.introduce(m, instrument, name, tick, doubt);
        let security = &mut self.all[instrument.index()];
        let other_unit = is_known && security.scale != defined.scale;
        (security.scale, security.depth) = (defined.scale, defined.depth);
        if other_unit {
            security.restart();
            m.push(m.event(instrument, Action::Clear));
            m.doubt(instrument, GapCause::MidSession);
        }
        Some(instrument)
    }

    /// Notes that update `rpt_seq` of an instrument came in packet `seq`.
    #[inline]
    pub(super) fn note(&mut self, instrument: InstrumentId, rpt_seq: u32, seq: u64) -> Numbered {
        let security = &mut self.all[instrument.index()];
        let before = security.rpt_seq;
        if rpt_seq <= before && security.covered.is_some_and(|covered| seq <= covered) {
            return Numbered::Known;
        }
        security.rpt_seq = rpt_seq;
        security.last_seq = seq;
        if before == 0 || rpt_seq == before.wrapping_add(1) { Numbered::Next } else { Numbered::Lost }
    }
}

fn key_of(id: i32) -> u64 {
    u64::from(id.cast_unsigned())
}

/// The name of an instrument that has none: its number, in digits of base 36 behind a tilde where it has more than eight digits.
fn name_of(id: i32) -> Symbol {
    let mut text = [b' '; 8];
    let mut at = 8;
    let (mut rest, base) = match u32::try_from(id) {
        Ok(small) if small < 100_000_000 => (small, 10),
        _ => (id.cast_unsigned(), 36),
    };
    while at > 0 {
        at -= 1;
        text[at] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"[(rest % base) as usize];
        rest /= base;
        if rest == 0 {
            break;
        }
    }
    if base == 36 && at > 0 {
        at -= 1;
        text[at] = b'~';
    }
    text.rotate_left(at);
    Symbol(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_a_name_that_no_other_number_has() {
        let names = [0, 7, 174_969, 99_999_999, 100_000_000, i32::MAX, -1, i32::MIN]
            .map(|id| name_of(id).to_string());
        assert_eq!(names, ["0", "7", "174969", "99999999", "~1NJCHS", "~ZIK0ZJ", "~1Z141Z3", "~ZIK0ZK"]);
    }
}
