#include "cria/nn/attention.h"

#include <algorithm>

namespace cria {
namespace {

// cache[:, first + t] = x[:, t]
void append(const Tensor& x, const Tensor& cache, int64_t first) {
  for (int64_t b = 0; b < x.shape[0]; ++b) {
    for (int64_t t = 0; t < x.shape[1]; ++t) {
      std::copy_n(&x(b, t), x.shape[2] * x.shape[3], &cache(b, first + t));
    }
  }
}

// Sequence 0's gradient becomes the sum of those of the first `batch`.
void sum_over_sequences(const Tensor& gradient, int64_t batch) {
  if (!gradient || batch < 2) return;
  const int64_t size = gradient.strides[0];
  kernels().add_rows_sum(batch - 1, size, gradient.data + size, gradient.data);
}

}  // namespace

SelfAttention::SelfAttention(Parameters& parameters, const AttentionConfig& c, Position& encoding)
    : config(c), position(&encoding) {
  const bool fits = c.kv_heads > 0 && c.heads > 0 && c.heads % c.kv_heads == 0 && c.head_dim > 0 &&
                    c.head_dim <= kMaxHeadDim && c.memory_length >= 0;
  if (!fits) {
    throw Error("not possible",
                {.where = c.name,
                 .expected = "heads a multiple of kv_heads, head_dim 1 to " +
                             std::to_string(kMaxHeadDim) + ", memory_length 0 or more",
                 .got = std::to_string(c.heads) + ", " + std::to_string(c.kv_heads) + ", " +
                        std::to_string(c.head_dim) + ", " + std::to_string(c.memory_length)});
  }
  const int64_t kv_features = c.kv_heads * c.head_dim;
  const LinearOutput qkv[] = {{c.name + ".q_proj", c.heads * c.head_dim},
                              {c.name + ".k_proj", kv_features},
                              {c.name + ".v_proj", kv_features}};
  qkv_proj = Linear(parameters, qkv, c.hidden_size, c.bias, c.std, c.precision);
  encoding.add_layer(parameters, c.layer, c.name);
  dropout = Dropout(c.name, c.dropout);
  const LinearOutput out[] = {{c.name + ".o_proj", c.hidden_size}};
  o_proj = Linear(parameters, out, c.heads * c.head_dim, c.bias, c.residual_std, c.precision);
}

SelfAttention::Saved SelfAttention::plan(Plan& plan, int64_t batch, int64_t time) const {
  const int64_t keys = config.memory_length + time;
  const int64_t qkv = qkv_proj.out_features, context = o_proj.in_features;
  return {.qkv = plan.saved.take({batch, keys, qkv}),
          .context = plan.saved.take({batch, time, context}),
          .log_sum_exp = plan.saved.take({batch, config.heads, time}),
          .dqkv = plan.scratch.take({batch, keys, qkv}),
          .dcontext = plan.scratch.take({batch, time, context}),
          .delta = plan.scratch.take({batch, config.heads, time}),
          .relative = position->plan_tables(plan.saved, plan.scratch, batch, keys),
          .qkv_proj = qkv_proj.plan(plan, batch, keys),
          .o_proj = o_proj.plan(plan, batch, time)};
}

// The three parts of the fused projection, without a copy.
SelfAttention::Heads SelfAttention::split_heads(const Tensor& qkv) const {
  const auto part = [&](int64_t first_head, int64_t heads) {
    Tensor view = qkv;
    view.data += first_head * config.head_dim;
    view.rank = 4;
    view.shape = {qkv.shape[0], qkv.shape[1], heads, config.head_dim};
    view.strides = {qkv.strides[0], qkv.strides[1], config.head_dim, 1};
    return view;
  };
  return {part(0, config.heads), part(config.heads, config.kv_heads),
          part(config.heads + config.kv_heads, config.kv_heads)};
}

Attention SelfAttention::arguments(const Heads& heads, const Tensor& context,
                                   const Tensor& log_sum_exp, const RelativeTables& relative,
                                   const PassContext& pass) const {
  const auto& [q, k, v] = heads;
  return {.batch = q.shape[0],
          .heads = config.heads,
          .kv_heads = config.kv_heads,
          .head_dim = config.head_dim,
          .queries = q.shape[1],
          .keys = k.shape[1],
          .scale = position->score_scale(),
          .q = q.data,
          .k = k.data,
          .v = v.data,
          .q_batch = q.strides[0],
          .q_row = q.strides[1],
          .kv_batch = k.strides[0],
          .kv_row = k.strides[1],
          .out = context.data,
          .out_batch = context.strides[0],
          .out_row = context.strides[1],
          .log_sum_exp = log_sum_exp.data,
          .relative = {.rows = relative.rows,
                       .keys = relative.keys.data,
                       .queries = relative.queries.data,
                       .bias = relative.bias.data,
                       .packed = relative.packed.data,
                       .uniform_from = relative.uniform_from},
          .dropout = dropout.mask(pass),
          .first_key = pass.document_starts.data,
          .precision = config.precision};
}

void SelfAttention::forward(const ConstTensor& x, const Tensor& out, Saved& saved,
                            const PassContext& pass, const ConstTensor& addend,
                            KvCache* cache) const {
  if (x.rank != 3 || out.rank != 3 || x.shape[1] < out.shape[1]) {
    throw_shape_error("attention " + config.name, "[B, T, C], of no more positions than x",
                      x.to_string() + " -> " + out.to_string());
  }
  const int64_t batch = x.shape[0], time = out.shape[1], remembered = x.shape[1] - time;
  const int64_t before = cache ? cache->length : remembered;
  const Tensor qkv = within(saved.qkv, {batch, x.shape[1], qkv_proj.out_features});
  const Tensor context = within(saved.context, {batch, time, o_proj.in_features});
  const Tensor log_sum_exp = within(saved.log_sum_exp, {batch, config.heads, time});
  qkv_proj.forward(x, qkv, saved.qkv_proj);
  Heads heads = split_heads(qkv);
  heads.q = heads.q.narrow(1, remembered, time);
  position->on_qk(config.layer, heads.q, heads.k, before - remembered);
  if (cache) {
    // narrow also refuses to go beyond the capacity.
    const Tensor k = cache->k.narrow(1, 0, before + time).narrow(0, 0, batch);
    const Tensor v = cache->v.narrow(1, 0, before + time).narrow(0, 0, batch);
    append(heads.k, cache->k, before);
    append(heads.v, cache->v, before);
    heads.k = k;
    heads.v = v;
    cache->length += time;
  }
  RelativeTables& relative = cache ? cache->relative : saved.relative;
  if (!cache) relative.filled = 0;
  position->on_scores(config.layer, relative, before + time);
  relative.filled = before + time;
  kernels().attention_forward(arguments(heads, context, log_sum_exp, relative, pass));
  o_proj.forward(context, out, saved.o_proj, addend);
}

// The gradient goes through o_proj, the attention kernel (see AttentionGradient), the position
// encoding's reverse, and the fused q/k/v projection. Positions of the segment memory have no
// queries: their gradient is 0.
void SelfAttention::backward(const ConstTensor& dout, const ConstTensor& x, Saved& saved,
                             const PassContext& pass, const Tensor& dx) const {
  const int64_t batch = x.shape[0], time = dout.shape[1], remembered = x.shape[1] - time;
  const Tensor qkv = within(saved.qkv, {batch, x.shape[1], qkv_proj.out_features});
  const Tensor dqkv = within(saved.dqkv, {batch, x.shape[1], qkv_proj.out_features});
  const Tensor context = within(saved.context, {batch, time, o_proj.in_features});
  const Tensor dcontext = within(saved.dcontext, {batch, time, o_proj.in_features});
  o_proj.backward(dout, context, saved.o_proj, dcontext);
  const Heads heads = split_heads(qkv), gradients = split_heads(dqkv);
  const Tensor dq = gradients.q.narrow(1, remembered, time);
  const RelativeTables& relative = saved.relative;
  kernels().attention_backward(
      {.forward = arguments({heads.q.narrow(1, remembered, time), heads.k, heads.v}, context,
                            saved.log_sum_exp, relative, pass),
       .dout = dcontext.data,
       .dq = dq.data,
       .dk = gradients.k.data,
       .dv = gradients.v.data,
       .delta = saved.delta.data,
       .relative = {.dkeys = relative.dkeys.data,
                    .dqueries = relative.dqueries.data,
                    .dbias = relative.dbias.data}});
  for (int64_t n = 0; n < batch * remembered; ++n) {
    std::fill_n(&gradients.q(n / remembered, n % remembered), config.heads * config.head_dim, 0.0f);
  }
  for (const Tensor& table : {relative.dkeys, relative.dqueries, relative.dbias}) {
    sum_over_sequences(table, batch);
  }
  position->on_scores_backward(config.layer, relative, x.shape[1]);
  position->on_qk_backward(config.layer, dq, gradients.k, 0);
  qkv_proj.backward(dqkv, x, saved.qkv_proj, dx);
}

}  // namespace cria
