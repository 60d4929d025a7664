// Every layer against PyTorch's float64 results, and by finite differences.
#include <gtest/gtest.h>

#include "cria/nn/attention.h"
#include "cria/nn/block.h"
#include "cria/nn/embedding.h"
#include "cria/nn/head_loss.h"
#include "cria/nn/linear.h"
#include "cria/nn/rms_norm.h"
#include "cria/nn/swiglu.h"
#include "support/errors.h"
#include "support/golden.h"
#include "support/layer_check.h"

namespace cria {
namespace {

static_assert(Layer<Linear> && Layer<RmsNorm> && Layer<SwiGlu> && Layer<SelfAttention> &&
              Layer<Block>);

// fp32 against float64: sums of at most a few hundred terms of rounding 6e-8.
constexpr double kForward = 1e-6;
constexpr double kGradient = 1e-5;

std::unique_ptr<Position> rope(int64_t head_dim, int64_t positions, double theta = 10000.0) {
  Parameters none;
  auto position = make_position(
      none,
      {.name = "rope", .head_dim = head_dim, .max_positions = positions, .rope_theta = theta});
  position->prepare(positions);
  return position;
}

// Forward with the golden input (and residual), backward with the golden dout; compares y, dx and
// every parameter's gradient "d<name>".
template <bool has_residual = false, Layer L>
void expect_golden(const L& layer, Parameters& parameters, const Golden& golden,
                   const std::string& prefix) {
  std::vector<float> x = golden.floats("x"), dout = golden.floats("dout"), residual;
  std::vector<float> y(dout.size()), dx(x.size());
  const Tensor x_view = golden.shaped("x", x.data()), y_view = golden.shaped("y", y.data());
  LayerRun<L> run(layer, x_view.shape[0], x_view.shape[1]);
  if constexpr (has_residual) {
    residual = golden.floats("residual");
    run.forward(x_view, y_view, ConstTensor(golden.shaped("residual", residual.data())));
  } else {
    run.forward(x_view, y_view);
  }
  expect_near_norm(y_view, golden.floats("y"), kForward, "y");
  const Tensor dx_view = golden.shaped("x", dx.data());
  run.backward(golden.shaped("dout", dout.data()), x_view, dx_view);
  expect_near_norm(dx_view, golden.floats("dx"), kGradient, "dx");
  for (const Parameter& slot : parameters.slots()) {
    const std::string name = slot.name.substr(prefix.size());
    expect_near_norm(slot.grad, golden.floats("d" + name), kGradient, slot.name);
  }
}

TEST(Linear, Golden) {
  const Golden golden("linear");
  Parameters parameters;
  const LinearOutput outputs[] = {{"x", 40}};
  const Linear linear(parameters, outputs, 24, true, 1.0, Precision::fp32);
  load_parameters(parameters, golden, "x.");
  expect_golden<true>(linear, parameters, golden, "x.");
}

TEST(Linear, GradientsOfFusedOutputs) {
  Parameters parameters;
  const LinearOutput outputs[] = {{"a", 5}, {"b", 3}, {"c", 7}};
  const Linear linear(parameters, outputs, 11, true, 1.0, Precision::fp32);
  randomize(parameters, 0.3);
  expect_layer_gradients(linear, parameters, 2, 3, 11, 15);
}

TEST(Linear, WrongShapeNamesTheLayer) {
  Parameters parameters;
  const LinearOutput outputs[] = {{"some_proj", 5}};
  const Linear linear(parameters, outputs, 4, false, 1.0, Precision::fp32);
  parameters.allocate();
  std::vector<float> memory(64);
  Linear::Saved none;
  try {
    linear.forward(Tensor(memory.data(), {2, 3}), Tensor(memory.data(), {2, 5}), none);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("some_proj"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find("[2, 3]"), std::string::npos) << error.what();
  }
}

TEST(RmsNorm, Golden) {
  const Golden golden("rms_norm");
  Parameters parameters;
  const RmsNorm norm(parameters, "weight", 24, golden.number("eps"));
  load_parameters(parameters, golden);
  expect_golden(norm, parameters, golden, "");
}

TEST(RmsNorm, Gradients) {
  Parameters parameters;
  const RmsNorm norm(parameters, "weight", 13, 1e-5);
  randomize(parameters, 0.3);
  expect_layer_gradients(norm, parameters, 2, 3, 13, 13);
}

TEST(SwiGlu, Golden) {
  const Golden golden("swiglu");
  Parameters parameters;
  const SwiGlu mlp(parameters, {.name = "mlp",
                                .hidden_size = 24,
                                .intermediate_size = 40,
                                .bias = true,
                                .std = 1.0,
                                .residual_std = 1.0});
  load_parameters(parameters, golden, "mlp.");
  expect_golden<true>(mlp, parameters, golden, "mlp.");
}

TEST(SwiGlu, Gradients) {
  Parameters parameters;
  const SwiGlu mlp(parameters, {.name = "mlp",
                                .hidden_size = 7,
                                .intermediate_size = 9,
                                .bias = true,
                                .std = 1.0,
                                .residual_std = 1.0});
  randomize(parameters, 0.4);
  expect_layer_gradients(mlp, parameters, 2, 3, 7, 7);
}

AttentionConfig attention_config(int64_t hidden, int64_t heads, int64_t kv_heads, int64_t head_dim,
                                 bool bias) {
  return {.name = "attn",
          .hidden_size = hidden,
          .heads = heads,
          .kv_heads = kv_heads,
          .head_dim = head_dim,
          .bias = bias,
          .std = 1.0,
          .residual_std = 1.0};
}

class AttentionGolden : public ::testing::TestWithParam<std::string> {};

TEST_P(AttentionGolden, Golden) {
  const Golden golden(GetParam());
  const int64_t head_dim = golden.integer("head_dim");
  const auto position = rope(head_dim, 64, golden.number("rope_theta"));
  Parameters parameters;
  const SelfAttention attention(
      parameters,
      attention_config(24, golden.integer("num_attention_heads"),
                       golden.integer("num_key_value_heads"), head_dim, golden.has("q_proj.bias")),
      *position);
  load_parameters(parameters, golden, "attn.");
  expect_golden<true>(attention, parameters, golden, "attn.");
}

INSTANTIATE_TEST_SUITE_P(Files, AttentionGolden, ::testing::Values("attention", "attention_bias"));

TEST(SelfAttention, GradientsForEveryGroupSizeAndBothPositions) {
  for (const std::string name : {"rope", "none"}) {
    for (const int64_t kv_heads : {4, 2, 1}) {
      SCOPED_TRACE(name + ", kv heads " + std::to_string(kv_heads));
      Parameters parameters;
      const auto position =
          make_position(parameters, {.name = name, .head_dim = 6, .max_positions = 64});
      position->prepare(64);
      // Without a rotation the bias of k shifts all scores of a query alike: it has no gradient,
      // and what is computed is rounding.
      const bool bias = name == "rope";
      const SelfAttention attention(parameters, attention_config(10, 4, kv_heads, 6, bias),
                                    *position);
      randomize(parameters, 0.4);
      expect_layer_gradients(attention, parameters, 2, 5, 10, 10);
    }
  }
}

TEST(SelfAttention, GradientsWithDocuments) {
  Parameters parameters;
  const auto position = rope(6, 64);
  const SelfAttention attention(parameters, attention_config(10, 4, 2, 6, true), *position);
  randomize(parameters, 0.4);
  const std::vector<int32_t> starts = {0, 0, 0, 3, 3, 0, 1, 1, 1, 1};
  expect_layer_gradients(attention, parameters, 2, 5, 10, 10,
                         {.document_starts = TokenIds(starts.data(), {2, 5})});
}

TEST(Block, Golden) {
  const Golden golden("block");
  const auto position = rope(4, 64);
  Parameters parameters;
  const Block block(parameters,
                    {.name = "b",
                     .layer = 0,
                     .hidden_size = 24,
                     .intermediate_size = 40,
                     .heads = 6,
                     .kv_heads = 2,
                     .head_dim = 4,
                     .rms_norm_eps = golden.number("rms_norm_eps"),
                     .std = 1.0,
                     .residual_std = 1.0},
                    *position);
  load_parameters(parameters, golden, "b.");
  expect_golden(block, parameters, golden, "b.");
}

TEST(Block, Gradients) {
  const auto position = rope(6, 64);
  Parameters parameters;
  const Block block(parameters,
                    {.name = "b",
                     .layer = 0,
                     .hidden_size = 12,
                     .intermediate_size = 18,
                     .heads = 2,
                     .kv_heads = 1,
                     .head_dim = 6,
                     .rms_norm_eps = 1e-5,
                     .attention_bias = true,
                     .mlp_bias = true,
                     .std = 1.0,
                     .residual_std = 1.0},
                    *position);
  randomize(parameters, 0.3);
  expect_layer_gradients(block, parameters, 2, 5, 12, 12);
}

// The head alone, with memory for `rows` rows at a time.
struct HeadRun {
  Parameters parameters;
  HeadLoss head;
  Plan plan;
  HeadLoss::Saved saved;

  HeadRun(int64_t vocabulary, int64_t columns, int64_t rows) {
    head.weight =
        &parameters.add({"weight", {vocabulary, columns}}, ParameterKind::matrix, {.std = 1.0});
    parameters.allocate();
    reserve_kernel_memory();
    head.plan(plan, 1, rows);
    plan.saved.allocate("test");
    plan.scratch.allocate("test");
    saved = head.plan(plan, 1, rows);
  }
};

// The rows are in one chunk or several, the vocabulary in one block or several, whose logits are
// kept or computed again.
TEST(HeadLoss, GoldenHoweverTheLogitsAreCut) {
  const Golden golden("head_loss");
  struct Cut {
    int64_t kept, rows, columns;
  };
  for (const Cut& cut : {Cut{1, 10, 37}, Cut{1, 3, 37}, Cut{4, 3, 10}, Cut{1, 10, 10}}) {
    HeadRun run(37, 24, 10);
    ASSERT_LE(cut.kept * cut.rows * cut.columns, run.saved.logits.size());
    run.saved.logits = Tensor(run.saved.logits.data, {cut.kept, cut.rows, cut.columns});
    const std::vector<float> weight = golden.floats("weight"), x = golden.floats("x");
    std::copy(weight.begin(), weight.end(), run.head.weight->mutable_value().data);
    const std::vector<int32_t> targets = golden.ints("targets");
    std::vector<float> dx(x.size());
    const ConstTensor x_view(x.data(), {10, 24});
    const double sum = run.head.forward_backward(x_view, TokenIds(targets.data(), {1, 10}),
                                                 run.saved, 0.1f, Tensor(dx.data(), {10, 24}));
    EXPECT_NEAR(sum / 10, golden.floats("loss")[0], 1e-6 * golden.floats("loss")[0]);
    expect_near_norm(run.saved.losses, golden.floats("losses"), kForward, "losses");
    expect_near_norm(Tensor(dx.data(), {10, 24}), golden.floats("dx"), kGradient, "dx");
    expect_near_norm(run.head.weight->grad, golden.floats("dweight"), kGradient, "dweight");
  }
}

TEST(HeadLoss, GradientsByDifferences) {
  HeadRun run(9, 6, 5);
  run.parameters.initialize(1);
  std::vector<float> x = normal_values(30, "x"), dx(30);
  const std::vector<int32_t> targets = {8, 0, kIgnoredTarget, 3, 1};
  const TokenIds target_view(targets.data(), {1, 5});
  const Tensor x_view(x.data(), {5, 6}), dx_view(dx.data(), {5, 6});
  const auto loss = [&] { return run.head.forward(x_view, target_view, run.saved); };
  run.head.forward_backward(x_view, target_view, run.saved, 1.0f, dx_view);
  expect_gradient(check_gradient("x", x_view, dx_view, loss, 3));
  expect_gradient(check_gradient(*run.head.weight, loss, 3));
}

TEST(HeadLoss, TargetOutOfRangeNamesTheRow) {
  HeadRun run(9, 6, 2);
  const std::vector<float> x(12);
  for (const int32_t wrong : {9, -1, -99, -101}) {
    const std::vector<int32_t> targets = {0, wrong};
    const std::string message = error_of([&] {
      run.head.forward(ConstTensor(x.data(), {2, 6}), TokenIds(targets.data(), {1, 2}), run.saved);
    });
    EXPECT_NE(message.find("head_loss, row 1"), std::string::npos) << message;
    EXPECT_NE(message.find("expected: 0 to 8, or -100 to ignore"), std::string::npos) << message;
  }
}

TEST(Layers, RefuseSizesThatTheyCannotHave) {
  Parameters parameters;
  const auto position = make_position(parameters, {.name = "none", .head_dim = 4});
  const AttentionConfig good = {
      .name = "attn", .hidden_size = 8, .heads = 4, .kv_heads = 2, .head_dim = 4};
  const auto attention = [&](auto change) {
    AttentionConfig config = good;
    change(config);
    return error_of([&] { SelfAttention(parameters, config, *position); });
  };
  for (const std::string& message :
       {attention([](AttentionConfig& c) { c.kv_heads = 3; }),
        attention([](AttentionConfig& c) { c.kv_heads = 0; }),
        attention([](AttentionConfig& c) { c.heads = 0; }),
        attention([](AttentionConfig& c) { c.head_dim = kMaxHeadDim + 1; }),
        attention([](AttentionConfig& c) { c.memory_length = -1; })}) {
    EXPECT_TRUE(message.starts_with("attn: not possible\n  expected: heads a multiple of kv_heads"))
        << message;
  }
  EXPECT_NE(attention([](AttentionConfig& c) { c.hidden_size = 0; }).find("at least 1"),
            std::string::npos);
  EXPECT_EQ(error_of([&] { RmsNorm(parameters, "zero", 4, 0.0); }),
            "zero: eps: not possible\n  expected: more than 0\n  got: 0.000000");
  EXPECT_NE(error_of([&] { RmsNorm(parameters, "none", 0, 1e-5); }).find("none: "),
            std::string::npos);
}

}  // namespace
}  // namespace cria
