//! What a venue says of many instruments at once, told of each.
//!
//! One message may halt a product group or empty every book of a channel: thousands of events, which no message's length bounds.
//! They take the buffer's spare room; a status that finds none goes on with the next message, in order. What is said of books
//! cannot wait, since the changes of the next message would go before it: without room for all of them, every book is doubted.

use types::{Action, BookEvent, GapCause, InstrumentId, Qty};

use super::buffer::EventBuffer;
use super::decoder::Damage;

/// Announcements that can wait.
const TASKS_MAX: usize = 16;

/// The channel of instruments that have none yet.
pub(super) const NOWHERE: u8 = u8::MAX;

/// What an instrument belongs to; the group and the product are blank where the venue has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) channel: u8,
    pub(super) group: [u8; 6],
    pub(super) product: [u8; 6],
}

/// Who is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whom {
    /// Every instrument of a channel.
    Channel(u8),
    /// Those of a group, and of one product in it unless that is blank.
    Group { group: [u8; 6], product: [u8; 6] },
    /// One.
    One(InstrumentId),
}

impl Default for Member {
    fn default() -> Self {
        Self { channel: NOWHERE, group: [0; 6], product: [0; 6] }
    }
}

impl Whom {
    fn means(self, instrument: InstrumentId, member: &Member) -> bool {
        match self {
            Self::Channel(channel) => member.channel == channel,
            Self::Group { group, product } => {
                member.group == group && (product == [0; 6] || member.product == product)
            }
            Self::One(one) => one == instrument,
        }
    }
}

/// An announcement under way.
#[derive(Clone, Copy, Debug)]
struct Task {
    event: BookEvent,
    whom: Whom,
    /// The instrument to look at next.
    next: usize,
}

/// The instruments and what is being told to them.
#[derive(Debug)]
pub(super) struct Spread {
    members: Vec<Member>,
    tasks: Vec<Task>,
}

impl Spread {
    /// No instrument yet, of at most `instruments_max`. All memory is taken here.
    pub(super) fn new(instruments_max: usize) -> Self {
        Self { members: Vec::with_capacity(instruments_max), tasks: Vec::with_capacity(TASKS_MAX) }
    }

    /// Says what an instrument belongs to.
    pub(super) fn enrol(&mut self, instrument: InstrumentId, member: Member) {
        let known = self.members.len();
        match self.members.get_mut(instrument.index()) {
            Some(old) => *old = member,
            None if instrument.index() == known => self.members.push(member),
            None => {}
        }
    }

    /// What an instrument belongs to.
    pub(super) fn member(&self, instrument: InstrumentId) -> Member {
        self.members.get(instrument.index()).copied().unwrap_or_default()
    }

    /// The instruments of a channel.
    pub(super) fn of_channel(&self, channel: u8) -> impl Iterator<Item = InstrumentId> + '_ {
        let numbered = (0_u32..).zip(&self.members);
        numbered.filter(move |(_, member)| member.channel == channel).map(|(number, _)| InstrumentId(number))
    }

    /// Tells `event`, whose instrument is replaced, to all who are meant: at once as far as there is room.
    pub(super) fn say(&mut self, event: BookEvent, whom: Whom, out: &mut EventBuffer) -> Result<(), Damage> {
        if self.tasks.len() == TASKS_MAX {
            return Err(Damage::Field);
        }
        self.tasks.push(Task { event, whom, next: 0 });
        self.go_on(out);
        Ok(())
    }

    /// Tells `event`, whose instrument is replaced, to the book of every instrument of a channel: to all of them at once or, where
    /// there is no room for that, that no book of the feed can be believed.
    pub(super) fn say_of_books(&self, event: BookEvent, channel: u8, out: &mut EventBuffer) {
        if !out.take_spare(self.of_channel(channel).count()) {
            let (instrument, action, qty) = (InstrumentId::ALL, Action::Gap, Qty(GapCause::RingFull as u32));
            out.push(BookEvent { instrument, action, qty, order_id: 0, aux: 0, ..event });
            return;
        }
        for instrument in self.of_channel(channel) {
            out.push(BookEvent { instrument, ..event });
        }
    }

    /// Goes on with what found no room.
    #[inline]
    pub(super) fn go_on(&mut self, out: &mut EventBuffer) {
        if !self.tasks.is_empty() {
            self.tell(out);
        }
    }

    #[cold]
    fn tell(&mut self, out: &mut EventBuffer) {
        while let Some(task) = self.tasks.first_mut() {
            while let Some(member) = self.members.get(task.next) {
                let instrument = InstrumentId(u32::try_from(task.next).unwrap_or(u32::MAX));
                if task.whom.means(instrument, member)
                    && !out.push_spare(BookEvent { instrument, ..task.event })
                {
                    return;
                }
                task.next += 1;
            }
            self.tasks.remove(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::Action;

    fn spread() -> Spread {
        let mut spread = Spread::new(10);
        for n in 0..10_u32 {
            let member =
                Member { channel: (n % 2) as u8, group: *b"ES\0\0\0\0", product: [b'A' + (n % 3) as u8; 6] };
            spread.enrol(InstrumentId(n), member);
        }
        spread
    }

    fn told(out: &EventBuffer) -> Vec<(u32, Action)> {
        out.pending().iter().map(|e| (e.instrument.0, e.action)).collect()
    }

    #[test]
    fn all_who_are_meant_hear_it_once() {
        let (mut spread, mut out) = (spread(), EventBuffer::with_spare(1, 20));
        let event = BookEvent { action: Action::Status, ..BookEvent::EMPTY };
        spread.say(event, Whom::Channel(1), &mut out).unwrap();
        assert_eq!(told(&out), [1, 3, 5, 7, 9].map(|n| (n, Action::Status)));
        out.advance(5);
        spread.say(event, Whom::Group { group: *b"ES\0\0\0\0", product: *b"BBBBBB" }, &mut out).unwrap();
        assert_eq!(told(&out), [1, 4, 7].map(|n| (n, Action::Status)));
        out.advance(3);
        spread.say(event, Whom::Group { group: *b"NQ\0\0\0\0", product: [0; 6] }, &mut out).unwrap();
        assert!(out.is_empty());
        assert_eq!(spread.of_channel(0).map(|i| i.0).collect::<Vec<_>>(), [0, 2, 4, 6, 8]);
    }

    #[test]
    fn what_finds_no_room_comes_later_and_nothing_overtakes_it() {
        let (mut spread, mut out) = (spread(), EventBuffer::with_spare(1, 3));
        let halted = BookEvent { action: Action::Status, ..BookEvent::EMPTY };
        spread.say(halted, Whom::Channel(0), &mut out).unwrap();
        assert_eq!(told(&out), [0, 2, 4].map(|n| (n, Action::Status)));
        let closed = BookEvent { action: Action::SessionEnd, ..BookEvent::EMPTY };
        spread.say(closed, Whom::One(InstrumentId(8)), &mut out).unwrap();
        assert_eq!(out.len(), 3, "no room");
        out.advance(3);
        spread.go_on(&mut out);
        assert_eq!(told(&out), [(6, Action::Status), (8, Action::Status), (8, Action::SessionEnd)]);
        let mut full = EventBuffer::with_spare(1, 0);
        for _ in 0..TASKS_MAX {
            spread.say(halted, Whom::Channel(0), &mut full).unwrap();
        }
        assert_eq!(spread.say(halted, Whom::Channel(0), &mut full), Err(Damage::Field));
    }

    #[test]
    fn books_hear_at_once_or_are_doubted_at_once() {
        let (spread, mut out) = (spread(), EventBuffer::with_spare(1, 9));
        let clear = BookEvent { action: Action::Clear, ..BookEvent::EMPTY };
        spread.say_of_books(clear, 1, &mut out);
        assert_eq!(told(&out), [1, 3, 5, 7, 9].map(|n| (n, Action::Clear)));
        spread.say_of_books(clear, 0, &mut out);
        let doubt = out.pending()[5];
        assert_eq!((out.len(), doubt.instrument, doubt.action), (6, InstrumentId::ALL, Action::Gap));
        assert_eq!(doubt.qty, Qty(GapCause::RingFull as u32));
    }
}
