//! Copies of what the firm is told.

use super::desk::{Street, far, has, on_each_version, text};
use super::sessions::config;
use crate::fix::dictionary::Version;
use crate::fix::gateway::DropCopy;
use crate::fix::message::Message;
use crate::fix::session::{Core, Role, SendError, Session, State};
use std::path::Path;
use types::{Nanos, UnixNanos};

fn copy(version: Version, folder: &Path) -> DropCopy {
    DropCopy::open(folder, config(version, Role::Acceptor, ("GATE", "BACK"))).expect("a store")
}

/// Carries everything between the copies and who gets them; the application messages that came.
fn carry(copy: &mut DropCopy, back: &mut Session, now: UnixNanos) -> Vec<Vec<u8>> {
    let mut got = Vec::new();
    for _ in 0..20 {
        let down = copy.session.waiting().to_vec();
        copy.session.taken(down.len());
        back.receive(&down, now, &mut |message: &Message<'_>, _: &mut Core, _: UnixNanos| {
            let fields = message.fields().map(|f| format!("{}={}|", f.tag, String::from_utf8_lossy(f.value)));
            got.push(fields.collect::<String>().into_bytes());
            Ok::<(), SendError>(())
        });
        let up = back.waiting().to_vec();
        back.taken(up.len());
        let mut nothing = |_: &Message<'_>, _: &mut Core, _: UnixNanos| Ok(());
        copy.session.receive(&up, now, &mut nothing);
        copy.session.tick(now);
    }
    got
}

fn follow(copy: &mut DropCopy, street: &Street) {
    while !copy.follow(&street.gateway.firm.core, street.now).expect("room") {}
}

#[test]
fn each_report_is_copied_once_whoever_is_killed_and_whoever_comes_late() {
    on_each_version(|version, mut street, folder| {
        let mut copies = copy(version, folder);
        street.order("a", 1, 100, "100.00");
        street.report("a", "e0", "0", "39=0|151=100|14=0|6=0");
        // Refused by the gate: the copy tells what the firm was told.
        street.order("big", 1, 2_000, "100.00");
        follow(&mut copies, &street);
        drop(copies);
        let mut copies = copy(version, folder);
        street.report("a", "e1", "F", "39=1|32=40|31=100|151=60|14=40|6=100");
        // No execution report, and so no copy.
        street.firm_sends(b"F", "11=x|41=a|55=AAPL|54=1|60=20261202-00:00:00");
        street.carry();
        street.venue_sends(b"9", "37=V1|11=x|41=a|39=1|434=1|102=0");
        street.carry();
        follow(&mut copies, &street);
        follow(&mut copies, &street);
        let mut back = far(version, Role::Initiator, ("BACK", "GATE"), &folder.join("far-back"));
        copies.session.connected(street.now);
        back.connected(street.now);
        let got = carry(&mut copies, &mut back, street.now);
        assert_eq!((copies.session.state(), got.len()), (State::Up, 3), "{version:?}");
        for (message, wanted) in got.iter().zip([["11=a", "17=e0"], ["11=big", "39=8"], ["11=a", "17=e1"]]) {
            let ids = ["35=8", "49=GATE", "56=BACK"];
            assert!(has(message, &wanted) && has(message, &ids), "{version:?} {}", text(message));
            assert!(has(message, &["8011=RiskAlert_Normal"]), "as the firm got it: {}", text(message));
            assert_eq!(has(message, &["797=Y"]), version != Version::Fix42, "{}", text(message));
        }
        // While it is connected it hears at once; after the gateway was killed it goes on.
        street.report("a", "e2", "F", "39=1|32=10|31=100|151=50|14=50|6=100");
        follow(&mut copies, &street);
        assert_eq!(carry(&mut copies, &mut back, street.now).len(), 1);
        drop(copies);
        back.disconnected();
        let street = street.kill(folder);
        let mut copies = copy(version, folder);
        follow(&mut copies, &street);
        let now = street.now.plus(Nanos(1_000_000));
        copies.session.connected(now);
        back.connected(now);
        assert_eq!(carry(&mut copies, &mut back, now), Vec::<Vec<u8>>::new(), "nothing twice");
        // A day that begins with new files of the firm's, beside the copies of the day before.
        let (fresh, _) = (folder.join("fresh"), std::fs::create_dir(folder.join("fresh")));
        drop(copies);
        std::fs::copy(folder.join("drop.fixlog"), fresh.join("drop.fixlog")).expect("copied");
        let mut another = Street::new(version, &fresh);
        another.firm_sends(b"D", "11=n|21=1|55=NONESUCH|54=1|38=1|40=2|44=1.00|60=20261202-00:00:00");
        another.carry();
        let mut copies = copy(version, &fresh);
        follow(&mut copies, &another);
        assert_eq!(copies.copies(), [1, 0], "{version:?}");
    });
}

/// The firm's session begins anew: what it is told from then on has numbers that were used before.
#[test]
fn a_firm_that_resets_its_session_loses_no_copy() {
    on_each_version(|version, mut street, folder| {
        let mut copies = copy(version, folder);
        street.order("a", 1, 100, "100.00");
        street.report("a", "e0", "0", "39=0|151=100|14=0|6=0");
        follow(&mut copies, &street);
        street.cut(true);
        street.firm_resets(folder);
        street.connect_firm();
        street.carry();
        assert_eq!(street.gateway.firm.core.epoch(), 1);
        street.report("a", "e1", "F", "39=1|32=40|31=100|151=60|14=40|6=100");
        follow(&mut copies, &street);
        assert_eq!(copies.copies(), [2, 0], "{version:?}");
        drop(copies);
        let mut copies = copy(version, folder);
        follow(&mut copies, &street);
        assert_eq!(copies.copies(), [0, 0], "{version:?}");
    });
}
