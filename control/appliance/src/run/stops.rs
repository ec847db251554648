//! Strategies that repeated executions have stopped: in force in their own gates from the execution on, latched here.

use super::backend::{LiveBackend, lock};
use super::orders::Orders;
use control::controller::Controller;
use control::names::Name;
use control::protocol::Grant;
use gate::StrategyId;
use stage::Clock as _;

impl LiveBackend {
    /// Strategies that repeated executions have stopped, whose breakers do not say so yet: the client, the strategy, and how often.
    pub(super) fn untaken_stops(&self) -> Vec<(Name, Name, u32)> {
        lock(&self.processes).as_ref().map_or_else(Vec::new, Orders::stops)
    }

    /// What a client's strategies were stopped for before is in their breakers, however often another client's were.
    pub(super) fn say_taken_stops(&self, client: &Name, grant: &Grant, orders: &Orders) {
        for (name, number) in &grant.strategies {
            let taken = orders.taken_stops(client, name);
            // A strategy beyond the table has no breaker, and no order of it passes.
            let _ = lock(&self.writers).breakers.take_repeats(StrategyId(*number), taken);
        }
    }

    /// A strategy's stops up to `count` are in its breaker and latched.
    ///
    /// # Errors
    /// When the journal cannot be written: it is done again.
    pub(super) fn take_stops(&self, client: &Name, strategy: &Name, count: u32) -> std::io::Result<()> {
        let number = lock(&self.names).strategies.get(strategy).copied();
        if let Some(orders) = lock(&self.processes).as_mut() {
            orders.take_stops((client, strategy), count, self.clock.now())?;
        }
        if let Some(number) = number {
            // A strategy beyond the table has no breaker, and no order of it passes.
            let _ = lock(&self.writers).breakers.take_repeats(number, count);
        }
        Ok(())
    }
}

/// Latches every stop that is not in its strategy's breaker yet, and again at the next call where that fails: until then the
/// gate's own word holds. Gives what is to be told.
pub(super) fn latch(controller: &Controller, backend: &LiveBackend) -> Vec<String> {
    let stops = backend.untaken_stops();
    if stops.is_empty() {
        return Vec::new();
    }
    let why = |client| format!("orders were executed on one side too often in a row (client {client})");
    let wanted: Vec<_> = stops.iter().map(|(client, name, _)| (name.clone(), why(client))).collect();
    if let Err(refusal) = controller.trip_by_executions(&wanted) {
        return vec![format!("warning: a stop for repeated executions is not latched: {}", refusal.message)];
    }
    let mut said = Vec::new();
    for (client, strategy, count) in &stops {
        said.push(match backend.take_stops(client, strategy, *count) {
            Ok(()) => format!(
                "warning: strategy {strategy} only reduces, executions of one side were repeated: `portcullisctl breaker reset strategy:{strategy}` ends it"
            ),
            Err(error) => format!("warning: {client}: its journal cannot be written: {error}"),
        });
    }
    said
}
