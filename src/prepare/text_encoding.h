// Whether the bytes of a file are text in UTF-8, and what is done where they are not.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace cria {

enum class InvalidUtf8 {
  error,
  replace,  // each sequence becomes U+FFFD
  keep,     // the bytes as they are
};

// Goes through the blocks of a file, in order.
class TextDecoder {
 public:
  // name: of the file, in errors. by_line: what reads the text checks UTF-8 itself, and knows
  // lines.
  TextDecoder(InvalidUtf8 rule, std::string name, bool by_line)
      : rule_(rule), name_(std::move(name)), by_line_(by_line) {}

  // How many bytes at the end of a block belong to a character that may go on in the next one.
  static size_t unfinished(std::string_view block);

  // The next block, which begins and ends between two characters, as text; valid until the next
  // call. Error, unless all bytes are kept, for one that is not UTF-8, and for a first block that
  // is of UTF-16, UTF-32 or gzip.
  std::string_view decode(std::string_view block);

 private:
  void require_text(std::string_view block) const;

  InvalidUtf8 rule_;
  std::string name_;
  bool by_line_;
  uint64_t offset_ = 0;  // of the next block in the file
  std::string repaired_;
};

}  // namespace cria
