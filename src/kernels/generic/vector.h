// Vectors of kWidth floats (the compiler's vector extension) and the few functions on them that
// the kernels share.
#pragma once

#include <cstdint>

// Before a loop of constant length over an array of vectors: only unrolled is it in registers.
#ifdef __clang__
#define CRIA_UNROLL _Pragma("clang loop unroll(full)")
#else
#define CRIA_UNROLL _Pragma("GCC unroll 16")
#endif

namespace cria::CRIA_ISA {
namespace {

constexpr int64_t kWidth = CRIA_VECTOR_FLOATS;

typedef float Vector __attribute__((vector_size(CRIA_VECTOR_FLOATS * sizeof(float))));
typedef int32_t IntVector __attribute__((vector_size(CRIA_VECTOR_FLOATS * sizeof(int32_t))));
// For memory at any address.
typedef float UnalignedVector
    __attribute__((vector_size(CRIA_VECTOR_FLOATS * sizeof(float)), aligned(sizeof(float))));

// Work below this many elements is not worth waking a thread for.
constexpr int64_t kGrain = 4096;

inline int64_t min(int64_t a, int64_t b) {
  return a < b ? a : b;
}
inline int64_t max(int64_t a, int64_t b) {
  return a > b ? a : b;
}
inline int64_t ceil_div(int64_t a, int64_t b) {
  return (a + b - 1) / b;
}

inline Vector load(const float* p) {
  return *reinterpret_cast<const UnalignedVector*>(p);
}
inline void store(float* p, Vector v) {
  *reinterpret_cast<UnalignedVector*>(p) = v;
}
inline Vector broadcast(float x) {
  return x - Vector{};
}

inline Vector max(Vector a, Vector b) {
  return a > b ? a : b;
}
inline Vector min(Vector a, Vector b) {
  return a < b ? a : b;
}

inline float sum(Vector v) {
  float total = 0;
  for (int64_t i = 0; i < kWidth; ++i) total += v[i];
  return total;
}

inline float largest(Vector v) {
  float most = v[0];
  for (int64_t i = 1; i < kWidth; ++i) most = v[i] > most ? v[i] : most;
  return most;
}

// The first `count` < kWidth floats; the other lanes are `rest`.
inline Vector load_part(const float* p, int64_t count, float rest) {
  Vector v = broadcast(rest);
  for (int64_t i = 0; i < count; ++i) v[i] = p[i];
  return v;
}

inline void store_part(float* p, Vector v, int64_t count) {
  for (int64_t i = 0; i < count; ++i) p[i] = v[i];
}

// exp(x) to about 1 ulp; x below -87.3 gives the smallest normal number or so, never 0. NaN stays
// NaN (it is the second operand of min and max), so that a diverged model is noticed.
//   x = n ln 2 + r, |r| <= ln 2 / 2;  exp(x) = 2^n exp(r)
// ln 2 in two parts and the polynomial for exp(r): Cephes, expf (Moshier).
inline Vector exp(Vector x) {
  x = min(broadcast(88.7f), max(broadcast(-87.3f), x));
  // Adding 1.5 * 2^23 leaves the nearest integer in the low bits of the mantissa.
  const Vector shifted = x * 1.44269504f + 12582912.0f;
  const Vector n = shifted - 12582912.0f;
  const Vector r = (x - n * 0.693359375f) - n * -2.12194440e-4f;
  Vector p = broadcast(1.9875691500e-4f);
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * (r * r) + r + 1.0f;
  // 2^n in two factors: n reaches 128, whose power is no float.
  const IntVector whole = reinterpret_cast<IntVector>(shifted) - 0x4B400000;
  const IntVector half = whole >> 1;
  const Vector low = reinterpret_cast<Vector>((half + 127) << 23);
  const Vector high = reinterpret_cast<Vector>((whole - half + 127) << 23);
  return p * low * high;
}

inline Vector sigmoid(Vector x) {
  return 1.0f / (1.0f + exp(-x));
}

// Calls body(vector index range) over [0, count): whole vectors, then the rest lane by lane.
//   whole(i): lanes i .. i + kWidth;  part(i, lanes): lanes i .. i + lanes, lanes < kWidth
template <class Whole, class Part>
inline void for_vectors(int64_t count, Whole&& whole, Part&& part) {
  int64_t i = 0;
  for (; i + kWidth <= count; i += kWidth) whole(i);
  if (i < count) part(i, count - i);
}

}  // namespace
}  // namespace cria::CRIA_ISA
