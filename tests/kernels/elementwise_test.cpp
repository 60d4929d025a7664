#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "cria/kernels/kernels.h"
#include "support/any_threads.h"
#include "support/guarded.h"
#include "support/isas.h"
#include "support/random.h"
#include "support/reference.h"

namespace cria {
namespace {

class RmsNormTest : public IsaTest {};
class RowsSumTest : public IsaTest {};
class SoftmaxTest : public IsaTest {};
class CrossEntropyTest : public IsaTest {};
class RotaryTest : public IsaTest {};
CRIA_ON_EVERY_ISA(RmsNormTest);
CRIA_ON_EVERY_ISA(RowsSumTest);
CRIA_ON_EVERY_ISA(SoftmaxTest);
CRIA_ON_EVERY_ISA(CrossEntropyTest);
CRIA_ON_EVERY_ISA(RotaryTest);

// Ragged sizes, and last one that is enough work for several threads.
template <class Check>
void each_size(Check check) {
  const auto traced = [&](int64_t rows, int64_t columns) {
    SCOPED_TRACE(std::to_string(rows) + " x " + std::to_string(columns));
    check(rows, columns);
  };
  for (const int64_t rows : {1, 2, 3, 5, 16, 17}) {
    for (const int64_t columns : {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 64, 65, 80, 257}) {
      traced(rows, columns);
    }
  }
  traced(131, 521);
}

void check_rms_norm_forward(int64_t rows, int64_t columns) {
  Guarded x(normal_values(rows * columns, "x")), weight(normal_values(columns, "weight"));
  RmsNormForward norm{rows, columns, x.data(), weight.data(), 1e-5f, nullptr, nullptr};
  const Arrays got = run_with_any_threads([&] {
    Guarded y(rows * columns), rstd(rows);
    norm.y = y.data();
    norm.rstd = rstd.data();
    kernels().rms_norm_forward(norm);
    EXPECT_TRUE(y.gaps_untouched() && rstd.gaps_untouched());
    return Arrays{y.elements(), rstd.elements()};
  });
  const auto want = reference::rms_norm_forward(norm);
  EXPECT_TRUE(within(got[0], want.y));
  EXPECT_TRUE(within(got[1], want.rstd)) << "rstd";
}

TEST_P(RmsNormTest, Forward) {
  each_size(check_rms_norm_forward);
}

TEST_P(RmsNormTest, ZeroRowStaysZero) {
  const std::vector<float> x(2 * 17), weight(17, 2.0f);
  std::vector<float> y(x.size(), 1.0f), rstd(2);
  kernels().rms_norm_forward({2, 17, x.data(), weight.data(), 1e-6f, y.data(), rstd.data()});
  EXPECT_EQ(y, x);
  EXPECT_NEAR(rstd[1], 1e3, 1e3 * 8 * kEpsilon);  // 1 / sqrt(eps)
}

void check_rms_norm_backward(int64_t rows, int64_t columns) {
  const std::vector<float> added = normal_values(rows * columns, "addend");
  const std::vector<float> initial = normal_values(columns, "dweight");
  Guarded x(normal_values(rows * columns, "x")), weight(normal_values(columns, "weight"));
  Guarded dy(normal_values(rows * columns, "dy")), addend(added);
  std::vector<float> rstd = normal_values(rows, "rstd");
  Guarded roots(rstd);
  enum Mode { none, separate, itself };
  for (const Mode mode : {none, separate, itself}) {
    RmsNormBackward norm{rows,      columns, x.data(), weight.data(), roots.data(),
                         dy.data(), nullptr, nullptr,  nullptr};
    const Arrays got = run_with_any_threads([&] {
      Guarded dx(rows * columns), dweight(initial);
      if (mode == itself) dx.set(added);
      norm.addend = mode == none ? nullptr : mode == separate ? addend.data() : dx.data();
      norm.dx = dx.data();
      norm.dweight = dweight.data();
      kernels().rms_norm_backward(norm);
      EXPECT_TRUE(dx.gaps_untouched() && dweight.gaps_untouched());
      return Arrays{dx.elements(), dweight.elements()};
    });
    Guarded dweight(initial);
    norm.addend = mode == none ? nullptr : addend.data();
    norm.dweight = dweight.data();
    const auto want = reference::rms_norm_backward(norm);
    EXPECT_TRUE(within(got[0], want.dx)) << "mode " << mode;
    EXPECT_TRUE(within(got[1], want.dweight)) << "dweight, mode " << mode;
  }
}

TEST_P(RmsNormTest, Backward) {
  each_size(check_rms_norm_backward);
}

void check_add_rows_sum(int64_t rows, int64_t columns) {
  const std::vector<float> initial = normal_values(columns, "sum");
  Guarded x(normal_values(rows * columns, "x"));
  const Arrays got = run_with_any_threads([&] {
    Guarded sum(initial);
    kernels().add_rows_sum(rows, columns, x.data(), sum.data());
    EXPECT_TRUE(sum.gaps_untouched());
    return Arrays{sum.elements()};
  });
  EXPECT_TRUE(within(got[0], reference::add_rows_sum(rows, columns, x.data(), initial.data())));
}

TEST_P(RowsSumTest, IsAdded) {
  each_size(check_add_rows_sum);
}

void check_softmax_of(int64_t rows, int64_t columns, const std::vector<float>& logits) {
  const Arrays got = run_with_any_threads([&] {
    Guarded x(logits);
    kernels().softmax(rows, columns, x.data());
    EXPECT_TRUE(x.gaps_untouched());
    return Arrays{x.elements()};
  });
  EXPECT_TRUE(within(got[0], reference::softmax(rows, columns, logits.data())));
}

// The logits come in blocks of at most `most` columns, as the output head computes them.
void check_cross_entropy_of(int64_t rows, int64_t columns, int64_t most,
                            const std::vector<float>& values) {
  SCOPED_TRACE("blocks of " + std::to_string(most));
  std::vector<int32_t> targets = random_ids(rows, columns, "targets");
  for (int64_t n = 1; n < rows; n += 3) targets[n] = kIgnoredTarget;
  const float scale = 0.3f;
  const Arrays got = run_with_any_threads([&] {
    Guarded maximum(rows), target_logit(rows);
    std::vector<double> total(rows, -1.0);
    std::vector<float> gradient(rows * columns), losses(rows);
    const auto each_block = [&](auto&& body) {
      for (int64_t first = 0; first < columns; first += most) {
        const int64_t count = std::min(most, columns - first);
        Guarded logits(rows * count);
        for (int64_t i = 0; i < rows * count; ++i) {
          logits.data()[i] = values[i / count * columns + first + i % count];
        }
        body(SoftmaxBlock{.rows = rows,
                          .columns = count,
                          .first = first,
                          .logits = logits.data(),
                          .targets = targets.data(),
                          .maximum = maximum.data(),
                          .total = total.data(),
                          .target_logit = target_logit.data()});
        EXPECT_TRUE(logits.gaps_untouched());
        for (int64_t i = 0; i < rows * count; ++i) {
          gradient[i / count * columns + first + i % count] = logits.data()[i];
        }
      }
    };
    each_block([](const SoftmaxBlock& b) { kernels().softmax_statistics(b); });
    EXPECT_TRUE(same_bits(gradient, values));  // the logits are still there
    each_block([&](const SoftmaxBlock& b) { kernels().softmax_gradient(b, scale); });
    EXPECT_TRUE(maximum.gaps_untouched() && target_logit.gaps_untouched());
    for (int64_t n = 0; n < rows; ++n) {
      if (targets[n] == kIgnoredTarget) continue;
      losses[n] = static_cast<float>(
          std::log(total[n]) - static_cast<double>(target_logit.data()[n] - maximum.data()[n]));
    }
    return Arrays{losses, gradient};
  });
  const auto want = reference::cross_entropy(rows, columns, targets.data(), scale, values.data());
  EXPECT_TRUE(within(got[0], want.losses)) << "losses";
  EXPECT_TRUE(within(got[1], want.dlogits)) << "dlogits";
}

void check_cross_entropy(int64_t rows, int64_t columns, const std::vector<float>& values) {
  for (const int64_t most : {columns, columns / 2 + 1, int64_t{3}}) {
    if (most <= columns) check_cross_entropy_of(rows, columns, most, values);
  }
}

std::vector<float> logits(int64_t rows, int64_t columns) {
  return normal_values(rows * columns, "logits", 3.0);
}

// Rows in which one logit of 1e4 towers, all are -1e4, all are 1e4, and both occur.
std::vector<float> large_logits(int64_t columns) {
  std::vector<float> values(4 * columns);
  for (int64_t c = 0; c < columns; ++c) {
    values[c] = c == columns / 2 ? 1e4f : 0.0f;
    values[columns + c] = -1e4f;
    values[2 * columns + c] = 1e4f;
    values[3 * columns + c] = c % 2 == 0 ? 1e4f : -1e4f;
  }
  return values;
}

TEST_P(SoftmaxTest, Rows) {
  each_size([](int64_t rows, int64_t columns) {
    check_softmax_of(rows, columns, logits(rows, columns));
  });
}

TEST_P(SoftmaxTest, LargeLogits) {
  for (const int64_t columns : {1, 7, 16, 65}) check_softmax_of(4, columns, large_logits(columns));
}

TEST_P(CrossEntropyTest, LossesAndGradients) {
  each_size([](int64_t rows, int64_t columns) {
    check_cross_entropy(rows, columns, logits(rows, columns));
  });
}

TEST_P(CrossEntropyTest, LargeLogits) {
  for (const int64_t columns : {1, 7, 16, 65}) {
    check_cross_entropy(4, columns, large_logits(columns));
  }
}

struct RotaryCase {
  int64_t batch, time, heads, head_dim;
  int64_t gap;  // between the heads of two positions: other projections, or nothing
};

void check_rotary(const RotaryCase& c, bool inverse) {
  SCOPED_TRACE("T " + std::to_string(c.time) + " heads " + std::to_string(c.heads) + " D " +
               std::to_string(c.head_dim));
  const int64_t row = c.heads * c.head_dim + c.gap, batch = c.time * row + c.gap;
  Guarded cos(normal_values(c.time * c.head_dim / 2, "cos"));  // scaled encodings are not unit
  Guarded sin(normal_values(c.time * c.head_dim / 2, "sin"));
  const auto initial = [&] {
    Guarded x({c.batch, c.time, c.heads * c.head_dim}, {batch, row, 1});
    x.set(normal_values(x.size(), "x"));
    return x;
  };
  const auto call = [&](Guarded& x) {
    return Rotary{x.data(), c.batch, c.time,     c.heads,    c.head_dim,
                  batch,    row,     cos.data(), sin.data(), inverse};
  };
  const Arrays got = run_with_any_threads([&] {
    Guarded x = initial();
    kernels().rotary(call(x));
    EXPECT_TRUE(x.gaps_untouched());
    return Arrays{x.elements()};
  });
  Guarded x = initial();
  EXPECT_TRUE(within(got[0], reference::rotary(call(x))));
}

TEST_P(RotaryTest, ForwardAndInverse) {
  for (const bool inverse : {false, true}) {
    for (const int64_t head_dim : {2, 6, 8, 20, 32, 64, 80}) {
      for (const int64_t heads : {1, 3}) {
        check_rotary({1, 1, heads, head_dim, 0}, inverse);
        check_rotary({2, 5, heads, head_dim, head_dim + 3}, inverse);
      }
    }
    check_rotary({3, 131, 5, 32, 17}, inverse);
  }
}

}  // namespace
}  // namespace cria
