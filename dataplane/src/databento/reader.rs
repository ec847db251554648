//! The records of the files in their order, each to what tells it.

use std::path::{Path, PathBuf};

use dbn::{
    InstrumentDefMsg, MboMsg, Mbp1Msg, Mbp10Msg, Metadata, Record as _, RecordRef, Schema, StatusAction,
    StatusMsg,
};
use types::{Action, BookEvent, EventFlags, InstrumentId, Px, SeqNo, TradingStatus, UnixNanos};

use super::bytes::{DbnFile, Next};
use super::instruments::{Begin, Instruments};
use super::ladder::{self, Ladders};
use super::orders::{self, Orders, Wrong, side_of, trade};
use crate::archive::ArchiveReader;
use crate::config::FeedConfig;
use crate::decode::EventBuffer;
use crate::source::SourceError;
use crate::stats::FeedStats;

/// What reports call records that are no changes of a book; those are called by their letters.
const DEFINITION: u8 = b'D';
const STATUS: u8 = b'S';
const OTHER: u8 = b'O';

/// Reads DBN files.
pub(crate) struct DbnReader {
    /// Those that are still to be read, the next one last.
    files: Vec<PathBuf>,
    file: Option<DbnFile>,
    told: Told,
}

/// What was told so far.
struct Told {
    instruments: Instruments,
    orders: Orders,
    ladders: Ladders,
    /// Records with a letter, a side or a price that their schema does not have.
    bad_fields: u64,
    /// Records of instruments that found no room.
    homeless: u64,
}

impl DbnReader {
    /// Records, by the letter of what they do to an order or a level, or by one of ours.
    pub(crate) const TYPES: &'static [(u8, &'static str)] = &[
        (b'A', "Add"),
        (b'C', "Cancel"),
        (b'M', "Modify"),
        (b'R', "Clear"),
        (b'T', "Trade"),
        (b'F', "Fill"),
        (b'N', "None"),
        (DEFINITION, "Definition"),
        (STATUS, "Status"),
        (OTHER, "OtherRecord"),
    ];

    /// Opens files that are read one after the other.
    ///
    /// # Errors
    ///
    /// [`SourceError`] when one is no DBN file of a schema that has books, definitions or status.
    pub(crate) fn open(
        paths: &[PathBuf],
        config: &FeedConfig,
    ) -> Result<Box<dyn ArchiveReader>, SourceError> {
        for path in paths {
            begin(path)?;
        }
        let told = Told {
            instruments: Instruments::new(config),
            orders: Orders::new(),
            ladders: Ladders::new(),
            bad_fields: 0,
            homeless: 0,
        };
        Ok(Box::new(Self { files: paths.iter().rev().cloned().collect(), file: None, told }))
    }
}

/// Opens a file of a schema that means something here.
fn begin(path: &Path) -> Result<(DbnFile, Metadata), SourceError> {
    let (file, metadata) = DbnFile::open(path)?;
    let known = [Schema::Mbo, Schema::Mbp1, Schema::Mbp10, Schema::Definition, Schema::Status];
    match metadata.schema.filter(|schema| !known.contains(schema)) {
        None => Ok((file, metadata)),
        Some(schema) => {
            Err(file.fault(format!("schema {schema}"), "mbo, mbp-1, mbp-10, definition or status"))
        }
    }
}

impl ArchiveReader for DbnReader {
    fn read_row(&mut self, out: &mut EventBuffer, stats: &mut FeedStats) -> Result<bool, SourceError> {
        loop {
            let Some(file) = &mut self.file else {
                let Some(path) = self.files.pop() else { return Ok(self.told.flush_one(out)) };
                let (file, metadata) = begin(&path)?;
                let named = self.told.instruments.note_names(&metadata);
                named.map_err(|error| file.fault(error.to_string(), "names of instruments"))?;
                self.file = Some(file);
                continue;
            };
            let next = file.advance()?;
            match next {
                Next::Record => {}
                Next::Other => {
                    count_row(stats);
                    stats.note_timeless(OTHER);
                    return Ok(true);
                }
                Next::End => {
                    self.file = None;
                    continue;
                }
                Next::Cut(cut) => {
                    stats.source.cut.get_or_insert_with(|| cut.to_string());
                    self.file = None;
                    continue;
                }
            }
            let Some(record) = file.record() else { continue };
            count_row(stats);
            stats.bytes += record.record_size() as u64;
            let full = self.told.record(record, out, stats);
            return match full {
                Ok(()) => Ok(true),
                Err(TooManyOrders) => Err(file.fault("more orders at once than there is room for", "fewer")),
            };
        }
    }

    fn row_events_max(&self) -> usize {
        // An instrument that is new is introduced by three, and one that is doubted by one.
        ladder::EVENTS_MAX.max(orders::EVENTS_MAX) + 4
    }

    fn added(&self) -> [(&'static str, u64); 2] {
        [("unannounced", self.told.orders.unannounced), ("bad_fields", self.told.bad_fields)]
    }

    fn note(&self, stats: &mut FeedStats) {
        stats.unannounced_orders = self.told.orders.unannounced;
        stats.bad_fields = self.told.bad_fields;
        stats.directory_full = self.told.homeless;
        stats.instruments_beyond = self.told.instruments.directory.beyond();
    }
}

/// There is no room for another order.
struct TooManyOrders;

/// Records are numbered as they come.
fn count_row(stats: &mut FeedStats) {
    stats.packets += 1;
    stats.first_seq = 1;
    stats.last_seq = stats.packets;
}

impl Told {
    /// Sends off one of what waits for the end of an event that never came; false when there is none.
    fn flush_one(&mut self, out: &mut EventBuffer) -> bool {
        if let Some((number, trade)) = self.orders.left() {
            self.instruments.hold(number, trade, out);
            return true;
        }
        self.instruments.flush_one(out)
    }

    fn record(
        &mut self,
        record: RecordRef<'_>,
        out: &mut EventBuffer,
        stats: &mut FeedStats,
    ) -> Result<(), TooManyOrders> {
        let seq = stats.packets;
        let time = |stats: &mut FeedStats, letter: u8, flags: dbn::FlagSet, at: (u64, u64)| {
            let (happened, arrived) = (UnixNanos(at.0), UnixNanos(at.1));
            let ts_recv = if flags.is_bad_ts_recv() { happened } else { arrived };
            stats.event_time.stands_at(ts_recv);
            // Of a snapshot, each record has the time at which its order last changed.
            let ts_event = stats.note_message(letter, if flags.is_snapshot() { ts_recv } else { happened });
            let snapshot = if flags.is_snapshot() { EventFlags::SNAPSHOT } else { EventFlags::NONE };
            BookEvent { ts_event, ts_recv, seq: SeqNo(seq), flags: snapshot, ..BookEvent::EMPTY }
        };
        if let Some(m) = record.get::<MboMsg>() {
            let letter = u8::try_from(m.action).unwrap_or(OTHER);
            let base = time(stats, letter, m.flags, (m.hd.ts_event, m.ts_recv));
            return self.mbo(m, base, out);
        }
        if let Some(m) = record.get::<Mbp1Msg>() {
            let base = time(stats, letter_of(m.action), m.flags, (m.hd.ts_event, m.ts_recv));
            let said = Said { action: m.action, side: m.side, px: Px(m.price), qty: m.size, flags: m.flags };
            self.mbp(m.hd.instrument_id, said, &m.levels, base, out);
        } else if let Some(m) = record.get::<Mbp10Msg>() {
            let base = time(stats, letter_of(m.action), m.flags, (m.hd.ts_event, m.ts_recv));
            let said = Said { action: m.action, side: m.side, px: Px(m.price), qty: m.size, flags: m.flags };
            self.mbp(m.hd.instrument_id, said, &m.levels, base, out);
        } else if let Some(m) = record.get::<InstrumentDefMsg>() {
            stats.note_timeless(DEFINITION);
            self.instruments.note_definition(m);
        } else if let Some(m) = record.get::<StatusMsg>() {
            let base = time(stats, STATUS, dbn::FlagSet::empty(), (m.hd.ts_event, m.ts_recv));
            self.status(m, base, out);
        }
        Ok(())
    }

    fn find(
        &mut self,
        number: u32,
        begin: Begin,
        base: &BookEvent,
        out: &mut EventBuffer,
    ) -> Option<InstrumentId> {
        let found = self.instruments.find(number, begin, base, out);
        self.homeless += u64::from(found.is_none());
        found
    }

    fn mbo(&mut self, m: &MboMsg, base: BookEvent, out: &mut EventBuffer) -> Result<(), TooManyOrders> {
        let number = m.hd.instrument_id;
        let is_clear = letter_of(m.action) == b'R';
        let begin = if is_clear { Begin::Whole } else { Begin::MidSession };
        let Some(instrument) = self.find(number, begin, &base, out) else { return Ok(()) };
        let base = BookEvent { instrument, ..base };
        if is_clear {
            self.instruments.restore(number);
        } else if m.flags.is_maybe_bad_book() {
            self.instruments.doubt(number, &base, out);
        }
        // Of a record of the best price alone, the number is no order's.
        let Self { instruments, orders, .. } = self;
        let done = if m.flags.is_tob() && !is_clear {
            Err(Wrong::Field)
        } else {
            orders.apply(m, base, |event| instruments.hold(number, event, out))
        };
        match done {
            Ok(()) => {}
            Err(Wrong::Field) => self.bad_fields += 1,
            Err(Wrong::TooMany) => return Err(TooManyOrders),
        }
        if m.flags.is_last() {
            if let Some(trade) = self.orders.end(number) {
                self.instruments.hold(number, trade, out);
            }
            self.instruments.end(number, out);
        }
        Ok(())
    }

    fn mbp(
        &mut self,
        number: u32,
        said: Said,
        levels: &[dbn::BidAskPair],
        base: BookEvent,
        out: &mut EventBuffer,
    ) {
        let was_known = self.instruments.knows(number);
        let Some(instrument) = self.find(number, Begin::Whole, &base, out) else { return };
        let base = BookEvent { instrument, ..base };
        let Some(side) = side_of(said.side) else {
            self.bad_fields += 1;
            return;
        };
        let is_new = self.ladders.is_new(number);
        let letter = letter_of(said.action);
        let Self { instruments, ladders, .. } = self;
        // Introduced by its status: what is shown first is all of its book.
        if is_new && was_known {
            instruments.hold(number, BookEvent { action: Action::Clear, ..base }, out);
        }
        if letter == b'T' {
            instruments.hold(number, trade(base, side, said.px, said.qty), out);
        }
        // The first ladder of a book says what was before it, too.
        let of = if is_new || letter == b'T' { (None, Px::NONE) } else { (side, said.px) };
        ladders.show(number, levels, of, base, |event| instruments.hold(number, event, out));
        if said.flags.is_last() {
            instruments.end(number, out);
        }
    }

    fn status(&mut self, m: &StatusMsg, base: BookEvent, out: &mut EventBuffer) {
        let status = match m.action() {
            Ok(StatusAction::Trading) => TradingStatus::Trading,
            Ok(StatusAction::Halt | StatusAction::Suspend) => TradingStatus::Halted,
            Ok(
                StatusAction::PreOpen
                | StatusAction::PreCross
                | StatusAction::Quoting
                | StatusAction::Cross
                | StatusAction::Rotation
                | StatusAction::NewPriceIndication
                | StatusAction::Pause,
            ) => TradingStatus::Paused,
            Ok(
                StatusAction::PreClose
                | StatusAction::Close
                | StatusAction::PostClose
                | StatusAction::NotAvailableForTrading,
            ) => TradingStatus::Closed,
            // Says nothing of trading, or what this build does not know.
            _ => return,
        };
        let number = m.hd.instrument_id;
        let Some(instrument) = self.find(number, Begin::MidSession, &base, out) else { return };
        let event = BookEvent { instrument, action: Action::Status, aux: status as u64, ..base };
        self.instruments.hold(number, event, out);
        self.instruments.end(number, out);
    }
}

/// What a record of levels says of the change itself.
#[derive(Clone, Copy)]
struct Said {
    action: std::ffi::c_char,
    side: std::ffi::c_char,
    px: Px,
    qty: u32,
    flags: dbn::FlagSet,
}

fn letter_of(letter: std::ffi::c_char) -> u8 {
    u8::try_from(letter).unwrap_or(OTHER)
}
