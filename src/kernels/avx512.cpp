// AVX-512 (F, BW, DQ, VL): 32 registers of 16 floats.
#ifdef __AVX512F__
#define CRIA_ISA avx512
#define CRIA_VECTOR_FLOATS 16
#define CRIA_GEMM_ROWS 8
#define CRIA_GEMM_VECTORS 3
#include "kernels/generic/table.h"
#endif
