// data.loss_mask: tokens that are read and not learned.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "cria/data/dataset.h"
#include "cria/exchange/load_model.h"
#include "support/tiny_run.h"

namespace cria {
namespace {

class LossMask : public ::testing::Test {
 protected:
  // is_learned(shard's token).
  template <class IsLearned>
  void write_masks(IsLearned&& is_learned) const {
    for (const char* const name : {"train_0", "train_1", "val_0"}) {
      const std::string shard = run_.directory() / (std::string(name) + ".bin");
      std::string mask(static_cast<size_t>(Shard(shard, ShardFormat::llmc).tokens()), '\0');
      for (size_t i = 0; i < mask.size(); ++i) mask[i] = is_learned(i) ? 1 : 0;
      write_file(mask_path(shard), mask);
    }
  }
  RunConfig config(const std::string& name, bool masked = true) const {
    RunConfig config = run_.config(name);
    config.data.loss_mask = masked;
    return config;
  }
  std::string weights(const RunConfig& config) const {
    return read_file(join_path(checkpoint_path(config.train.output_dir, config.train.steps),
                               "model.safetensors"));
  }

  const TinyRun run_;
};

TEST_F(LossMask, TargetsBecomeIgnored) {
  const std::string shard = run_.directory() / "val_0.bin";
  EXPECT_EQ(mask_path("a.b/val_0.bin"), "a.b/val_0.mask");
  write_masks([](size_t i) { return i % 3 != 0; });
  const Dataset plain(shard, ShardFormat::llmc, kTinyVocabulary);
  const Dataset masked(shard, ShardFormat::llmc, kTinyVocabulary, true);
  std::vector<int32_t> in(12), out(12), masked_in(12), masked_out(12);
  for (int64_t window = 0; window < 3; ++window) {
    const Window place = plain.evaluation_window(window, 12);
    plain.read(place, in.data(), out.data());
    masked.read(place, masked_in.data(), masked_out.data());
    EXPECT_EQ(masked_in, in);
    for (int64_t t = 0; t < 12; ++t) {
      const bool learned = (place.begin + t + 1) % 3 != 0;
      EXPECT_EQ(masked_out[t], learned ? out[t] : kIgnoredTarget);
    }
    EXPECT_EQ(count_targets(masked_out.data(), 12), 8);
  }
}

TEST_F(LossMask, AllOfThemIsNoMask) {
  write_masks([](size_t) { return true; });
  Recorder want, got;
  run_training(config("plain", false), want);
  run_training(config("masked"), got);
  EXPECT_EQ(weights(config("masked")), weights(config("plain")));
  EXPECT_EQ(got.evaluations.back().tokens, want.evaluations.back().tokens);
}

// The mean over what is learned, with the gradient of that.
TEST_F(LossMask, AStepLearnsWhatTheMaskSays) {
  write_masks([](size_t i) { return i % 4 == 1; });
  RunConfig plain = config("plain", false), masked = config("masked");
  Recorder unheard;
  Trainer one(plain, false, unheard), other(masked, false, unheard);
  EXPECT_EQ(other.evaluate().tokens, 10);
  Llama model(other.config().model);
  model.initialize(static_cast<uint64_t>(masked.train.seed));
  Activations activations(model, Purpose::training, 2, 12);
  const Dataset dataset(masked.data.train, ShardFormat::llmc, kTinyVocabulary, true);
  Batches batches(dataset, 2, 12, static_cast<uint64_t>(masked.train.seed));
  std::vector<int32_t> in(24), out(24);
  double loss = 0;
  int64_t counted = 0;
  for (int micro = 0; micro < 2; ++micro) {
    batches.next(in.data(), out.data());
    loss +=
        model.loss_sum(activations, TokenIds(in.data(), {2, 12}), TokenIds(out.data(), {2, 12}));
    counted += count_targets(out.data(), 24);
  }
  EXPECT_EQ(counted, 12);
  const StepMetrics step = other.step();
  EXPECT_NEAR(step.loss, loss / static_cast<double>(counted), 1e-6);
  EXPECT_NE(step.grad_norm, one.step().grad_norm);
}

TEST_F(LossMask, ResumesWithTheSameBitsAndTogetherWithDocuments) {
  write_masks([](size_t i) { return i % 4 < 3; });
  const auto with_documents = [&](const std::string& name) {
    RunConfig c = config(name);
    c.data.mask_documents = true;
    c.data.bos_token_id = 5;
    c.data.eos_token_id = 9;
    return c;
  };
  const RunConfig whole = with_documents("whole"), cut = with_documents("cut");
  Recorder want, first, second;
  run_training(whole, want);
  first.stop_after = 4;
  run_training(cut, first);
  EXPECT_TRUE(run_training(cut, second, true));
  EXPECT_EQ(weights(cut), weights(whole));
  EXPECT_LT(want.evaluations[0].tokens, 30);
  // Other masks are other data.
  write_masks([](size_t i) { return i % 4 < 2; });
  RunConfig longer = cut;
  longer.train.steps = 10;
  EXPECT_TRUE(contains(error_of([&] { run_training(longer, second, true); }), "other data"));
}

// A step of nothing but prompts teaches nothing, and ends nothing.
TEST_F(LossMask, AStepWithoutATargetIsSkipped) {
  write_masks([](size_t i) { return i % 40 == 3; });
  RunConfig sparse = config("run");
  sparse.train.batch_size = sparse.train.gradient_accumulation_steps = 1;
  Recorder recorder;
  EXPECT_TRUE(run_training(sparse, recorder));
  const auto skipped = std::ranges::count_if(recorder.steps, &StepMetrics::skipped);
  EXPECT_GT(skipped, 0);
  EXPECT_LT(skipped, 9);
}

// What was prepared with prompts is trained on so, unless told otherwise there.
TEST_F(LossMask, MasksThatTheDatasetNamesAreUsed) {
  write_masks([](size_t i) { return i % 4 == 1; });
  Recorder plain, want, got, half;
  run_training(config("plain", false), plain);
  run_training(config("masked"), want);
  const auto describe = [&](const std::string& train) {
    write_file(run_.directory() / "dataset.json",
               R"({"train": {"shards": ["train_0.bin", "train_1.bin"], "masks": [)" + train +
                   R"(]}, "val": {"shards": ["val_0.bin"], "masks": ["val_0.mask"]}})");
  };
  describe(R"("train_0.mask", "train_1.mask")");
  run_training(config("named", false), got);
  EXPECT_EQ(weights(config("named")), weights(config("masked")));
  EXPECT_NE(weights(config("named")), weights(config("plain")));
  EXPECT_EQ(got.evaluations.back().tokens, 10);
  EXPECT_EQ(got.evaluations.back().tokens, want.evaluations.back().tokens);
  // Those of some shards are for these.
  describe(R"("train_0.mask")");
  run_training(config("half", false), half);
  EXPECT_NE(weights(config("half")), weights(config("named")));
  EXPECT_NE(weights(config("half")), weights(config("plain")));
  std::filesystem::remove(run_.directory() / "train_0.mask");
  Recorder recorder;
  EXPECT_TRUE(
      contains(error_of([&] { Trainer(config("none", false), false, recorder); }), "train_0.mask"));
}

TEST_F(LossMask, WhatIsNoMask) {
  const auto refusal = [&] {
    Recorder recorder;
    return error_of([&] { Trainer(config("none"), false, recorder); });
  };
  EXPECT_TRUE(contains(refusal(), "train_0.mask"));
  write_masks([](size_t) { return false; });
  EXPECT_TRUE(contains(refusal(), "data.val: no token to predict"));
  const std::string mask = run_.directory() / "train_0.mask";
  write_file(mask, std::string(130, '\1'));
  EXPECT_TRUE(
      contains(refusal(), "train_0.mask: not the mask of this shard\n  expected: 131 bytes"));
  write_file(mask, std::string(100, '\1') + std::string(31, '1'));
  EXPECT_TRUE(contains(refusal(), "train_0.mask at byte 100: neither 0 nor 1"));
}

}  // namespace
}  // namespace cria
