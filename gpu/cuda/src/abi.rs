//! The C interface between the appliance and the library, version 2. Its structs are those of `kernels/interface.h`; changes
//! are another version, and a library of another version is not opened. Functions alone may be added, at the end of [`Library`]
//! whose `size` says which are there.

use core::ffi::{c_char, c_void};

use crate::layout::{BUFFER_COUNT, CardProfile, Job, Row, Why};

/// Version of everything in this module and in [`crate::layout`].
pub const ABI_VERSION: u32 = 2;

/// The one symbol of the library, ended by a zero: a function without arguments that gives a `*const Library`.
pub const ENTRY: &[u8] = b"portcullis_cuda_library\0";

/// What a call of the library came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Status {
    /// Done, or idle.
    Ok = 0,
    /// Work goes on.
    Busy = 1,
    /// The card is gone.
    DeviceLost = 2,
    /// Its memory is full.
    OutOfMemory = 3,
    /// A kernel failed, or anything else that ends the context.
    Kernel = 4,
    /// Not built, or asked for what the library does not do.
    Unsupported = 5,
}

impl Status {
    /// The status numbered `code`; an unknown one counts as a failed kernel.
    #[must_use]
    pub const fn from_code(code: i32) -> Self {
        match code {
            0 => Self::Ok,
            1 => Self::Busy,
            2 => Self::DeviceLost,
            3 => Self::OutOfMemory,
            5 => Self::Unsupported,
            _ => Self::Kernel,
        }
    }
}

/// How a batch reaches the kernels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u32)]
pub enum Mode {
    /// What the self-test at opening finds fastest.
    #[default]
    Auto = 0,
    /// A launch per batch.
    Launch = 1,
    /// A replayed graph per batch.
    Graph = 2,
    /// One kernel that stays on the card.
    Persistent = 3,
}

impl Mode {
    /// The mode numbered `code`.
    #[must_use]
    pub const fn from_code(code: u32) -> Self {
        match code {
            1 => Self::Launch,
            2 => Self::Graph,
            3 => Self::Persistent,
            _ => Self::Auto,
        }
    }

    /// Its name in logs and tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Launch => "launch",
            Self::Graph => "graph",
            Self::Persistent => "persistent",
        }
    }
}

/// What the library can time by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Measure {
    /// An empty kernel, from submission to the completion word: host time.
    LaunchFloor = 0,
    /// The fused kernel between two events: device time.
    Device = 1,
    /// Plain Candle operations over device-resident rows, to the results on the host: host time.
    Candle = 2,
    /// The same captured once and replayed.
    CandleGraph = 3,
    /// The staged rows alone, copied to the card: device time.
    CopyFloor = 4,
    /// An empty kernel between two events: device time.
    DeviceFloor = 5,
    /// The fused kernel as a Candle operation over the job's rows, to the results on the host: host time. Fails when its
    /// scores are not the bits of the job's batch, which must have been done before.
    FusedOp = 6,
}

/// What the appliance hands over at opening; the library copies what the pointers name.
#[derive(Debug)]
#[repr(C)]
pub struct Open {
    /// Bytes of this struct.
    pub size: u32,
    /// A [`Mode`].
    pub mode: u32,
    /// Instruments are numbered below this; also the rows of a staging buffer.
    pub instrument_count: u32,
    /// Entries of `profiles`.
    pub profile_count: u32,
    /// Entries of `weights`.
    pub weight_count: u32,
    /// Features of a row.
    pub feature_count: u32,
    /// The packed network ([`crate::layout::pack`]).
    pub weights: *const f32,
    /// The profiles that rows name by index.
    pub profiles: *const CardProfile,
}

/// Pinned memory that the library lends until it is closed.
#[derive(Debug)]
#[repr(C)]
pub struct Memory {
    /// Staged rows, `row_capacity` each.
    pub rows: [*mut Row; BUFFER_COUNT],
    /// A bit per instrument: whether it is among the staged rows.
    pub changed: [*mut u32; BUFFER_COUNT],
    /// Raw scores: `row_capacity` by staged row, then as many by instrument.
    pub raw: [*const f32; BUFFER_COUNT],
    /// The reasons, likewise.
    pub why: [*const Why; BUFFER_COUNT],
    /// What the heads say, likewise: [`crate::layout::HEAD_OUTPUTS`] numbers per place and head.
    pub heads: [*const f32; BUFFER_COUNT],
    /// Sequence of the last batch whose results are all there.
    pub completed: *const u32,
    /// Rows of a buffer.
    pub row_capacity: u32,
    /// The [`Mode`] that was chosen.
    pub mode: u32,
}

/// An opened card; only the library knows what it is.
#[repr(C)]
pub struct Engine {
    _private: [u8; 0],
}

/// Settings of a fit, as the package `gpu-fit` explains them.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[repr(C)]
pub struct FitConfig {
    /// Seed of initialisation, shuffling and noise.
    pub seed: u64,
    /// Most passes over the data.
    pub epoch_count_max: u32,
    /// Rows per step.
    pub batch_size: u32,
    /// Epochs without gain before the fit stops.
    pub patience: u32,
    /// Fills the struct.
    pub unused: u32,
    /// Peak learning rate.
    pub learning_rate: f64,
    /// Decoupled weight decay.
    pub weight_decay: f64,
    /// Gradients longer than this are shortened to it.
    pub gradient_norm_max: f64,
    /// Weight of the divergence.
    pub beta: f64,
    /// Share of each batch that the gradient leaves out.
    pub worst_share: f64,
}

/// What a fit tells after every epoch.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C)]
pub struct FitEpoch {
    /// Epochs done, from 1.
    pub epoch: u32,
    /// Fills the struct.
    pub unused: u32,
    /// Mean training loss of the epoch, nats per row.
    pub train_loss: f64,
    /// Validation loss after it, nats per row.
    pub validation_loss: f64,
}

/// Hears of every epoch; ends the fit by anything but 0. The first argument is [`FitRequest::user`].
pub type FitProgress = unsafe extern "C" fn(*mut c_void, *const FitEpoch) -> i32;

/// A fit to be done. Rows lie one behind the other.
#[derive(Debug)]
#[repr(C)]
pub struct FitRequest {
    /// Bytes of this struct.
    pub size: u32,
    /// Numbers of a row.
    pub input_count: u32,
    /// Numbers of the network.
    pub weight_count: u32,
    /// Features of a row.
    pub feature_count: u32,
    /// Settings.
    pub config: FitConfig,
    /// Training rows. With none, nothing is fitted: the answer is whether there is a card.
    pub training_count: u64,
    /// Validation rows.
    pub validation_count: u64,
    /// The training rows.
    pub training: *const f32,
    /// The validation rows.
    pub validation: *const f32,
    /// Hears of every epoch, on the calling thread.
    pub progress: Option<FitProgress>,
    /// For `progress`.
    pub user: *mut c_void,
}

/// What came of it.
#[derive(Debug)]
#[repr(C)]
pub struct FitResult {
    /// Bytes of this struct.
    pub size: u32,
    /// The epoch that was best; that in which the fit was ended or diverged.
    pub epochs: u32,
    /// Its validation loss, nats per row.
    pub validation_loss: f64,
    /// Room for the request's `weight_count` numbers.
    pub weights: *mut f32,
    /// Room for the request's `feature_count` error scales.
    pub scales: *mut f64,
}

/// How a fit ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum FitStatus {
    /// Weights and scales are there.
    Done = 0,
    /// By [`FitRequest::progress`].
    Cancelled = 1,
    /// By a gradient that was NaN or infinite.
    Diverged = 2,
    /// Before or within it: no card, another network, a failed kernel. The message says which.
    Refused = 3,
}

impl FitStatus {
    /// The status numbered `code`; an unknown one is a refusal.
    #[must_use]
    pub const fn from_code(code: i32) -> Self {
        match code {
            0 => Self::Done,
            1 => Self::Cancelled,
            2 => Self::Diverged,
            _ => Self::Refused,
        }
    }
}

/// Fits the network on a card; the message, one line ended by a zero, says why not.
pub type Train = unsafe extern "C" fn(*const FitRequest, *mut FitResult, *mut c_char, u32) -> i32;

/// The library's functions. `abi` and `size` stand first in every version.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Library {
    /// [`ABI_VERSION`] of the library.
    pub abi: u32,
    /// Bytes of this struct.
    pub size: u32,
    /// Gives null when it cannot; the message, one line ended by a zero, then says why.
    pub open: unsafe extern "C" fn(*const Open, *mut Memory, *mut c_char, u32) -> *mut Engine,
    /// Starts a batch; its results are there once `completed` has its sequence.
    pub submit: unsafe extern "C" fn(*mut Engine, *const Job) -> i32,
    /// What the driver says: idle, busy or an error.
    pub status: unsafe extern "C" fn(*mut Engine) -> i32,
    /// Takes samples, in ns, of a [`Measure`].
    pub measure: unsafe extern "C" fn(*mut Engine, u32, *const Job, u32, *mut u64) -> i32,
    /// Writes one line about the card; gives its length.
    pub describe: unsafe extern "C" fn(*mut Engine, *mut c_char, u32) -> u32,
    /// Ends everything and takes the memory back.
    pub close: unsafe extern "C" fn(*mut Engine),
    /// Null in libraries that end before it, and in those that do not train.
    pub train: Option<Train>,
}
