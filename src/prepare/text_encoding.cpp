#include "prepare/text_encoding.h"

#include <algorithm>
#include <optional>

#include "base/unicode.h"
#include "cria/base/error.h"

namespace cria {
namespace {

constexpr const char* kHint =
    "--invalid-utf8 replace or bytes, or --tokenizer bytes takes any bytes";

// What begins a file of another kind.
struct Mark {
  std::string_view bytes;
  const char* kind;
  const char* hint;
};

constexpr const char* kConvert = "iconv -f UTF-16 -t UTF-8 FILE > text.txt makes it UTF-8";
constexpr Mark kMarks[] = {
    {{"\xFF\xFE\0\0", 4}, "UTF-32, little-endian", "iconv -f UTF-32 -t UTF-8 FILE > text.txt"},
    {{"\0\0\xFE\xFF", 4}, "UTF-32, big-endian", "iconv -f UTF-32 -t UTF-8 FILE > text.txt"},
    {"\xFF\xFE", "UTF-16, little-endian", kConvert},
    {"\xFE\xFF", "UTF-16, big-endian", kConvert},
    {"\x1F\x8B", "gzip", "zcat FILE | cria prepare - --out DIR reads what is in it"},
};

}  // namespace

size_t TextDecoder::unfinished(std::string_view block) {
  for (size_t back = 1; back <= 3 && back <= block.size(); ++back) {
    const auto byte = static_cast<unsigned char>(block[block.size() - back]);
    if (!starts_character(block[block.size() - back])) continue;
    const size_t length = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC0 ? 2 : 1;
    return length > back ? back : 0;
  }
  return 0;
}

void TextDecoder::require_text(std::string_view block) const {
  const auto refuse = [&](const std::string& got, const std::string& hint) {
    throw Error("the file is not text in UTF-8",
                {.where = name_, .expected = "text in UTF-8", .got = got, .hint = hint});
  };
  for (const Mark& mark : kMarks) {
    if (block.starts_with(mark.bytes)) refuse(mark.kind, mark.hint);
  }
  // In UTF-16 every other byte of most texts is zero, which is valid UTF-8 too.
  if (std::ranges::count(block, '\0') > std::ssize(block) / 4) {
    refuse("more than a quarter of it bytes of zero, as in UTF-16", kConvert);
  }
}

std::string_view TextDecoder::decode(std::string_view block) {
  if (rule_ == InvalidUtf8::keep) return block;
  if (offset_ == 0) require_text(block);
  const uint64_t begin = offset_;
  offset_ += block.size();
  if (rule_ == InvalidUtf8::error) {
    const std::optional<size_t> bad = by_line_ ? std::nullopt : first_invalid_utf8(block);
    if (!bad) return block;
    throw Error("invalid UTF-8", {.where = name_ + " at byte " + std::to_string(begin + *bad),
                                  .expected = "text in UTF-8",
                                  .got = quote_at(block, *bad),
                                  .hint = kHint});
  }
  Utf8Stream stream;
  repaired_ = stream.push(block);
  repaired_ += stream.finish();
  return repaired_;
}

}  // namespace cria
