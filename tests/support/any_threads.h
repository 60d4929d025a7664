// Runs a kernel with one thread and with several, and wants the same bits.
#pragma once

#include <gtest/gtest.h>

#include <vector>

#include "cria/kernels/kernels.h"
#include "support/compare.h"
#include "support/threads.h"

namespace cria {

using Arrays = std::vector<std::vector<float>>;

// run() must give the same arrays, bit for bit, with one thread and with more (some more than there
// are items to share, or than there are cores). Returns them.
template <class Run>
Arrays run_with_any_threads(Run&& run) {
  Arrays expected;
  for (const int threads : {1, 2, 3, 5}) {
    const ThreadCount scope(threads);
    reserve_kernel_memory();
    const Arrays arrays = run();
    if (threads == 1) expected = arrays;
    for (size_t i = 0; i < arrays.size(); ++i) {
      EXPECT_TRUE(same_bits(arrays[i], expected[i]))
          << "array " << i << ", " << threads << " threads";
    }
  }
  return expected;
}

}  // namespace cria
