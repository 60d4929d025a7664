// cria demo: the other commands one after the other, on a corpus that cria writes itself.
#include <cstdio>

#include "cli/commands.h"
#include "cli/options.h"
#include "cria/base/file.h"
#include "cria/base/json.h"
#include "cria/exchange/load_model.h"
#include "cria/train/run_config.h"
#include "data/dataset_json.h"
#include "prepare/demo_corpus.h"
#include "report/report.h"

namespace cria {
namespace {

constexpr const char* kConfig = "configs/demo.toml";
constexpr const char* kData = "data/demo";
constexpr uint64_t kSeed = 1;
constexpr uint64_t kTrainBytes = 3300 * 1000, kValBytes = 100 * 1000;

// Shows the command, then runs it.
int run(int (*command)(const Arguments&), const std::string& name, const Arguments& arguments) {
  std::string line = "$ cria " + name;
  for (const std::string& argument : arguments) {
    if (argument.starts_with("\n\n")) {
      line += " $'\\n\\n" + argument.substr(2) + "'";
    } else if (argument.find_first_of(" *") != std::string::npos) {
      line += " '" + argument + "'";
    } else {
      line += " " + argument;
    }
  }
  std::printf("\n%s\n", line.c_str());
  std::fflush(stdout);
  return command(arguments);
}

// train.txt, val.txt and what their generator knows of them.
void write_corpus(const std::string& directory) {
  make_directories(directory);
  const auto write = [&](const char* name, uint64_t first, uint64_t bytes) {
    AtomicFile file(join_path(directory, name));
    const DemoCorpus totals =
        write_demo_corpus(kSeed, first, bytes, [&](std::string_view story) { file.write(story); });
    file.commit();
    return totals;
  };
  const DemoCorpus train = write("train.txt", 0, kTrainBytes);
  const DemoCorpus val = write("val.txt", train.stories, kValBytes);
  Json json;
  json.set("stories", train.stories + val.stories);
  json.set("val_bytes", val.bytes);
  json.set("val_bits_per_byte", val.bits / static_cast<double>(val.bytes));
  write_file(join_path(directory, kCorpusJson), json.dump(2) + "\n");
  std::printf("%s: %llu stories, %.1f MB\n", directory.c_str(),
              static_cast<unsigned long long>(train.stories + val.stories),
              static_cast<double>(train.bytes + val.bytes) * 1e-6);
}

}  // namespace

int run_demo(const Arguments& arguments) {
  Options options(
      "demo", "[table.key=value ...]",
      "Write a corpus of small stories to data/demo, train configs/demo.toml on it "
      "(with these overrides),\nprint three stories of the model's own, and write a page "
      "of charts. What is already done is not done\nagain; remove data/demo and "
      "runs/demo to start over.",
      {});
  if (!options.parse(arguments)) return 0;
  const std::string data = kData;
  if (!exists(join_path(data, kCorpusJson))) write_corpus(data);
  if (!exists(join_path(data, kDatasetJson))) {
    const int code = run(run_prepare, "prepare",
                         {join_path(data, "train.txt"), "--val", join_path(data, "val.txt"),
                          "--out", data, "--tokenizer", "chars"});
    if (code != 0) return code;
  }

  const RunConfig config = read_run_config(kConfig, options.positional());
  const std::string& output = config.train.output_dir;
  if (!exists(checkpoint_path(output, config.train.steps))) {
    Arguments train = {kConfig, "--resume"};  // one that was killed goes on
    train.insert(train.end(), options.positional().begin(), options.positional().end());
    const int code = run(run_train, "train", train);
    if (code != 0) return code;
  }

  const int code = run(run_eval, "eval", {output, "--data", config.data.val});
  if (code != 0) return code;
  std::printf("floor          %.4f bits per byte: what the stories' own generator needs\n",
              floor_bits_per_byte(data).value());
  for (const char* seed : {"1", "2", "3"}) {
    const int story = run(run_generate, "generate",
                          {output, "--prompt", "\n\nOne", "--stop", "\n\n", "--temperature", "0.4",
                           "--max-new-tokens", "1200", "--seed", seed});
    if (story != 0) return story;
  }
  return run(run_report, "report", {output, "-o", join_path(output, kReportFile)});
}

}  // namespace cria
