#include "inspect/attention_scores.h"

#include "inspect/tensor_chunks.h"

namespace cria {

AttentionScores::AttentionScores(const SelfAttention& attention, const Block::Saved& saved,
                                 int64_t batch, int64_t time)
    : tables_(&saved.self_attn.relative),
      remembered_(saved.remembered),
      scale_(static_cast<double>(attention.position->score_scale())),
      heads_(attention.split_heads(within(
          saved.self_attn.qkv, {batch, saved.remembered + time, saved.self_attn.qkv.shape[2]}))) {}

ScoreTerms AttentionScores::at(int64_t batch, int64_t head, int64_t query, int64_t key) const {
  const int64_t dim = heads_.q.shape[3], kv_head = head * heads_.k.shape[2] / heads_.q.shape[2];
  const float* const q = &heads_.q(batch, remembered_ + query, head);
  const float* const k = &heads_.k(batch, remembered_ + key, kv_head);
  const int64_t row = tables_->rows - 1 - (query - key);
  ScoreTerms terms;
  terms.content = scale_ * dot(q, k, dim);
  if (tables_->keys) terms.keys = scale_ * dot(q, &tables_->keys(row, kv_head), dim);
  if (tables_->queries) terms.queries = scale_ * dot(k, &tables_->queries(row, head), dim);
  if (tables_->bias) terms.bias = static_cast<double>(tables_->bias(head, row));
  return terms;
}

}  // namespace cria
