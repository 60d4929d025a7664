#include "io/crc.h"

#include <array>

#include "io/bytes.h"

namespace cria {
namespace {

// tables[k][b]: what byte b does to the check k bytes later. Eight tables take eight bytes at once
// ("slicing by 8"; Kounavis and Berry, A systematic approach to building high performance
// software-based CRC generators, 2005).
using Tables = std::array<std::array<uint32_t, 256>, 8>;

constexpr Tables make_tables(uint32_t polynomial) {
  Tables tables{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t check = byte;
    for (int bit = 0; bit < 8; ++bit) check = check >> 1 ^ (check & 1 ? polynomial : 0);
    tables[0][byte] = check;
  }
  for (size_t k = 1; k < tables.size(); ++k) {
    for (size_t byte = 0; byte < 256; ++byte) {
      const uint32_t check = tables[k - 1][byte];
      tables[k][byte] = check >> 8 ^ tables[0][check & 255];
    }
  }
  return tables;
}

constexpr Tables kZip = make_tables(0xEDB88320);
constexpr Tables kCastagnoli = make_tables(0x82F63B78);

uint32_t check(const Tables& tables, std::string_view bytes, uint32_t before) {
  uint32_t check = ~before;
  for (; bytes.size() >= 8; bytes.remove_prefix(8)) {
    const uint64_t word = load<uint64_t>(bytes.data()) ^ check;
    check = 0;
    for (size_t i = 0; i < 8; ++i) check ^= tables[7 - i][word >> 8 * i & 255];
  }
  for (const char byte : bytes) {
    check = check >> 8 ^ tables[0][(check ^ static_cast<uint8_t>(byte)) & 255];
  }
  return ~check;
}

}  // namespace

uint32_t crc32(std::string_view bytes, uint32_t before) {
  return check(kZip, bytes, before);
}

uint32_t crc32c(std::string_view bytes) {
  return check(kCastagnoli, bytes, 0);
}

}  // namespace cria
