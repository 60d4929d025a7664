// Texts as documents: files and pipes of any size, read in bounded memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "prepare/text_encoding.h"

namespace cria {

// How files are divided into documents. A byte order mark at the beginning of a file belongs to
// none, and a document without bytes is passed over.
struct DocumentRule {
  std::string format = "";     // of the files: "text", "jsonl"; "": "jsonl" if the name ends so
  std::string field = "text";  // jsonl: a line is an object, and this member of it the document
  // jsonl: this member stands in front of it, to be read and not learned; "": none
  std::string prompt_field = "";
  bool lines = false;  // text: a line is one, without its \n or \r\n
  // text: what is between two, of which \n is any line end; "" and no lines: a file is one
  std::string separator = "";
  InvalidUtf8 invalid_utf8 = InvalidUtf8::error;
  bool skip_bad = false;  // jsonl: what is no object with a text is counted, not an error
};

// Where a text may be cut and both sides encoded one by one, see Tokenizer::find_cut. The rest of a
// document or at least `from` and `reach` bytes of it are there.
struct TextCut {
  std::function<size_t(std::string_view text, size_t from)> find;
  size_t reach;
};

// A document, or a part of one.
struct TextChunk {
  std::string_view text;
  const std::string* file;  // name
  int64_t line;             // jsonl: the line in the file, from 1; else 0
  uint64_t offset;          // of the text's first byte: in the file; jsonl: in the document
  bool begins, ends;        // the document
  bool learned = true;      // no part of a prompt, which ends with a chunk

  std::string where() const;  // FILE or FILE:LINE
};

struct TextTotals {
  int64_t documents = 0;
  int64_t bytes = 0;  // of the documents
  int64_t empty = 0;  // documents passed over
  int64_t separators = 0;
  int64_t bad = 0;                          // lines passed over
  std::vector<std::string> bad_lines = {};  // the first of them: FILE:LINE and what is wrong

  bool operator==(const TextTotals&) const = default;
};

class TextInput {
 public:
  using OnChunks = std::function<void(std::span<const TextChunk>)>;
  using OnBytes = std::function<void(int64_t bytes)>;  // of the files, read so far

  // A chunk of a document ends at the first place to cut after so many bytes.
  static constexpr size_t kChunkBytes = size_t{128} << 10;
  // on_chunks gets about so much at once. How texts are divided depends on nothing but the texts.
  static constexpr size_t kBatchBytes = size_t{4} << 20;
  static constexpr size_t kMostChunks = size_t{1} << 16;
  static constexpr size_t kLongestLine = size_t{64} << 20;  // of jsonl
  static constexpr int64_t kNamedLines = 10;                // bad ones

  // files: paths, globs (* ? [abc]) and "-" for standard input; what is the name of a file is that
  // file. Error for what is not there.
  TextInput(const std::vector<std::string>& files, DocumentRule rule);

  // Copies what can be read only once (standard input, pipes) into files in `directory`, which are
  // needed from then on. To be called before the others; on_bytes may throw to end it.
  void spool(const std::string& directory, const OnBytes& on_bytes);

  int64_t bytes() const;  // of all files

  // Whether separators are looked for in any of them.
  bool expects_separators() const;

  // Reads all documents in order, and hands on their chunks. Error for a file without text, a line
  // of JSON that is too long, no JSON or without the field, and what is not UTF-8, each with its
  // place. Whatever one of the functions throws ends it.
  TextTotals read(const TextCut& cut, const OnChunks& on_chunks, const OnBytes& on_bytes) const;

 private:
  struct File {
    std::string name;  // in messages
    std::string path;
    bool is_jsonl;
    int64_t bytes = 0;
  };

  DocumentRule rule_;
  std::vector<File> files_;
};

}  // namespace cria
