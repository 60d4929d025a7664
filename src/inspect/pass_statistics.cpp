#include "inspect/pass_statistics.h"

#include <algorithm>
#include <cmath>

#include "cria/base/error.h"
#include "cria/kernels/kernels.h"
#include "inspect/attention_scores.h"
#include "inspect/logit_lens.h"
#include "inspect/tensor_chunks.h"

namespace cria {
namespace {

constexpr int64_t kLogitFloats = 4 << 20;  // as many logits of a layer are in memory at once

// The positions looked at, of all B T.
std::vector<int64_t> sample_positions(int64_t all, int64_t most) {
  std::vector<int64_t> sample(std::min(all, most));
  const int64_t count = static_cast<int64_t>(sample.size());
  for (int64_t i = 0; i < count; ++i) sample[i] = i * all / count;
  return sample;
}

// body(row) for each, on all threads; the sum of what it returns.
template <class Body>
double sum_over_rows(int64_t rows, Body&& body) {
  double total = 0;
  for_each_chunk(
      rows, 1, [&](int64_t row, int64_t, int) { return body(row); },
      [&](double part) { total += part; });
  return total;
}

// With p the softmax of the final logits z, and y those of a lens:
//   entropy = log Z - sum p z,  KL = sum p (z - y) - log Z + log Z_y
void look_through(const Llama& model, const Activations& memory, const TokenIds& tokens,
                  std::span<const int64_t> positions, PassStatistics& result) {
  const int64_t rows = std::ssize(positions);
  const size_t layers = model.layers().size();
  LogitLens last(model, rows), before(model, rows);
  std::vector<int32_t> ids(rows);
  for (int64_t i = 0; i < rows; ++i) ids[i] = tokens.data[positions[i]];
  last.look(memory.residual()[layers], positions, ids.data());
  std::vector<float> p(rows * model.config().vocab_size);
  for (int64_t row = 0; row < rows; ++row) {
    std::ranges::copy(last.logits(row), &p[row * model.config().vocab_size]);
  }
  kernels().softmax(rows, model.config().vocab_size, p.data());
  const auto expected = [&](int64_t row, auto&& of) {
    const float* const probability = &p[row * model.config().vocab_size];
    return sum_terms(model.config().vocab_size,
                     [&](int64_t i) { return static_cast<double>(probability[i]) * of(i); });
  };
  for (int64_t row = 0; row < rows; ++row) {
    result.logit_max = std::max(result.logit_max, last.maximum(row));
    result.log_z += last.log_z(row);
    result.self_logit += last.target_logit(row);
  }
  result.logit_mean += sum_over_rows(rows, [&](int64_t row) {
    const std::span<const float> z = last.logits(row);
    const int64_t count = std::ssize(z);
    return sum_terms(count, [&](int64_t i) { return static_cast<double>(z[i]); }) /
           static_cast<double>(count);
  });
  result.entropy += sum_over_rows(rows, [&](int64_t row) {
    const std::span<const float> z = last.logits(row);
    return last.log_z(row) - expected(row, [&](int64_t i) { return static_cast<double>(z[i]); });
  });
  for (size_t layer = 0; layer < layers; ++layer) {
    before.look(memory.residual()[layer], positions, ids.data());
    result.lens_kl[layer] += sum_over_rows(rows, [&](int64_t row) {
      const std::span<const float> z = last.logits(row), y = before.logits(row);
      return before.log_z(row) - last.log_z(row) + expected(row, [&](int64_t i) {
               return static_cast<double>(z[i]) - static_cast<double>(y[i]);
             });
    });
  }
}

double largest_score(const AttentionScores& scores, const TokenIds& starts, int64_t position,
                     int64_t time) {
  const int64_t b = position / time, query = position % time;
  const int64_t first = starts ? starts(b, query) : -scores.remembered();
  double largest = -INFINITY;
  for (int64_t head = 0; head < scores.heads().q.shape[2]; ++head) {
    for (int64_t key = first; key <= query; ++key) {
      largest = std::max(largest, scores.at(b, head, query, key).sum());
    }
  }
  return largest;
}

}  // namespace

PassStatistics pass_statistics(const Llama& model, const Activations& memory,
                               const TokenIds& tokens, const TokenIds& document_starts,
                               int64_t most) {
  if (memory.purpose() != Purpose::training) {
    throw Error("these activations keep no layer's own",
                {.where = "pass_statistics", .hint = "make them for Purpose::training"});
  }
  const int64_t batch = tokens.shape[0], time = tokens.shape[1];
  const std::vector<int64_t> positions = sample_positions(batch * time, most);
  const int64_t count = std::ssize(positions);
  PassStatistics result;
  result.positions = count;
  result.logit_max = -INFINITY;
  result.lens_kl.resize(model.layers().size());
  const int64_t chunk = std::max<int64_t>(16, kLogitFloats / model.config().vocab_size);
  for (int64_t first = 0; first < count; first += chunk) {
    const size_t rows = static_cast<size_t>(std::min(chunk, count - first));
    look_through(model, memory, tokens,
                 std::span(positions).subspan(static_cast<size_t>(first), rows), result);
  }
  const double n = static_cast<double>(count);
  for (double* const sum :
       {&result.logit_mean, &result.log_z, &result.entropy, &result.self_logit}) {
    *sum /= n;
  }
  for (double& kl : result.lens_kl) kl /= n;
  for (size_t layer = 0; layer < model.layers().size(); ++layer) {
    const AttentionScores scores(model.layers()[layer].self_attn, memory.blocks()[layer], batch,
                                 time);
    double largest = -INFINITY;
    for_each_chunk(
        count, 1,
        [&](int64_t i, int64_t, int) {
          return largest_score(scores, document_starts, positions[static_cast<size_t>(i)], time);
        },
        [&](double part) { largest = std::max(largest, part); });
    result.attention_max.push_back(largest);
  }
  return result;
}

}  // namespace cria
