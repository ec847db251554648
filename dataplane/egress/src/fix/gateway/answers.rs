//! What the gateway writes itself: orders as they are passed on, and refusals.

use super::book::Entry;
use super::order::Order;
use crate::fix::dictionary::{self, Version};
use crate::fix::message::Message;
use crate::fix::tags;
use crate::fix::write::Writer;
use types::{Tier, UnixNanos};

/// Tags that tell the firm how the gate saw an order. They never go to a venue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlertTags {
    /// `RiskAlert_Normal`, `_Elevated`, `_HighAnomaly` or `_Critical`.
    pub alert: i32,
    /// The calibrated score, 0 to 1 with six places; not written where none.
    pub score: Option<i32>,
    /// The tier, 0 to 3; not written where none.
    pub tier: Option<i32>,
}

impl AlertTags {
    pub(super) fn contain(self, tag: i32) -> bool {
        tag == self.alert || Some(tag) == self.score || Some(tag) == self.tier
    }

    fn write(self, tier: Tier, score_micros: u32, writer: &mut Writer) {
        let alert: &[u8] = match tier {
            Tier::Normal => b"RiskAlert_Normal",
            Tier::Elevated => b"RiskAlert_Elevated",
            Tier::High => b"RiskAlert_HighAnomaly",
            Tier::Critical => b"RiskAlert_Critical",
        };
        writer.text(self.alert, alert);
        if let Some(tag) = self.score {
            let (whole, mut rest) = (score_micros / 1_000_000, score_micros % 1_000_000);
            let mut text = *b"0.000000";
            text[0] = b'0' + u8::from(whole > 0);
            for digit in text[2..].iter_mut().rev() {
                *digit = b'0' + u8::try_from(rest % 10).unwrap_or(0);
                rest /= 10;
            }
            writer.text(tag, &text);
        }
        if let Some(tag) = self.tier {
            writer.number(tag, tier as u64);
        }
    }
}

/// Every field of the body, as it stands and in its order, without those of [`AlertTags`]. A replacement and a cancel go without OrderID
/// (37): the venue is to go by the ClOrdID that was judged.
pub(super) fn copy_body(message: &Message<'_>, alerts: AlertTags, writer: &mut Writer) {
    let names_an_order = matches!(message.kind(), b"G" | b"F");
    for field in message.fields() {
        let of_the_session = dictionary::is_header(field.tag) || dictionary::is_trailer(field.tag);
        let is_unread = names_an_order && field.tag == tags::ORDER_ID;
        if !of_the_session && !is_unread && !alerts.contain(field.tag) {
            writer.text(field.tag, field.value);
        }
    }
}

/// A message for the firm: its fields, and how the gate saw the order it is about. The end of an order that the gateway cancelled
/// itself is told under the order's id: the firm knows no other.
pub(super) fn copy_for_firm(
    message: &Message<'_>,
    alerts: AlertTags,
    (entry, is_own_cancel): (Option<Entry>, bool),
    writer: &mut Writer,
) {
    for field in message.fields() {
        let of_the_session = dictionary::is_header(field.tag) || dictionary::is_trailer(field.tag);
        match field.tag {
            _ if of_the_session || alerts.contain(field.tag) => {}
            tags::CL_ORD_ID if is_own_cancel => {}
            tags::ORIG_CL_ORD_ID if is_own_cancel => writer.text(tags::CL_ORD_ID, field.value),
            tag => writer.text(tag, field.value),
        }
    }
    let (tier, score) = entry.map_or((Tier::Normal, 0), |entry| (entry.tier, entry.score_micros));
    alerts.write(tier, score, writer);
}

/// How an order was refused.
#[derive(Clone, Copy, Debug)]
pub(super) struct Refusal<'a> {
    /// OrdRejReason (103), as of 5.0 SP2.
    pub(super) reason: u64,
    pub(super) text: &'a str,
    pub(super) tier: Tier,
    pub(super) score_micros: u32,
}

/// A reason that the version has: 4.2 knows 0 to 8, 4.4 up to 15 and 99.
fn ord_rej_reason(version: Version, reason: u64) -> u64 {
    match version {
        Version::Fix42 if reason > 8 => 0,
        Version::Fix44 if reason > 15 => 99,
        Version::Fix42 | Version::Fix44 | Version::Fixt11 => reason,
    }
}

/// The execution report that refuses a new order (35=8, 150=8, 39=8).
pub(super) fn refuse_order(
    order: &Order<'_>,
    refusal: Refusal<'_>,
    (version, alerts): (Version, AlertTags),
    exec_id: &str,
    now: UnixNanos,
    writer: &mut Writer,
) {
    writer.text(tags::ORDER_ID, b"NONE");
    writer.text(tags::CL_ORD_ID, order.client_id);
    writer.text(tags::EXEC_ID, exec_id.as_bytes());
    if version == Version::Fix42 {
        writer.text(tags::EXEC_TRANS_TYPE, b"0");
    }
    writer.text(tags::EXEC_TYPE, b"8");
    writer.text(tags::ORD_STATUS, b"8");
    writer.number(tags::ORD_REJ_REASON, ord_rej_reason(version, refusal.reason));
    for (tag, value) in
        [(tags::SYMBOL, order.symbol), (tags::SIDE, order.side), (tags::ORDER_QTY, order.qty_text)]
    {
        if !value.is_empty() {
            writer.text(tag, value);
        }
    }
    for tag in [tags::LEAVES_QTY, tags::CUM_QTY, tags::AVG_PX] {
        writer.number(tag, 0);
    }
    writer.time(tags::TRANSACT_TIME, now);
    writer.text(tags::TEXT, refusal.text.as_bytes());
    if version == Version::Fixt11 {
        writer.text(tags::REJECT_TEXT, refusal.text.as_bytes());
    }
    alerts.write(refusal.tier, refusal.score_micros, writer);
}

/// What a refused request to replace or to cancel was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Request {
    Cancel = 1,
    Replace = 2,
}

/// The reject of a request to replace or to cancel (35=9).
pub(super) fn refuse_request(
    order: &Order<'_>,
    request: Request,
    known: Option<Entry>,
    refusal: Refusal<'_>,
    (version, alerts): (Version, AlertTags),
    writer: &mut Writer,
) {
    writer.text(tags::ORDER_ID, b"NONE");
    writer.text(tags::CL_ORD_ID, order.client_id);
    writer.text(tags::ORIG_CL_ORD_ID, order.original_id);
    writer.text(tags::ORD_STATUS, &[known.map_or(b'8', |entry| entry.status)]);
    writer.number(tags::CXL_REJ_RESPONSE_TO, request as u64);
    // CxlRejReason: 1 unknown order; 2 "broker/exchange option" where the version has no 99 "other".
    let reason = match (known, version) {
        (None, _) => 1,
        (Some(_), Version::Fix42) => 2,
        (Some(_), Version::Fix44 | Version::Fixt11) => 99,
    };
    writer.number(tags::CXL_REJ_REASON, reason);
    writer.text(tags::TEXT, refusal.text.as_bytes());
    if version == Version::Fixt11 {
        writer.text(tags::REJECT_TEXT, refusal.text.as_bytes());
    }
    alerts.write(refusal.tier, refusal.score_micros, writer);
}
