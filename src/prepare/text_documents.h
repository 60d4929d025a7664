// The bytes of a file, cut into documents by a rule.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "prepare/text_chunks.h"

namespace cria {

class DocumentReader {
 public:
  virtual ~DocumentReader() = default;
  virtual void read(std::string_view block) = 0;  // the next bytes of the file
  virtual void finish() = 0;                      // it has no more
};

// begin: where in the file its first block is (behind a byte order mark). file must outlive it.
std::unique_ptr<DocumentReader> make_document_reader(const DocumentRule& rule, bool is_jsonl,
                                                     const std::string& file, uint64_t begin,
                                                     ChunkMaker& chunks);

}  // namespace cria
