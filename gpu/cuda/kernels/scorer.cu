// The kernels of the CUDA scorer. Compiled by nvcc for the card and, with PORTCULLIS_ON_CPU, by g++ for the tests, where every
// thread of the card is a fibre (tests/emulator).
#ifndef PORTCULLIS_ON_CPU
#include "dialect.cuh"
#endif
#include "scorer.cuh"

// One batch, one launch.
KERNEL(BLOCK_THREADS) scorer_batch(FIXED const Plan plan, const Job job) {
  SHARED_MEMORY(float4, shared);
  load_network(shared, plan);
  __syncthreads();
  score_job(plan, job, reinterpret_cast<float*>(shared));
  complete(plan, job.sequence);
}

// The same with the job in pinned memory, for a graph whose arguments are fixed.
KERNEL(BLOCK_THREADS) scorer_replayed(FIXED const Plan plan) {
  SHARED_MEMORY(float4, shared);
  SHARED_VALUE(Job, job);
  if (threadIdx.x == 0) {
    const uint4 words = load_fresh(reinterpret_cast<const uint4*>(plan.control->request));
    decode_request(words, words.x, &job);
  }
  load_network(shared, plan);
  __syncthreads();
  score_job(plan, job, reinterpret_cast<float*>(shared));
  complete(plan, job.sequence);
}

// Nothing but the way there and back: the floor of any design with a launch.
KERNEL(BLOCK_THREADS) scorer_floor(FIXED const Plan plan, const Job job) { complete(plan, job.sequence); }

// Stays on the card. Thread 0 of block 0 polls the host's request and hands it to the other blocks through the card's memory.
// It ends when told to, and by itself after `idle_ns_max` without a request, so that an appliance that died leaves no kernel.
// All blocks must be resident at once: the host launches no more than fit.
KERNEL(BLOCK_THREADS) scorer_persistent(FIXED const Plan plan, uint32_t sequence, const uint64_t idle_ns_max) {
  SHARED_MEMORY(float4, shared);
  SHARED_VALUE(Job, job);
  load_network(shared, plan);
  for (;; sequence++) {
    if (threadIdx.x == 0 && blockIdx.x == 0) {
      const uint64_t since = clock_ns();
      while (!decode_request(load_fresh(reinterpret_cast<const uint4*>(plan.control->request)), sequence, &job)) {
        if (clock_ns() - since > idle_ns_max) {
          job.row_count = STOP;
          break;
        }
      }
      __threadfence_system();
      plan.sync->row_count = job.row_count;
      plan.sync->universe = job.universe;
      plan.sync->buffer = job.buffer;
      store_release_device(&plan.sync->go, sequence);
    } else if (threadIdx.x == 0) {
      while (load_acquire_device(&plan.sync->go) != sequence) {
      }
      job.row_count = load_fresh(&plan.sync->row_count);
      job.universe = load_fresh(&plan.sync->universe);
      job.buffer = load_fresh(&plan.sync->buffer);
    }
    __syncthreads();
    if (job.row_count == STOP) break;
    score_job(plan, job, reinterpret_cast<float*>(shared));
    // Its barrier keeps `job` from changing under a slower warp.
    complete(plan, sequence);
  }
  if (threadIdx.x == 0 && blockIdx.x == 0) store_release_system(&plan.control->resident, 0u);
}
