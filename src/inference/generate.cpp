#include "cria/inference/generate.h"

#include <algorithm>
#include <array>
#include <functional>
#include <limits>
#include <utility>

#include "base/first_error.h"
#include "base/unicode.h"
#include "cria/base/error.h"
#include "cria/base/parallel.h"
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

// NaN is never the highest. Four candidates are kept so that no comparison waits for the last one.
float highest(std::span<const float> logits) {
  constexpr float kLowest = -std::numeric_limits<float>::infinity();
  float a = kLowest, b = kLowest, c = kLowest, d = kLowest;
  size_t i = 0;
  for (; i + 4 <= logits.size(); i += 4) {
    a = std::max(a, logits[i]);
    b = std::max(b, logits[i + 1]);
    c = std::max(c, logits[i + 2]);
    d = std::max(d, logits[i + 3]);
  }
  for (; i < logits.size(); ++i) a = std::max(a, logits[i]);
  return std::max({a, b, c, d});
}

// Tokens in the order of their logits, highest first, equals in the order of their ids. By logits:
// probabilities can round to the same number. To sort a vocabulary takes longer than to compute its
// logits, so tokens are dealt out to buckets, and only the one that matters is sorted.
class Ranking {
 public:
  // The first tokens of the ranking, their probabilities together, and the last of them.
  struct Top {
    size_t count = 0;
    double probability = 0;
    int32_t last = 0;
  };

  // p becomes softmax(logits / temperature), as long as logits. best: the highest logit.
  Ranking(std::span<const float> logits, float best, double temperature, std::span<float> p)
      : logits_(logits), p_(p), bucket_of_(logits.size()) {
    const double factor = 1 / std::max(temperature, 1e-300);
    parallel_for(std::ssize(logits), kGrain, [&](int64_t begin, int64_t end, int) {
      for (size_t i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i) {
        // Relative to the best, so that no temperature is too low.
        p[i] = static_cast<float>((static_cast<double>(logits[i]) - best) * factor);
        const float place = p[i] * -kBucketsPerUnit;
        bucket_of_[i] = static_cast<uint16_t>(place < kBuckets - 1 ? place : kBuckets - 1);
      }
    });
    kernels().softmax(1, std::ssize(p), p.data());
    for (size_t i = 0; i < p.size(); ++i) {
      Bucket& bucket = buckets_[bucket_of_[i]];
      ++bucket.count;
      bucket.probability += static_cast<double>(p[i]);
    }
  }

  Top all() const {
    Top top = {.count = p_.size()};
    for (const Bucket& bucket : buckets_) top.probability += bucket.probability;
    return top;
  }

  // The fewest tokens, at least one, of which is_enough(them); or all.
  template <class IsEnough>
  Top fewest(IsEnough&& is_enough) const {
    Top top;
    uint16_t opened = 0;
    for (; opened + 1 < kBuckets; ++opened) {
      const Bucket& bucket = buckets_[opened];
      if (bucket.count == 0) continue;
      const Top more = {top.count + bucket.count, top.probability + bucket.probability};
      if (is_enough(more)) break;
      top = more;
    }
    for (const size_t id : sorted(opened)) {
      top = {top.count + 1, top.probability + static_cast<double>(p_[id]),
             static_cast<int32_t>(id)};
      if (is_enough(top)) break;
    }
    return top;
  }

 private:
  // Buckets divide logits / temperature; tokens below e^-32 times the best's probability share one.
  static constexpr float kBucketsPerUnit = 128;
  static constexpr int kBuckets = 32 * 128;
  struct Bucket {
    size_t count = 0;
    double probability = 0;
  };

  std::vector<size_t> sorted(uint16_t bucket) const {
    std::vector<size_t> ids;
    ids.reserve(buckets_[bucket].count);
    for (size_t i = 0; i < bucket_of_.size(); ++i) {
      if (bucket_of_[i] == bucket) ids.push_back(i);
    }
    std::ranges::stable_sort(ids, std::greater{}, [&](size_t id) { return logits_[id]; });
    return ids;
  }

  std::span<const float> logits_, p_;
  std::vector<uint16_t> bucket_of_;  // never less for a lower logit
  std::array<Bucket, kBuckets> buckets_{};
};

}  // namespace

int32_t sample_token(std::span<const float> logits, const Sampling& sampling, Rng& rng,
                     std::vector<float>& scratch) {
  const float best = highest(logits);
  if (sampling.temperature == 0) {
    const auto found = std::ranges::find(logits, best);
    return found == logits.end() ? 0 : static_cast<int32_t>(found - logits.begin());
  }
  scratch.resize(logits.size());
  const Ranking ranking(logits, best, sampling.temperature, scratch);
  Ranking::Top kept = ranking.all();
  if (sampling.top_k > 0 && static_cast<size_t>(sampling.top_k) < kept.count) {
    kept = ranking.fewest(
        [&](const Ranking::Top& top) { return top.count >= static_cast<size_t>(sampling.top_k); });
  }
  const auto fewest_of_kept = [&](auto&& is_enough) {
    return ranking.fewest(
        [&](const Ranking::Top& top) { return top.count >= kept.count || is_enough(top); });
  };
  if (sampling.top_p < 1) {
    const double wanted = sampling.top_p * kept.probability;
    kept = fewest_of_kept([&](const Ranking::Top& top) { return top.probability >= wanted; });
  }
  const double drawn = rng.uniform() * kept.probability;
  return fewest_of_kept([&](const Ranking::Top& top) { return top.probability > drawn; }).last;
}

std::string default_prompt(const Tokenizer& tokenizer) {
  const auto can_begin = [&](std::string_view text) {
    bool begins = false;
    message_of_error([&] { begins = !tokenizer.encode_prompt(text, "the prompt").empty(); });
    return begins;
  };
  for (const char* const prompt : {"", "\n"}) {
    if (can_begin(prompt)) return prompt;
  }
  for (int64_t id = 0; id < tokenizer.vocab_size(); ++id) {
    const std::string_view text = tokenizer.token(static_cast<int32_t>(id));
    if (!first_invalid_utf8(text) && can_begin(text)) return std::string(text);
  }
  return "";
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
  Activations activations(*model_, Purpose::generation, 1, static_cast<int64_t>(capacity));
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
    if (static_cast<size_t>(activations.cached()) + (ids.size() - fed) > capacity) {
      activations.clear_cache();
      fed = ids.size() - std::max<size_t>(1, capacity / 2);
    }
    const int64_t count = static_cast<int64_t>(ids.size() - fed);
    const ConstTensor logits = model_->next_logits(activations, TokenIds(&ids[fed], {1, count}));
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
