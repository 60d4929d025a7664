#include <algorithm>
#include <array>
#include <cstdlib>
#include <optional>

#include "fuzz/target.h"
#include "io/bytes.h"
#include "io/gguf_types.h"

namespace cria {
namespace {

// Takes the first word away.
std::string_view word(std::string_view& line) {
  const size_t end = std::min(line.find(' '), line.size());
  const std::string_view first = line.substr(0, end);
  line.remove_prefix(std::min(end + 1, line.size()));
  return first;
}

void append_string(std::string& out, std::string_view text) {
  append(out, uint64_t{text.size()});
  out += text;
}

// The types of values by their numbers; 9 is an array, whose elements have one.
constexpr uint32_t kF32 = 6, kString = 8, kArray = 9, kF64 = 12;
constexpr std::array<size_t, 13> kWidths = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};

std::optional<uint32_t> type_named(std::string_view name) {
  const auto found = std::ranges::find(kGgufTypeNames, name);
  const auto number = static_cast<uint32_t>(found - std::begin(kGgufTypeNames));
  if (found == std::end(kGgufTypeNames) || number == kArray) return std::nullopt;
  return number;
}

void append_value(std::string& out, uint32_t type, std::string_view text) {
  if (type == kString) return append_string(out, text);
  const std::string number(text);
  if (type == kF32) return append(out, std::strtof(number.c_str(), nullptr));
  if (type == kF64) return append(out, std::strtod(number.c_str(), nullptr));
  const int64_t value = std::strtoll(number.c_str(), nullptr, 10);
  out.append(reinterpret_cast<const char*>(&value), kWidths[type]);
}

class GgufDescription {
 public:
  void add(std::string_view line) {
    if (line.starts_with("= ")) {
      line.remove_prefix(2);
      add_tensor(line);
    } else {
      add_pair(line);
    }
  }

  std::string file() const {
    std::string out = "GGUF";
    append(out, uint32_t{3});
    append(out, tensors_);
    append(out, pairs_);
    out += metadata_ + entries_;
    out.resize(padded(out.size(), kDefaultAlignment) + data_);
    return out;
  }

 private:
  void add_pair(std::string_view line) {
    const std::string_view key = word(line);
    std::string_view name = word(line);
    const bool is_array = name.starts_with('[');
    if (is_array) name.remove_prefix(1);
    const std::optional<uint32_t> type = type_named(name);
    if (!type) return;
    ++pairs_;
    append_string(metadata_, key);
    append(metadata_, is_array ? kArray : *type);
    if (!is_array) return append_value(metadata_, *type, line);
    std::string elements;
    uint64_t count = 0;
    for (; !line.empty(); ++count) append_value(elements, *type, word(line));
    append(metadata_, *type);
    append(metadata_, count);
    metadata_ += elements;
  }

  void add_tensor(std::string_view line) {
    constexpr uint64_t kMostData = 1 << 14;
    append_string(entries_, word(line));
    const auto type = std::ranges::find(kGgmlTypes, word(line), &GgmlType::name);
    const bool is_known = type != std::end(kGgmlTypes);
    uint64_t bytes = is_known ? type->block_bytes : 0;
    std::string sizes;
    uint32_t dimensions = 0;
    for (; !line.empty(); ++dimensions) {
      const uint64_t size = std::strtoull(std::string(word(line)).c_str(), nullptr, 10);
      append(sizes, size);
      bytes *= size;
    }
    append(entries_, dimensions);
    entries_ += sizes;
    append(entries_, is_known ? type->number : 0);
    append(entries_, data_);
    ++tensors_;
    if (is_known) bytes /= static_cast<uint64_t>(type->block);
    if (bytes <= kMostData) data_ += padded(bytes, kDefaultAlignment);
  }

  std::string metadata_, entries_;
  uint64_t tensors_ = 0, pairs_ = 0, data_ = 0;
};

}  // namespace

std::string described_gguf(std::string_view lines) {
  GgufDescription description;
  while (!lines.empty()) {
    const size_t end = std::min(lines.find('\n'), lines.size());
    description.add(lines.substr(0, end));
    lines.remove_prefix(std::min(end + 1, lines.size()));
  }
  return description.file();
}

}  // namespace cria
