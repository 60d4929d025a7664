// cria train at the moments that decide whether work is lost, and what it says before and after.
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <thread>

#include "cria/exchange/load_model.h"
#include "support/cli.h"

namespace cria {
namespace {

class TrainTest : public CliTest {
 protected:
  static constexpr const char* kRun = "train.output_dir=\"run\"";

  size_t logged() const {
    const std::string metrics = path("new/metrics.jsonl");
    return exists(metrics) ? read_file(metrics).size() : 0;
  }

  // Waits until the run has taken steps of so many bytes in its log.
  void wait_for_steps(size_t bytes = 1000) const {
    for (int i = 0; i < 20000; ++i) {
      if (logged() > bytes) return;
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    FAIL() << "no training";
  }

  static Arguments endless() {
    return {"train", "tiny.toml", "train.steps=100000000", "train.checkpoint_every=0"};
  }

  size_t checkpoints() const { return list_checkpoints(path("new")).size(); }
};

TEST_F(TrainTest, SignalsEndItWithACheckpoint) {
  ::signal(SIGHUP, SIG_DFL);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    std::filesystem::remove_all(path("new"));
    Process process(cria_binary(), endless(), path(""));
    wait_for_steps();
    process.send(signal);
    if (signal == SIGHUP) process.send(signal);  // shell and kernel both send one
    const ProcessResult result = process.wait();
    EXPECT_EQ(result.exit_code, 130) << signal << result.err;
    EXPECT_TRUE(contains(result.err, "stopped after step ")) << result.err;
    EXPECT_EQ(checkpoints(), 1u);
  }
}

TEST_F(TrainTest, HangUpIsIgnoredWhereItWas) {
  Process process("/usr/bin/env",
                  {"nohup", cria_binary(), "train", "tiny.toml", "train.steps=100000000",
                   "train.checkpoint_every=0"},
                  path(""));
  wait_for_steps();
  process.send(SIGHUP);
  wait_for_steps(logged() + 10000);  // of many steps more
  process.send(SIGTERM);
  EXPECT_EQ(process.wait().exit_code, 130);
}

// In the middle of a step that takes a second or more: the first one waits for its end.
TEST_F(TrainTest, TheSecondCtrlCEndsAtOnce) {
  Process process(cria_binary(),
                  {"train", "tiny.toml", "train.gradient_accumulation_steps=100000",
                   "train.checkpoint_every=0", "train.eval_batches=1", "train.steps=1000"},
                  path(""));
  while (!exists(path("new/metrics.jsonl"))) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(200));  // into the second step
  // Those that come before it has heard the first are one.
  for (int i = 0; i < 50; ++i) {
    process.send(SIGINT);
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  const ProcessResult result = process.wait();
  EXPECT_EQ(result.exit_code, 128 + SIGINT);
  EXPECT_FALSE(contains(result.err, "stopped after step")) << result.err;
  EXPECT_EQ(checkpoints(), 0u);
}

TEST_F(TrainTest, APipeThatNobodyReadsLosesNothing) {
  for (const char* const pipe : {"| head -1", "2>&1 | head -1", "2>&1 | true"}) {
    std::filesystem::remove_all(path("new"));
    const std::string command =
        "'" + cria_binary() + "' train tiny.toml train.steps=60 train.eval_every=6 " + pipe;
    Process("/bin/sh", {"-c", command}, path("")).wait();
    for (int i = 0; i < 5000 && !exists(checkpoint_path(path("new"), 60)); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    EXPECT_TRUE(exists(checkpoint_path(path("new"), 60))) << pipe;
  }
}

TEST_F(TrainTest, LongerIsSaidAndRemembered) {
  const ProcessResult longer = run({"train", "tiny.toml", kRun, "train.steps=6", "--resume"});
  EXPECT_TRUE(contains(longer.err, "warning: train.steps was 4 and is 6 from here on"))
      << longer.err;
  EXPECT_TRUE(contains(longer.err, "the learning rate was 0.001 in step 4 and is 0.001 in step 5"))
      << longer.err;
  const ProcessResult again = run({"train", "tiny.toml", kRun, "--resume"});
  EXPECT_TRUE(contains(again.err, "all 6 steps are done already")) << again.err;
  const ProcessResult below = cria({"train", "tiny.toml", kRun, "train.steps=5", "--resume"});
  EXPECT_EQ(below.exit_code, 1);
  EXPECT_TRUE(contains(below.err, "train.steps: the run is beyond that already")) << below.err;
}

TEST_F(TrainTest, OtherSettingsNeedChange) {
  const Arguments other = {"train",         "tiny.toml",          kRun,
                           "train.steps=5", "train.batch_size=3", "--resume"};
  const ProcessResult refused = cria(other);
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_TRUE(contains(refused.err, "expected: train.batch_size = 2\n  got: train.batch_size = 3"))
      << refused.err;
  Arguments said = other;
  said.push_back("--change");
  EXPECT_TRUE(contains(run(said).err, "train.batch_size was 2 and is 3 from here on"));
  const ProcessResult alone = cria({"train", "tiny.toml", "--change"});
  EXPECT_EQ(alone.exit_code, 2);
  EXPECT_TRUE(contains(alone.err, "--change is for --resume")) << alone.err;
}

TEST_F(TrainTest, TheBestIsFoundByName) {
  // Two steps that spoil what the four before have learned.
  run({"train", "tiny.toml", kRun, "train.steps=6", "optimizer.learning_rate=3.0", "--resume",
       "--change"});
  const std::string out = run({"eval", "run@best", "--data", kValShard, "--json"}).out;
  EXPECT_EQ(json_line(out).find("model")->as_string(""), "run/checkpoints/best");
  const Arguments generate = {"generate", "run", "--prompt", "Lama", "--max-new-tokens", "3"};
  const std::string latest = run(generate).err;
  EXPECT_TRUE(contains(latest,
                       "cria: using run/checkpoints/step-00000006, the latest; the best is "
                       "run@best, of step 4, validation loss "))
      << latest;
  Arguments other = generate;
  other[1] = "run@step-4";
  EXPECT_EQ(run(other).err, "cria: using run/checkpoints/step-00000004\n");
  other[1] = kCheckpoint;
  EXPECT_EQ(run(other).err, "");
  EXPECT_TRUE(contains(run({"inspect", "run@best"}).out, "run/checkpoints/best"));
  EXPECT_TRUE(contains(run({"verify", "run"}).out, "run/checkpoints/best: whole"));
  const ProcessResult none = cria({"eval", "run@step-3", "--data", kValShard});
  EXPECT_EQ(none.exit_code, 1);
  EXPECT_TRUE(contains(none.err, "the run has no such checkpoint")) << none.err;
}

TEST_F(TrainTest, DryRunTrainsNothing) {
  const auto before = files();
  const Json json = json_line(run({"train", "tiny.toml", "--dry-run", "--json"}).out);
  EXPECT_EQ(files(), before);
  const LoadedModel model = load_model(path("run"));
  const int64_t parameters = model.model->parameters().count();
  EXPECT_EQ(json.find("parameters")->as_int(""), parameters);
  EXPECT_EQ(json.find("without_embedding")->as_int(""),
            parameters - model.model->config().vocab_size * 16);
  EXPECT_EQ(json.find("tokens")->as_int(""), 4 * 16);
  // Weights, gradients and two moments, 4 bytes each, and what a pass needs.
  EXPECT_GT(json.find("memory_bytes")->as_int(""), 16 * parameters);
  EXPECT_GT(json.find("flops")->as_double(""), 0);
  EXPECT_GT(json.find("seconds")->as_double(""), 0);
  // Of a checkpoint, the tensors; beside them are headers and the tokenizer.
  const auto bytes = [&](const char* name) {
    return static_cast<int64_t>(read(std::string(kCheckpoint) + "/" + name).size());
  };
  const int64_t written = bytes("model.safetensors") + bytes("optimizer.safetensors");
  EXPECT_LE(json.find("checkpoint_bytes")->as_int(""), written);
  EXPECT_GT(json.find("checkpoint_bytes")->as_int(""), written - 8192);
  const std::string text =
      run({"train", "tiny.toml", "train.freeze=[\"model.embed_tokens.*\"]", "--dry-run"}).out;
  for (const char* const part : {"parameters  ", " without embedding, ", " trained", "memory  ",
                                 "work        4 steps", "time        about ", "disk  "}) {
    EXPECT_TRUE(contains(text, part)) << text;
  }
}

TEST_F(TrainTest, DryRunFindsWhatIsWrong) {
  const auto before = files();
  for (const auto& [override, part] : std::vector<std::pair<std::string, std::string>>{
           {"data.val=\"nothing_*.bin\"", "nothing_*.bin"},
           {"data.tokenizer=\"no.json\"", "no.json"},
           {"train.freeze=[\"nothing\"]", "train.freeze: matches no parameter"},
           {kRun, "holds a run already"},
           {"train.output_dir=\"text.txt/x\"", "cannot be written to"},
           {"model.embedding.pretrained=\"no.npy\"", "no.npy"}}) {
    const ProcessResult result = cria({"train", "tiny.toml", override, "--dry-run"});
    EXPECT_EQ(result.exit_code, 1) << override;
    EXPECT_TRUE(contains(result.err, part)) << result.err;
  }
  EXPECT_EQ(files(), before);
}

// Before training: the same weights as step 0 writes.
TEST_F(TrainTest, InitialWeightsCanBeLookedAt) {
  run({"train", "tiny.toml", "train.steps=0"});
  EXPECT_TRUE(exists(path("new/checkpoints/step-00000000/model.safetensors")));
  const auto after_header = [](const std::string& out) { return out.substr(out.find('\n')); };
  EXPECT_EQ(after_header(run({"trace", "tiny.toml", "--text", "Lama"}).out),
            after_header(run({"trace", "new", "--text", "Lama"}).out));
  EXPECT_EQ(after_header(run({"inspect", "tiny.toml"}).out),
            after_header(run({"inspect", "new"}).out));
  EXPECT_TRUE(contains(run({"inspect", "tiny.toml"}).out, "model      tiny.toml\n"));
  EXPECT_TRUE(contains(run({"inspect", "tiny.toml", "--diff", "new"}).out, "0 changed"));
  run({"export", "tiny.toml", "--to", "hf", "-o", "initial"});
  EXPECT_EQ(read("initial/model.safetensors"),
            read("new/checkpoints/step-00000000/model.safetensors"));
  EXPECT_TRUE(contains(
      run({"inspect", "tiny.toml", "--diagnostics", "--data", kValShard, "--sequences", "2"}).out,
      "model      tiny.toml\n"));
}

}  // namespace
}  // namespace cria
