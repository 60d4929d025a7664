// What only reports ends no run; what can be known before the first step is said before it.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "cria/exchange/load_model.h"
#include "cria/inference/generate.h"
#include "support/tiny_run.h"
#include "tokenizer_files/tokenizer_json.h"

namespace cria {
namespace {

// Of 37 characters from `first` on, or with these added tokens.
RunConfig with_tokenizer(const TinyRun& run, const std::string& name, uint32_t first) {
  std::vector<uint32_t> characters;
  for (uint32_t c = 0; c < kTinyVocabulary; ++c) characters.push_back(first + c);
  RunConfig config = run.config(name);
  config.data.tokenizer = run.directory() / (name + ".json");
  config.train.sample_every = 2;
  config.train.sample_tokens = 3;
  write_file(config.data.tokenizer, tokenizer_json(*make_char_tokenizer(characters)));
  return config;
}

bool warned(const Recorder& recorder, const std::string& part) {
  return std::ranges::any_of(recorder.warnings,
                             [&](const std::string& line) { return contains(line, part); });
}

TEST(TrainerReports, TheDefaultPromptIsInAnyVocabulary) {
  const TinyRun run;
  for (const uint32_t first : {uint32_t{'\n'}, uint32_t{'0'}, uint32_t{0x3B1}}) {
    const RunConfig config = with_tokenizer(run, "run" + std::to_string(first), first);
    Recorder recorder;
    EXPECT_TRUE(run_training(config, recorder));
    ASSERT_EQ(recorder.samples.size(), 4u);
    const std::string begin = first == '\n' ? "\n" : first == '0' ? "0" : "α";
    EXPECT_TRUE(recorder.samples[0].starts_with(begin)) << recorder.samples[0];
    EXPECT_FALSE(warned(recorder, "training goes on"));
  }
}

TEST(TrainerReports, APromptThatCannotBeSaidIsRefusedBeforeTheFirstStep) {
  const TinyRun run;
  RunConfig config = with_tokenizer(run, "run", '0');
  config.train.sample_prompt = "0\n";
  Recorder recorder;
  const std::string message = error_of([&] { Trainer(config, false, recorder); });
  EXPECT_TRUE(contains(message, "test.toml: train.sample_prompt")) << message;
  EXPECT_FALSE(exists(config.train.output_dir));
  config.train.sample_every = 0;  // then it matters to nobody
  EXPECT_TRUE(run_training(config, recorder));
}

TEST(TrainerReports, ValidationWithoutATargetIsRefusedBeforeTheFirstStep) {
  const TinyRun run;
  write_shard(run.directory() / "marks.bin", std::vector<int32_t>(40, 5));
  RunConfig config = run.config("run");
  config.data.val = run.directory() / "marks.bin";
  config.data.mask_documents = true;
  config.data.bos_token_id = 5;
  Recorder recorder;
  const std::string message = error_of([&] { Trainer(config, false, recorder); });
  for (const char* part :
       {"test.toml: data.val: no token to predict", "marks.bin", "data.bos_token_id"}) {
    EXPECT_TRUE(contains(message, part)) << message;
  }
  EXPECT_FALSE(exists(config.train.output_dir));
}

// Whatever may go wrong later: here files that cannot be written, and shards that change.
TEST(TrainerReports, ErrorsInTheMiddleAreWarnings) {
  const TinyRun run;
  const RunConfig config = with_tokenizer(run, "run", '0');
  Recorder recorder;
  Trainer trainer(config, false, recorder);
  make_directories(join_path(config.train.output_dir, "samples.txt"));
  std::string bytes = read_file(run.directory() / "val_0.bin");
  std::fill(bytes.begin() + 1024, bytes.end(), '\xFF');
  write_quickly(run.directory() / "val_0.bin", bytes);
  EXPECT_TRUE(trainer.run(recorder.stop));
  EXPECT_EQ(recorder.steps.size(), 9u);
  EXPECT_TRUE(recorder.evaluations.empty());
  EXPECT_EQ(recorder.warnings.size(), 2u) << "each problem is told once";
  EXPECT_TRUE(warned(recorder, "samples.txt"));
  EXPECT_TRUE(warned(recorder, "val_0.bin"));
  EXPECT_EQ(recorder.checkpoints.size(), 1u);
}

TEST(TrainerReports, DoubtsAreALineEach) {
  const TinyRun run;
  const auto warnings = [&](const auto& change) {
    RunConfig config = run.config("run");
    change(config);
    std::filesystem::remove_all(config.train.output_dir);
    Recorder recorder;
    run_training(config, recorder);
    return recorder.warnings;
  };
  EXPECT_TRUE(warnings([](RunConfig&) {}).empty());
  const auto only = [&](const char* part, const auto& change) {
    const std::vector<std::string> lines = warnings(change);
    ASSERT_EQ(lines.size(), 1u) << part;
    EXPECT_TRUE(contains(lines[0], part)) << lines[0];
    EXPECT_FALSE(contains(lines[0], "\n"));
  };
  only("schedule.warmup_steps = 9 is as long as the run",
       [](RunConfig& c) { c.schedule.warmup_steps = 9; });
  only("no validation data", [](RunConfig& c) { c.data.val = ""; });
  only("there is no tokenizer", [](RunConfig& c) { c.train.sample_every = 4; });
  only("an evaluation of 4 windows takes longer than the 1 training steps", [](RunConfig& c) {
    c.train.eval_every = 1;
    c.train.batch_size = c.train.gradient_accumulation_steps = 1;
  });
  only("is far above ln vocab_size = 3.6109", [](RunConfig& c) {
    c.model.tie_word_embeddings = true;
    c.model.embedding_initializer_range = 1.0;
    c.optimizer.learning_rate = 1e-4;
  });
}

TEST(TrainerReports, NoStepsMakeAnUntrainedModel) {
  const TinyRun run;
  RunConfig config = run.config("run");
  config.train.steps = config.schedule.decay_steps = 0;
  Recorder recorder;
  EXPECT_TRUE(run_training(config, recorder));
  EXPECT_TRUE(recorder.steps.empty());
  const LoadedModel loaded = load_model(config.train.output_dir);
  EXPECT_EQ(loaded.directory, checkpoint_path(config.train.output_dir, 0));
  Llama initial(loaded.model->config());
  initial.initialize(static_cast<uint64_t>(config.train.seed));
  EXPECT_EQ(fingerprint(loaded.model->parameters()), fingerprint(initial.parameters()));
  EXPECT_EQ(recorder.fingerprints, std::vector{fingerprint(initial.parameters())});
  EXPECT_TRUE(run_training(config, recorder, true));
}

TEST(TrainerReports, TheFingerprintIsOfWeightsAndNames) {
  const TinyRun run;
  RunConfig a = run.config("a"), b = run.config("b");
  Recorder one, other;
  run_training(a, one);
  run_training(b, other);
  EXPECT_EQ(one.fingerprints, other.fingerprints);
  const std::string path = join_path(one.checkpoints.back(), kTrainerFile);
  EXPECT_EQ(read_json(path).find("fingerprint")->as_string(""), one.fingerprints.back());
  Llama model(load_model(a.train.output_dir).model->config());
  const std::string zeros = fingerprint(model.parameters());
  model.parameters().mutable_value()[5] = 1e-30f;
  EXPECT_NE(fingerprint(model.parameters()), zeros);
}

class NonFinite : public ::testing::Test {
 protected:
  // One gradient that is not finite, which comes before a step's own.
  static void spoil(const Trainer& trainer) {
    const_cast<Llama&>(trainer.model()).parameters().slots().back().grad.data[3] =
        std::numeric_limits<float>::infinity();
  }
  static std::vector<float> state_of(const Trainer& trainer) {
    Parameters& p = const_cast<Llama&>(trainer.model()).parameters();
    std::vector<float> all;
    for (const float* plane : std::array<const float*, 3>{p.value(), p.m(), p.v()}) {
      all.insert(all.end(), plane, plane + p.plane_size());
    }
    return all;
  }
  RunConfig config(const std::string& name) const {
    RunConfig config = run_.config(name);
    config.train.on_nonfinite = "skip";
    return config;
  }

  const TinyRun run_;
};

TEST_F(NonFinite, ASkippedStepChangesNothingAndTheNextIsAnOrdinaryOne) {
  const RunConfig skipping = config("run");
  Recorder recorder;
  {
    Trainer trainer(skipping, false, recorder);
    trainer.step();
    const std::vector<float> before = state_of(trainer);
    spoil(trainer);
    const StepMetrics metrics = trainer.step();
    EXPECT_TRUE(metrics.skipped);
    EXPECT_EQ(metrics.step, 2);
    EXPECT_EQ(state_of(trainer), before);
    EXPECT_TRUE(warned(recorder, "step 2 is skipped: the gradient norm is not finite"));
    trainer.save();
    EXPECT_FALSE(trainer.step().skipped);
  }
  // It is the same after a resume.
  Trainer resumed(skipping, true, recorder);
  Recorder unheard;
  Trainer straight(config("straight"), false, unheard);
  straight.step();
  spoil(straight);
  straight.step();
  straight.step();
  resumed.step();
  EXPECT_EQ(state_of(resumed), state_of(straight));
}

TEST_F(NonFinite, ItsLineSaysSo) {
  const Json line = to_json(StepMetrics{.step = 3, .tokens = 9, .loss = NAN, .skipped = true});
  EXPECT_EQ(line.dump(), "{\"step\":3,\"tokens\":9,\"skipped\":1}");
}

// Weights that are not finite stay so.
TEST_F(NonFinite, ManyInARowAreAnError) {
  Recorder recorder;
  RunConfig long_one = config("run");
  long_one.train.steps = 200;
  Trainer trainer(long_one, false, recorder);
  const_cast<Llama&>(trainer.model()).parameters().mutable_value()[0] =
      std::numeric_limits<float>::quiet_NaN();
  Parameters& parameters = const_cast<Llama&>(trainer.model()).parameters();
  for (Parameter& slot : parameters.slots()) {
    slot.mutable_value().data[0] = std::numeric_limits<float>::quiet_NaN();
  }
  const std::string message = error_of([&] { trainer.run(recorder.stop); });
  EXPECT_TRUE(contains(message, "step 101: the loss is not finite, nor were those of 100 steps"))
      << message;
}

}  // namespace
}  // namespace cria
