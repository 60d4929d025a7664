#include "io/llama2c_tokenizer.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/unicode.h"
#include "cria/base/error.h"
#include "cria/base/file.h"
#include "io/bytes.h"

namespace cria {
namespace {

std::string place(const std::string& where, size_t id) {
  return where + ": token " + std::to_string(id);
}

}  // namespace

std::string llama2c_tokenizer_bytes(const std::vector<Llama2cPiece>& pieces,
                                    const std::string& path) {
  std::string bytes;
  uint32_t longest = 0;
  for (size_t id = 0; id < pieces.size(); ++id) {
    const auto& [text, score] = pieces[id];
    if (!std::isfinite(score)) {
      throw Error("the score is not finite",
                  {.where = place(path, id), .got = std::to_string(score)});
    }
    if (text.empty() || text.find('\0') != text.npos || text.size() > UINT32_MAX) {
      throw Error("tokenizer.bin cannot hold the token",
                  {.where = place(path, id),
                   .expected = "at least one byte, none of them zero",
                   .got = quote(text)});
    }
    append(bytes, std::bit_cast<uint32_t>(score));
    append(bytes, static_cast<uint32_t>(text.size()));
    bytes += text;
    longest = std::max(longest, static_cast<uint32_t>(text.size()));
  }
  std::string start;
  append(start, longest);
  return start + bytes;
}

std::vector<Llama2cPiece> read_llama2c_tokenizer(const std::string& path) {
  const MappedFile file(path);
  ByteReader reader(file.bytes(), path);
  reader.number<uint32_t>("the length of the longest token");
  std::vector<Llama2cPiece> pieces;
  while (reader.rest() > 0) {
    const auto score = reader.number<float>("a score");
    if (!std::isfinite(score)) {
      throw Error("the score is not finite",
                  {.where = place(path, pieces.size()), .got = std::to_string(score)});
    }
    const auto length = reader.number<uint32_t>("the length of a token");
    pieces.push_back({std::string(reader.take(length, "a token")), score});
  }
  return pieces;
}

}  // namespace cria
