// The implementation for any machine: 16-byte vectors (SSE2, NEON) through the compiler's vector
// extension, at the compiler's default instruction set.
#define CRIA_ISA portable
#define CRIA_VECTOR_FLOATS 4
#define CRIA_GEMM_ROWS 6     // rows of C in registers
#define CRIA_GEMM_VECTORS 2  // vectors of columns of C in registers
#include "kernels/generic/table.h"
