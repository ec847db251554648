//! The instruments of the files, by Databento's numbers, and the change of each that waits for the end of its event.

use std::collections::HashMap;

use dbn::{InstrumentDefMsg, Metadata, PitSymbolMap};
use types::{Action, BookEvent, EventFlags, GapCause, InstrumentId, Px, Qty, Symbol, TradingStatus};

use crate::config::FeedConfig;
use crate::decode::{EventBuffer, InstrumentDirectory, TickSize, TickSizes};

/// One instrument.
struct Instrument {
    id: InstrumentId,
    /// Its last change, which is the last of its event unless another follows.
    held: Option<BookEvent>,
    /// It may lack something, and was said to.
    is_doubted: bool,
}

/// All of them.
pub(super) struct Instruments {
    pub(super) directory: InstrumentDirectory,
    /// None of one that found no room.
    by_number: HashMap<u32, Option<Instrument>>,
    names: PitSymbolMap,
    ticks: TickSizes,
    defined: HashMap<u32, (Option<Symbol>, Px)>,
    /// Numbers whose last change is to be sent off at the end.
    flushed: Option<Vec<u32>>,
}

/// How a book begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Begin {
    /// What follows says all of it.
    Whole,
    /// Something was before that nothing tells.
    MidSession,
}

impl Instruments {
    pub(super) fn new(config: &FeedConfig) -> Self {
        Self {
            directory: InstrumentDirectory::new(config.instruments_max),
            by_number: HashMap::new(),
            names: PitSymbolMap::new(),
            ticks: config.ticks.clone(),
            defined: HashMap::new(),
            flushed: None,
        }
    }

    /// Takes the names that a file gives to numbers on its first day.
    ///
    /// # Errors
    ///
    /// What is wrong with them.
    pub(super) fn note_names(&mut self, metadata: &Metadata) -> dbn::Result<()> {
        let names = metadata.symbol_map_for_date(metadata.start().date())?;
        for (&number, name) in names.inner() {
            self.names.inner_mut().insert(number, name.clone());
        }
        Ok(())
    }

    /// Takes what a definition says, which holds from the instrument's next record on.
    pub(super) fn note_definition(&mut self, definition: &InstrumentDefMsg) {
        let symbol = definition.raw_symbol().ok().and_then(Symbol::new);
        let tick = Px(definition.min_price_increment);
        let tick = if tick.is_some() && tick.0 > 0 { tick } else { Px::NONE };
        self.defined.insert(definition.hd.instrument_id, (symbol, tick));
    }

    /// The instrument of a number; it is introduced by `event` when it is new, and then begins as `begin` says. `None` where there is no
    /// room for it.
    pub(super) fn find(
        &mut self,
        number: u32,
        begin: Begin,
        event: &BookEvent,
        out: &mut EventBuffer,
    ) -> Option<InstrumentId> {
        if let Some(known) = self.by_number.get(&number) {
            return known.as_ref().map(|known| known.id);
        }
        let introduced = self.introduce(number, begin, event, out);
        self.by_number.insert(number, introduced);
        self.find(number, begin, event, out)
    }

    fn introduce(
        &mut self,
        number: u32,
        begin: Begin,
        event: &BookEvent,
        out: &mut EventBuffer,
    ) -> Option<Instrument> {
        let (defined, tick) = self.defined.get(&number).copied().unwrap_or((None, Px::NONE));
        let mapped = self.names.get(number).and_then(|name| Symbol::new(name));
        // A parent or a continuous contract is one name of several numbers, and no number's.
        let is_free = |symbol: &Symbol| self.directory.find(*symbol).is_none();
        let symbol = defined.or(mapped).filter(is_free).or_else(|| numbered(number))?;
        let id = self.directory.resolve(symbol, None)?;
        let configured = self.ticks.of(symbol);
        let TickSize { px, table } =
            if configured.px.is_some() { configured } else { TickSize::uniform(tick) };
        let of = |action| BookEvent { instrument: id, action, flags: EventFlags::LAST, ..*event };
        out.push(BookEvent {
            order_id: symbol.to_word(),
            px,
            qty: Qty(table.0.into()),
            ..of(Action::Define)
        });
        out.push(match begin {
            Begin::Whole => of(Action::Clear),
            Begin::MidSession => BookEvent { qty: Qty(GapCause::MidSession as u32), ..of(Action::Gap) },
        });
        out.push(BookEvent { aux: TradingStatus::Trading as u64, ..of(Action::Status) });
        Some(Instrument { id, held: None, is_doubted: false })
    }

    /// Whether an instrument of this number was introduced.
    pub(super) fn knows(&self, number: u32) -> bool {
        matches!(self.by_number.get(&number), Some(Some(_)))
    }

    /// Takes a change: the one before it of the same instrument is not the last of its event.
    pub(super) fn hold(&mut self, number: u32, event: BookEvent, out: &mut EventBuffer) {
        let Some(Some(instrument)) = self.by_number.get_mut(&number) else { return };
        if let Some(before) = instrument.held.replace(event) {
            out.push(before);
        }
    }

    /// The instrument's event is over: its last change says so.
    pub(super) fn end(&mut self, number: u32, out: &mut EventBuffer) {
        let Some(Some(instrument)) = self.by_number.get_mut(&number) else { return };
        if let Some(last) = instrument.held.take() {
            out.push(BookEvent { flags: last.flags.with(EventFlags::LAST), ..last });
        }
    }

    /// The records say that the book may lack something; told once, until it is whole again.
    pub(super) fn doubt(&mut self, number: u32, event: &BookEvent, out: &mut EventBuffer) {
        let Some(Some(instrument)) = self.by_number.get_mut(&number) else { return };
        if !std::mem::replace(&mut instrument.is_doubted, true) {
            let (instrument, flags) = (instrument.id, EventFlags::LAST);
            let qty = Qty(GapCause::Sequence as u32);
            out.push(BookEvent { instrument, action: Action::Gap, qty, flags, ..*event });
        }
    }

    /// The book is whole.
    pub(super) fn restore(&mut self, number: u32) {
        if let Some(Some(instrument)) = self.by_number.get_mut(&number) {
            instrument.is_doubted = false;
        }
    }

    /// Sends off one last change of those whose event never ended; false when there is none.
    pub(super) fn flush_one(&mut self, out: &mut EventBuffer) -> bool {
        let waits = |(number, held): (&u32, &Option<Instrument>)| {
            held.as_ref().and_then(|instrument| instrument.held.is_some().then_some(*number))
        };
        let by_number = &self.by_number;
        let left = self.flushed.get_or_insert_with(|| {
            let mut left: Vec<_> = by_number.iter().filter_map(waits).collect();
            left.sort_unstable_by(|a, b| b.cmp(a));
            left
        });
        let Some(number) = left.pop() else { return false };
        self.end(number, out);
        true
    }
}

/// The name of an instrument that has none of eight letters: its number, in base 16 where it is longer than that.
fn numbered(number: u32) -> Option<Symbol> {
    Symbol::new(&format!("#{number}")).or_else(|| Symbol::new(&format!("{number:08X}")))
}
