//! The device half: [`driver::Driver`] behind the C interface. A panic ends at the interface, as a failed kernel.

mod candle_path;
mod driver;
mod fused_op;
mod memory;
mod text;
mod timing;
mod train;

use core::ffi::c_char;
use std::panic::{AssertUnwindSafe, catch_unwind};

use types::MODEL_FEATURE_COUNT;

use crate::abi::{ABI_VERSION, Engine, Library, Memory, Open, Status};
use crate::layout::{Job, WEIGHT_COUNT, head_count};
use driver::Driver;
use text::{panic_line, write_text};

static LIBRARY: Library = Library {
    abi: ABI_VERSION,
    size: size_of::<Library>() as u32,
    open,
    submit,
    status,
    measure,
    describe,
    close,
    train: Some(train::train),
};

/// The library's functions: [`crate::abi::ENTRY`].
// SAFETY: the name is ours alone; nothing else in the process defines it.
#[unsafe(no_mangle)]
extern "C" fn portcullis_cuda_library() -> *const Library {
    &raw const LIBRARY
}

unsafe extern "C" fn open(
    request: *const Open,
    memory: *mut Memory,
    message: *mut c_char,
    size: u32,
) -> *mut Engine {
    // SAFETY: the caller hands over a request of this version of the interface.
    let request = unsafe { &*request };
    let counts = (request.size, request.weight_count as usize, request.feature_count as usize);
    let ours = counts.0 == size_of::<Open>() as u32 && counts.2 == MODEL_FEATURE_COUNT;
    let opened = if ours && head_count(counts.1).is_some() {
        // SAFETY: the caller's weights are as many as it says, checked to be ours.
        let weights = unsafe { core::slice::from_raw_parts(request.weights, counts.1) };
        // SAFETY: likewise its profiles.
        let profiles =
            unsafe { core::slice::from_raw_parts(request.profiles, request.profile_count as usize) };
        catch_unwind(|| Driver::open(request, weights, profiles))
            .unwrap_or_else(|panic| Err(panic_line(panic.as_ref())))
    } else {
        Err(format!(
            "found a network of {} weights over {} features, wanted {WEIGHT_COUNT} over {MODEL_FEATURE_COUNT}",
            counts.1, counts.2
        ))
    };
    match opened {
        Ok(driver) => {
            // SAFETY: the caller's struct to fill.
            unsafe { memory.write(driver.lent()) };
            Box::into_raw(driver).cast()
        }
        Err(why) => {
            // SAFETY: the caller's buffer of `size` bytes.
            unsafe { write_text(&why, message, size) };
            core::ptr::null_mut()
        }
    }
}

/// Runs `work` on the driver behind `engine`; a panic is a failed kernel.
///
/// # Safety
/// `engine` came from [`open`], was not closed, and is used by no one else at this moment.
unsafe fn with(engine: *mut Engine, work: impl FnOnce(&mut Driver) -> Status) -> i32 {
    // SAFETY: the caller's promise.
    let driver = unsafe { &mut *engine.cast::<Driver>() };
    catch_unwind(AssertUnwindSafe(|| work(driver))).unwrap_or(Status::Kernel) as i32
}

unsafe extern "C" fn submit(engine: *mut Engine, job: *const Job) -> i32 {
    // SAFETY: the interface's rule: a job that outlives the call.
    let job = unsafe { *job };
    // SAFETY: the interface's rule: an open engine, one call at a time.
    unsafe { with(engine, |driver| driver.submit(&job)) }
}

unsafe extern "C" fn status(engine: *mut Engine) -> i32 {
    // SAFETY: the interface's rule: an open engine, one call at a time.
    unsafe { with(engine, Driver::status) }
}

unsafe extern "C" fn measure(
    engine: *mut Engine,
    what: u32,
    job: *const Job,
    count: u32,
    samples: *mut u64,
) -> i32 {
    // SAFETY: the interface's rule: a job that outlives the call.
    let job = unsafe { *job };
    // SAFETY: the interface's rule: `count` samples to write.
    let samples = unsafe { core::slice::from_raw_parts_mut(samples, count as usize) };
    // SAFETY: the interface's rule: an open engine, one call at a time.
    unsafe { with(engine, |driver| timing::measure(driver, what, &job, samples)) }
}

unsafe extern "C" fn describe(engine: *mut Engine, text: *mut c_char, size: u32) -> u32 {
    // SAFETY: the interface's rule: an open engine, one call at a time.
    let driver = unsafe { &*engine.cast::<Driver>() };
    // SAFETY: the caller's buffer of `size` bytes.
    unsafe { write_text(driver.description(), text, size) }
}

unsafe extern "C" fn close(engine: *mut Engine) {
    // SAFETY: the interface's rule: an open engine that nobody uses after this.
    let driver = unsafe { Box::from_raw(engine.cast::<Driver>()) };
    // A driver that panics while it closes has nobody to tell.
    let _ = catch_unwind(AssertUnwindSafe(|| drop(driver)));
}
