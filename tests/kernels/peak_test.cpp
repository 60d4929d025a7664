#include <gtest/gtest.h>

#include "cria/kernels/kernels.h"
#include "support/isas.h"

namespace cria {
namespace {

class MultiplyAddLoopTest : public IsaTest {};
CRIA_ON_EVERY_ISA(MultiplyAddLoopTest);

// Every operation is counted, two for a multiply-add of each number of a vector.
TEST_P(MultiplyAddLoopTest, CountsOperations) {
  for (const Precision precision : {Precision::fp32, Precision::bf16}) {
    const double one = kernels().multiply_add_loop(precision, 1);
    EXPECT_GE(one, 2 * 4);
    EXPECT_EQ(kernels().multiply_add_loop(precision, 0), 0);
    EXPECT_EQ(kernels().multiply_add_loop(precision, 1000), 1000 * one);
  }
}

}  // namespace
}  // namespace cria
