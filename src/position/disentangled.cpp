#include "position/disentangled.h"

#include <algorithm>
#include <cmath>

#include "kernels/products.h"

namespace cria {

// The bucket of distance x, with mid = buckets / 2:
//   x <= mid: x,  else  mid + ceil(ln(x / mid) / ln((max_position - 1) / mid) (mid - 1))
int64_t deberta_bucket(int64_t distance, int64_t buckets, int64_t max_position) {
  const int64_t mid = buckets / 2, x = std::min(distance, max_position - 1);
  if (x <= mid) return x;
  const double far = std::log(static_cast<double>(x) / static_cast<double>(mid)) /
                     std::log(static_cast<double>(max_position - 1) / static_cast<double>(mid));
  return mid + static_cast<int64_t>(std::ceil(far * static_cast<double>(mid - 1)));
}

Disentangled::Disentangled(Parameters& parameters, const PositionConfig& config)
    : Position(config) {
  const RelativePositionOptions& options = config.relative;
  const int64_t rows =
      options.position_buckets > 0 ? options.position_buckets : options.max_relative_positions;
  embeddings_ = &parameters.add({"model.rel_embeddings.weight", {rows, config.hidden_size}},
                                ParameterKind::embedding, {.std = config.std});
  while (row_of(uniform_from_) < rows - 1) ++uniform_from_;
}

void Disentangled::add_layer(Parameters& parameters, int64_t, const std::string& name) {
  const auto add = [&](const char* part, int64_t heads) {
    return &parameters.add({name + part, {heads * config_.head_dim, config_.hidden_size}},
                           ParameterKind::matrix, {.std = config_.std});
  };
  Parameter* const key = add(".pos_key_proj.weight", config_.kv_heads);
  layers_.push_back({key, add(".pos_query_proj.weight", config_.heads)});
}

int64_t Disentangled::row_of(int64_t distance) const {
  const RelativePositionOptions& options = config_.relative;
  const int64_t relative =
      options.position_buckets > 0
          ? deberta_bucket(distance, options.position_buckets, options.max_relative_positions)
          : distance;
  return std::min(relative, embeddings_->value.shape[0] - 1);
}

void Disentangled::reserve(int64_t count) {
  if (count <= static_cast<int64_t>(rows_.size())) return;
  rows_.clear();
  for (int64_t d = count; d-- > 0;) rows_.push_back(static_cast<int32_t>(row_of(d)));
}

float Disentangled::score_scale() const {
  return static_cast<float>(1.0 / std::sqrt(3.0 * static_cast<double>(config_.head_dim)));
}

const int32_t* Disentangled::rows_from(int64_t distances) const {
  const int64_t known = static_cast<int64_t>(rows_.size());
  require_prepared(0, distances, known);
  return rows_.data() + known - distances;
}

// A row of P is projected once, however many distances share it.
void Disentangled::on_scores(int64_t layer, const RelativeTables& tables, int64_t keys) const {
  const int64_t count = keys - tables.filled;
  if (count <= 0) return;
  // The farthest first, as in the tables; rows of P in use: [begin, end).
  const int32_t* ids = rows_from(keys);
  const int64_t begin = ids[count - 1], end = ids[0] + 1;
  const auto project = [&](const Parameter& weight, const Tensor& table) {
    const int64_t width = weight.value.shape[0];
    const Tensor projected(tables.projected.data, {end - begin, width});
    kernels().gemm(weight_product(embeddings_->value.narrow(0, begin, end - begin), weight.value,
                                  projected, Precision::fp32));
    kernels().embedding_gather({.rows = count,
                                .columns = width,
                                .ids = ids,
                                .table = projected.data - begin * width,
                                .scale = 1.0f,
                                .out = &table(tables.rows - keys)});
  };
  project(*layers_[layer].pos_key_proj, tables.keys);
  project(*layers_[layer].pos_query_proj, tables.queries);
}

// With dkr and dqr summed over the distances that share a row of P:
//   dW_kr += dkr^T P,  dW_qr += dqr^T P,  dP += dkr W_kr + dqr W_qr
void Disentangled::on_scores_backward(int64_t layer, const RelativeTables& tables,
                                      int64_t keys) const {
  const int32_t* ids = rows_from(keys);
  const int64_t rows = ids[0] + 1;
  const ConstTensor p = embeddings_->value.narrow(0, 0, rows);
  const Tensor dp = embeddings_->grad.narrow(0, 0, rows);
  const auto backward = [&](const Parameter& weight, const Tensor& gradient) {
    const int64_t width = weight.value.shape[0];
    const Tensor dprojected(tables.projected.data, {rows, width});
    std::fill_n(dprojected.data, dprojected.size(), 0.0f);
    kernels().embedding_scatter_add({.rows = keys,
                                     .columns = width,
                                     .ids = ids,
                                     .padding_idx = -1,
                                     .factor = nullptr,
                                     .scale = 1.0f,
                                     .dout = &gradient(0, tables.rows - keys),
                                     .dtable = dprojected.data});
    if (!weight.frozen) {
      kernels().gemm(weight_gradient_product(dprojected, p, weight.grad, Precision::fp32));
    }
    if (embeddings_->frozen) return;
    Gemm more = input_gradient_product(dprojected, weight.value, dp, Precision::fp32);
    more.addend = dp.data;
    more.addend_row = dp.shape[1];
    kernels().gemm(more);
  };
  backward(*layers_[layer].pos_key_proj, tables.dkeys);
  backward(*layers_[layer].pos_query_proj, tables.dqueries);
}

}  // namespace cria
