//! FIX 4.4.

use crate::street::{Read, Speech, Turns, now};
use egress::fix::frame::{Framed, frame};
use egress::fix::message::Message;
use egress::fix::write::Writer;
use egress::fix::{AlertTags, CompIds, Gateway, OwnCancels, Setup, Version};
use egress::owner::{Counted, Owner};
use std::net::SocketAddr;
use std::path::Path;

/// The messages of one side.
pub(crate) struct Fix {
    writer: Writer,
    sequence: u64,
}

impl Default for Fix {
    fn default() -> Self {
        Self { writer: Writer::new(), sequence: 0 }
    }
}

/// Who speaks: the firm, or the venue.
const FIRM: (&[u8], &[u8]) = (b"FIRM", b"GATE");
const VENUE: (&[u8], &[u8]) = (b"VENUE", b"US");

impl Fix {
    /// The next message of this side.
    fn message(
        &mut self,
        kind: &[u8],
        (from, to): (&[u8], &[u8]),
        fill: impl FnOnce(&mut Writer),
    ) -> Vec<u8> {
        self.sequence += 1;
        self.writer.begin(kind);
        self.writer.number(34, self.sequence);
        self.writer.text(49, from);
        self.writer.time(52, now());
        self.writer.text(56, to);
        fill(&mut self.writer);
        self.writer.finish(b"FIX.4.4").expect("a short message").to_vec()
    }

    fn logon(&mut self, ids: (&[u8], &[u8])) -> Vec<u8> {
        self.message(b"A", ids, |writer| {
            writer.number(98, 0);
            writer.number(108, 60);
        })
    }

    /// An execution report about the order that `message` speaks of.
    fn report(&mut self, message: &Message<'_>, what: &[u8], id_tag: i32) -> Vec<u8> {
        let execution = self.sequence + 1;
        self.message(b"8", VENUE, |writer| {
            writer.text(37, b"V1");
            writer.text(11, message.get(11).expect("an id"));
            if id_tag == 41 {
                writer.text(41, message.get(41).expect("an order"));
            }
            writer.number(17, execution);
            writer.text(150, what);
            writer.text(39, what);
            writer.text(55, b"I0");
            writer.text(54, b"1");
            writer.number(151, u64::from(what == b"0"));
            writer.number(14, 0);
            writer.number(6, 0);
        })
    }
}

impl Speech for Fix {
    fn login(&mut self) -> Vec<u8> {
        self.logon(FIRM)
    }

    fn is_in(&self, heard: &[u8]) -> bool {
        heard.windows(6).any(|bytes| bytes == b"\x0135=A\x01")
    }

    fn order(&mut self, number: u32) -> Vec<u8> {
        self.message(b"D", FIRM, |writer| {
            writer.number(11, number.into());
            writer.text(21, b"1");
            writer.text(55, b"I0");
            writer.text(54, b"1");
            writer.time(60, now());
            writer.number(38, 1);
            writer.text(40, b"2");
            writer.text(44, b"4.97");
            writer.text(59, b"0");
        })
    }

    fn take(&mut self, input: &[u8], rest: bool, answer: &mut Vec<u8>) -> Option<(usize, Read)> {
        let Framed::Message(length) = frame(input) else { return None };
        let message = Message::parse(&input[..length]).expect("fields");
        let (reply, what) = match message.kind() {
            b"A" => (self.logon(VENUE), Read::Other),
            b"D" => {
                let number =
                    message.number(11).and_then(|number| u32::try_from(number).ok()).expect("a number");
                let what: &[u8] = if rest { b"0" } else { b"4" };
                (self.report(&message, what, 11), Read::Order(number))
            }
            b"F" => (self.report(&message, b"4", 41), Read::Cancel),
            _ => (Vec::new(), Read::Other),
        };
        answer.extend_from_slice(&reply);
        Some((length, what))
    }

    fn gateway(socket: &Path, listen: SocketAddr, venue: SocketAddr, dir: &Path) -> Turns {
        let name = |text: &str| text.parse().expect("a name");
        let own = Counted { strategy: name("s"), account: name("a") };
        let owner = Owner { socket: socket.to_owned(), client: name("c1"), own, others: Vec::new() };
        let ids = |ours: &str, theirs: &str| CompIds { ours: ours.to_owned(), theirs: theirs.to_owned() };
        let setup = Setup {
            version: Version::Fix44,
            listen,
            venue,
            owner,
            firm_ids: ids("GATE", "FIRM"),
            venue_ids: ids("US", "VENUE"),
            heartbeat_s: 60,
            reset_at_venue: false,
            alerts: AlertTags { alert: 8_011, score: None, tier: None },
            cancels: OwnCancels { on_disconnect: false, on_halt: true },
            mass_cancel: false,
            account: "a".to_owned(),
            user_tags: Vec::new(),
            store_dir: dir.to_owned(),
            drop_copy: None,
            copy_in: None,
        };
        let mut gateway = Gateway::open(&setup, now()).expect("a gateway");
        Box::new(move |now| gateway.turn(now))
    }
}
