// A strided array inside a block in which everything else is a NaN with a known payload: whoever
// reads a gap computes NaN, whoever writes one is found out.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <vector>

namespace cria {

// Offsets of all elements in row-major order of their indices.
inline std::vector<int64_t> strided_offsets(const std::vector<int64_t>& shape,
                                            const std::vector<int64_t>& strides) {
  std::vector<int64_t> offsets = {0};
  for (size_t axis = 0; axis < shape.size(); ++axis) {
    std::vector<int64_t> finer;
    for (const int64_t offset : offsets) {
      for (int64_t i = 0; i < shape[axis]; ++i) finer.push_back(offset + i * strides[axis]);
    }
    offsets = std::move(finer);
  }
  return offsets;
}

class Guarded {
 public:
  // All elements start as guards, so that an output which depends on them shows.
  Guarded(const std::vector<int64_t>& shape, const std::vector<int64_t>& strides)
      : offsets_(strided_offsets(shape, strides)),
        cells_(kMargin + 1 + *std::max_element(offsets_.begin(), offsets_.end()) + kMarginAfter,
               guard()) {}

  // rows of unit stride, `gap` guards between them.
  Guarded(int64_t rows, int64_t columns, int64_t gap)
      : Guarded({rows, columns}, {columns + gap, 1}) {}

  explicit Guarded(int64_t count) : Guarded({count}, {1}) {}

  // Contiguous, holding these values.
  explicit Guarded(const std::vector<float>& values)
      : Guarded(static_cast<int64_t>(values.size())) {
    set(values);
  }

  float* data() { return cells_.data() + kMargin; }

  int64_t size() const { return static_cast<int64_t>(offsets_.size()); }

  void set(const std::vector<float>& values) {
    for (size_t i = 0; i < offsets_.size(); ++i) data()[offsets_[i]] = values.at(i);
  }

  std::vector<float> elements() const {
    std::vector<float> values;
    values.reserve(offsets_.size());
    for (const int64_t offset : offsets_) values.push_back(cells_[kMargin + offset]);
    return values;
  }

  bool gaps_untouched() const {
    std::vector<float> gaps = cells_;
    for (const int64_t offset : offsets_) gaps[kMargin + offset] = guard();
    return std::all_of(gaps.begin(), gaps.end(),
                       [](float cell) { return std::bit_cast<uint32_t>(cell) == kGuardBits; });
  }

 private:
  // Wider than any vector register, and odd: no kernel may count on aligned rows.
  static constexpr int64_t kMargin = 33;
#ifdef __SANITIZE_ADDRESS__
  static constexpr int64_t kMarginAfter = 0;  // whoever reads beyond the end is caught as well
#else
  static constexpr int64_t kMarginAfter = kMargin;
#endif
  static constexpr uint32_t kGuardBits = 0x7fc0c41au;
  static float guard() {
    return std::bit_cast<float>(kGuardBits);
  }

  std::vector<int64_t> offsets_;
  std::vector<float> cells_;
};

}  // namespace cria
