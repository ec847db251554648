//! What was written before a crash is there after it.

use crate::fix::store::{Cause, Store};
use std::path::Path;

fn open(path: &Path) -> (Store, Vec<(Cause, Vec<u8>)>) {
    let mut sent = Vec::new();
    let store = Store::open(path, |cause, bytes| sent.push((cause, bytes.to_vec()))).expect("a store");
    (store, sent)
}

fn fill(store: &mut Store) {
    for number in 1..=5_u64 {
        let cause = Cause { number, order: number * 10 };
        store.keep(format!("message {number}").as_bytes(), number != 3, cause).expect("room");
        store.set_next_in(number + 1).expect("room");
    }
}

#[test]
fn numbers_messages_and_causes_outlive_the_process() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("s");
    let (mut store, sent) = open(&path);
    assert!(sent.is_empty());
    assert_eq!((store.next_out(), store.next_in()), (1, 1));
    fill(&mut store);
    drop(store);
    let (store, sent) = open(&path);
    assert_eq!((store.next_out(), store.next_in()), (6, 6));
    assert_eq!(sent.len(), 5);
    assert_eq!(sent[4], (Cause { number: 5, order: 50 }, b"message 5".to_vec()));
    let mut bytes = Vec::new();
    assert!(store.read(2, &mut bytes).expect("it is there") && bytes == b"message 2");
    assert!(!store.read(3, &mut bytes).expect("one of the session's own"));
    assert!(!store.read(0, &mut bytes).expect("none") && !store.read(6, &mut bytes).expect("none"));
}

/// Cut at any byte, the file opens with every record that is whole, and goes on from there.
#[test]
fn a_torn_tail_is_cut_off() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("s");
    let (mut store, _) = open(&path);
    fill(&mut store);
    drop(store);
    let whole = std::fs::read(&path).expect("bytes");
    let mut kept = Vec::new();
    for end in 64..=whole.len() {
        std::fs::write(&path, &whole[..end]).expect("written");
        let (mut store, sent) = open(&path);
        kept.push(sent.len());
        assert_eq!(store.next_out() as usize, sent.len() + 1);
        store.keep(b"after", true, Cause::default()).expect("room");
        drop(store);
        let (_, again) = open(&path);
        assert_eq!(again.len(), sent.len() + 1, "cut at {end}");
        assert_eq!(again.last().expect("one").1, b"after");
    }
    assert!(kept.is_sorted() && kept.first() == Some(&0) && kept.last() == Some(&5));
    // A bit that flipped in the last record is a torn tail; before it, it is damage, and nothing is cut.
    let last = whole.len() - 48 - b"message 5".len();
    for at in 64..whole.len() {
        let mut bent = whole.clone();
        bent[at] ^= 4;
        std::fs::write(&path, &bent).expect("written");
        if at < last {
            let error = Store::open(&path, |_, _| {}).expect_err("damage");
            assert_eq!(error.kind(), std::io::ErrorKind::InvalidData, "byte {at}");
            assert!(error.to_string().contains("damaged at byte"), "{error}");
            assert_eq!(std::fs::read(&path).expect("bytes"), bent, "nothing is cut");
        } else {
            assert_eq!(open(&path).1.len(), 4, "byte {at}");
        }
    }
}

#[test]
fn a_reset_begins_both_directions_again_and_keeps_what_was_sent() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("s");
    let (mut store, _) = open(&path);
    fill(&mut store);
    store.reset().expect("room");
    assert_eq!((store.next_out(), store.next_in(), store.epoch()), (1, 1, 1));
    store.keep(b"new", true, Cause::default()).expect("room");
    drop(store);
    let (store, sent) = open(&path);
    assert_eq!((store.next_out(), store.next_in(), store.epoch()), (2, 1, 1));
    assert_eq!(sent.len(), 6);
}

#[test]
fn one_process_alone_has_a_store_and_no_other_file_is_taken_for_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("s");
    let (_store, _) = open(&path);
    let error = Store::open(&path, |_, _| {}).expect_err("it is open");
    assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
    let other = folder.path().join("other");
    for bytes in [b"short".to_vec(), vec![7; 200]] {
        std::fs::write(&other, bytes).expect("written");
        let error = Store::open(&other, |_, _| {}).expect_err("another kind of file");
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidData);
    }
}

#[test]
fn the_files_are_their_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path().join("gateways/g");
    crate::log::make_folder(&dir).expect("made");
    let path = dir.join("s");
    drop(open(&path));
    crate::log::write_file(&dir.join("session"), b"S").expect("written");
    for (path, wanted) in [(dir.clone(), 0o700), (path, 0o600), (dir.join("session"), 0o600)] {
        let found = std::fs::metadata(&path).expect("it is there").permissions().mode() & 0o777;
        assert_eq!(found, wanted, "{}", path.display());
    }
}

/// A disk that takes nothing keeps back what may wait, and nothing else; with room again everything stands in its order.
#[test]
fn what_must_not_wait_for_a_full_disk_is_held_and_written_first_when_there_is_room() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("s");
    let (mut store, _) = open(&path);
    fill(&mut store);
    store.set_room(0);
    assert!(store.keep(b"an order", true, Cause::default()).is_err() && store.next_out() == 6);
    store.keep_or_hold(b"a cancel", true, Cause { number: 6, order: 0 }).expect("it waits");
    store.keep_or_hold(b"", false, Cause::default()).expect("it waits");
    store.begin_batch();
    store.keep_or_hold(b"cancel 8", true, Cause::default()).expect("it waits");
    store.keep_or_hold(b"cancel 9", true, Cause::default()).expect("it waits");
    store.write_batch(8).expect("it waits");
    assert_eq!((store.next_out(), store.held()), (10, 4));
    store.set_next_in(7).expect("it was there before");
    let mut bytes = Vec::new();
    for (number, wanted) in [(5, &b"message 5"[..]), (6, b"a cancel"), (9, b"cancel 9")] {
        assert!(store.read(number, &mut bytes).expect("it is there") && bytes == wanted, "{number}");
    }
    assert!(!store.read(7, &mut bytes).expect("one of the session's own"));
    assert!(store.keep(b"an order", true, Cause::default()).is_err());
    store.set_room(1 << 20);
    store.keep(b"an order", true, Cause { number: 10, order: 100 }).expect("room");
    assert_eq!((store.next_out(), store.held()), (11, 0));
    drop(store);
    let (store, sent) = open(&path);
    assert_eq!((store.next_out(), store.next_in()), (11, 7));
    let told: Vec<&[u8]> = sent[5..].iter().map(|(_, bytes)| &bytes[..]).collect();
    assert_eq!(told, [&b"a cancel"[..], b"", b"cancel 8", b"cancel 9", b"an order"]);
}

#[test]
fn what_is_held_has_a_bound() {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut store, _) = open(&folder.path().join("s"));
    store.set_room(0);
    let held = (0..1_000).take_while(|_| store.keep_or_hold(&[7; 2_000], true, Cause::default()).is_ok());
    assert_eq!(held.count(), (1 << 20) / 2_048);
    assert_eq!(store.next_out(), (1 << 20) / 2_048 + 1);
}

#[test]
fn a_batch_is_kept_whole_or_not_at_all() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("s");
    let (mut store, _) = open(&path);
    fill(&mut store);
    store.begin_batch();
    for number in 6..=8_u64 {
        store.keep(format!("message {number}").as_bytes(), true, Cause::default()).expect("room");
    }
    let before = std::fs::read(&path).expect("bytes").len();
    store.write_batch(6).expect("room");
    assert!(std::fs::read(&path).expect("bytes").len() > before, "nothing was written before");
    store.keep(b"message 9", true, Cause::default()).expect("room");
    drop(store);
    let (store, sent) = open(&path);
    assert_eq!((store.next_out(), sent.len()), (10, 9));
    assert_eq!(sent[7].1, b"message 8");
}
