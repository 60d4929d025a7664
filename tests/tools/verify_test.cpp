// Damaged files of a run and a dataset.
#include <gtest/gtest.h>

#include "support/cli.h"

namespace cria {
namespace {

class VerifyTest : public CliTest {
 public:
  // Flips a bit in the middle of a file.
  void damage(const std::string& name) const {
    std::string bytes = read(name);
    bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
    write(name, bytes);
  }

  static Arguments resume() {
    return {"train", "tiny.toml", "train.output_dir=\"run\"", "--resume"};
  }
};

TEST_F(VerifyTest, EveryFileOfACheckpointIsCompared) {
  EXPECT_TRUE(contains(run({"verify", "run", "data"}).out, "step-00000004: whole"));
  const std::string checkpoint = kCheckpoint;
  for (const auto& entry : std::filesystem::directory_iterator(path(checkpoint))) {
    const std::string name = checkpoint + "/" + entry.path().filename().string();
    if (name.ends_with("generation_config.json")) continue;  // people edit it
    const std::string before = read(name);
    damage(name);
    const ProcessResult result = cria({"verify", checkpoint});
    EXPECT_EQ(result.exit_code, 1) << name;
    EXPECT_TRUE(contains(result.out, "DAMAGED")) << result.out;
    write(name, before);
  }
  EXPECT_EQ(cria({"verify", checkpoint}).exit_code, 0);
  EXPECT_EQ(cria({"verify", "text.txt"}).exit_code, 1);
}

TEST_F(VerifyTest, DamagedWeightsAreNotUsed) {
  const std::string weights = std::string(kCheckpoint) + "/model.safetensors";
  damage(weights);
  const Arguments generate = {"generate", "run", "--prompt", "Lama", "--max-new-tokens", "3"};
  const ProcessResult result = cria(generate);
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_TRUE(contains(result.err, weights + ": not the file that was written")) << result.err;
  Arguments anyway = generate;
  anyway.push_back("--no-verify");
  run(anyway);
}

TEST_F(VerifyTest, ADamagedShardIsNotTrainedOn) {
  for (const std::string shard : {kTrainShard, kValShard}) {
    const std::string before = read(shard);
    std::string bytes = before;
    bytes[1024] = static_cast<char>(bytes[1024] ^ 1);
    write(shard, bytes);
    const ProcessResult result = cria({"train", "tiny.toml"});
    EXPECT_EQ(result.exit_code, 1) << shard;
    EXPECT_TRUE(contains(result.err, shard + ": not the file that was written")) << result.err;
    EXPECT_TRUE(contains(cria({"verify", "data"}).out, "DAMAGED"));
    write(shard, before);
  }
  run({"train", "tiny.toml"});
}

TEST_F(VerifyTest, ResumeGoesOnFromTheLastWholeCheckpoint) {
  const std::string before = read(std::string(kCheckpoint) + "/model.safetensors");
  damage(std::string(kCheckpoint) + "/optimizer.safetensors");
  const ProcessResult result = run(resume());
  EXPECT_TRUE(contains(result.err, "warning: a damaged checkpoint is passed over")) << result.err;
  EXPECT_TRUE(contains(result.err, "optimizer.safetensors: not the file")) << result.err;
  EXPECT_EQ(read(std::string(kCheckpoint) + "/model.safetensors"), before) << "the same bits";
  EXPECT_TRUE(exists(path(std::string(kCheckpoint) + ".damaged/optimizer.safetensors")));
  EXPECT_EQ(cria({"verify", "run"}).exit_code, 0);
}

// An optimizer of another step.
TEST_F(VerifyTest, AMixedUpCheckpointIsNotGoneOnFrom) {
  write(std::string(kCheckpoint) + "/optimizer.safetensors",
        read("run/checkpoints/step-00000002/optimizer.safetensors"));
  EXPECT_TRUE(contains(run(resume()).err, "passed over"));
  for (const char* const step : {"2", "4"}) {
    damage(std::string("run/checkpoints/step-0000000") + step + "/model.safetensors");
  }
  const ProcessResult none = cria(resume());
  EXPECT_EQ(none.exit_code, 1);
  EXPECT_TRUE(contains(none.err, "no checkpoint is whole")) << none.err;
  EXPECT_TRUE(exists(path(kCheckpoint)));
}

TEST_F(VerifyTest, OldOnesWithoutChecksumsAreRead) {
  const std::string trainer = std::string(kCheckpoint) + "/trainer.json";
  Json::Object kept;
  const Json whole = Json::parse(read(trainer), "trainer");
  for (const auto& [key, value] : whole.as_object("")) {
    if (key != "files" && key != "checksum") kept.emplace_back(key, value);
  }
  write(trainer, Json(kept).dump());
  EXPECT_TRUE(contains(run({"verify", kCheckpoint}).out, "no checksums"));
  run(resume());
  run({"generate", "run", "--prompt", "Lama", "--max-new-tokens", "3"});
}

TEST_F(VerifyTest, ADamagedLineOfMetricsIsNoEnd) {
  replace("run/metrics.jsonl", "\"step\"", "\"ste\x01\"");
  std::filesystem::remove_all(path(kCheckpoint));
  write("run/checkpoints/notes.txt", "a stray file");
  const ProcessResult result = run(resume());
  EXPECT_TRUE(contains(result.err, "damaged lines of metrics.jsonl are left out: 1")) << result.err;
}

}  // namespace
}  // namespace cria
