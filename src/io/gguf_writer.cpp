#include <algorithm>
#include <set>
#include <type_traits>

#include "base/unicode.h"
#include "cria/base/error.h"
#include "io/bytes.h"
#include "io/gguf.h"
#include "io/gguf_types.h"

namespace cria {
namespace {

constexpr size_t kMostNameBytes = 63;  // ggml keeps a name with its end in 64

void append_value(std::string& out, bool value) {
  append(out, static_cast<uint8_t>(value));
}
void append_value(std::string& out, const std::string& text) {
  append(out, uint64_t{text.size()});
  out += text;
}
void append_value(std::string&, std::monostate) {
  throw Error("GGUF cannot hold an array of arrays");
}
template <class Number>
requires std::is_arithmetic_v<Number>
void append_value(std::string& out, Number number) {
  append(out, number);
}
template <class Element>
void append_value(std::string& out, const std::vector<Element>& elements) {
  append(out, uint64_t{elements.size()});
  for (const Element& element : elements) append_value(out, element);
}
// The type's number, then the value.
template <class... Alternatives>
void append_value(std::string& out, const std::variant<Alternatives...>& value) {
  append(out, static_cast<uint32_t>(value.index()));
  std::visit([&](const auto& held) { append_value(out, held); }, value);
}

void check_metadata(const GgufMetadata& metadata, const std::string& path) {
  std::set<std::string_view> keys;
  for (const auto& [key, value] : metadata) {
    if (key.empty() || key.size() > kMaxKeyBytes || !keys.insert(key).second) {
      throw Error("keys are unique and have 1 to 65535 bytes", {.where = path, .got = quote(key)});
    }
    if (key == kAlignmentKey && value != GgufValue(uint32_t{kDefaultAlignment})) {
      throw Error("only one alignment is written",
                  {.where = path + ": " + kAlignmentKey, .expected = "32, as u32"});
    }
  }
}

uint32_t type_number(NumberFormat format) {
  return std::find_if(std::begin(kGgmlTypes), std::end(kGgmlTypes),
                      [&](const GgmlType& type) { return type.format == format; })
      ->number;
}

void check_tensors(const std::vector<TensorSource>& tensors, const std::string& path) {
  std::set<std::string_view> names;
  for (const TensorSource& tensor : tensors) {
    const std::string where = tensor_place(path, tensor.name);
    if (tensor.name.empty() || tensor.name.size() > kMostNameBytes ||
        !names.insert(tensor.name).second) {
      throw Error("names are unique and have 1 to 63 bytes", {.where = where});
    }
    const std::vector<int64_t>& shape = tensor.shape;
    const std::string shown = shape_string(shape);
    if (shape.empty() || shape.size() > 4 || std::count(shape.begin(), shape.end(), 0) > 0) {
      throw Error(
          "a shape that GGUF cannot hold",
          {.where = where, .expected = "one to four dimensions, none of them empty", .got = shown});
    }
    const int64_t block = block_size(tensor.format);
    if (shape.back() % block != 0) {
      throw Error("rows that are not whole blocks",
                  {.where = where,
                   .expected = "a last dimension that is a multiple of " + std::to_string(block) +
                               " for " + format_name(tensor.format),
                   .got = shown,
                   .hint = "F16 has no blocks"});
    }
  }
}

}  // namespace

void write_gguf(const std::string& path, const GgufMetadata& metadata,
                const std::vector<TensorSource>& tensors) {
  check_metadata(metadata, path);
  check_tensors(tensors, path);
  std::string header = kGgufMagic;
  append(header, uint32_t{3});
  append(header, uint64_t{tensors.size()});
  append(header, uint64_t{metadata.size()});
  for (const auto& [key, value] : metadata) {
    append_value(header, key);
    append_value(header, value);
  }
  uint64_t offset = 0;
  for (const TensorSource& tensor : tensors) {
    append_value(header, tensor.name);
    append(header, static_cast<uint32_t>(tensor.shape.size()));
    // GGUF begins with the dimension that varies fastest.
    for (size_t axis = tensor.shape.size(); axis-- > 0;) append(header, tensor.shape[axis]);
    append(header, type_number(tensor.format));
    append(header, offset);
    offset += padded(tensor.bytes(), kDefaultAlignment);
  }
  const auto padding = [](uint64_t bytes) {
    return std::string(padded(bytes, kDefaultAlignment) - bytes, '\0');
  };
  AtomicFile file(path);
  file.write(header);
  file.write(padding(header.size()));
  for (const TensorSource& tensor : tensors) {
    tensor.write_to(file, path);
    file.write(padding(tensor.bytes()));
  }
  file.commit();
}

}  // namespace cria
