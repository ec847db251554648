//! An order thread that is let in without a daemon: by whoever has the tables, in the same process. It gets what the daemon gives over its
//! control socket: the tables, a ring, the steps of a client that did nothing yet, and the end of a connection.

use crate::line::gate_tables::SharedMemory;
use crate::line::grant::{file_of, grant_for, grant_of};
use crate::line::topology::order_ring;
use anyhow::{Context, Result};
use attach::OrderThread;
use attach::ring::RingReader;
use control::config::Plan;
use control::names::Name;
use std::collections::BTreeMap;
use std::os::unix::net::UnixStream;
use std::path::Path;

/// A thread, and the appliance's ends.
pub(super) struct LetIn {
    pub(super) thread: OrderThread,
    /// What it says.
    pub(super) ring: RingReader,
    /// Lives as long as the appliance does.
    pub(super) lifeline: UnixStream,
}

/// Lets an order thread in that has these strategies and accounts, by the numbers of the tables. Its ring lies in `dir` for a moment.
pub(super) fn let_in(
    (plan, shared): (&Plan, &SharedMemory),
    scopes: (BTreeMap<Name, u16>, BTreeMap<Name, u16>),
    dir: &Path,
) -> Result<LetIn> {
    let grant = grant_for(plan, grant_of(plan, shared), scopes);
    let path = dir.join("order.ring");
    let told = || format!("cannot make the ring {}", path.display());
    let ring = order_ring(plan, &path, 1).with_context(told)?;
    let writer = ring.grant().with_context(told)?.with_context(told)?;
    // Both ends have it.
    std::fs::remove_file(&path).with_context(told)?;
    let steps = file_of(&[]).context("no memory for a client's steps")?;
    let memory = shared.memory.try_clone().context("the tables cannot be shared")?;
    let (lifeline, theirs) = UnixStream::pair().context("no connection to the order thread")?;
    let thread = OrderThread::admitted(grant, vec![memory, writer.into(), steps], theirs)?;
    Ok(LetIn { thread, ring, lifeline })
}
