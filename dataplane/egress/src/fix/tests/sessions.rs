//! Two sessions against each other, and what one must do that no acceptance definition says.

use crate::fix::dictionary::Version;
use crate::fix::message::Message;
use crate::fix::session::{Close, Config, Core, Role, Session, State};
use crate::fix::store::{Cause, Store};
use crate::fix::write::Writer;
use proptest::prelude::*;
use std::path::Path;
use types::{Nanos, UnixNanos};

/// 2026-12-02 00:00:00 UTC.
pub(super) const START: UnixNanos = UnixNanos(1_796_169_600_000_000_000);

/// A session of `ids` (ours, the peer's).
pub(super) fn config(version: Version, role: Role, (ours, theirs): (&str, &str)) -> Config {
    Config {
        version,
        role,
        sender: ours.to_owned(),
        target: theirs.to_owned(),
        heartbeat_s: 30,
        reset_on_logon: false,
        judge_bodies: true,
        user_fields: true,
        sending_time_tolerance: Nanos(120_000_000_000),
    }
}

/// An acceptor `ISLD` for the initiator `TW`, its store in `folder`.
pub(super) fn acceptor(version: Version, folder: &Path, reset_on_logon: bool) -> Session {
    let config =
        Config { reset_on_logon, user_fields: false, ..config(version, Role::Acceptor, ("ISLD", "TW")) };
    Session::new(config, Store::open(&folder.join("acceptor"), |_, _| {}).expect("a store"))
}

/// Two sessions, and what each application took.
struct Pair {
    initiator: Session,
    acceptor: Session,
    now: UnixNanos,
    taken: [Vec<u64>; 2],
}

impl Pair {
    fn new(version: Version, folder: &Path) -> Self {
        let open = |role, ids, name: &str| {
            let store = Store::open(&folder.join(name), |_, _| {}).expect("a store");
            Session::new(config(version, role, ids), store)
        };
        Self {
            initiator: open(Role::Initiator, ("A", "B"), "a"),
            acceptor: open(Role::Acceptor, ("B", "A"), "b"),
            now: START,
            taken: [Vec::new(), Vec::new()],
        }
    }

    fn connect(&mut self) {
        self.acceptor.connected(self.now);
        self.initiator.connected(self.now);
    }

    fn cut(&mut self) {
        self.acceptor.disconnected();
        self.initiator.disconnected();
    }

    /// Carries what waits, of which `spoil` may change the bytes; whether anything moved.
    fn carry(&mut self, mut spoil: impl FnMut(&mut Vec<u8>)) -> bool {
        self.now = self.now.plus(Nanos(1_000_000));
        let mut moved = false;
        for to_acceptor in [true, false] {
            let (from, to, taken) = if to_acceptor {
                (&mut self.initiator, &mut self.acceptor, &mut self.taken[1])
            } else {
                (&mut self.acceptor, &mut self.initiator, &mut self.taken[0])
            };
            let mut bytes = from.waiting().to_vec();
            from.taken(bytes.len());
            moved |= !bytes.is_empty();
            spoil(&mut bytes);
            to.receive(&bytes, self.now, &mut |message: &Message<'_>, _: &mut Core, _: UnixNanos| {
                taken.push(message.number(11).expect("its number"));
                Ok(())
            });
        }
        self.initiator.tick(self.now);
        self.acceptor.tick(self.now);
        moved
    }

    fn settle(&mut self) {
        while self.carry(|_| {}) {}
    }

    fn send(&mut self, from_initiator: bool, number: u64) {
        let session = if from_initiator { &mut self.initiator } else { &mut self.acceptor };
        let fill = |writer: &mut Writer| {
            writer.number(11, number);
            writer.text(21, b"1");
            writer.text(55, b"X");
            writer.text(54, b"1");
            writer.time(60, START);
            writer.text(40, b"1");
        };
        session.core.send(b"D", Cause::default(), self.now, fill).expect("a store");
    }

    fn states(&self) -> (State, State) {
        (self.initiator.state(), self.acceptor.state())
    }
}

fn on_each_version(test: impl Fn(Version, Pair)) {
    for version in [Version::Fix42, Version::Fix44, Version::Fixt11] {
        let folder = tempfile::tempdir().expect("a folder");
        test(version, Pair::new(version, folder.path()));
    }
}

#[test]
fn both_sides_log_on_beat_and_log_out() {
    on_each_version(|version, mut pair| {
        pair.connect();
        pair.settle();
        assert_eq!(pair.states(), (State::Up, State::Up), "{version:?}");
        for _ in 0..200 {
            pair.now = pair.now.plus(Nanos(1_000_000_000));
            pair.carry(|_| {});
        }
        assert_eq!(pair.states(), (State::Up, State::Up), "heartbeats keep it up");
        pair.initiator.core.log_out("done", pair.now);
        pair.settle();
        assert_eq!(pair.initiator.closing(), Some(Close::LoggedOut));
        assert_eq!(pair.acceptor.closing(), Some(Close::LoggedOut));
    });
}

#[test]
fn a_silent_peer_is_asked_and_then_left() {
    on_each_version(|_, mut pair| {
        pair.connect();
        pair.settle();
        for _ in 0..71 {
            pair.now = pair.now.plus(Nanos(1_000_000_000));
            pair.acceptor.tick(pair.now);
        }
        assert_eq!(pair.acceptor.closing(), None);
        pair.now = pair.now.plus(Nanos(2_000_000_000));
        pair.acceptor.tick(pair.now);
        assert_eq!(pair.acceptor.closing(), Some(Close::Silent));
    });
}

#[test]
fn what_was_sent_without_a_connection_comes_after_the_logon() {
    on_each_version(|version, mut pair| {
        pair.connect();
        pair.settle();
        pair.send(true, 1);
        pair.settle();
        pair.cut();
        (2..=4).for_each(|number| pair.send(true, number));
        (5..=6).for_each(|number| pair.send(false, number));
        pair.connect();
        pair.settle();
        assert_eq!(pair.taken, [vec![5, 6], vec![1, 2, 3, 4]], "{version:?}");
    });
}

#[test]
fn a_lower_number_than_expected_ends_the_session() {
    on_each_version(|version, mut pair| {
        pair.connect();
        pair.settle();
        pair.cut();
        let folder = tempfile::tempdir().expect("a folder");
        // The initiator forgot everything; the acceptor did not.
        pair.initiator = Pair::new(version, folder.path()).initiator;
        pair.connect();
        pair.carry(|_| {});
        assert_eq!(pair.acceptor.closing(), Some(Close::SequenceTooLow));
        pair.settle();
        assert_eq!(pair.initiator.closing(), Some(Close::BadLogon));
    });
}

#[test]
fn a_gap_that_is_never_filled_ends_the_session() {
    on_each_version(|_, mut pair| {
        pair.connect();
        pair.settle();
        pair.send(true, 1);
        pair.send(true, 2);
        let mut first = true;
        pair.carry(|bytes| {
            // The first of the two is lost.
            if std::mem::take(&mut first) {
                let end = bytes.windows(4).position(|w| w == b"\x0110=").expect("an end") + 8;
                bytes.drain(..end);
            }
        });
        for _ in 0..100 {
            pair.now = pair.now.plus(Nanos(1_000_000_000));
            // The answers of the initiator are lost too, all but its heartbeats.
            pair.initiator.taken(pair.initiator.waiting().len());
            pair.acceptor.core.last_in = pair.now;
            pair.acceptor.tick(pair.now);
        }
        assert_eq!(pair.acceptor.closing(), Some(Close::GapUnfilled));
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever bytes are changed and wherever connections are cut, each application takes each message once and in order.
    #[test]
    fn spoiled_bytes_and_cuts_lose_double_and_reorder_nothing(
        version in prop_oneof![Just(Version::Fix42), Just(Version::Fix44), Just(Version::Fixt11)],
        steps in proptest::collection::vec((0_u8..12, any::<u16>(), any::<bool>()), 1..60),
    ) {
        let folder = tempfile::tempdir().expect("a folder");
        let mut pair = Pair::new(version, folder.path());
        pair.connect();
        pair.settle();
        let mut sent = [Vec::new(), Vec::new()];
        for (number, (what, place, from_initiator)) in (1..).zip(steps) {
            match what {
                0 => {
                    pair.cut();
                    pair.connect();
                }
                1..=2 => {
                    pair.carry(|bytes| {
                        if !bytes.is_empty() {
                            let at = usize::from(place) % bytes.len();
                            bytes[at] ^= 1 << (place % 7);
                        }
                    });
                }
                3 => {
                    pair.carry(|bytes| bytes.truncate(usize::from(place) % (bytes.len() + 1)));
                    pair.cut();
                    pair.connect();
                }
                4..=6 => drop(pair.carry(|_| {})),
                _ => {
                    pair.send(from_initiator, number);
                    sent[usize::from(from_initiator)].push(number);
                }
            }
            if pair.initiator.closing().is_some() || pair.acceptor.closing().is_some() {
                pair.cut();
                pair.connect();
            }
        }
        pair.cut();
        pair.connect();
        pair.settle();
        prop_assert_eq!(&pair.taken, &sent);
    }
}
