// Memory that kernels need per thread, shared by all implementations.
#pragma once

#include <cstdint>

namespace cria {

// Sizes, in floats, of one thread's buffers. Every implementation must fit into these.
inline constexpr int64_t kPackedAFloats = 144 * 1024;  // a block of A in panels
inline constexpr int64_t kTileFloats = 384 * 96;       // a tile of attention scores
inline constexpr int64_t kTiles = 2;
inline constexpr int64_t kHeadTileFloats = 96 * (256 + 48);  // a tile's rows of q, k, v or dout
inline constexpr int64_t kHeadTiles = 4;

struct Workspace {
  float* packed_a;                // [kPackedAFloats]
  float* tiles[kTiles];           // [kTileFloats] each
  float* head_tiles[kHeadTiles];  // [kHeadTileFloats] each
};

// The calling thread's buffers; `thread` as compute_for hands it out.
const Workspace& thread_workspace(int thread) noexcept;

// What all threads pack a part of B into together.
struct SharedWorkspace {
  float* packed_b;          // [packed_b_floats]
  int64_t packed_b_floats;  // most of a core's L2 for each thread
  int64_t threads;
};

const SharedWorkspace& shared_workspace() noexcept;

}  // namespace cria
