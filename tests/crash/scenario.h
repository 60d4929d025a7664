// Commands that write files, each in a directory of its own, run to their end or to a fault that
// the preloaded library (interpose.cpp) brings about.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "cria/base/file.h"
#include "cria/base/json.h"
#include "support/cli.h"
#include "support/files.h"
#include "support/process.h"

namespace cria {

inline std::string environment(const char* name) {
  const char* const value = std::getenv(name);
  return value ? value : "";
}

// How often a test of random moments strikes: CRASH_KILLS, or 40 in the short form.
inline int64_t wanted_kills() {
  const std::string wanted = environment("CRASH_KILLS");
  return wanted.empty() ? 40 : std::stoll(wanted);
}

// The short form strikes at every seventh call.
inline int64_t call_stride() {
  return environment("CRASH_KILLS").empty() ? 7 : 1;
}

// What to run, in a directory that holds text.txt, data/, run.toml and trained/; everything that it
// writes is below out/. Run again after an interruption it ends with the same files.
struct Scenario {
  std::string name;
  CliTest::Arguments command;
};

inline std::ostream& operator<<(std::ostream& out, const Scenario& scenario) {
  return out << scenario.name;
}

inline std::vector<Scenario> scenarios() {
  return {
      {"train", {"train", "run.toml", "--resume"}},
      {"prepare",
       {"prepare", "text.txt", "--out", "out/data", "--tokenizer", "bpe", "--vocab-size", "270"}},
      {"export_hf", {"export", "trained", "--to", "hf", "-o", "out/hf"}},
      {"export_gguf", {"export", "trained", "--to", "gguf", "-o", "out/model.gguf"}},
      {"export_llama2c", {"export", "trained", "--to", "llama2c", "-o", "out/model.bin"}},
  };
}

// One step of metrics without what depends on the clock.
inline std::string without_times(const std::string& metrics) {
  std::string kept;
  for (size_t begin = 0, end; (end = metrics.find('\n', begin)) != std::string::npos;
       begin = end + 1) {
    const Json line = Json::parse(metrics.substr(begin, end - begin), "metrics.jsonl");
    for (const char* key : {"step", "loss", "grad_norm", "val_loss"}) {
      if (const Json* value = line.find(key)) kept += " " + value->dump();
    }
    kept += '\n';
  }
  return kept;
}

class Workshop {
 public:
  Workshop() {
    static const TemporaryDirectory original;
    static const bool made = [] {
      write_file(original / "text.txt", CliTest::text());
      write_file(original / "run.toml", kConfig);
      prepare(original.path(), {"prepare", "text.txt", "--out", "data"});
      prepare(original.path(), {"train", "run.toml", "train.output_dir=\"trained\""});
      return true;
    }();
    EXPECT_TRUE(made);
    std::filesystem::copy(original.path(), directory_.path(),
                          std::filesystem::copy_options::recursive);
    clear();
  }

  std::string path(std::string_view name) const { return directory_ / name; }
  std::string out() const { return path("out"); }

  void clear() const {
    std::filesystem::remove_all(out());
    std::filesystem::create_directory(out());
  }

  // Runs cria; with a fault: CRASH_AT=... CRASH_HOW=... .
  ProcessResult run(const CliTest::Arguments& arguments,
                    std::vector<std::string> faults = {}) const {
    if (!faults.empty()) {
      faults.push_back("LD_PRELOAD=" + environment("CRASH_LIBRARY"));
      faults.push_back("CRASH_UNDER=" + std::filesystem::canonical(out()).string());
    }
    return Process(cria_binary(), arguments, directory_.path(), Process::kNoLimit, faults).wait();
  }

  // What there is below out/, without what depends on the clock or on how often it was started.
  std::map<std::string, std::string> results() const {
    static const std::set<std::string> kOther = {"trainer.json", "metrics.csv", "lock",
                                                 "starts.jsonl"};
    std::map<std::string, std::string> all = files_below(out());
    std::erase_if(all, [](const auto& file) {
      return kOther.contains(std::filesystem::path(file.first).filename().string());
    });
    const auto metrics = all.find("run/metrics.jsonl");
    if (metrics != all.end()) metrics->second = without_times(metrics->second);
    return all;
  }

  // The checkpoints of the run, by name.
  std::vector<std::string> checkpoints() const {
    std::vector<std::string> names;
    const std::string directory = path("out/run/checkpoints");
    if (!exists(directory)) return names;
    for (const auto& entry : std::filesystem::directory_iterator(directory)) {
      const std::string name = entry.path().filename().string();
      if (name.starts_with("step-") && !name.ends_with(".tmp")) names.push_back(name);
    }
    std::sort(names.begin(), names.end());
    return names;
  }

 private:
  static void prepare(const std::string& directory, const CliTest::Arguments& arguments) {
    const ProcessResult result = Process(cria_binary(), arguments, directory).wait();
    if (result.exit_code != 0) throw std::runtime_error(result.err);
  }

  static constexpr const char* kConfig =
      "[model]\n"
      "hidden_size = 16\n"
      "intermediate_size = 24\n"
      "num_hidden_layers = 1\n"
      "num_attention_heads = 2\n"
      "\n"
      "[data]\n"
      "train = \"data/train_*.bin\"\n"
      "val = \"data/val_*.bin\"\n"
      "sequence_length = 8\n"
      "\n"
      "[train]\n"
      "steps = 9\n"
      "batch_size = 2\n"
      "eval_every = 4\n"
      "eval_batches = 1\n"
      "sample_every = 4\n"
      "sample_prompt = \"Lama\"\n"
      "sample_tokens = 5\n"
      "checkpoint_every = 2\n"
      "keep_checkpoints = 2\n"
      "output_dir = \"out/run\"\n"
      "\n"
      "[schedule]\n"
      "name = \"constant\"\n";

  TemporaryDirectory directory_;
};

inline std::vector<std::string> fault(int64_t at, const std::string& how) {
  return {"CRASH_AT=" + std::to_string(at), "CRASH_HOW=" + how};
}

}  // namespace cria
