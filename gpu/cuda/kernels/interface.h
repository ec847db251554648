// What the host and the card, and the appliance and this library, have in common. src/layout.rs and src/abi.rs mirror it; a
// test compares every size and offset. Append-only: a change of anything here is another PORTCULLIS_CUDA_ABI, but for functions
// added at the end of Library.
#pragma once
#include <cstddef>
#include <cstdint>

#define PORTCULLIS_CUDA_ABI 2u

constexpr uint32_t FEATURES = 13;
constexpr uint32_t BUFFERS = 2;             // staging buffers: one is filled while the other is scored
constexpr uint32_t TILE_ROWS = 16;          // rows of a block at a time
constexpr uint32_t USABLE_MIN = 7;          // fewer usable features than this and a row has no score
constexpr uint32_t WEIGHT_COUNT = 2712;     // floats of the packed network, see scorer.cuh
constexpr uint32_t HEAD_WEIGHT_COUNT = 1392;  // floats of a packed head, which follow the network's
constexpr uint32_t HEAD_OUTPUTS = 16;       // numbers that a head says of a row
constexpr uint32_t HEADS_MAX = 4;           // heads beside the autoencoder on the same inputs
constexpr uint32_t NOT_KEPT = 0x80000000u;  // bit of Row::instrument: the row is scored, the table is left alone

// A row as the host stages it, in pinned memory.
struct alignas(16) Row {
  double values[FEATURES];
  uint32_t instrument;
  uint16_t profile;
  uint16_t valid;
};

// Location and scale of the features, for one symbol or for all.
struct alignas(16) Profile {
  double median[FEATURES];
  double inverse_scale[FEATURES];
  uint32_t trained;
  uint32_t unused[3];
};

// An instrument's newest row as the network sees it, in the card's table. All zero: never seen, has no score.
struct alignas(16) Entry {
  float x[FEATURES];
  uint32_t usable;
  uint32_t unused[2];
};

// Why a score is what it is; beside each raw score.
struct alignas(16) Why {
  float share[3];
  uint8_t feature[3];
  uint8_t scored;
};

// What is to be scored: the first `row_count` staged rows of `buffer`, then the table's rows of all instruments below
// `universe` that are not among them. Row p's result goes to place p, instrument i's to place `row_capacity` + i.
struct alignas(16) Job {
  uint32_t sequence;  // of the batch, from 1; the completion word takes this value
  uint32_t row_count;
  uint32_t universe;
  uint32_t buffer;
};

// Pinned words that host and card talk through; each on a cache line of its own.
struct alignas(64) Control {
  uint32_t completed;      // written by the card: sequence of the last batch whose results are all there
  uint32_t unused0[15];
  uint32_t request[4];     // written by the host, for the persistent kernel: encode_request()
  uint32_t unused1[12];
  uint32_t resident;       // 1 while the persistent kernel runs; the kernel clears it when it ends
  uint32_t unused2[15];
};

// Words on the card that blocks talk through.
struct Sync {
  uint32_t finished_blocks;
  uint32_t go;
  uint32_t row_count;
  uint32_t universe;
  uint32_t buffer;
  uint32_t unused[3];
};

// Every address a kernel needs.
struct Plan {
  const Row* rows[BUFFERS];
  const uint32_t* changed[BUFFERS];  // bit i: instrument i is among the staged rows
  float* raw[BUFFERS];
  Why* why[BUFFERS];
  float* heads[BUFFERS];  // per place, per head, HEAD_OUTPUTS numbers
  Entry* table;
  const Profile* profiles;
  const float* weights;
  Control* control;
  Sync* sync;
  uint32_t row_capacity;
  uint32_t head_count;
};

// ---- the library, as the appliance sees it

struct Engine;

enum Status : int32_t {
  STATUS_OK = 0,
  STATUS_BUSY = 1,           // work goes on; not an error
  STATUS_DEVICE_LOST = 2,
  STATUS_OUT_OF_MEMORY = 3,
  STATUS_KERNEL = 4,         // a kernel failed, or anything else that ends the context
  STATUS_UNSUPPORTED = 5,    // not built, or asked for what this library does not do
};

enum Mode : uint32_t {
  MODE_AUTO = 0,        // what the self-test at opening finds fastest
  MODE_LAUNCH = 1,      // a launch per batch
  MODE_GRAPH = 2,       // a replayed graph per batch
  MODE_PERSISTENT = 3,  // one kernel that stays
};

enum Measure : uint32_t {
  MEASURE_LAUNCH_FLOOR = 0,   // an empty kernel, from submission to the completion word: host time
  MEASURE_DEVICE = 1,         // the fused kernel between two events: device time
  MEASURE_CANDLE = 2,         // plain Candle operations over device-resident rows, to the results on the host
  MEASURE_CANDLE_GRAPH = 3,   // the same captured once and replayed
  MEASURE_COPY_FLOOR = 4,     // the staged rows alone, copied to the card: device time
  MEASURE_DEVICE_FLOOR = 5,   // an empty kernel between two events: device time
  MEASURE_FUSED_OP = 6,       // the fused kernel as a Candle operation over the job's rows, to the results on the host
};

struct Open {
  uint32_t size;  // of this struct
  uint32_t mode;
  uint32_t instrument_count;
  uint32_t profile_count;
  uint32_t weight_count;  // WEIGHT_COUNT, and HEAD_WEIGHT_COUNT for each head
  uint32_t feature_count;
  const float* weights;
  const Profile* profiles;
};

// Pinned memory that the library lends until close().
struct Memory {
  Row* rows[BUFFERS];
  uint32_t* changed[BUFFERS];
  const float* raw[BUFFERS];
  const Why* why[BUFFERS];
  const float* heads[BUFFERS];
  const uint32_t* completed;
  uint32_t row_capacity;
  uint32_t mode;  // the one that was chosen
};

// Settings of a fit, as the package gpu-fit explains them.
struct FitConfig {
  uint64_t seed;
  uint32_t epoch_count_max;
  uint32_t batch_size;
  uint32_t patience;
  uint32_t unused;
  double learning_rate;
  double weight_decay;
  double gradient_norm_max;
  double beta;
  double worst_share;
};

// What a fit tells after every epoch.
struct FitEpoch {
  uint32_t epoch;  // from 1
  uint32_t unused;
  double train_loss;  // nats per row
  double validation_loss;
};

// A fit to be done. Rows lie one behind the other; without training rows the answer is whether there is a card.
struct FitRequest {
  uint32_t size;  // of this struct
  uint32_t input_count;
  uint32_t weight_count;
  uint32_t feature_count;
  FitConfig config;
  uint64_t training_count;  // rows
  uint64_t validation_count;
  const float* training;
  const float* validation;
  // Hears of every epoch, on the calling thread; ends the fit by anything but 0.
  int32_t (*progress)(void* user, const FitEpoch*);
  void* user;
};

struct FitResult {
  uint32_t size;  // of this struct
  uint32_t epochs;  // the one that was best; that in which the fit was ended or diverged
  double validation_loss;
  float* weights;   // room for weight_count numbers
  double* scales;   // room for feature_count numbers
};

enum FitStatus : int32_t {
  FIT_DONE = 0,
  FIT_CANCELLED = 1,  // by progress
  FIT_DIVERGED = 2,   // a gradient was no number
  FIT_REFUSED = 3,    // no card, another network, a failed kernel; the message says which
};

struct Library {
  uint32_t abi;
  uint32_t size;  // of this struct
  // Null when it cannot; `message` then holds one line, ended by a zero.
  Engine* (*open)(const Open*, Memory*, char* message, uint32_t message_size);
  // Starts a batch. Its results are there once `completed` has its sequence.
  int32_t (*submit)(Engine*, const Job*);
  // What the driver says: OK (idle), BUSY, or an error.
  int32_t (*status)(Engine*);
  // Takes `count` samples in ns of a Measure.
  int32_t (*measure)(Engine*, uint32_t measure, const Job*, uint32_t count, uint64_t* samples_ns);
  // One line about the card and the library; gives its length.
  uint32_t (*describe)(Engine*, char* text, uint32_t text_size);
  void (*close)(Engine*);
  // Fits the network on a card. Null in libraries that do not train; older ones end before it, as `size` says.
  int32_t (*train)(const FitRequest*, FitResult*, char* message, uint32_t message_size);
};

extern "C" const Library* portcullis_cuda_library();
