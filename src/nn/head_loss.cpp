#include "cria/nn/head_loss.h"

#include <algorithm>
#include <cmath>

#include "cria/nn/linear.h"
#include "kernels/products.h"

namespace cria {
namespace {

// How the logits [N,V] are cut, evenly. A block of the vocabulary is passed by all rows of a chunk
// before the next: its rows of W and dW come from memory once for each chunk, and its logits are in
// the caches from product to product. Between forward and backward the blocks of a chunk are kept,
// 64 MiB of them at most, or one is, and is computed again; then a chunk may have more rows, as it
// may where no backward comes. A function of N, V and the instruction set only, so that the order
// of sums is.
struct Cut {
  int64_t rows, columns;  // of a chunk, of a block
  int64_t kept;           // blocks

  static int64_t even(int64_t all, int64_t most) {
    const int64_t parts = (all + most - 1) / most;
    return (all + parts - 1) / parts;
  }

  Cut(int64_t all_rows, int64_t vocabulary, bool keeps_one) {
    constexpr int64_t kMostColumns = 1024, kMostRows = 2048, kKeptFloats = 16 << 20;
    columns = even(vocabulary, kMostColumns);
    kept = keeps_one ? 1 : (vocabulary + columns - 1) / columns;
    rows = even(std::max<int64_t>(1, all_rows),
                keeps_one ? kMostRows : std::max<int64_t>(64, kKeptFloats / vocabulary));
  }
};

}  // namespace

HeadLoss::Saved HeadLoss::plan(Plan& plan, int64_t batch, int64_t time) const {
  const bool recomputes = precision == Precision::bf16 && kernels().recomputes_logits;
  const Cut cut(batch * time, weight->value.shape[0], recomputes || !plan.backward);
  return {.logits = plan.scratch.take({cut.kept, cut.rows, cut.columns}),
          .losses = plan.saved.take({batch * time}),
          .maximum = plan.scratch.take({cut.rows}),
          .target_logit = plan.scratch.take({cut.rows}),
          .total = plan.scratch.take_doubles(cut.rows)};
}

double HeadLoss::forward_backward(const ConstTensor& x, const TokenIds& targets, Saved& saved,
                                  float gradient_scale, const Tensor& dx, double z_loss) const {
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
  const int64_t kept = saved.logits.shape[0], most = saved.logits.shape[2];
  for (int64_t begin = 0; begin < rows; begin += saved.logits.shape[1]) {
    const int64_t count = std::min(saved.logits.shape[1], rows - begin);
    const ConstTensor x_chunk = x_rows.narrow(0, begin, count);
    // The block of the vocabulary from `first` on, and its logits' place.
    const auto block = [&](int64_t first) {
      const int64_t place = first / most % kept * saved.logits.strides[0];
      return SoftmaxBlock{.rows = count,
                          .columns = std::min(most, vocabulary - first),
                          .first = first,
                          .logits = saved.logits.data + place,
                          .targets = targets.data + begin,
                          .maximum = saved.maximum.data,
                          .total = saved.total,
                          .target_logit = saved.target_logit.data};
    };
    const auto compute = [&](const SoftmaxBlock& b) {
      kernels().gemm(weight_product(x_chunk, weight->value.narrow(0, b.first, b.columns),
                                    Tensor(b.logits, {count, b.columns}), precision));
    };
    for (int64_t first = 0; first < vocabulary; first += most) {
      const SoftmaxBlock b = block(first);
      compute(b);
      kernels().softmax_statistics(b);
    }
    for (int64_t n = 0; n < count; ++n) {
      const double loss =
          std::log(saved.total[n]) - static_cast<double>(saved.target_logit(n) - saved.maximum(n));
      losses(begin + n) = targets.data[begin + n] == kIgnoredTarget ? 0 : static_cast<float>(loss);
      // The gradient's softmax is exp(z - maximum) / total: times 1 + 2 z_loss log Z.
      if (z_loss > 0) {
        const double log_z = std::log(saved.total[n]) + static_cast<double>(saved.maximum(n));
        saved.total[n] /= 1 + 2 * z_loss * log_z;
      }
    }
    if (!dx) continue;
    const Tensor dx_chunk = dx.reshape({rows, columns}).narrow(0, begin, count);
    for (int64_t first = 0; first < vocabulary; first += most) {
      const SoftmaxBlock b = block(first);
      // Blocks that share a place have overwritten each other, so each is computed again.
      if (kept * most < vocabulary) compute(b);
      kernels().softmax_gradient(b, gradient_scale);
      const Tensor dz(b.logits, {count, b.columns});
      Gemm product = input_gradient_product(dz, weight->value.narrow(0, first, b.columns), dx_chunk,
                                            precision);
      if (first > 0) {
        product.addend = dx_chunk.data;
        product.addend_row = columns;
      }
      kernels().gemm(product);
      if (weight->frozen) continue;
      kernels().gemm(weight_gradient_product(dz, x_chunk, weight->grad.narrow(0, first, b.columns),
                                             precision));
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
