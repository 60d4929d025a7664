// Vectors of kWidth floats (the compiler's vector extension) and the few functions on them that
// the kernels share.
#pragma once

#include <cstdint>

#ifdef __AVX512F__
#include <immintrin.h>
#endif

// Before a loop of constant length over an array of vectors: only unrolled is it in registers.
#ifdef __clang__
#define CRIA_UNROLL _Pragma("clang loop unroll(full)")
#else
#define CRIA_UNROLL _Pragma("GCC unroll 32")
#endif

// Functions of the innermost loops must be inlined: a call would put all vectors into memory.
#define CRIA_INLINE __attribute__((always_inline)) inline

namespace cria::CRIA_ISA {
namespace {

constexpr int64_t kWidth = CRIA_VECTOR_FLOATS;

typedef float Vector __attribute__((vector_size(CRIA_VECTOR_FLOATS * sizeof(float))));
typedef int32_t IntVector __attribute__((vector_size(CRIA_VECTOR_FLOATS * sizeof(int32_t))));
// This one may be loaded from any address.
typedef float UnalignedVector
    __attribute__((vector_size(CRIA_VECTOR_FLOATS * sizeof(float)), aligned(sizeof(float))));

constexpr int64_t min(int64_t a, int64_t b) {
  return a < b ? a : b;
}
constexpr int64_t max(int64_t a, int64_t b) {
  return a > b ? a : b;
}
constexpr int64_t ceil_div(int64_t a, int64_t b) {
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

// A NaN and a number give the second operand, as the instructions have it.
inline Vector max(Vector a, Vector b) {
#ifdef __AVX512F__
  return reinterpret_cast<Vector>(
      _mm512_maskz_max_ps(0xffff, reinterpret_cast<__m512>(a), reinterpret_cast<__m512>(b)));
#else
  return a > b ? a : b;
#endif
}
inline Vector min(Vector a, Vector b) {
#ifdef __AVX512F__
  return reinterpret_cast<Vector>(
      _mm512_maskz_min_ps(0xffff, reinterpret_cast<__m512>(a), reinterpret_cast<__m512>(b)));
#else
  return a < b ? a : b;
#endif
}

#ifdef __AVX512F__
// Selects the first `count` < kWidth lanes.
inline __mmask16 lane_mask(int64_t count) {
  return static_cast<__mmask16>((1u << count) - 1);
}
#endif

// The first `count` < kWidth floats; the other lanes are `rest`.
inline Vector load_part(const float* p, int64_t count, float rest) {
#ifdef __AVX512F__
  return reinterpret_cast<Vector>(_mm512_mask_loadu_ps(_mm512_set1_ps(rest), lane_mask(count), p));
#else
  Vector v = broadcast(rest);
  for (int64_t i = 0; i < count; ++i) v[i] = p[i];
  return v;
#endif
}

inline void store_part(float* p, Vector v, int64_t count) {
#ifdef __AVX512F__
  _mm512_mask_storeu_ps(p, lane_mask(count), reinterpret_cast<__m512>(v));
#else
  for (int64_t i = 0; i < count; ++i) p[i] = v[i];
#endif
}

// The first `count` lanes of v; the others are 0.
inline Vector first_lanes(Vector v, int64_t count) {
#ifdef __AVX512F__
  return reinterpret_cast<Vector>(
      _mm512_maskz_mov_ps(lane_mask(count), reinterpret_cast<__m512>(v)));
#else
  for (int64_t i = count; i < kWidth; ++i) v[i] = 0;
  return v;
#endif
}

// Up to kWidth lanes; the others are 0.
inline Vector load_lanes(const float* p, int64_t count) {
  return count >= kWidth ? load(p) : load_part(p, count, 0);
}
inline void store_lanes(float* p, Vector v, int64_t count) {
  if (count >= kWidth) {
    store(p, v);
  } else {
    store_part(p, v, count);
  }
}

// a0 b0 a1 b1 ... of the lower and of the upper halves of a and b.
#if CRIA_VECTOR_FLOATS == 4
#define CRIA_ZIP_LOW 0, 4, 1, 5
#define CRIA_ZIP_HIGH 2, 6, 3, 7
#elif CRIA_VECTOR_FLOATS == 8
#define CRIA_ZIP_LOW 0, 8, 1, 9, 2, 10, 3, 11
#define CRIA_ZIP_HIGH 4, 12, 5, 13, 6, 14, 7, 15
#else
#define CRIA_ZIP_LOW 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define CRIA_ZIP_HIGH 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
#endif
#ifdef __clang__
#define CRIA_SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define CRIA_SHUFFLE(a, b, ...) __builtin_shuffle(a, b, IntVector{__VA_ARGS__})
#endif
inline Vector zip_low(Vector a, Vector b) {
  return CRIA_SHUFFLE(a, b, CRIA_ZIP_LOW);
}
inline Vector zip_high(Vector a, Vector b) {
  return CRIA_SHUFFLE(a, b, CRIA_ZIP_HIGH);
}

// All lanes combined: each round adds (or compares) the halves, in log2(kWidth) rounds.
CRIA_INLINE float sum(Vector v) {
  CRIA_UNROLL
  for (int64_t round = 1; round < kWidth; round *= 2) v = zip_low(v, v) + zip_high(v, v);
  return v[0];
}

// Lane i: sum(v[i]), by the same additions. Each round adds the halves of two vectors at a time.
CRIA_INLINE Vector sum_each(const Vector (&v)[kWidth]) {
  Vector left[kWidth];
  CRIA_UNROLL
  for (int64_t i = 0; i < kWidth; ++i) left[i] = v[i];
  CRIA_UNROLL
  for (int64_t count = kWidth / 2; count > 0; count /= 2) {
    CRIA_UNROLL
    for (int64_t i = 0; i < count; ++i) {
      left[i] = zip_low(left[i], left[i + count]) + zip_high(left[i], left[i + count]);
    }
  }
  return left[0];
}

CRIA_INLINE float largest(Vector v) {
  CRIA_UNROLL
  for (int64_t round = 1; round < kWidth; round *= 2) v = max(zip_low(v, v), zip_high(v, v));
  return v[0];
}

// Transposes a square of 32-bit cells. One round of zips moves the top bit of the column number
// into the row number and the other way round; after log2(kWidth) rounds they have changed places.
CRIA_INLINE void transpose(Vector (&rows)[kWidth]) {
  CRIA_UNROLL
  for (int64_t round = 1; round < kWidth; round *= 2) {
    Vector next[kWidth];
    CRIA_UNROLL
    for (int64_t i = 0; i < kWidth / 2; ++i) {
      next[2 * i] = zip_low(rows[i], rows[i + kWidth / 2]);
      next[2 * i + 1] = zip_high(rows[i], rows[i + kWidth / 2]);
    }
    CRIA_UNROLL
    for (int64_t i = 0; i < kWidth; ++i) rows[i] = next[i];
  }
}

// exp(x) to about 1 ulp between -87.3 and 88.3, and what it is there beyond: never 0, never
// infinite. NaN stays NaN (it is the second operand of min and max), so that a diverged model is
// noticed.
//   x = n ln 2 + r, |r| <= ln 2 / 2;  exp(x) = 2^n exp(r)
// ln 2 in two parts and the polynomial for exp(r): Cephes, expf (Moshier).
CRIA_INLINE Vector exp(Vector x) {
  x = min(broadcast(88.3f), max(broadcast(-87.3f), x));
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
  // The low bits of n, which is between -126 and 127, become the exponent of 2^n.
  return p * reinterpret_cast<Vector>((reinterpret_cast<IntVector>(shifted) << 23) + (127 << 23));
}

CRIA_INLINE Vector sigmoid(Vector x) {
  return 1.0f / (1.0f + exp(-x));
}

// Calls body(vector index range) over [0, count): whole vectors, then the rest lane by lane.
//   whole(i): lanes i .. i + kWidth;  part(i, lanes): lanes i .. i + lanes, lanes < kWidth
template <class Whole, class Part>
CRIA_INLINE void for_vectors(int64_t count, Whole&& whole, Part&& part) {
  int64_t i = 0;
  for (; i + kWidth <= count; i += kWidth) whole(i);
  if (i < count) part(i, count - i);
}

}  // namespace
}  // namespace cria::CRIA_ISA
