//! Client order ids of the day: text on both sides of the gateway, numbers at its gate.

use super::order::{Order, client_id};
use crate::fix::message::Message;
use crate::fix::tags;
use std::collections::HashMap;
use types::{Symbol, Tier, UnixNanos};

/// The longest client order id that is taken, in bytes.
pub(super) const TEXT_BYTES_MAX: usize = 47;

/// How the ids of the gateway's own cancels begin.
pub(super) const OWN_CANCEL: &[u8] = b"PC-";

/// The most client order ids of a day, those of cancels among them: their table is made at once, about 42 MB.
const ENTRIES_MAX: usize = 458_752;

/// A client order id as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Text {
    length: u8,
    bytes: [u8; TEXT_BYTES_MAX],
}

impl Text {
    fn new(text: &[u8]) -> Option<Self> {
        let mut bytes = [0; TEXT_BYTES_MAX];
        bytes.get_mut(..text.len())?.copy_from_slice(text);
        Some(Self { length: u8::try_from(text.len()).ok()?, bytes })
    }
}

/// What is known of an order by one of its client order ids.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    /// Its number at the gate.
    pub(super) id: u64,
    /// OrderQty (38) as it was asked for.
    pub(super) qty: u32,
    /// Whether it outlives the day.
    pub(super) is_gtc: bool,
    /// OrdStatus (39) as the venue last said it; `0` before it did.
    pub(super) status: u8,
    /// Whether the venue has said anything of it.
    pub(super) is_answered: bool,
    /// Whether the id names a request to replace.
    pub(super) is_replacement: bool,
    /// Whether the id names a request to cancel, and whether that was the gateway's own.
    pub(super) is_cancel: bool,
    pub(super) is_own_cancel: bool,
    /// Side (54), and Symbol (55).
    pub(super) side: u8,
    pub(super) symbol: Symbol,
    /// The tier of its instrument when it was let through.
    pub(super) tier: Tier,
    /// The score behind the tier, in millionths.
    pub(super) score_micros: u32,
}

/// Every client order id of the day.
#[derive(Debug)]
pub(super) struct Book {
    entries: HashMap<Text, Entry>,
    next_id: u64,
    /// The highest number that was given before this process began; 0 for none.
    given_before: u64,
}

impl Book {
    /// An empty book, whose numbers are those of no order before `now`: they begin with the clock.
    pub(super) fn new(now: UnixNanos) -> Self {
        Self { entries: HashMap::with_capacity(ENTRIES_MAX), next_id: now.0.max(1), given_before: 0 }
    }

    /// Takes up a message that was sent to the venue before this process began: an order or a replacement numbered `id`, or a
    /// cancel.
    pub(super) fn take_up(&mut self, message: &Message<'_>, id: u64) {
        let text = client_id(message);
        if id > 0 {
            let order = Order::read(message);
            let entry = Entry {
                id,
                qty: order.qty.unwrap_or(0),
                is_gtc: order.is_gtc(),
                status: b'0',
                is_answered: false,
                is_replacement: message.kind() == b"G",
                is_cancel: false,
                is_own_cancel: false,
                side: order.side.first().copied().unwrap_or(0),
                symbol: order.gate_symbol().unwrap_or(Symbol([b' '; 8])),
                tier: Tier::Normal,
                score_micros: 0,
            };
            self.insert(text, entry);
        } else if message.kind() == b"F" {
            self.insert_cancel(text, message.get(tags::ORIG_CL_ORD_ID).unwrap_or_default());
        }
    }

    /// A number that no order of the day has.
    pub(super) const fn next_id(&mut self) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        id
    }

    /// A number was given to an order before this process began.
    pub(super) fn note_id(&mut self, id: u64) {
        self.given_before = self.given_before.max(id);
        self.next_id = self.next_id.max(id + 2);
    }

    /// The number that may have been given last before this process began, without anybody having been told.
    pub(super) fn untold_id(&self) -> Option<u64> {
        (self.given_before > 0).then_some(self.given_before + 1)
    }

    /// Whether another client order id can be taken.
    pub(super) fn has_room(&self) -> bool {
        self.entries.len() < ENTRIES_MAX
    }

    pub(super) fn get(&self, text: &[u8]) -> Option<Entry> {
        self.entries.get(&Text::new(text)?).copied()
    }

    pub(super) fn get_mut(&mut self, text: &[u8]) -> Option<&mut Entry> {
        self.entries.get_mut(&Text::new(text)?)
    }

    pub(super) fn insert(&mut self, text: &[u8], entry: Entry) {
        if let Some(text) = Text::new(text).filter(|_| self.has_room()) {
            self.entries.insert(text, entry);
        }
    }

    /// The id of a cancel names the order that it cancels, where that is known.
    pub(super) fn insert_cancel(&mut self, text: &[u8], cancelled: &[u8]) {
        if self.get(text).is_none()
            && let Some(entry) = self.get(cancelled)
        {
            let is_own_cancel = text.starts_with(OWN_CANCEL);
            self.insert(text, Entry { is_replacement: false, is_cancel: true, is_own_cancel, ..entry });
        }
    }

    /// The client order ids of the orders `ids`, other than those of cancels.
    pub(super) fn named(&self, ids: &[u64]) -> Vec<(Vec<u8>, Entry)> {
        let open: std::collections::BTreeSet<_> = ids.iter().copied().collect();
        let wanted = |(text, entry): &(&Text, &Entry)| {
            usize::from(text.length) <= TEXT_BYTES_MAX && !entry.is_cancel && open.contains(&entry.id)
        };
        let named = self.entries.iter().filter(wanted);
        named.map(|(text, entry)| (text.bytes[..usize::from(text.length)].to_vec(), *entry)).collect()
    }
}
