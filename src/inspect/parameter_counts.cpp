#include "inspect/parameter_counts.h"

namespace cria {

ParameterCounts parameter_counts(const TensorFile& file, std::optional<bool> tied) {
  ParameterCounts counts;
  for (const FileTensor& tensor : file.tensors()) {
    counts.bytes += tensor.bytes.size();
    ++counts.dtypes[tensor.dtype];
    if (!tensor.is_computed()) counts.total += tensor.size();
  }
  const FileTensor* const embedding = file.find_hugging_face("model.embed_tokens.weight");
  const FileTensor* const head = file.find_hugging_face("lm_head.weight");
  if (embedding) counts.embedding = embedding->size();
  if (head) counts.head = head->size();
  if (!tied.value_or(file.tied().value_or(false))) return counts;
  // A copy of the table, which some files have.
  counts.total -= counts.head;
  counts.head = 0;
  counts.saved_by_tying = counts.embedding;
  return counts;
}

}  // namespace cria
