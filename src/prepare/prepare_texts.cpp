#include "prepare/prepare_texts.h"

#include "base/unicode.h"
#include "cria/base/file.h"

namespace cria {

PrepareTexts::PrepareTexts(const PrepareRequest& request)
    : request_(request),
      train_(request.texts, request.documents),
      val_(request.val_texts, request.documents) {}

void PrepareTexts::spool(const std::string& directory) {
  int64_t before = 0;
  for (TextInput* input : {&train_, &val_}) {
    const std::string own = join_path(directory, input == &train_ ? "texts" : "val");
    make_directories(own);
    input->spool(own, [&](int64_t bytes) { show("reading", before + bytes, 0); });
    before += input->bytes();
  }
}

TextTotals PrepareTexts::read(const char* phase, TextPart part, bool both, const TextCut& cut,
                              const TextInput::OnChunks& on_chunks) const {
  const int64_t before = part == TextPart::val ? train_.bytes() : 0;
  const int64_t total = train_.bytes() + (both ? val_.bytes() : 0);
  show(phase, before, total);
  return (part == TextPart::train ? train_ : val_).read(cut, on_chunks, [&](int64_t bytes) {
    show(phase, before + bytes, total);
  });
}

void PrepareTexts::require_documents(const TextTotals& totals, TextPart part) const {
  if (totals.documents > 0) return;
  throw Error("no document has any text",
              {.where = (part == TextPart::train ? request_.texts : request_.val_texts).front(),
               .expected = "text to make tokens of",
               .got = std::to_string(totals.empty) + " empty documents",
               .hint = "is it the right file?"});
}

void PrepareTexts::report(const TextTotals& totals, TextPart part) const {
  if (totals.bad > 0) {
    std::string lines = "bad lines passed over: " + std::to_string(totals.bad);
    for (const std::string& line : totals.bad_lines) lines += "\n  " + line;
    note(lines + (totals.bad > std::ssize(totals.bad_lines) ? "\n  ..." : ""));
  }
  require_documents(totals, part);
  if (totals.empty > 0) note("empty documents passed over: " + std::to_string(totals.empty));
  if (totals.separators == 0 && (part == TextPart::train ? train_ : val_).expects_separators()) {
    note("warning: " + quote(request_.documents.separator) +
         ", the document separator, does not occur: each file is one document");
  }
}

void PrepareTexts::show(const char* phase, int64_t done, int64_t total, bool in_bytes) const {
  if (request_.stop && *request_.stop) {
    throw Interrupted("stopped", {.where = request_.directory, .hint = "nothing was written"});
  }
  if (request_.progress) request_.progress({phase, done, total, in_bytes});
}

void PrepareTexts::note(const std::string& line) const {
  if (request_.note) request_.note(line);
}

}  // namespace cria
