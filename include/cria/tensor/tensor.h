// A view of numbers in memory that somebody else owns: pointer, shape, strides (in elements).
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <type_traits>
#include <vector>

#include "cria/base/error.h"

namespace cria {

inline constexpr int kMaxRank = 4;

// "[2, 3, 4]"
std::string shape_string(const std::vector<int64_t>& shape);

[[noreturn]] void throw_shape_error(const std::string& operation, const std::string& expected,
                                    const std::string& got);

template <class Element>
struct BasicTensor {
  Element* data = nullptr;
  int rank = 0;
  std::array<int64_t, kMaxRank> shape{};
  std::array<int64_t, kMaxRank> strides{};

  BasicTensor() = default;

  // Contiguous, row-major.
  BasicTensor(Element* elements, std::initializer_list<int64_t> dimensions)
      : data(elements), rank(static_cast<int>(dimensions.size())) {
    int axis = 0;
    for (const int64_t dimension : dimensions) shape[axis++] = dimension;
    int64_t stride = 1;
    while (axis-- > 0) {
      strides[axis] = stride;
      stride *= shape[axis];
    }
  }

  // A view to write through is also a view to read through.
  operator BasicTensor<const Element>() const requires(!std::is_const_v<Element>) {
    BasicTensor<const Element> view;
    view.data = data;
    view.rank = rank;
    view.shape = shape;
    view.strides = strides;
    return view;
  }

  explicit operator bool() const { return data != nullptr; }

  int64_t size() const {
    int64_t product = 1;
    for (int axis = 0; axis < rank; ++axis) product *= shape[axis];
    return product;
  }

  // Product of all dimensions but the last: [B, T, C] has B * T rows.
  int64_t rows() const { return rank == 0 ? 1 : size() / (columns() == 0 ? 1 : columns()); }
  int64_t columns() const { return rank == 0 ? 1 : shape[rank - 1]; }

  bool is_contiguous() const {
    int64_t stride = 1;
    for (int axis = rank; axis-- > 0;) {
      if (shape[axis] != 1 && strides[axis] != stride) return false;
      stride *= shape[axis];
    }
    return true;
  }

  template <class... Index>
  Element& operator()(Index... index) const {
    static_assert(sizeof...(Index) <= kMaxRank);
    int axis = 0;
    int64_t offset = 0;
    ((offset += static_cast<int64_t>(index) * strides[axis++]), ...);
    return data[offset];
  }

  // Items begin..begin+count along an axis.
  BasicTensor narrow(int axis, int64_t begin, int64_t count) const {
    BasicTensor view = *this;
    if (axis < 0 || axis >= rank || begin < 0 || count < 0 || begin + count > shape[axis]) {
      throw_shape_error("narrow",
                        "a range inside axis " + std::to_string(axis) + " of " + to_string(),
                        std::to_string(begin) + ".." + std::to_string(begin + count));
    }
    view.data += begin * strides[axis];
    view.shape[axis] = count;
    return view;
  }

  // The same elements in another shape; contiguous tensors only.
  BasicTensor reshape(std::initializer_list<int64_t> dimensions) const {
    BasicTensor view(data, dimensions);
    if (!is_contiguous() || view.size() != size()) {
      throw_shape_error("reshape", "as many contiguous elements as in " + to_string(),
                        view.to_string() + (is_contiguous() ? "" : " of a strided view"));
    }
    return view;
  }

  std::string to_string() const { return shape_string({shape.begin(), shape.begin() + rank}); }
};

using Tensor = BasicTensor<float>;
using ConstTensor = BasicTensor<const float>;
using TokenIds = BasicTensor<const int32_t>;  // contiguous

}  // namespace cria
