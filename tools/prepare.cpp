// cria prepare: texts to a tokenizer and token shards.
#include "prepare/prepare.h"

#include <cstdio>
#include <optional>

#include "cli/commands.h"
#include "cli/interruption.h"
#include "cli/options.h"
#include "cli/prepare_request.h"
#include "cli/progress.h"
#include "report/report_text.h"

namespace cria {
namespace {

void print(const std::string& directory, const Json& summary) {
  const auto number = [&](const char* part, const char* key) {
    return summary.find(part)->find(key)->as_double(key);
  };
  const auto split = [&](const char* part) {
    const double documents = number(part, "documents");
    const bool masked = summary.find(part)->find("learned") != nullptr;
    return short_count(number(part, "tokens")) + " tokens" +
           (masked ? " (" + short_count(number(part, "learned")) + " learned)" : "") + " of " +
           short_count(documents) + (documents == 1 ? " document" : " documents");
  };
  const double bytes = number("train", "bytes") + number("val", "bytes");
  const double tokens = number("train", "tokens") + number("val", "tokens");
  std::printf(
      "%s: %s tokenizer, %.0f tokens; %s to train on, %s to validate; "
      "%.2f bytes per token\n",
      directory.c_str(), summary.find("tokenizer")->find("kind")->as_string("kind").c_str(),
      number("tokenizer", "vocab_size"), split("train").c_str(), split("val").c_str(),
      bytes / tokens);
}

}  // namespace

int run_prepare(const Arguments& arguments) {
  Options options("prepare", "TEXT... --out DIR",
                  "Write tokenizer.json, train and val shards (llm.c's format) and dataset.json "
                  "from UTF-8 texts:\nfiles, quoted globs ('*.txt'), or - for standard input. A "
                  ".jsonl file has a JSON object with\na text on each line. Memory is bounded "
                  "whatever the size of the texts; Ctrl-C leaves nothing.",
                  prepare_options());
  if (!options.parse(arguments, 1)) return 0;
  PrepareRequest request = request_of(options);
  std::optional<ProgressBar> bar;
  std::string phase;
  request.progress = [&](const PrepareProgress& progress) {
    if (phase != progress.phase) {
      phase = progress.phase;
      bar.emplace(stderr, phase,
                  progress.in_bytes ? ProgressBar::Unit::bytes : ProgressBar::Unit::count);
    }
    bar->update(progress.done, progress.total, progress.in_bytes ? "" : "tokens");
  };
  request.note = [&](const std::string& line) {
    bar.reset();
    std::fprintf(stderr, "%s\n", line.c_str());
  };
  request.stop = &stop_on_signals();
  try {
    const Json summary = prepare_dataset(request);
    bar.reset();
    if (options.has("json")) {
      print_json(summary);
    } else {
      print(request.directory, summary);
    }
    return 0;
  } catch (const Interrupted& stopped) {
    bar.reset();
    std::fprintf(stderr, "%s\n", stopped.what());
    return kInterrupted;
  }
}

}  // namespace cria
