#include "cria/nn/head_loss.h"

#include <algorithm>

#include "cria/kernels/kernels.h"
#include "cria/nn/linear.h"

namespace cria {
namespace {

// Rows of logits at a time: 64 MiB of them at most. Each chunk reads W twice and reads and writes
// dW from memory, which 512 rows of a 32000-token vocabulary hide behind their arithmetic; the
// softmax works on a row at a time, which is in cache by then. The chunks are even. A function of V
// and N only, so that the order of summation never depends on the machine.
int64_t chunk_rows(int64_t vocabulary, int64_t rows) {
  constexpr int64_t kChunkFloats = 16 << 20;
  const int64_t most = std::max<int64_t>(64, kChunkFloats / vocabulary);
  const int64_t chunks = (rows + most - 1) / most;
  return (rows + chunks - 1) / chunks;
}

}  // namespace

HeadLoss::Saved HeadLoss::plan(Plan& plan, int64_t batch, int64_t time) const {
  const int64_t vocabulary = weight->value.shape[0];
  const int64_t rows = chunk_rows(vocabulary, batch * time);
  return {.logits = plan.scratch.take({rows, vocabulary}),
          .losses = plan.saved.take({batch * time}),
          .weight_forward = PackedWeight(
              plan, {.n = vocabulary, .k = weight->value.shape[1], .precision = precision}),
          .weight_backward = PackedWeight(
              plan, {.n = weight->value.shape[1], .k = vocabulary, .precision = precision})};
}

double HeadLoss::forward_backward(const ConstTensor& x, const TokenIds& targets, Saved& saved,
                                  float gradient_scale, const Tensor& dx) const {
  const int64_t vocabulary = weight->value.shape[0], columns = weight->value.shape[1];
  const int64_t rows = x.rows();
  if (x.columns() != columns || targets.size() != rows) {
    throw_shape_error("head_loss", "[N, " + std::to_string(columns) + "] and N targets",
                      x.to_string() + " and " + targets.to_string());
  }
  for (int64_t n = 0; n < rows; ++n) {
    const int32_t target = targets.data[n];
    if (target != kIgnoredTarget && (target < 0 || target >= vocabulary)) {
      throw Error("target id out of range",
                  {.where = "head_loss, row " + std::to_string(n),
                   .expected = "0 to " + std::to_string(vocabulary - 1) + ", or " +
                               std::to_string(kIgnoredTarget) + " to ignore",
                   .got = std::to_string(target)});
    }
  }
  const Tensor losses = within(saved.losses, {rows});
  const ConstTensor x_rows = x.reshape({rows, columns});
  for (int64_t begin = 0; begin < rows; begin += saved.logits.shape[0]) {
    const int64_t count = std::min(saved.logits.shape[0], rows - begin);
    const Tensor z = saved.logits.narrow(0, 0, count);
    const ConstTensor x_chunk = x_rows.narrow(0, begin, count);
    saved.weight_forward.multiply(weight_product(x_chunk, weight->value, z, precision));
    kernels().cross_entropy(count, vocabulary, targets.data + begin, dx ? gradient_scale : 0.0f,
                            z.data, losses.data + begin);
    if (dx) {
      const Tensor dx_chunk = dx.reshape({rows, columns}).narrow(0, begin, count);
      saved.weight_backward.multiply(input_gradient_product(z, weight->value, dx_chunk, precision));
      if (!weight->frozen) {
        kernels().gemm(weight_gradient_product(z, x_chunk, weight->grad, precision));
      }
    }
  }
  // Tied to a table with sparse gradients: this one is dense, so their sum is.
  if (dx && rows > 0 && weight->touched) weight->touched->add_all();
  double total = 0;
  for (int64_t n = 0; n < rows; ++n) total += static_cast<double>(losses.data[n]);
  return total;
}

double HeadLoss::forward(const ConstTensor& x, const TokenIds& targets, Saved& saved) const {
  return forward_backward(x, targets, saved, 0.0f, Tensor{});
}

void HeadLoss::logits(const ConstTensor& x, const Tensor& logits) const {
  kernels().gemm(weight_product(x, weight->value, logits, precision));
}

}  // namespace cria
