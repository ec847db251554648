//! CME MDP 3.0 to events: books of price levels, or of orders.
//!
//! A channel tells levels and orders side by side, and a book can be made of either; which one is the feed's choice. Implied levels
//! are counted and kept apart: the books show what rests in the instrument itself. A venue event may take several messages, so each
//! book's last change waits for the end of the event ([`Held`]).

mod flow;
mod ladder;
mod reference;
mod scale;
mod securities;
mod snapshot;
mod state;

use types::{Action, InstrumentId, UnixNanos};
use wire::mdp3::{self, Message, template};

use super::buffer::EventBuffer;
use super::decoder::{Begin, Damage, Decoder, Place};
use super::directory::InstrumentDirectory;
use crate::stats::FeedStats;
use flow::Statistic;
use state::Mdp3Decoder;

/// Decoder of one feed whose books are made of price levels.
pub(super) type LevelDecoder = Mdp3Decoder<false>;
/// Decoder of one feed whose books are made of orders.
pub(super) type OrderDecoder = Mdp3Decoder<true>;

/// Whether a template comes on channels that send the same round again and again, each of which begins with packet 1.
#[inline]
fn is_replayed(template: u16) -> bool {
    matches!(
        template,
        template::SNAPSHOT_38
            | template::SNAPSHOT_52
            | template::SNAPSHOT_LONG_69
            | template::SNAPSHOT_ORDERS_44
            | template::SNAPSHOT_ORDERS_53
    ) || mdp3::Definition::price_fields(template).is_some()
}

impl<const ORDERS: bool> Decoder for Mdp3Decoder<ORDERS> {
    #[inline]
    fn decode(
        &mut self,
        message: &[u8],
        place: &Place,
        out: &mut EventBuffer,
        stats: &mut FeedStats,
    ) -> Result<(), Damage> {
        let message = Message::parse(message)?;
        self.securities.spread.go_on(out);
        let mut begin = Begin { place, out, stats };
        if !is_replayed(message.template()) {
            self.follow(&mut begin);
        }
        let statistic = |security_at| Statistic { security_at };
        match message.template() {
            template::BOOK_32 | template::BOOK_46 => self.book::<mdp3::BookEntry>(begin, &message),
            template::BOOK_LONG_64 => self.book::<mdp3::BookEntryLong>(begin, &message),
            template::ORDER_BOOK_43 | template::ORDER_BOOK_47 => self.order_book(begin, &message),
            template::TRADE_SUMMARY_42 | template::TRADE_SUMMARY_48 => self.trade_summary(begin, &message),
            template::TRADE_SUMMARY_LONG_65 => self.trades::<mdp3::TradeEntryLong>(begin, &message),
            template::TRADE_36 => self.trades::<mdp3::Trade36Entry>(begin, &message),
            template::VOLUME => self.statistics(begin, &message, statistic(4)),
            template::VOLUME_LONG_66 | template::SESSION_STATISTICS_35 | template::SESSION_STATISTICS_51 => {
                self.statistics(begin, &message, statistic(8))
            }
            template::DAILY_STATISTICS_33 | template::DAILY_STATISTICS_49 => {
                self.statistics(begin, &message, statistic(12))
            }
            template::SESSION_STATISTICS_LONG_67 => self.statistics(begin, &message, statistic(16)),
            template::LIMITS_BANDING_34 | template::LIMITS_BANDING_50 => {
                self.statistics(begin, &message, statistic(24))
            }
            template::SNAPSHOT_38 | template::SNAPSHOT_52 => {
                self.snapshot::<mdp3::SnapshotEntry>(begin, &message)
            }
            template::SNAPSHOT_LONG_69 => self.snapshot::<mdp3::SnapshotEntryLong>(begin, &message),
            template::SNAPSHOT_ORDERS_44 | template::SNAPSHOT_ORDERS_53 => {
                self.order_snapshot(begin, &message)
            }
            template::SECURITY_STATUS => self.security_status(begin, &message),
            template::CHANNEL_RESET => self.channel_reset(begin, &message),
            template::HEARTBEAT => {
                let mut m = begin.timeless(message.type_byte());
                m.push(m.event(InstrumentId::ALL, Action::Time));
                Ok(())
            }
            other if mdp3::Definition::price_fields(other).is_some() => self.definition(begin, &message),
            _ => {
                self.counted(begin, &message);
                Ok(())
            }
        }
    }

    fn directory(&self) -> &InstrumentDirectory {
        &self.securities.directory
    }

    /// Times are whole, and a channel's numbers say themselves that they begin again.
    fn begin_session(&mut self, _midnight: UnixNanos) {}

    fn end_overdue(&mut self, channel: u8, now: UnixNanos, out: &mut EventBuffer) {
        self.held.end_overdue(channel, now, out);
    }
}

#[cfg(test)]
mod tests;
