// cria inspect: what is in a model, a tokenizer or a dataset.
#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "base/unicode.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "cli/progress.h"
#include "cria/base/file.h"
#include "cria/exchange/load_model.h"
#include "cria/tokenizer_files/tokenizer_file.h"
#include "data/dataset_json.h"
#include "report/dataset_report.h"
#include "report/inspect_model.h"
#include "report/report_text.h"
#include "report/tokenizer_report.h"

namespace cria {
namespace {

bool names_shards(const std::string& path) {
  return path.ends_with(".bin") || (!exists(path) && path.find_first_of("*?[") != path.npos);
}

void refuse(const Options& options, const std::string& what, std::vector<std::string> names,
            bool model_too = true) {
  for (const Option& option : model_options()) {
    if (model_too) names.push_back(option.name);
  }
  for (const std::string& name : names) {
    if (!options.has(name)) continue;
    options.refuse("--" + name + " does not apply to " + what,
                   {.hint = "see 'cria inspect --help'"});
  }
}

size_t top(const Options& options) {
  return static_cast<size_t>(options.integer("top", 20, 0, INT32_MAX));
}

int inspect_tokenizer(const Options& options, const std::string& path) {
  refuse(options, "a tokenizer", {"shard-format", "tokenizer", "bos-id", "eos-id", "tokens"});
  TokenizerReport report;
  report.path = path;
  report.show_ids = options.has("ids");
  report.tokenizer = read_tokenizer(path, options.text("pattern", ""));
  const Tokenizer& tokenizer = *report.tokenizer;
  report.vocabulary = vocabulary_statistics(tokenizer, top(options));
  if (options.has("file")) {
    const MappedFile file(options.text("file", ""));
    report.sample = sample_of(tokenizer, file.bytes(), file.path(), file.path());
  } else if (options.has("text")) {
    const std::string text = options.text("text", "");
    report.sample = sample_of(tokenizer, text, quote(text), "--text");
  }
  return show(options, report);
}

int inspect_dataset(const Options& options, const std::string& path) {
  refuse(options, "a dataset", {"text", "file", "ids", "pattern"});
  const ShardFormat format = shard_format(options.choice("shard-format", shard_format_names()));
  DatasetReport report = {.path = path,
                          .dataset = read_dataset(path, format, options.text("tokenizer", "")),
                          .top = top(options)};
  DatasetSummary& dataset = report.dataset;
  dataset.bos = static_cast<int32_t>(options.integer("bos-id", dataset.bos, 0, INT32_MAX));
  dataset.eos = static_cast<int32_t>(options.integer("eos-id", dataset.eos, 0, INT32_MAX));
  const int64_t shown = options.integer("tokens", 64, 0, 1 << 20);
  constexpr int64_t kLargestVocabulary = 1 << 24;  // where nothing tells a smaller one
  const int64_t vocabulary = dataset.vocab_size > 0 ? dataset.vocab_size : kLargestVocabulary;
  for (const DatasetSplit& split : dataset.splits) {
    ProgressBar bar(stderr, "inspect " + split.name);
    SplitReport& result = report.splits.emplace_back();
    result.statistics = scan_shards(split.shards, {.vocab_size = vocabulary,
                                                   .marks = {dataset.bos, dataset.eos},
                                                   .progress = [&](int64_t done, int64_t total) {
                                                     bar.update(done, total, "tokens");
                                                   }});
    const Shard& shard = split.shards.front();
    result.first.resize(static_cast<size_t>(std::min(shown, shard.tokens())));
    shard.read(0, std::min(shown, shard.tokens()), vocabulary, result.first.data());
  }
  return show(options, report);
}

}  // namespace

int run_inspect(const Arguments& arguments) {
  std::vector<Option> all = model_options();
  const std::vector<Option> others = {
      {"top", "N", "nearest tokens (default 10), longest or most frequent tokens (20)"},
      {"text", "TEXT", "tokenizer: show TEXT as its tokens"},
      {"file", "FILE", "tokenizer: show a file as its tokens, the first 4 KB"},
      {"pattern", "NAME",
       "tokenizer: how a tiktoken file cuts text: gpt2, gpt4, llama3, smollm or qwen2"},
      {"ids", "", "tokenizer: show the ids of the text too"},
      {"tokenizer", "PATH", "model, dataset: the tokenizer, if not the one that comes with it"},
      {"shard-format", "NAME", "dataset, --data: llmc (default) or raw_uint16"},
      {"bos-id", "N", "dataset: a document begins at every N, if dataset.json does not say"},
      {"eos-id", "N", "dataset: a document ends with every N, if dataset.json does not say"},
      {"tokens", "N", "dataset: first tokens of each split shown (default 64)"},
      {"json", "", "print everything as JSON"}};
  all.insert(all.end(), others.begin(), others.end());
  Options options(
      "inspect", "PATH",
      "What is in PATH: a model (its directory, a run, a file of safetensors, GGUF or llama2.c, "
      "or a config:\nits initial weights), a tokenizer (its file, or a directory; of a model with "
      "--text or "
      "--file), or a dataset (the\ndirectory of its dataset.json, a shard, or a glob of "
      "shards).",
      all);
  if (!options.parse(arguments, 1, 1)) return 0;
  const std::string& path = options.positional().front();
  if (options.has("text") && options.has("file")) {
    options.refuse("--text and --file exclude each other", {.expected = "one of them"});
  }
  const bool asks_tokenizer = options.has("text") || options.has("file") || options.has("ids");
  const bool asks_dataset = options.has("shard-format") && !options.has("diagnostics");
  if (!asks_tokenizer && !asks_dataset && names_model(path)) {
    refuse(options, "a model", {"pattern", "bos-id", "eos-id", "tokens"}, false);
    return inspect_model(options, path);
  }
  if (names_shards(path) || exists(join_path(path, kDatasetJson))) {
    return inspect_dataset(options, path);
  }
  if (path.ends_with(kDatasetJson)) {
    return inspect_dataset(options, std::filesystem::path(path).parent_path().string());
  }
  const std::string checkpoint = find_checkpoint(path);
  return inspect_tokenizer(options, checkpoint.empty() ? path : checkpoint);
}

}  // namespace cria
