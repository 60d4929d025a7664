// The kernels for any machine: 16-byte vectors (SSE2, NEON) through the compiler's vector
// extension, at the compiler's default instruction set.
#define CRIA_ISA portable
#define CRIA_VECTOR_FLOATS 4
#ifdef __aarch64__  // 32 registers
#define CRIA_GEMM_ROWS 8
#define CRIA_GEMM_VECTORS 3
#else  // 16; without an instruction for it, a broadcast is costly: few rows
#define CRIA_GEMM_ROWS 4
#define CRIA_GEMM_VECTORS 3
#endif
#include "kernels/generic/table.h"
