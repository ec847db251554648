// A card's threads as fibres: see dialect.h.
#include "dialect.h"

#include <ucontext.h>

#include <chrono>
#include <thread>

namespace {

enum class State { ready, at_block, at_warp, done };

struct Fibre {
  ucontext_t context;
  std::unique_ptr<char[]> stack;
  State state = State::ready;
  uint32_t thread, block;
};

struct Block {
  std::vector<float4> memory;
  alignas(16) char value[64];
  std::vector<uint32_t> votes, tallies;  // by warp
};

struct Grid {
  std::vector<Fibre> fibres;
  std::vector<Block> blocks;
  uint32_t threads;
  ucontext_t scheduler;
  const std::function<void()>* kernel;
};

constexpr size_t STACK_BYTES = 32 << 10;
thread_local Grid* grid;
thread_local Fibre* running;

Block& block() { return grid->blocks[running->block]; }

void pause(State state) {
  running->state = state;
  swapcontext(&running->context, &grid->scheduler);
}

void start() {
  (*grid->kernel)();
  pause(State::done);
}

// Those of [from, to) that wait at `gate` go on once all that are not done wait there. Gives whether any is left.
bool open_gate(uint32_t from, uint32_t to, State gate) {
  bool any = false;
  for (uint32_t i = from; i < to; i++) {
    if (grid->fibres[i].state == State::done) continue;
    if (grid->fibres[i].state != gate) return true;
    any = true;
  }
  for (uint32_t i = from; any && i < to; i++)
    if (grid->fibres[i].state == gate) grid->fibres[i].state = State::ready;
  return any;
}

}  // namespace

thread_local Index threadIdx, blockIdx, blockDim, gridDim;

void* block_memory() { return block().memory.data(); }
void* block_value() { return block().value; }
void pause_at_block() { pause(State::at_block); }
void pause_at_warp() { pause(State::at_warp); }
void give_way() { pause(State::ready); }

uint32_t ballot(bool vote) {
  const uint32_t warp = running->thread / 32, bit = 1u << running->thread % 32;
  block().votes[warp] = (block().votes[warp] & ~bit) | (vote ? bit : 0);
  pause_at_warp();
  const uint32_t tally = block().votes[warp];
  pause_at_warp();
  return tally;
}

uint64_t clock_ns() {
  give_way();
  return std::chrono::steady_clock::now().time_since_epoch().count();
}

void launch(uint32_t blocks, uint32_t threads, size_t shared_bytes, const std::function<void()>& kernel) {
  Grid here;
  here.threads = threads;
  here.kernel = &kernel;
  here.fibres.resize(size_t(blocks) * threads);
  here.blocks.resize(blocks);
  grid = &here;
  for (auto& block : here.blocks) {
    block.memory.resize(shared_bytes / sizeof(float4) + 1, float4{NAN, NAN, NAN, NAN});
    block.votes.resize(threads / 32 + 1);
  }
  std::vector<uint32_t> order(here.fibres.size());
  for (uint32_t i = 0; i < order.size(); i++) {
    order[i] = i;
    Fibre& fibre = here.fibres[i];
    fibre.thread = i % threads;
    fibre.block = i / threads;
    fibre.stack.reset(new char[STACK_BYTES]);
    getcontext(&fibre.context);
    fibre.context.uc_stack.ss_sp = fibre.stack.get();
    fibre.context.uc_stack.ss_size = STACK_BYTES;
    fibre.context.uc_link = nullptr;
    makecontext(&fibre.context, start, 0);
  }
  uint64_t random = 0x9e3779b97f4a7c15ull;
  for (size_t left = order.size(); left > 0;) {
    for (size_t i = order.size() - 1; i > 0; i--) {
      random = random * 6364136223846793005ull + 1442695040888963407ull;
      std::swap(order[i], order[(random >> 33) % (i + 1)]);
    }
    bool ran = false;
    for (uint32_t i : order) {
      Fibre& fibre = here.fibres[i];
      if (fibre.state != State::ready) continue;
      ran = true;
      running = &fibre;
      threadIdx = {fibre.thread};
      blockIdx = {fibre.block};
      blockDim = {threads};
      gridDim = {blocks};
      swapcontext(&here.scheduler, &fibre.context);
      left -= fibre.state == State::done;
    }
    for (uint32_t b = 0; b < blocks; b++) {
      open_gate(b * threads, (b + 1) * threads, State::at_block);
      for (uint32_t t = 0; t < threads; t += 32) open_gate(b * threads + t, b * threads + std::min(t + 32, threads), State::at_warp);
    }
    // Kernels that poll wait for another thread of this process.
    if (ran && left > 0) std::this_thread::yield();
  }
  grid = nullptr;
}
