//! What a strategy, an account and their groups have lost since the firm's day began.

use super::levels::{unknown, weighed};
use crate::{
    check::{Needs, clip, clip_wide},
    levels::{ACCOUNT, DESK, FIRM, STRATEGY, TRADER},
    weight::Weight,
};

weighed! {
    broken Weight::has_lost, numbers |weight| (clip(weight.loss_micros), clip_wide(weight.lost_micros()));
    LossStrategy 1300 "LOSS_STRATEGY" STRATEGY
        "The strategy has lost {value} today, realised and marked; from {limit} on it may only reduce what it holds.";
    LossAccount 1301 "LOSS_ACCOUNT" ACCOUNT
        "The account has lost {value} today, realised and marked; from {limit} on it may only reduce what it holds.";
    LossDesk 1302 "LOSS_DESK" DESK
        "The desk has lost {value} today, realised and marked; from {limit} on it may only reduce what it holds.";
    LossTrader 1303 "LOSS_TRADER" TRADER
        "The trader has lost {value} today, realised and marked; from {limit} on they may only reduce what they hold.";
    LossFirm 1304 "LOSS_FIRM" FIRM
        "The firm has lost {value} today, realised and marked; from {limit} on it may only reduce what it holds.";
}

unknown! {
    LossUnknown 1305 "LOSS_UNKNOWN" Weight::unknown_profit, needs Needs::Limits;
        "What was made or lost today in instrument {value} cannot be told: there is no price, no rate, or no settlement price of the day before of what was held then."
        fails closed on "no reference and no settlement price of a position, no settlement price of the day before of what was not traded today, no rate; too many instruments";
}
