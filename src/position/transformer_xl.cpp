#include "position/transformer_xl.h"

#include <algorithm>
#include <cmath>

#include "cria/base/parallel.h"
#include "kernels/products.h"

namespace cria {
namespace {

// x[b,t,h,:] += bias[h,:]; x [B,T,H,D]
void add_to_all(const ConstTensor& bias, const Tensor& x) {
  const int64_t time = x.shape[1], width = bias.size();
  compute_for(x.shape[0] * time, std::max<int64_t>(1, kGrain / width),
              [&](int64_t begin, int64_t end, int) {
                for (int64_t n = begin; n < end; ++n) {
                  float* __restrict row = &x(n / time, n % time);
                  for (int64_t i = 0; i < width; ++i) row[i] += bias.data[i];
                }
              });
}

// sum[h,:] += the sum of x[b,t,h,:]
void add_all_to(const ConstTensor& x, const Tensor& sum) {
  const int64_t time = x.shape[1], dim = sum.columns();
  compute_for(sum.rows(), 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t n = 0; n < x.shape[0] * time; ++n) {
      const float* row = &x(n / time, n % time);
      for (int64_t i = begin * dim; i < end * dim; ++i) sum.data[i] += row[i];
    }
  });
}

}  // namespace

TransformerXl::TransformerXl(Parameters& parameters, const PositionConfig& config)
    : Position(config) {
  const auto bias = [&](const char* name) {
    return &parameters.add({name, {config.heads, config.head_dim}}, ParameterKind::bias,
                           {.std = config.std});
  };
  content_bias_ = bias("model.r_w_bias");
  position_bias_ = bias("model.r_r_bias");
}

void TransformerXl::reserve(int64_t count) {
  if (count <= distances_) return;
  distances_ = count;
  const int64_t columns = config_.hidden_size, half = columns / 2;
  sinusoids_.resize(static_cast<size_t>(count * columns));
  for (int64_t i = 0; i < half; ++i) {
    const double frequency =
        std::pow(10000.0, -2.0 * static_cast<double>(i) / static_cast<double>(columns));
    for (int64_t d = 0; d < count; ++d) {
      const double angle = static_cast<double>(d) * frequency;
      float* row = sinusoids_.data() + (count - 1 - d) * columns;
      row[i] = static_cast<float>(std::sin(angle));
      row[half + i] = static_cast<float>(std::cos(angle));
    }
  }
}

ConstTensor TransformerXl::sinusoids(int64_t from, int64_t to) const {
  require_prepared(0, to, distances_);
  return ConstTensor(sinusoids_.data(), {distances_, config_.hidden_size})
      .narrow(0, distances_ - to, to - from);
}

void TransformerXl::add_layer(Parameters& parameters, int64_t, const std::string& name) {
  r_proj_.push_back(&parameters.add(
      {name + ".r_proj.weight", {config_.kv_heads * config_.head_dim, config_.hidden_size}},
      ParameterKind::matrix, {.std = config_.std}));
}

std::array<float, kMaxHeadDim> TransformerXl::difference(int64_t head) const {
  std::array<float, kMaxHeadDim> w{};
  for (int64_t d = 0; d < config_.head_dim; ++d) {
    w[d] = position_bias_->value(head, d) - content_bias_->value(head, d);
  }
  return w;
}

// q += u
void TransformerXl::on_qk(int64_t, const Tensor& q, const Tensor&, int64_t) const {
  add_to_all(content_bias_->value, q);
}

// du += sum of dq
void TransformerXl::on_qk_backward(int64_t, const Tensor& dq, const Tensor&, int64_t) const {
  if (!content_bias_->frozen) add_all_to(dq, content_bias_->grad);
}

void TransformerXl::on_scores(int64_t layer, const RelativeTables& tables, int64_t keys) const {
  const int64_t from = tables.filled, first = tables.rows - keys, count = keys - from;
  if (count <= 0) return;
  const int64_t width = config_.kv_heads * config_.head_dim;
  const Tensor r = tables.keys.narrow(0, first, count).reshape({count, width});
  kernels().gemm(weight_product(sinusoids(from, keys), r_proj_[layer]->value, r, Precision::fp32));
  const int64_t group = config_.heads / config_.kv_heads;
  for (int64_t h = 0; h < config_.heads; ++h) {
    const std::array<float, kMaxHeadDim> w = difference(h);
    for (int64_t row = first; row < first + count; ++row) {
      const float* r_d = &tables.keys(row, h / group);
      float sum = 0;
      for (int64_t d = 0; d < config_.head_dim; ++d) sum += w[d] * r_d[d];
      tables.bias(h, row) = sum * score_scale();
    }
  }
}

// With w = v - u and b_d = scale w . r_d:
//   dr_d += scale db_d w,  dw = scale sum of db_d r_d,  dv += dw,  du -= dw,  dW_r += dr^T R
void TransformerXl::on_scores_backward(int64_t layer, const RelativeTables& tables,
                                       int64_t keys) const {
  const int64_t first = tables.rows - keys, group = config_.heads / config_.kv_heads;
  for (int64_t h = 0; h < config_.heads; ++h) {
    const std::array<float, kMaxHeadDim> w = difference(h);
    std::array<float, kMaxHeadDim> dw{};
    for (int64_t row = first; row < tables.rows; ++row) {
      const float db = score_scale() * tables.dbias(0, h, row);
      const float* r_d = &tables.keys(row, h / group);
      float* dr_d = &tables.dkeys(0, row, h / group);
      for (int64_t d = 0; d < config_.head_dim; ++d) {
        dw[d] += db * r_d[d];
        dr_d[d] += db * w[d];
      }
    }
    for (int64_t d = 0; d < config_.head_dim; ++d) {
      if (!position_bias_->frozen) position_bias_->grad(h, d) += dw[d];
      if (!content_bias_->frozen) content_bias_->grad(h, d) -= dw[d];
    }
  }
  if (r_proj_[layer]->frozen) return;
  const int64_t width = config_.kv_heads * config_.head_dim;
  const Tensor dr = tables.dkeys.narrow(0, 0, 1).reshape({tables.rows, width});
  kernels().gemm(weight_gradient_product(dr.narrow(0, first, keys), sinusoids(0, keys),
                                         r_proj_[layer]->grad, Precision::fp32));
}

}  // namespace cria
