//! The bounds that the heads of a model put on orders, by instrument.

use gate::FatFingerLimits;
use types::{FeatureVector, InstrumentId, Qty, Symbol};

use super::config::{PolicyConfig, PolicyConfigError};
use crate::heads::fat_finger::{FatFingerBound, FatFingerLaw, sizes_within};
use crate::heads::slippage::{Liquidity, SlippageScale};
use crate::heads::{Head, SizeBound, touch};
use crate::inputs::Bindings;
use crate::model::Model;
use crate::network::Increments;

/// Orders no larger than what the book bears.
struct Slippage {
    limit_bps: f32,
    scales: Bindings<SlippageScale>,
    /// By instrument.
    bounds: Vec<SizeBound>,
}

impl Slippage {
    /// Takes the predicted slippage into the largest order of `instrument`: none when its book, which is live, prices not even
    /// the smallest. Without a prediction the bound stays.
    fn step(&mut self, instrument: InstrumentId, book: Option<&Liquidity>, says: Option<Increments>) {
        let Some(scale) = self.scales.of(instrument) else { return };
        let within = match (book, says) {
            (None, _) => Qty(0),
            (Some(book), Some(says)) => book.size_within(self.limit_bps, scale, &says),
            (Some(_), None) => return,
        };
        self.bounds[instrument.index()].step(within);
    }
}

/// Orders no larger than what is likely meant at their price distance.
struct FatFinger {
    error_probability_max: f64,
    laws: Bindings<FatFingerLaw>,
    /// By instrument.
    bounds: Vec<FatFingerBound>,
}

impl FatFinger {
    /// Takes the sizes that are likely meant into those of `instrument`. Without a prediction they stay.
    fn step(&mut self, instrument: InstrumentId, touch: Option<f64>, says: Option<Increments>) {
        let (Some(touch), Some(law), Some(says)) = (touch, self.laws.of(instrument), says) else { return };
        let sizes = sizes_within(self.error_probability_max, law, &says, touch);
        self.bounds[instrument.index()].step(&sizes);
    }
}

/// The bounds that the policy asks for.
pub(super) struct HeadBounds {
    slippage: Option<Slippage>,
    fat_finger: Option<FatFinger>,
}

/// What the bounds need to know of a vector's book, as far as they are asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct BookView {
    liquidity: Option<Liquidity>,
    touch: Option<f64>,
}

impl HeadBounds {
    /// No bound yet for any of `count` instruments.
    ///
    /// # Errors
    /// A bound whose head the model does not have.
    pub(super) fn new(policy: &PolicyConfig, model: &Model, count: usize) -> Result<Self, PolicyConfigError> {
        let slippage = match (policy.slippage.limit_bps, &model.heads().slippage) {
            (0.0, _) => None,
            (limit_bps, None) => return Err(PolicyConfigError::NoSlippageHead { limit_bps }),
            (limit_bps, Some(head)) => Some(Slippage {
                limit_bps,
                scales: Bindings::new(head.scales(), count),
                bounds: vec![SizeBound::default(); count],
            }),
        };
        let fat_finger = match (policy.fat_finger.error_probability_max, &model.heads().fat_finger) {
            (0.0, _) => None,
            (found, None) => return Err(PolicyConfigError::NoFatFingerHead { found }),
            (error_probability_max, Some(head)) => Some(FatFinger {
                error_probability_max,
                laws: Bindings::new(&head.laws(), count),
                bounds: vec![FatFingerBound::default(); count],
            }),
        };
        Ok(Self { slippage, fat_finger })
    }

    /// Says which symbol `instrument` is.
    pub(super) fn define(&mut self, instrument: InstrumentId, symbol: Symbol) {
        if let Some(slippage) = &mut self.slippage {
            slippage.scales.define(instrument, symbol);
        }
        if let Some(fat_finger) = &mut self.fat_finger {
            fat_finger.laws.define(instrument, symbol);
        }
    }

    /// What is kept of a vector until it is scored.
    pub(super) fn view(&self, vector: &FeatureVector) -> BookView {
        BookView {
            liquidity: self.slippage.as_ref().and_then(|_| Liquidity::of(vector)),
            touch: self.fat_finger.as_ref().and_then(|_| touch(vector)),
        }
    }

    /// Takes in what each head `says` of a vector of a live book.
    pub(super) fn step(
        &mut self,
        instrument: InstrumentId,
        book: &BookView,
        says: impl Fn(Head) -> Option<Increments>,
    ) {
        if let Some(slippage) = &mut self.slippage {
            slippage.step(instrument, book.liquidity.as_ref(), says(Head::Slippage));
        }
        if let Some(fat_finger) = &mut self.fat_finger {
            fat_finger.step(instrument, book.touch, says(Head::FatFinger));
        }
    }

    /// The largest order of `instrument`, where slippage bounds it.
    pub(super) fn size(&self, instrument: InstrumentId) -> Option<Qty> {
        self.slippage.as_ref().and_then(|slippage| slippage.bounds[instrument.index()].get())
    }

    /// The largest orders of `instrument` by price distance, where they are bounded.
    pub(super) fn fat_finger(&self, instrument: InstrumentId) -> Option<FatFingerLimits> {
        self.fat_finger.as_ref().and_then(|fat_finger| fat_finger.bounds[instrument.index()].get())
    }
}
