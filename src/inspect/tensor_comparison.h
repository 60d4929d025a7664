// Two tensors, or two files of tensors, of the same shape: how far one is from the other.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "exchange/tensor_file.h"

namespace cria {

// How b differs from a, in double, where both are finite.
struct TensorChange {
  bool identical = false;  // the same numbers, bit for bit
  double largest = 0;      // max |a - b|
  int64_t not_finite = 0;  // places where a or b is not finite, and left out
  // Sums over the elements.
  double aa = 0, bb = 0, ab = 0, difference_squares = 0;

  double relative() const;  // |a - b| / |a|; infinite when |a| = 0 and |b| is not
  double cosine() const;    // a.b / (|a| |b|); NaN when one of them is 0
  void add(const TensorChange& other);
};

// Both must have as many elements. Error when their numbers are not read.
TensorChange tensor_change(const FileTensor& a, const FileTensor& b);

struct ComparedTensor {
  enum class State { only_in_a, only_in_b, other_shape, not_read, compared };

  State state;
  std::string name;
  std::vector<int64_t> a_shape = {}, b_shape = {};  // where it is
  bool same_bytes = false;                          // not_read: whether they are stored alike
  TensorChange change = {};
};

struct FileComparison {
  bool hugging_face_names = false;      // as the files have different formats
  std::vector<ComparedTensor> tensors;  // in a's order, then those only in b
  TensorChange all;                     // of the compared ones together
};

// Tensors are compared by name. Files of different formats are by Hugging Face's names, with rows
// of queries and keys in its order; a tensor that has no such name is only in its file.
FileComparison compare_files(const TensorFile& a, const TensorFile& b);

}  // namespace cria
