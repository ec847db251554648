//! Snapshots: whole books, and which packet of the incremental channel they stand behind.
//!
//! Source: CME Group Client Systems Wiki, "MDP 3.0 - Market Recovery". A snapshot that is behind what the incremental channel has
//! brought is no news. One that is ahead of it is not believed, since nothing says that it is of the same day: the next round is
//! not ahead any more. Only before anything came of the incremental channel there is no evidence against it; it is taken then,
//! updates that it has already are let go as they come ([`Securities::note`]), and a channel that turns out to be far behind it
//! refutes it ([`Securities::adopt`]).

use types::{Action, BookEvent, EventFlags, GapCause, InstrumentId, Px, Qty, Side};
use wire::mdp3::{self, Dimension, Layout, Message};

use super::flow::{side_of, size32, size64};
use super::reference::status_of;
use super::state::{Mdp3Decoder, ts};
use crate::decode::decoder::{Begin, Damage, Emit};
use crate::decode::spread::Whom;

/// One level of a snapshot, whatever entry told it.
#[derive(Clone, Copy)]
pub(super) struct SnapshotLevel {
    price: i64,
    size: Option<Qty>,
    level: u8,
    kind: u8,
}

impl From<&mdp3::SnapshotEntry> for SnapshotLevel {
    fn from(e: &mdp3::SnapshotEntry) -> Self {
        Self { price: e.price.get(), size: size32(e.size.get()), level: e.level, kind: e.entry_type }
    }
}

impl From<&mdp3::SnapshotEntryLong> for SnapshotLevel {
    fn from(e: &mdp3::SnapshotEntryLong) -> Self {
        Self { price: e.price.get(), size: size64(e.size.get()), level: e.level, kind: e.entry_type }
    }
}

impl<const ORDERS: bool> Mdp3Decoder<ORDERS> {
    /// A snapshot of price levels.
    #[cold]
    pub(super) fn snapshot<T>(&mut self, begin: Begin<'_>, message: &Message<'_>) -> Result<(), Damage>
    where
        T: Layout,
        for<'a> SnapshotLevel: From<&'a T>,
    {
        let root: &mdp3::Snapshot = message.root()?;
        let entries = message.groups().next::<T>(Dimension::Short)?;
        let m = &mut begin.message(message.type_byte(), ts(root.transact_time.get()));
        let status = status_of(root.trading_status)?;
        let Some(instrument) = self.securities.instrument(m, root.security_id.get()) else { return Ok(()) };
        let last = u64::from(root.last_sequence.get());
        if ORDERS || !self.takes_snapshot(instrument, last) {
            return Ok(());
        }
        self.begin_snapshot(m, instrument);
        for level in entries.map(SnapshotLevel::from) {
            self.restore(m, instrument, &level, message.price_unit())?;
        }
        // Not before: one that cannot be read to its end is none, and the next one of the same packet is as good as any.
        let security = self.securities.get(instrument);
        (security.covered, security.rpt_seq) = (Some(last), root.rpt_seq.get());
        let channel = m.place().channel;
        self.held.end(channel, m.out());
        if let Some(status) = status {
            let event = BookEvent { aux: status as u64, ..m.event(instrument, Action::Status) };
            self.securities.spread.say(event, Whom::One(instrument), m.out())?;
        }
        Ok(())
    }

    /// Whether a snapshot that stands behind packet `last` is at least as new as the book, and no newer than what was heard.
    fn takes_snapshot(&mut self, instrument: InstrumentId, last: u64) -> bool {
        let shown = self.shown(instrument);
        let security = self.securities.get(instrument);
        let is_evident = shown == 0 || last <= shown;
        // What an earlier one claimed is no reason against one that there is evidence for.
        let is_news =
            security.covered.is_none_or(|covered| last > covered || (shown != 0 && covered > shown));
        is_evident && is_news && last >= security.last_seq
    }

    fn begin_snapshot(&mut self, m: &mut Emit<'_>, instrument: InstrumentId) {
        self.held.release(instrument, m.out());
        self.securities.get(instrument).ladder.clear();
        let flags = EventFlags::LAST.with(EventFlags::SNAPSHOT);
        m.push(BookEvent { flags, ..m.event(instrument, Action::Clear) });
    }

    fn restore(
        &mut self,
        m: &mut Emit<'_>,
        instrument: InstrumentId,
        level: &SnapshotLevel,
        unit: i64,
    ) -> Result<(), Damage> {
        let Some(side) = side_of(level.kind) else { return Ok(()) };
        let security = self.securities.get(instrument);
        let px = security.scale.px(level.price, unit).filter(|px: &Px| px.is_some()).ok_or(Damage::Field)?;
        security.ladder.restore(side, level.level, px)?;
        let event =
            BookEvent { px, qty: level.size.ok_or(Damage::Field)?, ..m.event(instrument, Action::LevelSet) };
        self.hold_snapshot(m, event, side);
        Ok(())
    }

    fn hold_snapshot(&mut self, m: &mut Emit<'_>, event: BookEvent, side: Side) {
        self.held.hold(BookEvent { side, flags: EventFlags::SNAPSHOT, ..event }, m.out());
    }

    /// A part of a snapshot of orders. Parts of one snapshot follow each other, and nothing of the book changes between them, or the
    /// book is doubted until the next.
    #[cold]
    pub(super) fn order_snapshot(&mut self, begin: Begin<'_>, message: &Message<'_>) -> Result<(), Damage> {
        let root: &mdp3::OrderSnapshot = message.root()?;
        let entries = message.groups().next::<mdp3::OrderSnapshotEntry>(Dimension::Short)?;
        let m = &mut begin.message(message.type_byte(), ts(root.transact_time.get()));
        let Some(instrument) = self.securities.instrument(m, root.security_id.get()) else { return Ok(()) };
        let (last, chunk) = (u64::from(root.last_sequence.get()), root.chunk.get());
        if !ORDERS || !self.takes_part(m, instrument, (last, chunk)) {
            return Ok(());
        }
        if chunk == 1 {
            self.begin_snapshot(m, instrument);
        }
        let is_over = chunk >= root.chunks.get();
        let security = self.securities.get(instrument);
        // Until it is read to its end, this part is none.
        security.part = None;
        let scale = security.scale;
        for entry in entries {
            let side = side_of(entry.entry_type).ok_or(Damage::Field)?;
            let px = scale.px(entry.price.get(), message.price_unit()).filter(|px: &Px| px.is_some());
            let qty = size32(entry.display_qty.get()).filter(|qty| qty.0 > 0).ok_or(Damage::Field)?;
            let (px, order_id) = (px.ok_or(Damage::Field)?, entry.order_id.get());
            let event = BookEvent { px, qty, order_id, ..m.event(instrument, Action::OrderAdd) };
            self.hold_snapshot(m, event, side);
        }
        let security = self.securities.get(instrument);
        security.part = (!is_over).then_some((last, chunk.saturating_add(1)));
        if is_over {
            security.covered = Some(last);
            let channel = m.place().channel;
            self.held.end(channel, m.out());
        }
        Ok(())
    }

    /// Whether a part of a snapshot of orders is the one to take: the first of a newer one, or the next of the one under way.
    fn takes_part(&mut self, m: &mut Emit<'_>, instrument: InstrumentId, part: (u64, u32)) -> bool {
        let under_way = self.securities.get(instrument).part;
        let is_newer = self.takes_snapshot(instrument, part.0);
        if is_newer && (part.1 == 1 || under_way == Some(part)) {
            return true;
        }
        if under_way.is_some() {
            // What was taken of it is half a book.
            self.securities.get(instrument).part = None;
            self.held.release(instrument, m.out());
            m.doubt(instrument, GapCause::Sequence);
        }
        false
    }
}
