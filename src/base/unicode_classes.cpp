#include "base/unicode_classes.h"

#include <algorithm>
#include <array>
#include <iterator>

#include "base/unicode_classes_table.h"

namespace cria {
namespace {

// Where each block of code points begins in kClassChanges, so that few entries are left to search:
// none in most of the blocks of large alphabets.
constexpr int kBlockBits = 7;
constexpr uint32_t kBlocks = 0x110000 >> kBlockBits;

// [b] counts the changes at or before the first code point of block b.
constexpr std::array<uint16_t, kBlocks + 1> count_changes() {
  std::array<uint16_t, kBlocks + 1> counts{};
  uint16_t count = 0;
  for (uint32_t block = 0; block <= kBlocks; ++block) {
    while (count < std::size(kClassChanges) && kClassChanges[count] >> 2 <= block << kBlockBits) {
      ++count;
    }
    counts[block] = count;
  }
  return counts;
}
constexpr std::array<uint16_t, kBlocks + 1> kChangesBefore = count_changes();

}  // namespace

UnicodeClass unicode_class(uint32_t code_point) {
  if (code_point >= 0x110000) return UnicodeClass::other;
  const uint32_t block = code_point >> kBlockBits;
  // The last change at or before code_point; all ones in the class's bits, so that none is after.
  const uint32_t* const next =
      std::upper_bound(kClassChanges + kChangesBefore[block],
                       kClassChanges + kChangesBefore[block + 1], code_point << 2 | 3);
  return static_cast<UnicodeClass>(next[-1] & 3);
}

}  // namespace cria
