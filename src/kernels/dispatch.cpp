// Chooses the implementation and owns the memory that all of them use.
#include <algorithm>
#include <vector>

#include "cria/base/parallel.h"
#include "cria/kernels/kernels.h"
#include "cria/tensor/arena.h"
#include "kernels/workspace.h"

namespace cria {

namespace portable {
extern const Kernels kTable;
}

namespace {

struct OwnedWorkspace {
  AlignedBytes memory;
  Workspace views{};
};

std::vector<OwnedWorkspace>& workspaces() {
  static std::vector<OwnedWorkspace> all;
  return all;
}

}  // namespace

const Kernels& kernels() {
  return portable::kTable;
}

void reserve_kernel_memory() {
  std::vector<OwnedWorkspace>& all = workspaces();
  while (all.size() < static_cast<size_t>(max_threads())) {
    OwnedWorkspace next;
    const int64_t floats = kPackedAFloats + kPackedBFloats + kTiles * kTileFloats;
    next.memory = allocate_aligned(floats * static_cast<int64_t>(sizeof(float)), "kernel buffers");
    float* cursor = reinterpret_cast<float*>(next.memory.get());
    next.views.packed_a = cursor;
    next.views.packed_b = cursor += kPackedAFloats;
    cursor += kPackedBFloats;
    for (float*& tile : next.views.tiles) {
      tile = cursor;
      cursor += kTileFloats;
    }
    all.push_back(std::move(next));
  }
}

const Workspace& thread_workspace(int thread) noexcept {
  return workspaces()[thread].views;
}

}  // namespace cria
