//! The one place that names atomics: `core` in the product, loom's model-checked twins under `--cfg loom`.

#[cfg(not(loom))]
pub(crate) use core::{
    hint::spin_loop,
    sync::atomic::{AtomicU32, AtomicU64, Ordering, fence},
};
#[cfg(loom)]
pub(crate) use loom::{
    hint::spin_loop,
    sync::atomic::{AtomicU32, AtomicU64, Ordering, fence},
};

/// A word of a record: an atomic in the product.
#[cfg(not(loom))]
pub(crate) type Word = AtomicU64;

/// Word number `index` of an empty record.
#[cfg(not(loom))]
#[inline(always)]
pub(crate) const fn word(_index: usize) -> Word {
    AtomicU64::new(0)
}

/// How many words of a record are modelled. The model checker tries old and new for each word that it knows of, so that the
/// thirteen of an officer's record would never end.
#[cfg(loom)]
const WORDS_MODELLED: usize = 2;

/// A word of a record: a modelled one, or one behind them, which every thread sees as it is.
#[cfg(loom)]
pub(crate) enum Word {
    Modelled(AtomicU64),
    Plain(core::sync::atomic::AtomicU64),
}

#[cfg(loom)]
pub(crate) fn word(index: usize) -> Word {
    if index < WORDS_MODELLED { Word::Modelled(AtomicU64::new(0)) } else { Word::Plain(0.into()) }
}

#[cfg(loom)]
impl Word {
    pub(crate) fn load(&self, order: Ordering) -> u64 {
        match self {
            Self::Modelled(word) => word.load(order),
            Self::Plain(word) => word.load(order),
        }
    }

    pub(crate) fn store(&self, value: u64, order: Ordering) {
        match self {
            Self::Modelled(word) => word.store(value, order),
            Self::Plain(word) => word.store(value, order),
        }
    }
}
