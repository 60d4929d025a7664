#include "io/llama2c_tokenizer.h"

#include <algorithm>
#include <cmath>

#include "base/unicode.h"
#include "cria/base/error.h"
#include "cria/base/file.h"
#include "io/bytes.h"

namespace cria {
namespace {

constexpr size_t kFirstByte = 3, kBytes = 256;

std::string place(const std::string& where, size_t id) {
  return where + ": token " + std::to_string(id);
}

void check_score(float score, const std::string& where, size_t id) {
  if (!std::isfinite(score)) {
    throw Error("the score is not finite",
                {.where = place(where, id), .got = std::to_string(score)});
  }
}

std::string byte_piece(size_t byte) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  return std::string("<0x") + kDigits[byte / 16] + kDigits[byte % 16] + '>';
}

}  // namespace

std::vector<Llama2cPiece> read_llama2c_tokenizer(const std::string& path,
                                                 std::optional<int64_t> vocab_size) {
  const MappedFile file(path);
  ByteReader reader(file.bytes(), path);
  const uint32_t longest = reader.number<uint32_t>("the length of the longest token");
  std::vector<Llama2cPiece> pieces;
  while (reader.rest() > 0) {
    Llama2cPiece piece;
    piece.score = std::bit_cast<float>(reader.number<uint32_t>("a score"));
    check_score(piece.score, path, pieces.size());
    const uint32_t length = reader.number<uint32_t>("a length");
    if (length > longest) {
      throw Error("the token is too long",
                  {.where = place(path, pieces.size()),
                   .expected = "at most " + std::to_string(longest) + " bytes",
                   .got = std::to_string(length),
                   .hint = "is it a tokenizer.bin of llama2.c?"});
    }
    piece.text = reader.take(length, "a token");
    pieces.push_back(std::move(piece));
  }
  if (vocab_size && static_cast<int64_t>(pieces.size()) != *vocab_size) {
    throw Error("not the tokenizer of this model",
                {.where = path,
                 .expected = std::to_string(*vocab_size) + " tokens",
                 .got = std::to_string(pieces.size())});
  }
  return pieces;
}

void write_llama2c_tokenizer(const std::string& path, const std::vector<Llama2cPiece>& pieces) {
  std::string bytes;
  uint32_t longest = 0;
  for (size_t id = 0; id < pieces.size(); ++id) {
    const auto& [text, score] = pieces[id];
    check_score(score, path, id);
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
  write_file(path, start + bytes);
}

void require_llama2c_encoding(const std::vector<Llama2cPiece>& pieces, const std::string& where) {
  for (size_t byte = 0; byte < kBytes; ++byte) {
    const size_t id = kFirstByte + byte;
    if (id >= pieces.size() || pieces[id].text != byte_piece(byte)) {
      throw Error("llama2.c cannot encode with this vocabulary",
                  {.where = place(where, id),
                   .expected = byte_piece(byte),
                   .got = id < pieces.size() ? quote(pieces[id].text) : "no such token"});
    }
  }
  const bool has_space = std::any_of(pieces.begin(), pieces.end(),
                                     [](const Llama2cPiece& piece) { return piece.text == " "; });
  if (!has_space) {
    throw Error("llama2.c cannot encode with this vocabulary",
                {.where = where, .expected = "a token of one space"});
  }
}

}  // namespace cria
