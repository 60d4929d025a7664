#include "cria/nn/embedding.h"

#include <algorithm>
#include <cmath>
#include <memory>

#include "base/number.h"
#include "cria/base/parallel.h"
#include "cria/kernels/kernels.h"

namespace cria {
namespace {

std::string text_of(double value) {
  if (std::isfinite(value)) return shortest_double(value);
  return std::isnan(value) ? "nan" : value > 0 ? "inf" : "-inf";
}

EmbeddingOptions checked(EmbeddingOptions options, const std::string& name, int64_t rows) {
  const auto fail = [&](const std::string& argument, const std::string& expected,
                        const std::string& got) {
    throw Error("not possible",
                {.where = name + ": " + argument, .expected = expected, .got = got});
  };
  if (options.padding_idx) {
    const int64_t given = *options.padding_idx;
    if (given < -rows || given >= rows) {
      fail("padding_idx", std::to_string(-rows) + " to " + std::to_string(rows - 1),
           std::to_string(given));
    }
    if (given < 0) options.padding_idx = given + rows;
  }
  // PyTorch takes a negative one, and turns the rows around with it.
  if (options.max_norm && !(*options.max_norm >= 0)) {
    fail("max_norm", "0 or more", text_of(*options.max_norm));
  }
  // PyTorch takes what is no norm too: with 0, the number of elements that are not zero.
  if (!(options.norm_type > 0)) {
    fail("norm_type", "more than 0, or inf", text_of(options.norm_type));
  }
  if (!(options.gradient_scale >= 0)) {
    fail("gradient_scale", "0 or more", text_of(options.gradient_scale));
  }
  if (options.sparse && options.scale_grad_by_freq) {
    fail("sparse", "one of sparse and scale_grad_by_freq", "both");
  }
  return options;
}

// "embedding, batch 1, position 2"; several dimensions before the last are all the batch's.
std::string place_of(const TokenIds& ids, int64_t n) {
  std::string batch, position;
  for (int axis = ids.rank; axis-- > 0; n /= ids.shape[axis]) {
    const std::string index = std::to_string(n % ids.shape[axis]);
    if (position.empty()) {
      position = ", position " + index;
    } else {
      batch = index + (batch.empty() ? "" : ", ") + batch;
    }
  }
  return "embedding" + (batch.empty() ? "" : ", batch " + batch) + position;
}

void check_ids(const TokenIds& ids, int64_t rows) {
  for (int64_t n = 0; n < ids.size(); ++n) {
    if (ids.data[n] >= 0 && ids.data[n] < rows) continue;
    throw Error("token id out of range",
                {.where = place_of(ids, n),
                 .expected = "0 to " + std::to_string(rows - 1),
                 .got = std::to_string(ids.data[n]),
                 .hint = "the data's tokenizer and the model's vocab_size do not belong together"});
  }
}

// x is to have the shape of ids and one dimension more.
void check_shapes(const TokenIds& ids, const ConstTensor& x, int64_t columns) {
  if (ids.rank >= kMaxRank || !ids.is_contiguous()) {
    throw_shape_error("embedding", "contiguous ids of rank 0 to " + std::to_string(kMaxRank - 1),
                      ids.to_string());
  }
  std::array<int64_t, kMaxRank> shape = ids.shape;
  shape[ids.rank] = columns;
  if (x.rank != ids.rank + 1 || x.shape != shape || !x.is_contiguous()) {
    throw_shape_error("embedding",
                      "contiguous " + shape_string({shape.begin(), shape.begin() + ids.rank + 1}),
                      x.to_string());
  }
}

// (sum |x|^p)^(1/p), in terms of x / max|x|, so that no power overflows.
double p_norm(const float* x, int64_t count, double p) {
  double largest = 0;
  for (int64_t c = 0; c < count; ++c) {
    const double size = std::abs(static_cast<double>(x[c]));
    if (std::isnan(size)) return size;
    largest = std::max(largest, size);
  }
  if (largest == 0 || std::isinf(largest) || std::isinf(p)) return largest;
  double total = 0;
  for (int64_t c = 0; c < count; ++c) {
    const double ratio = std::abs(static_cast<double>(x[c])) / largest;
    total += p == 2 ? ratio * ratio : p == 1 ? ratio : std::pow(ratio, p);
  }
  return largest * (p == 2 ? std::sqrt(total) : std::pow(total, 1 / p));
}

}  // namespace

Embedding::Embedding(Parameters& parameters, const std::string& name, int64_t num_embeddings,
                     int64_t embedding_dim, const EmbeddingOptions& given, double std,
                     double row_scale)
    : options(checked(given, name, num_embeddings)), scale(static_cast<float>(row_scale)) {
  weight = &parameters.add({name, {num_embeddings, embedding_dim}}, ParameterKind::embedding,
                           {.std = std, .zero_row = options.padding_idx.value_or(-1)});
  weight->frozen = options.freeze;
  if (options.sparse && !options.freeze) {
    weight->touched = std::make_unique<TouchedRows>(num_embeddings);
  }
}

void Embedding::load_pretrained(const ConstTensor& rows) const {
  const ConstTensor& table = weight->value;
  if (rows.rank != 2 || rows.shape != table.shape || !rows.is_contiguous()) {
    throw_shape_error(weight->name + ", pretrained rows", "contiguous " + table.to_string(),
                      rows.to_string());
  }
  std::copy_n(rows.data, rows.size(), weight->mutable_value().data);
}

Embedding::Saved Embedding::plan(Plan& plan, int64_t batch, int64_t time) const {
  Saved saved;
  if (!options.max_norm && !options.scale_grad_by_freq) return saved;
  saved.capacity = batch * time;
  saved.place = plan.saved.take_ints(weight->value.shape[0]);
  saved.distinct = plan.saved.take_ints(saved.capacity);
  saved.count = plan.saved.take_ints(saved.capacity);
  if (options.scale_grad_by_freq) saved.factor = plan.scratch.take_floats(saved.capacity);
  return saved;
}

void Embedding::find_distinct(const TokenIds& ids, Saved& saved) const {
  if (ids.size() > saved.capacity) {
    throw_shape_error("a pass larger than planned",
                      "at most " + std::to_string(saved.capacity) + " ids", ids.to_string());
  }
  saved.distinct_count = 0;
  for (int64_t n = 0; n < ids.size(); ++n) {
    const int32_t id = ids.data[n];
    int32_t& place = saved.place[id];
    // What stands beyond distinct_count is left from another call.
    if (place >= saved.distinct_count || saved.distinct[place] != id) {
      place = static_cast<int32_t>(saved.distinct_count++);
      saved.distinct[place] = id;
      saved.count[place] = 0;
    }
    ++saved.count[place];
  }
}

// n = ||row||_p; where n > max_norm: row *= max_norm / (n + 1e-7). Formula: PyTorch's
// embedding_renorm_.
void Embedding::renormalize(const Saved& saved) const {
  const Tensor table = weight->mutable_value();
  const int64_t columns = table.shape[1];
  const double most = *options.max_norm;
  const int64_t grain = std::max<int64_t>(1, kGrain / std::max<int64_t>(1, columns));
  compute_for(saved.distinct_count, grain, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      float* const row = table.data + saved.distinct[i] * columns;
      const double norm = p_norm(row, columns, options.norm_type);
      if (!(norm > most)) continue;
      const double shrink = most / (norm + 1e-7);
      for (int64_t c = 0; c < columns; ++c) row[c] = static_cast<float>(row[c] * shrink);
    }
  });
}

void Embedding::forward(const TokenIds& ids, const Tensor& out, Saved& saved) const {
  const int64_t rows = weight->value.shape[0], columns = weight->value.shape[1];
  check_shapes(ids, out, columns);
  check_ids(ids, rows);
  if (options.max_norm) {
    find_distinct(ids, saved);
    renormalize(saved);
  }
  kernels().embedding_gather({.rows = ids.size(),
                              .columns = columns,
                              .ids = ids.data,
                              .table = weight->value.data,
                              .scale = scale,
                              .out = out.data});
}

// dweight[k] += scale * gradient_scale * sum of dout[s] over ids[s] == k; with scale_grad_by_freq
// divided by their number.
void Embedding::backward(const ConstTensor& dout, const TokenIds& ids, Saved& saved) const {
  if (weight->frozen) return;
  const int64_t rows = weight->value.shape[0], columns = weight->value.shape[1];
  check_shapes(ids, dout, columns);
  check_ids(ids, rows);
  const int64_t padding = options.padding_idx.value_or(-1);
  const float gradient_scale = scale * static_cast<float>(options.gradient_scale);
  if (options.scale_grad_by_freq) {
    find_distinct(ids, saved);
    for (int64_t n = 0; n < ids.size(); ++n) {
      saved.factor[n] = gradient_scale / static_cast<float>(saved.count[saved.place[ids.data[n]]]);
    }
  }
  kernels().embedding_scatter_add({.rows = ids.size(),
                                   .columns = columns,
                                   .ids = ids.data,
                                   .padding_idx = padding,
                                   .factor = options.scale_grad_by_freq ? saved.factor : nullptr,
                                   .scale = gradient_scale,
                                   .dout = dout.data,
                                   .dtable = weight->grad.data});
  if (!weight->touched) return;
  for (int64_t n = 0; n < ids.size(); ++n) {
    if (ids.data[n] != padding) weight->touched->add(ids.data[n]);
  }
}

}  // namespace cria
