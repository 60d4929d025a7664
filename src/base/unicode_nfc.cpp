#include "base/unicode_nfc.h"

#include <algorithm>
#include <cstdint>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/unicode.h"
#include "base/unicode_nfc_table.h"

namespace cria {
namespace {

// The numbers of a packed table, and a 0. A line end is no digit.
std::vector<uint32_t> unpack(std::string_view packed) {
  constexpr uint32_t kBase = 46;
  std::vector<uint32_t> numbers(1);
  for (const char c : packed) {
    if (c == '\n') continue;
    const auto digit = static_cast<uint32_t>(c - '#');
    numbers.back() = kBase * numbers.back() + digit % kBase;
    if (digit < kBase) numbers.push_back(0);
  }
  return numbers;
}

// To be added modulo 2^32.
uint32_t difference(uint32_t packed) {
  return packed % 2 == 0 ? packed / 2 : ~(packed / 2);
}

struct NormalForm {
  std::unordered_map<uint32_t, std::pair<uint32_t, uint32_t>> parts;  // the second may be 0: none
  std::unordered_map<uint64_t, uint32_t> wholes;                      // by key
  std::unordered_map<uint32_t, uint32_t> classes;         // of combining marks, for all others 0
  std::vector<bool> joins = std::vector<bool>(0x110000);  // or is changed by itself

  static uint64_t key(uint32_t first, uint32_t second) { return uint64_t{first} << 32 | second; }
  void add(uint32_t whole, uint32_t first, uint32_t second, bool composes) {
    parts[whole] = {first, second};
    if (composes) wholes[key(first, second)] = whole;
    joins[composes ? second : whole] = true;
  }

  NormalForm() {
    const std::vector<uint32_t> numbers = unpack(kCanonicalParts);
    uint32_t whole = 0, first = 0, second = 0;
    for (size_t i = 0; i + 1 < numbers.size();) {
      const uint32_t kind = numbers[i] % 3;
      whole += numbers[i++] / 3;
      first += difference(numbers[i++]);
      if (kind > 0) second += difference(numbers[i++]);
      add(whole, first, kind > 0 ? second : 0, kind == 2);
    }
    // Hangul: a leading consonant and a vowel, or such a syllable and a trailing consonant.
    for (uint32_t i = 0; i < 19 * 21 * 28; ++i) {
      const uint32_t syllable = 0xAC00 + i, trailing = i % 28;
      const bool is_pair = trailing == 0;
      add(syllable, is_pair ? 0x1100 + i / (21 * 28) : syllable - trailing,
          is_pair ? 0x1161 + i / 28 % 21 : 0x11A7 + trailing, true);
    }
    const std::vector<uint32_t> ranges = unpack(kCombiningClasses);
    for (size_t i = 0, mark = 0; i + 1 < ranges.size(); i += 3) {
      mark += ranges[i];
      for (const size_t end = mark + ranges[i + 1]; mark < end; ++mark) {
        classes[static_cast<uint32_t>(mark)] = ranges[i + 2];
        joins[mark] = true;
      }
    }
  }

  uint32_t class_of(uint32_t character) const {
    const auto found = classes.find(character);
    return found == classes.end() ? 0 : found->second;
  }

  void take_apart(uint32_t character, std::vector<uint32_t>& out) const {
    const auto found = parts.find(character);
    if (found == parts.end()) return out.push_back(character);
    take_apart(found->second.first, out);
    if (found->second.second != 0) take_apart(found->second.second, out);
  }

  // What characters become, taken apart. Marks are put in the order of their classes; then each
  // joins the last starter unless one of its own class or a higher one is between them.
  void put_together(std::vector<uint32_t>& characters) const {
    for (auto begin = characters.begin(); begin != characters.end();) {
      const auto end =
          std::find_if(begin, characters.end(), [&](uint32_t c) { return !class_of(c); });
      std::ranges::stable_sort(begin, end, {}, [&](uint32_t mark) { return class_of(mark); });
      begin = end == characters.end() ? end : end + 1;
    }
    size_t count = 0, starter = SIZE_MAX;
    uint32_t last = 0;  // class of the character before
    for (const uint32_t character : characters) {
      const bool reaches =
          starter != SIZE_MAX && (starter + 1 == count || last < class_of(character));
      const auto whole = reaches ? wholes.find(key(characters[starter], character)) : wholes.end();
      if (whole != wholes.end()) {
        characters[starter] = whole->second;
        continue;
      }
      last = class_of(character);
      if (last == 0) starter = count;
      characters[count++] = character;
    }
    characters.resize(count);
  }
};

const NormalForm& normal_form() {
  static const NormalForm form;
  return form;
}

size_t character_end(std::string_view text, size_t at) {
  return at + static_cast<size_t>(std::max(1, decode_utf8(text, at).length));
}

}  // namespace

bool begins_normal(std::string_view text, size_t at) {
  const Decoded character = decode_utf8(text, at);
  return character.length <= 1 || !normal_form().joins[character.code_point];
}

std::string_view nfc(std::string_view text, std::string& buffer) {
  buffer.clear();
  size_t done = 0;
  for (size_t begin = 0, at = 0; at < text.size();) {
    if (begins_normal(text, at)) {
      begin = std::exchange(at, character_end(text, at));
      continue;
    }
    // From the character before on, which is joined.
    if (decode_utf8(text, begin).length > 0) at = begin;
    buffer += text.substr(done, at - done);
    std::vector<uint32_t> characters;
    do {
      normal_form().take_apart(decode_utf8(text, at).code_point, characters);
      at = character_end(text, at);
    } while (!begins_normal(text, at));
    normal_form().put_together(characters);
    for (const uint32_t character : characters) append_utf8(buffer, character);
    done = at;
  }
  if (done == 0) return text;
  return buffer += text.substr(done);
}

}  // namespace cria
