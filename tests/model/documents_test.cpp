// Sequences made of several documents: each as if it were alone.
#include <gtest/gtest.h>

#include <algorithm>

#include "support/compare.h"
#include "support/errors.h"
#include "support/golden_model.h"
#include "support/threads.h"
#include "support/tiny_model.h"

namespace cria {
namespace {

// Attention masked by an explicit [T,T] plane, and PyTorch's cross_entropy with ignored targets.
TEST(Documents, Golden) {
  const Golden golden("documents");
  Llama model(golden_config(golden));
  set_parameters(model.parameters(), golden);
  const int64_t batch = golden.shape("tokens")[0], time = golden.shape("tokens")[1];
  const std::vector<int32_t> ids = golden.ints("tokens"), next = golden.ints("targets");
  const std::vector<int32_t> starts = golden.ints("document_starts");
  const TokenIds tokens(ids.data(), {batch, time}), targets(next.data(), {batch, time});
  Activations activations(model, Purpose::training, batch, time);
  const double rows = static_cast<double>(
      std::count_if(next.begin(), next.end(), [](int32_t id) { return id != kIgnoredTarget; }));
  const Pass pass = {.document_starts = TokenIds(starts.data(), {batch, time}),
                     .gradient_scale = static_cast<float>(1 / rows)};
  const double loss = model.loss_and_gradient(activations, tokens, targets, pass);
  const double want = golden.floats("loss")[0];
  EXPECT_NEAR(loss / rows, want, 1e-6 * want);
  EXPECT_EQ(model.loss_sum(activations, tokens, targets, pass), loss);
  for (const Parameter& slot : model.parameters().slots()) {
    expect_near_norm(slot.grad, golden.floats("grad." + slot.name), 1e-5, slot.name);
  }
}

// Two sequences of 110 tokens, cut into documents of these lengths.
struct Packed {
  static constexpr int64_t kBatch = 2, kTime = 110;
  std::vector<std::vector<int64_t>> lengths = {{40, 1, 55, 1, 1, 12}, {97, 13}};
  std::vector<int32_t> ids = random_ids(kBatch * kTime, 37, "tokens");
  std::vector<int32_t> next = random_ids(kBatch * kTime, 37, "targets");
  std::vector<int32_t> starts;

  Packed() {
    for (size_t n = 3; n < next.size(); n += 7) next[n] = kIgnoredTarget;
    each([&](int64_t, int64_t begin, int64_t length) {
      starts.insert(starts.end(), length, static_cast<int32_t>(begin));
    });
  }

  // visit(sequence, place of the first token in it, length) for each document.
  template <class Visit>
  void each(Visit&& visit) const {
    for (size_t b = 0; b < lengths.size(); ++b) {
      int64_t begin = 0;
      for (const int64_t length : lengths[b]) {
        visit(static_cast<int64_t>(b), begin, length);
        begin += length;
      }
    }
  }

  TokenIds tokens() const { return TokenIds(ids.data(), {kBatch, kTime}); }
  TokenIds targets() const { return TokenIds(next.data(), {kBatch, kTime}); }
  TokenIds document_starts() const { return TokenIds(starts.data(), {kBatch, kTime}); }
};

class DocumentsWithPosition : public ::testing::TestWithParam<std::string> {};

INSTANTIATE_TEST_SUITE_P(Families, DocumentsWithPosition, ::testing::ValuesIn(position_names()));

// Both are rounded, each to what the golden files allow a pass: 1e-6 of the loss and 1e-5 of a
// gradient's norm. A document that saw a token of another would be off by far more than 1e-2.
TEST_P(DocumentsWithPosition, PackedAreThoseAlone) {
  const Packed data;
  Llama model(position_config(GetParam(), 2, false));
  model.initialize(1);
  Activations activations(model, Purpose::training, data.kBatch, data.kTime);
  double alone = 0;
  data.each([&](int64_t b, int64_t begin, int64_t length) {
    const int64_t n = b * data.kTime + begin;
    alone +=
        model.loss_and_gradient(activations, TokenIds(&data.ids[n], {1, length}),
                                TokenIds(&data.next[n], {1, length}), {.gradient_scale = 0.01f});
  });
  const float* gradients = model.parameters().grad();
  const std::vector<float> want(gradients, gradients + model.parameters().plane_size());
  const double whole = model.loss_sum(activations, data.tokens(), data.targets());
  EXPECT_GT(std::abs(whole - alone), 1e-4 * alone);

  model.parameters().zero_gradients();
  const Pass pass = {.document_starts = data.document_starts(), .gradient_scale = 0.01f};
  const double packed = model.loss_and_gradient(activations, data.tokens(), data.targets(), pass);
  EXPECT_NEAR(packed, alone, 2e-6 * alone);
  Activations evaluation(model, Purpose::evaluation, data.kBatch, data.kTime);
  EXPECT_EQ(model.loss_sum(evaluation, data.tokens(), data.targets(), pass), packed);
  for (const Parameter& slot : model.parameters().slots()) {
    const float* expected = want.data() + (slot.grad.data - gradients);
    expect_near_norm(slot.grad, {expected, expected + slot.grad.size()}, 2e-5, slot.name);
  }
}

TEST_P(DocumentsWithPosition, SameBitsForAnyNumberOfThreads) {
  const Packed data;
  std::vector<float> first;
  for (const int threads : {1, 2, 3}) {
    const ThreadCount count(threads);
    ModelConfig config = position_config(GetParam(), 2, false);
    config.attention_dropout = 0.1;
    Llama model(config);
    model.initialize(1);
    Activations activations(model, Purpose::training, data.kBatch, data.kTime);
    model.loss_and_gradient(activations, data.tokens(), data.targets(),
                            {.document_starts = data.document_starts(),
                             .randomness = {.seed = 1, .pass = 2, .active = true},
                             .gradient_scale = 0.01f});
    const float* begin = model.parameters().grad();
    const std::vector<float> gradients(begin, begin + model.parameters().plane_size());
    if (first.empty()) first = gradients;
    EXPECT_TRUE(same_bits(gradients, first)) << threads << " threads";
  }
}

// A pass is told of its documents, and no later one keeps them.
TEST(Documents, ArePartOfOnePass) {
  const Packed data;
  Llama model(position_config("learned", 2, false));
  model.initialize(1);
  Activations activations(model, Purpose::training, data.kBatch, data.kTime);
  const double whole = model.loss_sum(activations, data.tokens(), data.targets());
  const Pass pass = {.document_starts = data.document_starts()};
  EXPECT_NE(model.loss_sum(activations, data.tokens(), data.targets(), pass), whole);
  EXPECT_EQ(model.loss_sum(activations, data.tokens(), data.targets()), whole);
}

TEST(Documents, NothingToLearnFrom) {
  const TokenBatch data(1, 5, 37);
  const std::vector<int32_t> none(5, kIgnoredTarget);
  Llama model(tiny_config());
  model.initialize(1);
  Activations activations(model, Purpose::training, 1, 5);
  EXPECT_EQ(model.loss_and_gradient(activations, data.inputs(), TokenIds(none.data(), {1, 5}), {}),
            0);
  const float* gradients = model.parameters().grad();
  EXPECT_TRUE(std::all_of(gradients, gradients + model.parameters().plane_size(),
                          [](float gradient) { return gradient == 0; }));
}

template <class Work>
void expect_error(Work&& work, const std::vector<std::string>& parts) {
  const std::string message = error_of(work);
  for (const std::string& part : parts) {
    EXPECT_NE(message.find(part), std::string::npos) << "'" << part << "' in: " << message;
  }
}

TEST(Documents, WhatIsNotAllowed) {
  ModelConfig config = position_config("transformer_xl", 2, false);
  config.memory_length = 4;
  Llama model(config);
  model.initialize(1);
  const TokenBatch data(2, 3, 37);
  Activations activations(model, Purpose::training, 2, 3), cached(model, Purpose::generation, 2, 3);
  const auto run = [&](const std::vector<int32_t>& starts, int64_t time, Activations& in,
                       SegmentMemory* segments = nullptr) {
    model.forward(in, data.inputs(),
                  {.document_starts = TokenIds(starts.data(), {2, time}), .segments = segments});
  };
  EXPECT_NO_THROW(run({0, 1, 1, 0, 0, 2}, 3, activations));
  const std::string place = "document_starts, sequence 1, position ";
  expect_error(
      [&] {
        run({0, 0, 0, 0, 2, 2}, 3, activations);
      },
      {place + "1", "expected: 0 to 1", "got: 2"});
  expect_error(
      [&] {
        run({0, 0, 0, 0, 1, 0}, 3, activations);
      },
      {place + "2", "expected: 1 to 2", "got: 0"});
  expect_error([&] { run({0, 0, 0, -1, 0, 0}, 3, activations); }, {place + "0", "got: -1"});
  expect_error([&] { run({0, 0, 0, 0}, 2, activations); }, {"document_starts", "[2, 3]", "[2, 2]"});
  expect_error([&] { run({0, 0, 0, 0, 0, 0}, 3, cached); }, {"document_starts", "got: a cache"});
  SegmentMemory segments(config, 2);
  expect_error(
      [&] {
        run({0, 0, 0, 0, 0, 0}, 3, activations, &segments);
      },
      {"document_starts", "got: a segment memory", "hint"});
}

}  // namespace
}  // namespace cria
