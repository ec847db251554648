// The scorer on a card: normalise, encode, hold, decode, judge, all of a row without leaving the block. Eight lanes take a row,
// sixteen rows a block of 128 threads; the network lies in shared memory.
//
// The arithmetic is that of the fused CPU scorer (gpu/src/fused), operation by operation and in the same order: sums run over
// inputs from the first, every product in them is fused, nothing else is (nvcc -fmad=false). So a row's score has the same bits
// here and there, and a change from one to the other changes no decision.
#pragma once
#include "interface.h"

constexpr int LANES = 8;
constexpr int BLOCK_THREADS = TILE_ROWS * LANES;

// The packed network: per layer the weights by input, outputs side by side and filled up to a multiple of eight, then biases.
constexpr int INPUTS = 26, OUTER = 32, INNER = 16, LATENT = 8, OUTPUTS = 16;
constexpr int ENCODER0 = 0;
constexpr int ENCODER1 = ENCODER0 + (INPUTS + 1) * OUTER;
constexpr int MU = ENCODER1 + (OUTER + 1) * INNER;
constexpr int DECODER0 = MU + (INNER + 1) * LATENT;
constexpr int LATENT_USED = 4;
constexpr int DECODER1 = DECODER0 + (LATENT_USED + 1) * INNER;
constexpr int DECODER2 = DECODER1 + (INNER + 1) * OUTER;
constexpr int LATENT_MIN = DECODER2 + (OUTER + 1) * OUTPUTS;
constexpr int LATENT_MAX = LATENT_MIN + LATENT;
constexpr int INVERSE_SCALE = LATENT_MAX + LATENT;
static_assert(INVERSE_SCALE + OUTPUTS == WEIGHT_COUNT, "the packed network");
static_assert(WEIGHT_COUNT % 4 == 0, "loaded in fours");

// A packed head: two layers on the network's inputs, each with a ReLU behind it.
constexpr int HEAD_INNER = 32;
constexpr int HEAD1 = (INPUTS + 1) * HEAD_INNER;
static_assert(HEAD1 + (HEAD_INNER + 1) * int(HEAD_OUTPUTS) == HEAD_WEIGHT_COUNT, "the packed head");
static_assert(HEAD_WEIGHT_COUNT % 4 == 0, "loaded in fours");

// Floats of the network and its heads.
constexpr int weights_with(uint32_t heads) { return int(WEIGHT_COUNT + heads * HEAD_WEIGHT_COUNT); }

// A row's shared memory: the network's inputs, which the verdict needs again, and two buffers that layers write to in turn.
// 100: a multiple of 16 bytes, and the four rows of a warp begin on different banks.
constexpr int FIRST = 28, SECOND = FIRST + OUTER, STRIDE = 100;
constexpr int shared_floats(uint32_t heads) { return weights_with(heads) + int(TILE_ROWS) * STRIDE; }
static_assert(SECOND + OUTER <= STRIDE && FIRST % 4 == 0 && SECOND % 4 == 0, "both buffers, read in fours");
static_assert(sizeof(Row) == 112 && sizeof(Row) <= OUTER * sizeof(float), "a staged row fits a buffer");
static_assert(sizeof(Profile) == 224 && sizeof(Entry) == 64 && sizeof(Why) == 16 && sizeof(Job) == 16, "");

DEVICE void load_network(float4* to, const Plan& plan) {
  const float* __restrict__ from = plan.weights;
  const int count = int(WEIGHT_COUNT + plan.head_count * HEAD_WEIGHT_COUNT) / 4;
  for (int i = threadIdx.x; i < count; i += blockDim.x) to[i] = reinterpret_cast<const float4*>(from)[i];
}

// Natural logarithm of a positive normal number: prepare.rs says why these steps.
DEVICE double natural_log(double v) {
  constexpr uint64_t SQRT_HALF = 0x3fe6a09e667f3bcdull, ONE = 0x3ff0000000000000ull;
  constexpr uint64_t MANTISSA = 0x000fffffffffffffull, MAGIC = 0x4330000000000000ull;
  const uint64_t shifted = bits_of(v) + (ONE - SQRT_HALF);
  const double k = double_of(MAGIC | (shifted >> 52)) - (4503599627370496.0 + 1023.0);
  const double m = double_of((shifted & MANTISSA) + SQRT_HALF);
  const double z = (m - 1.0) / (m + 1.0);
  const double w = z * z;
  double series = 1.0 / 19.0;
  series = series * w + 1.0 / 17.0;
  series = series * w + 1.0 / 15.0;
  series = series * w + 1.0 / 13.0;
  series = series * w + 1.0 / 11.0;
  series = series * w + 1.0 / 9.0;
  series = series * w + 1.0 / 7.0;
  series = series * w + 1.0 / 5.0;
  series = series * w + 1.0 / 3.0;
  return k * 0.693147180559945309417232121458 + (2.0 * z + 2.0 * z * w * series);
}

// What a feature goes through before it is scaled (`COLUMNS` of inputs/transform.rs).
DEVICE double transformed(int feature, double v) {
  constexpr uint32_t LOGARITHMS = 1u << 0 | 1u << 7 | 1u << 8, AREA_SINES = 1u << 4 | 1u << 5;
  if (!((LOGARITHMS | AREA_SINES) >> feature & 1u)) return v;
  double argument;
  if (LOGARITHMS >> feature & 1u) {
    const double floor = feature == 0 ? 0.01 : feature == 7 ? 0.1 : 0.5;
    argument = (v > 0.0 ? v : 0.0) + floor;
  } else {
    const double size = fabs(v);
    argument = size + (size < 268435456.0 ? sqrt(size * size + 1.0) : size);
  }
  const double log = natural_log(argument);
  return LOGARITHMS >> feature & 1u ? log : copysign(log, v);
}

DEVICE float normalised(int feature, double v, const Profile* profile) {
  const double sigmas = (transformed(feature, v) - profile->median[feature]) * profile->inverse_scale[feature];
  const double low = sigmas > -10.0 ? sigmas : -10.0;
  return float(low < 10.0 ? low : 10.0);
}

// One bit per feature from the two that each of a row's lanes answers for.
DEVICE uint32_t gathered(bool first, bool second) {
  const uint32_t shift = threadIdx.x & 24u;
  const uint32_t low = __ballot_sync(0xffffffffu, first) >> shift & 0xffu;
  const uint32_t high = __ballot_sync(0xffffffffu, second) >> shift & 0xffu;
  return (low | high << 8) & ((1u << FEATURES) - 1u);
}

// Reads row `row` of the staged ones, leaves the network's inputs in `x` and gives the usable bits. `scratch` is overwritten.
DEVICE uint32_t take_staged(const Row* row, const Profile* profiles, float* scratch, float* x, uint32_t* instrument) {
  const int lane = threadIdx.x & (LANES - 1);
  if (lane < 7) reinterpret_cast<double2*>(scratch)[lane] = load_fresh(reinterpret_cast<const double2*>(row) + lane);
  __syncwarp();
  const Row* staged = reinterpret_cast<const Row*>(scratch);
  const Profile* profile = profiles + staged->profile;
  const uint32_t accepted = staged->valid & profile->trained;
  *instrument = staged->instrument;
  bool there[2];
  float value[2];
#pragma unroll
  for (int half = 0; half < 2; half++) {
    const int feature = lane + LANES * half;
    there[half] = false;
    if (feature < int(FEATURES) && (accepted >> feature & 1u) && is_number(staged->values[feature])) {
      there[half] = true;
      value[half] = normalised(feature, staged->values[feature], profile);
    }
  }
#pragma unroll
  for (int half = 0; half < 2; half++) {
    const int feature = lane + LANES * half;
    if (feature < int(FEATURES)) {
      x[feature] = there[half] ? value[half] : 0.0f;
      x[FEATURES + feature] = there[half] ? 0.0f : 1.0f;
    }
  }
  const uint32_t usable = gathered(there[0], there[1]);
  __syncwarp();
  return usable;
}

// The same from the table.
DEVICE uint32_t take_kept(const Entry* entry, float* scratch, float* x) {
  const int lane = threadIdx.x & (LANES - 1);
  if (lane < 4) reinterpret_cast<float4*>(scratch)[lane] = reinterpret_cast<const float4*>(entry)[lane];
  __syncwarp();
  const Entry* kept = reinterpret_cast<const Entry*>(scratch);
  const uint32_t usable = kept->usable;
#pragma unroll
  for (int half = 0; half < 2; half++) {
    const int feature = lane + LANES * half;
    if (feature < int(FEATURES)) {
      x[feature] = kept->x[feature];
      x[FEATURES + feature] = usable >> feature & 1u ? 0.0f : 1.0f;
    }
  }
  __syncwarp();
  return usable;
}

DEVICE void keep(Entry* entry, const float* x, uint32_t usable) {
  const int lane = threadIdx.x & (LANES - 1);
  if (lane >= 4) return;
  float4 quarter = {0.0f, 0.0f, 0.0f, 0.0f};
  if (lane < 3) {
    quarter = reinterpret_cast<const float4*>(x)[lane];
  } else {
    quarter.x = x[12];
    quarter.y = float_of(usable);
  }
  reinterpret_cast<float4*>(entry)[lane] = quarter;
}

// `N` floats that are read in one load.
template <int N>
struct alignas(N * sizeof(float)) Pack {
  float at[N];
};

// A dense layer; each lane makes OUT/8 outputs. `Activation` gets the sum and the output's number.
template <int IN, int OUT, class Activation>
DEVICE void layer(const float* weights, const float* x, float* y, Activation after) {
  constexpr int EACH = OUT / LANES;
  static_assert(IN % 2 == 0 && OUT % LANES == 0, "inputs are read in twos, lanes share outputs evenly");
  const int first = (threadIdx.x & (LANES - 1)) * EACH;
  Pack<EACH> sum = *reinterpret_cast<const Pack<EACH>*>(weights + IN * OUT + first);
#pragma unroll
  for (int k = 0; k < IN; k += 2) {
    const Pack<2> value = *reinterpret_cast<const Pack<2>*>(x + k);
#pragma unroll
    for (int half = 0; half < 2; half++) {
      const Pack<EACH> weight = *reinterpret_cast<const Pack<EACH>*>(weights + (k + half) * OUT + first);
#pragma unroll
      for (int i = 0; i < EACH; i++) sum.at[i] = fmaf(weight.at[i], value.at[half], sum.at[i]);
    }
  }
#pragma unroll
  for (int i = 0; i < EACH; i++) sum.at[i] = after(sum.at[i], first + i);
  *reinterpret_cast<Pack<EACH>*>(y + first) = sum;
  __syncwarp();
}

struct Relu {
  DEVICE_MEMBER float operator()(float sum, int) const { return sum > 0.0f ? sum : 0.0f; }
};
struct Nothing {
  DEVICE_MEMBER float operator()(float sum, int) const { return sum; }
};
// Holds the latent state within its calm range; what is no number passes through, to the score's own check.
struct Hold {
  const float* min;
  const float* max;
  DEVICE_MEMBER float operator()(float sum, int unit) const {
    return sum < min[unit] ? min[unit] : sum > max[unit] ? max[unit] : sum;
  }
};

struct Verdict {
  float raw;
  Why why;
};

// The law of the score; every lane of a row does it all, since the sum has an order.
DEVICE Verdict judge(const float* x, const float* rebuilt, const float* inverse_scale, uint32_t usable) {
  float sum = 0.0f, share[3] = {-1.0f, -1.0f, -1.0f};
  uint32_t place[3] = {0, 0, 0};
#pragma unroll
  for (int feature = 0; feature < int(FEATURES); feature++) {
    const float scaled = (x[feature] - rebuilt[feature]) * inverse_scale[feature];
    float mine = usable >> feature & 1u ? scaled * scaled : 0.0f;
    uint32_t id = feature;
    sum = sum + mine;
#pragma unroll
    for (int i = 0; i < 3; i++) {
      const bool moves = mine > share[i];
      const float below = share[i];
      const uint32_t below_id = place[i];
      share[i] = moves ? mine : below;
      place[i] = moves ? id : below_id;
      mine = moves ? below : mine;
      id = moves ? below_id : id;
    }
  }
  const uint32_t count = popcount(usable);
  const float raw = sum / float(count > 0 ? count : 1);
  Verdict verdict = {0.0f, {{0.0f, 0.0f, 0.0f}, {0, 0, 0}, 0}};
  if (count >= USABLE_MIN && is_number(raw)) {
    const float total = sum > 0.0f ? sum : 1.0f;
    verdict.raw = raw;
    verdict.why.scored = 1;
#pragma unroll
    for (int i = 0; i < 3; i++) {
      verdict.why.share[i] = share[i] / total;
      verdict.why.feature[i] = uint8_t(place[i]);
    }
  }
  return verdict;
}

// Inputs lie in `row`; both buffers behind them are overwritten.
DEVICE Verdict verdict_of(const float* network, float* row, uint32_t usable) {
  float *first = row + FIRST, *second = row + SECOND;
  layer<INPUTS, OUTER>(network + ENCODER0, row, first, Relu{});
  layer<OUTER, INNER>(network + ENCODER1, first, second, Relu{});
  layer<INNER, LATENT>(network + MU, second, first, Hold{network + LATENT_MIN, network + LATENT_MAX});
  layer<LATENT_USED, INNER>(network + DECODER0, first, second, Relu{});
  layer<INNER, OUTER>(network + DECODER1, second, first, Relu{});
  layer<OUTER, OUTPUTS>(network + DECODER2, first, second, Nothing{});
  return judge(row, second, network + INVERSE_SCALE, usable);
}

// What the heads say of the inputs in `row`; both buffers behind them are overwritten.
DEVICE void ask_heads(const Plan& plan, const float* heads, float* row, uint32_t buffer, uint32_t place, bool wanted) {
  const int lane = threadIdx.x & (LANES - 1);
  for (uint32_t head = 0; head < plan.head_count; head++) {
    const float* weights = heads + head * HEAD_WEIGHT_COUNT;
    layer<INPUTS, HEAD_INNER>(weights, row, row + FIRST, Relu{});
    layer<HEAD_INNER, int(HEAD_OUTPUTS)>(weights + HEAD1, row + FIRST, row + SECOND, Relu{});
    if (wanted && lane < int(HEAD_OUTPUTS) / 4) {
      float* to = plan.heads[buffer] + (size_t(place) * plan.head_count + head) * HEAD_OUTPUTS;
      reinterpret_cast<float4*>(to)[lane] = reinterpret_cast<const float4*>(row + SECOND)[lane];
    }
  }
}

// Tiles of a job: whole ones of staged rows, then whole ones of the table, so that all rows of a tile are of one kind.
DEVICE uint32_t tiles_of(uint32_t rows) { return (rows + TILE_ROWS - 1) / TILE_ROWS; }

// Scores this block's share of `job`. Every block of the grid calls it with the same job.
DEVICE void score_job(const Plan& plan, const Job& job, float* shared) {
  const int lane = threadIdx.x & (LANES - 1);
  const uint32_t group = threadIdx.x / LANES;
  float* row = shared + (WEIGHT_COUNT + plan.head_count * HEAD_WEIGHT_COUNT) + group * STRIDE;
  const uint32_t staged_tiles = tiles_of(job.row_count), tiles = staged_tiles + tiles_of(job.universe);
  for (uint32_t tile = blockIdx.x; tile < tiles; tile += gridDim.x) {
    uint32_t usable, place;
    bool wanted;
    if (tile < staged_tiles) {
      place = tile * TILE_ROWS + group;
      wanted = place < job.row_count;
      const Row* staged = plan.rows[job.buffer] + (wanted ? place : 0);
      uint32_t instrument;
      usable = take_staged(staged, plan.profiles, row + FIRST, row, &instrument);
      if (wanted && !(instrument & NOT_KEPT)) keep(plan.table + instrument, row, usable);
    } else {
      const uint32_t instrument = (tile - staged_tiles) * TILE_ROWS + group;
      const bool inside = instrument < job.universe;
      const uint32_t word = inside ? load_fresh(plan.changed[job.buffer] + instrument / 32) : 0;
      // A changed row is scored among the staged ones, which may be writing it at this moment.
      wanted = inside && !(word >> (instrument & 31u) & 1u);
      place = plan.row_capacity + instrument;
      usable = take_kept(plan.table + (wanted ? instrument : 0), row + FIRST, row);
    }
    const Verdict verdict = verdict_of(shared, row, usable);
    if (lane == 0 && wanted) {
      plan.raw[job.buffer][place] = verdict.raw;
      plan.why[job.buffer][place] = verdict.why;
    }
    ask_heads(plan, shared + WEIGHT_COUNT, row, job.buffer, place, wanted);
    // The next tile overwrites what slower lanes may still read.
    __syncwarp();
  }
}

// The last block to come here tells the host. All results of all blocks are visible to it before the word is.
DEVICE void complete(const Plan& plan, uint32_t sequence) {
  __threadfence_system();
  __syncthreads();
  if (threadIdx.x == 0 && atomicAdd(&plan.sync->finished_blocks, 1u) == gridDim.x - 1) {
    plan.sync->finished_blocks = 0;
    __threadfence_system();
    store_release_system(&plan.control->completed, sequence);
  }
}

// A request to the persistent kernel, in the 16 bytes that it reads at once. A vector load is no single access by the letter of
// the memory model, so the last word tells whether all four belong together.
DEVICE bool decode_request(const uint4& words, uint32_t sequence, Job* job) {
  job->sequence = words.x;
  job->row_count = words.y;
  job->universe = words.z & 0x7fffffffu;
  job->buffer = words.z >> 31;
  return words.x == sequence && words.w == (words.x ^ words.y ^ words.z ^ 0x5ca1ab1eu);
}
constexpr uint32_t STOP = 0xffffffffu;  // as row_count: the persistent kernel ends
