#include "prepare/text_chunks.h"

namespace cria {

// The buffer must never move, since closed chunks point into it: it has room for almost a batch,
// the chunk that is still open, and what is added to it.
ChunkMaker::ChunkMaker(const TextCut& cut, const TextInput::OnChunks& on_chunks)
    : cut_(cut), on_chunks_(on_chunks) {
  constexpr size_t kChunk = TextInput::kChunkBytes;
  buffer_.reserve(TextInput::kBatchBytes + 2 * kChunk + cut.reach);
}

void ChunkMaker::begin(const std::string& file, int64_t line, uint64_t offset) {
  next_ = {
      .text = {}, .file = &file, .line = line, .offset = offset, .begins = true, .ends = false};
  document_ = 0;
}

void ChunkMaker::add(std::string_view text) {
  const size_t enough = TextInput::kChunkBytes + cut_.reach;
  while (!text.empty()) {
    const std::string_view part = text.substr(0, TextInput::kChunkBytes);
    text.remove_prefix(part.size());
    buffer_ += part;
    document_ += static_cast<int64_t>(part.size());
    // One byte more than enough: the document does not end with a cut.
    while (buffer_.size() - closed_ > enough) {
      close(cut_.find(std::string_view(buffer_).substr(closed_), TextInput::kChunkBytes), false);
    }
  }
}

void ChunkMaker::add_prompt(std::string_view text) {
  next_.learned = false;
  add(text);
  close_rest(false);
  next_.learned = true;
}

void ChunkMaker::end() {
  if (document_ == 0) {
    ++totals_.empty;
    return;
  }
  close_rest(true);
  ++totals_.documents;
  totals_.bytes += document_;
}

void ChunkMaker::pass_over(const std::string& what) {
  if (totals_.bad++ < TextInput::kNamedLines) totals_.bad_lines.push_back(what);
}

void ChunkMaker::close(size_t bytes, bool ends) {
  next_.text = std::string_view(buffer_).substr(closed_, bytes);
  next_.ends = ends;
  chunks_.push_back(next_);
  next_.begins = false;
  next_.offset += bytes;
  closed_ += bytes;
  if (closed_ >= TextInput::kBatchBytes || chunks_.size() == TextInput::kMostChunks) hand_on();
}

void ChunkMaker::close_rest(bool ends) {
  while (closed_ < buffer_.size()) {
    const std::string_view rest = std::string_view(buffer_).substr(closed_);
    const size_t bytes = rest.size() > TextInput::kChunkBytes
                             ? cut_.find(rest, TextInput::kChunkBytes)
                             : rest.size();
    close(bytes, ends && bytes == rest.size());
  }
}

void ChunkMaker::hand_on() {
  on_chunks_(chunks_);
  chunks_.clear();
  buffer_.erase(0, closed_);
  closed_ = 0;
}

void ChunkMaker::finish() {
  if (!chunks_.empty()) hand_on();
}

}  // namespace cria
