#include "prepare/text_documents.h"

#include <algorithm>
#include <optional>

#include "base/first_error.h"
#include "base/replace_all.h"
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

// Documents with separators between them, in which \n stands for \r\n too. What may be the
// beginning of a separator waits for the next block.
class SeparatorReader : public DocumentReader {
 public:
  SeparatorReader(std::string_view separator, const std::string& file, uint64_t begin,
                  ChunkMaker& chunks)
      : separator_(replace_all(separator, "\r\n", "\n")),
        held_(separator_.size() - 1 + static_cast<size_t>(std::ranges::count(separator_, '\n'))),
        file_(file),
        offset_(begin),
        chunks_(chunks) {
    chunks_.begin(file_, 0, offset_);
  }

  void read(std::string_view block) override {
    waiting_ += block;
    std::string_view text = waiting_;
    for (size_t begin = 0, end; (end = find(text, begin)) != text.npos;) {
      chunks_.add(text.substr(0, begin));
      chunks_.end();
      chunks_.found_separator();
      offset_ += end;
      text.remove_prefix(end);
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
  // Where the first separator begins, and the end that is returned; npos if there is none.
  size_t find(std::string_view text, size_t& begin) const {
    for (size_t at = 0; (at = text.find(separator_[0], at)) != text.npos; ++at) {
      const size_t end = end_of(text, at);
      if (end == text.npos) continue;
      begin = separator_[0] == '\n' && at > 0 && text[at - 1] == '\r' ? at - 1 : at;
      return end;
    }
    return text.npos;
  }

  // The end of the separator whose first character is at `at`.
  size_t end_of(std::string_view text, size_t at) const {
    for (size_t i = 0; i < separator_.size(); ++i, ++at) {
      if (separator_[i] == '\n' && i > 0 && text.substr(at).starts_with("\r\n")) ++at;
      if (at >= text.size() || text[at] != separator_[i]) return text.npos;
    }
    return at;
  }

  const std::string separator_;
  const size_t held_;
  const std::string& file_;
  uint64_t offset_;
  ChunkMaker& chunks_;
  std::string waiting_;
};

// A line is a JSON object with the document as one of its members, and perhaps its prompt as
// another. A line of white space is an empty document, and so is a prompt that nothing follows.
class JsonLinesReader : public DocumentReader {
 public:
  JsonLinesReader(const DocumentRule& rule, const std::string& file, ChunkMaker& chunks)
      : rule_(rule), file_(file), chunks_(chunks) {}

  void read(std::string_view block) override {
    while (!block.empty()) {
      const size_t end = std::min(block.find('\n'), block.size());
      if (text_.size() + end <= TextInput::kLongestLine) {
        text_ += block.substr(0, end);
      } else {
        is_too_long_ = true;
        if (!rule_.skip_bad) take_line();
      }
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
    std::string prompt, document;
    const auto read = [&] {
      if (!rule_.prompt_field.empty())
        prompt = member_of_line(rule_.prompt_field, "--prompt-field");
      document = member_of_line(rule_.field, "--field");
    };
    std::optional<std::string> problem;
    if (rule_.skip_bad) {
      problem = message_of_error(read);
    } else {
      with_context({.hint = "--skip-bad passes over such lines"}, read);
    }
    if (problem) {
      chunks_.pass_over(problem->substr(0, problem->find('\n')));
    } else {
      if (!document.empty()) chunks_.add_prompt(prompt);
      chunks_.add(document);
      chunks_.end();
    }
    text_.clear();
    is_too_long_ = false;
    // A line of megabytes is rare; the ones that follow do with less.
    if (text_.capacity() > TextInput::kBatchBytes) text_.shrink_to_fit();
    ++line_;
  }

  // option: names the member.
  std::string member_of_line(const std::string& name, const std::string& option) const {
    if (is_too_long_) {
      fail("this line is too long",
           {.expected = "at most " + std::to_string(TextInput::kLongestLine >> 20) + " MiB",
            .hint = "is it JSON Lines, an object on each line?"});
    }
    if (text_.find_first_not_of(" \t\r") == text_.npos) return "";
    const Json json = Json::parse_member(text_, name, file_, line_);
    const Json* const member = json.find(name);
    if (!json.is_object() || !member) {
      fail(json.is_object() ? "no " + quote(name) + " in this object" : "not a JSON object",
           {.expected = "an object with text as its " + quote(name),
            .got = json.is_object() ? "other members" : json.kind_name(),
            .hint = option + " NAME names the member with the text"});
    }
    return member->as_string(place() + ": " + name);
  }

  std::string place() const { return file_ + ":" + std::to_string(line_); }

  [[noreturn]] void fail(const std::string& summary, ErrorContext context) const {
    context.where = place();
    throw Error(summary, context);
  }

  const DocumentRule rule_;
  const std::string& file_;
  ChunkMaker& chunks_;
  std::string text_;  // of the line so far
  bool is_too_long_ = false;
  int64_t line_ = 1;
};

}  // namespace

std::unique_ptr<DocumentReader> make_document_reader(const DocumentRule& rule, bool is_jsonl,
                                                     const std::string& file, uint64_t begin,
                                                     ChunkMaker& chunks) {
  if (is_jsonl) return std::make_unique<JsonLinesReader>(rule, file, chunks);
  if (rule.lines) return std::make_unique<SeparatorReader>("\n", file, begin, chunks);
  if (rule.separator.empty()) return std::make_unique<FileReader>(file, begin, chunks);
  return std::make_unique<SeparatorReader>(rule.separator, file, begin, chunks);
}

}  // namespace cria
