//! Has the library fit a network on a card, through [`crate::abi::Train`].

use core::any::Any;
use core::ffi::c_void;
use core::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};

use types::MODEL_FEATURE_COUNT;

use crate::abi::{FitConfig, FitEpoch, FitRequest, FitResult, FitStatus, Train};
use crate::loader::{LoadError, Loaded, MESSAGE_BYTES, text};

/// What a network is fitted to, and its size.
#[derive(Clone, Copy, Debug)]
pub struct FitRows<'a> {
    /// Numbers of a row.
    pub input_count: usize,
    /// Numbers of the network.
    pub weight_count: usize,
    /// Training rows, one behind the other.
    pub training: &'a [f32],
    /// Rows that decide when to stop.
    pub validation: &'a [f32],
}

/// A fit's result.
#[derive(Clone, Debug, PartialEq)]
pub struct Fitted {
    /// The network, as many numbers as asked for.
    pub weights: Vec<f32>,
    /// Each feature's error scale.
    pub scales: [f64; MODEL_FEATURE_COUNT],
    /// The epoch it is from.
    pub epochs: u32,
    /// Its validation loss, nats per row.
    pub validation_loss: f64,
}

/// Why nothing was fitted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FitFailure {
    /// Whoever heard of the epochs wanted no more.
    #[error("cancelled after epoch {epoch}")]
    Cancelled {
        /// Epoch, from 1.
        epoch: u32,
    },
    /// The loss or its gradient left the numbers.
    #[error("the gradient became infinite or NaN in epoch {epoch}")]
    Diverged {
        /// Epoch, from 1.
        epoch: u32,
    },
    /// No card, another network, a failed kernel.
    #[error("{message}")]
    Refused {
        /// One line.
        message: String,
    },
}

/// A library that trains, and a card for it.
#[derive(Debug)]
pub struct Trainer {
    train: Train,
    loaded: Loaded,
}

impl Trainer {
    /// Opens the library at `path` and asks it for a card.
    ///
    /// # Errors
    /// No library, no driver, no card, a library that does not train: one line that says which.
    pub fn open(path: &Path) -> Result<Self, LoadError> {
        let loaded = Loaded::open(path)?;
        let refused = |message: String| LoadError::Card { path: path.to_owned(), message };
        let Some(train) = loaded.functions().train else {
            return Err(refused("this library does not train".to_owned()));
        };
        let config = FitConfig::default();
        let nothing = FitRows { input_count: 1, weight_count: 0, training: &[], validation: &[] };
        call(train, &config, &nothing, &mut |_| ControlFlow::Continue(()))
            .map_err(|failure| refused(failure.to_string()))?;
        Ok(Self { train, loaded })
    }

    /// The library's file.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.loaded.path().to_owned()
    }

    /// Fits a network to `rows`; `progress` hears of every epoch, on this thread, and may end the fit.
    ///
    /// # Errors
    /// What the library says.
    pub fn fit(
        &self,
        config: &FitConfig,
        rows: &FitRows<'_>,
        progress: &mut dyn FnMut(&FitEpoch) -> ControlFlow<()>,
    ) -> Result<Fitted, FitFailure> {
        call(self.train, config, rows, progress)
    }
}

/// Who hears of the epochs, behind [`FitRequest::user`].
struct Listener<'a> {
    progress: &'a mut dyn FnMut(&FitEpoch) -> ControlFlow<()>,
    /// What it threw: no panic may pass through the library.
    panic: Option<Box<dyn Any + Send>>,
}

/// # Safety
/// `user` is the [`Listener`] of a call under way, and `epoch` can be read.
unsafe extern "C" fn hear(user: *mut c_void, epoch: *const FitEpoch) -> i32 {
    // SAFETY: the caller's promise; `call` lends it to nobody else meanwhile.
    let listener = unsafe { &mut *user.cast::<Listener<'_>>() };
    // SAFETY: the caller's promise.
    let epoch = unsafe { *epoch };
    match catch_unwind(AssertUnwindSafe(|| (listener.progress)(&epoch))) {
        Ok(ControlFlow::Continue(())) => 0,
        Ok(ControlFlow::Break(())) => 1,
        Err(panic) => {
            listener.panic = Some(panic);
            1
        }
    }
}

fn narrow(what: &str, count: usize) -> Result<u32, FitFailure> {
    let message = || format!("found {count} {what}, wanted less than 2^32");
    u32::try_from(count).map_err(|_| FitFailure::Refused { message: message() })
}

/// Calls `train`, a function of a library that stays open meanwhile.
pub(crate) fn call(
    train: Train,
    config: &FitConfig,
    rows: &FitRows<'_>,
    progress: &mut dyn FnMut(&FitEpoch) -> ControlFlow<()>,
) -> Result<Fitted, FitFailure> {
    let mut listener = Listener { progress, panic: None };
    let (mut weights, mut scales) = (vec![0.0_f32; rows.weight_count], [0.0_f64; MODEL_FEATURE_COUNT]);
    let width = rows.input_count.max(1);
    let request = FitRequest {
        size: narrow("bytes", size_of::<FitRequest>())?,
        input_count: narrow("inputs", rows.input_count)?,
        weight_count: narrow("weights", rows.weight_count)?,
        feature_count: narrow("features", MODEL_FEATURE_COUNT)?,
        config: *config,
        training_count: (rows.training.len() / width) as u64,
        validation_count: (rows.validation.len() / width) as u64,
        training: rows.training.as_ptr(),
        validation: rows.validation.as_ptr(),
        progress: Some(hear),
        user: (&raw mut listener).cast(),
    };
    let mut result = FitResult {
        size: narrow("bytes", size_of::<FitResult>())?,
        epochs: 0,
        validation_loss: 0.0,
        weights: weights.as_mut_ptr(),
        scales: scales.as_mut_ptr(),
    };
    let mut message = [0; MESSAGE_BYTES];
    let length = narrow("bytes", MESSAGE_BYTES)?;
    // SAFETY: the request names as many numbers as lie there, the result as much room as the request says, and the message has
    // `length` bytes; all of it, and the listener, outlive the call.
    let code = unsafe { train(&raw const request, &raw mut result, message.as_mut_ptr(), length) };
    if let Some(panic) = listener.panic {
        resume_unwind(panic);
    }
    let FitResult { epochs, validation_loss, .. } = result;
    match FitStatus::from_code(code) {
        FitStatus::Done => Ok(Fitted { weights, scales, epochs, validation_loss }),
        FitStatus::Cancelled => Err(FitFailure::Cancelled { epoch: epochs }),
        FitStatus::Diverged => Err(FitFailure::Diverged { epoch: epochs }),
        FitStatus::Refused => Err(FitFailure::Refused { message: text(&message) }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::ffi::c_char;

    /// Tells of three epochs, then does what the seed says.
    unsafe extern "C" fn scripted(
        request: *const FitRequest,
        result: *mut FitResult,
        message: *mut c_char,
        size: u32,
    ) -> i32 {
        // SAFETY: `call` hands over structs that live until this returns.
        let request = unsafe { &*request };
        // SAFETY: likewise.
        let result = unsafe { &mut *result };
        assert_eq!((request.training_count, request.validation_count, size), (2, 1, 512));
        for epoch in 1..=3 {
            result.epochs = epoch;
            let told = FitEpoch { epoch, unused: 0, train_loss: 2.0, validation_loss: 3.0 };
            // SAFETY: the listener and an epoch.
            if unsafe { request.progress.unwrap()(request.user, &raw const told) } != 0 {
                return FitStatus::Cancelled as i32;
            }
        }
        result.validation_loss = 3.0;
        // SAFETY: room for two weights, as the test asks for.
        unsafe { result.weights.wrapping_add(1).write(7.0) };
        // SAFETY: room for a scale per feature.
        unsafe { result.scales.write(0.5) };
        // SAFETY: room for a short line.
        unsafe { core::ptr::copy_nonoverlapping(c"no card".as_ptr(), message, 8) };
        i32::try_from(request.config.seed).unwrap()
    }

    fn fit(seed: u64, progress: &mut dyn FnMut(&FitEpoch) -> ControlFlow<()>) -> Result<Fitted, FitFailure> {
        let rows = FitRows { input_count: 2, weight_count: 2, training: &[1.0; 4], validation: &[2.0; 2] };
        call(scripted, &FitConfig { seed, ..FitConfig::default() }, &rows, progress)
    }

    #[test]
    fn every_end_of_a_fit_has_its_own_answer() {
        let mut heard = 0;
        let fitted = fit(0, &mut |epoch| {
            heard += epoch.epoch;
            ControlFlow::Continue(())
        })
        .unwrap();
        assert_eq!((heard, fitted.epochs, fitted.validation_loss), (6, 3, 3.0));
        assert_eq!((fitted.weights, fitted.scales[0], fitted.scales[1]), (vec![0.0, 7.0], 0.5, 0.0));

        let goes_on = &mut |_: &FitEpoch| ControlFlow::Continue(());
        assert_eq!(fit(2, goes_on), Err(FitFailure::Diverged { epoch: 3 }));
        for code in [3, 99] {
            assert_eq!(fit(code, goes_on), Err(FitFailure::Refused { message: "no card".to_owned() }));
        }
        let ended = fit(0, &mut |epoch| match epoch.epoch {
            2 => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        });
        assert_eq!(ended, Err(FitFailure::Cancelled { epoch: 2 }));
    }

    #[test]
    fn a_panic_goes_around_the_library() {
        let thrown = catch_unwind(|| fit(0, &mut |_| panic!("enough")));
        assert_eq!(thrown.unwrap_err().downcast_ref::<&str>(), Some(&"enough"));
    }
}
