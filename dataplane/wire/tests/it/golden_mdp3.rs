//! CME MDP 3.0: a hand-made packet laid out from the tables of the schema, blocks longer and shorter than is known of them, and texts.

use wire::mdp3::{self, Dimension, Message, Packet, template};
use wire::{IntoBytes, WireError};

use crate::hex;

/// One price level of schema 9: header, root block of 11 bytes, one entry of 32, an empty group of orders.
const BOOK: &str = "3c00 0b00 2e00 0100 0900 0094 3577 0000 0000 80 0000 \
    2000 01 0052acdf b2241000 05000000 49ab0200 07000000 03000000 02 00 30 0000000000 \
    1800 0000000000 00";

fn book() -> Vec<u8> {
    let mut bytes = hex(BOOK);
    let size = u16::try_from(bytes.len()).unwrap();
    bytes[..2].copy_from_slice(&size.to_le_bytes());
    bytes
}

#[test]
fn a_packet_is_its_messages() {
    let message = book();
    let packet = [hex("39300000 0094357700000000"), message.clone(), message.clone()].concat();
    let parsed = Packet::parse(&packet).unwrap();
    assert_eq!((parsed.header().sequence.get(), parsed.header().sending_time.get()), (12_345, 2_000_000_000));
    let messages: Vec<_> = parsed.messages().map(Result::unwrap).collect();
    assert_eq!(messages, [message.as_slice(), &message]);
    let cut = &packet[..packet.len() - 1];
    let last = Packet::parse(cut).unwrap().messages().last().unwrap();
    assert!(matches!(last, Err(WireError::Truncated { offset, .. }) if offset == 12 + message.len() as u64));
    assert!(matches!(Packet::parse(&packet[..11]), Err(WireError::Truncated { .. })));
}

#[test]
fn a_message_that_is_shorter_than_its_header_is_refused() {
    let mut packet = [hex("39300000 0094357700000000"), book()].concat();
    packet[12] = 9;
    packet[13] = 0;
    let refused = Packet::parse(&packet).unwrap().messages().next().unwrap();
    assert_eq!(refused, Err(WireError::BadLength { offset: 12, message_type: 46, wanted: 10, found: 9 }));
}

#[test]
fn fields_stand_where_the_schema_says() {
    let bytes = book();
    let message = Message::parse(&bytes).unwrap();
    assert_eq!(
        (message.template(), message.name(), message.price_unit()),
        (template::BOOK_46, "IncrementalRefreshBook46", 1)
    );
    let root: &mdp3::Refresh = message.root().unwrap();
    assert_eq!((root.transact_time.get(), root.match_event_indicator), (2_000_000_000, mdp3::END_OF_EVENT));
    let mut groups = message.groups();
    let entries = groups.next::<mdp3::BookEntry>(Dimension::Short).unwrap();
    let entry = entries.get(0).unwrap();
    assert_eq!(
        (entry.price.get(), entry.size.get(), entry.security_id.get()),
        (4_543_950_302_761_472, 5, 174_921)
    );
    assert_eq!((entry.rpt_seq.get(), entry.orders.get(), entry.level), (7, 3, 2));
    assert_eq!((entry.update_action, entry.entry_type), (mdp3::action::NEW, mdp3::entry_type::BID));
    assert!(entries.get(1).is_none() && entries.count() == 1);
    assert_eq!(groups.next::<mdp3::OrderEntry>(Dimension::Eight).unwrap().count(), 0);
    assert!(groups.rest().is_empty());
    assert!(groups.next::<mdp3::OrderEntry>(Dimension::Eight).is_err());
}

#[test]
fn text_has_every_field_by_name() {
    let bytes = book();
    assert_eq!(
        Message::parse(&bytes).unwrap().to_string(),
        "IncrementalRefreshBook46 transact_time=2.000000000 match_event_indicator=0x80 md_entries[md_entry_px=4543950.302761472 \
         md_entry_size=5 security_id=174921 rpt_seq=7 number_of_orders=3 md_price_level=2 md_update_action=0 md_entry_type=0] \
         order_id_entries[]"
    );
    // A block of a later schema, with four bytes that nobody here knows of; the same under a number that no schema has.
    let mut longer = bytes.clone();
    longer.splice(21..21, [1, 2, 3, 4]);
    longer[2] = 15;
    assert!(
        Message::parse(&longer).unwrap().to_string().contains("match_event_indicator=0x80 +4 md_entries[")
    );
    longer[4] = 200;
    assert_eq!(Message::parse(&longer).unwrap().to_string(), "unknown template 200 +15");
    assert_eq!(Message::parse(&longer).unwrap().name(), "Unknown");
    // The entry ends within its price: what is there is shown, and the typed reader refuses.
    let mut shorter = bytes;
    shorter[21] = 26;
    assert!(Message::parse(&shorter).unwrap().to_string().contains("md_price_level=2"));
    let refused = Message::parse(&shorter).unwrap().groups().next::<mdp3::BookEntry>(Dimension::Short);
    assert!(matches!(refused, Err(WireError::BadLength { message_type: 46, wanted: 27, found: 26, .. })));
    // Before schema 9 a mantissa is of 1e-7, and what a version did not have is not read.
    let mut legacy = book();
    (legacy[4], legacy[8]) = (32, 8);
    let text = Message::parse(&legacy).unwrap().to_string();
    assert!(
        text.starts_with("IncrementalRefreshBook32 ") && text.contains("md_entry_px=454395030.2761472"),
        "{text}"
    );
    legacy[8] = 10;
    assert!(Message::parse(&legacy).unwrap().to_string().contains("md_entry_type=0 tradeable_size=0]"));
}

#[test]
fn a_message_without_a_value_says_so() {
    let header = mdp3::MessageHeader {
        size: 40.into(),
        block_length: 30.into(),
        template: template::SECURITY_STATUS.into(),
        schema: 1.into(),
        version: 9.into(),
    };
    let root = mdp3::SecurityStatus {
        transact_time: 1.into(),
        group: *b"ES\0\0\0\0",
        asset: [0; 6],
        security_id: mdp3::INT32_NULL.into(),
        trade_date: u16::MAX.into(),
        match_event_indicator: 0,
        trading_status: 17,
        halt_reason: 0,
        event: 1,
    };
    let bytes = [header.as_bytes(), root.as_bytes()].concat();
    assert_eq!(
        Message::parse(&bytes).unwrap().to_string(),
        "SecurityStatus transact_time=0.000000001 security_group=ES asset=- security_id=- trade_date=- match_event_indicator=0x00 \
         security_trading_status=17 halt_reason=0 security_trading_event=1"
    );
}
