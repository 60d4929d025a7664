#include "inspect/trace.h"

#include <algorithm>
#include <cmath>

#include "cria/base/error.h"
#include "cria/kernels/kernels.h"
#include "inspect/attention_scores.h"
#include "inspect/logit_lens.h"
#include "inspect/tensor_chunks.h"

namespace cria {
namespace {

TracedTensor zeros(std::initializer_list<int64_t> shape) {
  return {shape, std::vector<float>(ConstTensor(nullptr, shape).size())};
}

TracedTensor copy(const ConstTensor& x) {
  TracedTensor traced{{x.shape.begin(), x.shape.begin() + x.rank}, {}};
  for (int64_t i = 0; i < x.size(); ++i) {
    int64_t offset = 0, rest = i;
    for (int axis = x.rank; axis-- > 0; rest /= x.shape[axis]) {
      offset += rest % x.shape[axis] * x.strides[axis];
    }
    traced.values.push_back(x.data[offset]);
  }
  return traced;
}

TracedTensor difference(const ConstTensor& after, const ConstTensor& before) {
  TracedTensor traced = copy(after);
  const TracedTensor minus = copy(before);
  std::ranges::transform(traced.values, minus.values, traced.values.begin(), std::minus<>());
  return traced;
}

void trace_input(const Llama& model, const Activations& activations, Trace& result) {
  const Embedding& table = model.embed_tokens();
  const Tensor& input = activations.residual().front();
  const Tensor& sum = model.input().norm ? activations.input().embedded : input;
  const int64_t time = input.shape[1], columns = input.shape[2];
  result.table_shape = {table.weight->value.shape[0], columns};
  result.rows = zeros({1, time, columns});
  for (int64_t t = 0; t < time; ++t) {
    std::copy_n(&table.weight->value(result.ids[t], 0), columns,
                result.rows.values.data() + t * columns);
  }
  result.embedding_scale = static_cast<double>(table.scale);
  // The pass added positions where it had written this.
  result.embedded = zeros({1, time, columns});
  const Tensor embedded(result.embedded.values.data(), {1, time, columns});
  Embedding::Saved saved = activations.input().embed_tokens;
  table.forward(TokenIds(result.ids.data(), {1, time}), embedded, saved);
  result.added = difference(sum, embedded);
  result.sum = copy(sum);
  result.input = copy(input);
}

void trace_queries_and_keys(const SelfAttention& attention, const Block::Saved& saved,
                            Trace& result) {
  const int64_t time = static_cast<int64_t>(result.ids.size());
  const int64_t features = attention.qkv_proj.out_features;
  // The pass turned q and k where it had written this.
  std::vector<float> activations(time * features);
  const Tensor projected(activations.data(), {1, time, features});
  Linear::Saved projection = saved.self_attn.qkv_proj;
  attention.qkv_proj.forward(within(saved.attention_in, {1, time, saved.attention_in.shape[2]}),
                             projected, projection);
  const SelfAttention::Heads before = attention.split_heads(projected);
  const SelfAttention::Heads after = AttentionScores(attention, saved, 1, time).heads();
  result.q_before = copy(before.q);
  result.k_before = copy(before.k);
  result.q = copy(after.q);
  result.k = copy(after.k);
}

// The last token's, with the terms apart: weights = exp(score - log_sum_exp).
void trace_scores(const SelfAttention& attention, const Block::Saved& saved, Trace& result) {
  const RelativeTables& tables = saved.self_attn.relative;
  const int64_t time = static_cast<int64_t>(result.ids.size()), last = time - 1;
  const AttentionScores all(attention, saved, 1, time);
  const int64_t heads = all.heads().q.shape[2];
  TracedScores& scores = result.scores;
  scores.scale = all.scale();
  scores.content = scores.weights = zeros({heads, time});
  if (tables.keys) scores.keys = zeros({heads, time});
  if (tables.queries) scores.queries = zeros({heads, time});
  if (tables.bias) scores.bias = zeros({heads, time});
  for (int64_t h = 0; h < heads; ++h) {
    for (int64_t j = 0; j < time; ++j) {
      const ScoreTerms terms = all.at(0, h, last, j);
      const auto set = [&](TracedTensor& term, double value) {
        if (!term.values.empty()) term.values[h * time + j] = static_cast<float>(value);
      };
      set(scores.content, terms.content);
      set(scores.keys, terms.keys);
      set(scores.queries, terms.queries);
      set(scores.bias, terms.bias);
      const double denominator = static_cast<double>(saved.self_attn.log_sum_exp(0, h, last));
      set(scores.weights, std::exp(terms.sum() - denominator));
    }
  }
}

void trace_blocks(const Activations& activations, Trace& result) {
  for (size_t l = 0; l < activations.blocks().size(); ++l) {
    const Tensor &x = activations.residual()[l], &middle = activations.blocks()[l].middle;
    result.blocks.push_back({.x = copy(x),
                             .attention = difference(middle, x),
                             .mlp = difference(activations.residual()[l + 1], middle)});
  }
  result.output = copy(activations.residual().back());
}

// Of all tokens, each of which sees those up to itself: exp(score - log_sum_exp).
TracedTensor attention_weights(const SelfAttention& attention, const Block::Saved& saved,
                               int64_t time) {
  const AttentionScores scores(attention, saved, 1, time);
  TracedTensor weights = zeros({scores.heads().q.shape[2], time, time});
  for (int64_t h = 0; h < weights.shape[0]; ++h) {
    for (int64_t i = 0; i < time; ++i) {
      const double denominator = static_cast<double>(saved.self_attn.log_sum_exp(0, h, i));
      for (int64_t j = 0; j <= i; ++j) {
        weights.values[(h * time + i) * time + j] =
            static_cast<float>(std::exp(scores.at(0, h, i, j).sum() - denominator));
      }
    }
  }
  return weights;
}

std::vector<TracedGuess> guesses_of(LogitLens& lens, const ConstTensor& residual,
                                    const std::vector<int32_t>& ids) {
  const int64_t last = std::ssize(ids) - 1;
  std::vector<TracedGuess> guesses;
  for (int64_t t = 0; t <= last; ++t) {
    lens.look(residual, {&t, 1}, &ids[std::min(t + 1, last)]);
    const auto best = std::ranges::max_element(lens.logits(0));
    guesses.push_back({.id = static_cast<int32_t>(best - lens.logits(0).begin()),
                       .probability = std::exp(static_cast<double>(*best) - lens.log_z(0)),
                       .loss = t < last ? lens.log_z(0) - lens.target_logit(0) : 0});
  }
  return guesses;
}

void trace_layers(const Llama& model, const Activations& activations, Trace& result) {
  const int64_t time = static_cast<int64_t>(result.ids.size());
  LogitLens lens(model, 1);
  for (size_t l = 0; l < model.layers().size(); ++l) {
    result.layers.push_back(
        {.weights = attention_weights(model.layers()[l].self_attn, activations.blocks()[l], time),
         .guesses = guesses_of(lens, activations.residual()[l], result.ids)});
  }
  result.guesses = guesses_of(lens, activations.residual().back(), result.ids);
}

void trace_head(const Llama& model, const Tokenizer& tokenizer, const ConstTensor& normed,
                Trace& result) {
  result.normed = copy(normed);
  const int64_t vocabulary = model.config().vocab_size;
  std::vector<float> logits(vocabulary);
  model.lm_head().logits(normed.narrow(1, normed.shape[1] - 1, 1).reshape({1, normed.shape[2]}),
                         Tensor(logits.data(), {1, vocabulary}));
  std::vector<float> probabilities = logits;
  kernels().softmax(1, vocabulary, probabilities.data());
  for (int64_t i = 0; i < vocabulary; ++i) {
    const int32_t id = static_cast<int32_t>(i);
    result.next.push_back({.id = id, .logit = logits[i], .probability = probabilities[i]});
    if (i < tokenizer.vocab_size()) result.next.back().text = tokenizer.token(id);
  }
  std::ranges::stable_sort(result.next, std::greater<>(), &NextToken::logit);
}

}  // namespace

std::span<const float> TracedTensor::row(int64_t r) const {
  const size_t columns = static_cast<size_t>(shape.back());
  return std::span(values).subspan(static_cast<size_t>(r) * columns, columns);
}

bool TracedTensor::is_zero() const {
  return std::ranges::all_of(values, [](float value) { return value == 0; });
}

double TracedTensor::sum_of_norms() const {
  double sum = 0;
  for (int64_t r = 0; r < std::ssize(values) / shape.back(); ++r) sum += norm_of(row(r));
  return sum;
}

double Trace::position_to_token() const {
  const double token = embedded.sum_of_norms();
  return token > 0 ? added.sum_of_norms() / token : 0;
}

Trace trace(Llama& model, const Tokenizer& tokenizer, std::string_view text, int64_t layer,
            bool layers) {
  const int64_t count = std::ssize(model.layers());
  if (layer < 0 || layer >= count) {
    throw Error("no such layer", {.where = "trace: layer",
                                  .expected = "0 to " + std::to_string(count - 1),
                                  .got = std::to_string(layer)});
  }
  Trace result;
  result.layer = layer;
  result.ids = tokenizer.encode_prompt(text, "the text");
  if (result.ids.empty()) {
    throw Error("the text is empty", {.where = "trace", .hint = "give at least one character"});
  }
  for (const int32_t id : result.ids) result.tokens.emplace_back(tokenizer.token(id));
  const int64_t time = static_cast<int64_t>(result.ids.size());
  model.reserve_positions(time);
  Activations activations(model, Purpose::training, 1, time);
  const Tensor normed = model.forward(activations, TokenIds(result.ids.data(), {1, time}));
  trace_input(model, activations, result);
  const size_t index = static_cast<size_t>(layer);
  trace_queries_and_keys(model.layers()[index].self_attn, activations.blocks()[index], result);
  trace_scores(model.layers()[index].self_attn, activations.blocks()[index], result);
  trace_blocks(activations, result);
  if (layers) trace_layers(model, activations, result);
  trace_head(model, tokenizer, normed, result);
  return result;
}

}  // namespace cria
