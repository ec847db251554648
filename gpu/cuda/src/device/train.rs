//! The fit of a network on the card: `gpu-fit` behind the C interface.

use core::ffi::c_char;
use core::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};

use candle_core::Device;
use gpu_fit::{Epoch, Fit, FitConfig, FitError, INPUT_COUNT, WEIGHT_COUNT};
use types::MODEL_FEATURE_COUNT;

use super::driver;
use super::text::{one_line, panic_line, write_text};
use crate::abi::{FitEpoch, FitRequest, FitResult, FitStatus};

/// [`crate::abi::Train`] on card 0.
///
/// # Safety
/// The interface's rule: structs that outlive the call and name as much memory as they say, `size` bytes at `message`.
pub(super) unsafe extern "C" fn train(
    request: *const FitRequest,
    result: *mut FitResult,
    message: *mut c_char,
    size: u32,
) -> i32 {
    let card = || driver::open_device().map(|(device, _)| device);
    // SAFETY: the caller's promise.
    unsafe { train_on(card, request, result, message, size) }
}

/// The same on the device that `open` gives.
///
/// # Safety
/// As [`train`].
unsafe fn train_on(
    open: impl FnOnce() -> Result<Device, String>,
    request: *const FitRequest,
    result: *mut FitResult,
    message: *mut c_char,
    size: u32,
) -> i32 {
    // SAFETY: the caller's promise.
    let request = unsafe { &*request };
    // SAFETY: the caller's promise; nobody else has it.
    let result = unsafe { &mut *result };
    // SAFETY: the caller's promise.
    let done = catch_unwind(AssertUnwindSafe(|| unsafe { run(open, request, result) }))
        .unwrap_or_else(|panic| Err(panic_line(panic.as_ref())));
    match done {
        Ok(status) => status as i32,
        Err(why) => {
            // SAFETY: the caller's buffer of `size` bytes.
            unsafe { write_text(&why, message, size) };
            FitStatus::Refused as i32
        }
    }
}

/// `rows` rows at `from`.
///
/// # Safety
/// So many lie there, as long as the caller of the interface waits.
unsafe fn numbers<'a>(from: *const f32, rows: u64) -> Result<&'a [f32], String> {
    let count = usize::try_from(rows).ok().and_then(|rows| rows.checked_mul(INPUT_COUNT));
    let count = count.ok_or_else(|| format!("found {rows} rows, wanted fewer"))?;
    // SAFETY: the caller's promise.
    Ok(unsafe { core::slice::from_raw_parts(from, count) })
}

fn check(request: &FitRequest, result: &FitResult) -> Result<(), String> {
    let sizes = (request.size as usize, result.size as usize);
    let wanted = (size_of::<FitRequest>(), size_of::<FitResult>());
    if sizes != wanted {
        return Err(format!("found structs of {sizes:?} bytes, wanted {wanted:?}"));
    }
    // Without rows the question is for a card alone.
    let found = [request.input_count, request.weight_count, request.feature_count].map(|n| n as usize);
    let network = [INPUT_COUNT, WEIGHT_COUNT, MODEL_FEATURE_COUNT];
    if request.training_count > 0 && found != network {
        return Err(format!("found inputs, weights and features {found:?}, wanted {network:?}"));
    }
    Ok(())
}

/// # Safety
/// As [`train`].
unsafe fn run(
    open: impl FnOnce() -> Result<Device, String>,
    request: &FitRequest,
    result: &mut FitResult,
) -> Result<FitStatus, String> {
    check(request, result)?;
    let device = open()?;
    if request.training_count == 0 {
        return Ok(FitStatus::Done);
    }
    // SAFETY: the caller's promise; a row has the inputs that were checked.
    let training = unsafe { numbers(request.training, request.training_count) }?;
    // SAFETY: likewise.
    let validation = unsafe { numbers(request.validation, request.validation_count) }?;
    let mut tell = |epoch: &Epoch| {
        let Epoch { epoch, train_loss, validation_loss } = *epoch;
        let told = FitEpoch { epoch, unused: 0, train_loss, validation_loss };
        // SAFETY: the caller's function, with what it wanted to be called with.
        let answer = request.progress.map_or(0, |hear| unsafe { hear(request.user, &raw const told) });
        if answer == 0 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    let fitted = gpu_fit::fit(&device, &settings(request), training, validation, &mut tell);
    let (status, epochs) = match fitted {
        Ok(fit) => {
            // SAFETY: the caller's promise: room for the numbers that were checked.
            unsafe { hand_over(&fit, result) };
            (FitStatus::Done, fit.epochs)
        }
        Err(FitError::Cancelled { epoch }) => (FitStatus::Cancelled, epoch),
        Err(FitError::Diverged { epoch }) => (FitStatus::Diverged, epoch),
        Err(other) => return Err(one_line(&other.to_string())),
    };
    result.epochs = epochs;
    Ok(status)
}

const fn settings(request: &FitRequest) -> FitConfig {
    let config = &request.config;
    FitConfig {
        seed: config.seed,
        epoch_count_max: config.epoch_count_max,
        batch_size: config.batch_size as usize,
        patience: config.patience,
        learning_rate: config.learning_rate,
        weight_decay: config.weight_decay,
        gradient_norm_max: config.gradient_norm_max,
        beta: config.beta,
        worst_share: config.worst_share,
    }
}

/// # Safety
/// `result` names room for the network and its scales.
unsafe fn hand_over(fit: &Fit, result: &mut FitResult) {
    result.validation_loss = fit.validation_loss;
    // SAFETY: the caller's promise; a fresh fit and the caller's room do not overlap.
    unsafe { core::ptr::copy_nonoverlapping(fit.weights.as_ptr(), result.weights, fit.weights.len()) };
    // SAFETY: likewise.
    unsafe { core::ptr::copy_nonoverlapping(fit.s.as_ptr(), result.scales, fit.s.len()) };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi;
    use crate::trainer::{FitFailure, FitRows, call};
    use gpu_fit::random::{Purpose, Random};

    const SETTINGS: abi::FitConfig = abi::FitConfig {
        seed: 5,
        epoch_count_max: 3,
        batch_size: 64,
        patience: 2,
        unused: 0,
        learning_rate: 5e-3,
        weight_decay: 1e-4,
        gradient_norm_max: 5.0,
        beta: 0.1,
        worst_share: 0.01,
    };

    /// The exported function with the CPU for a card.
    unsafe extern "C" fn train_here(
        request: *const FitRequest,
        result: *mut FitResult,
        message: *mut c_char,
        size: u32,
    ) -> i32 {
        // SAFETY: the caller's promise.
        unsafe { train_on(|| Ok(Device::Cpu), request, result, message, size) }
    }

    unsafe extern "C" fn train_in_panic(
        request: *const FitRequest,
        result: *mut FitResult,
        message: *mut c_char,
        size: u32,
    ) -> i32 {
        // SAFETY: the caller's promise.
        unsafe { train_on(|| panic!("a broken card\nand more"), request, result, message, size) }
    }

    fn rows(count: usize, seed: u64) -> Vec<f32> {
        let mut random = Random::new(seed, Purpose::Latent);
        let mut numbers = Vec::new();
        for _ in 0..count {
            let at = random.normal();
            #[expect(clippy::cast_possible_truncation, reason = "the network is f32")]
            numbers.extend((0..MODEL_FEATURE_COUNT).map(|_| (at + 0.2 * random.normal()) as f32));
            numbers.extend([0.0; MODEL_FEATURE_COUNT]);
        }
        numbers
    }

    fn asked<'a>(training: &'a [f32], validation: &'a [f32]) -> FitRows<'a> {
        FitRows { input_count: INPUT_COUNT, weight_count: WEIGHT_COUNT, training, validation }
    }

    #[test]
    fn a_fit_through_the_interface_has_the_bits_of_one_without() {
        let (training, validation) = (rows(512, 1), rows(100, 2));
        let mut heard = vec![];
        let found = call(train_here, &SETTINGS, &asked(&training, &validation), &mut |epoch| {
            heard.push((epoch.epoch, epoch.train_loss.to_bits(), epoch.validation_loss.to_bits()));
            ControlFlow::Continue(())
        })
        .unwrap();
        let config = FitConfig {
            seed: 5,
            epoch_count_max: 3,
            batch_size: 64,
            patience: 2,
            learning_rate: 5e-3,
            weight_decay: 1e-4,
            gradient_norm_max: 5.0,
            beta: 0.1,
            worst_share: 0.01,
        };
        let mut told = vec![];
        let want = gpu_fit::fit(&Device::Cpu, &config, &training, &validation, &mut |epoch| {
            told.push((epoch.epoch, epoch.train_loss.to_bits(), epoch.validation_loss.to_bits()));
            ControlFlow::Continue(())
        })
        .unwrap();
        let bits = |weights: &[f32]| weights.iter().map(|w| w.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&found.weights), bits(&want.weights));
        assert_eq!(found.scales.map(f64::to_bits), want.s.map(f64::to_bits));
        assert_eq!((found.epochs, found.validation_loss), (want.epochs, want.validation_loss));
        assert_eq!((heard.len(), heard), (3, told));
    }

    #[test]
    fn whatever_ends_a_fit_is_told_in_one_line() {
        let numbers = rows(128, 3);
        let goes_on = &mut |_: &FitEpoch| ControlFlow::Continue(());
        let wild = abi::FitConfig { learning_rate: 1e30, gradient_norm_max: 1e30, ..SETTINGS };
        let diverged = call(train_here, &wild, &asked(&numbers, &numbers), goes_on);
        assert!(matches!(diverged, Err(FitFailure::Diverged { .. })), "{diverged:?}");
        let ended = call(train_here, &SETTINGS, &asked(&numbers, &numbers), &mut |_| ControlFlow::Break(()));
        assert_eq!(ended, Err(FitFailure::Cancelled { epoch: 1 }));

        let line = |train: abi::Train, config: &abi::FitConfig, rows: &FitRows<'_>| {
            call(train, config, rows, &mut |_| ControlFlow::Continue(())).unwrap_err().to_string()
        };
        assert_eq!(line(train_in_panic, &SETTINGS, &asked(&numbers, &numbers)), "a broken card");
        let idle = abi::FitConfig { batch_size: 0, ..SETTINGS };
        assert_eq!(
            line(train_here, &idle, &asked(&numbers, &numbers)),
            "found 3 epochs with batches of 0 rows, wanted at least 1 each"
        );
        let other = FitRows { weight_count: 7, ..asked(&numbers, &numbers) };
        assert_eq!(
            line(train_here, &SETTINGS, &other),
            "found inputs, weights and features [26, 7, 13], wanted [26, 2581, 13]"
        );
        assert!(call(train_here, &SETTINGS, &asked(&[], &[]), goes_on).is_ok(), "the question for a card");
    }

    #[test]
    fn without_a_card_there_is_no_fit() {
        let numbers = rows(128, 3);
        let failure = call(train, &SETTINGS, &asked(&numbers, &numbers), &mut |_| ControlFlow::Continue(()));
        let line = failure.unwrap_err().to_string();
        assert!(line.starts_with("no CUDA device: ") && !line.contains('\n'), "{line}");
    }
}
