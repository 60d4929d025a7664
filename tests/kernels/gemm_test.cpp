#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <string>
#include <vector>

#include "cria/kernels/kernels.h"
#include "support/any_threads.h"
#include "support/guarded.h"
#include "support/isas.h"
#include "support/random.h"
#include "support/reference.h"

namespace cria {
namespace {

class GemmTest : public IsaTest {};
CRIA_ON_EVERY_ISA(GemmTest);

using Epilogue = Gemm::Epilogue;
constexpr Precision kPrecisions[] = {Precision::fp32, Precision::bf16};

// How a factor [rows, columns] lies in memory.
enum class Layout { rows, columns };
constexpr Layout kLayouts[] = {Layout::rows, Layout::columns};

enum class Addend { none, itself, separate };
constexpr Addend kAddends[] = {Addend::none, Addend::itself, Addend::separate};

struct Form {
  Layout a = Layout::rows, b = Layout::rows;
  Addend addend = Addend::none;
  bool bias = false;
  Precision precision = Precision::fp32;
  Epilogue epilogue = Epilogue::none;
  bool packed = false;  // B beforehand
};

struct Shape {
  int64_t m, n, k;
};

std::string name(const Shape& shape, const Form& form) {
  const char* const layouts[] = {"rows", "columns"};
  const char* const addends[] = {"none", "itself", "separate"};
  const char* const epilogues[] = {"none", "silu_mul", "silu_mul_backward"};
  return "m " + std::to_string(shape.m) + " n " + std::to_string(shape.n) + " k " +
         std::to_string(shape.k) + ", a " + layouts[static_cast<int>(form.a)] + ", b " +
         layouts[static_cast<int>(form.b)] + ", addend " + addends[static_cast<int>(form.addend)] +
         (form.bias ? ", bias" : "") + (form.precision == Precision::bf16 ? ", bf16" : ", fp32") +
         ", epilogue " + epilogues[static_cast<int>(form.epilogue)] +
         (form.packed ? ", packed" : "");
}

struct Factor {
  Factor(int64_t rows, int64_t columns, Layout layout, const std::vector<float>& values)
      : row(layout == Layout::rows ? columns + 3 : 1),
        column(layout == Layout::rows ? 1 : rows + 2),
        elements({rows, columns}, {row, column}) {
    elements.set(values);
  }
  Factor(int64_t rows, int64_t columns, Layout layout, const char* name)
      : Factor(rows, columns, layout, normal_values(rows * columns, name)) {}

  int64_t row, column;  // strides
  Guarded elements;
};

Gemm product(const Shape& shape, Factor& a, Factor& b) {
  return {.m = shape.m,
          .n = shape.n,
          .k = shape.k,
          .a = a.elements.data(),
          .a_row = a.row,
          .a_column = a.column,
          .b = b.elements.data(),
          .b_row = b.row,
          .b_column = b.column,
          .c = nullptr,
          .c_row = 0};
}

// Gates across the range where exp neither vanishes nor overflows, and beyond it.
std::vector<float> with_extremes(std::vector<float> values) {
  constexpr float kExtremes[] = {100.0f, -100.0f, 0.0f, -60.0f, 88.0f, -88.0f, -35.0f, -1e4f};
  for (size_t i = 0; i < values.size(); i += 11) values[i] = kExtremes[i / 11 % 8];
  return values;
}

// What the epilogue reads and writes beside C, as it is before the call.
Guarded other_of(const Shape& shape, Epilogue epilogue) {
  if (epilogue == Epilogue::silu_mul) return Guarded(shape.m * (shape.n / 2));
  if (epilogue == Epilogue::none) return Guarded(1);
  return Guarded(with_extremes(normal_values(shape.m * 2 * shape.n, "gate_up", 4.0)));
}

void check(const Shape& shape, const Form& form) {
  SCOPED_TRACE(name(shape, form));
  const int64_t m = shape.m, n = shape.n, k = shape.k;
  Factor a(m, k, form.a, "a"), b(k, n, form.b, "b");
  const std::vector<float> initial = normal_values(m * n, "addend");
  Guarded addend(m, n, 7), bias(with_extremes(normal_values(n, "bias")));
  addend.set(initial);
  Gemm call = product(shape, a, b);
  if (form.bias) call.bias = bias.data();
  call.precision = form.precision;
  call.epilogue = form.epilogue;

  const Arrays got = run_with_any_threads([&] {
    Gemm gemm = call;
    Guarded packed(form.packed ? kernels().gemm_packed_b_floats(call) : 1);
    Guarded c(m, n, 5), other = other_of(shape, form.epilogue);
    gemm.c = c.data();
    gemm.c_row = n + 5;
    if (form.addend == Addend::itself) c.set(initial);
    if (form.addend != Addend::none) {
      gemm.addend = form.addend == Addend::itself ? c.data() : addend.data();
      gemm.addend_row = form.addend == Addend::itself ? n + 5 : n + 7;
    }
    if (form.epilogue != Epilogue::none) gemm.other = other.data();
    if (form.packed) {
      kernels().gemm_pack_b(gemm, packed.data());
      gemm.b_packed = packed.data();
    }
    kernels().gemm(gemm);
    EXPECT_TRUE(c.gaps_untouched());
    EXPECT_TRUE(other.gaps_untouched());
    EXPECT_TRUE(packed.gaps_untouched());
    return Arrays{c.elements(), other.elements()};
  });
  Guarded other = other_of(shape, form.epilogue);
  if (form.addend != Addend::none) call.addend = addend.data();
  call.addend_row = n + 7;
  call.other = other.data();
  const reference::GemmResult want = reference::gemm(call);
  if (form.epilogue != Epilogue::silu_mul_backward) {
    EXPECT_TRUE(within(got[0], want.c)) << "C";
  }
  if (form.epilogue != Epilogue::none) {
    EXPECT_TRUE(within(got[1], want.other)) << "other";
  }
}

// All layouts and addends in both precisions, every second time with a bias.
void check_all_forms(const Shape& shape) {
  bool bias = false;
  for (const Layout a : kLayouts) {
    for (const Layout b : kLayouts) {
      for (const Addend addend : kAddends) {
        check(shape, {a, b, addend, bias, Precision::fp32});
        check(shape, {a, b, addend, !bias, Precision::bf16});
        bias = !bias;
      }
    }
  }
}

// Around every plausible size of a register tile and of a cache block, the others small and odd.
TEST_P(GemmTest, EveryM) {
  for (const int64_t m : {1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 16, 17, 31, 33, 95, 96, 97, 193}) {
    check_all_forms({m, 19, 7});
  }
}

TEST_P(GemmTest, EveryN) {
  for (const int64_t n : {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 47, 48, 49, 65, 97, 145}) {
    check_all_forms({5, n, 5});
    check_all_forms({3, n, 2});
  }
}

TEST_P(GemmTest, EveryK) {
  for (const int64_t k : {1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 65, 129, 383, 385}) {
    check_all_forms({7, 18, k});
  }
}

TEST_P(GemmTest, VectorsAndScalars) {
  for (const int64_t m : {1, 13}) {
    for (const int64_t n : {1, 13}) {
      for (const int64_t k : {1, 13}) check_all_forms({m, n, k});
    }
  }
}

// A block of K is 384 cells, and a bf16 cell may hold two numbers: around one, two and three blocks
// in either precision.
TEST_P(GemmTest, SeveralBlocksOfK) {
  for (const int64_t k : {768, 769, 1031, 1537}) {
    for (const Precision precision : kPrecisions) {
      for (const Layout layout : kLayouts) {
        check({9, 35, k}, {layout, Layout::rows, Addend::none, true, precision});
        check({9, 35, k}, {layout, Layout::columns, Addend::separate, false, precision});
        check({3, 17, k}, {layout, Layout::columns, Addend::itself, true, precision});
      }
    }
  }
}

// B's packed block has at most 1 MiB for each thread (dispatch.cpp): with one, 682 columns of 384
// cells.
TEST_P(GemmTest, SeveralBlocksOfN) {
  for (const Precision precision : kPrecisions) {
    const int64_t block_k = precision == Precision::bf16 ? 768 : 384;
    check({5, 1403, block_k},
          {Layout::rows, Layout::columns, Addend::separate, true, precision, Epilogue::none});
  }
  // Gate and up together have as many columns.
  check({5, 1402, 384},
        {Layout::rows, Layout::rows, Addend::none, true, Precision::fp32, Epilogue::silu_mul});
}

TEST_P(GemmTest, SeveralBlocksInEveryDimension) {
  for (const Precision precision : kPrecisions) {
    check({203, 67, 823}, {Layout::rows, Layout::columns, Addend::none, true, precision});
    check({67, 203, 823}, {Layout::columns, Layout::rows, Addend::itself, false, precision});
  }
  check({1031, 9, 17}, {Layout::rows, Layout::rows, Addend::itself});
  check({9, 4099, 17}, {Layout::columns, Layout::columns, Addend::itself});
}

// n is that of C: what is computed together is n / 2 columns of the gate and of up.
void check_epilogues(const Shape& shape) {
  for (const Precision precision : kPrecisions) {
    for (const Epilogue epilogue : {Epilogue::silu_mul, Epilogue::silu_mul_backward}) {
      const bool halves = epilogue == Epilogue::silu_mul;
      const Shape doubled = {shape.m, shape.n * (halves ? 2 : 1), shape.k};
      check(doubled, {Layout::rows, Layout::columns, Addend::none, halves, precision, epilogue});
      check(doubled, {Layout::rows, Layout::rows, Addend::none, !halves, precision, epilogue});
      check(doubled,
            {Layout::columns, Layout::columns, Addend::separate, true, precision, epilogue});
      check(doubled, {Layout::rows, Layout::columns, Addend::itself, true, precision, epilogue});
    }
  }
}

// Around the sizes of a vector and of a panel in N, and of the case of a few rows in M.
TEST_P(GemmTest, EpiloguesOfEveryN) {
  for (const int64_t n : {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 23, 24, 25, 47, 48, 49, 101}) {
    check_epilogues({5, n, 6});
  }
}

TEST_P(GemmTest, EpiloguesOfEveryM) {
  for (const int64_t m : {1, 2, 3, 4, 5, 7, 8, 9, 96, 97}) check_epilogues({m, 21, 7});
}

// An epilogue acts on whole sums only.
TEST_P(GemmTest, EpiloguesAfterSeveralBlocksOfK) {
  for (const int64_t k : {769, 1537}) {
    for (const int64_t m : {4, 5}) check_epilogues({m, 19, k});
  }
}

TEST_P(GemmTest, EpiloguesOfSeveralBlocks) {
  for (const Precision precision : kPrecisions) {
    check({101, 206, 397},
          {Layout::rows, Layout::columns, Addend::none, false, precision, Epilogue::silu_mul});
    check({101, 103, 397}, {Layout::rows, Layout::rows, Addend::none, false, precision,
                            Epilogue::silu_mul_backward});
  }
}

// The shapes take one block, and several in each dimension.
TEST_P(GemmTest, PackedBeforehand) {
  for (const Shape& shape :
       {Shape{5, 18, 7}, Shape{3, 50, 33}, Shape{7, 98, 769}, Shape{101, 50, 35}}) {
    for (const Precision precision : kPrecisions) {
      for (const Layout b : kLayouts) {
        for (const Epilogue epilogue :
             {Epilogue::none, Epilogue::silu_mul, Epilogue::silu_mul_backward}) {
          check(shape, {Layout::rows, b, Addend::none, true, precision, epilogue, true});
        }
      }
    }
  }
  check({5, 1402, 385}, {Layout::rows, Layout::columns, Addend::none, true, Precision::fp32,
                         Epilogue::silu_mul, true});
}

// 0 * infinity would be NaN: nothing but a row's own products may enter it, and nothing that an
// earlier call left in a packing buffer.
TEST_P(GemmTest, InfinityStaysInItsRow) {
  const int64_t m = 9, n = 21, k = 5;
  for (const Precision precision : kPrecisions) {
    for (const Layout layout : kLayouts) {
      Factor a(m, k, layout, "a"), b(k, n, layout, "b");
      Guarded c(m, n, 0);
      Gemm gemm = product({m, n, k}, a, b);
      gemm.c = c.data();
      gemm.c_row = n;
      gemm.precision = precision;
      float& last = a.elements.data()[(m - 1) * a.row + (k - 1) * a.column];
      last = std::numeric_limits<float>::infinity();
      kernels().gemm(gemm);
      for (int64_t i = 0; i < m * n; ++i) EXPECT_EQ(std::isinf(c.data()[i]), i >= (m - 1) * n) << i;
      last = 1.0f;
      kernels().gemm(gemm);
      EXPECT_TRUE(within(c.elements(), reference::gemm(gemm).c));
    }
  }
}

// --- rounding to bf16

float from_bits(uint32_t bits) {
  return std::bit_cast<float>(bits);
}

// A number and what bf16 makes of it.
struct Rounding {
  uint32_t from, to;
};

// Above the first half of a bf16's last place, below it, and ties to the even side; where the
// significand overflows into the exponent; the ends of the range.
constexpr Rounding kRoundings[] = {
    {0x3f800000, 0x3f800000},  // 1
    {0x3f807fff, 0x3f800000},  // just below the tie
    {0x3f808000, 0x3f800000},  // tie: down to even
    {0x3f808001, 0x3f810000},  // just above
    {0x3f818000, 0x3f820000},  // tie: up to even
    {0xbf818000, 0xbf820000},  // the sign does not matter
    {0xbf808000, 0xbf800000},  //
    {0x3fffffff, 0x40000000},  // up into the next exponent
    {0x00800000, 0x00800000},  // smallest normal number
    {0x7f7f7fff, 0x7f7f0000},  // below the tie between the largest bf16 and infinity
    {0x7f7f8000, 0x7f800000},  // that tie
    {0x7f7fffff, 0x7f800000},  // largest float
    {0xff7fffff, 0xff800000},  //
    {0x7f800000, 0x7f800000},  // infinity
    {0xff800000, 0xff800000},  //
};

// values[i] comes back as element [i,i] of the product with an identity matrix on the given side,
// whose zeros then meet 1.0f only: what is no number spoils the rest of its row or column.
std::vector<float> through_identity(const std::vector<float>& values, bool left, Layout layout) {
  const int64_t count = static_cast<int64_t>(values.size());
  std::vector<float> identity(count * count), diagonal(count * count, 1.0f);
  for (int64_t i = 0; i < count; ++i) {
    identity[i * (count + 1)] = 1.0f;
    diagonal[i * (count + 1)] = values[i];
  }
  Factor a(count, count, layout, left ? identity : diagonal);
  Factor b(count, count, layout, left ? diagonal : identity);
  Guarded c(count, count, 0);
  Gemm gemm = product({count, count, count}, a, b);
  gemm.c = c.data();
  gemm.c_row = count;
  gemm.precision = Precision::bf16;
  kernels().gemm(gemm);
  std::vector<float> result;
  for (int64_t i = 0; i < count; ++i) result.push_back(c.data()[i * (count + 1)]);
  return result;
}

template <class Check>
void through_every_identity(const std::vector<float>& values, Check check) {
  for (const bool left : {false, true}) {
    for (const Layout layout : kLayouts) {
      SCOPED_TRACE(std::string(left ? "as B, " : "as A, ") +
                   (layout == Layout::rows ? "rows" : "columns"));
      check(through_identity(values, left, layout));
    }
  }
}

// With an odd number of values the last is the first of a pair that lacks its second.
TEST_P(GemmTest, RoundingToBf16) {
  static_assert(std::size(kRoundings) % 2 == 1);
  for (const bool odd : {true, false}) {
    std::vector<float> values, want;
    for (const Rounding& rounding : kRoundings) {
      values.push_back(from_bits(rounding.from));
      want.push_back(from_bits(rounding.to));
      EXPECT_EQ(reference::round_to_bf16(values.back()), want.back());
    }
    if (!odd) {
      values.push_back(2.0f);
      want.push_back(2.0f);
    }
    through_every_identity(
        values, [&](const std::vector<float>& got) { EXPECT_TRUE(same_bits(got, want)); });
  }
}

// Also a NaN whose payload is in the bits that rounding drops (all the rest is infinity), and one
// that carries into the sign.
TEST_P(GemmTest, NanStaysNanInBf16) {
  const std::vector<float> values = {from_bits(0x7fc00000), from_bits(0x7f800001),
                                     from_bits(0x7fffffff), from_bits(0xff800001),
                                     from_bits(0xffffffff)};
  through_every_identity(values, [](const std::vector<float>& got) {
    for (size_t i = 0; i < got.size(); ++i) EXPECT_TRUE(std::isnan(got[i])) << i << ": " << got[i];
  });
}

// A sum that starts at 0 has no negative zero; numbers below the smallest normal may be zero.
TEST_P(GemmTest, ZeroAndBelowTheSmallestNormalInBf16) {
  const std::vector<float> values = {-0.0f, 0.0f, 1e-40f, -1e-40f, from_bits(0x007fffff)};
  through_every_identity(values, [&](const std::vector<float>& got) {
    EXPECT_EQ(got[0], 0.0f);
    EXPECT_EQ(got[1], 0.0f);
    for (size_t i = 2; i < got.size(); ++i) EXPECT_NEAR(got[i], values[i], kSmallestNormal) << i;
  });
}

// fp32 rounds nothing: the same bits come back.
TEST_P(GemmTest, Bf16IsAskedFor) {
  const std::vector<float> value = {from_bits(0x3f800001)};
  Factor a(1, 1, Layout::rows, value), one(1, 1, Layout::rows, std::vector<float>{1.0f});
  for (const Precision precision : kPrecisions) {
    float c = 0;
    Gemm gemm = product({1, 1, 1}, a, one);
    gemm.c = &c;
    gemm.c_row = 1;
    gemm.precision = precision;
    kernels().gemm(gemm);
    EXPECT_EQ(c, precision == Precision::fp32 ? value[0] : 1.0f);
  }
}

// Where the machine has tiles, the portable body gives the bits of the instruction: sums of
// denormals, too, which the instruction flushes and all arithmetic of a model does, and sums that
// begin with what was there.
TEST(Tiles, TheEmulationHasTheBitsOfTheInstruction) {
  const std::vector<std::string> isas = available_isas();
  if (std::ranges::count(isas, "amx") == 0) GTEST_SKIP() << "this machine has no tiles";
  reserve_kernel_memory();
  for (const Shape& shape : {Shape{37, 51, 1100}, Shape{64, 64, 512}, Shape{5, 16, 31}}) {
    for (const float size : {1.0f, 1e-19f}) {
      std::vector<float> left = normal_values(shape.m * shape.k, "a");
      std::vector<float> right = normal_values(shape.k * shape.n, "b");
      for (float& x : left) x *= size;
      for (float& x : right) x *= size;
      std::vector<float> before = normal_values(shape.m * shape.n, "c");
      for (float& x : before) x *= size * size;
      Factor a(shape.m, shape.k, Layout::rows, left), b(shape.k, shape.n, Layout::columns, right);
      const auto run = [&](const std::string& isa) {
        const IsaInUse scope(isa);
        Guarded c(shape.m, shape.n, 0);
        c.set(before);
        Gemm gemm = product(shape, a, b);
        gemm.c = c.data();
        gemm.c_row = shape.n;
        gemm.addend = c.data();
        gemm.addend_row = shape.n;
        gemm.precision = Precision::bf16;
        kernels().gemm(gemm);
        return c.elements();
      };
      EXPECT_TRUE(same_bits(run("amx"), run("emulated_tiles"))) << name(shape, {}) << ' ' << size;
    }
  }
}

}  // namespace
}  // namespace cria
