//! OUCH 5.0 over SoupBinTCP.

use crate::street::{Read, Speech, Turns};
use egress::ouch::{Dialect, Gateway, Logins, Network, Setup};
use egress::owner::{Counted, Owner};
use std::net::SocketAddr;
use std::path::Path;
use wire::IntoBytes as _;
use wire::ouch50::inbound::EnterOrder;
use wire::ouch50::outbound::{Accepted, AccountQueryResponse, Canceled, DEAD, LIVE};
use wire::soupbin::{LoginAccepted, LoginRequest, Packet, SEQUENCED, UNSEQUENCED, write, write_message};

/// Who logs in as whom.
const USERNAME: &str = "bench1";
const PASSWORD: &str = "secret";

/// Two cents behind the bid of the first instrument, in 1e-4.
const PRICE: u64 = 49_700;

/// The messages of one side.
#[derive(Default)]
pub(crate) struct Ouch {
    last: u32,
}

fn packet(packet_type: u8, message: &[u8], out: &mut Vec<u8>) {
    let mut room = [0; 200];
    let length = write(packet_type, message, &mut room).expect("room");
    out.extend_from_slice(&room[..length]);
}

fn padded<const N: usize>(text: &str) -> [u8; N] {
    let mut bytes = [b' '; N];
    bytes[..text.len()].copy_from_slice(text.as_bytes());
    bytes
}

impl Ouch {
    /// The answer to a message of the firm's.
    fn answer(&mut self, message: &[u8], rest: bool, out: &mut Vec<u8>) -> Read {
        let number = |at: usize| u32::from_be_bytes(message[at..at + 4].try_into().expect("four bytes"));
        match message[0] {
            b'O' => {
                self.last = number(1);
                let symbol = message[10..18].try_into().expect("eight bytes");
                let state = if rest { LIVE } else { DEAD };
                let (side, text) = (message[5], [b' '; 14]);
                let accepted = Accepted::new(
                    1,
                    self.last,
                    side,
                    number(6),
                    symbol,
                    PRICE,
                    b'0',
                    b'Y',
                    7,
                    b'P',
                    b'N',
                    b'N',
                    state,
                    text,
                );
                packet(SEQUENCED, &[accepted.as_bytes(), &[0, 0]].concat(), out);
                Read::Order(self.last)
            }
            b'X' => {
                packet(SEQUENCED, Canceled::new(1, number(1), 1, b'U').as_bytes(), out);
                Read::Cancel
            }
            b'Q' => {
                packet(SEQUENCED, AccountQueryResponse::new(1, self.last + 1).as_bytes(), out);
                Read::Other
            }
            other => panic!("a message {}", other.escape_ascii()),
        }
    }
}

impl Speech for Ouch {
    fn login(&mut self) -> Vec<u8> {
        let request = LoginRequest::new(padded(USERNAME), padded(PASSWORD), [b' '; 10], 1);
        let mut room = [0; 64];
        let length = write_message(request.as_bytes(), &mut room).expect("room");
        room[..length].to_vec()
    }

    fn is_in(&self, heard: &[u8]) -> bool {
        heard.get(2) == Some(&b'A')
    }

    fn order(&mut self, number: u32) -> Vec<u8> {
        let (symbol, text) = (padded("I0"), [b' '; 14]);
        let order = EnterOrder::new(number, b'B', 1, symbol, PRICE, b'0', b'Y', b'P', b'N', b'N', text);
        let mut out = Vec::new();
        packet(UNSEQUENCED, &[order.as_bytes(), &[0, 0]].concat(), &mut out);
        out
    }

    fn take(&mut self, input: &[u8], rest: bool, answer: &mut Vec<u8>) -> Option<(usize, Read)> {
        let (packet, length) = Packet::parse(input, 1_000).expect("packets")?;
        let what = match packet.packet_type() {
            LoginRequest::TYPE => {
                let accepted = LoginAccepted::new(*b"     BENCH", 1);
                let mut room = [0; 64];
                let length = write_message(accepted.as_bytes(), &mut room).expect("room");
                answer.extend_from_slice(&room[..length]);
                Read::Other
            }
            UNSEQUENCED => self.answer(packet.payload(), rest, answer),
            _ => Read::Other,
        };
        Some((length, what))
    }

    fn gateway(socket: &Path, listen: SocketAddr, venue: SocketAddr, dir: &Path) -> Turns {
        let name = |text: &str| text.parse().expect("a name");
        let own = Counted { strategy: name("s"), account: name("a") };
        let owner = Owner { socket: socket.to_owned(), client: name("c1"), own, others: Vec::new() };
        let text = str::to_owned;
        let logins = Logins {
            firm_username: text(USERNAME),
            firm_password: text(PASSWORD),
            venue_username: text(USERNAME),
            venue_password: text(PASSWORD),
        };
        let setup = Setup {
            dialect: Dialect::V50,
            mpids: Vec::new(),
            logins,
            cancel_on_disconnect: false,
            cancel_on_halt: true,
            store_dir: dir.to_owned(),
            copy_in: None,
        };
        let mut gateway = Gateway::open(setup, Network { listen, venue, owner }).expect("a gateway");
        Box::new(move |now| gateway.turn(now))
    }
}
