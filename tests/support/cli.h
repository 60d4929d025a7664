// The program in a directory of its own, with a text, a dataset, a config and a trained run.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "cria/base/file.h"
#include "cria/base/json.h"
#include "support/errors.h"
#include "support/files.h"
#include "support/process.h"

namespace cria {

// The program under test as an absolute path; "" when CRIA_BINARY does not name it.
inline std::string cria_binary() {
  const char* const path = std::getenv("CRIA_BINARY");
  return path ? std::filesystem::absolute(path).string() : "";
}

using Names = std::vector<std::string>;

inline Names keys(const Json& json) {
  Names names;
  for (const auto& [key, value] : json.as_object("json")) names.push_back(key);
  return names;
}

// The only line of text, as JSON.
inline Json json_line(const std::string& text) {
  EXPECT_EQ(text.find('\n'), text.size() - 1) << text;
  return Json::parse(text, "standard output");
}

class CliTest : public testing::Test {
 public:
  using Arguments = std::vector<std::string>;

  // text.txt, tiny.toml (output in new/), data/ (its characters) and run/ (trained by tiny.toml).
  // Made once, then copied for each test.
  void SetUp() override {
    if (cria_binary().empty()) GTEST_SKIP() << "CRIA_BINARY does not name the program to test";
    static const TemporaryDirectory original;
    static const bool made = [] {
      write_file(original / "text.txt", text());
      write_file(original / "tiny.toml", kConfig);
      for (const Arguments& arguments :
           {Arguments{"prepare", "text.txt", "--out", "data"},
            Arguments{"train", "tiny.toml", "train.output_dir=\"run\""}}) {
        const ProcessResult result = Process(cria_binary(), arguments, original.path()).wait();
        if (result.exit_code != 0) throw std::runtime_error(result.err);
      }
      return true;
    }();
    ASSERT_TRUE(made);
    std::filesystem::copy(original.path(), directory_.path(),
                          std::filesystem::copy_options::recursive);
  }

  ProcessResult cria(const Arguments& arguments, rlim_t max_file_bytes = Process::kNoLimit) const {
    return Process(cria_binary(), arguments, directory_.path(), max_file_bytes).wait();
  }

  // Runs cria as above; the test fails unless cria succeeds.
  ProcessResult run(const Arguments& arguments) const {
    const ProcessResult result = cria(arguments);
    EXPECT_EQ(result.exit_code, 0) << arguments.front() << '\n' << result.err;
    return result;
  }

  std::string path(const std::string& name) const { return directory_ / name; }
  std::string read(const std::string& name) const { return read_file(path(name)); }
  void write(const std::string& name, std::string_view bytes) const {
    write_file(path(name), bytes);
  }
  void replace(const std::string& name, const std::string& from, const std::string& to) const {
    std::string bytes = read(name);
    const size_t at = bytes.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    write(name, bytes.replace(at, from.size(), to));
  }
  void cut(const std::string& name, size_t bytes) const {
    const std::string whole = read(name);
    write(name, std::string_view(whole).substr(0, whole.size() - bytes));
  }

  std::map<std::string, std::string> files() const { return files_below(directory_.path()); }

  static std::string text() {
    std::string all;
    for (int i = 0; i < 50; ++i) {
      all += "Lama " + std::to_string(i * i) + " zog über den Paß.\n";
    }
    return all;
  }

  // train and val shards of text(), as prepare makes them.
  static constexpr const char* kTrainShard = "data/train_000000.bin";
  static constexpr const char* kValShard = "data/val_000000.bin";
  static constexpr const char* kCheckpoint = "run/checkpoints/step-00000004";

 private:
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
      "steps = 4\n"
      "batch_size = 2\n"
      "eval_batches = 2\n"
      "checkpoint_every = 2\n"
      "output_dir = \"new\"\n"
      "\n"
      "[schedule]\n"
      "name = \"constant\"\n";

  TemporaryDirectory directory_;
};

}  // namespace cria
