//! The one place that names atomics: `core` in the product, loom's model-checked twins under `--cfg loom`.

// Reference counts are not what is modelled: the tables' words are.
pub(crate) use alloc::sync::Arc;
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
