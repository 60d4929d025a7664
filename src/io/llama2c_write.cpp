#include <algorithm>
#include <cmath>

#include "cria/base/error.h"
#include "io/bytes.h"
#include "io/llama2c.h"
#include "io/llama2c_layout.h"

namespace cria {
namespace {

std::string header_bytes(const Llama2cHeader& h) {
  std::string bytes;
  if (h.version > 0) {
    append(bytes, kLlama2cMagic);
    append(bytes, static_cast<uint32_t>(h.version));
  }
  // A head of its own is said by a flag, and in version 0 by a negative number.
  const int64_t vocab_size = h.version == 0 && !h.tied ? -h.vocab_size : h.vocab_size;
  for (const int64_t number :
       {h.dim, h.hidden_dim, h.layers, h.heads, h.kv_heads, vocab_size, h.sequence_length}) {
    append(bytes, static_cast<uint32_t>(number));
  }
  if (h.version == 0) return bytes;
  append(bytes, static_cast<uint8_t>(h.tied));
  if (h.version == 2) append(bytes, static_cast<uint32_t>(h.group_size));
  bytes.resize(kLlama2cHeaderBytes, '\0');
  return bytes;
}

// Angle p * 10000^(-2i / head size) at position p, in fp32 throughout as llama2.c's exporter has
// it.
void write_rope(AtomicFile& file, const Llama2cHeader& header) {
  const int64_t half = header.dim / header.heads / 2;
  std::vector<float> frequencies, row(static_cast<size_t>(half));
  for (int64_t i = 0; i < half; ++i) {
    frequencies.push_back(1.0f /
                          std::pow(10000.0f, static_cast<float>(i) / static_cast<float>(half)));
  }
  for (float (*const function)(float) :
       {+[](float x) { return std::cos(x); }, +[](float x) { return std::sin(x); }}) {
    for (int64_t position = 0; position < header.sequence_length; ++position) {
      std::transform(frequencies.begin(), frequencies.end(), row.begin(), [&](float frequency) {
        return function(static_cast<float>(position) * frequency);
      });
      file.write(bytes_of(row));
    }
  }
}

// Every group of weights w: scale = max|w| / 127, q = w / scale rounded. A scale of zero, be it of
// zeros or of numbers too small for fp32 to hold the scale, makes zeros.
void write_quantized(AtomicFile& file, std::span<const float> weights, int64_t group_size,
                     const std::string& where) {
  std::string scales, group_bytes;
  const size_t size = static_cast<size_t>(group_size);
  for (size_t begin = 0; begin < weights.size(); begin += size) {
    const std::span<const float> group = weights.subspan(begin, size);
    float largest = 0;
    for (const float weight : group) {
      if (!std::isfinite(weight)) {
        throw Error("cannot quantize what is not finite",
                    {.where = where, .got = std::to_string(weight)});
      }
      largest = std::max(largest, std::abs(weight));
    }
    const float scale = largest / 127.0f;
    group_bytes.clear();
    for (const float weight : group) {
      // A subnormal scale is too coarse: the largest weight can be more than 127 of it.
      const float q = scale > 0 ? std::clamp(std::nearbyint(weight / scale), -127.0f, 127.0f) : 0;
      group_bytes += static_cast<char>(static_cast<int8_t>(q));
    }
    file.write(group_bytes);
    append(scales, std::bit_cast<uint32_t>(scale));
  }
  file.write(scales);
}

}  // namespace

void write_llama2c(const std::string& path, const Llama2cHeader& header,
                   const Llama2cSource& source) {
  const std::vector<Llama2cTensor> tensors = llama2c_tensors(header, path);
  AtomicFile file(path);
  file.write(header_bytes(header));
  for (const Llama2cTensor& tensor : tensors) {
    const std::span<const float> values = source(tensor);
    const std::string where = path + ": " + tensor.name();
    if (static_cast<int64_t>(values.size()) != tensor.size()) {
      throw Error("wrong size of a tensor", {.where = where,
                                             .expected = std::to_string(tensor.size()),
                                             .got = std::to_string(values.size())});
    }
    if (tensor.quantized) {
      write_quantized(file, values, header.group_size, where);
    } else {
      file.write(bytes_of(values));
    }
    if (header.version == 0 && tensor.role == Llama2cRole::final_norm) write_rope(file, header);
  }
  file.commit();
}

}  // namespace cria
