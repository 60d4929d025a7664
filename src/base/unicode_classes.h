// Which code points are letters, numbers and spaces, by Unicode 16.0.
#pragma once

#include <cstdint>

namespace cria {

// letter: general categories L*; number: N*; space: the property White_Space; other: all the rest,
// unassigned code points, marks and surrogates included.
enum class UnicodeClass : uint8_t { other, letter, number, space };

// code_point: any value; above U+10FFFF is other.
UnicodeClass unicode_class(uint32_t code_point);

}  // namespace cria
