// Text to pieces: what a byte-level BPE never merges across.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace cria {

// The regular expressions of three tokenizers; of two alternatives that match, the first counts.
//   gpt2    's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
//   gpt4    (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}
//           | ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+            (cl100k_base)
//   llama3  the same as gpt4, under the name of the other family that uses it
// \p{L}, \p{N} and \s are the classes of base/unicode_classes. Ignoring case, U+017F is an s.
enum class Pattern { gpt2, gpt4, llama3 };

// "gpt2", "gpt4", "llama3"
const std::vector<std::string>& pattern_names();
Pattern pattern(const std::string& name);  // Error for an unknown name

// The end of the piece that starts at byte `begin` < text.size(): pieces follow each other without
// a gap, and all pieces of a text take time linear in its size. What is before a piece does not
// matter. The end of text does: white space there keeps its last character. So a text may be cut
// between two pieces, and keeps them, if the second begins with white space or the first does not
// end with it. A byte outside valid UTF-8 is a character of one byte, neither letter, number nor
// space.
size_t piece_end(Pattern pattern, std::string_view text, size_t begin);

}  // namespace cria
