// The CUDA scorer's library with the emulator for a card: the same kernels behind the same C interface.
#define PORTCULLIS_ON_CPU
#include "dialect.h"

#include "../../kernels/scorer.cu"

#include <atomic>
#include <cstdio>
#include <mutex>
#include <thread>

struct Engine {
  Plan plan{};
  Control control{};
  Sync sync{};
  std::vector<Row> rows[BUFFERS];
  std::vector<uint32_t> changed[BUFFERS];
  std::vector<float> raw[BUFFERS];
  std::vector<Why> why[BUFFERS];
  std::vector<float> heads[BUFFERS];
  std::vector<Entry> table;
  std::vector<Profile> profiles;
  std::vector<float> weights;
  uint32_t mode = MODE_LAUNCH;
  std::thread worker;

  void join() {
    if (worker.joinable()) worker.join();
  }
};

namespace {

size_t shared_bytes(const Plan& plan) { return size_t(shared_floats(plan.head_count)) * sizeof(float); }
constexpr uint64_t IDLE_NS_MAX = 400'000'000;

void write_request(Engine& engine, const Job& job) {
  const uint32_t flags = job.universe | job.buffer << 31;
  uint32_t* words = engine.control.request;
  __atomic_store_n(words + 1, job.row_count, __ATOMIC_RELAXED);
  __atomic_store_n(words + 2, flags, __ATOMIC_RELAXED);
  __atomic_store_n(words + 3, job.sequence ^ job.row_count ^ flags ^ 0x5ca1ab1eu, __ATOMIC_RELAXED);
  __atomic_store_n(words, job.sequence, __ATOMIC_RELEASE);
}

void stay(Engine& engine, uint32_t sequence) {
  engine.join();
  engine.sync = Sync{};  // the last kernel's final word there was an end
  __atomic_store_n(&engine.control.resident, 1u, __ATOMIC_RELEASE);
  engine.worker = std::thread([&engine, sequence] {
    launch(3, BLOCK_THREADS, shared_bytes(engine.plan), [&] { scorer_persistent(engine.plan, sequence, IDLE_NS_MAX); });
  });
}

Engine* open_engine(const Open* open, Memory* memory, char* message, uint32_t message_size) {
  uint32_t heads = 0;
  while (heads < HEADS_MAX && uint32_t(weights_with(heads)) < open->weight_count) heads++;
  if (open->size != sizeof(Open) || open->weight_count != uint32_t(weights_with(heads)) || open->feature_count != FEATURES) {
    snprintf(message, message_size, "found another network, wanted %u weights", WEIGHT_COUNT);
    return nullptr;
  }
  auto* engine = new Engine;
  const uint32_t count = open->instrument_count;
  engine->mode = open->mode == MODE_AUTO ? uint32_t(MODE_LAUNCH) : open->mode;
  engine->table.resize(count, Entry{});
  engine->profiles.assign(open->profiles, open->profiles + open->profile_count);
  engine->weights.assign(open->weights, open->weights + open->weight_count);
  for (uint32_t b = 0; b < BUFFERS; b++) {
    engine->rows[b].resize(count, Row{});
    engine->changed[b].resize((count + 31) / 32);
    engine->raw[b].resize(2 * count, NAN);
    engine->why[b].resize(2 * count, Why{});
    engine->heads[b].resize(size_t(2) * count * heads * HEAD_OUTPUTS, NAN);
    engine->plan.rows[b] = memory->rows[b] = engine->rows[b].data();
    engine->plan.changed[b] = memory->changed[b] = engine->changed[b].data();
    memory->raw[b] = engine->plan.raw[b] = engine->raw[b].data();
    memory->why[b] = engine->plan.why[b] = engine->why[b].data();
    memory->heads[b] = engine->plan.heads[b] = engine->heads[b].data();
  }
  engine->plan.table = engine->table.data();
  engine->plan.profiles = engine->profiles.data();
  engine->plan.weights = engine->weights.data();
  engine->plan.control = &engine->control;
  engine->plan.sync = &engine->sync;
  engine->plan.row_capacity = count;
  engine->plan.head_count = heads;
  memory->completed = &engine->control.completed;
  memory->row_capacity = count;
  memory->mode = engine->mode;
  if (engine->mode == MODE_PERSISTENT) stay(*engine, 1);
  return engine;
}

uint32_t grid_of(const Job& job) {
  const uint32_t tiles = tiles_of(job.row_count) + tiles_of(job.universe);
  return tiles == 0 ? 1 : tiles < 3 ? tiles : 3;
}

int32_t submit(Engine* engine, const Job* job) {
  write_request(*engine, *job);
  if (engine->mode == MODE_PERSISTENT) {
    if (__atomic_load_n(&engine->control.resident, __ATOMIC_ACQUIRE) == 0) stay(*engine, job->sequence);
    return STATUS_OK;
  }
  engine->join();
  engine->worker = std::thread([engine, job = *job] {
    launch(grid_of(job), BLOCK_THREADS, shared_bytes(engine->plan), [&] {
      if (engine->mode == MODE_GRAPH) scorer_replayed(engine->plan);
      else scorer_batch(engine->plan, job);
    });
  });
  return STATUS_OK;
}

int32_t status(Engine* engine) {
  const uint32_t wanted = __atomic_load_n(engine->control.request, __ATOMIC_ACQUIRE);
  if (__atomic_load_n(&engine->control.completed, __ATOMIC_ACQUIRE) == wanted) return STATUS_OK;
  if (engine->mode == MODE_PERSISTENT && __atomic_load_n(&engine->control.resident, __ATOMIC_ACQUIRE) == 0) stay(*engine, wanted);
  return STATUS_BUSY;
}

int32_t measure(Engine* engine, uint32_t what, const Job* job, uint32_t count, uint64_t* samples_ns) {
  if (what != MEASURE_LAUNCH_FLOOR) return STATUS_UNSUPPORTED;
  for (uint32_t i = 0; i < count; i++) {
    launch(2, BLOCK_THREADS, shared_bytes(engine->plan), [&] { scorer_floor(engine->plan, *job); });
    samples_ns[i] = 1;
  }
  return STATUS_OK;
}

uint32_t describe(Engine*, char* text, uint32_t size) { return uint32_t(snprintf(text, size, "emulated card")); }

void close_engine(Engine* engine) {
  if (engine->mode == MODE_PERSISTENT) {
    write_request(*engine, {__atomic_load_n(&engine->control.completed, __ATOMIC_ACQUIRE) + 1, STOP, 0, 0});
  }
  engine->join();
  delete engine;
}

const Library LIBRARY = {PORTCULLIS_CUDA_ABI, sizeof(Library), open_engine, submit, status, measure, describe, close_engine,
                         nullptr};

#define FIELD(type, name) offsetof(type, name)
const uint32_t LAYOUT[] = {
    sizeof(Row), FIELD(Row, instrument), FIELD(Row, profile), FIELD(Row, valid),
    sizeof(Profile), FIELD(Profile, inverse_scale), FIELD(Profile, trained),
    sizeof(Why), FIELD(Why, feature), FIELD(Why, scored),
    sizeof(Job), FIELD(Job, row_count), FIELD(Job, universe), FIELD(Job, buffer),
    sizeof(Control), FIELD(Control, request), FIELD(Control, resident),
    sizeof(Plan), FIELD(Plan, changed), FIELD(Plan, raw), FIELD(Plan, why), FIELD(Plan, heads), FIELD(Plan, table), FIELD(Plan, row_capacity), FIELD(Plan, head_count),
    sizeof(Open), FIELD(Open, weights), FIELD(Open, profiles),
    sizeof(Memory), FIELD(Memory, changed), FIELD(Memory, raw), FIELD(Memory, why), FIELD(Memory, heads), FIELD(Memory, completed), FIELD(Memory, mode),
    sizeof(Library), FIELD(Library, open), FIELD(Library, close), FIELD(Library, train),
    sizeof(FitConfig), FIELD(FitConfig, patience), FIELD(FitConfig, learning_rate), FIELD(FitConfig, worst_share),
    sizeof(FitEpoch), FIELD(FitEpoch, train_loss), FIELD(FitEpoch, validation_loss),
    sizeof(FitRequest), FIELD(FitRequest, config), FIELD(FitRequest, training_count), FIELD(FitRequest, training),
    FIELD(FitRequest, progress), FIELD(FitRequest, user),
    sizeof(FitResult), FIELD(FitResult, epochs), FIELD(FitResult, validation_loss), FIELD(FitResult, weights), FIELD(FitResult, scales),
    FEATURES, BUFFERS, TILE_ROWS, USABLE_MIN, WEIGHT_COUNT, NOT_KEPT, STOP, uint32_t(shared_floats(0) * sizeof(float)),
    uint32_t(shared_floats(HEADS_MAX) * sizeof(float)), BLOCK_THREADS, HEAD_WEIGHT_COUNT, HEAD_OUTPUTS, HEADS_MAX,
    ENCODER0, ENCODER1, MU, DECODER0, DECODER1, DECODER2, LATENT_MIN, LATENT_MAX, INVERSE_SCALE,
};

}  // namespace

extern "C" __attribute__((visibility("default"))) const Library* portcullis_cuda_library() { return &LIBRARY; }
// What the host mirrors, for a test to compare.
extern "C" __attribute__((visibility("default"))) const uint32_t* portcullis_cuda_layout(uint32_t* count) {
  *count = sizeof LAYOUT / sizeof *LAYOUT;
  return LAYOUT;
}
