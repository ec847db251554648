//! The order port as the desk's gate.

use crate::fix::gateway::{Gatekeeper, Judgement};
use crate::halt::Halted;
use crate::orders::{OrderPort, Wanted};
use gate::{Booked, OpenOrder, OrderEvent, Settlement};
use types::{InstrumentId, Symbol, UnixNanos};

impl Gatekeeper for OrderPort {
    fn instrument(&mut self, symbol: Symbol) -> InstrumentId {
        Self::instrument(self, symbol)
    }

    fn reserve(&mut self, wanted: &Wanted, now: UnixNanos) -> Judgement {
        let (verdict, reservation) = self.judge(wanted, now);
        Judgement { verdict, is_reserved: reservation.is_some() }
    }

    fn replace(&mut self, replaced: u64, wanted: &Wanted, now: UnixNanos) -> Judgement {
        let (verdict, reservation) = self.judge_replacement(replaced, wanted, now);
        Judgement { verdict, is_reserved: reservation.is_some() }
    }

    fn settle(&mut self, event: OrderEvent, now: UnixNanos) -> Settlement {
        Self::settle(self, event, now)
    }

    fn cancel(&mut self, id: u64, now: UnixNanos) {
        Self::cancel(self, id, now);
    }

    fn open_orders(&self) -> Vec<OpenOrder> {
        Self::open_orders(self).collect()
    }

    fn executions(&self) -> Vec<(u64, Booked)> {
        Self::executions(self).collect()
    }

    fn halted(&mut self, now: UnixNanos) -> Option<Halted> {
        Self::halted(self, now)
    }

    fn is_open(&self, id: u64) -> bool {
        Self::is_open(self, id)
    }

    fn is_closed(&mut self, symbol: Symbol) -> bool {
        let instrument = Self::instrument(self, symbol);
        Self::is_closed(self, instrument)
    }

    fn leaves(&self, id: u64) -> Option<u32> {
        Self::open_orders(self).find(|order| order.id == id).map(|order| order.leaves.0)
    }

    fn is_ready(&self) -> bool {
        self.is_attached()
    }

    fn look_after(&mut self) -> Option<String> {
        self.let_go_of_the_dead();
        if self.is_attached() {
            return None;
        }
        Some(match self.attach_anew() {
            Ok(()) => self.attached_anew(),
            Err(error) => format!("not attached: {error}"),
        })
    }
}
