// Chooses the implementation and owns the memory that all of them use.
#include <unistd.h>
#ifdef __x86_64__
#include <cpuid.h>
#endif
#ifdef __linux__
#include <sys/syscall.h>
#endif

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "cria/base/error.h"
#include "cria/base/parallel.h"
#include "cria/kernels/kernels.h"
#include "cria/tensor/arena.h"
#include "kernels/isa.h"
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
CRIA_IMPLEMENTATION(amx)
#endif

namespace {

#ifdef __x86_64__
// Whether the processor has tiles of bf16 and the system lets this process use them: Linux wants to
// be asked first, since they make a thread's saved registers 8 KiB larger.
bool may_use_tiles() {
#ifdef __linux__
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  constexpr unsigned kAmxBf16 = 1u << 22, kAmxTile = 1u << 24;  // leaf 7, EDX
  if (!__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx)) return false;
  if (!(edx & kAmxBf16) || !(edx & kAmxTile)) return false;
  constexpr int kRequestPermission = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM, XTILEDATA
  static const bool allowed = ::syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
  return allowed;
#else
  return false;
#endif
}
#endif

std::vector<const Kernels*>& added() {
  static std::vector<const Kernels*> tables;
  return tables;
}

// Best first; the compiler's functions also ask whether the system saves the registers.
std::vector<const Kernels*> supported() {
  std::vector<const Kernels*> tables;
#ifdef __x86_64__
  const bool has_avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool has_avx512 = has_avx2 && __builtin_cpu_supports("avx512f") &&
                          __builtin_cpu_supports("avx512bw") &&
                          __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  const bool has_bf16 = has_avx512 && __builtin_cpu_supports("avx512bf16");
  // Intel's processors multiply pairs of bf16 at half the speed of fp32, AMD's at twice the speed.
  const bool slow_bf16 = __builtin_cpu_is("intel");
  if (has_bf16 && may_use_tiles()) tables.push_back(&amx::kTable);
  if (has_bf16 && !slow_bf16) tables.push_back(&avx512bf16::kTable);
  if (has_avx512) tables.push_back(&avx512::kTable);
  if (has_bf16 && slow_bf16) tables.push_back(&avx512bf16::kTable);
  if (has_avx2) tables.push_back(&avx2::kTable);
#endif
  tables.push_back(&portable::kTable);
  tables.insert(tables.end(), added().begin(), added().end());
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

template <class Views>
struct Owned {
  AlignedBytes memory;
  Views views{};
};

std::vector<Owned<Workspace>>& workspaces() {
  static std::vector<Owned<Workspace>> all;
  return all;
}

Owned<SharedWorkspace>& shared() {
  static Owned<SharedWorkspace> workspace;
  return workspace;
}

// Three quarters of a core's second-level cache, but 1 MiB at most: in 2 MiB the rest is better
// left to A and C. The size never changes a result.
int64_t packed_b_floats() {
  int64_t l2_bytes = 0;
#ifdef _SC_LEVEL2_CACHE_SIZE
  l2_bytes = sysconf(_SC_LEVEL2_CACHE_SIZE);
#endif
  if (l2_bytes <= 0) l2_bytes = 512 << 10;
  return std::clamp<int64_t>(l2_bytes * 3 / 4, 512 << 10, 1 << 20) /
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

void add_isa(const Kernels& table) {
  added().push_back(&table);
}

void use_isa(const std::string& name) {
  in_use() = find(name, "use_isa");
}

void reserve_kernel_memory() {
  const auto allocate = [](int64_t floats) {
    return allocate_aligned(floats * static_cast<int64_t>(sizeof(float)), "kernel buffers");
  };
  std::vector<Owned<Workspace>>& all = workspaces();
  while (all.size() < static_cast<size_t>(max_threads())) {
    Owned<Workspace> next;
    next.memory = allocate(kPackedAFloats + kTiles * kTileFloats + kHeadTiles * kHeadTileFloats);
    float* cursor = reinterpret_cast<float*>(next.memory.get());
    const auto take = [&](int64_t count) { return std::exchange(cursor, cursor + count); };
    next.views.packed_a = take(kPackedAFloats);
    for (float*& tile : next.views.tiles) tile = take(kTileFloats);
    for (float*& tile : next.views.head_tiles) tile = take(kHeadTileFloats);
    all.push_back(std::move(next));
  }
  const int64_t threads = static_cast<int64_t>(all.size());
  if (shared().views.threads < threads) {
    const int64_t floats = threads * packed_b_floats();
    shared().memory = allocate(floats);
    shared().views = {reinterpret_cast<float*>(shared().memory.get()), floats, threads};
  }
}

const Workspace& thread_workspace(int thread) noexcept {
  return workspaces()[static_cast<size_t>(thread)].views;
}

const SharedWorkspace& shared_workspace() noexcept {
  return shared().views;
}

}  // namespace cria
