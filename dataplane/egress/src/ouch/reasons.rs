//! The reason that the firm is told, in the codes of its protocol. The gate's codes come in hundreds by kind, so that a check which
//! is added later has the reason of its kind. `README.md` has the table.

use super::words::{Cannot, Refusal};
use gate::RejectReason;
use wire::ouch42::reason as r42;
use wire::ouch50::reason as r50;

/// A reason of OUCH 5.0 (appendix C).
pub(super) fn of_50(refusal: Refusal) -> u16 {
    match refusal {
        Refusal::Gate(reason) => gate_50(reason),
        Refusal::Cannot(Cannot::Quantity) => r50::INVALID_QUANTITY,
        Refusal::Cannot(Cannot::Side) => r50::INVALID_SIDE,
        Refusal::Cannot(Cannot::Peg) => r50::PEGGING_NOT_ALLOWED,
        Refusal::Cannot(Cannot::Mpid) => r50::FIRM_NOT_AUTHORIZED,
        Refusal::Cannot(Cannot::Channel | Cannot::Option) => r50::OTHER,
        Refusal::TooLate => r50::REPLACE_NOT_ALLOWED,
        Refusal::VenueAway | Refusal::Closed => r50::DESTINATION_CLOSED,
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the others are answered by the group of their code")]
fn gate_50(reason: RejectReason) -> u16 {
    match reason {
        RejectReason::ClockBad | RejectReason::TableFull => r50::PROCESSING_ERROR,
        RejectReason::ReduceOnly => r50::AGGREGATE_EXPOSURE,
        RejectReason::Restricted => r50::RESTRICTED_STOCK,
        RejectReason::UnknownInstrument => r50::INVALID_SYMBOL,
        RejectReason::BadQty | RejectReason::BadLot => r50::INVALID_QUANTITY,
        RejectReason::BadPrice | RejectReason::BadTick => r50::INVALID_PRICE,
        RejectReason::Duplicate | RejectReason::Repeated => r50::DUPLICATE,
        RejectReason::QtyFatFinger | RejectReason::Collar | RejectReason::PeriodCollar => r50::FAT_FINGER,
        RejectReason::DepthShort => r50::MARKET_IMPACT,
        RejectReason::Rate => r50::SYMBOL_RATE,
        other => match other.code() {
            100..=199 | 400..=499 => r50::HALTED,
            200..=299 => r50::FIRM_NOT_AUTHORIZED,
            500..=599 => r50::REPLACE_NOT_ALLOWED,
            600..=699 => r50::PROCESSING_ERROR,
            700..=799 => r50::MAX_QUANTITY,
            800..=899 => r50::ORDER_NOTIONAL,
            900..=999 => r50::QUOTE_UNAVAILABLE,
            1000..=1099 => r50::INVALID_PRICE,
            1100..=1199 => r50::AGGREGATE_EXPOSURE,
            1200..=1299 => r50::CROSSED_MARKET,
            1400..=1499 => r50::PORT_RATE,
            _ => r50::OTHER,
        },
    }
}

/// A reason of OUCH 4.2.
#[expect(clippy::wildcard_enum_match_arm, reason = "the others are answered by the group of their code")]
pub(super) fn of_42(refusal: Refusal) -> u8 {
    let reason = match refusal {
        Refusal::Gate(reason) => reason,
        Refusal::Cannot(Cannot::Quantity) => return r42::SHARES,
        Refusal::Cannot(Cannot::Mpid) => return r42::NOT_AUTHORIZED,
        Refusal::Cannot(_) | Refusal::TooLate => return r42::OTHER,
        Refusal::VenueAway | Refusal::Closed => return r42::CLOSED,
    };
    match reason {
        RejectReason::ReduceOnly => r42::SHARES_LIMIT,
        RejectReason::Restricted => r42::RESTRICTED,
        RejectReason::UnknownInstrument => r42::INVALID_STOCK,
        RejectReason::BadQty | RejectReason::BadLot => r42::SHARES,
        RejectReason::BadPrice | RejectReason::BadTick => r42::INVALID_PRICE,
        RejectReason::Collar | RejectReason::PeriodCollar => r42::INVALID_PRICE,
        other => match other.code() {
            100..=109 | 400..=499 => r42::HALTED,
            200..=299 => r42::NOT_AUTHORIZED,
            700..=799 => r42::SHARES,
            800..=899 => r42::VALUE_LIMIT,
            1000..=1099 => r42::INVALID_PRICE,
            1100..=1199 => r42::SHARES_LIMIT,
            _ => r42::OTHER,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_of_the_gate_has_a_reason_of_both_versions() {
        for reason in RejectReason::ALL {
            let refusal = Refusal::Gate(reason);
            assert!((1..=0x33).contains(&of_50(refusal)), "{reason}");
            assert!(b"HZSDCLMRXNOWabcdefghijklmn".contains(&of_42(refusal)), "{reason}");
        }
        assert_eq!(of_50(Refusal::Gate(RejectReason::HaltedFirm)), 0x0007);
        assert_eq!(of_50(Refusal::Gate(RejectReason::QtyDynamic)), 0x0031);
        assert_eq!(of_42(Refusal::Gate(RejectReason::DaemonLost)), b'H');
    }
}
