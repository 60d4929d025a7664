// Text to pieces: what a byte-level BPE never merges across.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace cria {

// The regexes of five tokenizers; of two alternatives that match, the first counts.
//   gpt2    's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
//   gpt4    (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}
//           | ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+            (cl100k_base)
//   llama3  the same as gpt4, under the name of the other family that uses it
//   qwen2   the same as gpt4, but for \p{N} in place of \p{N}{1,3}
//   smollm  each \p{N} alone, and what is between them as gpt2, each part as a text of its own
//   words   \p{L}+|\p{N}+|\s+|[^\s\p{L}\p{N}], which is no BPE's and has no name
// \p{L}, \p{N} and \s are the classes of base/unicode_classes. Ignoring case, U+017F is an s.
enum class Regex { gpt2, gpt4, llama3, smollm, qwen2, words };

// "gpt2", "gpt4", "llama3", "smollm", "qwen2": in the order of Regex
const std::vector<std::string>& regex_names();
Regex regex(const std::string& name);  // Error for an unknown name

// No piece is longer: the regexes know no limit, but one would have to hold the whole text then.
inline constexpr size_t kLongestPiece = size_t{1} << 20;

// The end of the piece that starts at byte `begin` < text.size(): pieces follow each other without
// a gap, and all pieces of a text take time linear in its size. What is before a piece does not
// matter, nor what is more than kLongestPiece + 4 bytes after its beginning: a piece that goes on
// until there ends at the last character that ends within kLongestPiece bytes. The end of text
// does matter: white space there keeps its last character. A byte outside valid UTF-8 is a
// character of one byte, neither letter, number nor space.
size_t piece_end(Regex regex, std::string_view text, size_t begin);

// Whether the character at byte `at` is white space.
bool is_space(std::string_view text, size_t at);

// The next place in [from, limit) where every text that begins like this one has the end of a
// piece, whatever comes before; limit or text.size() if none is found. The two sides may be cut
// into pieces one by one.
size_t next_cut(Regex regex, std::string_view text, size_t from, size_t limit);

// The text begins where a piece does. Returns the end of a piece at or after `from` where the two
// sides may be cut into pieces one by one, or text.size(). It is the next_cut, if there is one
// within kCutSearch bytes; else the pieces are walked from the beginning. What is more than two
// longest pieces and 4 bytes after `from` makes no difference.
inline constexpr size_t kCutSearch = size_t{64} << 10;
size_t find_cut(Regex regex, std::string_view text, size_t from);

}  // namespace cria
