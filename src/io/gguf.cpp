#include "io/gguf.h"

#include <algorithm>
#include <concepts>
#include <type_traits>

#include "base/unicode.h"
#include "cria/base/error.h"
#include "io/element_count.h"
#include "io/gguf_cursor.h"
#include "io/gguf_types.h"

namespace cria {
namespace {

constexpr uint64_t kMinPairBytes = 14;    // a key of one byte, the type, a value of one byte
constexpr uint64_t kMinTensorBytes = 33;  // a name of one byte, one dimension
constexpr size_t kMaxNameBytes = 64;
constexpr uint32_t kMaxDimensions = 4;

void check_version(GgufCursor& cursor, const std::string& path) {
  const uint32_t version = cursor.number<uint32_t>("the version");
  if (version == 2 || version == 3) return;
  const bool swapped = version != 0 && (version & 0xFFFFu) == 0;
  throw Error(swapped        ? "a big-endian GGUF file"
              : version == 1 ? "a GGUF file of version 1, whose counts have 32 bits"
                             : "unknown version of GGUF",
              {.where = path,
               .expected = "version 2 or 3, little-endian",
               .got = std::to_string(version),
               .hint = "convert the model with a newer llama.cpp"});
}

const GgmlType& parse_type(uint32_t number, const std::string& where) {
  for (const GgmlType& type : kGgmlTypes) {
    if (type.number == number) return type;
  }
  throw Error("unknown type of numbers",
              {.where = where,
               .expected = "a type that ggml stores, such as 0 (F32) or 8 (Q8_0)",
               .got = std::to_string(number)});
}

struct GgufEntry {
  StoredTensor tensor = {};
  std::string_view name;  // in the file
  uint64_t offset, bytes;
};

GgufEntry read_entry(GgufCursor& cursor, const std::string& path) {
  const std::string_view name = cursor.string(1, kMaxNameBytes, "the name of a tensor");
  const std::string where = tensor_place(path, name);
  const uint32_t dimensions = cursor.number<uint32_t>("a number of dimensions");
  if (dimensions < 1 || dimensions > kMaxDimensions) {
    throw Error("wrong number of dimensions",
                {.where = where, .expected = "1 to 4", .got = std::to_string(dimensions)});
  }
  std::vector<int64_t> shape;
  for (uint32_t axis = 0; axis < dimensions; ++axis) {
    const uint64_t size = cursor.number<uint64_t>("a dimension");
    if (size < 1 || size > uint64_t{kMaxSize}) {
      throw Error("size out of range",
                  {.where = where, .expected = "1 to 2^48", .got = std::to_string(size)});
    }
    shape.insert(shape.begin(), static_cast<int64_t>(size));
  }
  const GgmlType& type = parse_type(cursor.number<uint32_t>("a type"), where);
  const int64_t elements = element_count(shape, where);
  if (shape.back() % type.block != 0) {
    throw Error("rows that are not whole blocks",
                {.where = where,
                 .expected = "a multiple of " + std::to_string(type.block) + " for " + type.name,
                 .got = std::to_string(shape.back())});
  }
  GgufEntry entry{.name = name,
                  .offset = cursor.number<uint64_t>("an offset"),
                  .bytes = static_cast<uint64_t>(elements / type.block) * type.block_bytes};
  entry.tensor.name = name;
  entry.tensor.dtype = type.name;
  entry.tensor.format = type.format;
  entry.tensor.shape = std::move(shape);
  entry.tensor.where = where;
  return entry;
}

// Every tensor is inside the data, aligned, and overlaps no other.
void check_ranges(const std::vector<GgufEntry>& entries, uint64_t data_bytes, uint64_t alignment) {
  std::vector<const GgufEntry*> sorted;
  for (const GgufEntry& entry : entries) {
    if (entry.offset % alignment != 0) {
      throw Error("the tensor is not aligned",
                  {.where = entry.tensor.where,
                   .expected = "an offset that is a multiple of " + std::to_string(alignment),
                   .got = std::to_string(entry.offset)});
    }
    if (entry.offset > data_bytes || entry.bytes > data_bytes - entry.offset) {
      throw Error("the tensor ends beyond the file",
                  {.where = entry.tensor.where,
                   .expected = std::to_string(entry.bytes) + " bytes from byte " +
                               std::to_string(entry.offset) + " of the data",
                   .got = std::to_string(data_bytes) + " bytes of data",
                   .hint = "is the file cut off?"});
    }
    sorted.push_back(&entry);
  }
  std::sort(sorted.begin(), sorted.end(),
            [](const GgufEntry* a, const GgufEntry* b) { return a->offset < b->offset; });
  for (size_t i = 1; i < sorted.size(); ++i) {
    const uint64_t end = sorted[i - 1]->offset + sorted[i - 1]->bytes;
    if (sorted[i]->offset < end) {
      throw Error("the tensor overlaps another",
                  {.where = sorted[i]->tensor.where,
                   .expected = "data from byte " + std::to_string(end),
                   .got = "byte " + std::to_string(sorted[i]->offset)});
    }
  }
}

std::string kind_name(const GgufValue& value) {
  const std::string name = kGgufTypeNames[value.index()];
  const GgufArray* const array = std::get_if<GgufArray>(&value);
  return array ? name + " of " + kGgufTypeNames[array->index()] : name;
}

[[noreturn]] void throw_kind(const std::string& where, const char* expected,
                             const GgufValue& value) {
  throw Error("wrong type of value",
              {.where = where, .expected = expected, .got = kind_name(value)});
}

const GgufArray& require_array(const GgufValue& value, const std::string& where,
                               const char* expected) {
  if (const GgufArray* const array = std::get_if<GgufArray>(&value)) return *array;
  throw_kind(where, expected, value);
}

// The result of `convert` for what `held` (the value or its array) holds, if it takes that kind.
template <class Result, class Variant, class Convert>
Result converted(const Variant& held, const GgufValue& value, const std::string& where,
                 const char* expected, Convert convert) {
  return std::visit(
      [&]<class Held>(const Held& content) -> Result {
        if constexpr (std::is_invocable_v<Convert, const Held&>) {
          return convert(content);
        } else {
          throw_kind(where, expected, value);
        }
      },
      held);
}

template <class Number>
concept Integer = std::integral<Number> && !std::same_as<Number, bool>;

template <Integer Number>
int64_t to_integer(Number value, const std::string& where) {
  if (std::in_range<int64_t>(value)) return static_cast<int64_t>(value);
  throw Error("integer out of range",
              {.where = where, .expected = "at most 2^63 - 1", .got = std::to_string(value)});
}

}  // namespace

GgufFile::GgufFile(const std::string& path) : file_(path) {
  const std::string_view bytes = file_.bytes();
  if (!bytes.starts_with(kGgufMagic)) {
    throw Error(
        "not a GGUF file",
        {.where = path, .expected = "GGUF at the beginning", .got = quote(bytes.substr(0, 4))});
  }
  GgufCursor cursor(bytes, path);
  cursor.take(4, "the magic number");
  check_version(cursor, path);
  const uint64_t tensors = cursor.count(kMinTensorBytes, "number of tensors");
  const uint64_t pairs = cursor.count(kMinPairBytes, "number of keys");

  for (uint64_t i = 0; i < pairs; ++i) {
    const std::string_view key = cursor.string(1, kMaxKeyBytes, "a key");
    if (!keys_.emplace(key, metadata_.size()).second) {
      throw Error("repeated key", {.where = path, .got = quote(key)});
    }
    metadata_.emplace_back(key, GgufValue{});
    cursor.read_typed(metadata_.back().second);
  }
  std::vector<GgufEntry> entries;
  for (uint64_t i = 0; i < tensors; ++i) {
    entries.push_back(read_entry(cursor, path));
    if (!names_.emplace(entries.back().name, i).second) {
      throw Error("repeated tensor", {.where = entries.back().tensor.where});
    }
  }

  const int64_t alignment =
      has(kAlignmentKey) ? integer(kAlignmentKey) : int64_t{kDefaultAlignment};
  if (alignment < 1 || alignment > int64_t{UINT32_MAX} || (alignment & (alignment - 1)) != 0) {
    throw Error("impossible alignment", {.where = path + ": " + kAlignmentKey,
                                         .expected = "a power of two below 2^32",
                                         .got = std::to_string(alignment)});
  }
  // A file without tensors may end before the padding.
  const uint64_t begin =
      std::min<uint64_t>(padded(cursor.offset(), static_cast<uint64_t>(alignment)), bytes.size());
  const std::string_view data = bytes.substr(begin);
  check_ranges(entries, data.size(), static_cast<uint64_t>(alignment));
  for (GgufEntry& entry : entries) {
    entry.tensor.bytes = data.substr(entry.offset, entry.bytes);
    entries_.push_back(std::move(entry.tensor));
  }
}

const StoredTensor* GgufFile::find(std::string_view name) const {
  const auto found = names_.find(name);
  return found == names_.end() ? nullptr : &entries_[found->second];
}

const GgufValue& GgufFile::require(std::string_view key) const {
  const auto found = keys_.find(key);
  if (found != keys_.end()) return metadata_[found->second].second;
  throw Error("missing key", {.where = path(), .expected = quote(key)});
}

std::string GgufFile::place(std::string_view key) const {
  return path() + ": " + std::string(key);
}

int64_t GgufFile::integer(std::string_view key) const {
  const GgufValue& value = require(key);
  const std::string where = place(key);
  return converted<int64_t>(value, value, where, "an integer", [&]<Integer Number>(Number number) {
    return to_integer(number, where);
  });
}

double GgufFile::real(std::string_view key) const {
  const GgufValue& value = require(key);
  return converted<double>(value, value, place(key), "f32 or f64",
                           []<std::floating_point Number>(Number number) { return number; });
}

bool GgufFile::flag(std::string_view key) const {
  const GgufValue& value = require(key);
  return converted<bool>(value, value, place(key), "bool",
                         []<std::same_as<bool> Flag>(Flag flag) { return flag; });
}

const std::string& GgufFile::text(std::string_view key) const {
  const GgufValue& value = require(key);
  using Result = const std::string&;
  return converted<Result>(
      value, value, place(key), "string",
      []<std::same_as<std::string> Text>(const Text& text) -> Result { return text; });
}

std::vector<int64_t> GgufFile::integers(std::string_view key) const {
  const GgufValue& value = require(key);
  const std::string where = place(key);
  constexpr const char* kExpected = "array of integers";
  return converted<std::vector<int64_t>>(require_array(value, where, kExpected), value, where,
                                         kExpected,
                                         [&]<Integer Number>(const std::vector<Number>& numbers) {
                                           std::vector<int64_t> integers;
                                           for (const Number number : numbers)
                                             integers.push_back(to_integer(number, where));
                                           return integers;
                                         });
}

std::vector<double> GgufFile::reals(std::string_view key) const {
  const GgufValue& value = require(key);
  const std::string where = place(key);
  constexpr const char* kExpected = "array of f32 or f64";
  return converted<std::vector<double>>(
      require_array(value, where, kExpected), value, where, kExpected,
      []<std::floating_point Number>(const std::vector<Number>& numbers) {
        return std::vector<double>(numbers.begin(), numbers.end());
      });
}

const std::vector<std::string>& GgufFile::texts(std::string_view key) const {
  const GgufValue& value = require(key);
  const std::string where = place(key);
  constexpr const char* kExpected = "array of string";
  using Result = const std::vector<std::string>&;
  return converted<Result>(require_array(value, where, kExpected), value, where, kExpected,
                           []<std::same_as<std::string> Text>(
                               const std::vector<Text>& texts) -> Result { return texts; });
}

}  // namespace cria
