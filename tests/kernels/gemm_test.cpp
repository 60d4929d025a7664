#include <gtest/gtest.h>

#include <string>

#include "cria/kernels/kernels.h"
#include "support/any_threads.h"
#include "support/guarded.h"
#include "support/random.h"
#include "support/reference.h"

namespace cria {
namespace {

// How a factor [rows, columns] lies in memory: row-major, column-major, or with no unit stride.
enum class Layout { rows, columns, sparse };
constexpr Layout kLayouts[] = {Layout::rows, Layout::columns, Layout::sparse};

enum class Addend { none, itself, separate };
constexpr Addend kAddends[] = {Addend::none, Addend::itself, Addend::separate};

struct Factor {
  Factor(int64_t rows, int64_t columns, Layout layout, const char* name)
      : row(layout == Layout::rows      ? columns + 3
            : layout == Layout::columns ? 1
                                        : 2 * columns + 5),
        column(layout == Layout::rows      ? 1
               : layout == Layout::columns ? rows + 2
                                           : 2),
        elements({rows, columns}, {row, column}) {
    elements.set(normal_values(rows * columns, name));
  }

  int64_t row, column;  // strides
  Guarded elements;
};

struct Shape {
  int64_t m, n, k;
};

void check(const Shape& shape, Layout a_layout, Layout b_layout, Addend mode) {
  const int64_t m = shape.m, n = shape.n, k = shape.k;
  SCOPED_TRACE("m " + std::to_string(m) + " n " + std::to_string(n) + " k " + std::to_string(k) +
               " layouts " + std::to_string(static_cast<int>(a_layout)) +
               std::to_string(static_cast<int>(b_layout)) + " addend " +
               std::to_string(static_cast<int>(mode)));
  Factor a(m, k, a_layout, "a"), b(k, n, b_layout, "b");
  const std::vector<float> initial = normal_values(m * n, "addend");
  Guarded addend(m, n, 7);
  addend.set(initial);
  const auto call = [&](float* c, int64_t c_row, const float* added, int64_t added_row) {
    return Gemm{
        m, n,     k,     a.elements.data(), a.row, a.column, b.elements.data(), b.row, b.column,
        c, c_row, added, added_row};
  };

  const Arrays got = run_with_any_threads([&] {
    Guarded c(m, n, 5);
    const int64_t c_row = n + 5;
    if (mode == Addend::itself) c.set(initial);
    kernels().gemm(mode == Addend::none     ? call(c.data(), c_row, nullptr, 0)
                   : mode == Addend::itself ? call(c.data(), c_row, c.data(), c_row)
                                            : call(c.data(), c_row, addend.data(), n + 7));
    EXPECT_TRUE(c.gaps_untouched());
    return Arrays{c.elements()};
  });
  const float* added = mode == Addend::none ? nullptr : addend.data();
  EXPECT_TRUE(within(got[0], reference::gemm(call(nullptr, 0, added, n + 7))));
}

void check_all_forms(const Shape& shape) {
  for (const Layout a : kLayouts) {
    for (const Layout b : kLayouts) {
      for (const Addend addend : kAddends) check(shape, a, b, addend);
    }
  }
}

// Around every plausible size of a register tile and of a cache block, the others small and odd.
TEST(Gemm, EveryM) {
  for (const int64_t m : {1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 15, 16, 17, 31, 33, 63, 65, 97, 257}) {
    check_all_forms({m, 19, 7});
  }
}

TEST(Gemm, EveryN) {
  for (const int64_t n : {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 48, 49, 64, 65, 129, 257}) {
    check_all_forms({11, n, 5});
  }
}

TEST(Gemm, EveryK) {
  for (const int64_t k : {1, 2, 3, 4, 7, 8, 9, 63, 64, 65, 255, 256, 257, 512, 513, 1031}) {
    check_all_forms({7, 18, k});
  }
}

TEST(Gemm, VectorsAndScalars) {
  for (const int64_t m : {1, 13}) {
    for (const int64_t n : {1, 13}) {
      for (const int64_t k : {1, 13}) check_all_forms({m, n, k});
    }
  }
}

TEST(Gemm, SeveralBlocksInEveryDimension) {
  for (const Addend addend : kAddends) {
    check({263, 67, 523}, Layout::rows, Layout::columns, addend);
    check({67, 263, 523}, Layout::columns, Layout::rows, addend);
  }
  check({1031, 9, 17}, Layout::rows, Layout::rows, Addend::itself);
  check({9, 4099, 17}, Layout::columns, Layout::columns, Addend::itself);
}

// 0 * infinity would be NaN: nothing but a row's own products may enter it, and nothing that an
// earlier call left in a packing buffer.
TEST(Gemm, InfinityStaysInItsRow) {
  const int64_t m = 9, n = 21, k = 5;
  Factor a(m, k, Layout::rows, "a"), b(k, n, Layout::rows, "b");
  Guarded c(m, n, 0);
  const Gemm gemm{
      m,        n,        k, a.elements.data(), a.row, a.column, b.elements.data(), b.row,
      b.column, c.data(), n, nullptr,           0};
  a.elements.data()[(m - 1) * a.row] = std::numeric_limits<float>::infinity();
  kernels().gemm(gemm);
  for (int64_t i = 0; i < m * n; ++i) EXPECT_EQ(std::isinf(c.data()[i]), i >= (m - 1) * n) << i;
  a.elements.data()[(m - 1) * a.row] = 1.0f;
  kernels().gemm(gemm);
  EXPECT_TRUE(within(c.elements(), reference::gemm(gemm)));
}

}  // namespace
}  // namespace cria
