// Tests that run with every instruction set the machine has, and put back the one in use.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "cria/kernels/kernels.h"
#include "kernels/isa.h"

namespace cria {

class IsaInUse {
 public:
  explicit IsaInUse(const std::string& name) : before_(kernels().isa) { use_isa(name); }
  ~IsaInUse() { use_isa(before_); }
  IsaInUse(const IsaInUse&) = delete;
  IsaInUse& operator=(const IsaInUse&) = delete;

 private:
  std::string before_;
};

// Those that the program has; the tests have one more.
inline std::vector<std::string> program_isas() {
  std::vector<std::string> isas = available_isas();
  std::erase(isas, "emulated_tiles");
  return isas;
}

// The parameter is the instruction set. Kernels may be called at once.
class IsaTest : public testing::TestWithParam<std::string> {
 protected:
  IsaTest() { reserve_kernel_memory(); }

 private:
  IsaInUse isa_{GetParam()};
};

}  // namespace cria

// Its tests are named Isas/SUITE.TEST/ISA.
#define CRIA_ON_EVERY_ISA(suite)                                                     \
  INSTANTIATE_TEST_SUITE_P(Isas, suite, testing::ValuesIn(::cria::available_isas()), \
                           [](const auto& info) { return info.param; })
