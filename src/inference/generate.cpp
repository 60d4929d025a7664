#include "cria/inference/generate.h"

#include <algorithm>
#include <array>
#include <limits>

#include "base/first_error.h"
#include "base/number.h"
#include "base/unicode.h"
#include "cria/base/error.h"
#include "cria/base/parallel.h"
#include "cria/kernels/kernels.h"

namespace cria {
namespace {

// Text on its way out, held back while it may be the beginning of a stop text.
class StopFilter {
 public:
  explicit StopFilter(const std::vector<std::string>& stops) : stops_(stops) {
    std::erase(stops_, "");
  }

  // What may be shown now. stopped() tells whether a stop text has come.
  std::string push(const std::string& text) {
    pending_ += text;
    size_t found = std::string::npos, held = 0;
    for (const std::string& stop : stops_) {
      found = std::min(found, pending_.find(stop));
      held = std::max(held, overlap(stop));
    }
    stopped_ = found != std::string::npos;
    const size_t safe = stopped_ ? found : pending_.size() - held;
    std::string shown = pending_.substr(0, safe);
    pending_.erase(0, safe);
    return shown;
  }

  std::string rest() const { return stopped_ ? "" : pending_; }
  bool stopped() const { return stopped_; }

 private:
  // How much of the end of the pending text is a beginning of stop.
  size_t overlap(const std::string& stop) const {
    size_t length = std::min(stop.size() - 1, pending_.size());
    while (pending_.compare(pending_.size() - length, length, stop, 0, length) != 0) --length;
    return length;
  }

  std::vector<std::string> stops_;
  std::string pending_;
  bool stopped_ = false;
};

void require_possible(const Sampling& sampling) {
  const auto require = [](bool possible, const char* name, const char* expected, double got) {
    if (possible) return;
    throw Error("not possible", {.where = std::string("sampling: ") + name,
                                 .expected = expected,
                                 .got = shortest_double(got)});
  };
  require(sampling.temperature >= 0, "temperature", "0 or more", sampling.temperature);
  require(sampling.top_k >= 0, "top_k", "0 or more", static_cast<double>(sampling.top_k));
  require(sampling.top_p >= 0, "top_p", "0 to 1", sampling.top_p);
  require(sampling.min_p >= 0 && sampling.min_p <= 1, "min_p", "0 to 1", sampling.min_p);
  require(sampling.repetition_penalty > 0, "repetition_penalty", "more than 0",
          sampling.repetition_penalty);
}

// Each text of a prompt has random numbers of its own.
std::string stream_of(int64_t sample) {
  return sample == 0 ? "sample" : "sample/" + std::to_string(sample);
}

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

  // How many tokens are at least `share` times as likely as the likeliest.
  size_t at_least(double share) const {
    const float least = static_cast<float>(share) * std::ranges::max(p_);
    return static_cast<size_t>(std::ranges::count_if(p_, [&](float p) { return p >= least; }));
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

void penalize_repetition(std::span<float> logits, std::span<const int32_t> ids, double penalty) {
  std::vector<bool> seen(logits.size());
  const float factor = static_cast<float>(penalty);
  for (const int32_t id : ids) {
    const size_t token = static_cast<size_t>(id);
    if (token >= logits.size() || seen[token]) continue;
    seen[token] = true;
    logits[token] = logits[token] > 0 ? logits[token] / factor : logits[token] * factor;
  }
}

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
  if (sampling.min_p > 0) {
    const size_t likely = ranking.at_least(sampling.min_p);
    kept = fewest_of_kept([&](const Ranking::Top& top) { return top.count >= likely; });
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
  require_possible(sampling);
  std::vector<int32_t> ids =
      tokenizer_->encode_prompt(prompt, "the prompt", sampling.allow_special);
  if (ids.empty()) {
    throw Error("the prompt is empty",
                {.where = "generate", .hint = "give at least one character to go on from"});
  }
  // No more than will be needed: a model may have been made for very long texts.
  const ModelConfig& config = model_->config();
  const int64_t trained = config.max_position_embeddings;
  const bool stretches = config.position == "rope" && config.rope_scaling.rope_type == "dynamic";
  const int64_t positions =
      stretches ? static_cast<int64_t>(static_cast<double>(trained) * config.rope_scaling.factor)
                : trained;
  const int64_t length =
      static_cast<int64_t>(ids.size()) + std::min(positions, sampling.max_new_tokens);
  const int64_t capacity = std::min(positions, length);
  if (capacity > trained) model_->reserve_positions(capacity);
  Activations activations(*model_, Purpose::generation, 1, capacity);
  // The vocabulary may be padded beyond what the tokenizer can decode.
  const size_t tokens = static_cast<size_t>(tokenizer_->vocab_size());
  Rng rng(sampling.seed, stream_of(sampling.sample));
  std::vector<float> scratch, penalized;
  Utf8Stream utf8;
  StopFilter filter(sampling.stop);
  bool begins = ids == tokenizer_->ends().before;
  int64_t first = 0;  // of ids, that the cache holds
  int64_t produced = 0;
  const auto is_end = [&](int32_t id) {
    return id == tokenizer_->special_tokens().eos ||
           std::ranges::find(sampling.end_tokens, id) != sampling.end_tokens.end();
  };
  while (produced < sampling.max_new_tokens && !filter.stopped()) {
    const int64_t seen = activations.cached(), all = std::ssize(ids) - first;
    if (all > capacity) first = std::ssize(ids) - std::max<int64_t>(1, capacity / 2);
    // Frequencies change where a text becomes longer than the model's positions: the keys in the
    // cache are those of a shorter text.
    const bool outgrown = seen <= trained && all > trained;
    if (all > capacity || outgrown) activations.clear_cache();
    const int64_t fed = first + activations.cached(), count = std::ssize(ids) - fed;
    const ConstTensor output = model_->next_logits(activations, TokenIds(&ids[fed], {1, count}));
    std::span<const float> logits(output.data, tokens);
    if (sampling.repetition_penalty != 1) {
      penalized.assign(logits.begin(), logits.end());
      penalize_repetition(penalized, ids, sampling.repetition_penalty);
      logits = penalized;
    }
    ids.push_back(sample_token(logits, sampling, rng, scratch));
    ++produced;
    if (!sampling.ignore_eos && is_end(ids.back())) break;
    sink(filter.push(utf8.push(tokenizer_->shown(ids.back(), begins))));
  }
  if (!filter.stopped()) sink(filter.push(utf8.finish()));
  sink(filter.rest());
  return produced;
}

}  // namespace cria
