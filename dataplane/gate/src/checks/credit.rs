//! What a strategy, an account and their groups require of their credit: what they hold at worst, times the margin multiplier.

use super::levels::{unknown, weighed};
use crate::{
    check::{Needs, clip, clip_wide},
    levels::{ACCOUNT, DESK, FIRM, STRATEGY, TRADER},
    weight::Weight,
};

weighed! {
    broken Weight::lacks_credit, numbers |weight| (clip(weight.limits.credit_micros), clip_wide(weight.required_micros()));
    CreditStrategy 1130 "CREDIT_STRATEGY" STRATEGY
        "With every working order filled the strategy would require a margin of {value}, above its credit of {limit}.";
    CreditAccount 1131 "CREDIT_ACCOUNT" ACCOUNT
        "With every working order filled the account would require a margin of {value}, above its credit of {limit}.";
    CreditDesk 1132 "CREDIT_DESK" DESK
        "With every working order filled the desk would require a margin of {value}, above its credit of {limit}.";
    CreditTrader 1133 "CREDIT_TRADER" TRADER
        "With every working order filled the trader would require a margin of {value}, above their credit of {limit}.";
    CreditFirm 1134 "CREDIT_FIRM" FIRM
        "With every working order filled the firm would require a margin of {value}, above its credit of {limit}.";
}

unknown! {
    MarginUnknown 1135 "MARGIN_UNKNOWN" Weight::unknown_margin, needs Needs::Limits;
        "What instrument {value} requires of the credit cannot be told: the limits with its margin multiplier are missing, or could not be read whole."
        fails closed on "no limits, or torn ones, of something held";
}
