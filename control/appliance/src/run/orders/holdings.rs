//! What the processes hold and have working, for people, and the positions that people set.

use super::process::{Counts, Process, Seat};
use super::{Orders, RUNS};
use control::backend::SessionView;
use control::config::ClientMode;
use control::names::Name;
use control::protocol::{
    HoldingsFilter, OrderRow, OrderSide, PositionRow, PositionSetting, Price, SessionRow,
};
use control::stamp::Stamp;
use gate::Exposure;
use std::fs::File;
use types::{Side, UnixNanos};

/// Whole numbers of 64 bits, since working quantities stay far below.
fn signed(quantity: u64) -> i64 {
    i64::try_from(quantity).unwrap_or(i64::MAX)
}

impl Orders {
    /// What is held, works or is in doubt.
    pub(in crate::run) fn positions(&self, filter: &HoldingsFilter) -> Vec<PositionRow> {
        let mut rows = Vec::new();
        for (client, process) in &self.processes {
            let account = process.mirror.only_account();
            for (strategy, symbol, held) in process.mirror.held() {
                if !filter.shows(client, strategy, account, symbol.into()) {
                    continue;
                }
                let Exposure { position, working_buy, working_sell, in_doubt } = held;
                rows.push(PositionRow {
                    client: client.clone(),
                    strategy: strategy.clone(),
                    account: account.cloned(),
                    symbol: symbol.into(),
                    position,
                    working_buy,
                    working_sell,
                    worst_long: position.saturating_add(signed(working_buy)),
                    worst_short: position.saturating_sub(signed(working_sell)),
                    in_doubt,
                });
            }
        }
        rows
    }

    /// The open orders.
    pub(in crate::run) fn open_orders(&self, filter: &HoldingsFilter) -> Vec<OrderRow> {
        let mut rows = Vec::new();
        for (client, process) in &self.processes {
            let first = rows.len();
            for open in process.mirror.open_orders() {
                if !filter.shows(client, open.strategy, Some(open.account), open.symbol.into()) {
                    continue;
                }
                rows.push(OrderRow {
                    client: client.clone(),
                    id: open.order.id,
                    strategy: open.strategy.clone(),
                    account: open.account.clone(),
                    symbol: open.symbol.into(),
                    side: match open.order.side {
                        Side::Bid => OrderSide::Buy,
                        Side::Ask => OrderSide::Sell,
                    },
                    leaves: open.order.leaves.0,
                    px: Price(open.order.px),
                    since: open.since.map(Stamp),
                    replacement: open.replacement,
                });
            }
            if let Some(rows) = rows.get_mut(first..) {
                rows.sort_by_key(|row| row.id);
            }
        }
        rows
    }

    /// How every client is connected.
    pub(in crate::run) fn sessions(&self) -> Vec<SessionView> {
        let known = self.processes.iter().map(|(client, process)| session(client, process));
        let unreadable = self.unreadable.keys().map(|client| SessionView {
            session: SessionRow { state: "unreadable".to_owned(), in_doubt: true, ..empty(client) },
            uid: None,
        });
        let mut all: Vec<SessionView> = known.chain(unreadable).collect();
        all.sort_by(|a, b| a.session.client.cmp(&b.session.client));
        all
    }

    /// A client whose books may be written here: its process does not run.
    fn resting(&mut self, client: &Name) -> Result<(&mut Process, File), String> {
        self.quiet(client).map_err(|why| {
            if why != RUNS {
                return why;
            }
            format!(
                "{client}'s process runs, and sets its positions itself (OrderThread::set_position, \
                 portcullis_gate_set_position); or end it, and set them then"
            )
        })
    }

    /// What stands in the books where `setting` would write, when it may.
    ///
    /// # Errors
    /// In a sentence, why it may not now.
    pub(in crate::run) fn position(&mut self, setting: &PositionSetting) -> Result<Exposure, String> {
        let (process, _ring) = self.resting(&setting.client)?;
        let PositionSetting { strategy, account, symbol, position, .. } = setting;
        process.mirror.setting(strategy, account, symbol.symbol(), *position)?;
        Ok(process.mirror.exposure(strategy, symbol.symbol()))
    }

    /// Sets a position in the books of a client that is away, on disk before this returns.
    ///
    /// # Errors
    /// In a sentence, why not.
    pub(in crate::run) fn set_position(
        &mut self,
        setting: &PositionSetting,
        now: UnixNanos,
    ) -> Result<(), String> {
        // The ring is held until it is done: no process attaches meanwhile.
        let (process, _ring) = self.resting(&setting.client)?;
        let PositionSetting { strategy, account, symbol, position, .. } = setting;
        let set = process.mirror.setting(strategy, account, symbol.symbol(), *position)?;
        let blocks = set.blocks(process.journal.number, now);
        process.append(&blocks).and_then(|()| process.journal.keep()).map_err(|error| error.to_string())
    }
}

/// A client of which nothing is known.
fn empty(client: &Name) -> SessionRow {
    SessionRow {
        client: client.clone(),
        kind: "process".to_owned(),
        state: "away".to_owned(),
        pid: None,
        user: String::new(),
        since: None,
        ring_waiting: 0,
        ring_records: 0,
        open_orders: 0,
        accepted: 0,
        flagged: 0,
        rejected: 0,
        lost: 0,
        damaged: 0,
        unlogged: 0,
        mode: ClientMode::Enforce.as_str().to_owned(),
        would_reject: 0,
        near_limit: 0,
        in_doubt: false,
    }
}

fn session(client: &Name, process: &Process) -> SessionView {
    let Counts { accepted, flagged, rejected, lost, damaged, unlogged, would_reject, near_limit } =
        process.counts;
    let seat = process.seat();
    let state = match (seat, process.ring.grant()) {
        (Some(_), _) => "attached",
        // Somebody has it, and is not attached here.
        (None, Ok(None)) => "orphaned",
        (None, Ok(Some(_)) | Err(_)) => "away",
    };
    let session = SessionRow {
        state: state.to_owned(),
        pid: seat.map(|seat| seat.pid),
        since: seat.map(|seat| Stamp(seat.since)),
        ring_waiting: process.ring.waiting().unwrap_or_default(),
        ring_records: process.ring.capacity(),
        open_orders: process.mirror.open_order_count() as u64,
        accepted,
        flagged,
        rejected,
        lost,
        damaged,
        unlogged,
        mode: process.client.mode.as_str().to_owned(),
        would_reject,
        near_limit,
        in_doubt: process.mirror.in_doubt(),
        ..empty(client)
    };
    SessionView { session, uid: seat.map(|seat: Seat| seat.uid) }
}
