// The program on several processes, started by mpirun: only in a build with MPI (make MPI=1 test).
// In full with CRIA_MPI_STEPS=200 CRIA_MPI_KILLS=50.
#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <thread>

#include "cria/base/rng.h"
#include "support/cli.h"

namespace cria {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

int64_t number_in(const char* variable, int64_t otherwise) {
  const char* const text = std::getenv(variable);
  return text ? std::atoll(text) : otherwise;
}

class Mpi : public CliTest {
 protected:
  void SetUp() override {
    if (mpirun().empty()) GTEST_SKIP() << "this needs MPI: make MPI=1 test";
    CliTest::SetUp();
  }

  static std::string mpirun() {
    const char* const name = std::getenv("CRIA_MPIRUN");
    return name ? name : "";
  }

  // 4 parts of a batch of 4. in_full: as many steps as are asked for.
  Arguments training(const std::string& out, int64_t steps, const Arguments& more = {}) const {
    Arguments all = {"train",
                     "tiny.toml",
                     "train.batch_size=4",
                     "train.data_parallel=4",
                     "train.checkpoint_every=5",
                     "train.eval_every=5",
                     "train.steps=" + std::to_string(steps),
                     "train.output_dir=" + out};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }

  std::unique_ptr<Process> start(const Arguments& arguments) const {
    // Root may, and more processes than cores may.
    return std::make_unique<Process>(
        "/usr/bin/env", arguments, directory(), Process::kNoLimit,
        std::vector<std::string>{"OMPI_ALLOW_RUN_AS_ROOT=1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1",
                                 "OMPI_MCA_rmaps_base_oversubscribe=1", "OMP_WAIT_POLICY=passive"});
  }

  std::unique_ptr<Process> start(int size, const Arguments& arguments) const {
    Arguments all = {mpirun(), "-n", std::to_string(size), cria_binary()};
    all.insert(all.end(), arguments.begin(), arguments.end());
    return start(all);
  }

  void succeed(int size, const Arguments& arguments) const {
    const ProcessResult result = start(size, arguments)->wait();
    EXPECT_EQ(result.exit_code, 0) << result.err;
  }

  std::string directory() const { return fs::path(path("x")).parent_path().string(); }

  // What a run leaves that no clock decides.
  std::vector<std::string> results(const std::string& out, int64_t steps) const {
    const std::string number = std::to_string(steps);
    const std::string last =
        out + "/checkpoints/step-" + std::string(8 - number.size(), '0') + number + "/";
    std::vector<std::string> all;
    for (const char* const file : {"model.safetensors", "optimizer.safetensors", "config.json"}) {
      all.push_back(read(last + file));
    }
    const std::string metrics = read(out + "/metrics.jsonl");
    for (size_t begin = 0, end; (end = metrics.find('\n', begin)) != metrics.npos;
         begin = end + 1) {
      const Json line = Json::parse(metrics.substr(begin, end - begin), "metrics.jsonl");
      for (const char* const key : {"step", "loss", "grad_norm", "val_loss"}) {
        if (const Json* const value = line.find(key)) all.push_back(value->dump());
      }
    }
    return all;
  }

  // The processes of cria that run here, by rank.
  std::map<int, pid_t> ranks() const {
    std::map<int, pid_t> found;
    for (const auto& entry : fs::directory_iterator("/proc")) {
      std::error_code gone;
      const fs::path process = entry.path();
      if (fs::read_symlink(process / "cwd", gone) != fs::canonical(directory()) || gone) continue;
      if (fs::read_symlink(process / "exe", gone) != fs::canonical(cria_binary()) || gone) continue;
      std::ifstream file(process / "environ");
      for (std::string variable; std::getline(file, variable, '\0');) {
        for (const char* const name : {"OMPI_COMM_WORLD_RANK=", "PMI_RANK="}) {
          if (variable.starts_with(name)) {
            found[std::stoi(variable.substr(variable.find('=') + 1))] =
                std::stoi(process.filename().string());
          }
        }
      }
    }
    return found;
  }

  // Once the run has a checkpoint.
  std::map<int, pid_t> ranks_that_train(const std::string& out) const {
    const auto deadline = Clock::now() + std::chrono::minutes(5);
    while (!fs::exists(path(out + "/checkpoints/step-00000005")) && Clock::now() < deadline) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return ranks();
  }

  void expect_gone_within_ten_seconds() const {
    const auto deadline = Clock::now() + std::chrono::seconds(10);
    while (!ranks().empty() && Clock::now() < deadline) {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    EXPECT_TRUE(ranks().empty());
  }
};

TEST_F(Mpi, AnyNumberOfProcessesGivesTheSameBits) {
  const int64_t steps = number_in("CRIA_MPI_STEPS", 20);
  for (const char* const precision : {"fp32", "bf16"}) {
    const auto out = [&](const std::string& name) { return name + "_" + precision; };
    const Arguments more = {std::string("train.precision=") + precision,
                            std::string("train.reduce_dtype=") + precision};
    run(training(out("alone"), steps, more));
    const auto want = results(out("alone"), steps);
    for (const int size : {1, 2, 4}) {
      const std::string name = out("ranks" + std::to_string(size));
      succeed(size, training(name, steps, more));
      EXPECT_TRUE(results(name, steps) == want) << name;
    }
    const std::string cut = out("cut");
    succeed(4, training(cut, steps / 2, more));
    Arguments again = more;
    again.push_back("--resume");
    succeed(2, training(cut, steps / 2 + 5, again));
    run(training(cut, steps, again));
    EXPECT_TRUE(results(cut, steps) == want);
  }
}

TEST_F(Mpi, EvaluationIsShared) {
  const Arguments eval = {"eval", "run", "--data", "data", "--batch-size", "3", "--json"};
  const Json want = json_line(run(eval).out), got = json_line(start(2, eval)->wait().out);
  for (const char* const key : {"val_loss", "val_bits_per_byte", "tokens"}) {
    EXPECT_EQ(*got.find(key), *want.find(key)) << key;
  }
}

// A run for each process, and one verdict.
TEST_F(Mpi, AnExperimentIsShared) {
  write("x.toml",
        "base = \"tiny.toml\"\nseeds = [1, 2]\n"
        "[variants.untied]\n[variants.tied]\nmodel.tie_word_embeddings = true\n");
  const auto verdict = [](const ProcessResult& result) {
    EXPECT_EQ(result.exit_code, 0) << result.err;
    const size_t at = result.out.find("tied - untied = ");
    EXPECT_NE(at, result.out.npos) << result.out;
    // What follows the last ';' is how fast they were.
    return result.out.substr(at, result.out.rfind(';', result.out.find('\n', at)) - at);
  };
  const std::string want = verdict(run({"experiment", "x.toml", "--out", "alone"}));
  EXPECT_EQ(verdict(start(2, {"experiment", "x.toml", "--out", "shared"})->wait()), want);
  EXPECT_TRUE(read("shared/results.json").find("\"complete\": true") != std::string::npos);
}

TEST_F(Mpi, WhatDiffersIsNamedAndEndsAll) {
  Arguments both = {mpirun(), "-n", "1", cria_binary()};
  for (const std::string& argument : training("out", 20)) both.push_back(argument);
  for (const std::string& argument :
       {std::string(":"), std::string("-n"), std::string("1"), cria_binary()}) {
    both.push_back(argument);
  }
  for (const std::string& argument : training("out", 20, {"train.seed=2"})) {
    both.push_back(argument);
  }
  const ProcessResult result = start(both)->wait();
  EXPECT_NE(result.exit_code, 0);
  EXPECT_TRUE(contains(result.err, "rank 1 differs from rank 0")) << result.err;
  EXPECT_TRUE(contains(result.err, "rank 0: error:")) << result.err;
  EXPECT_FALSE(fs::exists(path("out")));
}

TEST_F(Mpi, AWrongNumberOfProcessesIsToldOnce) {
  const ProcessResult result = start(3, training("out", 20))->wait();
  EXPECT_NE(result.exit_code, 0);
  const size_t first = result.err.find("the processes cannot share");
  EXPECT_NE(first, result.err.npos) << result.err;
  EXPECT_EQ(result.err.find("the processes cannot share", first + 1), result.err.npos);
  EXPECT_FALSE(fs::exists(path("out")));
}

// A signal to any of them stops all at a checkpoint.
TEST_F(Mpi, ASignalToOneStopsAll) {
  const auto process = start(2, training("out", 1000000));
  const auto found = ranks_that_train("out");
  ASSERT_EQ(found.size(), 2u);
  ::kill(found.at(1), SIGTERM);
  const ProcessResult result = process->wait();
  EXPECT_EQ(result.exit_code, 130) << result.err;
  EXPECT_TRUE(contains(result.err, "stopped after step")) << result.err;
  expect_gone_within_ten_seconds();
}

TEST_F(Mpi, WhoHangsIsNamed) {
  const auto process = start(2, training("out", 1000000, {"train.peer_timeout=2"}));
  const auto found = ranks_that_train("out");
  ASSERT_EQ(found.size(), 2u);
  ::kill(found.at(1), SIGSTOP);
  const ProcessResult result = process->wait();
  EXPECT_NE(result.exit_code, 0);
  EXPECT_TRUE(contains(result.err, "no answer from rank 1")) << result.err;
  expect_gone_within_ten_seconds();
}

TEST_F(Mpi, KilledAtAnyMomentItGoesOn) {
  constexpr int64_t kSteps = 100;
  run(training("whole", kSteps));
  const auto want = results("whole", kSteps);
  Rng rng(static_cast<uint64_t>(number_in("CRIA_MPI_SEED", 1)), "kills");
  const int64_t kills = number_in("CRIA_MPI_KILLS", 2);
  for (int64_t kill = 0; kill < kills; ++kill) {
    const std::string out = "killed" + std::to_string(kill);
    const auto process = start(4, training(out, kSteps, {"--resume"}));
    const auto found = ranks_that_train(out);
    std::this_thread::sleep_for(std::chrono::milliseconds(rng.below(500)));
    const auto victim = found.find(static_cast<int>(rng.below(4)));
    if (victim != found.end()) ::kill(victim->second, SIGKILL);
    process->wait();
    expect_gone_within_ten_seconds();
    succeed(static_cast<int>(1 + rng.below(2)), training(out, kSteps, {"--resume"}));
    EXPECT_TRUE(results(out, kSteps) == want) << "kill " << kill;
  }
}

}  // namespace
}  // namespace cria
