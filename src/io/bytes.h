// Numbers as bytes in files, and bytes of files as numbers, one checked step after the other.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "cria/base/error.h"

namespace cria {

static_assert(std::endian::native == std::endian::little,
              "fp32 values are copied as they are stored");

// Bits is an unsigned integer; bytes need not be aligned.
template <class Bits>
Bits load(const char* bytes, bool big_endian = false) {
  Bits bits = 0;
  for (size_t i = 0; i < sizeof(Bits); ++i) {
    const size_t place = big_endian ? sizeof(Bits) - 1 - i : i;
    bits = static_cast<Bits>(bits | static_cast<Bits>(static_cast<uint8_t>(bytes[i])) << 8 * place);
  }
  return bits;
}

// A number as it lies in memory, which is little-endian.
template <class Number>
void append(std::string& out, Number number) {
  out.append(reinterpret_cast<const char*>(&number), sizeof number);
}

// Elements as they lie in memory.
template <class Elements>
std::string_view bytes_of(const Elements& elements) {
  return {reinterpret_cast<const char*>(std::data(elements)),
          std::size(elements) * sizeof *std::data(elements)};
}

// Goes through bytes from front to back; an Error says where they ended too early.
class ByteReader {
 public:
  // bytes, which begin at byte `offset` of what `where` names; where outlives the reader.
  ByteReader(std::string_view bytes, const std::string& where, uint64_t offset = 0)
      : bytes_(bytes), where_(where), offset_(offset) {}

  uint64_t offset() const { return offset_; }
  uint64_t rest() const { return bytes_.size(); }
  std::string here() const { return where_ + " at byte " + std::to_string(offset_); }

  std::string_view take(uint64_t count, const char* what) {
    if (count > bytes_.size()) {
      throw Error("the file ends too early",
                  {.where = here(),
                   .expected = std::to_string(count) + " bytes of " + what,
                   .got = std::to_string(bytes_.size()),
                   .hint = "is the file cut off?"});
    }
    const std::string_view taken = bytes_.substr(0, count);
    bytes_.remove_prefix(count);
    offset_ += count;
    return taken;
  }

  template <class Number>
  Number number(const char* what) {
    Number value;
    std::memcpy(&value, take(sizeof value, what).data(), sizeof value);
    return value;
  }

 private:
  std::string_view bytes_;
  const std::string& where_;
  uint64_t offset_;
};

}  // namespace cria
