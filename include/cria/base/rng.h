// Counter-based random numbers: value = f(seed, stream, index), so any element of any stream can be
// computed by any thread, in any order, and a resumed run needs no generator state.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace cria {

// Philox4x32-10: four 32-bit words from a 128-bit counter {index, stream} under a 64-bit key.
// Source: Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3", SC11.
std::array<uint32_t, 4> philox(uint64_t seed, uint64_t stream, uint64_t index);

// FNV-1a, 64 bits: names a stream, and fingerprints files.
uint64_t fnv1a(std::string_view bytes, uint64_t hash = 0xcbf29ce484222325u);

// A sequential reader of one named stream. Streams are named by what they are for
// ("shuffle", "init/model.norm.weight"), so adding one never shifts another.
class Rng {
 public:
  Rng(uint64_t seed, std::string_view stream) : seed_(seed), stream_(fnv1a(stream)) {}

  uint32_t next();
  double uniform();                // [0, 1), 53 bits
  uint64_t below(uint64_t bound);  // uniform in [0, bound), bound > 0, without modulo bias
  double normal();                 // N(0, 1), Box-Muller

 private:
  uint64_t seed_;
  uint64_t stream_;
  uint64_t index_ = 0;
  std::array<uint32_t, 4> block_{};
  int used_ = 4;  // words of block_ already handed out
};

// Elements begin..begin+count of the N(0, std^2) stream: out[i] depends on begin + i only.
void fill_normal(float* out, uint64_t begin, uint64_t count, double std, uint64_t seed,
                 std::string_view stream);

}  // namespace cria
