#include "cria/inference/evaluate.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numbers>
#include <optional>
#include <string>
#include <utility>

#include "cria/base/error.h"

namespace cria {

std::vector<int64_t> token_lengths(const Tokenizer* tokenizer) {
  std::vector<int64_t> lengths;
  if (!tokenizer) return lengths;
  for (int64_t id = 0; id < tokenizer->vocab_size(); ++id) {
    lengths.push_back(static_cast<int64_t>(tokenizer->token(static_cast<int32_t>(id)).size()));
  }
  for (const AddedToken& added : tokenizer->added_tokens()) {
    if (added.special) lengths[added.id] = 0;
  }
  return lengths;
}

Evaluation evaluate(const Llama& model, Activations& memory, const Dataset& dataset,
                    const EvaluationRequest& request) {
  const auto start = std::chrono::steady_clock::now();
  const int64_t length = request.sequence_length;
  const int64_t all = dataset.evaluation_windows(length);
  const int64_t windows =
      request.batches > 0 ? std::min(all, request.batches * request.batch_size) : all;
  // A memory goes from each window to the next: they come one by one.
  std::optional<SegmentMemory> segments;
  if (model.config().memory_length > 0) segments.emplace(model.config(), 1);
  const int64_t batch_size = segments ? 1 : request.batch_size;
  int64_t shard = 0;
  std::vector<int32_t> inputs(batch_size * length), targets(inputs.size());
  std::vector<int32_t> starts(request.documents ? inputs.size() : 0);
  Evaluation result;
  double loss = 0;
  int64_t bytes = 0;
  for (int64_t next = 0; next < windows;) {
    // As many windows of one length as follow each other: a shard's short last one goes alone.
    const int64_t time = dataset.evaluation_window(next, length).length;
    int64_t batch = 0;
    while (batch < batch_size && next < windows) {
      const Window window = dataset.evaluation_window(next, length);
      if (window.length != time) break;
      if (segments && window.shard != std::exchange(shard, window.shard)) segments->clear();
      int32_t* const in = inputs.data() + batch * time;
      int32_t* const out = targets.data() + batch * time;
      dataset.read(window, in, out);
      result.tokens += request.documents ? mark_documents(in, out, time, *request.documents,
                                                          starts.data() + batch * time)
                                         : time;
      ++batch;
      ++next;
    }
    const auto ids = [&](const std::vector<int32_t>& all) {
      return all.empty() ? TokenIds() : TokenIds(all.data(), {batch, time});
    };
    loss += model.loss_sum(
        memory, ids(inputs), ids(targets),
        {.document_starts = ids(starts), .segments = segments ? &*segments : nullptr});
    for (int64_t n = 0; n < batch * time; ++n) {
      // Ids that the model has and the tokenizer lacks (padding of the vocabulary) have no bytes,
      // nor have targets that are ignored.
      const size_t id = static_cast<size_t>(targets[n]);
      if (id < request.token_lengths.size()) bytes += request.token_lengths[id];
    }
    if (request.each_loss) request.each_loss(ids(targets), within(memory.losses(), {batch * time}));
    if (request.progress) request.progress(next, windows);
  }
  if (result.tokens == 0) {
    throw Error("no token to predict", {.where = dataset.pattern(),
                                        .expected = "documents of more than one token",
                                        .got = std::to_string(windows) + " windows without",
                                        .hint = "are the marks of documents the right ones?"});
  }
  result.loss = loss / static_cast<double>(result.tokens);
  result.perplexity = std::exp(result.loss);
  if (bytes > 0) result.bits_per_byte = loss / (std::numbers::ln2 * static_cast<double>(bytes));
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return result;
}

}  // namespace cria
