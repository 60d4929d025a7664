#include "cria/position/disentangled.h"

#include <algorithm>
#include <cmath>

#include "cria/kernels/products.h"

namespace cria {

// With mid = buckets / 2:
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
  reserve(config.max_positions);
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

Tensor Disentangled::gather(const RelativeTables& tables, int64_t from, int64_t to) const {
  const int64_t known = static_cast<int64_t>(rows_.size());
  require_prepared(0, to, known);
  const Tensor inputs = tables.inputs.narrow(0, tables.rows - to, to - from);
  kernels().embedding_gather({.rows = to - from,
                              .columns = config_.hidden_size,
                              .ids = rows_.data() + known - to,
                              .table = embeddings_->value.data,
                              .scale = 1.0f,
                              .out = inputs.data});
  return inputs;
}

void Disentangled::on_scores(int64_t layer, const RelativeTables& tables, int64_t keys) const {
  const int64_t from = tables.filled, count = keys - from;
  if (count <= 0) return;
  const Tensor inputs = gather(tables, from, keys);
  const auto project = [&](const Parameter& weight, const Tensor& table) {
    const Tensor rows = table.narrow(0, tables.rows - keys, count);
    kernels().gemm(weight_product(inputs, weight.value,
                                  rows.reshape({count, weight.value.shape[0]}), Precision::fp32));
  };
  project(*layers_[layer].pos_key_proj, tables.keys);
  project(*layers_[layer].pos_query_proj, tables.queries);
}

// dW_kr += dkr^T P,  dW_qr += dqr^T P,  dP[row(d)] += dkr_d W_kr + dqr_d W_qr
void Disentangled::on_scores_backward(int64_t layer, const RelativeTables& tables,
                                      int64_t keys) const {
  const Tensor inputs = gather(tables, 0, keys);
  const auto gradient = [&](const Parameter& weight, const Tensor& table) {
    return table.narrow(0, 0, 1)
        .reshape({tables.rows, weight.value.shape[0]})
        .narrow(0, tables.rows - keys, keys);
  };
  const Layer& parameters = layers_[layer];
  const Tensor dkeys = gradient(*parameters.pos_key_proj, tables.dkeys);
  const Tensor dqueries = gradient(*parameters.pos_query_proj, tables.dqueries);
  kernels().gemm(
      weight_gradient_product(dkeys, inputs, parameters.pos_key_proj->grad, Precision::fp32));
  kernels().gemm(
      weight_gradient_product(dqueries, inputs, parameters.pos_query_proj->grad, Precision::fp32));
  // The inputs have been used: their gradient takes their place.
  kernels().gemm(
      input_gradient_product(dkeys, parameters.pos_key_proj->value, inputs, Precision::fp32));
  Gemm more =
      input_gradient_product(dqueries, parameters.pos_query_proj->value, inputs, Precision::fp32);
  more.addend = inputs.data;
  more.addend_row = config_.hidden_size;
  kernels().gemm(more);
  kernels().embedding_scatter_add({.rows = keys,
                                   .columns = config_.hidden_size,
                                   .ids = rows_.data() + static_cast<int64_t>(rows_.size()) - keys,
                                   .padding_idx = -1,
                                   .factor = nullptr,
                                   .scale = 1.0f,
                                   .dout = inputs.data,
                                   .dtable = embeddings_->grad.data});
}

}  // namespace cria
