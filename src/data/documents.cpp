#include "cria/data/documents.h"

#include "cria/kernels/kernels.h"

namespace cria {

int64_t mark_documents(const int32_t* inputs, int32_t* targets, int64_t count,
                       const DocumentMarks& marks, int32_t* starts) {
  int64_t counted = 0;
  int32_t start = 0;
  for (int64_t t = 0; t < count; ++t) {
    if (t > 0 && begins_document(inputs[t - 1], inputs[t], marks)) start = static_cast<int32_t>(t);
    starts[t] = start;
    if (targets[t] == kIgnoredTarget) continue;
    if (begins_document(inputs[t], targets[t], marks)) {
      targets[t] = kIgnoredTarget;
    } else {
      ++counted;
    }
  }
  return counted;
}

}  // namespace cria
