// The way from tokens to the residual stream, against its formula and by finite differences.
#include "cria/nn/input.h"

#include <gtest/gtest.h>

#include <cmath>

#include "support/compare.h"
#include "support/layer_check.h"

namespace cria {
namespace {

constexpr int64_t kVocabulary = 11, kColumns = 6, kInputBatch = 2, kInputTime = 5;
constexpr double kScale = 1.5, kEps = 1e-5;
const PassContext kPass = {.randomness = {.seed = 1, .pass = 2, .active = true}};

// Adds a learned row to each position.
class Added : public Position {
 public:
  explicit Added(Parameters& parameters)
      : Position({.name = "added", .head_dim = 2}),
        rows(&parameters.add({"rows", {64, kColumns}}, ParameterKind::matrix, {.std = 1.0})) {}

  void on_embedding(const Tensor& x, int64_t first, const TokenIds&) const override {
    each(x, [&](int64_t t, int64_t c, float& value) { value += rows->value(first + t, c); });
  }
  void on_embedding_backward(const Tensor& dx, int64_t first, const TokenIds&) const override {
    each(dx, [&](int64_t t, int64_t c, float& value) { rows->grad(first + t, c) += value; });
  }

  Parameter* rows;

 private:
  template <class Visit>
  static void each(const Tensor& x, Visit&& visit) {
    for (int64_t b = 0; b < x.shape[0]; ++b) {
      for (int64_t t = 0; t < x.shape[1]; ++t) {
        for (int64_t c = 0; c < x.shape[2]; ++c) visit(t, c, x(b, t, c));
      }
    }
  }
};

struct InputRun {
  Parameters parameters;
  std::unique_ptr<Added> position;
  Input input;
  PassContext pass = kPass;
  Plan plan;
  Input::Saved saved;
  std::vector<int32_t> ids = random_ids(kInputBatch * kInputTime, kVocabulary, "ids");
  std::vector<float> out = std::vector<float>(kInputBatch * kInputTime * kColumns);

  explicit InputRun(const InputConfig& config) {
    const Embedding table(parameters, "table", kVocabulary, kColumns, {}, 1.0, kScale);
    position = std::make_unique<Added>(parameters);
    input = Input(parameters, config, table, *position);
    randomize(parameters, 0.5);
    input.plan(plan, kInputBatch, kInputTime);
    plan.saved.allocate("test");
    plan.scratch.allocate("test");
    saved = input.plan(plan, kInputBatch, kInputTime);
  }

  TokenIds tokens() const { return TokenIds(ids.data(), {kInputBatch, kInputTime}); }

  const std::vector<float>& forward(int64_t first = 0) {
    input.forward(tokens(), first, Tensor(out.data(), {kInputBatch, kInputTime, kColumns}), saved,
                  pass);
    return out;
  }

  // dropout(norm(rows + scale table)) as written.
  std::vector<double> formula(const InputConfig& config, int64_t first) {
    const DropoutMask mask = input.dropout.mask(pass);
    std::vector<float> factors(out.size(), 1.0f);
    kernels().dropout({std::ssize(factors), 0, factors.data(), nullptr, factors.data(), mask});
    std::vector<double> want;
    for (int64_t n = 0; n < kInputBatch * kInputTime; ++n) {
      double square = 0;
      for (int64_t c = 0; c < kColumns; ++c) {
        want.push_back(kScale * input.embed_tokens.weight->value(ids[n], c) +
                       position->rows->value(first + n % kInputTime, c));
        square += want.back() * want.back();
      }
      for (int64_t c = 0; c < kColumns; ++c) {
        double& value = want[n * kColumns + c];
        if (config.norm) {
          value *= input.norm->weight->value.data[c] / std::sqrt(square / kColumns + kEps);
        }
        value *= factors[n * kColumns + c];
      }
    }
    return want;
  }
};

std::vector<InputConfig> configs() {
  return {{},
          {.norm = true, .rms_norm_eps = kEps},
          {.dropout = 0.3},
          {.norm = true, .rms_norm_eps = kEps, .dropout = 0.3}};
}

TEST(Input, IsTheFormula) {
  for (const InputConfig& config : configs()) {
    InputRun run(config);
    for (const int64_t first : {0, 7}) {
      const std::vector<double> want = run.formula(config, first);
      run.forward(first);
      // Sums of a few numbers near 1.
      for (size_t i = 0; i < want.size(); ++i) EXPECT_NEAR(run.out[i], want[i], 5e-6) << i;
    }
  }
}

TEST(Input, GradientsByDifferences) {
  for (const InputConfig& config : configs()) {
    InputRun run(config);
    const std::vector<float> dout = normal_values(kInputBatch * kInputTime * kColumns, "dout");
    const auto loss = [&] {
      run.forward();
      double total = 0;
      for (size_t i = 0; i < dout.size(); ++i) total += static_cast<double>(run.out[i]) * dout[i];
      return total;
    };
    loss();
    std::vector<float> used_up = dout;
    run.input.backward(Tensor(used_up.data(), {kInputBatch, kInputTime, kColumns}), run.tokens(),
                       run.saved, kPass);
    EXPECT_EQ(run.parameters.slots().size(), config.norm ? 3u : 2u);
    for (Parameter& slot : run.parameters.slots()) {
      expect_gradient(check_gradient(slot, loss, 3));
    }
  }
}

TEST(Input, NoDropoutOutsideOfTraining) {
  InputRun run({.dropout = 0.5}), plain({});
  run.pass.randomness.active = false;
  EXPECT_TRUE(same_bits(run.forward(), plain.forward()));
}

TEST(Input, NeedsMemoryOnlyForANorm) {
  InputRun plain({.dropout = 0.5}), normed({.norm = true, .rms_norm_eps = kEps});
  EXPECT_EQ(plain.plan.saved.bytes(), 0);
  EXPECT_GT(normed.plan.saved.bytes(), 0);
}

}  // namespace
}  // namespace cria
