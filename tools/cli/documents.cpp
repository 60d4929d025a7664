#include "cli/documents.h"

#include "cria/base/error.h"

namespace cria {

std::vector<Document> read_documents(const std::string& file, const DocumentRule& rule) {
  std::vector<Document> documents;
  const TextInput input({file}, rule);
  const TextCut whole = {.find = [](std::string_view text, size_t) { return text.size(); },
                         .reach = 0};
  const auto keep = [&](std::span<const TextChunk> chunks) {
    for (const TextChunk& chunk : chunks) {
      if (chunk.begins) documents.push_back({chunk.where(), ""});
      documents.back().text += chunk.text;
    }
  };
  input.read(whole, keep, [](int64_t) {});
  if (documents.empty()) {
    throw Error("no text", {.where = file, .expected = "at least one document"});
  }
  return documents;
}

}  // namespace cria
