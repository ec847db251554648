//! Cboe PITCH: hand-made units laid out from the specification's tables, and the texts of messages.

use wire::pitch::{self, Msg, Unit};
use wire::{IntoBytes, WireError};

use crate::hex;

#[test]
fn a_unit_is_its_messages_and_what_is_wrong_is_placed() {
    // Length 22, two messages, unit 3, sequence 258; a time, and a delete that is cut below.
    let bytes = hex("1c00 02 03 02010000 06 20 84030000 0e 29 05000000 0100000000000000");
    let unit = Unit::parse(&bytes).unwrap();
    assert_eq!(unit.header().to_string(), "PITCH unit=3 seq=258 count=2");
    let messages: Vec<_> = unit.messages().map(|m| pitch::decode(m.unwrap()).unwrap().to_string()).collect();
    assert_eq!(messages, ["0x20 Time seconds=900", "0x29 DeleteOrder offset=5 order_id=1"]);
    let mut longer = bytes.clone();
    longer[8] = 7;
    let seen: Vec<_> = Unit::parse(&longer).unwrap().messages().collect();
    assert!(matches!(seen.last(), Some(Err(WireError::Truncated { .. }))), "{seen:?}");
    let mut none = bytes.clone();
    none[8] = 1;
    assert_eq!(Unit::parse(&none).unwrap().messages().next(), Some(Err(WireError::ZeroLength { offset: 8 })));
    let mut fewer = bytes.clone();
    fewer[2] = 1;
    let trailing = Unit::parse(&fewer).unwrap().messages().last();
    assert_eq!(trailing, Some(Err(WireError::TrailingBytes { offset: 14, found: 14 })));
    assert!(matches!(Unit::parse(&bytes[..27]), Err(WireError::Truncated { .. })));
    assert!(matches!(
        Unit::parse(&hex("0700 00 01 00000000")),
        Err(WireError::BadLength { wanted: 8, found: 7, .. })
    ));
}

#[test]
fn every_message_has_the_length_of_its_table_and_keeps_what_a_version_appends() {
    for &(code, length, name) in pitch::MESSAGE_TYPES {
        let mut bytes = vec![0; usize::from(length)];
        bytes[0] = code;
        assert_eq!(pitch::decode(&bytes).unwrap().name(), name);
        let refused = pitch::decode(&bytes[..bytes.len() - 1]);
        assert!(
            matches!(refused, Err(WireError::BadLength { message_type, .. }) if message_type == code),
            "{name}"
        );
        bytes.extend([1, 2, 3]);
        assert_eq!(pitch::decode(&bytes).unwrap().as_bytes().map(<[u8]>::len), Some(usize::from(length)));
    }
    assert!(matches!(pitch::decode(&[0x99, 1]), Ok(Msg::Other(0x99))));
}

#[test]
fn fields_stand_where_the_tables_say() {
    let order = pitch::AddOrderLong::new(5, 7, b'B', 300, *b"ZVZZT ", -1_234_500, 1);
    assert_eq!(
        order.as_bytes(),
        hex("21 05000000 0700000000000000 42 2c010000 5a565a5a5420 bc29edffffffffff 01")
    );
    assert_eq!(
        order.to_string(),
        "0x21 AddOrderLong offset=5 order_id=7 side=B quantity=300 symbol=ZVZZT price=-123.4500 flags=0x01"
    );
    let short = pitch::AddOrderShort::new(5, 7, b'S', 300, *b"ZVZZT ", 65_535, 0);
    assert_eq!(short.as_bytes(), hex("22 05000000 0700000000000000 53 2c01 5a565a5a5420 ffff 00"));
    assert_eq!(
        (short.price.px().to_string().as_str(), order.price.px().to_string().as_str()),
        ("655.35", "-123.45")
    );
    let request = pitch::GapRequest::new(1, 258, 3);
    assert_eq!(request.as_bytes(), hex("03 01 02010000 0300"));
}
