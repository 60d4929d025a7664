// What libFuzzer calls: readers of outside bytes, each with the files that it reads.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "cria/text/tokenizer.h"

namespace cria {

// An input, cut at kPartSeparator into the parts of its target; those that it lacks are empty.
using FuzzParts = std::vector<std::string_view>;
inline constexpr std::string_view kPartSeparator = "\n%%%%\n";

struct FuzzTarget {
  const char* name;
  // The parts. One with a dot is a file of that name in the working directory, unless it is empty.
  std::vector<const char*> parts;
  // An Error is a good end; every other exception is a finding.
  void (*read)(const FuzzParts& parts);
  // Makes lengths and checksums in the way right, so that what is behind them is reached.
  std::string (*repair)(std::string bytes) = nullptr;
};

std::vector<FuzzTarget> text_targets();
std::vector<FuzzTarget> tensor_targets();
std::vector<FuzzTarget> tokenizer_targets();
std::vector<FuzzTarget> run_targets();

// What must hold whatever the input is.
inline void require(bool holds, const char* what) {
  if (!holds) throw std::logic_error(what);
}

// A file of the working directory.
void write_input(const char* name, std::string_view bytes);

// A number below `bound`, which is more than 0, by what an input holds.
size_t choice(std::string_view part, size_t bound);

// Encodes text and decodes the ids: whole and token by token, and cut in two, as it came.
void check_tokenizer(const Tokenizer& tokenizer, std::string_view text);

// The bytes of a GGUF file that lines of text describe: "KEY TYPE VALUE", in an array "KEY [TYPE
// VALUE ...", and "= NAME TYPE SIZE ..." for a tensor, whose numbers are zeros. Lengths, counts
// and offsets are right, the rest is as it comes.
std::string described_gguf(std::string_view lines);

}  // namespace cria
