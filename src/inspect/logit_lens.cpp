#include "inspect/logit_lens.h"

#include <algorithm>

#include "cria/kernels/kernels.h"

namespace cria {

LogitLens::LogitLens(const Llama& model, int64_t rows)
    : model_(model),
      columns_(model.config().hidden_size),
      vocabulary_(model.config().vocab_size),
      stream_(rows * columns_),
      rstd_(rows),
      logits_(rows * vocabulary_),
      maximum_(rows),
      target_logit_(rows),
      total_(rows) {}

void LogitLens::look(const ConstTensor& residual, std::span<const int64_t> rows,
                     const int32_t* targets) {
  const int64_t count = std::ssize(rows);
  for (int64_t i = 0; i < count; ++i) {
    std::copy_n(residual.data + rows[i] * columns_, columns_, &stream_[i * columns_]);
  }
  const Tensor stream(stream_.data(), {count, columns_});
  RmsNorm::Saved saved{Tensor(rstd_.data(), {count})};
  model_.norm().forward(stream, stream, saved);
  model_.lm_head().logits(stream, Tensor(logits_.data(), {count, vocabulary_}));
  kernels().softmax_statistics({.rows = count,
                                .columns = vocabulary_,
                                .first = 0,
                                .logits = logits_.data(),
                                .targets = targets,
                                .maximum = maximum_.data(),
                                .total = total_.data(),
                                .target_logit = target_logit_.data()});
}

}  // namespace cria
