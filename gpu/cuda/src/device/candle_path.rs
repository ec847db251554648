//! The network in plain Candle operations: the readable reference, and what the kernels are measured against. Over rows that are
//! normalised already; raw scores, and the three features that made most of each.

use std::time::Instant;

use candle_core::cuda_backend::WrapErr;
use candle_core::cuda_backend::cudarc::driver::{CudaGraph, DevicePtr, result, sys};
use candle_core::{DType, Result, Storage, Tensor};
use types::MODEL_FEATURE_COUNT;

use super::driver::Driver;
use super::fused_op::Scores;
use super::memory::Pinned;
use crate::layout::{INVERSE_SCALE, LATENT_COUNT, LATENT_MAX, LATENT_MIN, LAYERS, layer_offset};

/// Runs before the one that is kept, so that Candle's caches are warm.
const WARM: usize = 3;

/// Features that are named.
const NAMED: usize = 3;

/// Raw scores and shares agree with the fused kernel's within so much; sums have another order here.
const AGREEMENT: f32 = 1e-5;

/// What the network says of rows.
pub(super) struct Judged {
    /// Raw scores, one per row.
    raw: Tensor,
    /// Shares of the three largest features, rows by 3.
    shares: Tensor,
    /// Those features, rows by 3.
    features: Tensor,
}

/// The network as tensors, and rows to score.
pub(super) struct CandlePath {
    layers: Vec<(Tensor, Tensor)>,
    latent: (Tensor, Tensor),
    inverse_scale: Tensor,
    x: Tensor,
    /// The features' numbers, 1 by features.
    numbers: Tensor,
    /// Below every share, rows by features: what has been named is not named again.
    named: Tensor,
    /// Least sum that shares are taken of, 1 by 1. A tensor, since a capture may hold no upload of a number.
    sum_min: Tensor,
}

impl CandlePath {
    /// The network of `packed` over `x`, rows by twice the features.
    pub(super) fn new(packed: &[f32], x: Tensor) -> Result<Self> {
        let device = x.device();
        let slice = |at: usize, count: usize| Tensor::from_slice(&packed[at..at + count], count, device);
        let mut layers = Vec::with_capacity(LAYERS.len());
        for (index, (inputs, outputs)) in LAYERS.into_iter().enumerate() {
            let at = layer_offset(index);
            let weight = slice(at, inputs * outputs)?.reshape((inputs, outputs))?;
            layers.push((weight, slice(at + inputs * outputs, outputs)?));
        }
        let latent = (slice(LATENT_MIN, 2 * LATENT_COUNT)?, slice(LATENT_MAX, 2 * LATENT_COUNT)?);
        let inverse_scale = slice(INVERSE_SCALE, MODEL_FEATURE_COUNT)?;
        let numbers: Vec<u32> = (0..).take(MODEL_FEATURE_COUNT).collect();
        let numbers = Tensor::from_vec(numbers, (1, MODEL_FEATURE_COUNT), device)?;
        let named = Tensor::full(-1.0_f32, (x.dim(0)?, MODEL_FEATURE_COUNT), device)?;
        let sum_min = Tensor::from_slice(&[f32::MIN_POSITIVE], (1, 1), device)?;
        Ok(Self { layers, latent, inverse_scale, x, numbers, named, sum_min })
    }

    /// Scores the rows.
    pub(super) fn forward(&self) -> Result<Judged> {
        let layer = |i: usize, x: &Tensor| x.matmul(&self.layers[i].0)?.broadcast_add(&self.layers[i].1);
        let hidden = layer(1, &layer(0, &self.x)?.relu()?)?.relu()?;
        let held = layer(2, &hidden)?.broadcast_maximum(&self.latent.0)?.broadcast_minimum(&self.latent.1)?;
        let held = held.narrow(1, 0, LATENT_COUNT)?.contiguous()?;
        let rebuilt = layer(5, &layer(4, &layer(3, &held)?.relu()?)?.relu()?)?;
        let target = self.x.narrow(1, 0, MODEL_FEATURE_COUNT)?;
        let usable = self.x.narrow(1, MODEL_FEATURE_COUNT, MODEL_FEATURE_COUNT)?.affine(-1.0, 1.0)?;
        let errors =
            (target - rebuilt.narrow(1, 0, MODEL_FEATURE_COUNT)?)?.broadcast_mul(&self.inverse_scale)?;
        let each = (errors.sqr()? * &usable)?;
        let sum = each.sum_keepdim(1)?;
        let raw = (sum.flatten_all()? / usable.sum(1)?)?;
        let (shares, features) = self.largest(each)?;
        // Shares of nothing are nothing.
        let shares = shares.broadcast_div(&sum.broadcast_maximum(&self.sum_min)?)?;
        Ok(Judged { raw, shares, features })
    }

    /// The largest entries of each row, largest first, and their features.
    fn largest(&self, mut left: Tensor) -> Result<(Tensor, Tensor)> {
        let (mut shares, mut features) = (Vec::with_capacity(NAMED), Vec::with_capacity(NAMED));
        for _ in 0..NAMED {
            let feature = left.argmax_keepdim(1)?;
            shares.push(left.gather(&feature, 1)?);
            left = self.numbers.broadcast_eq(&feature)?.where_cond(&self.named, &left)?;
            features.push(feature);
        }
        Ok((Tensor::cat(&shares, 1)?.contiguous()?, Tensor::cat(&features, 1)?.contiguous()?))
    }

    /// Compares with what the fused kernel said of the same rows.
    ///
    /// # Errors
    /// The first row of which they say different things.
    pub(super) fn agrees(&self, fused: &Scores) -> Result<()> {
        let ours = self.forward()?;
        let (raw, fused_raw) = (ours.raw.to_vec1::<f32>()?, fused.raw.to_vec1::<f32>()?);
        let (shares, fused_shares) = (ours.shares.to_vec2::<f32>()?, fused.shares.to_vec2::<f32>()?);
        let (features, fused_features) = (ours.features.to_vec2::<u32>()?, fused.features.to_vec2::<u8>()?);
        let scored = fused.scored.flatten_all()?.to_vec1::<u8>()?;
        for row in (0..raw.len()).filter(|row| scored[*row] == 1) {
            let near = |a: f32, b: f32| (a - b).abs() <= AGREEMENT * b.abs().max(1.0);
            let same = (0..NAMED).all(|place| {
                let share = fused_shares[row][place];
                let others = (0..NAMED).filter(|other| *other != place);
                // Which of two shares as large comes first is a matter of rounding; that of the last may stand outside.
                let tied = others.into_iter().any(|other| near(fused_shares[row][other], share));
                let named = features[row][place] == u32::from(fused_features[row][place]);
                near(shares[row][place], share) && (named || tied || place == NAMED - 1)
            });
            if !same || !near(raw[row], fused_raw[row]) {
                candle_core::bail!(
                    "row {row}: found {} of {:?} {:?}, the fused kernel says {} of {:?} {:?}",
                    raw[row],
                    features[row],
                    shares[row],
                    fused_raw[row],
                    fused_features[row],
                    fused_shares[row]
                )
            }
        }
        Ok(())
    }

    /// Everything said of the rows side by side: raw score, shares, features.
    fn table(&self) -> Result<Tensor> {
        let Judged { raw, shares, features } = self.forward()?;
        Tensor::cat(&[raw.unsqueeze(1)?, shares, features.to_dtype(DType::F32)?], 1)?.contiguous()
    }

    /// From the first operation to everything on the host.
    pub(super) fn time(&self, samples: &mut [u64]) -> Result<()> {
        for _ in 0..WARM {
            self.table()?.flatten_all()?.to_vec1::<f32>()?;
        }
        for sample in samples {
            let start = Instant::now();
            self.table()?.flatten_all()?.to_vec1::<f32>()?;
            *sample = u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
        }
        Ok(())
    }

    /// The same as one graph, ending with a copy to pinned memory.
    pub(super) fn time_graph(&self, driver: &Driver, samples: &mut [u64]) -> Result<()> {
        let rows = self.x.dim(0)?;
        let out = Tensor::zeros((rows, 1 + 2 * NAMED), DType::F32, &driver.device)?;
        let host = Pinned::<f32>::zeroed(&driver.context, out.elem_count()).w()?;
        let graph = self.capture(driver, &out, &host)?;
        for sample in samples {
            let start = Instant::now();
            graph.launch().w()?;
            driver.stream.synchronize().w()?;
            *sample = u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
        }
        let want = self.table()?.flatten_all()?.to_vec1::<f32>()?;
        let same = want.iter().zip(host.as_slice()).all(|(a, b)| (a - b).abs() <= 1e-6 * a.abs().max(1.0));
        if same { Ok(()) } else { candle_core::bail!("the graph's scores differ from the operations'") }
    }

    fn capture(&self, driver: &Driver, out: &Tensor, host: &Pinned<f32>) -> Result<CudaGraph> {
        let stream = &driver.stream;
        // Strides that operations upload are kept on the card while this lives: a capture may hold no upload.
        let _strides = driver.device.as_cuda_device()?.enable_cuda_graph_htod_cache();
        for _ in 0..WARM {
            out.slice_set(&self.table()?, 0, 0)?;
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
        out.slice_set(&self.table()?, 0, 0)?;
        let (storage, _) = out.storage_and_layout();
        let Storage::Cuda(storage) = &*storage else { candle_core::bail!("scores are not on the card") };
        let from = storage.as_cuda_slice::<f32>()?.device_ptr(&driver.stream).0;
        // SAFETY: `host` holds as many numbers as `out`; nobody reads them before the graph's stream is synchronised.
        let to = unsafe { core::slice::from_raw_parts_mut(host.as_ptr(), out.elem_count()) };
        // SAFETY: both ends outlive the graph, which `time_graph` drops first.
        unsafe { result::memcpy_dtoh_async(to, from, driver.stream.cu_stream()) }.w()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::WEIGHT_COUNT;
    use candle_core::Device;

    /// Numbers between -1 and 1.
    fn numbers(count: usize, mut state: u32) -> Vec<f32> {
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f32::from(u16::try_from(state >> 16).unwrap_or(0)) / 32_768.0 - 1.0
        };
        (0..count).map(|_| next()).collect()
    }

    fn packed() -> Vec<f32> {
        let mut packed = numbers(WEIGHT_COUNT, 1);
        packed[LATENT_MIN..][..LATENT_COUNT].fill(-0.5);
        packed[LATENT_MAX..][..LATENT_COUNT].fill(0.5);
        packed[INVERSE_SCALE..][..MODEL_FEATURE_COUNT].fill(2.0);
        packed
    }

    /// Rows with a feature missing here and there; the last has none at all.
    fn inputs(rows: usize) -> Vec<f32> {
        let mut x = numbers(rows * 2 * MODEL_FEATURE_COUNT, 2);
        for (row, x) in x.chunks_exact_mut(2 * MODEL_FEATURE_COUNT).enumerate() {
            for feature in 0..MODEL_FEATURE_COUNT {
                let missing = (row + feature) % 7 == 0 || row == rows - 1;
                x[feature] = if missing { 0.0 } else { 3.0 * x[feature] };
                x[MODEL_FEATURE_COUNT + feature] = f32::from(u8::from(missing));
            }
        }
        x
    }

    /// Each feature's squared error by the book, in double precision.
    fn squares(packed: &[f32], x: &[f32]) -> Vec<f64> {
        let mut h: Vec<f64> = x.iter().map(|v| f64::from(*v)).collect();
        for (index, (inputs, outputs)) in LAYERS.into_iter().enumerate() {
            let layer = &packed[layer_offset(index)..];
            let product =
                |o: usize| (0..inputs).map(|i| f64::from(layer[i * outputs + o]) * h[i]).sum::<f64>();
            h = (0..outputs).map(|o| product(o) + f64::from(layer[inputs * outputs + o])).collect();
            match index {
                2 => h.iter_mut().for_each(|v| *v = v.clamp(-0.5, 0.5)),
                5 => {}
                _ => h.iter_mut().for_each(|v| *v = v.max(0.0)),
            }
        }
        let square =
            |i: usize| (2.0 * (f64::from(x[i]) - h[i])).powi(2) * f64::from(1.0 - x[MODEL_FEATURE_COUNT + i]);
        (0..MODEL_FEATURE_COUNT).map(square).collect()
    }

    #[test]
    fn operations_score_and_name_as_the_law_says() {
        let (packed, rows) = (packed(), 40);
        let x = inputs(rows);
        let tensor = Tensor::from_slice(&x, (rows, 2 * MODEL_FEATURE_COUNT), &Device::Cpu).unwrap();
        let table = CandlePath::new(&packed, tensor).unwrap().table().unwrap().to_vec2::<f32>().unwrap();
        for (x, said) in x.chunks_exact(2 * MODEL_FEATURE_COUNT).zip(&table).take(rows - 1) {
            let squares = squares(&packed, x);
            let (sum, usable) =
                (squares.iter().sum::<f64>(), 13.0 - f64::from(x[MODEL_FEATURE_COUNT..].iter().sum::<f32>()));
            assert!((f64::from(said[0]) - sum / usable).abs() <= 1e-5 * (sum / usable).max(1.0), "{said:?}");
            let mut order: Vec<usize> = (0..MODEL_FEATURE_COUNT).collect();
            order.sort_by(|a, b| squares[*b].total_cmp(&squares[*a]));
            for place in 0..NAMED {
                assert!((f64::from(said[1 + place]) - squares[order[place]] / sum).abs() <= 1e-5, "{said:?}");
                assert_eq!(said[1 + NAMED + place] as usize, order[place], "{said:?} {squares:?}");
            }
        }
        assert_eq!(table[rows - 1][1..1 + NAMED], [0.0; NAMED], "nothing was there");
    }

    #[test]
    fn what_the_fused_kernel_says_otherwise_is_found() {
        let (packed, rows) = (packed(), 12);
        let x = Tensor::from_vec(inputs(rows), (rows, 2 * MODEL_FEATURE_COUNT), &Device::Cpu).unwrap();
        let path = CandlePath::new(&packed, x).unwrap();
        let said = |scale: f64, add: f64| {
            let ours = path.forward().unwrap();
            let features = (ours.features.to_dtype(DType::F32).unwrap() + add).unwrap();
            let mut scored = vec![1_u8; rows];
            scored[rows - 1] = 0;
            path.agrees(&Scores {
                raw: (ours.raw * scale).unwrap(),
                shares: ours.shares,
                features: features.to_dtype(DType::U8).unwrap(),
                scored: Tensor::from_vec(scored, (rows, 1), &Device::Cpu).unwrap(),
            })
        };
        said(1.0, 0.0).unwrap();
        for (scale, add) in [(1.0001, 0.0), (1.0, 1.0)] {
            assert!(said(scale, add).unwrap_err().to_string().starts_with("row "));
        }
    }
}
