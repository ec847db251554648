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

use types::{Action, InstrumentId, UnixNanos};
use wire::mdp3::{self, Message, template};

use super::buffer::EventBuffer;
use super::decoder::{Begin, Damage, Decoder, DecoderSetup, Emit, Heard, Place};
use super::directory::InstrumentDirectory;
use super::held::Held;
use super::spread::Whom;
use crate::config::CHANNELS_MAX;
use crate::stats::FeedStats;
use flow::Statistic;
use securities::Securities;

/// Decoder of one feed whose books are made of price levels.
pub(super) type LevelDecoder = Mdp3Decoder<false>;
/// Decoder of one feed whose books are made of orders.
pub(super) type OrderDecoder = Mdp3Decoder<true>;

/// Decoder of one MDP 3.0 feed; `ORDERS` says what its books are made of.
#[derive(Debug)]
pub struct Mdp3Decoder<const ORDERS: bool> {
    securities: Securities,
    held: Held,
    /// By channel: what was heard of its beginning, and its last packet.
    channels: Box<[(Heard, u64)]>,
}

impl<const ORDERS: bool> Mdp3Decoder<ORDERS> {
    /// A decoder that knows no instrument yet. All its memory is taken here.
    #[must_use]
    pub fn new(setup: &DecoderSetup) -> Self {
        Self {
            securities: Securities::new(setup),
            held: Held::new(CHANNELS_MAX),
            channels: vec![(Heard::Nothing, 0); CHANNELS_MAX].into_boxed_slice(),
        }
    }

    /// Whether books of the channel are whole from their first update on: it was heard from its first packet.
    fn is_whole(&self, channel: u8) -> bool {
        let heard = self.channels.get(usize::from(channel));
        heard.is_some_and(|(heard, _)| *heard == Heard::FromTheStart)
    }

    /// The instrument of an update, which comes on the channel of its updates.
    #[inline]
    fn updated(&mut self, m: &mut Emit<'_>, security_id: i32) -> Option<InstrumentId> {
        let instrument = self.securities.instrument(m, security_id)?;
        let channel = m.place().channel;
        if self.securities.get(instrument).channel != Some(channel) {
            let is_whole = self.is_whole(channel);
            self.securities.adopt(m, instrument, channel, is_whole);
        }
        Some(instrument)
    }

    /// Notes a packet's place. A channel begins with its first packet, and again whenever its numbers do.
    #[inline]
    fn follow(&mut self, begin: &mut Begin<'_>) -> Result<(), Damage> {
        let Place { seq, channel, .. } = *begin.place;
        let Some((_, last)) = self.channels.get_mut(usize::from(channel)) else { return Ok(()) };
        let before = std::mem::replace(last, seq);
        if before != 0 && seq >= before && (seq != 1 || before == 1) {
            return Ok(());
        }
        self.begin_channel(begin, before)
    }

    #[cold]
    fn begin_channel(&mut self, begin: &mut Begin<'_>, before: u64) -> Result<(), Damage> {
        let Place { seq, channel, .. } = *begin.place;
        let heard = if seq == 1 { Heard::FromTheStart } else { Heard::FromTheMiddle };
        if let Some((known, _)) = self.channels.get_mut(usize::from(channel)) {
            *known = heard;
        }
        if before == 0 {
            return Ok(());
        }
        self.held.forget(channel);
        self.securities.restart(channel);
        if seq == 1 {
            let clear = begin.place.event(begin.stats.last_ts(), InstrumentId::ALL, Action::Clear);
            self.securities.spread.say(clear, Whom::Channel(channel), begin.out)?;
        }
        Ok(())
    }

    /// The message is done; its indicator says whether the event is.
    #[inline]
    fn end_message(&mut self, m: &mut Emit<'_>, match_event_indicator: u8) {
        if match_event_indicator & mdp3::END_OF_EVENT != 0 {
            let channel = m.place().channel;
            self.held.end(channel, m.out());
        }
    }
}

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

/// A message's time as events carry it.
#[inline(always)]
fn ts(nanoseconds: u64) -> UnixNanos {
    UnixNanos(nanoseconds)
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
            self.follow(&mut begin)?;
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
}

#[cfg(test)]
mod tests;
