#include "prepare/text_documents.h"

#include <algorithm>

#include "base/unicode.h"
#include "cria/base/error.h"
#include "cria/base/json.h"

namespace cria {
namespace {

// A file is a document.
class FileReader : public DocumentReader {
 public:
  FileReader(const std::string& file, uint64_t begin, ChunkMaker& chunks) : chunks_(chunks) {
    chunks_.begin(file, 0, begin);
  }

  void read(std::string_view block) override { chunks_.add(block); }
  void finish() override { chunks_.end(); }

 private:
  ChunkMaker& chunks_;
};

// Documents with separators between them. What may be the beginning of a separator, or the \r of a
// line end, waits for the next block.
class SeparatorReader : public DocumentReader {
 public:
  SeparatorReader(std::string separator, bool drops_cr, const std::string& file, uint64_t begin,
                  ChunkMaker& chunks)
      : separator_(std::move(separator)),
        held_(std::max<size_t>(separator_.size() - 1, drops_cr ? 1 : 0)),
        drops_cr_(drops_cr),
        file_(file),
        offset_(begin),
        chunks_(chunks) {
    chunks_.begin(file_, 0, offset_);
  }

  void read(std::string_view block) override {
    waiting_ += block;
    std::string_view text = waiting_;
    for (size_t end; (end = text.find(separator_)) != text.npos;) {
      chunks_.add(text.substr(0, drops_cr_ && end > 0 && text[end - 1] == '\r' ? end - 1 : end));
      chunks_.end();
      offset_ += end + separator_.size();
      text.remove_prefix(end + separator_.size());
      chunks_.begin(file_, 0, offset_);
    }
    const size_t sure = text.size() - std::min(text.size(), held_);
    chunks_.add(text.substr(0, sure));
    offset_ += sure;
    waiting_.erase(0, waiting_.size() - (text.size() - sure));
  }

  // A separator at the end of the file is not the beginning of one more document.
  void finish() override {
    chunks_.add(waiting_);
    if (!chunks_.is_empty()) chunks_.end();
  }

 private:
  const std::string separator_;
  const size_t held_;
  const bool drops_cr_;
  const std::string& file_;
  uint64_t offset_;
  ChunkMaker& chunks_;
  std::string waiting_;
};

// A line is a JSON object with the document as one of its members. A line of white space is an
// empty document.
class JsonLinesReader : public DocumentReader {
 public:
  JsonLinesReader(std::string field, const std::string& file, ChunkMaker& chunks)
      : field_(std::move(field)), file_(file), chunks_(chunks) {}

  void read(std::string_view block) override {
    while (!block.empty()) {
      const size_t end = std::min(block.find('\n'), block.size());
      if (text_.size() + end > TextInput::kLongestLine) {
        fail("this line is too long",
             {.expected = "at most " + std::to_string(TextInput::kLongestLine >> 20) + " MiB",
              .hint = "is it JSON Lines, an object on each line?"});
      }
      text_ += block.substr(0, end);
      block.remove_prefix(end);
      if (block.empty()) return;
      block.remove_prefix(1);
      take_line();
    }
  }

  void finish() override {
    if (!text_.empty()) take_line();
  }

 private:
  void take_line() {
    chunks_.begin(file_, line_, 0);
    if (text_.find_first_not_of(" \t\r") != text_.npos) {
      const Json json = Json::parse_member(text_, field_, file_, line_);
      const Json* const member = json.find(field_);
      const std::string wanted = "an object with text as its " + quote(field_);
      if (!json.is_object() || !member) {
        fail(json.is_object() ? "no " + quote(field_) + " in this object" : "not a JSON object",
             {.expected = wanted,
              .got = json.is_object() ? "other members" : json.kind_name(),
              .hint = "--field NAME names the member with the text"});
      }
      chunks_.add(member->as_string(place() + ": " + field_));
    }
    chunks_.end();
    text_.clear();
    // A line of megabytes is rare; the ones that follow do with less.
    if (text_.capacity() > TextInput::kBatchBytes) text_.shrink_to_fit();
    ++line_;
  }

  std::string place() const { return file_ + ":" + std::to_string(line_); }

  [[noreturn]] void fail(const std::string& summary, ErrorContext context) const {
    context.where = place();
    throw Error(summary, context);
  }

  const std::string field_;
  const std::string& file_;
  ChunkMaker& chunks_;
  std::string text_;  // of the line so far
  int64_t line_ = 1;
};

}  // namespace

std::unique_ptr<DocumentReader> make_document_reader(const DocumentRule& rule, bool is_jsonl,
                                                     const std::string& file, uint64_t begin,
                                                     ChunkMaker& chunks) {
  if (is_jsonl) return std::make_unique<JsonLinesReader>(rule.field, file, chunks);
  if (rule.lines) return std::make_unique<SeparatorReader>("\n", true, file, begin, chunks);
  if (rule.separator.empty()) return std::make_unique<FileReader>(file, begin, chunks);
  return std::make_unique<SeparatorReader>(rule.separator, false, file, begin, chunks);
}

}  // namespace cria
