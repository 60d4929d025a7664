// Deterministic damage to valid input, for the parsers' fuzz tests.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "cria/base/rng.h"

namespace cria {

// One to four edits of a randomly chosen seed: flips, deletions, duplications, insertions of
// characters the grammars care about, and splices of another seed.
inline std::string mutated(const std::vector<std::string>& seeds, Rng& rng) {
  const auto pick = [&](size_t bound) { return static_cast<size_t>(rng.below(bound)); };
  std::string text = seeds[pick(seeds.size())];
  for (size_t edits = 1 + pick(4); edits > 0; --edits) {
    const size_t at = pick(text.size() + 1);
    const size_t length = 1 + pick(8);
    switch (pick(5)) {
      case 0:
        if (at < text.size()) text[at] = static_cast<char>(text[at] ^ (1u << pick(8)));
        break;
      case 1:
        text.erase(at, length);
        break;
      case 2:
        text.insert(pick(text.size() + 1), text.substr(at, length));
        break;
      case 3: {
        constexpr std::string_view kAlphabet =
            "\"'\\[]{},:=.#\n\r\t +-_0019eEuUtfn\x7f\x80\xC3\xED";
        text.insert(at, 1, kAlphabet[pick(kAlphabet.size())]);
        break;
      }
      case 4: {
        const std::string& other = seeds[pick(seeds.size())];
        text = text.substr(0, at) + other.substr(pick(other.size() + 1));
        break;
      }
    }
  }
  return text;
}

}  // namespace cria
