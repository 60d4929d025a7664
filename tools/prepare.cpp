// cria prepare: text files to a tokenizer and token shards.
#include "cria/train/prepare.h"

#include <cstdio>

#include "commands.h"
#include "cria/base/error.h"
#include "cria/train/progress.h"
#include "options.h"

namespace cria {

int run_prepare(const Arguments& arguments) {
  Options options(
      "prepare", "TEXT... --out DIR",
      "Write tokenizer.json, train and val shards (llm.c's format) and dataset.json "
      "from UTF-8 texts.",
      {{"out", "DIR", "where to; must not hold a dataset yet"},
       {"tokenizer", "NAME", "bytes, chars (default), bpe, or the path of a tokenizer.json"},
       {"vocab-size", "N", "bpe: tokens to learn"},
       {"pattern", "NAME", "bpe: gpt2, gpt4 (default) or llama3"},
       {"val", "FILE", "text to validate on"},
       {"val-fraction", "F", "without --val: this much of the end (default 0.1)"},
       {"json", "", "print dataset.json"}});
  if (!options.parse(arguments)) return 0;
  options.require_positional(1, SIZE_MAX);
  PrepareRequest request;
  request.texts = options.positional();
  if (options.has("val")) request.val_texts = {options.text("val", "")};
  request.tokenizer = options.text("tokenizer", request.tokenizer);
  if (request.tokenizer == "bpe" && !options.has("vocab-size")) {
    throw UsageError("--vocab-size is missing",
                     {.where = "cria prepare --tokenizer bpe", .hint = "--vocab-size 4096"});
  }
  request.vocab_size = options.integer("vocab-size", 0, 0, 1 << 24);
  request.pattern = options.text("pattern", request.pattern);
  request.val_fraction = options.real("val-fraction", request.val_fraction, 0.0, 0.999);
  request.directory = options.text("out", "");
  if (request.directory.empty()) {
    throw UsageError("--out is missing",
                     {.where = "cria prepare", .hint = "--out data/NAME: where the dataset goes"});
  }
  ProgressBar bar(stderr, "prepare");
  request.progress = [&](int64_t tokens, int64_t total) { bar.update(tokens, total, "tokens"); };
  const Json summary = prepare_dataset(request);
  bar.finish();
  if (options.has("json")) {
    std::printf("%s\n", summary.dump().c_str());
    return 0;
  }
  const auto get = [&](const char* part, const char* key) { return summary.find(part)->find(key); };
  std::printf("%s: %s tokenizer, %lld tokens; %s tokens to train on, %s to validate\n",
              request.directory.c_str(), get("tokenizer", "kind")->as_string("kind").c_str(),
              static_cast<long long>(get("tokenizer", "vocab_size")->as_int("vocab_size")),
              short_count(get("train", "tokens")->as_double("tokens")).c_str(),
              short_count(get("val", "tokens")->as_double("tokens")).c_str());
  return 0;
}

}  // namespace cria
