// Transformer-XL's memory: the inputs of each layer at the last positions before a segment. They
// are attended to and not differentiated. Source: Dai et al., 2019.
#pragma once

#include <cstdint>
#include <vector>

#include "cria/model/config.h"
#include "cria/tensor/tensor.h"

namespace cria {

class SegmentMemory {
 public:
  // The memory of `batch` sequences, all of it allocated here. Error for a model without one.
  SegmentMemory(const ModelConfig& config, int64_t batch);

  // Positions remembered: those of the segments before, at most memory_length.
  int64_t length() const { return length_; }
  void clear() { length_ = 0; }

  Tensor layer(int64_t layer);  // [B, length, C]

  // A segment on its way: x [B,T,C], the input of each layer, one after another; then finish(),
  // after which the segment is the end of what is remembered.
  void push(int64_t layer, const ConstTensor& x);
  void finish();

  // Restores what a checkpoint holds: layer() is then to be filled. Error unless length is 0 to
  // memory_length.
  void set_length(int64_t length);

 private:
  Tensor view(std::vector<float>& plane, int64_t layer, int64_t length) const;

  int64_t batch_, capacity_, columns_;
  int64_t length_ = 0, next_length_ = 0;
  std::vector<float> now_, next_;  // [L, B, capacity, C]
};

}  // namespace cria
