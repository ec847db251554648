//! The venue without sockets and clocks, with one client: for whoever has both sides in one process and a clock of its own.

use super::account::Account;
use super::conversation::{Conversation, Door, HangUp};
use super::exchange::{Behaviour, Exchange};
use super::levels::Levels;
use super::speech::OuchVersion;
use types::UnixNanos;

/// What a venue is, however it is reached.
#[derive(Clone, Debug)]
pub struct VenueTerms {
    /// What it speaks.
    pub version: OuchVersion,
    /// Who may log in.
    pub username: String,
    /// With which password.
    pub password: String,
    /// Its session.
    pub session: [u8; 10],
    /// What becomes of orders.
    pub behaviour: Behaviour,
    /// Of all chance.
    pub seed: u64,
}

impl VenueTerms {
    pub(super) fn exchange(&self) -> Exchange {
        Exchange::new(self.version, self.behaviour, self.seed)
    }

    pub(super) fn door(&self) -> Door {
        let Self { username, password, session, .. } = self;
        Door { username: username.clone(), password: password.clone(), session: *session }
    }
}

/// The venue, and the connection of its one client.
#[derive(Debug)]
pub struct Venue {
    exchange: Exchange,
    door: Door,
    conversation: Conversation,
}

impl Venue {
    /// A venue whose client connects at `now`.
    #[must_use]
    pub fn new(terms: &VenueTerms, now: UnixNanos) -> Self {
        Self { exchange: terms.exchange(), door: terms.door(), conversation: Conversation::new(now) }
    }

    /// Takes what the client has sent, in pieces of any size.
    ///
    /// # Errors
    /// [`HangUp`]: the connection is to end when [`Venue::answers`] has been sent.
    pub fn take(&mut self, now: UnixNanos, bytes: &[u8]) -> Result<(), HangUp> {
        self.conversation.hear(now, bytes, (&mut self.exchange, &self.door))
    }

    /// Sets whom orders in a symbol meet from `now` on; what rests and crosses them trades.
    pub fn show(&mut self, now: UnixNanos, symbol: [u8; 8], levels: Levels) {
        self.exchange.show(now, symbol, levels);
    }

    /// What the client is to be sent by `now`.
    #[must_use]
    pub fn answers(&mut self, now: UnixNanos) -> Vec<u8> {
        self.conversation.speak(now, &self.exchange, || true);
        std::mem::take(&mut self.conversation.output)
    }

    /// What it knows.
    #[must_use]
    pub const fn account(&self) -> &Account {
        &self.exchange.account
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::IntoBytes;
    use wire::ouch50::inbound::{CancelOrder, EnterOrder};
    use wire::soupbin::{self, LoginRequest, Packet, UNSEQUENCED};

    const SECOND: u64 = 1_000_000_000;
    const NOW: UnixNanos = UnixNanos(1_000 * SECOND);

    fn terms() -> VenueTerms {
        VenueTerms {
            version: OuchVersion::V50,
            username: "ACME01".to_owned(),
            password: "secret".to_owned(),
            session: *b"  20261130",
            behaviour: Behaviour::default(),
            seed: 1,
        }
    }

    fn login(password: &[u8; 10], sequence: u64) -> Vec<u8> {
        let mut room = [0; 64];
        let request = LoginRequest::new(*b"ACME01", *password, [b' '; 10], sequence);
        let bytes = soupbin::write_message(request.as_bytes(), &mut room).unwrap();
        room[..bytes].to_vec()
    }

    fn packet(message: &[u8]) -> Vec<u8> {
        let mut room = [0; 128];
        let bytes = soupbin::write(UNSEQUENCED, message, &mut room).unwrap();
        room[..bytes].to_vec()
    }

    fn order(number: u32) -> Vec<u8> {
        let (symbol, text) = (*b"FUTX    ", [b' '; 14]);
        let order = EnterOrder::new(number, b'B', 10, symbol, 1_000_000, b'0', b'Y', b'P', b'N', b'N', text);
        packet(&[order.as_bytes(), &[0, 0]].concat())
    }

    /// Packet types of what the venue sends, and of messages their own type.
    fn heard(mut bytes: &[u8]) -> String {
        let mut all = String::new();
        while let Some((packet, used)) = Packet::parse(bytes, 1_000).unwrap() {
            all.push(char::from(packet.packet_type()));
            if packet.packet_type() == b'S' {
                all.push(char::from(packet.payload()[0]));
            }
            bytes = &bytes[used..];
        }
        all
    }

    /// A day of bytes.
    fn day(pieces: usize) -> Vec<u8> {
        let mut venue = Venue::new(&terms(), NOW);
        venue.show(NOW, *b"FUTX    ", Levels { bids: Vec::new(), asks: vec![(1_000_000, 14)] });
        let sent = [login(b"secret    ", 1), order(1), order(2), packet(CancelOrder::new(2, 0).as_bytes())];
        let mut all = Vec::new();
        for (at, message) in (0..).zip(&sent) {
            let now = UnixNanos(NOW.0 + at);
            message.chunks(pieces).for_each(|piece| venue.take(now, piece).unwrap());
            all.extend(venue.answers(now));
        }
        assert_eq!(venue.account().positions[b"FUTX    "], 14);
        all
    }

    #[test]
    fn the_same_bytes_and_times_make_the_same_bytes_in_pieces_of_any_size() {
        let whole = day(usize::MAX);
        assert_eq!(heard(&whole), "ASASESASESC");
        (1..60).for_each(|pieces| assert_eq!(day(pieces), whole, "{pieces}"));
    }

    #[test]
    fn nothing_is_taken_before_a_login_and_a_bad_one_is_told_why() {
        let mut venue = Venue::new(&terms(), NOW);
        venue.take(NOW, &order(1)).unwrap();
        assert_eq!((venue.answers(NOW), venue.account().taken), (Vec::new(), 0));
        assert_eq!(venue.take(NOW, &login(b"wrong     ", 1)), Err(HangUp::Refused(b'A')));
        assert_eq!(heard(&venue.answers(NOW)), "J");
        assert_eq!(Venue::new(&terms(), NOW).take(NOW, &[0, 0, 7]), Err(HangUp::BadPacket));
    }

    #[test]
    fn a_heartbeat_is_due_by_the_time_that_is_told() {
        let mut venue = Venue::new(&terms(), NOW);
        venue.take(NOW, &login(b"secret    ", 1)).unwrap();
        let later = |ns: u64| UnixNanos(NOW.0 + ns);
        assert_eq!(heard(&venue.answers(NOW)), "A");
        assert_eq!(heard(&venue.answers(later(SECOND))), "");
        assert_eq!(heard(&venue.answers(later(SECOND + 1))), "H");
        assert_eq!(heard(&venue.answers(later(2 * SECOND + 1))), "");
    }
}
