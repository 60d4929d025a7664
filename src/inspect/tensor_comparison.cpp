#include "inspect/tensor_comparison.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <map>

#include "inspect/tensor_chunks.h"

namespace cria {
namespace {

TensorChange measure(const float* a, const float* b, int64_t count) {
  TensorChange part;
  part.identical = std::equal(a, a + count, b, [](float x, float y) {
    return std::bit_cast<uint32_t>(x) == std::bit_cast<uint32_t>(y);
  });
  const auto finite = [&](int64_t i) { return std::isfinite(a[i]) && std::isfinite(b[i]); };
  for (int64_t i = 0; i < count; ++i) {
    if (!finite(i)) {
      ++part.not_finite;
    } else {
      const double difference = static_cast<double>(a[i]) - static_cast<double>(b[i]);
      part.largest = std::max(part.largest, std::abs(difference));
    }
  }
  const auto x = [&](int64_t i) { return finite(i) ? static_cast<double>(a[i]) : 0.0; };
  const auto y = [&](int64_t i) { return finite(i) ? static_cast<double>(b[i]) : 0.0; };
  part.aa = sum_terms(count, [&](int64_t i) { return x(i) * x(i); });
  part.bb = sum_terms(count, [&](int64_t i) { return y(i) * y(i); });
  part.ab = sum_terms(count, [&](int64_t i) { return x(i) * y(i); });
  part.difference_squares =
      sum_terms(count, [&](int64_t i) { return (x(i) - y(i)) * (x(i) - y(i)); });
  return part;
}

ComparedTensor compare(const FileTensor& a, const FileTensor& b) {
  ComparedTensor result = {.state = ComparedTensor::State::compared,
                           .name = a.name,
                           .a_shape = a.shape,
                           .b_shape = b.shape};
  if (a.shape != b.shape) {
    result.state = ComparedTensor::State::other_shape;
  } else if (!a.read || !b.read) {
    result.state = ComparedTensor::State::not_read;
    result.same_bytes = a.dtype == b.dtype && a.bytes == b.bytes;
  } else {
    result.change = tensor_change(a, b);
  }
  return result;
}

std::vector<FileTensor> tensors_of(const TensorFile& file, bool hugging_face_names) {
  std::vector<FileTensor> tensors = file.tensors();
  if (!hugging_face_names) return tensors;
  for (FileTensor& tensor : tensors) {
    if (!tensor.hugging_face_name.empty()) tensor = as_hugging_face(tensor);
  }
  return tensors;
}

}  // namespace

double TensorChange::relative() const {
  if (difference_squares == 0) return 0;
  return aa == 0 ? std::numeric_limits<double>::infinity() : std::sqrt(difference_squares / aa);
}

double TensorChange::cosine() const {
  return std::clamp(ab / (std::sqrt(aa) * std::sqrt(bb)), -1.0, 1.0);
}

void TensorChange::add(const TensorChange& other) {
  identical = identical && other.identical;
  largest = std::max(largest, other.largest);
  not_finite += other.not_finite;
  aa += other.aa;
  bb += other.bb;
  ab += other.ab;
  difference_squares += other.difference_squares;
}

TensorChange tensor_change(const FileTensor& a, const FileTensor& b) {
  a.require_numbers();
  b.require_numbers();
  ThreadBuffers a_buffers(kChunkNumbers), b_buffers(kChunkNumbers);
  TensorChange all;
  all.identical = true;
  for_each_chunk(
      a.size(), kChunkNumbers,
      [&](int64_t first, int64_t count, int thread) {
        float *const x = a_buffers.of(thread), *const y = b_buffers.of(thread);
        a.read(first, count, x);
        b.read(first, count, y);
        return measure(x, y, count);
      },
      [&](const TensorChange& part) { all.add(part); });
  return all;
}

FileComparison compare_files(const TensorFile& a, const TensorFile& b) {
  FileComparison result;
  result.hugging_face_names = a.format() != b.format();
  result.all.identical = true;
  const std::vector<FileTensor> of_a = tensors_of(a, result.hugging_face_names);
  const std::vector<FileTensor> of_b = tensors_of(b, result.hugging_face_names);
  std::map<std::string, const FileTensor*> unmatched;
  for (const FileTensor& tensor : of_b) unmatched.emplace(tensor.name, &tensor);
  using State = ComparedTensor::State;
  for (const FileTensor& tensor : of_a) {
    const auto found = unmatched.find(tensor.name);
    if (found == unmatched.end()) {
      result.tensors.push_back(
          {.state = State::only_in_a, .name = tensor.name, .a_shape = tensor.shape});
      continue;
    }
    result.tensors.push_back(compare(tensor, *found->second));
    const ComparedTensor& compared = result.tensors.back();
    if (compared.state == State::compared) result.all.add(compared.change);
    unmatched.erase(found);
  }
  for (const FileTensor& tensor : of_b) {
    if (!unmatched.contains(tensor.name)) continue;
    result.tensors.push_back(
        {.state = State::only_in_b, .name = tensor.name, .b_shape = tensor.shape});
  }
  return result;
}

}  // namespace cria
