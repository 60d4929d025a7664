// train.freeze: what is not trained stays as it is, everything else learns.
#include <gtest/gtest.h>

#include "cria/exchange/load_model.h"
#include "experiment/run_plan.h"
#include "io/safetensors.h"
#include "support/tiny_run.h"

namespace cria {
namespace {

RunConfig frozen(const TinyRun& run, const std::string& name,
                 const std::vector<std::string>& patterns) {
  RunConfig config = run.config(name);
  config.train.freeze = patterns;
  return config;
}

std::string file_of(const RunConfig& config, const char* name) {
  return join_path(checkpoint_path(config.train.output_dir, config.train.steps), name);
}

TEST(TrainerFreeze, FrozenWeightsStayOthersLearn) {
  const TinyRun run;
  for (const bool tied : {false, true}) {
    RunConfig config = frozen(run, tied ? "tied" : "untied", {"model.layers.0.*", "*.q_proj.*"});
    config.model.tie_word_embeddings = tied;
    Recorder recorder;
    Trainer trainer(config, false, recorder);
    Llama initial(trainer.config().model);
    initial.initialize(static_cast<uint64_t>(config.train.seed));
    trainer.run(recorder.stop);
    size_t frozen = 0;
    for (const Parameter& slot : trainer.model().parameters().slots()) {
      const ConstTensor& before = initial.parameters().find(slot.name)->value;
      const bool same =
          std::equal(slot.value.data, slot.value.data + slot.value.size(), before.data);
      const bool wanted =
          slot.name.starts_with("model.layers.0.") || slot.name.find(".q_proj.") != slot.name.npos;
      EXPECT_EQ(same, wanted) << slot.name;
      EXPECT_EQ(slot.frozen, wanted) << slot.name;
      frozen += wanted;
      if (wanted) {
        EXPECT_EQ(std::count(slot.m.data, slot.m.data + slot.m.size(), 0.0f), slot.m.size());
      }
    }
    EXPECT_EQ(frozen, 10u);
    // No moments in the file either.
    const SafetensorsFile moments(file_of(config, "optimizer.safetensors"));
    for (const StoredTensor& tensor : moments.entries()) {
      EXPECT_EQ(tensor.name.find("layers.0."), tensor.name.npos) << tensor.name;
    }
    EXPECT_EQ(moments.entries().size(), 2 * (trainer.model().parameters().slots().size() - frozen));
  }
}

// Clipping and moments are those of what is trained.
TEST(TrainerFreeze, TheNormIsOfWhatIsTrained) {
  const TinyRun run;
  Recorder all, part;
  run_training(run.config("all"), all);
  run_training(frozen(run, "part", {"model.*"}), part);
  EXPECT_EQ(part.steps[0].loss, all.steps[0].loss);
  EXPECT_LT(part.steps[0].grad_norm, all.steps[0].grad_norm);
  EXPECT_LT(part.steps[0].gflops / part.steps[0].tokens_per_second,
            all.steps[0].gflops / all.steps[0].tokens_per_second);
}

TEST(TrainerFreeze, AnyThreadsAndResumeGiveTheSameBits) {
  const TinyRun run;
  const std::vector<std::string> patterns = {"model.embed_tokens.*", "model.layers.0.*",
                                             "*.k_proj*"};
  const RunConfig whole = frozen(run, "whole", patterns);
  Recorder want;
  run_training(whole, want);
  for (const int threads : {1, 2, 3}) {
    const ThreadCount scope(threads);
    const RunConfig cut = frozen(run, "cut" + std::to_string(threads), patterns);
    Recorder first, second;
    first.stop_after = 4;
    EXPECT_FALSE(run_training(cut, first));
    EXPECT_TRUE(run_training(cut, second, true));
    for (const char* name : {"model.safetensors", "optimizer.safetensors"}) {
      EXPECT_TRUE(read_file(file_of(cut, name)) == read_file(file_of(whole, name))) << name;
    }
  }
}

// Thawed, a parameter's moments begin at zero; frozen later, it keeps its weights.
TEST(TrainerFreeze, MayChangeInTheMiddle) {
  const TinyRun run;
  RunConfig config = frozen(run, "run", {"model.layers.*"});
  Recorder recorder;
  recorder.stop_after = 3;
  run_training(config, recorder);
  recorder.stop = false;
  recorder.stop_after = 6;
  config.train.freeze = {"lm_head.weight"};
  EXPECT_NE(error_of([&] { run_training(config, recorder, true); }), "");
  run_training(config, recorder, true, true);
  recorder.stop = false;
  config.train.freeze.clear();
  EXPECT_TRUE(run_training(config, recorder, true, true));
  EXPECT_EQ(recorder.steps.size(), 9u);
}

TEST(TrainerFreeze, UntyingKeepsWhatIsFrozen) {
  const TinyRun run;
  RunConfig config = frozen(run, "run", {"lm_head.*"});
  config.model.tie_word_embeddings = true;
  config.train.untie_at_step = 4;
  Recorder recorder;
  Trainer trainer(config, false, recorder);
  for (int i = 0; i < 3; ++i) trainer.step();
  const Parameter& table = *trainer.model().embed_tokens().weight;
  const std::vector<float> copied(table.value.data, table.value.data + table.value.size());
  trainer.step();
  trainer.step();
  const Parameter& head = *trainer.model().parameters().find("lm_head.weight");
  EXPECT_TRUE(head.frozen);
  EXPECT_TRUE(std::equal(copied.begin(), copied.end(), head.value.data));
}

TEST(TrainerFreeze, PatternsThatMatchNothing) {
  const TinyRun run;
  const auto refusal = [&](const std::vector<std::string>& patterns) {
    Recorder recorder;
    const RunConfig config = frozen(run, "none", patterns);
    const std::string message = error_of([&] { Trainer(config, false, recorder); });
    EXPECT_FALSE(exists(config.train.output_dir));
    return message;
  };
  const std::string unknown = refusal({"model.layers.*", "model.layer.0.*"});
  for (const char* part :
       {"test.toml: train.freeze: matches no parameter",
        "expected: one of \"model.embed_tokens.weight\"", "got: \"model.layer.0.*\""}) {
    EXPECT_TRUE(contains(unknown, part)) << unknown;
  }
  EXPECT_TRUE(contains(refusal({"*"}), "all parameters are frozen"));
}

// Before any run starts.
TEST(TrainerFreeze, AnExperimentChecksItsPatternsFirst) {
  const TinyRun run;
  const TemporaryDirectory& directory = run.directory();
  write_file(directory / "base.toml", to_toml(run.config("unused")));
  const auto refusal = [&](const std::string& line) {
    write_file(directory / "x.toml", "base = \"" + (directory / "base.toml") +
                                         "\"\nseeds = [1]\n[variants.a]\n[variants.b]\n" + line);
    return error_of([&] { plan_runs(read_experiment(directory / "x.toml"), directory / "out"); });
  };
  EXPECT_EQ(refusal("train.freeze = [\"model.layers.1.*\"]\n"), "");
  EXPECT_TRUE(contains(refusal("train.freeze = [\"model.layers.2.*\"]\n"), "train.freeze"));
  EXPECT_TRUE(contains(refusal("optimizer.groups.g.pattern = \"nothing\"\n"),
                       "optimizer.groups.g.pattern"));
}

}  // namespace
}  // namespace cria
