//! The heads beside the autoencoder, each in a folder of its own: what it says of a vector, its part of the manifest, the
//! bound it puts on orders, and, in its `train`, how it is trained. [`Head`] lists them.

mod fat_finger;
mod part;
mod size_bound;
mod slippage;
mod table;
mod train;

#[cfg(test)]
pub(crate) use fat_finger::random_head as random_fat_finger;
pub use fat_finger::{
    DeskOrder, DeskSession, FatFingerHoldout, FatFingerLaw, FatFingerModel, FatFingerOffset, FatFingerRate,
    FatFingerRecord, FatFingerReport, FatFingerStratum, FatFingerTrainConfig, SURFACE_BUCKETS, TouchRow,
    TypingError, read_touches, train_fat_finger,
};
pub(crate) use fat_finger::{SurfaceBound, sizes_within};
pub(crate) use size_bound::{SizeBound, touch};
pub(crate) use slippage::Liquidity;
#[cfg(test)]
pub(crate) use slippage::largest_size;
#[cfg(test)]
pub(crate) use slippage::random_head as random_slippage;
pub use slippage::{
    CostSample, SLIPPAGE_COSTS, SLIPPAGE_SIZES, SlippageHoldout, SlippageModel, SlippageRecord,
    SlippageReport, SlippageScale, SlippageTrainConfig, judge_slippage, read_costs, train_slippage,
};
pub use table::{Head, Heads};
pub(crate) use table::{HeadFault, PerHead, Sections, WeightsFile};
pub use train::{HeadNames, HeadProgress, HeadTrainError};
