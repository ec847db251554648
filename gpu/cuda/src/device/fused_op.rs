//! The fused kernel as a Candle operation: staged rows and the packed network in, raw scores and reasons out, all of them tensors
//! on the card, on Candle's stream.
//!
//! Batches of the appliance do not come this way, though it is the same compiled function: an operation allocates its result with
//! every call, takes the locks of its operands' storage, and leaves the scores on the card, where somebody must fetch them. The
//! driver launches with arguments that were prepared once, and the kernel itself writes to pinned memory.

use candle_core::cuda_backend::WrapErr;
use candle_core::cuda_backend::cudarc::driver::{CudaSlice, DevicePtr};
use candle_core::{CpuStorage, CudaStorage, CustomOp1, CustomOp2, Layout, Result, Shape, Tensor, bail};

use types::MODEL_FEATURE_COUNT;

use super::driver::{Driver, ENTRY_WORDS, SYNC_WORDS};
use super::memory::Plan;
use crate::layout::{Job, Row, WEIGHT_COUNT, Why};

/// Bytes of a staged row.
const ROW_BYTES: usize = size_of::<Row>();
/// Bytes of a row's reasons, and where its features begin.
const WHY_BYTES: usize = size_of::<Why>();
const FEATURE_AT: usize = core::mem::offset_of!(Why, feature);
const SCORED_AT: usize = core::mem::offset_of!(Why, scored);
/// Bytes of a row's results: its reasons and its raw score, the reasons of all rows first.
const RESULT_BYTES: usize = WHY_BYTES + size_of::<f32>();
/// Widest load of the kernels, in bytes.
const ALIGNMENT: usize = 16;

/// Scores of rows, on the card.
pub(super) struct Scores {
    /// Raw scores, one per row.
    pub(super) raw: Tensor,
    /// Shares of the three largest features, rows by 3.
    pub(super) shares: Tensor,
    /// Those features, rows by 3, as bytes.
    pub(super) features: Tensor,
    /// 1 where there is a score, one byte per row.
    pub(super) scored: Tensor,
}

/// `rows` as a tensor on the card, a row's bytes side by side. Each is kept at its own place of the operation's table.
pub(super) fn rows_on_card(driver: &Driver, rows: &[Row]) -> Result<Tensor> {
    let placed: Vec<Row> = (0..).zip(rows).map(|(instrument, row)| Row { instrument, ..*row }).collect();
    // SAFETY: thirteen doubles, a word and two halves fill a row, so all of its bytes are written.
    let bytes = unsafe { core::slice::from_raw_parts(placed.as_ptr().cast::<u8>(), size_of_val(&*placed)) };
    Tensor::from_slice(bytes, (rows.len(), ROW_BYTES), &driver.device)
}

/// The operation over a driver's kernel and profiles.
pub(super) struct FusedScore<'a> {
    driver: &'a Driver,
    /// Its own, so that it may run beside the persistent kernel, and leaves the market's rows alone.
    sync: CudaSlice<u32>,
    table: CudaSlice<u32>,
}

impl<'a> FusedScore<'a> {
    /// An operation for at most `row_count_max` rows.
    pub(super) fn new(driver: &'a Driver, row_count_max: usize) -> Result<Self> {
        let sync = driver.stream.alloc_zeros(SYNC_WORDS).w()?;
        Ok(Self { driver, sync, table: driver.stream.alloc_zeros(row_count_max * ENTRY_WORDS).w()? })
    }

    /// The last rows as the network saw them: normalised features (0 where missing), then the missing bits as 0 or 1.
    pub(super) fn inputs(&self) -> Result<Tensor> {
        let entries = self.driver.stream.clone_dtoh(&self.table).w()?;
        self.driver.stream.synchronize().w()?;
        let mut inputs = Vec::with_capacity(entries.len() / ENTRY_WORDS * 2 * MODEL_FEATURE_COUNT);
        for entry in entries.chunks_exact(ENTRY_WORDS) {
            inputs.extend(entry[..MODEL_FEATURE_COUNT].iter().map(|word| f32::from_bits(*word)));
            let usable = entry[MODEL_FEATURE_COUNT];
            inputs.extend((0..MODEL_FEATURE_COUNT).map(|i| if usable >> i & 1 == 1 { 0.0 } else { 1.0 }));
        }
        Tensor::from_vec(inputs, (entries.len() / ENTRY_WORDS, 2 * MODEL_FEATURE_COUNT), &self.driver.device)
    }

    /// Scores `rows` ([`rows_on_card`]) by `weights`, the packed network.
    pub(super) fn scores(&self, rows: &Tensor, weights: &Tensor) -> Result<Scores> {
        let count = rows.dim(0)?;
        let results = rows.apply_op2_no_bwd(weights, self)?;
        let why = results.narrow(0, 0, count * WHY_BYTES)?.reshape((count, WHY_BYTES))?;
        let raw = results.narrow(0, count * WHY_BYTES, count * size_of::<f32>())?;
        let shares = why.narrow(1, 0, FEATURE_AT)?.contiguous()?.flatten_all()?;
        Ok(Scores {
            raw: raw.apply_op1_no_bwd(&AsFloats)?,
            shares: shares.apply_op1_no_bwd(&AsFloats)?.reshape((count, 3))?,
            features: why.narrow(1, FEATURE_AT, 3)?,
            scored: why.narrow(1, SCORED_AT, 1)?,
        })
    }

    fn launch(&self, rows: u64, weights: u64, count: usize, results: &CudaSlice<u8>) -> Result<()> {
        let driver = self.driver;
        let Ok(row_count) = u32::try_from(count) else { bail!("{}: {count} rows are too many", self.name()) };
        let why = results.device_ptr(&driver.stream).0;
        let raw = why + (count * WHY_BYTES) as u64;
        let plan = Plan {
            rows: [rows as *const Row; 2],
            raw: [raw as *mut f32; 2],
            why: [why as *mut Why; 2],
            table: self.table.device_ptr(&driver.stream).0,
            weights,
            control: driver.own_words.0.as_ptr(),
            sync: self.sync.device_ptr(&driver.stream).0,
            row_capacity: row_count,
            head_count: 0,
            ..driver.plan
        };
        // The stream's order, not the completion word, tells when the scores are there.
        let job = Job { sequence: 1, row_count, universe: 0, buffer: 0 };
        driver.launch(&driver.kernels.batch, &plan, &job, driver.geometry(&job)).w()
    }
}

impl CustomOp2 for FusedScore<'_> {
    fn name(&self) -> &'static str {
        "fused-score"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        bail!("{}: the CPU has a kernel of its own", self.name())
    }

    fn cuda_fwd(
        &self,
        rows: &CudaStorage,
        rows_layout: &Layout,
        weights: &CudaStorage,
        weights_layout: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        let name = self.name();
        let [count, ROW_BYTES] = *rows_layout.dims() else {
            bail!("{name}: found rows of shape {:?}, wanted rows by {ROW_BYTES} bytes", rows_layout.dims())
        };
        let places = (rows_layout.contiguous_offsets(), weights_layout.contiguous_offsets());
        let (Some((row_start, _)), Some((weight_start, weight_end))) = places else {
            bail!("{name}: wanted contiguous rows and weights")
        };
        let weight_byte = weight_start * size_of::<f32>();
        let aligned = row_start.is_multiple_of(ALIGNMENT) && weight_byte.is_multiple_of(ALIGNMENT);
        let room = self.table.len() / ENTRY_WORDS;
        if count == 0 || count > room || !aligned || weight_end - weight_start < WEIGHT_COUNT {
            bail!(
                "{name}: wanted 1 to {room} rows, the packed network's {WEIGHT_COUNT} numbers, and both aligned"
            )
        }
        let stream = &self.driver.stream;
        let rows_at = rows.as_cuda_slice::<u8>()?.device_ptr(stream).0 + row_start as u64;
        let weights_at = weights.as_cuda_slice::<f32>()?.device_ptr(stream).0 + weight_byte as u64;
        // Zeros: a kernel that failed must not leave what looks like scores.
        let results = rows.device.alloc_zeros::<u8>(count * RESULT_BYTES)?;
        self.launch(rows_at, weights_at, count, &results)?;
        let results = CudaStorage::wrap_cuda_slice(results, rows.device.clone());
        Ok((results, Shape::from(count * RESULT_BYTES)))
    }
}

/// Bytes as the floats that they are.
struct AsFloats;

impl AsFloats {
    /// Where the floats lie among the bytes.
    fn range(&self, layout: &Layout) -> Result<core::ops::Range<usize>> {
        match layout.contiguous_offsets() {
            Some((from, to)) if [from, to].iter().all(|at| at.is_multiple_of(size_of::<f32>())) => {
                Ok(from..to)
            }
            _ => bail!("{}: wanted contiguous bytes of whole floats", self.name()),
        }
    }
}

impl CustomOp1 for AsFloats {
    fn name(&self) -> &'static str {
        "as-floats"
    }

    fn cpu_fwd(&self, bytes: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let CpuStorage::U8(bytes) = bytes else { bail!("{}: wanted bytes", self.name()) };
        let floats: Vec<f32> =
            bytes[self.range(layout)?].as_chunks().0.iter().map(|word| f32::from_ne_bytes(*word)).collect();
        let shape = Shape::from(floats.len());
        Ok((CpuStorage::F32(floats), shape))
    }

    fn cuda_fwd(&self, bytes: &CudaStorage, layout: &Layout) -> Result<(CudaStorage, Shape)> {
        let range = self.range(layout)?;
        let count = range.len() / size_of::<f32>();
        let view = bytes.as_cuda_slice::<u8>()?.slice(range);
        // SAFETY: `count` floats of any bits, at a multiple of four bytes from an allocation's start.
        let Some(floats) = (unsafe { view.transmute::<f32>(count) }) else {
            bail!("{}: fewer bytes than said", self.name())
        };
        let copy = bytes.device.cuda_stream().clone_dtod(&floats).w()?;
        Ok((CudaStorage::wrap_cuda_slice(copy, bytes.device.clone()), Shape::from(count)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn bytes_are_read_as_the_floats_that_they_are() {
        let floats = [1.5, -0.0, f32::MAX, f32::from_bits(7)];
        let bytes: Vec<u8> = floats.iter().flat_map(|v| v.to_ne_bytes()).collect();
        let bytes = Tensor::from_vec(bytes, 16, &Device::Cpu).unwrap();
        let read = |from, length| bytes.narrow(0, from, length).unwrap().apply_op1_no_bwd(&AsFloats);
        let found = read(4, 12).unwrap().to_vec1::<f32>().unwrap();
        assert_eq!(found.iter().map(|v| v.to_bits()).collect::<Vec<_>>(), [0x8000_0000, 0x7f7f_ffff, 7]);
        for (from, length) in [(2, 8), (4, 6)] {
            let refusal = read(from, length).unwrap_err().to_string();
            assert!(refusal.starts_with("as-floats: wanted contiguous bytes"), "{refusal}");
        }
    }
}
