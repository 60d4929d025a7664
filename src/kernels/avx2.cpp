// AVX2 and FMA: 16 registers of 8 floats.
#ifdef __AVX2__
#define CRIA_ISA avx2
#define CRIA_VECTOR_FLOATS 8
#define CRIA_GEMM_ROWS 6
#define CRIA_GEMM_VECTORS 2
#include "kernels/generic/table.h"
#endif
