#include "prepare/text_input.h"

#include <algorithm>
#include <memory>
#include <numeric>

#include "cria/base/error.h"
#include "cria/base/file.h"
#include "prepare/text_documents.h"

namespace cria {
namespace {

constexpr size_t kBlock = size_t{1} << 20;
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr int kPatience = 100;  // milliseconds between two looks at a pipe that gives nothing

[[noreturn]] void refuse_empty(const std::string& name) {
  throw Error("the text is empty", {.where = name,
                                    .expected = "text to make tokens of",
                                    .got = "0 bytes",
                                    .hint = "is it the right file?"});
}

}  // namespace

std::string TextChunk::where() const {
  return line == 0 ? *file : *file + ":" + std::to_string(line);
}

TextInput::TextInput(const std::vector<std::string>& files, DocumentRule rule)
    : rule_(std::move(rule)) {
  for (const std::string& file : files) {
    const bool is_glob = file.find_first_of("*?[") != file.npos && !exists(file);
    for (const std::string& path : is_glob ? glob_files(file) : std::vector{file}) {
      const bool is_jsonl =
          rule_.format.empty() ? path.ends_with(".jsonl") : rule_.format == "jsonl";
      files_.push_back({path == "-" ? "standard input" : path, path, is_jsonl});
      if (rule_.prompt_field.empty() || is_jsonl) continue;
      throw Error("a prompt is a member of JSON Lines",
                  {.where = files_.back().name,
                   .expected = "a .jsonl file, since there is a --prompt-field",
                   .got = "a text",
                   .hint = "--format jsonl, if it has a JSON object on each line"});
    }
  }
}

void TextInput::spool(const std::string& directory, const OnBytes& on_bytes) {
  int64_t bytes = 0;
  std::string block(kBlock, '\0');
  for (File& file : files_) {
    InputFile input(file.path);
    if (input.is_regular()) {
      file.bytes = input.size();
      continue;
    }
    const std::string path = join_path(directory, "input_" + std::to_string(&file - files_.data()));
    AtomicFile copy(path);
    for (;;) {
      on_bytes(bytes);
      if (!input.wait(kPatience)) continue;
      const size_t count = input.read(block.data(), block.size());
      if (count == 0) break;
      copy.write({block.data(), count});
      file.bytes += static_cast<int64_t>(count);
      bytes += static_cast<int64_t>(count);
    }
    copy.commit();
    file.path = path;
  }
}

int64_t TextInput::bytes() const {
  return std::accumulate(files_.begin(), files_.end(), int64_t{0},
                         [](int64_t sum, const File& file) { return sum + file.bytes; });
}

bool TextInput::expects_separators() const {
  return !rule_.separator.empty() &&
         std::ranges::any_of(files_, [](const File& file) { return !file.is_jsonl; });
}

TextTotals TextInput::read(const TextCut& cut, const OnChunks& on_chunks,
                           const OnBytes& on_bytes) const {
  ChunkMaker chunks(cut, on_chunks);
  std::string block(kBlock, '\0');
  int64_t bytes = 0;
  for (const File& file : files_) {
    InputFile input(file.path);
    TextDecoder decoder(rule_.invalid_utf8, file.name, file.is_jsonl);
    std::unique_ptr<DocumentReader> reader;
    size_t held = 0;  // bytes of a character that was cut off, at the beginning of the block
    for (bool more = true; more;) {
      // A block is whole, so that the first has the whole byte order mark.
      size_t count = held;
      while (more && count < kBlock) {
        const size_t read = input.read(block.data() + count, kBlock - count);
        more = read > 0;
        count += read;
      }
      bytes += static_cast<int64_t>(count - held);
      const std::string_view all(block.data(), count);
      held = more ? TextDecoder::unfinished(all) : 0;
      std::string_view text = decoder.decode(all.substr(0, count - held));
      if (!reader) {
        const bool marked = text.starts_with(kByteOrderMark);
        if (marked) text.remove_prefix(kByteOrderMark.size());
        if (text.empty()) refuse_empty(file.name);
        reader = make_document_reader(rule_, file.is_jsonl, file.name,
                                      marked ? kByteOrderMark.size() : 0, chunks);
      }
      reader->read(text);
      on_bytes(bytes);
      std::copy(all.end() - static_cast<std::ptrdiff_t>(held), all.end(), block.begin());
    }
    reader->finish();
  }
  chunks.finish();
  return chunks.totals();
}

}  // namespace cria
