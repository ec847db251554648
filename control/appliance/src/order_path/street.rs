//! The venue at its end of the connection, and the market that its orders meet: the published levels of the books.

use super::firm::price_of;
use anyhow::{Context, Result, ensure};
use simulator::order_entry::{Behaviour, Levels, OuchVersion, Venue, VenueTerms};
use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use types::{Depth, DepthSide, InstrumentId, Symbol, UnixNanos};

/// Who logs in at the venue.
pub(super) const USERNAME: &str = "ACME01";
pub(super) const PASSWORD: &str = "venuepw";

/// The venue's session, in which the gateway's orders have their names.
const SESSION: [u8; 10] = *b"      DEMO";

/// Orders that the venue rejects for reasons of its own, a share of all.
const REJECTS: f64 = 0.03;

/// One book as it was last published.
struct Published {
    symbol: Symbol,
    depth: Depth,
    /// The venue has these levels, less what was taken of them.
    is_shown: bool,
}

/// The venue.
pub(super) struct Street {
    venue: Venue,
    stream: UnixStream,
    books: BTreeMap<InstrumentId, Published>,
}

fn levels(side: &DepthSide) -> Vec<(u64, u32)> {
    side.px.iter().zip(side.qty).map_while(|(px, qty)| Some((price_of(*px)?, qty))).collect()
}

impl Street {
    /// The venue, whose client is at the other end of `stream` from `now` on.
    pub(super) fn new(stream: UnixStream, seed: u64, now: UnixNanos) -> Result<Self> {
        stream.set_nonblocking(true).context("the venue's connection")?;
        let terms = VenueTerms {
            version: OuchVersion::V50,
            username: USERNAME.to_owned(),
            password: PASSWORD.to_owned(),
            session: SESSION,
            behaviour: Behaviour { reject: REJECTS, ..Behaviour::default() },
            seed,
        };
        Ok(Self { venue: Venue::new(&terms, now), stream, books: BTreeMap::new() })
    }

    /// An instrument got its number.
    pub(super) fn define(&mut self, instrument: InstrumentId, symbol: Symbol) {
        self.books.insert(instrument, Published { symbol, depth: Depth::EMPTY, is_shown: false });
    }

    /// The levels of a book.
    pub(super) fn publish(&mut self, instrument: InstrumentId, depth: &Depth) {
        if let Some(book) = self.books.get_mut(&instrument).filter(|book| book.depth != *depth) {
            (book.depth, book.is_shown) = (*depth, false);
        }
    }

    /// The market of an instrument moved: whether orders that rest in it have met it.
    pub(super) fn moved(&mut self, instrument: InstrumentId, now: UnixNanos) -> bool {
        let Some(book) = self.books.get_mut(&instrument) else { return false };
        let rests = self.venue.account().open.values().any(|order| order.symbol == book.symbol.0);
        if rests {
            show(&mut self.venue, book, now);
        }
        rests
    }

    /// Takes what the gateway sent, and answers; whether there was anything of either.
    pub(super) fn turn(&mut self, now: UnixNanos) -> Result<bool> {
        let mut bytes = [0; 4_096];
        let mut busy = false;
        loop {
            match self.stream.read(&mut bytes) {
                Ok(read) => {
                    ensure!(read > 0, "the gateway has left the venue");
                    busy = true;
                    // Whatever comes meets the books as they are published now.
                    self.books.values_mut().for_each(|book| show(&mut self.venue, book, now));
                    self.venue.take(now, &bytes[..read]).context("the venue hangs up")?;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error).context("the venue's connection"),
            }
        }
        let answers = self.venue.answers(now);
        self.stream.write_all(&answers).context("the gateway does not read what the venue says")?;
        Ok(busy || !answers.is_empty())
    }
}

/// Shows the venue a book, where it has another one.
fn show(venue: &mut Venue, book: &mut Published, now: UnixNanos) {
    if !std::mem::replace(&mut book.is_shown, true) {
        let shown = Levels { bids: levels(&book.depth.bids), asks: levels(&book.depth.asks) };
        venue.show(now, book.symbol.0, shown);
    }
}
