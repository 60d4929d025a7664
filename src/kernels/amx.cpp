// AVX-512, and tiles of bf16 pairs for what is computed in bf16.
#if defined(__AMX_BF16__) || defined(__AMXBF16__)  // the second is what clang 14 calls it
#define CRIA_ISA amx
#define CRIA_TILES 1
#define CRIA_VECTOR_FLOATS 16
#define CRIA_GEMM_ROWS 8
#define CRIA_GEMM_VECTORS 3
#include "kernels/generic/table.h"
#endif
