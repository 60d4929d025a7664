// Text cut into pieces, inside which byte pairs are merged.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace cria {

enum class Pattern { gpt2, gpt4, llama3 };  // GPT-2, cl100k_base, Llama-3's patterns

const std::vector<std::string>& pattern_names();  // "gpt2", "gpt4", "llama3"

// Error for a name that is none of these.
Pattern pattern(const std::string& name);

// The end of the piece that starts at `begin` < text.size(): pieces follow each other without a
// gap. Bytes that are not valid UTF-8 are characters that are neither letter, number nor space, one
// byte each.
size_t piece_end(Pattern pattern, std::string_view text, size_t begin);

}  // namespace cria
