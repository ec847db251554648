//! What DEEP 1.0 and TOPS 1.6 share: the securities, and every message but prices.

use types::{Action, BookEvent, EventFlags, InstrumentId, Qty, Symbol, TradingStatus, UnixNanos};
use wire::UnixTimestamp;
use wire::deep10::{self, event, flags, status};

use super::decoder::{Damage, DecoderSetup, Emit, Heard};
use super::directory::InstrumentDirectory;
use super::market_state::MarketStates;
use super::tick::TickSizes;

/// The securities of one IEX feed.
///
/// IEX sends directory entries for the securities it lists only; all others are defined by the first message that names
/// them.
#[derive(Debug)]
pub(super) struct IexSecurities {
    pub(super) directory: InstrumentDirectory,
    states: MarketStates,
    ticks: TickSizes,
    heard: Heard,
}

impl IexSecurities {
    /// None yet. All memory is taken here.
    pub(super) fn new(setup: &DecoderSetup) -> Self {
        let directory = InstrumentDirectory::new(setup.instruments_max);
        let states = MarketStates::new(directory.capacity());
        Self { directory, states, ticks: setup.ticks.clone(), heard: Heard::Nothing }
    }

    /// For feeds whose every quote is whole: the start of the day makes no difference to their books.
    pub(super) fn with_whole_quotes(setup: &DecoderSetup) -> Self {
        Self { heard: Heard::FromTheStart, ..Self::new(setup) }
    }

    /// A session begins, and its start was not heard yet.
    pub(super) fn begin_session(&mut self) {
        self.heard = Heard::Nothing;
    }

    /// The instrument of that name, defined if need be; `None` when the directory is full.
    #[inline]
    pub(super) fn instrument(&mut self, m: &mut Emit<'_>, symbol: [u8; 8]) -> Option<InstrumentId> {
        match self.directory.find(Symbol(symbol)) {
            Some(known) => Some(known),
            None => self.define(m, Symbol(symbol), 0),
        }
    }

    /// Numbers `symbol` if it has no number yet, and says so. A round lot of 0 is unknown.
    #[cold]
    fn define(&mut self, m: &mut Emit<'_>, symbol: Symbol, round_lot: u32) -> Option<InstrumentId> {
        let Some(instrument) = self.directory.resolve(symbol, None) else {
            m.stats.directory_full += 1;
            return None;
        };
        // Levels that were shown before the join and did not change since are missing.
        self.heard.unintroduced(m);
        let tick = self.ticks.of(symbol);
        m.push(BookEvent {
            order_id: symbol.to_word(),
            aux: u64::from(round_lot),
            px: tick.px,
            qty: Qty(tick.table.0.into()),
            ..m.event(instrument, Action::Define)
        });
        Some(instrument)
    }

    pub(super) fn security(&mut self, m: &mut Emit<'_>, entry: &deep10::SecurityDirectory) {
        self.define(m, Symbol(entry.symbol), entry.round_lot_size.get());
    }

    pub(super) fn trade(&mut self, m: &mut Emit<'_>, report: &deep10::TradeReport) {
        let Some(instrument) = self.instrument(m, report.symbol) else { return };
        let cross = report.sale_conditions.0 & flags::SINGLE_PRICE_CROSS != 0;
        let kind = if cross { EventFlags::CROSS } else { EventFlags::NONE };
        m.push(BookEvent {
            px: report.price.px(),
            qty: Qty(report.size.get()),
            aux: report.trade_id.get(),
            flags: EventFlags::LAST.with(EventFlags::SIDELESS).with(kind),
            ..m.event(instrument, Action::Trade)
        });
    }

    pub(super) fn trade_break(&mut self, m: &mut Emit<'_>, broken: &deep10::TradeBreak) {
        let Some(instrument) = self.instrument(m, broken.symbol) else { return };
        m.push(BookEvent {
            px: broken.price.px(),
            qty: Qty(broken.size.get()),
            aux: broken.trade_id.get(),
            ..m.event(instrument, Action::TradeBreak)
        });
    }

    pub(super) fn status(&mut self, m: &mut Emit<'_>, update: &deep10::TradingStatus) -> Result<(), Damage> {
        let status = match update.status {
            status::HALTED => TradingStatus::Halted,
            status::ORDER_ACCEPTANCE | status::PAUSED => TradingStatus::Paused,
            status::TRADING => TradingStatus::Trading,
            _ => return Err(Damage::Field),
        };
        if let Some(instrument) = self.instrument(m, update.symbol) {
            let status = self.states.status(instrument, status);
            m.status(instrument, status);
        }
        Ok(())
    }

    /// IEX alone stops a security, or lets it go on.
    pub(super) fn operational_halt(
        &mut self,
        m: &mut Emit<'_>,
        halt: &deep10::OperationalHalt,
    ) -> Result<(), Damage> {
        let stopped = match halt.status {
            OPERATIONALLY_HALTED => true,
            NOT_OPERATIONALLY_HALTED => false,
            _ => return Err(Damage::Field),
        };
        // One that nobody named yet is told of when it is stopped, since its first status may come later.
        let instrument =
            if stopped { self.instrument(m, halt.symbol) } else { self.directory.find(Symbol(halt.symbol)) };
        if let Some(instrument) = instrument
            && let Some(status) = self.states.stop_here(instrument, stopped)
        {
            m.status(instrument, status);
        }
        Ok(())
    }

    /// An auction that takes place only while a security does not trade: it trades again with its next trading status. Those
    /// of opening and closing are announced while it does.
    pub(super) fn auction(&mut self, m: &mut Emit<'_>, auction: &deep10::AuctionInformation) {
        if matches!(auction.auction_type, AUCTION_HALT | AUCTION_INITIAL | AUCTION_VOLATILITY)
            && let Some(instrument) = self.instrument(m, auction.symbol)
            && let Some(status) = self.states.auction(instrument)
        {
            m.status(instrument, status);
        }
    }

    /// The first and the last message of a session; the phases between them change no book.
    pub(super) fn system_event(&mut self, m: &mut Emit<'_>, message: &deep10::SystemEvent) {
        let action = match message.event {
            event::START_OF_MESSAGES => {
                self.states.clear();
                self.heard = Heard::FromTheStart;
                Action::Clear
            }
            event::END_OF_MESSAGES => Action::SessionEnd,
            _ => Action::Time,
        };
        m.push(m.event(InstrumentId::ALL, action));
    }
}

/// Reads a message of either protocol: by `$own` what is its own, by the securities what both have. A macro, since a match on
/// the decoded message after the one on its type byte would be a second jump.
macro_rules! read_message {
    (
        $securities:expr, $begin:ident, $message:expr,
        own { $( $own:pat => $does:expr, )+ }
        counted { $( $counted:ident ),+ }
    ) => {
        match $message {
            $( $own => $does, )+
            Msg::TradeReport(t) => {
                $securities.trade(&mut $begin.message(deep10::TradeReport::TYPE, ts(t.timestamp)), t);
                Ok(())
            }
            Msg::TradeBreak(b) => {
                $securities.trade_break(&mut $begin.message(deep10::TradeBreak::TYPE, ts(b.timestamp)), b);
                Ok(())
            }
            Msg::TradingStatus(h) => {
                $securities.status(&mut $begin.message(deep10::TradingStatus::TYPE, ts(h.timestamp)), h)
            }
            Msg::SecurityDirectory(d) => {
                let m = &mut $begin.message(deep10::SecurityDirectory::TYPE, ts(d.timestamp));
                $securities.security(m, d);
                Ok(())
            }
            Msg::OperationalHalt(o) => {
                let m = &mut $begin.message(deep10::OperationalHalt::TYPE, ts(o.timestamp));
                $securities.operational_halt(m, o)
            }
            Msg::AuctionInformation(a) => {
                let m = &mut $begin.message(deep10::AuctionInformation::TYPE, ts(a.timestamp));
                $securities.auction(m, a);
                Ok(())
            }
            // They say nothing about a book.
            $( Msg::$counted(n) => {
                $begin.counted(deep10::$counted::TYPE, ts(n.timestamp));
                Ok(())
            } )+
            Msg::Other(message_type) => {
                $begin.unknown(message_type);
                Ok(())
            }
        }
    };
}
pub(super) use read_message;

/// Codes of `OperationalHalt::status` ("Operational Halt Status Message").
const OPERATIONALLY_HALTED: u8 = b'O';
const NOT_OPERATIONALLY_HALTED: u8 = b'N';
/// Codes of `AuctionInformation::auction_type` ("Auction Information Message").
const AUCTION_HALT: u8 = b'H';
const AUCTION_INITIAL: u8 = b'I';
const AUCTION_VOLATILITY: u8 = b'V';

/// A message's time as events carry it.
#[inline(always)]
pub(super) fn ts(timestamp: UnixTimestamp) -> UnixNanos {
    UnixNanos(timestamp.ns())
}
