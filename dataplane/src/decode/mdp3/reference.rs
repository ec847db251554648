//! What a channel says about instruments and about itself: definitions, statuses, resets.

use types::{Action, InstrumentId, Px, Symbol, TradingStatus};
use wire::mdp3::{self, Definition, Dimension, Message, status};

use super::ladder::DEPTH_MAX;
use super::scale::Scale;
use super::securities::Defined;
use super::state::{Mdp3Decoder, ts};
use crate::decode::decoder::{Begin, Damage, Emit, Heard};
use crate::decode::spread::{Member, Whom};

/// The feed type of a book without implied levels ("MDFeedType", tag 1022).
const OUTRIGHT_BOOK: [u8; 3] = *b"GBX";

/// What a status means for trading; `None` where it says nothing new.
///
/// # Errors
/// [`Damage::Field`] for a status the protocol does not have.
pub(super) fn status_of(code: u8) -> Result<Option<TradingStatus>, Damage> {
    Ok(Some(match code {
        status::READY_TO_TRADE => TradingStatus::Trading,
        status::HALTED | status::NOT_AVAILABLE => TradingStatus::Halted,
        status::NEW_PRICE_INDICATION | status::PRE_OPEN | status::PRE_CROSS | status::CROSS => {
            TradingStatus::Paused
        }
        status::CLOSE | status::POST_CLOSE => TradingStatus::Closed,
        status::UNKNOWN => TradingStatus::Unknown,
        status::NO_CHANGE | status::NONE => return Ok(None),
        _ => return Err(Damage::Field),
    }))
}

/// Eight bytes from `at` on as a mantissa; none where the block ends before.
fn mantissa(block: &[u8], at: usize) -> i64 {
    let bytes = block.get(at..).and_then(|rest| rest.first_chunk());
    bytes.map_or(mdp3::PRICE_NULL, |bytes| i64::from_le_bytes(*bytes))
}

/// The name of at most eight printable bytes; `None` for a longer one, which goes by its number.
fn symbol_of(text: [u8; 20]) -> Option<Symbol> {
    let end = text.iter().position(|byte| matches!(byte, 0 | b' ')).unwrap_or(text.len());
    core::str::from_utf8(&text[..end]).ok().and_then(Symbol::new)
}

impl<const ORDERS: bool> Mdp3Decoder<ORDERS> {
    /// An instrument and its properties.
    #[cold]
    pub(super) fn definition(&mut self, begin: Begin<'_>, message: &Message<'_>) -> Result<(), Damage> {
        let root: &Definition = message.root()?;
        let (tick_at, factor_at) = Definition::price_fields(message.template()).ok_or(Damage::Field)?;
        let depth = outright_depth(message)?;
        let m = &mut begin.message(message.type_byte(), ts(root.last_update_time.get()));
        let factor = mantissa(message.block(), factor_at).checked_mul(message.price_unit());
        let scale = factor.and_then(Scale::new).ok_or(Damage::Field)?;
        let tick = scale.px(mantissa(message.block(), tick_at), message.price_unit());
        let defined = Defined {
            security_id: root.security_id.get(),
            symbol: symbol_of(root.symbol),
            member: Member { group: root.group, product: root.asset, ..Member::default() },
            scale,
            tick: tick.unwrap_or(Px::NONE),
            depth,
        };
        let is_deleted = root.security_update_action == mdp3::DEFINITION_DELETED;
        let status = if is_deleted { Some(TradingStatus::Closed) } else { status_of(root.trading_status)? };
        let Some(instrument) = self.securities.define(m, &defined) else { return Ok(()) };
        if let Some(status) = status {
            self.tell(m, status, Whom::One(instrument))?;
        }
        Ok(())
    }

    /// The status of an instrument, of a product, or of a group.
    #[cold]
    pub(super) fn security_status(&mut self, begin: Begin<'_>, message: &Message<'_>) -> Result<(), Damage> {
        let root: &mdp3::SecurityStatus = message.root()?;
        let m = &mut begin.message(message.type_byte(), ts(root.transact_time.get()));
        if let Some(status) = status_of(root.trading_status)? {
            let whom = match root.security_id.get() {
                mdp3::INT32_NULL => Some(Whom::Group { group: root.group, product: root.asset }),
                id => self.securities.instrument(m, id).map(Whom::One),
            };
            if let Some(whom) = whom {
                self.tell(m, status, whom)?;
            }
        }
        self.end_message(m, root.match_event_indicator);
        Ok(())
    }

    fn tell(&mut self, m: &mut Emit<'_>, status: TradingStatus, whom: Whom) -> Result<(), Damage> {
        let event = types::BookEvent { aux: status as u64, ..m.event(InstrumentId::ALL, Action::Status) };
        self.securities.spread.say(event, whom, m.out())
    }

    /// Every book of the channel is empty, and what follows builds them anew.
    #[cold]
    pub(super) fn channel_reset(&mut self, begin: Begin<'_>, message: &Message<'_>) -> Result<(), Damage> {
        let root: &mdp3::Refresh = message.root()?;
        let m = &mut begin.message(message.type_byte(), ts(root.transact_time.get()));
        let channel = m.place().channel;
        self.held.end(channel, m.out());
        self.securities.restart(channel);
        if let Some((heard, _)) = self.channels.get_mut(usize::from(channel)) {
            *heard = Heard::FromTheStart;
        }
        let clear = m.event(InstrumentId::ALL, Action::Clear);
        self.securities.spread.say_of_books(clear, channel, m.out());
        Ok(())
    }

    /// A message that says nothing about a book: counted by its template, at its time where it begins with one.
    #[cold]
    pub(super) fn counted(&mut self, begin: Begin<'_>, message: &Message<'_>) {
        let code = message.type_byte();
        if !mdp3::MESSAGE_TYPES.iter().any(|(known, ..)| *known == code) {
            begin.unknown(code);
            return;
        }
        begin.timeless(code);
    }
}

/// Levels that the instrument's own book shows: what its group of feed types says, ten where it says nothing.
///
/// # Errors
/// [`Damage::Wire`] for a group that does not follow the protocol.
fn outright_depth(message: &Message<'_>) -> Result<usize, Damage> {
    let mut groups = message.groups();
    // The first group has the instrument's dates.
    groups.next_at_least::<u8>(Dimension::Short, 0)?;
    let mut feeds = groups.next::<mdp3::FeedType>(Dimension::Short)?;
    let outright = feeds.find(|feed| feed.feed_type == OUTRIGHT_BOOK);
    Ok(outright.map_or(DEPTH_MAX, |feed| usize::from(feed.depth).clamp(1, DEPTH_MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_of_the_schema_has_a_meaning_and_no_other_code_has() {
        let known = [2, 4, 15, 17, 18, 20, 21, 24, 25, 26, 103, 255];
        for code in 0..=u8::MAX {
            assert_eq!(status_of(code).is_ok(), known.contains(&code), "{code}");
        }
        assert_eq!(status_of(17), Ok(Some(TradingStatus::Trading)));
        assert_eq!((status_of(2), status_of(103)), (Ok(Some(TradingStatus::Halted)), Ok(None)));
    }

    #[test]
    fn a_long_name_is_no_symbol() {
        let padded = |text: &str| {
            let mut name = [0; 20];
            name[..text.len()].copy_from_slice(text.as_bytes());
            symbol_of(name).map(|s| s.to_string())
        };
        assert_eq!(padded("ESZ6").as_deref(), Some("ESZ6"));
        assert_eq!(
            (padded("ESZ6-ESH7"), padded(""), padded("UD:1V: GN")),
            (None, None, Some("UD:1V:".into()))
        );
    }
}
