// Documents that arrive in pieces of any size, as chunks of about the same size.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "prepare/text_input.h"

namespace cria {

class ChunkMaker {
 public:
  ChunkMaker(const TextCut& cut, const TextInput::OnChunks& on_chunks);

  // The place of the next document's first byte.
  void begin(const std::string& file, int64_t line, uint64_t offset);
  void add(std::string_view text);
  void add_prompt(std::string_view text);           // whole, at the beginning of a document
  void end();                                       // of the document
  bool is_empty() const { return document_ == 0; }  // the document so far
  void finish();                                    // no document follows

  void found_separator() { ++totals_.separators; }
  void pass_over(const std::string& what);  // a bad line; nothing was added of it

  const TextTotals& totals() const { return totals_; }

 private:
  void close(size_t bytes, bool ends);
  void close_rest(bool ends);
  void hand_on();

  const TextCut& cut_;
  const TextInput::OnChunks& on_chunks_;
  std::string buffer_;             // the closed chunks, then what is not yet one
  size_t closed_ = 0;              // bytes of the closed chunks
  std::vector<TextChunk> chunks_;  // closed
  TextChunk next_{};               // place of the next one
  int64_t document_ = 0;           // bytes of the document so far
  TextTotals totals_;
};

}  // namespace cria
