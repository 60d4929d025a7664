// The scores of a layer's attention in the last pass, which keeps none of them, computed again from
// what it has left in memory for training.
#pragma once

#include <cstdint>

#include "cria/nn/block.h"

namespace cria {

// A score is the sum of the terms, see RelativeScores: scale q.k, scale q.(relative key),
// scale k.(relative query), bias. 0 where the encoding lacks one.
struct ScoreTerms {
  double content = 0, keys = 0, queries = 0, bias = 0;
  double sum() const { return content + keys + queries + bias; }
};

class AttentionScores {
 public:
  // Of a pass over [B,T].
  AttentionScores(const SelfAttention& attention, const Block::Saved& saved, int64_t batch,
                  int64_t time);

  // Of the query at position `query` < T and the key at `key` <= query; a memory of segments has
  // the keys below 0.
  ScoreTerms at(int64_t batch, int64_t head, int64_t query, int64_t key) const;

  int64_t remembered() const { return remembered_; }  // keys below 0
  double scale() const { return scale_; }
  // q and k [B,remembered + T,H or K,D] as the encoding left them.
  const SelfAttention::Heads& heads() const { return heads_; }

 private:
  const RelativeTables* tables_;
  int64_t remembered_;
  double scale_;
  SelfAttention::Heads heads_;
};

}  // namespace cria
