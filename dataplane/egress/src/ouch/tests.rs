//! What is read, how it is named, and what the book makes of it. The gateway as a whole is tested against a running daemon.

use super::book::{Book, Held};
use super::dialect::{Dialect, SessionKey};
use super::gateway::{Logins, Setup};
use super::words::{Cannot, Refusal, Report, Request, Token, Unfit};
use crate::owner::OwnerIndex;
use gate::{RejectReason, TimeInForce};
use proptest::prelude::*;
use types::{InstrumentId, Px, Side, Symbol};
use wire::IntoBytes;
use wire::{ouch42, ouch50};

const SYMBOL: [u8; 8] = *b"ZVZZT   ";
const TEXT: [u8; 14] = *b"ABC1          ";

fn enter_50(side: u8, quantity: u32, price: u64, options: &[u8]) -> Vec<u8> {
    let order = ouch50::inbound::EnterOrder::new(
        7, side, quantity, SYMBOL, price, b'3', b'Y', b'P', b'N', b'N', TEXT,
    );
    [order.as_bytes(), &(options.len() as u16).to_be_bytes(), options].concat()
}

#[test]
fn an_order_of_either_version_is_what_the_gate_judges() {
    let Ok(Request::Enter(order)) = Dialect::V50.request(&enter_50(b'T', 100, 1_234_500, &[])) else {
        panic!()
    };
    assert_eq!((order.token, order.text), (Token::of_number(7), TEXT));
    assert_eq!((order.symbol, order.side), (Some(Symbol(SYMBOL)), Some(Side::Ask)));
    assert_eq!((order.qty, order.px, order.tif), (100, Px(123_450_000_000), TimeInForce::Ioc));
    let of_42 = ouch42::inbound::EnterOrder::new(
        TEXT, b'B', 100, SYMBOL, 1_234_500, 99_998, *b"FIRM", b'Y', b'P', b'N', 0, b'N', b'N',
    );
    let Ok(Request::Enter(order)) = Dialect::V42.request(of_42.as_bytes()) else { panic!() };
    assert_eq!((order.token, order.side, order.tif), (Token(TEXT), Some(Side::Bid), TimeInForce::Day));
    assert_eq!(order.px, Px(123_450_000_000));
}

#[test]
fn an_order_is_of_whom_its_mpid_says() {
    let mpid_50 = |options: &[u8]| match Dialect::V50.request(&enter_50(b'B', 1, 10_000, options)) {
        Ok(Request::Enter(order)) => Ok(order.mpid),
        Err(Unfit::Order { why, .. }) => Err(why),
        other => panic!("{other:?}"),
    };
    assert_eq!(mpid_50(&[]), Ok(*b"    "));
    assert_eq!(mpid_50(b"\x05\x02ACMQ"), Ok(*b"ACMQ"));
    assert_eq!(mpid_50(b"\x04\x02ACM"), Err(Cannot::Option), "of another length than its own");
    let of_42 = ouch42::inbound::EnterOrder::new(
        TEXT, b'B', 100, SYMBOL, 1_234_500, 99_998, *b"ACMQ", b'Y', b'P', b'N', 0, b'N', b'N',
    );
    let Ok(Request::Enter(order)) = Dialect::V42.request(of_42.as_bytes()) else { panic!() };
    assert_eq!(order.mpid, *b"ACMQ");

    let setup = |mpids: &[[u8; 4]]| Setup {
        dialect: Dialect::V50,
        mpids: mpids.to_vec(),
        logins: Logins {
            firm_username: String::new(),
            firm_password: String::new(),
            venue_username: String::new(),
            venue_password: String::new(),
        },
        cancel_on_disconnect: true,
        cancel_on_halt: true,
        store_dir: std::path::PathBuf::new(),
        copy_in: None,
    };
    let places: Vec<OwnerIndex> = OwnerIndex::all().take(3).collect();
    let two = setup(&[*b"ACMQ", *b"ACM2"]);
    let of = |mpid: &[u8; 4]| two.owner_of(*mpid);
    assert_eq!([of(b"    "), of(b"ACMQ"), of(b"ACM2")], [0, 1, 2].map(|at: usize| Some(places[at])));
    assert_eq!((of(b"ACMX"), of(b"acmq")), (None, None), "nobody's");
    assert_eq!(setup(&[]).owner_of(*b"ACMX"), Some(places[0]), "nothing is declared of any");
    for (dialect, reason) in [(Dialect::V50, 0x0C), (Dialect::V42, b'L')] {
        let refused = dialect.rejected(Token::of_number(7), TEXT, Refusal::Cannot(Cannot::Mpid), 9);
        assert!(refused.bytes().contains(&reason), "{:?}", refused.bytes());
    }
}

#[test]
fn a_price_that_says_market_is_a_market_order() {
    for price in [ouch50::MARKET_PRICE, ouch50::MARKET_PRICE_CROSS, u64::MAX] {
        let Ok(Request::Enter(order)) = Dialect::V50.request(&enter_50(b'B', 1, price, &[])) else {
            panic!()
        };
        assert_eq!(order.px, Px::NONE, "{price}");
    }
    let Ok(Request::Enter(order)) = Dialect::V50.request(&enter_50(b'B', 1, 1_999_999_900, &[])) else {
        panic!()
    };
    assert_ne!(order.px, Px::NONE);
}

#[test]
fn what_the_gate_cannot_judge_is_answered_and_what_is_no_message_is_not() {
    let why = |bytes: &[u8]| match Dialect::V50.request(bytes) {
        Err(Unfit::Order { why, token, .. }) if token == Token::of_number(7) => Some(why),
        _ => None,
    };
    assert_eq!(why(&enter_50(b'X', 1, 10_000, &[])), Some(Cannot::Side));
    assert_eq!(why(&enter_50(b'B', 1_000_000, 10_000, &[])), Some(Cannot::Quantity));
    // A market peg, a discretion price, a channel of its own; limit, no discretion and the first channel are none.
    assert_eq!(why(&enter_50(b'B', 1, 10_000, &[2, 6, b'P'])), Some(Cannot::Peg));
    assert_eq!(why(&enter_50(b'B', 1, 10_000, &[9, 9, 0, 0, 0, 0, 0, 1, 0, 0])), Some(Cannot::Peg));
    assert_eq!(why(&enter_50(b'B', 1, 10_000, &[2, 28, 1])), Some(Cannot::Channel));
    // Spaces are a number, an option of a wrong length and one twice are none, and so is one that no version has.
    assert_eq!(why(&enter_50(b'B', 1, 10_000, &[9, 9, 32, 32, 32, 32, 32, 32, 32, 32])), Some(Cannot::Peg));
    assert_eq!(why(&enter_50(b'B', 1, 10_000, &[3, 9, 0, 0])), Some(Cannot::Option));
    assert_eq!(why(&enter_50(b'B', 1, 10_000, &[2, 6, b'L', 2, 6, b'P'])), Some(Cannot::Option));
    assert_eq!(why(&enter_50(b'B', 1, 10_000, &[2, 40, 0])), Some(Cannot::Option));
    let plain = enter_50(b'B', 1, 10_000, &[2, 6, b'L', 9, 9, 0, 0, 0, 0, 0, 0, 0, 0, 2, 28, 0]);
    assert!(matches!(Dialect::V50.request(&plain), Ok(Request::Enter(_))));
    for display in *b"MWmn" {
        let pegged = ouch42::inbound::EnterOrder::new(
            TEXT, b'B', 1, SYMBOL, 10_000, 99_998, *b"FIRM", display, b'P', b'N', 0, b'N', b'N',
        );
        let read = Dialect::V42.request(pegged.as_bytes());
        assert!(matches!(read, Err(Unfit::Order { why: Cannot::Peg, .. })), "{read:?}");
    }
    // Without the length of the appendage, and with more than it says.
    let whole = enter_50(b'B', 1, 10_000, &[]);
    assert_eq!(Dialect::V50.request(&whole[..45]), Err(Unfit::Malformed));
    assert_eq!(Dialect::V50.request(&[&whole[..], &[0]].concat()), Err(Unfit::Malformed));
    assert_eq!(Dialect::V42.request(&whole), Err(Unfit::Malformed));
    assert_eq!(Dialect::V50.request(&[]), Err(Unfit::Malformed));
}

#[test]
fn an_execution_has_the_venues_price_where_it_says_one() {
    use ouch42::outbound as o42;
    use ouch50::outbound as o50;
    let px = |dialect: Dialect, message: &[u8]| match dialect.report(message) {
        Some((Report::Executed { px, qty: 5, match_number: 77, .. }, 9)) => px,
        other => panic!("{other:?}"),
    };
    for (raw, wanted) in [(1_234_501, Px(123_450_100_000)), (0, Px::NONE), (2_147_483_647, Px::NONE)] {
        let message = o50::Executed::new(9_u64, 7_u32, 5_u32, u64::from(raw), b'A', 77_u64);
        assert_eq!(px(Dialect::V50, message.as_bytes()), wanted, "{raw}");
        let message = o42::Executed::new(9_u64, TEXT, 5_u32, raw, b'A', 77_u64);
        assert_eq!(px(Dialect::V42, message.as_bytes()), wanted, "{raw}");
        // The reference price is another matter.
        let message = o42::ExecutedWithReference::new(9_u64, TEXT, 5_u32, raw, b'A', 77_u64, 1_u32, b'I');
        assert_eq!(px(Dialect::V42, message.as_bytes()), wanted, "{raw}");
    }
}

#[test]
fn a_reject_says_whose_it_is() {
    let refusal = Refusal::Gate(RejectReason::QtyStatic);
    let message = Dialect::V50.rejected(Token::of_number(7), TEXT, refusal, 9);
    assert_eq!(message.bytes(), ouch50::outbound::Rejected::new(9, 7, 0x0031, TEXT).as_bytes());
    let message = Dialect::V42.rejected(Token(TEXT), TEXT, refusal, 9);
    assert_eq!(message.bytes(), ouch42::outbound::Rejected::new(9, TEXT, b'Z').as_bytes());
    assert!(Dialect::V50.report(&[]).is_none(), "nothing is no report");
}

#[test]
fn executions_are_told_from_those_of_other_orders_and_days() {
    let (monday, tuesday) = (SessionKey::of(b"  20261130"), SessionKey::of(b"  20261201"));
    let (bought, sold) = (Token::of_number(1), Token::of_number(2));
    let all = [
        monday.execution(5, bought),
        monday.execution(5, sold),
        monday.execution(6, bought),
        tuesday.execution(5, bought),
    ];
    for (at, execution) in all.iter().enumerate() {
        assert!(*execution != 0 && !all[..at].contains(execution));
    }
    assert_eq!(monday.execution(5, bought), SessionKey::of(b"  20261130").execution(5, bought));
}

proptest! {
    #[test]
    fn a_number_is_found_again_in_its_session_alone(number: u32, session: [u8; 10], other: [u8; 10]) {
        let (key, other) = (SessionKey::of(&session), SessionKey::of(&other));
        let token = Token::of_number(number);
        let id = Dialect::V50.id(key, token);
        prop_assert_eq!(Dialect::V50.token(key, id), Some(token));
        prop_assert!(key == other || Dialect::V50.token(other, id).is_none());
        prop_assert_ne!(Dialect::V42.id(key, Token(*b"A             ")), Dialect::V42.id(key, Token(*b"B             ")));
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
        for dialect in [Dialect::V50, Dialect::V42] {
            let request = dialect.request(&bytes);
            prop_assert!(!bytes.is_empty() || request == Err(Unfit::Malformed));
            if let Some((Report::Executed { qty, .. }, _)) = dialect.report(&bytes) {
                prop_assert_eq!(bytes[0] == b'E' || bytes[0] == b'G', true, "{}", qty);
            }
        }
    }
}

fn held(number: u32, replaces: u64, sent: u64) -> Held {
    Held {
        token: Token::of_number(number),
        text: TEXT,
        owner: OwnerIndex::default(),
        instrument: InstrumentId(0),
        side: Side::Bid,
        qty: 100,
        executed: 0,
        answered: false,
        cancelling: false,
        cancel_sent: false,
        replaces,
        replacement: 0,
        sent,
    }
}

#[test]
fn a_replacement_of_what_is_done_is_ignored_once_a_later_answer_comes() {
    let mut book = Book::new();
    book.add(1, held(1, 0, 1));
    book.get_mut(1).unwrap().answered = true;
    book.add(2, held(2, 1, 2));
    assert_eq!((book.get(1).unwrap().replacement, book.has_orphans()), (2, false));
    book.remove(1);
    assert!(book.has_orphans() && book.ignored(2).is_empty() && book.unanswered(3) == [2]);
    assert_eq!(book.ignored(3), [2]);
    book.remove(2);
    assert!(!book.has_orphans() && book.len() == 0);
}

#[test]
fn a_replacement_goes_on_with_what_its_order_had_executed() {
    let mut book = Book::new();
    book.add(1, Held { executed: 30, ..held(1, 0, 1) });
    book.add(2, Held { qty: 80, ..held(2, 1, 2) });
    let made = book.replaced(1, 2).unwrap();
    assert_eq!((made.leaves(), made.replaces, made.answered), (50, 0, true));
    assert!(book.get(1).is_none() && book.remove(2).is_some_and(|held| held.executed == 30));
}
