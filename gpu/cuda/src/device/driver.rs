//! A card with the kernels on it: opened through Candle, on Candle's stream, driven batch by batch.

use std::sync::Arc;
use std::time::{Duration, Instant};

use candle_core::Device;
use candle_core::cuda_backend::CudaDevice;
use candle_core::cuda_backend::cudarc::driver::{
    CudaContext, CudaFunction, CudaGraph, CudaSlice, CudaStream, DevicePtr, DriverError, LaunchConfig,
    PushKernelArg, result, sys,
};
use candle_core::cuda_backend::cudarc::nvrtc::Ptx;

use super::memory::{Pinned, Plan, Words};
use super::text::one_line;
use crate::abi::{Memory, Mode, Open, Status};
use crate::layout::{
    BLOCK_THREADS, BUFFER_COUNT, CardProfile, Control, HEAD_OUTPUTS, Job, Row, STOP, Why, head_count,
    shared_bytes,
};

/// The kernels, compiled by build.rs.
static IMAGE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/scorer.fatbin"));

/// Words of the struct `Sync`.
pub(super) const SYNC_WORDS: usize = 8;
/// Words of an `Entry`.
pub(super) const ENTRY_WORDS: usize = 16;
/// Blocks per multiprocessor: beyond it, loading the network again costs more than the blocks gain.
const BLOCKS_PER_MULTIPROCESSOR: u32 = 4;
/// The persistent kernel ends by itself after so long without a request: many grid steps, and short beside a person's patience.
const IDLE_NS_MAX: u64 = 2_000_000_000;
/// Longest wait for a batch of the self-test.
const SELF_TEST_TIMEOUT: Duration = Duration::from_secs(2);
/// Batches of the self-test per mode, and how many of them warm up.
const SELF_TEST_BATCHES: usize = 300;
const SELF_TEST_WARM: usize = 50;
/// Rows of its batches.
const SELF_TEST_ROWS: usize = 64;

/// What the driver's error stands for.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the driver has more errors than there are ways out of one"
)]
pub(super) fn status_of(error: &DriverError) -> Status {
    use sys::CUresult as R;
    match error.0 {
        R::CUDA_SUCCESS => Status::Ok,
        R::CUDA_ERROR_NOT_READY => Status::Busy,
        R::CUDA_ERROR_OUT_OF_MEMORY => Status::OutOfMemory,
        R::CUDA_ERROR_NO_DEVICE
        | R::CUDA_ERROR_DEVICE_UNAVAILABLE
        | R::CUDA_ERROR_INVALID_DEVICE
        | R::CUDA_ERROR_ECC_UNCORRECTABLE
        | R::CUDA_ERROR_NVLINK_UNCORRECTABLE
        | R::CUDA_ERROR_CONTEXT_IS_DESTROYED
        | R::CUDA_ERROR_SYSTEM_NOT_READY
        | R::CUDA_ERROR_DEINITIALIZED => Status::DeviceLost,
        _ => Status::Kernel,
    }
}

/// The kernels by name.
pub(super) struct Kernels {
    pub(super) batch: CudaFunction,
    replayed: CudaFunction,
    pub(super) floor: CudaFunction,
    persistent: CudaFunction,
}

/// A card. Fields drop in this order: what runs, then what it reads.
pub(super) struct Driver {
    graph: Option<CudaGraph>,
    pub(super) kernels: Kernels,
    pub(super) stream: Arc<CudaStream>,
    /// The persistent kernel's own, so that nothing waits behind it.
    resident_stream: Arc<CudaStream>,
    pub(super) context: Arc<CudaContext>,
    pub(super) device: Device,
    pub(super) plan: Plan,
    blocks_max: u32,
    resident_blocks: u32,
    shared_bytes: u32,
    mode: Mode,
    /// Last sequence that went out.
    last: u32,
    description: String,
    pub(super) weights: Vec<f32>,
    pub(super) words: Words,
    /// The same for measurements, so that they leave the feeder's sequence alone.
    pub(super) own_words: Words,
    pub(super) rows: [Pinned<Row>; BUFFER_COUNT],
    changed: [Pinned<u32>; BUFFER_COUNT],
    pub(super) raw: [Pinned<f32>; BUFFER_COUNT],
    pub(super) why: [Pinned<Why>; BUFFER_COUNT],
    heads: [Pinned<f32>; BUFFER_COUNT],
    /// The card's memory that `plan` names.
    _table: CudaSlice<u32>,
    _profiles: CudaSlice<CardProfile>,
    _weights: CudaSlice<f32>,
    _sync: CudaSlice<u32>,
}

fn said(what: &str) -> impl Fn(DriverError) -> String + '_ {
    move |error| one_line(&format!("{what}: {error:?}"))
}

fn pair<T>(mut make: impl FnMut() -> Result<T, DriverError>) -> Result<[T; BUFFER_COUNT], String> {
    Ok([make().map_err(said("pinned memory"))?, make().map_err(said("pinned memory"))?])
}

/// Card 0, with one stream for everything of Candle's.
///
/// # Errors
/// One line: no driver, no card.
pub(super) fn open_device() -> Result<(Device, CudaDevice), String> {
    let cuda = CudaDevice::new_with_stream(0)
        .map_err(|e| format!("no CUDA device: {}", one_line(&e.to_string())))?;
    // SAFETY: one stream for everything of Candle's, made before any tensor; the persistent kernel's stream touches no tensor.
    unsafe { cuda.disable_event_tracking() };
    Ok((Device::Cuda(cuda.clone()), cuda))
}

fn load_kernels(context: &Arc<CudaContext>) -> Result<Kernels, String> {
    let module = context.load_module(Ptx::from_binary(IMAGE.to_vec())).map_err(said("kernels"))?;
    let function = |name: &str| module.load_function(name).map_err(said(name));
    Ok(Kernels {
        batch: function("scorer_batch")?,
        replayed: function("scorer_replayed")?,
        floor: function("scorer_floor")?,
        persistent: function("scorer_persistent")?,
    })
}

impl Driver {
    /// Opens card 0, takes the network and the profiles there, and chooses the mode by measurement unless one is asked for.
    ///
    /// # Errors
    /// One line: no driver, no card, no memory, a kernel that does not run here, a self-test that fails.
    pub(super) fn open(
        request: &Open,
        weights: &[f32],
        profiles: &[CardProfile],
    ) -> Result<Box<Self>, String> {
        let (device, cuda) = open_device()?;
        let stream = cuda.cuda_stream();
        let context = Arc::clone(stream.context());
        let kernels = load_kernels(&context)?;
        let count = request.instrument_count as usize;
        let rows = pair(|| Pinned::zeroed(&context, count))?;
        let changed = pair(|| Pinned::zeroed(&context, count.div_ceil(32)))?;
        let raw = pair(|| Pinned::zeroed(&context, 2 * count))?;
        let why = pair(|| Pinned::zeroed(&context, 2 * count))?;
        let head_count = head_count(weights.len()).ok_or("another network")?;
        let heads = pair(|| Pinned::zeroed(&context, 2 * count * head_count * HEAD_OUTPUTS))?;
        let words = Words(Pinned::<Control>::zeroed(&context, 1).map_err(said("pinned memory"))?);
        let own_words = Words(Pinned::<Control>::zeroed(&context, 1).map_err(said("pinned memory"))?);
        let table = stream.alloc_zeros::<u32>(count * ENTRY_WORDS).map_err(said("table"))?;
        let sync = stream.alloc_zeros::<u32>(SYNC_WORDS).map_err(said("table"))?;
        let card_weights = stream.clone_htod(weights).map_err(said("weights"))?;
        let card_profiles = stream.clone_htod(profiles).map_err(said("profiles"))?;
        let plan = Plan {
            rows: [rows[0].as_ptr(), rows[1].as_ptr()],
            changed: [changed[0].as_ptr(), changed[1].as_ptr()],
            raw: [raw[0].as_ptr(), raw[1].as_ptr()],
            why: [why[0].as_ptr(), why[1].as_ptr()],
            heads: [heads[0].as_ptr(), heads[1].as_ptr()],
            table: table.device_ptr(&stream).0,
            profiles: card_profiles.device_ptr(&stream).0,
            weights: card_weights.device_ptr(&stream).0,
            control: words.0.as_ptr(),
            sync: sync.device_ptr(&stream).0,
            row_capacity: request.instrument_count,
            head_count: u32::try_from(head_count).unwrap_or(0),
        };
        let shared_bytes = shared_bytes(head_count);
        let (blocks_max, resident_blocks) = blocks(&context, &kernels, shared_bytes)?;
        let mut driver = Box::new(Self {
            graph: None,
            resident_stream: context.new_stream().map_err(said("stream"))?,
            blocks_max,
            resident_blocks,
            shared_bytes,
            mode: Mode::Launch,
            last: 0,
            description: String::new(),
            weights: weights.to_vec(),
            _table: table,
            _profiles: card_profiles,
            _weights: card_weights,
            _sync: sync,
            kernels,
            stream,
            context,
            device,
            plan,
            words,
            own_words,
            rows,
            changed,
            raw,
            why,
            heads,
        });
        driver.stream.synchronize().map_err(said("opening"))?;
        driver.choose(Mode::from_code(request.mode))?;
        Ok(driver)
    }

    /// What the appliance is lent.
    pub(super) fn lent(&self) -> Memory {
        Memory {
            rows: [self.rows[0].as_ptr(), self.rows[1].as_ptr()],
            changed: [self.changed[0].as_ptr(), self.changed[1].as_ptr()],
            raw: [self.raw[0].as_ptr().cast_const(), self.raw[1].as_ptr().cast_const()],
            why: [self.why[0].as_ptr().cast_const(), self.why[1].as_ptr().cast_const()],
            heads: [self.heads[0].as_ptr().cast_const(), self.heads[1].as_ptr().cast_const()],
            completed: self.words.completed_at(),
            row_capacity: self.plan.row_capacity,
            mode: self.mode as u32,
        }
    }

    pub(super) fn description(&self) -> &str {
        &self.description
    }

    /// The launch of a job's kernel.
    pub(super) fn geometry(&self, job: &Job) -> LaunchConfig {
        self.config(job.block_count(self.blocks_max))
    }

    /// `blocks` blocks of the scorer.
    fn config(&self, blocks: u32) -> LaunchConfig {
        LaunchConfig {
            grid_dim: (blocks, 1, 1),
            block_dim: (BLOCK_THREADS, 1, 1),
            shared_mem_bytes: self.shared_bytes,
        }
    }

    /// Starts a batch.
    pub(super) fn submit(&mut self, job: &Job) -> Status {
        self.last = job.sequence;
        match self.start(job) {
            Ok(()) => Status::Ok,
            Err(error) => status_of(&error),
        }
    }

    fn start(&mut self, job: &Job) -> Result<(), DriverError> {
        match self.mode {
            Mode::Persistent => {
                self.words.request(job);
                if self.words.is_resident() { Ok(()) } else { self.stay(job.sequence) }
            }
            Mode::Graph => {
                self.words.request(job);
                match &self.graph {
                    Some(graph) => graph.launch(),
                    None => Err(DriverError(sys::CUresult::CUDA_ERROR_INVALID_HANDLE)),
                }
            }
            Mode::Auto | Mode::Launch => {
                self.launch(&self.kernels.batch, &self.plan, job, self.geometry(job))
            }
        }
    }

    /// Launches `kernel`, which takes a plan and a job.
    pub(super) fn launch(
        &self,
        kernel: &CudaFunction,
        plan: &Plan,
        job: &Job,
        config: LaunchConfig,
    ) -> Result<(), DriverError> {
        let mut launch = self.stream.launch_builder(kernel);
        launch.arg(plan).arg(job);
        // SAFETY: the kernel takes a plan and a job by value; every address of the plan lives as long as this driver, whose rows
        // the feeder leaves alone until the completion word is there.
        unsafe { launch.launch(config) }.map(drop)
    }

    /// Starts the persistent kernel, which answers from batch `sequence` on.
    fn stay(&self, sequence: u32) -> Result<(), DriverError> {
        self.context.bind_to_thread()?;
        // The last one's end must not be taken for this one's.
        let bytes = SYNC_WORDS * size_of::<u32>();
        // SAFETY: so many bytes lie there, and no kernel runs on them: the persistent one has ended, and in its mode there are
        // no others.
        unsafe { result::memset_d8_async(self.plan.sync, 0, bytes, self.resident_stream.cu_stream()) }?;
        self.words.set_resident();
        let mut launch = self.resident_stream.launch_builder(&self.kernels.persistent);
        launch.arg(&self.plan).arg(&sequence).arg(&IDLE_NS_MAX);
        // SAFETY: its parameters are a plan, a sequence and a time; no more blocks than the card holds at once.
        unsafe { launch.launch(self.config(self.resident_blocks)) }.map(drop)
    }

    /// Ends the persistent kernel.
    fn leave(&mut self) -> Result<(), DriverError> {
        if self.words.is_resident() {
            let sequence = self.words.completed().wrapping_add(1).max(1);
            self.words.request(&Job { sequence, row_count: STOP, universe: 0, buffer: 0 });
        }
        self.resident_stream.synchronize()
    }

    /// What the driver says of the last batch.
    pub(super) fn status(&mut self) -> Status {
        if self.words.completed() == self.last {
            return Status::Ok;
        }
        let stream = if self.mode == Mode::Persistent { &self.resident_stream } else { &self.stream };
        // SAFETY: an open stream.
        let error = DriverError(unsafe { sys::cuStreamQuery(stream.cu_stream()) });
        let status = status_of(&error);
        let is_behind = self.mode == Mode::Persistent && self.words.completed() != self.last;
        if status != Status::Ok || !is_behind {
            return status;
        }
        // The kernel left for want of work just as this batch came.
        match self.stay(self.last) {
            Ok(()) => Status::Busy,
            Err(error) => status_of(&error),
        }
    }

    fn capture(&mut self) -> Result<(), DriverError> {
        self.stream.synchronize()?;
        self.stream.begin_capture(sys::CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL)?;
        let mut launch = self.stream.launch_builder(&self.kernels.replayed);
        launch.arg(&self.plan);
        // SAFETY: the kernel takes a plan; see `launch`.
        let launched = unsafe { launch.launch(self.config(self.blocks_max)) }.map(drop);
        let graph = self
            .stream
            .end_capture(sys::CUgraphInstantiate_flags::CUDA_GRAPH_INSTANTIATE_FLAG_AUTO_FREE_ON_LAUNCH)?;
        launched?;
        if let Some(graph) = &graph {
            graph.upload()?;
        }
        self.graph = graph;
        self.stream.synchronize()
    }

    fn enter(&mut self, mode: Mode) -> Result<(), DriverError> {
        if self.mode == Mode::Persistent {
            self.leave()?;
        }
        self.mode = mode;
        match mode {
            Mode::Graph if self.graph.is_none() => self.capture(),
            Mode::Persistent => self.stay(self.last.wrapping_add(1).max(1)),
            Mode::Auto | Mode::Launch | Mode::Graph => Ok(()),
        }
    }

    /// Runs the self-test in every mode that may be used, and stays in the fastest.
    fn choose(&mut self, wanted: Mode) -> Result<(), String> {
        let modes: &[Mode] = match wanted {
            Mode::Auto => &[Mode::Launch, Mode::Graph, Mode::Persistent],
            Mode::Launch => &[Mode::Launch],
            Mode::Graph => &[Mode::Graph],
            Mode::Persistent => &[Mode::Persistent],
        };
        self.stage_self_test();
        let (mut best, mut first, mut told) = (None, None, vec![]);
        for &mode in modes {
            let (median_ns, results) =
                self.self_test(mode).map_err(|why| format!("self-test, {}: {why}", mode.name()))?;
            if first.get_or_insert_with(|| results.clone()) != &results {
                return Err(format!("self-test, {}: scores differ between modes", mode.name()));
            }
            told.push(format!(
                "{} {:.1} us",
                mode.name(),
                Duration::from_nanos(median_ns).as_secs_f64() * 1e6
            ));
            if best.is_none_or(|(ns, _)| median_ns < ns) {
                best = Some((median_ns, mode));
            }
        }
        self.enter(best.map_or(Mode::Launch, |(_, mode)| mode)).map_err(said("mode"))?;
        self.forget_self_test();
        let name = self.context.name().unwrap_or_default();
        let (major, minor) = self.context.compute_capability().unwrap_or_default();
        self.description = format!(
            "{name}, compute capability {major}.{minor}, {}; {SELF_TEST_ROWS} rows: {}",
            self.mode.name(),
            told.join(", ")
        );
        Ok(())
    }

    /// Rows that no market has, which the table does not keep.
    fn stage_self_test(&mut self) {
        for place in 0..self.self_test_rows() {
            let mut row =
                Row { instrument: crate::layout::NOT_KEPT, profile: 0, valid: u16::MAX, ..Row::default() };
            for (feature, value) in row.values.iter_mut().enumerate() {
                let phase = u32::try_from(place * 7 + feature * 3).unwrap_or(0);
                *value = f64::from(phase % 23) / 5.0 - 1.5;
            }
            // SAFETY: below the buffer's rows, which nobody was lent yet.
            unsafe { self.rows[0].as_ptr().wrapping_add(place).write(row) };
        }
    }

    /// What was staged must not be taken for a market's.
    fn forget_self_test(&mut self) {
        for place in 0..self.self_test_rows() {
            // SAFETY: as in `stage_self_test`; no batch is under way.
            unsafe { self.rows[0].as_ptr().wrapping_add(place).write(Row::default()) };
        }
    }

    fn self_test_rows(&self) -> usize {
        SELF_TEST_ROWS.min(self.plan.row_capacity as usize)
    }

    /// Median host-to-host time, and the bits of the results.
    fn self_test(&mut self, mode: Mode) -> Result<(u64, Vec<u32>), String> {
        self.enter(mode).map_err(said("mode"))?;
        let rows = self.self_test_rows();
        let mut samples = vec![];
        for _ in 0..SELF_TEST_BATCHES {
            let sequence = self.last.wrapping_add(1).max(1);
            let job = Job { sequence, row_count: u32::try_from(rows).unwrap_or(1), universe: 0, buffer: 0 };
            let start = Instant::now();
            let status = self.submit(&job);
            if !matches!(status, Status::Ok | Status::Busy) {
                return Err(format!("{status:?}"));
            }
            while self.words.completed() != sequence {
                if start.elapsed() > SELF_TEST_TIMEOUT {
                    return Err(format!("no answer, {:?}", self.status()));
                }
                core::hint::spin_loop();
            }
            samples.push(u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX));
        }
        let timed = &mut samples[SELF_TEST_WARM..];
        timed.sort_unstable();
        let results = &self.raw[0].as_slice()[..rows];
        Ok((timed[timed.len() / 2], results.iter().map(|raw| raw.to_bits()).collect()))
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // On a card that is lost neither does anything.
        let _ = self.leave();
        let _ = self.stream.synchronize();
    }
}

fn multiprocessors(context: &CudaContext) -> Result<u32, String> {
    let attribute = sys::CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT;
    let count = context.attribute(attribute).map_err(said("card"))?;
    Ok(u32::try_from(count).unwrap_or(1).max(1))
}

/// The most blocks of a batch, and those of the persistent kernel.
fn blocks(context: &CudaContext, kernels: &Kernels, shared_bytes: u32) -> Result<(u32, u32), String> {
    let multiprocessors = multiprocessors(context)?;
    let per_batch = fits(&kernels.batch, shared_bytes)?.clamp(1, BLOCKS_PER_MULTIPROCESSOR);
    let resident = fits(&kernels.persistent, shared_bytes)?.min(1);
    Ok((multiprocessors * per_batch, (multiprocessors * resident).max(1)))
}

fn fits(kernel: &CudaFunction, shared_bytes: u32) -> Result<u32, String> {
    kernel
        .occupancy_max_active_blocks_per_multiprocessor(BLOCK_THREADS, shared_bytes as usize, None)
        .map_err(said("occupancy"))
}
