// cria eval: how well a model predicts token shards.
#include <cmath>
#include <cstdio>
#include <optional>
#include <string>
#include <vector>

#include "cli/chosen_model.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "cli/progress.h"
#include "cria/base/error.h"
#include "cria/exchange/load_model.h"
#include "cria/train/metrics.h"
#include "cria/train/run_config.h"
#include "data/dataset_json.h"
#include "distributed/communicator.h"
#include "inference/document_marks.h"
#include "inference/shard_tokenizer.h"
#include "report/report_text.h"

namespace cria {

namespace {

const std::vector<Option>& eval_options() {
  static const std::vector<Option> all = {
      {"data", "GLOB", "token shards; the directory of a dataset: what is there to validate on"},
      {"shard-format", "NAME", "llmc (default) or raw_uint16"},
      {"sequence-length", "N", "tokens per window (default: as trained, at most 2048)"},
      {"batch-size", "N", "windows at a time (default 8)"},
      {"mask-documents", "", "keep documents apart, as data.mask_documents does in training"},
      {"loss-mask", "", "beside each shard is a mask of what counts, as data.loss_mask"},
      {"bos-token-id", "N", "token that begins a document (default: from dataset.json)"},
      {"eos-token-id", "N", "token that ends a document (default: from dataset.json)"},
      {"batches", "N", "only the first N batches (default 0: everything)"},
      {"precision", "NAME",
       "fp32 (default, whatever the model was trained in) or bf16, as train.precision"},
      {"json", "", "print the result as JSON"}};
  return all;
}

std::optional<DocumentMarks> marks_of(const Options& options, const ModelConfig& config) {
  const auto mark = [&](const char* name) {
    return static_cast<int32_t>(options.integer(name, -1, 0, INT32_MAX));
  };
  const DocumentMarks given = {.bos = mark("bos-token-id"), .eos = mark("eos-token-id")};
  if (options.has("mask-documents")) {
    return document_marks(config, std::vector{shards_of(options.text("data", ""), "val")}, given);
  }
  if (given == DocumentMarks{}) return std::nullopt;
  options.refuse("--bos-token-id and --eos-token-id need --mask-documents");
}

void print(const Evaluation& result, const LoadedModel& loaded, bool as_json) {
  if (as_json) {
    Json json = to_json(result, loaded.step);
    json.set("tokens", result.tokens);
    json.set("model", loaded.directory);
    print_json(json);
    return;
  }
  std::printf("model          %s\ntokens         %lld\nloss           %.4f\nperplexity     %.4f\n",
              loaded.directory.c_str(), static_cast<long long>(result.tokens), result.loss,
              result.perplexity);
  if (!std::isnan(result.bits_per_byte)) {
    std::printf("bits per byte  %.4f\n", result.bits_per_byte);
  }
}

}  // namespace

int run_eval(const Arguments& arguments) {
  Options options("eval", "MODEL --data GLOB",
                  "Loss, perplexity and bits per byte of MODEL (a checkpoint, a run, or a Hugging "
                  "Face directory)\nover every token of the shards that GLOB names.",
                  eval_options());
  if (!options.parse(arguments, 1, 1)) return 0;
  if (!options.has("data")) {
    options.refuse("--data is missing", {.hint = "--data 'data/demo/val_*.bin'"});
  }
  Communicator& ranks = world();
  const ShardFormat format = shard_format(options.choice("shard-format", shard_format_names()));
  const LoadedModel loaded = load_model(
      options.positional().front(), precision_named(options.choice("precision", {"fp32", "bf16"})));
  if (ranks.leads()) tell_chosen_model(options.positional().front(), loaded);
  const ModelConfig& config = loaded.model->config();
  const std::string shards = shards_of(options.text("data", ""), "val");
  const Dataset dataset(shards, format, config.vocab_size, options.has("loss-mask"));
  if (loaded.tokenizer) require_tokenizer_of(shards, *loaded.tokenizer);
  const int64_t length = sequence_length_of(options, config);
  loaded.model->reserve_positions(length);
  const int64_t batch = options.integer("batch-size", 8, 1, 1 << 20);
  const std::optional<DocumentMarks> documents = marks_of(options, config);
  Activations activations(*loaded.model, Purpose::evaluation, batch, length);
  EvaluationRequest request = {.sequence_length = length,
                               .batch_size = batch,
                               .batches = options.integer("batches", 0, 0, INT32_MAX),
                               .token_lengths = token_lengths(loaded.tokenizer.get()),
                               .documents = documents,
                               .ranks = &ranks};
  if (!ranks.leads()) {
    evaluate(*loaded.model, activations, dataset, request);
    return 0;
  }
  Evaluation result;
  {
    ProgressBar bar(stderr, "eval");
    request.progress = [&](int64_t done, int64_t windows) { bar.update(done, windows, ""); };
    result = evaluate(*loaded.model, activations, dataset, request);
  }
  print(result, loaded, options.has("json"));
  return 0;
}

}  // namespace cria
