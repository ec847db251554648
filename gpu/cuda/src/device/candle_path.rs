//! The network in plain Candle operations on the card: the readable reference, and what the kernels are measured against. Over
//! rows that are normalised already; raw scores alone.

use std::time::Instant;

use candle_core::cuda_backend::WrapErr;
use candle_core::cuda_backend::cudarc::driver::{CudaGraph, DevicePtr, result, sys};
use candle_core::{DType, Device, Result, Storage, Tensor};
use types::FEATURE_COUNT;

use super::driver::Driver;
use super::memory::Pinned;
use crate::layout::{INVERSE_SCALE, LATENT_COUNT, LATENT_MAX, LATENT_MIN, LAYERS, layer_offset};

/// Runs before the one that is kept, so that Candle's caches are warm.
const WARM: usize = 3;

/// The network as tensors, and rows to score.
pub(super) struct CandlePath {
    layers: Vec<(Tensor, Tensor)>,
    latent: (Tensor, Tensor),
    inverse_scale: Tensor,
    x: Tensor,
}

impl CandlePath {
    /// The driver's network over `rows` made-up rows.
    pub(super) fn new(driver: &Driver, rows: usize) -> Result<Self> {
        let device = &driver.device;
        let packed = &driver.weights;
        let slice = |at: usize, count: usize| Tensor::from_slice(&packed[at..at + count], count, device);
        let mut layers = Vec::with_capacity(LAYERS.len());
        for (index, (inputs, outputs)) in LAYERS.into_iter().enumerate() {
            let at = layer_offset(index);
            let weight = slice(at, inputs * outputs)?.reshape((inputs, outputs))?;
            layers.push((weight, slice(at + inputs * outputs, outputs)?));
        }
        let latent = (slice(LATENT_MIN, 2 * LATENT_COUNT)?, slice(LATENT_MAX, 2 * LATENT_COUNT)?);
        let inverse_scale = slice(INVERSE_SCALE, FEATURE_COUNT)?;
        Ok(Self { layers, latent, inverse_scale, x: made_up(rows, device)? })
    }

    /// Raw scores of the rows.
    pub(super) fn forward(&self) -> Result<Tensor> {
        let layer = |i: usize, x: &Tensor| x.matmul(&self.layers[i].0)?.broadcast_add(&self.layers[i].1);
        let hidden = layer(1, &layer(0, &self.x)?.relu()?)?.relu()?;
        let held = layer(2, &hidden)?.broadcast_maximum(&self.latent.0)?.broadcast_minimum(&self.latent.1)?;
        let held = held.narrow(1, 0, LATENT_COUNT)?.contiguous()?;
        let rebuilt = layer(5, &layer(4, &layer(3, &held)?.relu()?)?.relu()?)?;
        let target = self.x.narrow(1, 0, FEATURE_COUNT)?;
        let usable = self.x.narrow(1, FEATURE_COUNT, FEATURE_COUNT)?.affine(-1.0, 1.0)?;
        let errors = (target - rebuilt.narrow(1, 0, FEATURE_COUNT)?)?.broadcast_mul(&self.inverse_scale)?;
        (errors.sqr()? * &usable)?.sum(1)? / usable.sum(1)?
    }

    /// From the first operation to the scores on the host.
    pub(super) fn time(&self, samples: &mut [u64]) -> Result<()> {
        for _ in 0..WARM {
            self.forward()?.to_vec1::<f32>()?;
        }
        for sample in samples {
            let start = Instant::now();
            self.forward()?.to_vec1::<f32>()?;
            *sample = u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
        }
        Ok(())
    }

    /// The same as one graph, ending with a copy to pinned memory.
    pub(super) fn time_graph(&self, driver: &Driver, samples: &mut [u64]) -> Result<()> {
        let rows = self.x.dim(0)?;
        let out = Tensor::zeros(rows, DType::F32, &driver.device)?;
        let host = Pinned::<f32>::zeroed(&driver.context, rows).w()?;
        let graph = self.capture(driver, &out, &host)?;
        for sample in samples {
            let start = Instant::now();
            graph.launch().w()?;
            driver.stream.synchronize().w()?;
            *sample = u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
        }
        let want = self.forward()?.to_vec1::<f32>()?;
        let same = want.iter().zip(host.as_slice()).all(|(a, b)| (a - b).abs() <= 1e-6 * a.abs().max(1.0));
        if same { Ok(()) } else { candle_core::bail!("the graph's scores differ from the operations'") }
    }

    fn capture(&self, driver: &Driver, out: &Tensor, host: &Pinned<f32>) -> Result<CudaGraph> {
        let stream = &driver.stream;
        // Strides that operations upload are kept on the card while this lives: a capture may hold no upload.
        let _strides = driver.device.as_cuda_device()?.enable_cuda_graph_htod_cache();
        for _ in 0..WARM {
            out.slice_set(&self.forward()?, 0, 0)?;
        }
        stream.synchronize().w()?;
        stream.begin_capture(sys::CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL).w()?;
        let recorded = self.record(driver, out, host);
        let graph = stream
            .end_capture(sys::CUgraphInstantiate_flags::CUDA_GRAPH_INSTANTIATE_FLAG_AUTO_FREE_ON_LAUNCH)
            .w();
        recorded?;
        let graph = graph?.ok_or_else(|| candle_core::Error::Msg("an empty graph".to_owned()))?;
        graph.upload().w()?;
        Ok(graph)
    }

    fn record(&self, driver: &Driver, out: &Tensor, host: &Pinned<f32>) -> Result<()> {
        out.slice_set(&self.forward()?, 0, 0)?;
        let (storage, _) = out.storage_and_layout();
        let Storage::Cuda(storage) = &*storage else { candle_core::bail!("scores are not on the card") };
        let from = storage.as_cuda_slice::<f32>()?.device_ptr(&driver.stream).0;
        // SAFETY: `host` holds as many numbers as `out`; nobody reads them before the graph's stream is synchronised.
        let to = unsafe { core::slice::from_raw_parts_mut(host.as_ptr(), out.elem_count()) };
        // SAFETY: both ends outlive the graph, which `time_graph` drops first.
        unsafe { result::memcpy_dtoh_async(to, from, driver.stream.cu_stream()) }.w()
    }
}

/// Rows like normalised ones, with nothing missing.
fn made_up(rows: usize, device: &Device) -> Result<Tensor> {
    let mut values = Vec::with_capacity(rows * 2 * FEATURE_COUNT);
    for row in 0..rows {
        for column in 0..2 * FEATURE_COUNT {
            let phase = u16::try_from((row * 7 + column * 3) % 23).unwrap_or(0);
            values.push(if column < FEATURE_COUNT { f32::from(phase) / 8.0 - 1.4 } else { 0.0 });
        }
    }
    Tensor::from_vec(values, (rows, 2 * FEATURE_COUNT), device)
}
