//! Drop copies that come in, as they are declared.

use super::ouch::password;
use crate::output::say;
use anyhow::{Context, Result};
use control::config::{Gateway as Declared, GatewayCopyIn, Plan};
use egress::fix::{self, CompIds, CopyPlace, Version};
use egress::ouch;
use egress::reconcile::CopyInSetup;
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::time::Duration;
use types::Nanos;

/// What they are taken with, and who sends them; none where none come in.
pub(super) fn setup<S>(
    plan: &Plan,
    declared: &Declared,
    store_dir: PathBuf,
    source: impl FnOnce(&GatewayCopyIn) -> Result<S>,
) -> Result<Option<(CopyInSetup, S)>> {
    let Some(copy) = &declared.copy_in else { return Ok(None) };
    let setup = CopyInSetup {
        gateway: declared.name.clone(),
        client: declared.client.clone(),
        socket: plan.instance.socket.clone(),
        grace: Nanos(u64::from(copy.grace_ms) * Nanos::MILLI.0),
        store_dir,
    };
    Ok(Some((setup, source(copy)?)))
}

/// Execution reports.
pub(super) fn over_fix(version: Version) -> impl FnOnce(&GatewayCopyIn) -> Result<fix::CopySource> {
    move |copy| {
        let place = match (copy.listen, copy.connect) {
            (Some(listen), _) => CopyPlace::Listen(listen),
            (None, connect) => CopyPlace::Connect(connect.context("neither `listen` nor `connect`")?),
        };
        let ids = CompIds { ours: copy.gateway_to_sender.clone(), theirs: copy.sender.clone() };
        let (heartbeat_s, accounts) = (copy.heartbeat_s, copy.accounts.clone());
        Ok(fix::CopySource { version, place, ids, heartbeat_s, accounts })
    }
}

/// The messages of the session's stream.
pub(super) fn over_soup(copy: &GatewayCopyIn) -> Result<ouch::CopySource> {
    Ok(ouch::CopySource {
        connect: copy.connect.context("no `connect`")?,
        username: copy.username.clone(),
        password: password(&copy.password_file)?,
    })
}

/// Says where they come from, and tries it.
pub(super) fn check(declared: &Declared, timeout: Duration) -> Result<()> {
    let Some(copy) = &declared.copy_in else { return Ok(()) };
    let GatewayCopyIn { grace_ms, down_s, sender, gateway_to_sender, username, .. } = copy;
    let (theirs, ours) = if declared.protocol.is_fix() {
        (format!("{sender} "), gateway_to_sender)
    } else {
        (String::new(), username)
    };
    if let Some(listen) = copy.listen {
        say(format_args!("  copies in  {theirs}connects to {listen}, to {ours}"))?;
        TcpListener::bind(listen).with_context(|| format!("the port {listen} cannot be listened on"))?;
    }
    if let Some(connect) = copy.connect {
        say(format_args!("  copies in  from {theirs}at {connect}, as {ours}"))?;
        TcpStream::connect_timeout(&connect, timeout)
            .with_context(|| format!("the copies at {connect} cannot be reached"))?;
    }
    say(format_args!(
        "             what differs after {grace_ms} ms is a break; none for {down_s} s is an alert"
    ))
}
