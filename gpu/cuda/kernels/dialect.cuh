// What the kernels say differently on the card and in the tests' emulator.
#pragma once
#include <cstdint>

#define DEVICE static __device__ __forceinline__
#define DEVICE_MEMBER __device__ __forceinline__
#define KERNEL(threads) extern "C" __global__ void __launch_bounds__(threads)
#define FIXED __grid_constant__
#define SHARED_MEMORY(type, name) extern __shared__ type name[]
#define SHARED_VALUE(type, name) __shared__ type name

DEVICE uint64_t bits_of(double v) { return __double_as_longlong(v); }
DEVICE double double_of(uint64_t bits) { return __longlong_as_double(bits); }
DEVICE float float_of(uint32_t bits) { return __uint_as_float(bits); }
DEVICE uint32_t popcount(uint32_t v) { return __popc(v); }
DEVICE bool is_number(double v) { return fabs(v) <= 1.7976931348623157e308; }
DEVICE bool is_number(float v) { return fabsf(v) <= 3.402823466e38f; }

// Reads that never come from a stale cache line: the host, or another block, has written meanwhile.
template <class T>
DEVICE T load_fresh(const T* from) {
  return __ldcv(from);
}

DEVICE uint32_t load_acquire_device(const uint32_t* from) {
  uint32_t v;
  asm volatile("ld.acquire.gpu.global.u32 %0, [%1];" : "=r"(v) : "l"(from) : "memory");
  return v;
}
DEVICE void store_release_device(uint32_t* to, uint32_t v) {
  asm volatile("st.release.gpu.global.u32 [%0], %1;" ::"l"(to), "r"(v) : "memory");
}
DEVICE void store_release_system(uint32_t* to, uint32_t v) {
  asm volatile("st.release.sys.global.u32 [%0], %1;" ::"l"(to), "r"(v) : "memory");
}
DEVICE uint64_t clock_ns() {
  uint64_t ns;
  asm volatile("mov.u64 %0, %globaltimer;" : "=l"(ns)::"memory");
  return ns;
}
