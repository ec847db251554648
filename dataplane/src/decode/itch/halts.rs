//! The messages that say whether a security trades: trading actions, halts and auctions.

use types::{InstrumentId, Symbol, TradingStatus};
use wire::itch50::{self, state};

use super::ItchDecoder;
use crate::decode::decoder::{Damage, Emit};

/// Our market in operational halts (section 1.2.8).
const MARKET_NASDAQ: u8 = b'Q';

impl ItchDecoder {
    /// A trading action: whether the security trades in any market.
    pub(super) fn status(&mut self, m: &mut Emit<'_>, h: &itch50::StockTradingAction) -> Result<(), Damage> {
        let status = match h.trading_state {
            state::HALTED => TradingStatus::Halted,
            state::PAUSED | state::QUOTATION_ONLY => TradingStatus::Paused,
            state::TRADING => TradingStatus::Trading,
            _ => return Err(Damage::Field),
        };
        if let Some(instrument) = self.named(m, h.locate(), h.stock) {
            let status = self.states.status(instrument, status);
            m.status(instrument, status);
        }
        Ok(())
    }

    /// A halt of NASDAQ alone. Those of its other markets are not ours.
    pub(super) fn operational_halt(
        &mut self,
        m: &mut Emit<'_>,
        h: &itch50::OperationalHalt,
    ) -> Result<(), Damage> {
        let stopped = match h.action {
            state::HALTED => true,
            state::TRADING => false,
            _ => return Err(Damage::Field),
        };
        if h.market_code != MARKET_NASDAQ {
            return Ok(());
        }
        if let Some(instrument) = self.named(m, h.locate(), h.stock)
            && let Some(status) = self.states.stop_here(instrument, stopped)
        {
            m.status(instrument, status);
        }
        Ok(())
    }

    /// What is sent only while a security waits for its auction: it trades again with its next trading action.
    pub(super) fn auction(&mut self, m: &mut Emit<'_>, locate: u16, stock: [u8; 8]) {
        if let Some(instrument) = self.named(m, locate, stock) {
            self.wait_for_auction(m, instrument);
        }
    }

    /// The quoting period before an initial offering (section 1.2.6). It goes by the stock: its locate number may be 0.
    pub(super) fn quoting_period(&mut self, m: &mut Emit<'_>, k: &itch50::IpoQuotingPeriod) {
        if let Some(instrument) = self.directory.find(Symbol(k.stock)) {
            self.wait_for_auction(m, instrument);
        }
    }

    fn wait_for_auction(&mut self, m: &mut Emit<'_>, instrument: InstrumentId) {
        if let Some(status) = self.states.auction(instrument) {
            m.status(instrument, status);
        }
    }

    /// A breach of any level of the market-wide circuit breaker halts all; each security trades again with its next trading
    /// action.
    pub(super) fn market_wide_halt(&mut self, m: &mut Emit<'_>) {
        self.states.halt_all();
        m.status(InstrumentId::ALL, TradingStatus::Halted);
    }
}
