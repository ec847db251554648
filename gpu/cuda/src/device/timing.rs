//! What the library times by itself: floors, the fused kernel on the card's own clock, and the plain Candle path.

use std::time::{Duration, Instant};

use candle_core::cuda_backend::cudarc::driver::{CudaFunction, DevicePtr, DriverError, result, sys};

use super::candle_path::CandlePath;
use super::driver::{Driver, status_of};
use super::fused_op::{FusedScore, rows_on_card};
use super::memory::Plan;
use crate::abi::{Measure, Status};
use crate::layout::{Job, Row};
use candle_core::{Result as CandleResult, Tensor, bail};

/// Longest wait for one sample.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Takes the samples that `what` names.
pub(super) fn measure(driver: &mut Driver, what: u32, job: &Job, samples: &mut [u64]) -> Status {
    let taken = match what {
        w if w == Measure::LaunchFloor as u32 => launch_floor(driver, job, samples),
        w if w == Measure::Device as u32 => on_device(driver, &driver.kernels.batch, job, samples),
        w if w == Measure::DeviceFloor as u32 => on_device(driver, &driver.kernels.floor, job, samples),
        w if w == Measure::CopyFloor as u32 => copy_floor(driver, job, samples),
        w if w == Measure::Candle as u32 => return candle(driver, job, samples, false),
        w if w == Measure::CandleGraph as u32 => return candle(driver, job, samples, true),
        w if w == Measure::FusedOp as u32 => {
            return if fused_op(driver, job, samples).is_ok() { Status::Ok } else { Status::Kernel };
        }
        _ => return Status::Unsupported,
    };
    match taken {
        Ok(()) => Status::Ok,
        Err(error) => status_of(&error),
    }
}

fn own_plan(driver: &Driver) -> Plan {
    Plan { control: driver.own_words.0.as_ptr(), ..driver.plan }
}

fn ns(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

fn launch_floor(driver: &Driver, job: &Job, samples: &mut [u64]) -> Result<(), DriverError> {
    let (plan, geometry) = (own_plan(driver), driver.geometry(job));
    for sample in samples {
        let sequence = driver.own_words.completed().wrapping_add(1).max(1);
        let start = Instant::now();
        driver.launch(&driver.kernels.floor, &plan, &Job { sequence, ..*job }, geometry)?;
        while driver.own_words.completed() != sequence {
            if start.elapsed() > TIMEOUT {
                return Err(DriverError(sys::CUresult::CUDA_ERROR_LAUNCH_TIMEOUT));
            }
            core::hint::spin_loop();
        }
        *sample = ns(start);
    }
    driver.stream.synchronize()
}

/// Times what `work` puts on the stream by events before and after it.
fn by_events(
    driver: &Driver,
    samples: &mut [u64],
    mut work: impl FnMut() -> Result<(), DriverError>,
) -> Result<(), DriverError> {
    let event = || driver.context.new_event(Some(sys::CUevent_flags::CU_EVENT_DEFAULT));
    let (before, after) = (event()?, event()?);
    for sample in samples {
        before.record(&driver.stream)?;
        work()?;
        after.record(&driver.stream)?;
        let ms = before.elapsed_ms(&after)?;
        *sample =
            u64::try_from(Duration::try_from_secs_f32(ms / 1e3).unwrap_or_default().as_nanos()).unwrap_or(0);
    }
    Ok(())
}

fn on_device(
    driver: &Driver,
    kernel: &CudaFunction,
    job: &Job,
    samples: &mut [u64],
) -> Result<(), DriverError> {
    let (plan, geometry) = (own_plan(driver), driver.geometry(job));
    by_events(driver, samples, || driver.launch(kernel, &plan, job, geometry))
}

fn copy_floor(driver: &Driver, job: &Job, samples: &mut [u64]) -> Result<(), DriverError> {
    let rows = &driver.rows[(job.buffer & 1) as usize].as_slice()[..job.row_count as usize];
    let to = driver.stream.alloc_zeros::<u8>(size_of_val(rows).max(1))?;
    let (at, _read) = to.device_ptr(&driver.stream);
    by_events(driver, samples, || {
        // SAFETY: as many bytes lie at either end; the event after the copy is waited for before the next.
        unsafe { result::memcpy_htod_async(at, rows, driver.stream.cu_stream()) }
    })
}

/// Rows that no market has, with a feature missing here and there.
fn made_up(count: usize) -> Vec<Row> {
    let value = |row: usize, feature: usize| f64::from(((row * 7 + feature * 3) % 23) as u8) / 5.0 - 1.5;
    let row = |row: usize| Row {
        values: core::array::from_fn(|feature| value(row, feature)),
        valid: if row.is_multiple_of(10) { 0x0fff } else { 0x1fff },
        ..Row::default()
    };
    (0..count).map(row).collect()
}

/// Operations that score otherwise than the fused kernel are not timed.
fn checked_path(driver: &Driver, rows: usize) -> CandleResult<CandlePath> {
    let operation = FusedScore::new(driver, rows)?;
    let weights = Tensor::from_slice(&driver.weights, driver.weights.len(), &driver.device)?;
    let fused = operation.scores(&rows_on_card(driver, &made_up(rows))?, &weights)?;
    let path = CandlePath::new(&driver.weights, operation.inputs()?)?;
    path.agrees(&fused)?;
    Ok(path)
}

fn candle(driver: &Driver, job: &Job, samples: &mut [u64], graph: bool) -> Status {
    let rows = (job.row_count + job.universe).max(1) as usize;
    let taken = checked_path(driver, rows)
        .and_then(|path| if graph { path.time_graph(driver, samples) } else { path.time(samples) });
    if taken.is_ok() { Status::Ok } else { Status::Kernel }
}

/// The fused kernel as an operation over the job's rows, to the scores on the host. Its scores are those of the job's batch, which
/// was the last of its buffer, bit for bit.
fn fused_op(driver: &Driver, job: &Job, samples: &mut [u64]) -> CandleResult<()> {
    let (buffer, count) = ((job.buffer & 1) as usize, job.row_count as usize);
    let staged = rows_on_card(driver, &driver.rows[buffer].as_slice()[..count])?;
    let operation = FusedScore::new(driver, count)?;
    let weights = Tensor::from_slice(&driver.weights, driver.weights.len(), &driver.device)?;
    let said = operation.scores(&staged, &weights)?;
    let (raw, shares) = (said.raw.to_vec1::<f32>()?, said.shares.to_vec2::<f32>()?);
    let (features, scored) = (said.features.to_vec2::<u8>()?, said.scored.flatten_all()?.to_vec1::<u8>()?);
    for row in 0..count {
        let (want, why) = (driver.raw[buffer].as_slice()[row], driver.why[buffer].as_slice()[row]);
        let same = raw[row].to_bits() == want.to_bits()
            && shares[row].iter().zip(why.share).all(|(a, b)| a.to_bits() == b.to_bits())
            && features[row] == why.feature
            && scored[row] == why.scored;
        if !same {
            bail!("row {row}: the operation's score is {}, the batch's {want}", raw[row])
        }
    }
    for sample in samples {
        let start = Instant::now();
        let said = operation.scores(&staged, &weights)?;
        said.raw.to_vec1::<f32>()?;
        said.shares.flatten_all()?.to_vec1::<f32>()?;
        said.features.flatten_all()?.to_vec1::<u8>()?;
        said.scored.flatten_all()?.to_vec1::<u8>()?;
        *sample = ns(start);
    }
    Ok(())
}
