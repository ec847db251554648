//! Both sides against each other, over a wire that cuts where it likes.

use super::*;
use proptest::prelude::*;
use wire::IntoBytes;
use wire::soupbin::{LOGOUT, LoginRequest, NOT_AUTHORIZED, UNSEQUENCED};

const SESSION: [u8; 10] = *b"  20261130";
const S: u64 = 1_000_000_000;

/// A client and a server, and the bytes between them.
struct Pair {
    client: ClientSession,
    server: ServerSession,
    to_server: Vec<u8>,
    to_client: Vec<u8>,
}

impl Pair {
    fn new() -> Self {
        let (now, none) = (UnixNanos(S), Vec::new());
        let (client, server) = (ClientSession::new(now), ServerSession::new(now));
        Self { client, server, to_server: none.clone(), to_client: none }
    }

    fn logged_in(sequence: u64) -> Self {
        let (mut pair, mut room, now) = (Self::new(), [0; 64], UnixNanos(S));
        let login = Login { username: "desk1", password: "secret", session: "20261130", sequence };
        let bytes = pair.client.login(&login, &mut room, now).unwrap();
        let (event, used) = pair.server.take(&room[..bytes], now).unwrap().unwrap();
        let ServerEvent::Login(request) = event else { panic!("{event:?}") };
        assert_eq!(used, bytes);
        assert_eq!((request.username, request.sequence.get()), (*b"desk1 ", Some(sequence)));
        assert_eq!((request.password, request.session), (*b"secret    ", SESSION));
        let bytes = pair.server.accept(SESSION, sequence, &mut room, now).unwrap();
        let event = pair.client.take(&room[..bytes], now).unwrap().unwrap().0;
        assert_eq!(event, ClientEvent::LoggedIn { session: SESSION, sequence });
        pair
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// Whatever the segments, each side hears what the other said, in order and numbered.
    #[test]
    fn messages_arrive_whole_however_the_wire_cuts_them(
        messages in prop::collection::vec((any::<bool>(), prop::collection::vec(any::<u8>(), 1..80)), 1..30),
        first in 1_u64..1_000, segment in 1_usize..20,
    ) {
        let (mut pair, now) = (Pair::logged_in(first), UnixNanos(S));
        let mut room = [0; PAYLOAD_BYTES_MAX + 3];
        for (up, message) in &messages {
            if *up {
                let bytes = pair.client.send(UNSEQUENCED, message, &mut room, now).unwrap();
                pair.to_server.extend(&room[..bytes]);
            } else {
                let bytes = pair.server.message(message, &mut room, now).unwrap();
                pair.to_client.extend(&room[..bytes]);
            }
        }
        let (mut up, mut down, mut held) = (Vec::new(), Vec::new(), Vec::new());
        for part in pair.to_server.chunks(segment) {
            held.extend(part);
            while let Some((event, used)) = pair.server.take(&held, now).unwrap() {
                let ServerEvent::Message(message) = event else { panic!("{event:?}") };
                up.push(message.to_vec());
                held.drain(..used);
            }
        }
        held.clear();
        for part in pair.to_client.chunks(segment) {
            held.extend(part);
            while let Some((event, used)) = pair.client.take(&held, now).unwrap() {
                let ClientEvent::Message { sequence, message } = event else { panic!("{event:?}") };
                prop_assert_eq!(sequence, first + down.len() as u64);
                down.push(message.to_vec());
                held.drain(..used);
            }
        }
        let of = |wanted: bool| messages.iter().filter(|(up, _)| *up == wanted).map(|(_, m)| m.clone()).collect::<Vec<_>>();
        prop_assert_eq!(up, of(true));
        prop_assert_eq!(down, of(false));
    }
}

#[test]
fn a_second_without_a_packet_asks_for_a_heartbeat_and_fifteen_end_it() {
    let pair = Pair::logged_in(1);
    assert_eq!(pair.client.due(UnixNanos(S + S - 1)), Ok(None));
    assert_eq!(pair.client.due(UnixNanos(2 * S)), Ok(Some(b'R')));
    assert_eq!(pair.server.due(UnixNanos(2 * S)), Ok(Some(b'H')));
    assert_eq!(pair.client.due(UnixNanos(17 * S)), Err(Fault::Silence));
    assert_eq!(pair.server.due(UnixNanos(17 * S)), Err(Fault::Silence));
}

#[test]
fn a_half_packet_and_a_missing_login_wait_five_seconds() {
    let mut pair = Pair::logged_in(1);
    assert_eq!(pair.server.take(&[0, 9, b'U'], UnixNanos(2 * S)), Ok(None));
    assert!(pair.server.due(UnixNanos(6 * S)).is_ok());
    assert_eq!(pair.server.take(&[0, 9, b'U', 1], UnixNanos(6 * S)), Ok(None), "the same half packet");
    assert_eq!(pair.server.due(UnixNanos(8 * S)), Err(Fault::HalfPacket));
    let fresh = ServerSession::new(UnixNanos(S));
    assert_eq!(fresh.due(UnixNanos(5 * S)), Ok(None), "no heartbeat before the login");
    assert_eq!(fresh.due(UnixNanos(7 * S)), Err(Fault::NoLogin));
}

#[test]
fn what_is_out_of_place_is_a_fault() {
    let now = UnixNanos(S);
    let mut pair = Pair::logged_in(1);
    assert_eq!(pair.server.take(&[0, 1, b'S'], now), Err(Fault::OutOfPlace(b'S')));
    assert_eq!(pair.client.take(&[0, 1, b'R'], now), Err(Fault::OutOfPlace(b'R')));
    assert!(matches!(pair.server.take(&[0, 0], now), Err(Fault::BadPacket(WireError::ZeroLength { .. }))));
    assert!(matches!(pair.server.take(&[0xff, 0xff, b'U'], now), Err(Fault::BadPacket(_))));
    // A message before the login, a login after it.
    assert_eq!(ServerSession::new(now).take(&[0, 2, b'U', 1], now), Err(Fault::OutOfPlace(b'U')));
    let again = LoginRequest::new(*b"desk1 ", *b"secret    ", [b' '; 10], 1_u64);
    let mut room = [0; 64];
    let bytes = wire::soupbin::write_message(again.as_bytes(), &mut room).unwrap();
    assert_eq!(pair.server.take(&room[..bytes], now), Err(Fault::OutOfPlace(b'L')));
}

#[test]
fn who_is_refused_is_told_why_and_who_leaves_is_heard() {
    let (mut pair, mut room, now) = (Pair::new(), [0; 64], UnixNanos(S));
    let bytes = pair.server.refuse(NOT_AUTHORIZED, &mut room).unwrap();
    assert_eq!(pair.client.take(&room[..bytes], now).unwrap().unwrap().0, ClientEvent::Refused(b'A'));
    let bytes = pair.client.send(LOGOUT, &[], &mut room, now).unwrap();
    assert_eq!(pair.server.take(&room[..bytes], now).unwrap().unwrap().0, ServerEvent::Logout);
    assert_eq!(
        pair.client.login(&Login { username: "", password: "", session: "", sequence: 1 }, &mut [], now),
        None
    );
}
