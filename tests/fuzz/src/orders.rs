//! The targets of order entry: its messages, and the sessions that carry them.

use egress::fix::Version;
use egress::fix::frame::{Framed, frame};
use egress::fix::message::Message;
use egress::fix::session::{Config, Core, Role, Session};
use egress::fix::store::Store;
use egress::soup::{ClientSession, ServerSession};
use types::{Nanos, UnixNanos};
use wire::{ouch42, ouch50};

/// One message of an order-entry protocol: what is decoded stands for its first bytes, and options for what is behind them. The
/// first byte chooses the version and the side.
pub fn order_messages(bytes: &[u8]) {
    let Some((protocol, message)) = bytes.split_first() else { return };
    let kept = match protocol % 4 {
        0 => ouch50::inbound::decode(message).map(|decoded| (decoded.as_bytes(), decoded.to_string())),
        1 => ouch50::outbound::decode(message).map(|decoded| (decoded.as_bytes(), decoded.to_string())),
        2 => ouch42::inbound::decode(message).map(|decoded| (decoded.as_bytes(), decoded.to_string())),
        _ => ouch42::outbound::decode(message).map(|decoded| (decoded.as_bytes(), decoded.to_string())),
    };
    match kept {
        Ok((Some(fixed), shown)) => {
            assert!(message.starts_with(fixed) && !shown.is_empty());
            assert!(protocol % 4 < 2 || fixed == message, "a message of 4.2 has one length");
            let tail = &message[fixed.len()..];
            if let Ok(options) = ouch50::options(tail, false) {
                let bytes: usize = options.map(|(_, value)| value.len() + 2).sum();
                assert!(tail.is_empty() || bytes + 2 == tail.len(), "every byte is an option's");
            }
        }
        Ok((None, shown)) => assert!(!shown.is_empty()),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// What the other side of a SoupBinTCP session sends, in two segments. The first byte chooses the side, the second where it is cut.
/// Either side takes each packet once, whatever the cut.
pub fn order_sessions(bytes: &[u8]) {
    let [side, cut, stream @ ..] = bytes else { return };
    let cut = usize::from(*cut).min(stream.len());
    let whole = packets_of(*side, &[stream]);
    let parts = packets_of(*side, &[&stream[..cut], &stream[cut..]]);
    assert_eq!(whole, parts, "the cut is seen");
}

/// The events of a session that gets these segments, and whether it found a fault.
fn packets_of(side: u8, segments: &[&[u8]]) -> (Vec<String>, bool) {
    let now = UnixNanos(1_000_000_000);
    let (mut client, mut server) = (ClientSession::new(now), ServerSession::new(now));
    if side & 2 != 0 {
        server.accept([b'1'; 10], 1, &mut [0; 64], now).expect("room");
    }
    let (mut events, mut input) = (Vec::new(), Vec::new());
    for segment in segments {
        input.extend_from_slice(segment);
        loop {
            let taken = if side & 1 == 0 {
                client.take(&input, now).map(|found| found.map(|(event, used)| (format!("{event:?}"), used)))
            } else {
                server.take(&input, now).map(|found| found.map(|(event, used)| (format!("{event:?}"), used)))
            };
            match taken {
                Ok(Some((event, used))) => {
                    assert!(used > 2 && used <= input.len());
                    events.push(event);
                    input.drain(..used);
                }
                Ok(None) => break,
                Err(_) => return (events, true),
            }
        }
    }
    (events, false)
}

/// What the other side of a FIX session sends. The first byte chooses version and side, and whether the rest is a stream as it stands, or
/// lines of fields (`tag=value|`, a line a message) that are sent with a right length and sum. A session ends what it does not like, and
/// whatever it says is messages.
pub fn fix_sessions(bytes: &[u8]) {
    let Some((kind, rest)) = bytes.split_first() else { return };
    let (version, begin) = match kind & 3 {
        0 => (Version::Fix42, "FIX.4.2"),
        1 => (Version::Fix44, "FIX.4.4"),
        _ => (Version::Fixt11, "FIXT.1.1"),
    };
    let role = if kind & 4 == 0 { Role::Acceptor } else { Role::Initiator };
    let folder = tempfile::tempdir().expect("a folder");
    let config = Config {
        version,
        role,
        sender: "GATE".to_owned(),
        target: "FIRM".to_owned(),
        heartbeat_s: 30,
        reset_on_logon: kind & 8 != 0,
        judge_bodies: kind & 16 == 0,
        user_fields: kind & 32 != 0,
        sending_time_tolerance: Nanos(u64::MAX),
    };
    let store = Store::open(&folder.path().join("store"), |_, _| {}).expect("a store");
    let mut session = Session::new(config, store);
    let mut now = UnixNanos(1_796_169_600_000_000_000);
    session.connected(now);
    let (mut next, mut taken) = (1, 0);
    let mut take = |session: &mut Session, bytes: &[u8]| {
        now = now.plus(Nanos(1_000_000_000));
        session.receive(bytes, now, &mut |message: &Message<'_>, _: &mut Core, _: UnixNanos| {
            let seq = message.seq().expect("what is taken has a number");
            assert!(
                seq >= next || message.seq() == Some(1),
                "each message once, unless the numbers began again"
            );
            (next, taken) = (seq + 1, taken + 1);
            Ok(())
        });
        session.tick(now);
    };
    if kind & 64 == 0 {
        for line in rest.split(|byte| *byte == b'\n') {
            take(&mut session, &as_message(begin, line));
        }
    } else {
        for part in rest.chunks(37) {
            take(&mut session, part);
        }
    }
    let mut said = session.waiting();
    while !said.is_empty() {
        let Framed::Message(length) = frame(said) else { panic!("what a session says is messages") };
        let message = Message::parse(&said[..length]).expect("of fields");
        assert!(message.fields().count() > 5 && message.seq().is_some());
        said = &said[length..];
    }
    let counts = session.counts();
    assert!(taken <= counts.received && counts.sent >= counts.rejected);
}

/// A message of `fields`, with the length and the sum that it must have.
fn as_message(begin: &str, fields: &[u8]) -> Vec<u8> {
    let body: Vec<u8> = fields.iter().map(|byte| if *byte == b'|' { 1 } else { *byte }).collect();
    let mut message = format!("8={begin}\x019={}\x01", body.len()).into_bytes();
    message.extend(body);
    let sum = message.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
    message.extend(format!("10={sum:03}\x01").into_bytes());
    message
}
