// The kernels in tiles of bf16 pairs without instructions for them, so that all of their layout is
// tested on any machine: one more instruction set for the tests that run on each.
#define CRIA_ISA emulated_tiles
#define CRIA_TILES 1
#define CRIA_VECTOR_FLOATS 4
#define CRIA_GEMM_ROWS 6
#define CRIA_GEMM_VECTORS 2
#include "kernels/generic/table.h"
//
#include "kernels/isa.h"

namespace cria {
namespace {

[[maybe_unused]] const bool is_added = (add_isa(emulated_tiles::kTable), true);

}  // namespace
}  // namespace cria
