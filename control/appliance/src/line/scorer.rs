//! The scorer as a stage of the line: what the books name and the cold thread commands is taken before the vectors.

use super::gate_tables::CLASS;
use super::notes::{Defined, ScorerCommand};
use super::score_sink::{LimitOutlet, ScoreOutlet};
use crate::scorer::AnyScorer;
use control::config::LimitPlan;
use gpu::{PolledScorer, ScorerStage};
use stage::{RingRx, Stage, Work, WorkStatus};
use types::UnixNanos;

type Inner = ScorerStage<AnyScorer, LimitOutlet, ScoreOutlet>;

/// Who says what the officer's envelopes are.
pub(crate) enum Envelopes {
    /// The configuration, from the moment an instrument is named.
    Plan(Box<LimitPlan>),
    /// The control plane, by command.
    Commands(RingRx<ScorerCommand>),
}

/// The scorer between its rings.
pub(crate) struct LineScorer {
    scorer: PolledScorer<AnyScorer, LimitOutlet, ScoreOutlet>,
    definitions: RingRx<Defined>,
    envelopes: Envelopes,
}

impl LineScorer {
    pub(crate) const fn new(
        scorer: PolledScorer<AnyScorer, LimitOutlet, ScoreOutlet>,
        definitions: RingRx<Defined>,
        envelopes: Envelopes,
    ) -> Self {
        Self { scorer, definitions, envelopes }
    }

    /// Closes the files.
    ///
    /// # Errors
    /// The first that any of them met.
    pub(crate) fn finish_files(mut self) -> anyhow::Result<()> {
        let stage = self.scorer.stage_mut();
        stage.sink_mut().finish_files()?;
        stage.observer_mut().finish_file()
    }

    fn flush(&mut self) -> bool {
        let stage = self.scorer.stage_mut();
        let told = stage.sink_mut().flush();
        stage.observer_mut().flush() && told
    }

    fn close(&mut self) {
        let stage = self.scorer.stage_mut();
        stage.sink_mut().close();
        stage.observer_mut().close();
    }
}

fn define(stage: &mut Inner, envelopes: &Envelopes, defined: Defined) {
    let Defined { instrument, symbol, feed, .. } = defined;
    stage.define(instrument, symbol);
    stage.set_feed(instrument, feed);
    stage.sink_mut().define(instrument, symbol);
    stage.observer_mut().define(instrument, symbol);
    if let Envelopes::Plan(plan) = envelopes {
        stage.set_envelope(instrument, CLASS, plan.envelope(symbol.into()));
    }
}

fn take_definitions(stage: &mut Inner, definitions: &mut RingRx<Defined>, envelopes: &Envelopes) {
    definitions.drain(usize::MAX, |new| new.iter().for_each(|d| define(stage, envelopes, *d)));
}

fn command(stage: &mut Inner, command: &ScorerCommand, now: UnixNanos) {
    match command {
        ScorerCommand::Envelope { instrument, envelope } => {
            _ = stage.set_envelope(*instrument, CLASS, envelope);
        }
        ScorerCommand::BeginIn { instrument, tier } => stage.begin_in(*instrument, *tier, now),
        ScorerCommand::Reset { instrument } => _ = stage.reset(*instrument, now),
    }
}

impl Stage for LineScorer {
    fn name(&self) -> &'static str {
        "scorer"
    }

    fn poll(&mut self, now: UnixNanos) -> Work {
        if !self.flush() {
            return Work { items: 0, status: WorkStatus::Busy };
        }
        let Self { scorer, definitions, envelopes } = self;
        take_definitions(scorer.stage_mut(), definitions, envelopes);
        if let Envelopes::Commands(commands) = envelopes {
            let stage = scorer.stage_mut();
            commands.drain(64, |new| new.iter().for_each(|c| command(stage, c, now)));
        }
        // A definition is sent before the first vector that needs it, so it is here when the vector is.
        let work = scorer.poll_after(now, |stage| take_definitions(stage, definitions, envelopes));
        let told = self.flush();
        match work.status {
            WorkStatus::Done if told => {
                self.close();
                Work::DONE
            }
            WorkStatus::Done => Work { items: 0, status: WorkStatus::Busy },
            WorkStatus::Idle if !told => Work { items: 0, status: WorkStatus::Busy },
            WorkStatus::Idle | WorkStatus::Busy => work,
        }
    }
}
