//! FIX, as it is declared.

use super::carrier::{Parties, carry};
use anyhow::{Context, Result};
use control::config::{Gateway as Declared, OnDisconnect, OnHalt};
use egress::fix::{AlertTags, CompIds, CopySetup, Gateway, OwnCancels, Setup, Version};
use egress::owner::Owner;
use std::path::PathBuf;

carry!(Gateway, |gateway| {
    let counted = gateway.counters();
    counted.iter().map(|(name, count)| format!("{name}={count}")).collect::<Vec<_>>().join(" ")
});

/// What the gateway is made of.
pub(super) fn setup(
    declared: &Declared,
    version: Version,
    owner: Owner,
    store_dir: PathBuf,
) -> Result<Setup> {
    let fix = declared.fix.as_ref().context("no [gateway.fix]")?;
    let tag = |tag: u16| (tag != 0).then_some(i32::from(tag));
    let ids = |ours: &str, theirs: &str| CompIds { ours: ours.to_owned(), theirs: theirs.to_owned() };
    Ok(Setup {
        version,
        listen: declared.listen,
        venue: declared.venue,
        owner,
        firm_ids: ids(&fix.gateway_to_firm, &fix.firm),
        venue_ids: ids(&fix.gateway_to_venue, &fix.venue),
        heartbeat_s: fix.heartbeat_s,
        reset_at_venue: fix.reset_at_venue,
        alerts: AlertTags {
            alert: i32::from(fix.alert_tag),
            score: tag(fix.score_tag),
            tier: tag(fix.tier_tag),
        },
        cancels: OwnCancels {
            on_disconnect: declared.on_disconnect == OnDisconnect::Cancel,
            on_halt: declared.on_halt == OnHalt::Cancel,
        },
        mass_cancel: fix.mass_cancel,
        account: match fix.account.as_str() {
            "" => declared.account.to_string(),
            account => account.to_owned(),
        },
        user_tags: fix.user_tags.iter().map(|tag| i32::from(*tag)).collect(),
        store_dir,
        drop_copy: fix.drop_copy.as_ref().map(|copy| CopySetup {
            listen: copy.listen,
            ids: ids(&copy.gateway_to_receiver, &copy.receiver),
        }),
        copy_in: None,
    })
}

/// Who talks.
pub(super) fn parties(setup: &Setup) -> Parties {
    Parties {
        protocol: match setup.version {
            Version::Fix42 => "FIX 4.2",
            Version::Fix44 => "FIX 4.4",
            Version::Fixt11 => "FIX 5.0 SP2 over FIXT 1.1",
        },
        firm: setup.firm_ids.theirs.clone(),
        at_venue: setup.venue_ids.ours.clone(),
    }
}
