// The texts of a request to prepare, and what is told about the work on them.
#pragma once

#include <string>

#include "prepare/prepare.h"
#include "prepare/text_input.h"

namespace cria {

enum class TextPart { train, val };  // request.texts, request.val_texts

class PrepareTexts {
 public:
  // request is to outlive this. Error for files that are not there.
  explicit PrepareTexts(const PrepareRequest& request);

  // Copies what can be read only once into `directory`, see TextInput.
  void spool(const std::string& directory);

  // Reads all documents of a part, as TextInput does. both: progress counts both parts.
  TextTotals read(const char* phase, TextPart part, bool both, const TextCut& cut,
                  const TextInput::OnChunks& on_chunks) const;

  // Error when no document of the part has any text.
  void require_documents(const TextTotals& totals, TextPart part) const;

  // The same, once the part is encoded, and notes of what was passed over in it.
  void report(const TextTotals& totals, TextPart part) const;

  // Whether what validates is taken from the end of request.texts.
  bool are_split() const { return request_.val_texts.empty() && request_.val_fraction > 0; }

  // Tells the request's functions; Interrupted when the work is to stop.
  void show(const char* phase, int64_t done, int64_t total, bool in_bytes = true) const;
  void note(const std::string& line) const;

 private:
  const PrepareRequest& request_;
  TextInput train_, val_;
};

}  // namespace cria
