// Where documents begin in a window of tokens, and which targets are not theirs to predict.
#pragma once

#include <cstdint>

namespace cria {

// Ids that stand around documents; -1: none. A document begins at every bos and after every eos. If
// one id is both, it does so only where an eos and a bos meet: alone it may be either.
struct DocumentMarks {
  int32_t bos = -1, eos = -1;
  bool operator==(const DocumentMarks&) const = default;
};

// Whether `next`, which follows `token`, begins a document.
inline bool begins_document(int32_t token, int32_t next, const DocumentMarks& marks) {
  // Ids are not negative, so a mark of -1 is never met.
  const bool after = token == marks.eos, before = next == marks.bos;
  return marks.bos == marks.eos ? after && before : after || before;
}

// Marks the documents of one window of `count` inputs and targets (the tokens one further on):
// starts[t] = the place in the window where the document of inputs[t] begins (0 when it began
// before the window), and targets[t] = kIgnoredTarget where the next token begins another document.
// Returns the number of other targets that are not ignored already.
int64_t mark_documents(const int32_t* inputs, int32_t* targets, int64_t count,
                       const DocumentMarks& marks, int32_t* starts);

}  // namespace cria
