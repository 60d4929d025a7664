// The body of every implementation: an ISA file defines CRIA_ISA (its namespace), its vector width
// and its register block, and includes this once. Everything is in an anonymous namespace, so that
// no function compiled for one instruction set can be picked by the linker for another.
#include "kernels/generic/adamw.h"
#include "kernels/generic/attention.h"
#include "kernels/generic/elementwise.h"
#include "kernels/generic/embedding.h"
#include "kernels/generic/gemm.h"
#include "kernels/generic/peak.h"
#include "kernels/generic/random.h"

namespace cria::CRIA_ISA {

extern const Kernels kTable;
#define CRIA_STRING_(x) #x
#define CRIA_STRING(x) CRIA_STRING_(x)
const Kernels kTable = {
    .isa = CRIA_STRING(CRIA_ISA),
    .bf16_products = Bf16Cells::kName,
    .recomputes_logits = Bf16Cells::kTiles,
    .gemm = gemm,
    .gemm_packed_b_floats = gemm_packed_b_floats,
    .gemm_pack_b = gemm_pack_b,
    .add_rows_sum = add_rows_sum,
    .embedding_gather = embedding_gather,
    .embedding_scatter_add = embedding_scatter_add,
    .dropout = dropout,
    .rms_norm_forward = rms_norm_forward,
    .rms_norm_backward = rms_norm_backward,
    .rotary = rotary,
    .attention_forward = attention_forward,
    .attention_backward = attention_backward,
    .softmax = softmax,
    .softmax_statistics = softmax_statistics,
    .softmax_gradient = softmax_gradient,
    .adamw = adamw,
    .sum_of_squares = sum_of_squares,
    .multiply_add_loop = multiply_add_loop,
};

}  // namespace cria::CRIA_ISA
