#include "inspect/table_gradient.h"

#include <algorithm>
#include <cmath>

#include "inspect/tensor_chunks.h"

namespace cria {
namespace {

struct GradientSums {
  double lookup = 0, lookup_squares = 0, head = 0, head_squares = 0, products = 0;
};

}  // namespace

TableGradientParts::TableGradientParts(const Llama& model) : model_(&model) {
  if (model.config().tie_word_embeddings) {
    lookup_.resize(static_cast<size_t>(model.embed_tokens().weight->value.size()));
  }
}

void TableGradientParts::add(const Activations& memory, const TokenIds& tokens) {
  const Parameter& table = *model_->embed_tokens().weight;
  if (lookup_.empty() || table.frozen) return;
  Parameter part{};
  part.value = table.value;
  part.grad = Tensor(lookup_.data(), {table.value.shape[0], table.value.shape[1]});
  Embedding lookup = model_->embed_tokens();
  lookup.weight = &part;
  Embedding::Saved saved = memory.input().embed_tokens;
  const Tensor& gradient = memory.embedded_gradient();
  lookup.backward(within(gradient, {tokens.shape[0], tokens.shape[1], gradient.shape[2]}), tokens,
                  saved);
}

TableGradient TableGradientParts::take() {
  const Tensor& table = model_->embed_tokens().weight->grad;
  const Tensor& head = model_->lm_head().weight->grad;
  const bool tied = !lookup_.empty();
  const float* const lookup = tied ? lookup_.data() : table.data;
  GradientSums all;
  for_each_chunk(
      table.size(), kChunkNumbers,
      [&](int64_t first, int64_t count, int) {
        const auto lookup_at = [&](int64_t i) { return static_cast<double>(lookup[first + i]); };
        const auto head_at = [&](int64_t i) {
          const double both = static_cast<double>(head.data[first + i]);
          return tied ? both - lookup_at(i) : both;
        };
        const auto sum = [&](auto&& term) { return sum_terms(count, term); };
        return GradientSums{
            .lookup = sum([&](int64_t i) { return std::abs(lookup_at(i)); }),
            .lookup_squares = sum([&](int64_t i) { return lookup_at(i) * lookup_at(i); }),
            .head = sum([&](int64_t i) { return std::abs(head_at(i)); }),
            .head_squares = sum([&](int64_t i) { return head_at(i) * head_at(i); }),
            .products = sum([&](int64_t i) { return lookup_at(i) * head_at(i); })};
      },
      [&](const GradientSums& part) {
        all.lookup += part.lookup;
        all.lookup_squares += part.lookup_squares;
        all.head += part.head;
        all.head_squares += part.head_squares;
        all.products += part.products;
      });
  std::ranges::fill(lookup_, 0.0f);
  return {.lookup_l1 = all.lookup,
          .lookup_l2 = std::sqrt(all.lookup_squares),
          .head_l1 = all.head,
          .head_l2 = std::sqrt(all.head_squares),
          .cosine = all.products / std::sqrt(all.lookup_squares * all.head_squares)};
}

}  // namespace cria
