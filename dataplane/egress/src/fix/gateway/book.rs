//! Client order ids of the day: text on both sides of the gateway, numbers at its gate.

use super::order::{Order, client_id};
use crate::fix::message::Message;
use crate::fix::tags;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use types::{Symbol, Tier, UnixNanos};

/// The longest client order id that is taken, in bytes.
pub(super) const TEXT_BYTES_MAX: usize = 47;

/// How the ids of the gateway's own cancels begin.
pub(super) const OWN_CANCEL: &[u8] = b"PC-";

/// The most client order ids of a day, those of cancels among them: their table is made at once, about 42 MB.
const ENTRIES_MAX: usize = 458_752;

/// Orders that are found by their numbers at once: twice as many as a gate has open, in about 9 MB.
const LIVE_MAX: usize = 1 << 17;

/// Symbols of mass cancels that a venue has not answered.
const MASS_CANCELS_MAX: usize = 1_024;

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

    fn bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length)).unwrap_or_default()
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
    /// Whether the id names a request to cancel.
    pub(super) is_cancel: bool,
    /// Side (54), and Symbol (55).
    pub(super) side: u8,
    pub(super) symbol: Symbol,
    /// The tier of its instrument when it was let through.
    pub(super) tier: Tier,
    /// The score behind the tier, in millionths.
    pub(super) score_micros: u32,
}

impl Entry {
    /// Of a request to cancel the order, which the venue has not answered.
    pub(super) const fn cancel(self) -> Self {
        Self { is_replacement: false, is_cancel: true, is_answered: false, ..self }
    }
}

/// Every client order id of the day.
#[derive(Debug)]
pub(super) struct Book {
    entries: HashMap<Text, Entry>,
    /// By their numbers, those that may be open: what is not here is looked for among all.
    live: HashMap<u64, Text>,
    next_id: u64,
    /// The highest number that was given before this process began; 0 for none.
    given_before: u64,
    /// The highest number of an order that was sent to the venue before this process began.
    taken_up: u64,
    /// Mass cancels of the firm's that the venue has not answered: of one symbol or of all, and below which number orders are meant.
    mass_cancels: BTreeMap<Option<Symbol>, u64>,
}

impl Book {
    /// An empty book, whose numbers are those of no order before `now`: they begin with the clock.
    pub(super) fn new(now: UnixNanos) -> Self {
        Self {
            entries: HashMap::with_capacity(ENTRIES_MAX),
            live: HashMap::with_capacity(LIVE_MAX),
            next_id: now.0.max(1),
            given_before: 0,
            taken_up: 0,
            mass_cancels: BTreeMap::new(),
        }
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
                side: order.side.first().copied().unwrap_or(0),
                symbol: order.gate_symbol().unwrap_or(Symbol([b' '; 8])),
                tier: Tier::Normal,
                score_micros: 0,
            };
            self.insert(text, entry);
            self.taken_up = self.taken_up.max(id);
        } else if message.kind() == b"F" {
            self.insert_cancel(text, message.get(tags::ORIG_CL_ORD_ID).unwrap_or_default());
        } else if message.kind() == b"q" && !text.starts_with(OWN_CANCEL) {
            self.note_mass_cancel(message, self.taken_up + 1);
        }
    }

    /// The firm asks for every order numbered below `before`, of a symbol or of all, to be cancelled (MassCancelRequestType, 530: 1, 7). Of what else it may ask for
    /// the gateway knows nothing.
    pub(super) fn note_mass_cancel(&mut self, message: &Message<'_>, before: u64) {
        let of = match message.get(tags::MASS_CANCEL_REQUEST_TYPE) {
            Some(b"7") => None,
            Some(b"1") => match Order::read(message).gate_symbol() {
                Ok(symbol) => Some(symbol),
                Err(_) => return,
            },
            _ => return,
        };
        // A venue that answers none of so many is asked for everything.
        let of = of.filter(|_| self.mass_cancels.len() < MASS_CANCELS_MAX);
        self.mass_cancels.insert(of, before);
    }

    /// The venue has answered a mass cancel: what was asked for before has come there.
    pub(super) fn answer_mass_cancels(&mut self) {
        self.mass_cancels.clear();
    }

    /// Mass cancels that the venue has not answered; they are forgotten here.
    pub(super) fn take_mass_cancels(&mut self) -> BTreeMap<Option<Symbol>, u64> {
        std::mem::take(&mut self.mass_cancels)
    }

    /// A number that no order of the day has.
    pub(super) const fn next_id(&mut self) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        id
    }

    /// The number that the next order has, or one below it: every order before has a smaller one.
    pub(super) const fn numbers_from(&self) -> u64 {
        self.next_id
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
        let Some(text) = Text::new(text).filter(|_| self.has_room()) else { return };
        if !entry.is_cancel && self.live.len() < LIVE_MAX {
            self.live.insert(entry.id, text);
        }
        self.entries.insert(text, entry);
    }

    /// The order is done, as far as its venue says.
    pub(super) fn is_done(&mut self, id: u64) {
        self.live.remove(&id);
    }

    /// The id of a cancel names the order that it cancels, where that is known.
    pub(super) fn insert_cancel(&mut self, text: &[u8], cancelled: &[u8]) {
        if self.get(text).is_none()
            && let Some(entry) = self.get(cancelled)
        {
            self.insert(text, entry.cancel());
        }
    }

    /// The numbers of orders that may be open, with what is known of them: all but few of those that are.
    pub(super) fn live(&self) -> impl Iterator<Item = Entry> {
        self.live.values().filter_map(|text| self.entries.get(text).copied())
    }

    /// Every order of the day by its client order id.
    pub(super) fn orders(&self) -> impl Iterator<Item = (&[u8], &Entry)> {
        self.entries.iter().filter(|(_, entry)| !entry.is_cancel).map(|(text, entry)| (text.bytes(), entry))
    }

    /// Those of the orders `open` that a cancel names which the venue has not answered. Walks all there is.
    pub(super) fn asked_to_cancel(&self, open: &BTreeSet<u64>) -> BTreeSet<u64> {
        let is_asked = |entry: &&Entry| entry.is_cancel && !entry.is_answered && open.contains(&entry.id);
        let asked = self.entries.values().filter(is_asked);
        asked.map(|entry| entry.id).collect()
    }

    /// The client order ids of the orders `ids`, other than those of cancels.
    pub(super) fn named(&self, ids: &[u64]) -> Vec<(Vec<u8>, Entry)> {
        let by_number = |id: &u64| {
            let text = self.live.get(id)?;
            self.entries.get_key_value(text)
        };
        let mut named: Vec<(&Text, &Entry)> = ids.iter().filter_map(by_number).collect();
        if named.len() < ids.len() {
            let others: BTreeSet<u64> =
                ids.iter().copied().filter(|id| !self.live.contains_key(id)).collect();
            let is_one = |(_, entry): &(&Text, &Entry)| !entry.is_cancel && others.contains(&entry.id);
            named.extend(self.entries.iter().filter(is_one));
        }
        named.iter().map(|(text, entry)| (text.bytes().to_vec(), **entry)).collect()
    }
}
