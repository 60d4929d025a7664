#include <gtest/gtest.h>

#include <atomic>
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

class AttentionTest : public IsaTest {};
CRIA_ON_EVERY_ISA(AttentionTest);

struct Case {
  int64_t batch, heads, kv_heads, head_dim, queries, keys;
  bool fused = false;  // q, k and v side by side in one [B, T, (H + 2K) D]
};

std::string name(const Case& c) {
  return "B " + std::to_string(c.batch) + " H " + std::to_string(c.heads) + " K " +
         std::to_string(c.kv_heads) + " D " + std::to_string(c.head_dim) + " queries " +
         std::to_string(c.queries) + " keys " + std::to_string(c.keys) +
         (c.fused ? " fused" : " separate");
}

// q, k and v, or their gradients: one fused buffer, or three with gaps after every row and batch.
class Projections {
 public:
  explicit Projections(const Case& c) : case_(c) {
    const int64_t q_columns = c.heads * c.head_dim, kv_columns = c.kv_heads * c.head_dim;
    if (c.fused) {
      q_row = kv_row = q_columns + 2 * kv_columns;
      q_batch = kv_batch = c.queries * q_row;
      buffers_.emplace_back(c.batch * c.queries, q_row, 0);
      q = buffers_[0].data();
      k = q + q_columns;
      v = k + kv_columns;
      return;
    }
    q_row = q_columns + 3;
    kv_row = kv_columns + 4;
    q_batch = c.queries * q_row + 5;
    kv_batch = (c.keys + 3) * kv_row;  // a cache with room left
    buffers_.emplace_back(q_shape(), std::vector<int64_t>{q_batch, q_row, c.head_dim, 1});
    for (int i = 0; i < 2; ++i) {
      buffers_.emplace_back(kv_shape(), std::vector<int64_t>{kv_batch, kv_row, c.head_dim, 1});
    }
    q = buffers_[0].data();
    k = buffers_[1].data();
    v = buffers_[2].data();
  }

  void fill() {
    for (size_t i = 0; i < buffers_.size(); ++i) {
      buffers_[i].set(normal_values(buffers_[i].size(), "projection " + std::to_string(i)));
    }
  }

  std::vector<float> q_elements() const { return gather(q, q_shape(), q_batch, q_row); }
  std::vector<float> k_elements() const { return gather(k, kv_shape(), kv_batch, kv_row); }
  std::vector<float> v_elements() const { return gather(v, kv_shape(), kv_batch, kv_row); }

  bool gaps_untouched() const {
    return std::all_of(buffers_.begin(), buffers_.end(),
                       [](const Guarded& buffer) { return buffer.gaps_untouched(); });
  }

  float *q, *k, *v;
  int64_t q_batch, q_row, kv_batch, kv_row;

 private:
  std::vector<int64_t> q_shape() const {
    return {case_.batch, case_.queries, case_.heads, case_.head_dim};
  }
  std::vector<int64_t> kv_shape() const {
    return {case_.batch, case_.keys, case_.kv_heads, case_.head_dim};
  }
  std::vector<float> gather(const float* from, const std::vector<int64_t>& shape, int64_t batch,
                            int64_t row) const {
    std::vector<float> values;
    for (const int64_t offset : strided_offsets(shape, {batch, row, case_.head_dim, 1})) {
      values.push_back(from[offset]);
    }
    return values;
  }

  Case case_;
  std::vector<Guarded> buffers_;
};

// Adds a bias to every score it is given, and keeps an account of what that was.
class RecordingHook {
 public:
  RecordingHook(const Case& c, reference::ScoreBias bias)
      : seen(c.batch * c.heads * c.queries * c.keys),
        gradient(seen.size()),
        forward_calls(seen.size()),
        backward_calls(seen.size()),
        case_(c),
        bias_(std::move(bias)) {}

  ScoreHook hook() { return {forward, backward, this}; }

  // [B, H, queries, keys]
  std::vector<float> seen, gradient;
  std::vector<int> forward_calls, backward_calls;
  std::atomic<bool> tiles_inside = true;

 private:
  template <class Visit>
  void each(const ScoreTile& tile, Visit visit) {
    const int64_t first = tile.query - (case_.keys - case_.queries);
    if (tile.batch < 0 || tile.batch >= case_.batch || tile.head < 0 || tile.head >= case_.heads ||
        first < 0 || first + tile.rows > case_.queries || tile.key < 0 ||
        tile.key + tile.columns > case_.keys || tile.row_stride < tile.columns) {
      tiles_inside = false;
      return;
    }
    const int64_t head = tile.batch * case_.heads + tile.head;
    for (int64_t i = 0; i < tile.rows; ++i) {
      for (int64_t j = 0; j < tile.columns; ++j) {
        const int64_t cell = (head * case_.queries + first + i) * case_.keys + tile.key + j;
        visit(cell, tile.query + i, tile.key + j, tile.scores[i * tile.row_stride + j]);
      }
    }
  }

  static void forward(void* context, const ScoreTile& tile) noexcept {
    auto* self = static_cast<RecordingHook*>(context);
    self->each(tile, [&](int64_t cell, int64_t query, int64_t key, float& score) {
      self->seen[cell] = score;
      ++self->forward_calls[cell];
      // Above the diagonal anything goes: the mask comes afterwards.
      score = key > query ? 1e30f : score + self->bias_(tile.head, query, key);
    });
  }

  static void backward(void* context, const ScoreTile& tile) noexcept {
    auto* self = static_cast<RecordingHook*>(context);
    self->each(tile, [&](int64_t cell, int64_t, int64_t, float& gradient) {
      self->gradient[cell] = gradient;
      ++self->backward_calls[cell];
    });
  }

  Case case_;
  reference::ScoreBias bias_;
};

float wave(int64_t head, int64_t query, int64_t key) {
  const double distance = static_cast<double>(query - key), shift = static_cast<double>(head);
  return static_cast<float>(std::sin(1.0 + shift + 0.7 * distance));
}

// Visible pairs: keys up to the query's own position.
template <class Visit>
void each_pair(const Case& c, Visit visit) {
  for (int64_t cell = 0; cell < c.batch * c.heads * c.queries * c.keys; ++cell) {
    visit(cell, cell % c.keys <= c.keys - c.queries + cell / c.keys % c.queries);
  }
}

// Values above the diagonal are nobody's business in forward.
std::vector<float> visible_only(const Case& c, std::vector<float> plane) {
  each_pair(c, [&](int64_t cell, bool visible) { plane[cell] = visible ? plane[cell] : 0.0f; });
  return plane;
}

bool each_visible_once(const Case& c, const std::vector<int>& calls) {
  bool once = true;
  each_pair(c, [&](int64_t cell, bool visible) { once = once && (!visible || calls[cell] == 1); });
  return once;
}

struct Output {
  explicit Output(const Case& c)
      : row(c.heads * c.head_dim + 6),
        batch(c.queries * row + 7),
        out({c.batch, c.queries, c.heads * c.head_dim}, {batch, row, 1}),
        log_sum_exp(c.batch * c.heads * c.queries) {}

  bool gaps_untouched() const { return out.gaps_untouched() && log_sum_exp.gaps_untouched(); }

  int64_t row, batch;
  Guarded out, log_sum_exp;
};

Attention attention(const Case& c, const Projections& in, Output& output, const ScoreHook& hook) {
  return {c.batch,
          c.heads,
          c.kv_heads,
          c.head_dim,
          c.queries,
          c.keys,
          0.37f,
          hook,
          in.q,
          in.k,
          in.v,
          in.q_batch,
          in.q_row,
          in.kv_batch,
          in.kv_row,
          output.out.data(),
          output.batch,
          output.row,
          output.log_sum_exp.data()};
}

void check_forward(const Case& c, const reference::ScoreBias& bias = nullptr) {
  SCOPED_TRACE(name(c));
  Projections in(c);
  in.fill();
  const Arrays got = run_with_any_threads([&] {
    RecordingHook recorder(c, bias);
    Output output(c);
    kernels().attention_forward(
        attention(c, in, output, bias ? recorder.hook() : ScoreHook{nullptr, nullptr, nullptr}));
    EXPECT_TRUE(output.gaps_untouched());
    EXPECT_TRUE(recorder.tiles_inside);
    EXPECT_TRUE(!bias || each_visible_once(c, recorder.forward_calls));
    return Arrays{output.out.elements(), output.log_sum_exp.elements(),
                  visible_only(c, recorder.seen)};
  });
  Output unused(c);
  const auto want = reference::attention_forward(attention(c, in, unused, {}), bias);
  EXPECT_TRUE(within(got[0], want.out)) << "out";
  EXPECT_TRUE(within(got[1], want.log_sum_exp)) << "log_sum_exp";
  if (bias) {
    EXPECT_TRUE(within(got[2], want.scores)) << "scores that the hook saw";
  }
}

void check_backward(const Case& c, const reference::ScoreBias& bias = nullptr) {
  SCOPED_TRACE(name(c));
  Projections in(c);
  in.fill();
  Output output(c), dout(c);
  dout.out.set(normal_values(dout.out.size(), "dout"));
  const Arrays got = run_with_any_threads([&] {
    RecordingHook recorder(c, bias);
    const Attention forward =
        attention(c, in, output, bias ? recorder.hook() : ScoreHook{nullptr, nullptr, nullptr});
    kernels().attention_forward(forward);
    Projections gradients(c);
    Guarded scratch(c.batch * c.heads * c.queries);
    kernels().attention_backward(
        {forward, dout.out.data(), gradients.q, gradients.k, gradients.v, scratch.data()});
    EXPECT_TRUE(gradients.gaps_untouched());
    EXPECT_TRUE(output.gaps_untouched());
    EXPECT_TRUE(scratch.gaps_untouched());
    EXPECT_TRUE(recorder.tiles_inside);
    EXPECT_TRUE(!bias || each_visible_once(c, recorder.backward_calls));
    return Arrays{gradients.q_elements(), gradients.k_elements(), gradients.v_elements(),
                  recorder.gradient};
  });
  const auto want = reference::attention_backward(
      {attention(c, in, output, {}), dout.out.data(), nullptr, nullptr, nullptr, nullptr}, bias);
  EXPECT_TRUE(within(got[0], want.dq)) << "dq";
  EXPECT_TRUE(within(got[1], want.dk)) << "dk";
  EXPECT_TRUE(within(got[2], want.dv)) << "dv";
  if (bias) {
    EXPECT_TRUE(within(got[3], want.dscores)) << "gradient that the hook saw";
  }
}

void check_training(const Case& c, const reference::ScoreBias& bias = nullptr) {
  check_forward(c, bias);
  check_backward(c, bias);
}

TEST_P(AttentionTest, EveryTime) {
  for (const int64_t time : {1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 31, 33, 65, 95, 96, 97, 193}) {
    check_training({1, 2, 1, 8, time, time, true});
  }
  check_training({1, 1, 1, 4, 401, 401});  // more than one task of the forward pass
}

TEST_P(AttentionTest, EveryHeadDim) {
  for (const int64_t head_dim : {2, 6, 8, 20, 32, 48, 64, 80, 256}) {
    check_training({2, 2, 1, head_dim, 37, 37, head_dim % 4 == 0});
  }
}

TEST_P(AttentionTest, GroupsOfQueryHeads) {
  for (const int64_t kv_heads : {6, 3, 2, 1}) {
    for (const bool fused : {false, true}) check_training({3, 6, kv_heads, 8, 19, 19, fused});
  }
}

TEST_P(AttentionTest, QueriesAfterACache) {
  for (const int64_t queries : {1, 5}) {
    for (const int64_t keys : {5, 6, 16, 17, 64, 95, 96, 97, 193}) {
      check_forward({2, 4, 2, 32, queries, keys});
      check_forward({1, 2, 2, 8, queries, keys}, wave);
    }
  }
  check_forward({1, 2, 1, 8, 110, 231}, wave);  // a prompt of several tiles
}

TEST_P(AttentionTest, HookActsOnScoresAndMeetsTheirGradient) {
  for (const int64_t time : {1, 2, 7, 16, 17, 33, 95, 96, 97, 193}) {
    check_training({1, 2, 1, 8, time, time, true}, wave);
  }
  check_training({3, 4, 2, 20, 37, 37}, wave);
}

// A window of 9 keys, as a bias of -1e30: whole tiles have no weight, the first of them included.
TEST_P(AttentionTest, HookThatMasks) {
  const auto window = [](int64_t, int64_t query, int64_t key) {
    return query - key < 9 ? 0.0f : -1e30f;
  };
  check_training({1, 2, 1, 8, 210, 210}, window);
}

// -1e30 on all keys is no mask: all have the same score, and the hidden ones still no weight.
TEST_P(AttentionTest, HookThatMakesAllScoresTheSame) {
  const Case c{1, 1, 1, 8, 70, 70};
  Projections in(c);
  in.fill();
  Output output(c);
  RecordingHook recorder(c, [](int64_t, int64_t, int64_t) { return -1e30f; });
  kernels().attention_forward(attention(c, in, output, recorder.hook()));
  BoundedValues want;
  const std::vector<float> v = in.v_elements();
  for (int64_t i = 0; i < c.queries; ++i) {
    for (int64_t d = 0; d < c.head_dim; ++d) {
      Sum sum;
      for (int64_t j = 0; j <= i; ++j) sum.add(v[j * c.head_dim + d]);
      want.push_back(sum.total() / Bounded(static_cast<double>(i + 1)));
    }
  }
  EXPECT_TRUE(within(output.out.elements(), want));
}

// Scores of several hundred: exp of them overflows, exp of their differences does not.
TEST_P(AttentionTest, LargeScores) {
  const auto steep = [](int64_t, int64_t query, int64_t key) {
    return static_cast<float>(5 * (key % 7) - 3 * (query - key));
  };
  check_training({1, 2, 1, 8, 150, 150}, steep);
  const auto rising = [](int64_t, int64_t, int64_t key) { return static_cast<float>(4 * key); };
  check_training({1, 2, 1, 8, 150, 150}, rising);
}

}  // namespace
}  // namespace cria
