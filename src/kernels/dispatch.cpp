// Chooses the implementation and owns the memory that all of them use.
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "cria/base/error.h"
#include "cria/base/parallel.h"
#include "cria/kernels/isa.h"
#include "cria/kernels/kernels.h"
#include "cria/tensor/arena.h"
#include "kernels/workspace.h"

namespace cria {

#define CRIA_IMPLEMENTATION(isa) \
  namespace isa {                \
  extern const Kernels kTable;   \
  }
CRIA_IMPLEMENTATION(portable)
#ifdef __x86_64__
CRIA_IMPLEMENTATION(avx2)
CRIA_IMPLEMENTATION(avx512)
CRIA_IMPLEMENTATION(avx512bf16)
#endif

namespace {

// Best first; the compiler's functions also ask whether the system saves the registers.
std::vector<const Kernels*> supported() {
  std::vector<const Kernels*> tables;
#ifdef __x86_64__
  const bool has_avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool has_avx512 = has_avx2 && __builtin_cpu_supports("avx512f") &&
                          __builtin_cpu_supports("avx512bw") &&
                          __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  if (has_avx512 && __builtin_cpu_supports("avx512bf16")) tables.push_back(&avx512bf16::kTable);
  if (has_avx512) tables.push_back(&avx512::kTable);
  if (has_avx2) tables.push_back(&avx2::kTable);
#endif
  tables.push_back(&portable::kTable);
  return tables;
}

const Kernels* find(const std::string& name, const char* where) {
  std::string names;
  for (const Kernels* table : supported()) {
    if (name == table->isa) return table;
    names += (names.empty() ? "" : ", ") + std::string(table->isa);
  }
  throw Error("this machine does not run these kernels", {.where = where,
                                                          .expected = "one of " + names,
                                                          .got = name,
                                                          .hint = "leave it out for the best"});
}

const Kernels* choose() {
  const char* forced = std::getenv("CRIA_ISA");
  return forced && *forced ? find(forced, "CRIA_ISA") : supported().front();
}

const Kernels*& in_use() {
  static const Kernels* table = choose();
  return table;
}

struct OwnedWorkspace {
  AlignedBytes memory;
  Workspace views{};
};

std::vector<OwnedWorkspace>& workspaces() {
  static std::vector<OwnedWorkspace> all;
  return all;
}

// Three quarters of a core's second-level cache; the size of the blocks never changes a result.
int64_t packed_b_floats() {
  int64_t l2_bytes = 0;
#ifdef _SC_LEVEL2_CACHE_SIZE
  l2_bytes = sysconf(_SC_LEVEL2_CACHE_SIZE);
#endif
  if (l2_bytes <= 0) l2_bytes = 512 << 10;
  return std::clamp<int64_t>(l2_bytes * 3 / 4, 512 << 10, 2 << 20) /
         static_cast<int64_t>(sizeof(float));
}

}  // namespace

const Kernels& kernels() {
  return *in_use();
}

std::vector<std::string> available_isas() {
  std::vector<std::string> names;
  for (const Kernels* table : supported()) names.push_back(table->isa);
  return names;
}

int64_t relative_packed_floats(const Attention& a) {
  // Each table in two forms, one of them filled up to whole panels of at most 48 columns.
  const int64_t table = a.relative.rows * (2 * a.head_dim + 48);
  return (a.kv_heads + a.heads) * table;
}

void use_isa(const std::string& name) {
  in_use() = find(name, "use_isa");
}

void reserve_kernel_memory() {
  std::vector<OwnedWorkspace>& all = workspaces();
  while (all.size() < static_cast<size_t>(max_threads())) {
    OwnedWorkspace next;
    const int64_t b_floats = packed_b_floats();
    const int64_t floats =
        kPackedAFloats + b_floats + kTiles * kTileFloats + kHeadTiles * kHeadTileFloats;
    next.memory = allocate_aligned(floats * static_cast<int64_t>(sizeof(float)), "kernel buffers");
    float* cursor = reinterpret_cast<float*>(next.memory.get());
    const auto take = [&](int64_t count) { return std::exchange(cursor, cursor + count); };
    next.views.packed_a = take(kPackedAFloats);
    next.views.packed_b = take(b_floats);
    next.views.packed_b_floats = b_floats;
    for (float*& tile : next.views.tiles) tile = take(kTileFloats);
    for (float*& tile : next.views.head_tiles) tile = take(kHeadTileFloats);
    all.push_back(std::move(next));
  }
}

const Workspace& thread_workspace(int thread) noexcept {
  return workspaces()[thread].views;
}

}  // namespace cria
