#include "cria/train/generate.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "cria/base/error.h"
#include "cria/base/unicode.h"
#include "cria/kernels/kernels.h"

namespace cria {
namespace {

// Text on its way out, held back while it may be the beginning of the stop text.
class StopFilter {
 public:
  explicit StopFilter(const std::string& stop) : stop_(stop) {}

  // What may be shown now. stopped() tells whether the stop text has come.
  std::string push(const std::string& text) {
    pending_ += text;
    if (stop_.empty()) return std::exchange(pending_, "");
    const size_t found = pending_.find(stop_);
    stopped_ = found != std::string::npos;
    size_t safe = stopped_ ? found : pending_.size();
    if (!stopped_) {
      size_t overlap = std::min(stop_.size() - 1, pending_.size());
      while (pending_.compare(pending_.size() - overlap, overlap, stop_, 0, overlap) != 0) {
        --overlap;
      }
      safe -= overlap;
    }
    std::string shown = pending_.substr(0, safe);
    pending_.erase(0, safe);
    return shown;
  }

  std::string rest() const { return stopped_ ? "" : pending_; }
  bool stopped() const { return stopped_; }

 private:
  std::string stop_, pending_;
  bool stopped_ = false;
};

}  // namespace

int32_t sample_token(std::span<const float> logits, const Sampling& sampling, Rng& rng,
                     std::vector<float>& p) {
  const auto best = std::ranges::max_element(logits);
  if (sampling.temperature == 0) return static_cast<int32_t>(best - logits.begin());
  p.resize(logits.size());
  // Relative to the best, so that no temperature is too low to divide by.
  std::ranges::transform(logits, p.begin(), [&](float z) {
    return static_cast<float>((static_cast<double>(z) - *best) / sampling.temperature);
  });
  kernels().softmax(1, static_cast<int64_t>(p.size()), p.data());

  // Most likely first; equals in the order of their ids. By logits: probabilities can round to
  // the same number.
  std::vector<int32_t> order(p.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, [&](int32_t a, int32_t b) { return logits[a] > logits[b]; });
  size_t kept = order.size();
  if (sampling.top_k > 0) kept = std::min(kept, static_cast<size_t>(sampling.top_k));
  double total = 0;
  for (size_t i = 0; i < kept; ++i) total += static_cast<double>(p[order[i]]);
  if (sampling.top_p < 1) {
    double reached = 0;
    size_t i = 0;
    while (i < kept && reached < sampling.top_p * total) {
      reached += static_cast<double>(p[order[i++]]);
    }
    kept = std::max<size_t>(i, 1);
    total = reached;
  }
  double left = rng.uniform() * total;
  for (size_t i = 0; i + 1 < kept; ++i) {
    left -= static_cast<double>(p[order[i]]);
    if (left < 0) return order[i];
  }
  return order[kept - 1];
}

Generator::Generator(const Llama& model, const Tokenizer& tokenizer)
    : model_(&model), tokenizer_(&tokenizer) {
  if (tokenizer.vocab_size() > model.config().vocab_size) {
    throw Error("the tokenizer has more tokens than the model",
                {.where = "generate",
                 .expected = "at most " + std::to_string(model.config().vocab_size),
                 .got = std::to_string(tokenizer.vocab_size()),
                 .hint = "this tokenizer.json belongs to another model"});
  }
}

int64_t Generator::run(std::string_view prompt, const Sampling& sampling,
                       const std::function<void(std::string_view)>& sink) {
  std::vector<int32_t> ids =
      tokenizer_->encode_prompt(prompt, "the prompt", sampling.allow_special);
  if (ids.empty()) {
    throw Error("the prompt is empty",
                {.where = "generate", .hint = "give at least one character to go on from"});
  }
  // No more than will be needed: a model may have been made for very long texts.
  const int64_t positions = model_->config().max_position_embeddings;
  const int64_t length =
      static_cast<int64_t>(ids.size()) + std::min(positions, sampling.max_new_tokens);
  const size_t capacity = static_cast<size_t>(std::min(positions, length));
  Activations memory(*model_, Purpose::generation, 1, static_cast<int64_t>(capacity));
  // The vocabulary may be padded beyond what the tokenizer can decode.
  const size_t tokens = static_cast<size_t>(tokenizer_->vocab_size());
  Rng rng(sampling.seed, "sample");
  std::vector<float> scratch;
  Utf8Stream utf8;
  StopFilter filter(sampling.stop);
  bool begins = ids == tokenizer_->ends().before;
  size_t fed = 0;  // how many of ids the cache has seen
  int64_t produced = 0;
  const auto is_end = [&](int32_t id) {
    return id == tokenizer_->special_tokens().eos ||
           std::ranges::find(sampling.end_tokens, id) != sampling.end_tokens.end();
  };
  while (produced < sampling.max_new_tokens && !filter.stopped()) {
    if (static_cast<size_t>(memory.cached()) + (ids.size() - fed) > capacity) {
      memory.clear_cache();
      fed = ids.size() - std::max<size_t>(1, capacity / 2);
    }
    const int64_t count = static_cast<int64_t>(ids.size() - fed);
    const ConstTensor logits = model_->next_logits(memory, TokenIds(&ids[fed], {1, count}));
    fed = ids.size();
    ids.push_back(sample_token({logits.data, tokens}, sampling, rng, scratch));
    ++produced;
    if (!sampling.ignore_eos && is_end(ids.back())) break;
    sink(filter.push(utf8.push(tokenizer_->shown(ids.back(), begins))));
  }
  if (!filter.stopped()) sink(filter.push(utf8.finish()));
  sink(filter.rest());
  return produced;
}

}  // namespace cria
