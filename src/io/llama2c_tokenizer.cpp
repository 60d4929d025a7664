#include "io/llama2c_tokenizer.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

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
  const std::string_view bytes = file.bytes();
  size_t at = 0;
  const auto take = [&](size_t count) {
    if (count > bytes.size() - at) {
      throw Error("the file ends inside a token", {.where = path + " at byte " + std::to_string(at),
                                                   .expected = std::to_string(count) + " bytes",
                                                   .got = std::to_string(bytes.size() - at)});
    }
    at += count;
    return bytes.substr(at - count, count);
  };
  const auto number = [&] {
    uint32_t value;
    std::memcpy(&value, take(sizeof value).data(), sizeof value);
    return value;
  };
  number();  // the length of the longest
  std::vector<Llama2cPiece> pieces;
  while (at < bytes.size()) {
    const auto score = std::bit_cast<float>(number());
    if (!std::isfinite(score)) {
      throw Error("the score is not finite",
                  {.where = place(path, pieces.size()), .got = std::to_string(score)});
    }
    const uint32_t length = number();
    pieces.push_back({std::string(take(length)), score});
  }
  return pieces;
}

}  // namespace cria
