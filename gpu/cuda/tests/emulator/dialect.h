// The kernels' dialect on a CPU. Every thread of the card is a fibre; a barrier, a ballot and a polling load are where one gives
// way to the next, in an order drawn anew each time, so that a barrier that is missing shows as a wrong result. Results do not
// depend on the order otherwise. Arithmetic is IEEE on both sides: the bits are those of the card.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <vector>

struct alignas(16) float4 { float x, y, z, w; };
struct alignas(16) double2 { double x, y; };
struct alignas(16) uint4 { uint32_t x, y, z, w; };
struct Index { uint32_t x; };

// Runs `kernel` on `blocks` blocks of `threads` fibres, all of them resident at once.
void launch(uint32_t blocks, uint32_t threads, size_t shared_bytes, const std::function<void()>& kernel);

extern thread_local Index threadIdx, blockIdx, blockDim, gridDim;
void* block_memory();
void* block_value();
void pause_at_block();
void pause_at_warp();
void give_way();
uint32_t ballot(bool vote);

#define DEVICE static inline
#define DEVICE_MEMBER inline
#define KERNEL(threads) static void
#define FIXED
#define __restrict__
#define SHARED_MEMORY(type, name) type* name = static_cast<type*>(block_memory())
#define SHARED_VALUE(type, name) type& name = *static_cast<type*>(block_value())

inline void __syncthreads() { pause_at_block(); }
inline void __syncwarp() { pause_at_warp(); }
inline void __threadfence_system() { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
inline uint32_t __ballot_sync(uint32_t, bool vote) { return ballot(vote); }
inline uint32_t atomicAdd(uint32_t* at, uint32_t v) { return __atomic_fetch_add(at, v, __ATOMIC_RELAXED); }

template <class To, class From>
To reinterpreted(From v) {
  static_assert(sizeof(To) == sizeof(From), "");
  To to;
  memcpy(&to, &v, sizeof to);
  return to;
}
inline uint64_t bits_of(double v) { return reinterpreted<uint64_t>(v); }
inline double double_of(uint64_t bits) { return reinterpreted<double>(bits); }
inline float float_of(uint32_t bits) { return reinterpreted<float>(bits); }
inline uint32_t popcount(uint32_t v) { return __builtin_popcount(v); }
inline bool is_number(double v) { return std::isfinite(v); }
inline bool is_number(float v) { return std::isfinite(v); }

template <class T>
T load_fresh(const T* from) {
  return *from;
}
// Word by word, as the memory model allows: a request may be seen half written.
template <>
inline uint4 load_fresh(const uint4* from) {
  const auto* words = reinterpret_cast<const uint32_t*>(from);
  uint32_t read[4];
  for (int i = 0; i < 4; i++) {
    give_way();
    read[i] = __atomic_load_n(words + i, __ATOMIC_RELAXED);
  }
  return {read[0], read[1], read[2], read[3]};
}
inline uint32_t load_acquire_device(const uint32_t* from) {
  give_way();
  return __atomic_load_n(from, __ATOMIC_ACQUIRE);
}
inline void store_release_device(uint32_t* to, uint32_t v) { __atomic_store_n(to, v, __ATOMIC_RELEASE); }
inline void store_release_system(uint32_t* to, uint32_t v) { __atomic_store_n(to, v, __ATOMIC_RELEASE); }
uint64_t clock_ns();
