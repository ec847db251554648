//! The tables whose one writer is the cold thread, and the scorer's commands: the part of the control plane's backend that goes by its
//! caller's time.

use crate::line::declared::Declared;
use crate::line::gate_tables::CLASS;
use crate::line::notes::ScorerCommand;
use gate::{
    Breaker, BreakerCause, BreakerState, BreakerWriter, Envelope, Permission, StaticTerms, StaticWriter,
    UnknownRow,
};
use stage::RingTx;
use types::{InstrumentId, Symbol, UnixNanos};

/// Tables with one writer: this one.
pub(super) struct Writers {
    pub(super) statics: StaticWriter,
    pub(super) declared: Declared,
    pub(super) breakers: BreakerWriter,
    pub(super) commands: RingTx<ScorerCommand>,
}

impl Writers {
    /// Opens every breaker that nothing latched has closed.
    pub(super) fn open_unlatched(&mut self) {
        self.breakers.set_unset(Breaker { state: BreakerState::Open, cause: BreakerCause::Boot, episode: 0 });
    }

    /// Puts `envelope` in force for an instrument at `now`, as the `version`th word of its officer; whether the scorer took it too.
    ///
    /// # Errors
    /// [`UnknownRow`]: the instrument is beyond the table.
    pub(super) fn set_limits(
        &mut self,
        (instrument, symbol): (InstrumentId, Symbol),
        envelope: &Envelope,
        version: u32,
        now: UnixNanos,
    ) -> Result<bool, UnknownRow> {
        let lot = self.declared.lot(symbol);
        let terms = StaticTerms { lot, permission: Permission::Granted, version };
        self.statics.publish(instrument, CLASS, envelope, &terms, now)?;
        Ok(self.commands.send(&[ScorerCommand::Envelope { instrument, envelope: *envelope }]) == 1)
    }
}
