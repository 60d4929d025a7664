// What goes on in a model, against PyTorch (tests/golden/diagnostics.py) and naive loops.
#include "inspect/diagnostics.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "cria/data/dataset.h"
#include "support/errors.h"
#include "support/golden_model.h"
#include "support/threads.h"
#include "support/tiny_model.h"
#include "support/tiny_run.h"

namespace cria {
namespace {

// A model and a pass of a golden file.
struct GoldenPass {
  Golden golden;
  Llama model;
  std::vector<int32_t> ids, next, starts;
  int64_t batch, time;

  explicit GoldenPass(const std::string& name)
      : golden(name),
        model(golden_config(golden)),
        ids(golden.ints("tokens")),
        next(golden.ints("targets")),
        batch(golden.shape("tokens")[0]),
        time(golden.shape("tokens")[1]) {
    set_parameters(model.parameters(), golden);
    if (golden.has("document_starts")) starts = golden.ints("document_starts");
  }
  TokenIds tokens() const { return TokenIds(ids.data(), {batch, time}); }
  TokenIds document_starts() const {
    return starts.empty() ? TokenIds() : TokenIds(starts.data(), {batch, time});
  }
  // Of sequences first .. first + count, of the mean over all positions.
  double run(Activations& memory, int64_t first, int64_t count) const {
    const TokenIds targets(next.data(), {batch, time});
    const float scale = 1.0f / static_cast<float>(batch * time);
    return model.loss_and_gradient(
        memory, tokens().narrow(0, first, count), targets.narrow(0, first, count),
        {.document_starts = starts.empty() ? TokenIds() : document_starts().narrow(0, first, count),
         .gradient_scale = scale});
  }
};

void expect_gradient(const TableGradient& g, const Golden& golden) {
  const auto expect = [&](const char* part, double l1, double l2) {
    const Json want = golden.setting(part);
    EXPECT_NEAR(l1, want.as_array(part)[0].as_double(part), 1e-5 * l1) << part;
    EXPECT_NEAR(l2, want.as_array(part)[1].as_double(part), 1e-5 * l2) << part;
  };
  expect("lookup", g.lookup_l1, g.lookup_l2);
  expect("head", g.head_l1, g.head_l2);
  EXPECT_NEAR(g.cosine, golden.number("gradient_cosine"), 1e-5);
}

// Tied: both parts are in one gradient, of one pass or of micro-batches.
TEST(TableGradient, AgreesWithPyTorch) {
  GoldenPass pass("diagnostics");
  Activations memory(pass.model, Purpose::training, pass.batch, pass.time);
  TableGradientParts parts(pass.model);
  pass.run(memory, 0, 2);
  parts.add(memory, pass.tokens());
  expect_gradient(parts.take(), pass.golden);
  pass.model.parameters().zero_gradients();
  for (int64_t sequence = 0; sequence < 2; ++sequence) {
    pass.run(memory, sequence, 1);
    parts.add(memory, pass.tokens().narrow(0, sequence, 1));
  }
  expect_gradient(parts.take(), pass.golden);
}

// Untied, each is the gradient of a table; with every option of the lookup, tied again, the parts
// are those of a model that has two tables with the same rows.
TEST(TableGradient, OfTwoTablesAndOfOne) {
  ModelConfig config = position_config("rope", 2, true);
  config.embedding_scale = 2;
  config.embedding_norm = true;
  config.embedding.scale_grad_by_freq = true;
  config.embedding.padding_idx = 3;
  Llama tied(config);
  config.tie_word_embeddings = false;
  Llama untied(config);
  tied.initialize(1);
  for (Parameter& slot : untied.parameters().slots()) {
    const ConstTensor& value = tied.parameters().find(slot.name)->value;
    std::copy_n(value.data, value.size(), slot.mutable_value().data);
  }
  const TokenBatch tokens(2, 30, config.vocab_size);
  const auto gradient = [&](Llama& model) {
    Activations memory(model, Purpose::training, 2, 30);
    TableGradientParts parts(model);
    model.loss_and_gradient(memory, tokens.inputs(), tokens.targets(), {});
    parts.add(memory, tokens.inputs());
    return parts.take();
  };
  const TableGradient two = gradient(untied), one = gradient(tied);
  double l1 = 0, squares = 0;
  const Tensor& table = untied.embed_tokens().weight->grad;
  for (int64_t i = 0; i < table.size(); ++i) {
    l1 += std::abs(static_cast<double>(table.data[i]));
    squares += std::pow(static_cast<double>(table.data[i]), 2);
  }
  EXPECT_NEAR(two.lookup_l1, l1, 1e-12 * l1);
  EXPECT_NEAR(two.lookup_l2, std::sqrt(squares), 1e-12 * std::sqrt(squares));
  EXPECT_NEAR(one.lookup_l1, two.lookup_l1, 1e-5 * two.lookup_l1);
  EXPECT_NEAR(one.lookup_l2, two.lookup_l2, 1e-5 * two.lookup_l2);
  EXPECT_NEAR(one.head_l1, two.head_l1, 1e-5 * two.head_l1);
  EXPECT_NEAR(one.head_l2, two.head_l2, 1e-5 * two.head_l2);
  EXPECT_NEAR(one.cosine, two.cosine, 1e-5);
}

TEST(TableGradient, AFrozenTableHasNone) {
  ModelConfig config = tiny_config();
  config.embedding.freeze = true;
  config.tie_word_embeddings = true;
  Llama model(config);
  model.initialize(1);
  const TokenBatch tokens(1, 9, config.vocab_size);
  Activations memory(model, Purpose::training, 1, 9);
  TableGradientParts parts(model);
  model.loss_and_gradient(memory, tokens.inputs(), tokens.targets(), {});
  parts.add(memory, tokens.inputs());
  const TableGradient g = parts.take();
  EXPECT_EQ(g.lookup_l1 + g.head_l1, 0);
  EXPECT_TRUE(std::isnan(g.cosine));
}

TEST(PassStatistics, AgreeWithPyTorch) {
  GoldenPass pass("diagnostics");
  Activations memory(pass.model, Purpose::training, pass.batch, pass.time);
  const double rows = static_cast<double>(pass.batch * pass.time);
  EXPECT_NEAR(pass.run(memory, 0, 2) / rows, pass.golden.number("loss"), 1e-6);
  const PassStatistics s = pass_statistics(pass.model, memory, pass.tokens(), {});
  EXPECT_EQ(s.positions, pass.batch * pass.time) << "all of them";
  const auto expect = [&](double got, const char* name) {
    const double want = pass.golden.number(name);
    EXPECT_NEAR(got, want, 1e-5 * std::abs(want)) << name;
  };
  expect(s.logit_mean, "logit_mean");
  expect(s.logit_max, "logit_max");
  expect(s.log_z, "log_z");
  expect(s.entropy, "entropy");
  expect(s.self_logit, "self_logit");
  for (size_t layer = 0; layer < 2; ++layer) {
    const auto expect_layer = [&](double got, const char* name) {
      const double want = pass.golden.setting(name).as_array(name)[layer].as_double(name);
      EXPECT_NEAR(got, want, 1e-5 * std::abs(want)) << name << layer;
    };
    expect_layer(s.attention_max[layer], "attention_max");
    expect_layer(s.lens_kl[layer], "lens_kl");
  }
}

// A query sees its document only, so the largest score is that of the documents one by one.
TEST(PassStatistics, DocumentsKeptApart) {
  GoldenPass pass("documents");
  Activations memory(pass.model, Purpose::training, pass.batch, pass.time);
  pass.run(memory, 0, pass.batch);
  const PassStatistics s =
      pass_statistics(pass.model, memory, pass.tokens(), pass.document_starts());
  std::vector<double> largest(s.attention_max.size(), -INFINITY);
  for (int64_t b = 0; b < pass.batch; ++b) {
    for (int64_t begin = 0, end; begin < pass.time; begin = end) {
      const auto row = pass.starts.begin() + b * pass.time;
      end = begin;
      while (end < pass.time && row[end] == begin) ++end;
      const TokenIds alone(&pass.tokens()(b, begin), {1, end - begin});
      Activations own(pass.model, Purpose::training, 1, end - begin);
      pass.model.forward(own, alone);
      const PassStatistics part = pass_statistics(pass.model, own, alone, {});
      for (size_t l = 0; l < largest.size(); ++l) {
        largest[l] = std::max(largest[l], part.attention_max[l]);
      }
    }
  }
  for (size_t l = 0; l < largest.size(); ++l) {
    EXPECT_NEAR(s.attention_max[l], largest[l], 1e-5 * std::abs(largest[l])) << l;
  }
}

TEST(PassStatistics, OfASample) {
  const ModelConfig config = tiny_config();
  Llama model(config);
  model.initialize(1);
  const TokenBatch tokens(2, 100, config.vocab_size);
  Activations memory(model, Purpose::training, 2, 100);
  model.forward(memory, tokens.inputs());
  PassStatistics all, few;
  for (const int threads : {1, 2, 3}) {
    const ThreadCount scope(threads);
    reserve_kernel_memory();
    const PassStatistics a = pass_statistics(model, memory, tokens.inputs(), {});
    const PassStatistics f = pass_statistics(model, memory, tokens.inputs(), {}, 50);
    if (threads == 1) {
      all = a;
      few = f;
    }
    EXPECT_EQ(a, all) << threads << " threads";
    EXPECT_EQ(f, few) << threads << " threads";
  }
  EXPECT_EQ(all.positions, 200);
  EXPECT_EQ(few.positions, 50);
  EXPECT_NE(all.log_z, few.log_z);
  EXPECT_NEAR(all.log_z, few.log_z, 0.1);
}

TEST(PassStatistics, NeedsWhatTrainingKeeps) {
  Llama model(tiny_config());
  const TokenBatch tokens(1, 5, 37);
  Activations memory(model, Purpose::evaluation, 1, 5);
  model.forward(memory, tokens.inputs());
  EXPECT_TRUE(contains(error_of([&] { pass_statistics(model, memory, tokens.inputs(), {}); }),
                       "make them for Purpose::training"));
}

// The model is only read.
TEST(Diagnostics, ChangeNothing) {
  for (const bool tied : {false, true}) {
    ModelConfig config = position_config("t5", 2, tied);
    config.embedding.max_norm = 0.3;
    Llama model(config);
    model.initialize(1);
    const TokenBatch tokens(2, 30, config.vocab_size);
    Activations memory(model, Purpose::training, 2, 30);
    TableGradientParts parts(model);
    const double loss = model.loss_and_gradient(memory, tokens.inputs(), tokens.targets(), {});
    const Parameters& p = model.parameters();
    const std::vector<float> values(p.value(), p.value() + p.plane_size());
    const std::vector<float> gradients(p.grad(), p.grad() + p.plane_size());
    parts.add(memory, tokens.inputs());
    const Diagnostics d = diagnose(model, memory, tokens.inputs(), {},
                                   FrequencyDeciles(std::vector<int64_t>(37, 1)), parts, loss / 60);
    EXPECT_TRUE(std::equal(values.begin(), values.end(), p.value()));
    EXPECT_TRUE(std::equal(gradients.begin(), gradients.end(), p.grad()));
    EXPECT_EQ(d.head.has_value(), !tied);
    EXPECT_EQ(d.alignment.has_value(), !tied);
    EXPECT_DOUBLE_EQ(d.ln_v, std::log(37.0));
  }
}

TEST(Diagnostics, OnADataset) {
  const TinyRun run;
  ModelConfig config = run.config("run").model;
  config = resolved(config, 12, "test");
  Llama model(config);
  model.initialize(1);
  const Dataset dataset(run.directory() / "train_*.bin", ShardFormat::llmc, kTinyVocabulary);
  const DatasetDiagnostics d = diagnose_on(model, dataset, {.sequences = 7, .length = 12});
  EXPECT_EQ(d.sequences, 7);
  EXPECT_EQ(d.length, 12);
  // By hand: windows 0, 2, 5, ... of 17.
  Activations memory(model, Purpose::evaluation, 1, 12);
  double loss = 0;
  std::vector<int32_t> inputs(12), targets(12);
  for (int64_t i = 0; i < 7; ++i) {
    dataset.read(dataset.training_window(i * dataset.training_windows(12) / 7, 12, 0),
                 inputs.data(), targets.data());
    loss +=
        model.loss_sum(memory, TokenIds(inputs.data(), {1, 12}), TokenIds(targets.data(), {1, 12}));
  }
  EXPECT_NEAR(d.diagnostics.loss, loss / (7 * 12), 1e-6);
  int64_t targets_counted = 0;
  double sum = 0;
  for (int g = 0; g < FrequencyDeciles::kGroups; ++g) {
    if (d.losses.count(g) == 0) continue;
    targets_counted += d.losses.count(g);
    sum += d.losses.mean(g) * static_cast<double>(d.losses.count(g));
  }
  EXPECT_EQ(targets_counted, 7 * 12);
  EXPECT_NEAR(sum, loss, 1e-4);
  // Longer than any shard: as long as the longest has it.
  EXPECT_EQ(diagnose_on(model, dataset, {.sequences = 1, .length = 500}).length, 130);
  write_shard(run.directory() / "one.bin", {3});
  const Dataset one(run.directory() / "one.bin", ShardFormat::llmc, kTinyVocabulary);
  EXPECT_TRUE(contains(error_of([&] { diagnose_on(model, one, {.sequences = 1, .length = 5}); }),
                       "no token to predict"));
}

TEST(Diagnostics, NumbersHaveNames) {
  NamedNumbers numbers;
  append(numbers, "a", 1);
  append(numbers, "b", NAN);
  append(numbers, "c", INFINITY);
  EXPECT_EQ(numbers, (NamedNumbers{{"a", 1}}));
  GroupMeans losses;
  const std::vector<int32_t> targets = {0, kIgnoredTarget, 1};
  const std::vector<float> each = {2, 0, 4};
  add_losses(losses, FrequencyDeciles(std::vector<int64_t>{5, 0}), TokenIds(targets.data(), {1, 3}),
             ConstTensor(each.data(), {3}));
  EXPECT_EQ(loss_by_decile(losses),
            (NamedNumbers{{"diag_val_loss/decile_1", 2}, {"diag_val_loss/unseen", 4}}));
}

}  // namespace
}  // namespace cria
