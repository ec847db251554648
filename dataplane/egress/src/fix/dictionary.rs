//! What the session layer and the order messages must have, by version: the rows of the FIX dictionaries (4.2, 4.4, FIXT 1.1 with
//! 5.0 SP2) that a gateway has to judge itself. Messages that it only passes on are not described here; the peer that reads them is.

/// A version of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// FIX 4.2.
    Fix42,
    /// FIX 4.4.
    Fix44,
    /// FIX 5.0 SP2 over FIXT 1.1.
    Fixt11,
}

impl Version {
    /// BeginString (8).
    pub(crate) const fn begin_string(self) -> &'static [u8] {
        match self {
            Self::Fix42 => b"FIX.4.2",
            Self::Fix44 => b"FIX.4.4",
            Self::Fixt11 => b"FIXT.1.1",
        }
    }

    /// The highest tag that the version's dictionary defines; above it, from 5000 on, are tags that users define.
    const fn last_tag(self) -> i32 {
        match self {
            Self::Fix42 => 446,
            Self::Fix44 => 956,
            Self::Fixt11 => 2_999,
        }
    }

    /// Whether the dictionary defines `tag`.
    pub(crate) const fn defines(self, tag: i32) -> bool {
        tag > 0 && tag <= self.last_tag()
    }

    /// Whether the dictionary has a message of this type.
    pub(crate) fn has_message(self, kind: &[u8]) -> bool {
        match (self, kind) {
            (Self::Fix42, [one]) => one.is_ascii_alphanumeric() && !b"IOUnopqrstuvwxyz".contains(one),
            (Self::Fix44, [one]) => one.is_ascii_alphanumeric() && !b"IOU".contains(one),
            (Self::Fix44, [b'A', second]) => second.is_ascii_uppercase(),
            (Self::Fix44, [b'B', second]) => (b'A'..=b'H').contains(second),
            (Self::Fixt11, [one]) => one.is_ascii_alphanumeric() && !b"IOU".contains(one),
            (Self::Fixt11, [b'A'..=b'E', second]) => second.is_ascii_uppercase(),
            (Self::Fix42 | Self::Fix44 | Self::Fixt11, _) => false,
        }
    }
}

/// Whether `tag` stands before the body (standard message header).
pub(crate) const fn is_header(tag: i32) -> bool {
    matches!(
        tag,
        8 | 9
            | 34
            | 35
            | 43
            | 49
            | 50
            | 52
            | 56
            | 57
            | 90
            | 91
            | 97
            | 115
            | 116
            | 122
            | 128
            | 129
            | 142..=145
            | 212
            | 213
            | 347
            | 369
            | 370
            | 627..=630
            | 1128
            | 1129
            | 1156
    )
}

/// Whether `tag` stands after the body (standard message trailer).
pub(crate) const fn is_trailer(tag: i32) -> bool {
    matches!(tag, 10 | 89 | 93)
}

/// What the body of one type of message may and must have.
#[derive(Debug)]
pub(crate) struct MessageRow {
    /// Tags without which the message is refused, in the order of the dictionary.
    pub(crate) required: &'static [i32],
    /// Every tag the body may have; `None` when any tag of the version may stand there.
    pub(crate) only: Option<&'static [i32]>,
}

/// The row of messages of type `kind`; none for those that are only passed on.
pub(crate) fn message_row(version: Version, kind: &[u8]) -> Option<&'static MessageRow> {
    const fn closed(required: &'static [i32], only: &'static [i32]) -> MessageRow {
        MessageRow { required, only: Some(only) }
    }
    const fn open(required: &'static [i32]) -> MessageRow {
        MessageRow { required, only: None }
    }
    static HEARTBEAT: MessageRow = closed(&[], &[112]);
    static TEST_REQUEST: MessageRow = closed(&[112], &[112]);
    static RESEND_REQUEST: MessageRow = closed(&[7, 16], &[7, 16]);
    static REJECT: MessageRow = closed(&[45], &[45, 58, 354, 355, 371, 372, 373, 1130, 1131, 1406]);
    static SEQUENCE_RESET: MessageRow = closed(&[36], &[36, 123]);
    static LOGOUT: MessageRow = closed(&[], &[58, 354, 355, 1409]);
    static LOGON: MessageRow = open(&[98, 108]);
    static LOGON_FIXT: MessageRow = open(&[98, 108, 1137]);
    static ORDER_42: MessageRow = open(&[11, 21, 55, 54, 60, 40]);
    static ORDER_44: MessageRow = open(&[11, 54, 60, 40]);
    static REPLACE_42: MessageRow = open(&[41, 11, 21, 55, 54, 60, 40]);
    static REPLACE_44: MessageRow = open(&[41, 11, 54, 60, 40]);
    static CANCEL_42: MessageRow = open(&[41, 11, 55, 54, 60]);
    static CANCEL_44: MessageRow = open(&[41, 11, 54, 60]);
    static CANCEL_50: MessageRow = open(&[11, 54, 60]);
    static MASS_CANCEL: MessageRow = open(&[11, 530, 60]);
    let old = version == Version::Fix42;
    Some(match kind {
        b"0" => &HEARTBEAT,
        b"1" => &TEST_REQUEST,
        b"2" => &RESEND_REQUEST,
        b"3" => &REJECT,
        b"4" => &SEQUENCE_RESET,
        b"5" => &LOGOUT,
        b"A" if version == Version::Fixt11 => &LOGON_FIXT,
        b"A" => &LOGON,
        b"D" if old => &ORDER_42,
        b"D" => &ORDER_44,
        b"G" if old => &REPLACE_42,
        b"G" => &REPLACE_44,
        b"F" if old => &CANCEL_42,
        b"F" if version == Version::Fixt11 => &CANCEL_50,
        b"F" => &CANCEL_44,
        b"q" if !old => &MASS_CANCEL,
        _ => return None,
    })
}

/// How a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// Digits, after a minus sign at most.
    Int,
    /// Digits with a point among them at most, after a minus sign at most.
    Decimal,
    /// One character.
    Char,
    /// `Y` or `N`.
    Boolean,
    /// UTCTimestamp.
    Time,
    /// Any text.
    Text,
}

/// The format of the values of `tag`. A tag that is not listed may hold any text.
pub(crate) const fn format(tag: i32) -> Format {
    match tag {
        7 | 9 | 16 | 34 | 36 | 45 | 98 | 108 | 371 | 373 | 380 | 383 | 78 | 386 | 453 | 454 | 711 | 789 => {
            Format::Int
        }
        6 | 14 | 31 | 32 | 38 | 44 | 99 | 110 | 111 | 151 | 152 | 210 | 211 => Format::Decimal,
        21 | 40 | 54 | 59 | 77 | 388 => Format::Char,
        43 | 97 | 114 | 121 | 123 | 141 | 377 => Format::Boolean,
        42 | 52 | 60 | 62 | 122 | 126 | 168 | 341 | 370 | 629 => Format::Time,
        _ => Format::Text,
    }
}

/// SecurityType (167) of 4.2.
const SECURITY_TYPES_42: &str = "\
    ? BA CB CD CMO CORP CP CPP CS FHA FHL FN FOR FUT GN GOVT IET MF MIO MPO MPP MPT MUNI NONE OPT PS RP \
    RVRP SL TD USTB WAR ZOO \
    ";

/// SecurityType (167) of 4.4.
const SECURITY_TYPES_44: &str = "\
    ABS AMENDED AN BA BN BOX BRADY BRIDGE BUYSELL CB CD CL CMBS CMO COFO COFP CORP CP CPP CS DEFLTED \
    DINP DN DUAL EUCD EUCORP EUCP EUSOV EUSUPRA FAC FADN FOR FORWARD FUT GO IET LOFC LQN MATURED MBS MF \
    MIO MLEG MPO MPP MPT MT MTN NONE ONITE OPT PEF PFAND PN PS PZFJ RAN REPLACD REPO RETIRED REV RVLV \
    RVLVTRM SECLOAN SECPLEDGE SPCLA SPCLO SPCLT STN STRUCT SUPRA SWING TAN TAXA TBA TBILL TBOND TCAL TD \
    TECP TERM TINT TIPS TNOTE TPRN TRAN UST USTB VRDN WAR WITHDRN XCN XLINKD YANK YCD \
    ";

/// Whether `value` is one that the dictionary lists for `tag`; a tag without a list may hold any.
pub(crate) fn lists(version: Version, tag: i32, value: &[u8]) -> bool {
    let word_of = |words: &str, value: &[u8]| words.split(' ').any(|word| word.as_bytes() == value);
    let one_of = |characters: &[u8]| matches!(value, [one] if characters.contains(one));
    match (tag, version) {
        (21, _) => one_of(b"123"),
        (40, Version::Fix42) => one_of(b"123456789ABCDEFGHIP"),
        (40, Version::Fix44) => one_of(b"12346789DEGIJKLMP"),
        (40, Version::Fixt11) => one_of(b"123456789ABCDEFGHIJKLMPQRS"),
        (54, Version::Fix42) => one_of(b"123456789"),
        (54, Version::Fix44) => one_of(b"123456789ABCDEFG"),
        (54, Version::Fixt11) => one_of(b"123456789ABCDEFGH"),
        (59, Version::Fix42) => one_of(b"0123456"),
        (59, Version::Fix44) => one_of(b"01234567"),
        (59, Version::Fixt11) => one_of(b"0123456789ABC"),
        (98, _) => one_of(b"0123456"),
        (530, Version::Fixt11) => one_of(b"123456789ABC"),
        (530, _) => one_of(b"1234567"),
        (167, Version::Fix42) => word_of(SECURITY_TYPES_42, value),
        (167, Version::Fix44) => word_of(SECURITY_TYPES_44, value),
        _ => true,
    }
}

/// The first field of each entry of the repeating group that `tag` counts, among the groups that orders carry.
pub(crate) const fn group_of(tag: i32) -> Option<i32> {
    Some(match tag {
        78 => 79,
        386 => 336,
        453 => 448,
        454 => 455,
        711 => 311,
        232 => 233,
        _ => return None,
    })
}

/// Whether an order or a header may have `tag` once only: what the gate or the session is decided by must not be said twice.
pub(crate) const fn is_single(tag: i32) -> bool {
    is_header(tag) && !matches!(tag, 627..=630)
        || matches!(
            tag,
            1 | 7
                | 11
                | 16
                | 17
                | 18
                | 21
                | 22
                | 36
                | 37
                | 38
                | 40
                | 41
                | 44
                | 45
                | 48
                | 54
                | 55
                | 59
                | 60
                | 98
                | 99
                | 108
                | 110
                | 111
                | 112
                | 123
                | 126
                | 141
                | 167
                | 207
                | 210
                | 211
                | 432
                | 530
                | 1137
        )
}
