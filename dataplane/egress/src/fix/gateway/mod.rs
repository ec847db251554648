//! The relay: orders of a firm, checked on their way to a venue, and the venue's answers, counted on their way back.

mod answers;
mod book;
mod cause;
mod copied;
mod desk;
mod drop_copy;
mod executions;
mod order;
mod reports;
mod sweep;
mod sweeps;

pub use self::answers::AlertTags;
pub(crate) use self::copied::copied;
pub(crate) use self::desk::{Desk, Gatekeeper, Judgement};
pub(crate) use self::drop_copy::DropCopy;

use self::book::Book;
use self::cause::{Peer, Taken};
use crate::fix::message::Message;
use crate::fix::session::{Application, Config, Core, SendError, Session};
use crate::fix::store::Store;
use std::io;
use std::path::Path;
use types::UnixNanos;

/// Both sessions and what stands between them.
#[derive(Debug)]
pub(crate) struct Relay<G> {
    pub(crate) firm: Session,
    pub(crate) venue: Session,
    pub(crate) desk: Desk<G>,
}

impl<G: Gatekeeper> Relay<G> {
    /// Opens both sessions' stores in the folder `dir`, and takes up what they know: the orders that were sent, and what was read.
    ///
    /// # Errors
    /// The stores'.
    pub(crate) fn open(
        dir: &Path,
        firm: Config,
        venue: Config,
        alerts: AlertTags,
        gate: G,
        now: UnixNanos,
    ) -> io::Result<Self> {
        let mut taken = Taken::default();
        let mut book = Book::new(now);
        let firm_store = Store::open(&dir.join("firm.fixlog"), |cause, _| {
            taken.note(cause.number);
            book.note_id(cause.order);
        })?;
        let venue_store = Store::open(&dir.join("venue.fixlog"), |cause, bytes| {
            taken.note(cause.number);
            book.note_id(cause.order);
            if let Ok(message) = Message::parse(bytes) {
                book.take_up(&message, cause.order);
            }
        })?;
        let version = firm.version;
        let mut firm = Session::new(firm, firm_store);
        let mut venue = Session::new(venue, venue_store);
        for (session, side) in [(&mut firm, Peer::Firm), (&mut venue, Peer::Venue)] {
            let next = taken.next(side, session.core.epoch());
            session.core.skip_to(next)?;
        }
        let mut desk = Desk::new(gate, book, version, alerts);
        desk.give_back_unsent(now);
        Ok(Self { firm, venue, desk })
    }

    /// Takes bytes of the firm's.
    pub(crate) fn receive_from_firm(&mut self, bytes: &[u8], now: UnixNanos) {
        let Self { firm, venue, desk } = self;
        firm.receive(bytes, now, &mut OfFirm { desk, venue: &mut venue.core });
    }

    /// Takes bytes of the venue's.
    pub(crate) fn receive_from_venue(&mut self, bytes: &[u8], now: UnixNanos) {
        let Self { firm, venue, desk } = self;
        venue.receive(bytes, now, &mut OfVenue { desk, firm: &mut firm.core });
    }

    /// Sends the venue the gateway's own cancels that are due.
    ///
    /// # Errors
    /// One could not be kept; it is tried again.
    pub(crate) fn send_sweeps(&mut self, now: UnixNanos) -> Result<(), SendError> {
        self.desk.send_sweeps(&mut self.venue.core, now)
    }

    /// Does what is due on both sessions.
    pub(crate) fn tick(&mut self, now: UnixNanos) {
        let Self { firm, venue, desk } = self;
        firm.tick(now);
        venue.tick(now);
        firm.go_on_resending(now, &mut OfFirm { desk, venue: &mut venue.core });
        // Which orders still count nobody knows without a gate.
        if desk.gate.is_ready() {
            venue.go_on_resending(now, &mut OfVenue { desk, firm: &mut firm.core });
        }
    }
}

/// What the firm's session is for.
struct OfFirm<'a, G> {
    desk: &'a mut Desk<G>,
    venue: &'a mut Core,
}

impl<G: Gatekeeper> Application for OfFirm<'_, G> {
    fn take(&mut self, message: &Message<'_>, firm: &mut Core, now: UnixNanos) -> Result<(), SendError> {
        self.desk.take_order(message, firm, self.venue, now)
    }

    fn may_resend(&mut self, _: &Message<'_>, _: UnixNanos) -> bool {
        true
    }
}

/// What the venue's session is for.
struct OfVenue<'a, G> {
    desk: &'a mut Desk<G>,
    firm: &'a mut Core,
}

impl<G: Gatekeeper> Application for OfVenue<'_, G> {
    fn take(&mut self, message: &Message<'_>, venue: &mut Core, now: UnixNanos) -> Result<(), SendError> {
        self.desk.take_report(message, venue, self.firm, now)
    }

    fn may_resend(&mut self, message: &Message<'_>, now: UnixNanos) -> bool {
        self.desk.may_resend(message, now)
    }
}
