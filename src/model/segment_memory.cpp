#include "cria/model/segment_memory.h"

#include <algorithm>
#include <string>

#include "cria/base/error.h"

namespace cria {

SegmentMemory::SegmentMemory(const ModelConfig& config, int64_t batch)
    : batch_(batch), capacity_(config.memory_length), columns_(config.hidden_size) {
  if (batch < 1 || capacity_ < 1) {
    throw Error("not possible", {.where = "segment memory",
                                 .expected = "a batch and a model.memory_length of at least 1",
                                 .got = std::to_string(batch) + ", " + std::to_string(capacity_)});
  }
  now_.resize(static_cast<size_t>(config.num_hidden_layers * batch_ * capacity_ * columns_));
  next_.resize(now_.size());
}

void SegmentMemory::set_length(int64_t length) {
  if (length < 0 || length > capacity_) {
    throw Error("not possible", {.where = "segment memory: length",
                                 .expected = "0 to " + std::to_string(capacity_),
                                 .got = std::to_string(length)});
  }
  length_ = length;
}

Tensor SegmentMemory::view(std::vector<float>& plane, int64_t layer, int64_t length) const {
  return Tensor(plane.data() + layer * batch_ * capacity_ * columns_, {batch_, length, columns_});
}

Tensor SegmentMemory::layer(int64_t layer) {
  return view(now_, layer, length_);
}

// next = the last rows of now and x together
void SegmentMemory::push(int64_t layer, const ConstTensor& x) {
  const int64_t time = x.shape[1];
  next_length_ = std::min(capacity_, length_ + time);
  const int64_t from_x = std::min(next_length_, time), kept = next_length_ - from_x;
  const Tensor now = this->layer(layer), next = view(next_, layer, next_length_);
  for (int64_t b = 0; b < batch_; ++b) {
    if (kept > 0) std::copy_n(&now(b, length_ - kept), kept * columns_, &next(b));
    std::copy_n(&x(b, time - from_x), from_x * columns_, &next(b, kept));
  }
}

void SegmentMemory::finish() {
  std::swap(now_, next_);
  length_ = next_length_;
}

}  // namespace cria
