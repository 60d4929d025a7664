// AVX-512 with products of bf16 pairs.
#ifdef __AVX512BF16__
#define CRIA_ISA avx512bf16
#define CRIA_VECTOR_FLOATS 16
#define CRIA_GEMM_ROWS 8
#define CRIA_GEMM_VECTORS 3
#include "kernels/generic/table.h"
#endif
