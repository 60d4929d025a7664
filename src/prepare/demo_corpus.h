// Small English stories from a probabilistic grammar: the text `make demo` trains on. The grammar
// knows the probability of every choice it makes, and no text has two derivations, so the exact
// entropy of the text is known: a floor that no model's bits per byte can beat on average.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace cria {

struct DemoStory {
  std::string text;  // one paragraph of ASCII, then a blank line: "...\n\n"
  double bits;       // -log2 of the probability of exactly this text
};

struct DemoCorpus {
  uint64_t stories;
  uint64_t bytes;
  double bits;  // of all stories; bits / bytes is the floor in bits per byte
};

// Story `index` of the corpus `seed` names: a function of the two and nothing else.
DemoStory demo_story(uint64_t seed, uint64_t index);

// Sends the stories first_story, first_story + 1, ... to `sink`, each whole, until min_bytes bytes
// or more are out. Returns what was sent; the next free story is first_story + stories.
DemoCorpus write_demo_corpus(uint64_t seed, uint64_t first_story, uint64_t min_bytes,
                             const std::function<void(std::string_view)>& sink);

// What stands beside the demo's texts and shards, and of it the floor of the validation text in
// bits per byte; nothing without the file. Error, naming it, for one that does not say.
inline constexpr const char* kCorpusJson = "corpus.json";
std::optional<double> floor_bits_per_byte(const std::string& directory);

// Picks one of `count` equally likely alternatives, 0 <= result < count. `so_far` is the text that
// is already certain: every story that can still be told begins with it.
using DemoChooser = std::function<size_t(size_t count, std::string_view so_far)>;

// The text of the derivation that `choose` makes. All randomness of a story passes through it.
std::string derive_demo_story(const DemoChooser& choose);

}  // namespace cria
