#include "cria/inference/evaluate.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numbers>
#include <numeric>
#include <string>
#include <utility>

#include "cria/base/error.h"
#include "distributed/communicator.h"

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

namespace {

// Windows of the dataset as batches for the model.
class WindowBatch {
 public:
  // size: windows in a batch at most.
  WindowBatch(const Dataset& dataset, const EvaluationRequest& request, int64_t size)
      : dataset_(dataset),
        request_(request),
        size_(size),
        inputs_(static_cast<size_t>(size * request.sequence_length)),
        targets_(inputs_.size()),
        starts_(request.documents ? inputs_.size() : 0) {}

  // Reads the windows from `first` on, none from `end` on. All have one length, so that a shard's
  // short last one is read alone. Returns how many were read.
  int64_t read(int64_t first, int64_t end) {
    const Window begin = dataset_.evaluation_window(first, request_.sequence_length);
    shard_ = begin.shard;
    time_ = begin.length;
    count_ = predicted_ = 0;
    for (; count_ < size_ && first + count_ < end; ++count_) {
      const Window window = dataset_.evaluation_window(first + count_, request_.sequence_length);
      if (window.length != time_) break;
      int32_t* const in = inputs_.data() + count_ * time_;
      int32_t* const out = targets_.data() + count_ * time_;
      dataset_.read(window, in, out);
      predicted_ += request_.documents ? mark_documents(in, out, time_, *request_.documents,
                                                        starts_.data() + count_ * time_)
                                       : count_targets(out, time_);
    }
    return count_;
  }

  TokenIds inputs() const { return ids(inputs_); }
  TokenIds targets() const { return ids(targets_); }
  TokenIds document_starts() const { return ids(starts_); }
  int64_t shard() const { return shard_; }          // of the first window
  int64_t predicted() const { return predicted_; }  // targets that are not ignored

  // Bytes of the targets. Ids that the model has and the tokenizer lacks (padding of the
  // vocabulary) have none, nor have targets that are ignored.
  int64_t bytes() const {
    int64_t bytes = 0;
    for (int64_t n = 0; n < count_ * time_; ++n) {
      const size_t id = static_cast<size_t>(targets_[n]);
      if (id < request_.token_lengths.size()) bytes += request_.token_lengths[id];
    }
    return bytes;
  }

 private:
  TokenIds ids(const std::vector<int32_t>& all) const {
    return all.empty() ? TokenIds() : TokenIds(all.data(), {count_, time_});
  }

  const Dataset& dataset_;
  const EvaluationRequest& request_;
  int64_t size_, count_ = 0, time_ = 0, shard_ = 0, predicted_ = 0;
  std::vector<int32_t> inputs_, targets_, starts_;
};

int64_t windows_of(const Dataset& dataset, const EvaluationRequest& request) {
  const int64_t all = dataset.evaluation_windows(request.sequence_length);
  return request.batches > 0 ? std::min(all, request.batches * request.batch_size) : all;
}

}  // namespace

bool has_targets(const Dataset& dataset, const EvaluationRequest& request) {
  const int64_t windows = windows_of(dataset, request);
  WindowBatch batch(dataset, request, 1);
  for (int64_t next = 0; next < windows;) {
    next += batch.read(next, windows);
    if (batch.predicted() > 0) return true;
  }
  return false;
}

Evaluation evaluate(const Llama& model, Activations& activations, const Dataset& dataset,
                    const EvaluationRequest& request) {
  if (request.batch_size < 1) {
    throw Error("not possible", {.where = "evaluate: batch_size",
                                 .expected = "at least 1",
                                 .got = std::to_string(request.batch_size)});
  }
  const auto start = std::chrono::steady_clock::now();
  const int64_t windows = windows_of(dataset, request);
  // A segment memory goes from each window to the next, so they come one by one.
  std::optional<SegmentMemory> segments;
  if (model.config().memory_length > 0) segments.emplace(model.config(), 1);
  WindowBatch batch(dataset, request, segments ? 1 : request.batch_size);
  Evaluation result;
  std::vector<double> losses;  // of each batch, 0 of those that others compute
  const bool shared = request.ranks && !segments && !request.each_loss;
  const int64_t size = shared ? request.ranks->size() : 1;
  const int64_t rank = shared ? request.ranks->rank() : 0;
  int64_t bytes = 0, shard = 0;
  for (int64_t next = 0; next < windows;) {
    next += batch.read(next, windows);
    if (segments && batch.shard() != std::exchange(shard, batch.shard())) segments->clear();
    result.tokens += batch.predicted();
    bytes += batch.bytes();
    losses.push_back(0);
    if (std::ssize(losses) % size == rank) {
      losses.back() = model.loss_sum(activations, batch.inputs(), batch.targets(),
                                     {.document_starts = batch.document_starts(),
                                      .segments = segments ? &*segments : nullptr});
    }
    if (request.each_loss) {
      const TokenIds targets = batch.targets();
      request.each_loss(targets, within(activations.losses(), {targets.size()}));
    }
    if (request.progress) request.progress(next, windows);
  }
  if (result.tokens == 0) {
    throw Error("no token to predict", {.where = dataset.glob(),
                                        .expected = "documents of more than one token",
                                        .got = std::to_string(windows) + " windows without any",
                                        .hint = "are the marks of documents the right ones?"});
  }
  if (shared) request.ranks->add(losses);
  // In the order of the batches, whoever computed them.
  const double loss = std::accumulate(losses.begin(), losses.end(), 0.0);
  result.loss = loss / static_cast<double>(result.tokens);
  result.perplexity = std::exp(result.loss);
  if (bytes > 0) result.bits_per_byte = loss / (std::numbers::ln2 * static_cast<double>(bytes));
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return result;
}

}  // namespace cria
