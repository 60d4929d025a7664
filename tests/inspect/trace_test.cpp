// What a trace shows is what the model computes: parts add up, and the ends are the model's.
#include "inspect/trace.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "cria/kernels/kernels.h"
#include "position/distance_bias.h"
#include "support/errors.h"
#include "support/tiny_model.h"
#include "support/tiny_run.h"

namespace cria {
namespace {

// The last 7 of the model's 37 tokens are padding.
std::unique_ptr<Tokenizer> letters() {
  std::vector<uint32_t> characters;
  for (uint32_t c = 'A'; c < 'A' + 30; ++c) characters.push_back(c);
  return make_char_tokenizer(characters);
}

constexpr const char* kText = "ABCAZABBA";
constexpr int64_t kTime = 9;

ModelConfig any_position(const std::string& name) {
  return position_config(name, 2, false);
}

Trace trace_of(const ModelConfig& config, const std::string& text = kText) {
  Llama model(config);
  model.initialize(1);
  return trace(model, *letters(), text);
}

bool is_zero(const TracedTensor& x) {
  return std::ranges::all_of(x.values, [](float value) { return value == 0; });
}

double norm(std::span<const float> x) {
  double squares = 0;
  for (const float value : x) squares += static_cast<double>(value) * static_cast<double>(value);
  return std::sqrt(squares);
}

// Each of the parts was rounded once, and so was their sum: of numbers below 100 here.
void expect_sum(const std::vector<const TracedTensor*>& parts, const TracedTensor& want) {
  ASSERT_FALSE(want.values.empty());
  for (size_t i = 0; i < want.values.size(); ++i) {
    float sum = 0;
    for (const TracedTensor* part : parts) {
      ASSERT_EQ(part->shape, want.shape);
      sum += part->values[i];
    }
    ASSERT_NEAR(sum, want.values[i], 2e-5) << i;
  }
}

class EveryTrace : public ::testing::TestWithParam<std::string> {};

INSTANTIATE_TEST_SUITE_P(Families, EveryTrace, ::testing::ValuesIn(position_names()));

TEST_P(EveryTrace, PartsAddUpToTheResidualStream) {
  ModelConfig config = any_position(GetParam());
  config.embedding_scale = 3;
  Llama model(config);
  model.initialize(1);
  const Trace t = trace(model, *letters(), kText);
  EXPECT_EQ(t.ids, (std::vector<int32_t>{0, 1, 2, 0, 25, 0, 1, 1, 0}));
  EXPECT_EQ(t.tokens[4], "Z");
  EXPECT_EQ(t.table_shape, (std::vector<int64_t>{37, 24}));
  EXPECT_EQ(t.rows.shape, (std::vector<int64_t>{1, kTime, 24}));
  const ConstTensor& table = model.embed_tokens().weight->value;
  for (int64_t i = 0; i < kTime; ++i) {
    for (int64_t c = 0; c < 24; ++c) {
      ASSERT_EQ(t.rows.row(i)[c], table(t.ids[i], c));
      ASSERT_EQ(t.embedded.row(i)[c], 3 * table(t.ids[i], c));
    }
  }
  expect_sum({&t.embedded, &t.added}, t.sum);
  EXPECT_EQ(t.input, t.sum);
  ASSERT_EQ(t.blocks.size(), 2u);
  EXPECT_EQ(t.blocks[0].x, t.input);
  for (size_t l = 0; l < 2; ++l) {
    const TracedBlock& block = t.blocks[l];
    EXPECT_FALSE(is_zero(block.attention) || is_zero(block.mlp));
    expect_sum({&block.x, &block.attention, &block.mlp}, l == 0 ? t.blocks[1].x : t.output);
  }
}

// exp(score - log_sum_exp) of the pass is a distribution only if the terms are those of the kernel.
TEST_P(EveryTrace, WeightsOfEachHeadSumToOne) {
  for (const std::string text : {"Q", kText}) {
    const TracedTensor weights = trace_of(any_position(GetParam()), text).scores.weights;
    ASSERT_EQ(weights.shape, (std::vector<int64_t>{4, static_cast<int64_t>(text.size())}));
    for (int64_t h = 0; h < 4; ++h) {
      double sum = 0;
      for (const float weight : weights.row(h)) sum += static_cast<double>(weight);
      EXPECT_NEAR(sum, 1, 1e-5) << "head " << h;
    }
  }
}

TEST_P(EveryTrace, NextTokensAreTheModelsOwn) {
  Llama model(any_position(GetParam()));
  model.initialize(1);
  const Trace t = trace(model, *letters(), kText);
  Activations activations(model, Purpose::generation, 1, kTime);
  const ConstTensor logits = model.next_logits(activations, TokenIds(t.ids.data(), {1, kTime}));
  std::vector<float> probabilities(logits.data, logits.data + 37);
  kernels().softmax(1, 37, probabilities.data());
  ASSERT_EQ(t.next.size(), 37u);
  for (size_t i = 0; i < 37; ++i) {
    const NextToken& next = t.next[i];
    // Logits are sums of 24 products, of about 1 in all.
    EXPECT_NEAR(next.logit, logits.data[next.id], 1e-5);
    EXPECT_NEAR(next.probability, probabilities[next.id], 1e-6);
    if (i > 0) {
      EXPECT_GE(t.next[i - 1].logit, next.logit);
    }
    const auto text = next.id < 30 ? std::optional(std::string(1, static_cast<char>('A' + next.id)))
                                   : std::nullopt;
    EXPECT_EQ(next.text, text);
  }
}

struct Moments {
  bool embedding = false, q = false, k = false, keys = false, queries = false, bias = false;
  bool operator==(const Moments&) const = default;
};

TEST_P(EveryTrace, TheEncodingActsAtItsMoments) {
  const std::map<std::string, Moments> all = {
      {"rope", {.q = true, .k = true}},
      {"learned", {.embedding = true}},
      {"sinusoidal", {.embedding = true}},
      {"alibi", {.bias = true}},
      {"t5", {.bias = true}},
      {"transformer_xl", {.q = true, .keys = true, .bias = true}},
      {"deberta", {.keys = true, .queries = true}},
      {"none", {}},
  };
  const Trace t = trace_of(any_position(GetParam()));
  const auto has = [](const TracedTensor& term) {
    return term.shape == std::vector<int64_t>{4, kTime} && !is_zero(term);
  };
  const Moments got = {.embedding = !is_zero(t.added),
                       .q = t.q != t.q_before,
                       .k = t.k != t.k_before,
                       .keys = has(t.scores.keys),
                       .queries = has(t.scores.queries),
                       .bias = has(t.scores.bias)};
  ASSERT_TRUE(all.contains(GetParam()));
  EXPECT_EQ(got, all.at(GetParam()));
  EXPECT_EQ(t.q.shape, (std::vector<int64_t>{1, kTime, 4, 6}));
  EXPECT_EQ(t.k.shape, (std::vector<int64_t>{1, kTime, 2, 6}));
  const std::map<std::string, double> scales = {{"t5", 1}, {"deberta", 1 / std::sqrt(18.0)}};
  const auto scale = scales.find(GetParam());
  EXPECT_NEAR(t.scores.scale, scale == scales.end() ? 1 / std::sqrt(6.0) : scale->second, 1e-7);
}

// The layers' weights are those of the terms above; the model's own answer is that of its passes.
// Tolerances: log_sum_exp and logits are fp32 of a few units, in sums of another order.
TEST_P(EveryTrace, LayersAgreeWithTheModel) {
  Llama model(any_position(GetParam()));
  model.initialize(1);
  EXPECT_TRUE(trace(model, *letters(), kText).layers.empty());
  const Trace t = trace(model, *letters(), kText, 0, /*layers=*/true);
  ASSERT_EQ(t.layers.size(), 2u);
  for (const TracedLayer& layer : t.layers) {
    ASSERT_EQ(layer.weights.shape, (std::vector<int64_t>{4, kTime, kTime}));
    for (int64_t row = 0; row < 4 * kTime; ++row) {
      double sum = 0;
      for (int64_t key = 0; key < kTime; ++key) {
        const double weight = static_cast<double>(layer.weights.row(row)[key]);
        sum += weight;
        if (key > row % kTime) {
          EXPECT_EQ(weight, 0);
        }
      }
      EXPECT_NEAR(sum, 1, 1e-5);
    }
  }
  for (int64_t head = 0; head < 4; ++head) {
    EXPECT_TRUE(std::ranges::equal(t.layers[0].weights.row(head * kTime + kTime - 1),
                                   t.scores.weights.row(head)));
  }
  ASSERT_EQ(t.guesses.size(), static_cast<size_t>(kTime));
  EXPECT_EQ(t.guesses.back().id, t.next[0].id);
  EXPECT_NEAR(t.guesses.back().probability, t.next[0].probability, 1e-6);
  EXPECT_EQ(t.guesses.back().loss, 0);
  Activations activations(model, Purpose::training, 1, kTime - 1);
  model.loss_sum(activations, TokenIds(t.ids.data(), {1, kTime - 1}),
                 TokenIds(t.ids.data() + 1, {1, kTime - 1}));
  for (int64_t i = 0; i + 1 < kTime; ++i) {
    EXPECT_NEAR(t.guesses[i].loss, activations.losses()(i), 1e-5) << i;
  }
}

// Norm and head of the embedding alone, by hand.
TEST(TraceTest, TheLensBeforeTheBlocksIsOfTheInput) {
  Llama model(any_position("none"));
  model.initialize(1);
  const Trace t = trace(model, *letters(), kText, 0, /*layers=*/true);
  const ConstTensor& head = model.lm_head().weight->value;
  for (int64_t i = 0; i + 1 < kTime; ++i) {
    double squares = 0, total = 0;
    for (const float x : t.input.row(i)) squares += static_cast<double>(x) * x / 24;
    std::vector<double> logits(37);
    for (int64_t id = 0; id < 37; ++id) {
      for (int64_t c = 0; c < 24; ++c) {
        logits[id] += static_cast<double>(head(id, c)) * t.input.row(i)[c] /
                      std::sqrt(squares + model.config().rms_norm_eps);
      }
      total += std::exp(logits[id]);
    }
    const auto best = std::ranges::max_element(logits);
    const TracedGuess& guess = t.layers[0].guesses[i];
    EXPECT_EQ(guess.id, best - logits.begin());
    EXPECT_NEAR(guess.probability, std::exp(*best) / total, 1e-6);
    EXPECT_NEAR(guess.loss, std::log(total) - logits[t.ids[i + 1]], 1e-5);
  }
}

TEST(TraceTest, LearnedPositionsAreTheRowsAdded) {
  Llama model(any_position("learned"));
  model.initialize(1);
  const Trace t = trace(model, *letters(), kText);
  const ConstTensor& table = model.parameters().find("model.embed_positions.weight")->value;
  for (int64_t i = 0; i < kTime; ++i) {
    for (int64_t c = 0; c < 24; ++c) EXPECT_NEAR(t.added.row(i)[c], table(i, c), 1e-7);
  }
}

// Position 0 stays where it is; all others turn, at their length.
TEST(TraceTest, RopeTurns) {
  const Trace t = trace_of(any_position("rope"));
  for (int64_t r = 0; r < kTime * 4; ++r) {
    EXPECT_NEAR(norm(t.q.row(r)), norm(t.q_before.row(r)), 1e-6);
    EXPECT_EQ(std::ranges::equal(t.q.row(r), t.q_before.row(r)), r < 4) << r;
  }
}

TEST(TraceTest, AlibiGrowsWithDistance) {
  const Trace t = trace_of(any_position("alibi"));
  const std::vector<double> slopes = alibi_slopes(4);
  for (int64_t h = 0; h < 4; ++h) {
    for (int64_t j = 0; j < kTime; ++j) {
      EXPECT_FLOAT_EQ(t.scores.bias.row(h)[j],
                      static_cast<float>(-slopes[h] * static_cast<double>(kTime - 1 - j)));
    }
  }
}

TEST(TraceTest, NormOfTheInputAndOfTheOutput) {
  ModelConfig config = any_position("sinusoidal");
  config.embedding_norm = true;
  const Trace t = trace_of(config);
  EXPECT_NE(t.input, t.sum);
  expect_sum({&t.embedded, &t.added}, t.sum);
  // Weights are 1 at first, so the root of the mean square is 1: the norm is that of 24 ones. eps,
  // 1e-5, is small against the mean squares here.
  for (int64_t i = 0; i < kTime; ++i) {
    EXPECT_NEAR(norm(t.input.row(i)), std::sqrt(24.0), 1e-3);
    EXPECT_NEAR(norm(t.normed.row(i)), std::sqrt(24.0), 1e-3);
  }
}

TEST(TraceTest, LongerThanTrained) {
  const Trace t = trace_of(any_position("rope"), std::string(150, 'L'));
  EXPECT_EQ(t.output.shape, (std::vector<int64_t>{1, 150, 24}));
}

TEST(TraceTest, Refuses) {
  EXPECT_NE(error_of([] { trace_of(any_position("rope"), ""); }).find("the text is empty"),
            std::string::npos);
  const std::string unknown = error_of([] { trace_of(any_position("rope"), "AB!"); });
  EXPECT_NE(unknown.find("the text at byte 2: character '!'"), std::string::npos) << unknown;
  const std::string longer =
      error_of([] { trace_of(any_position("learned"), std::string(121, 'A')); });
  EXPECT_NE(longer.find("learned positions end at 120"), std::string::npos) << longer;
}

// What the first layer shows of one block, the second shows of the next.
TEST_P(EveryTrace, AnyLayerIsOpenedUp) {
  Llama model(any_position(GetParam()));
  model.initialize(1);
  const auto tokenizer = letters();
  const Trace first = trace(model, *tokenizer, kText), second = trace(model, *tokenizer, kText, 1);
  EXPECT_EQ(first.layer, 0);
  EXPECT_EQ(second.layer, 1);
  EXPECT_EQ(second.output, first.output);
  EXPECT_NE(second.q.values, first.q.values);
  EXPECT_NE(second.scores.weights.values, first.scores.weights.values);
  for (int64_t h = 0; h < 4; ++h) {
    double sum = 0;
    for (const float weight : second.scores.weights.row(h)) sum += static_cast<double>(weight);
    EXPECT_NEAR(sum, 1, 1e-5);
  }
  for (const int64_t layer : {-1, 2}) {
    EXPECT_EQ(error_of([&] { trace(model, *tokenizer, kText, layer); }),
              "trace: layer: no such layer\n  expected: 0 to 1\n  got: " + std::to_string(layer));
  }
}

TEST(Trace, HowFarThePositionDrownsTheToken) {
  EXPECT_EQ(trace_of(any_position("rope")).position_to_token(), 0);
  ModelConfig config = any_position("sinusoidal");
  config.initializer_range = 0.01;
  // Sines and cosines of 12 angles have the norm sqrt(12), 24 numbers of N(0, 0.01^2) about 0.049;
  // these norms differ by one part in sqrt(48): by 10, of a ratio of 71, if all tokens were one.
  const double ratio = trace_of(config).position_to_token();
  EXPECT_NEAR(ratio, std::sqrt(12.0) / (0.01 * std::sqrt(24.0)), 15);
  config.embedding_scale = 100;
  EXPECT_NEAR(trace_of(config).position_to_token(), ratio / 100, 1e-4);
}

}  // namespace
}  // namespace cria
