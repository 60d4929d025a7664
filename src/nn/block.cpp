#include "cria/nn/block.h"

namespace cria {
namespace {

// to[:, first + t] = from[:, t], or += with add; both [B,?,C].
void copy_positions(const ConstTensor& from, int64_t from_first, const Tensor& to, int64_t to_first,
                    int64_t count, bool add) {
  const int64_t columns = to.columns();
  for (int64_t n = 0; n < to.shape[0] * count; ++n) {
    const float* source = &from(n / count, from_first + n % count);
    float* target = &to(n / count, to_first + n % count);
    for (int64_t c = 0; c < columns; ++c) target[c] = add ? target[c] + source[c] : source[c];
  }
}

}  // namespace

Block::Block(Parameters& parameters, const BlockConfig& c, Position& position)
    : input_layernorm(parameters, c.name + ".input_layernorm.weight", c.hidden_size,
                      c.rms_norm_eps),
      self_attn(parameters,
                {.name = c.name + ".self_attn",
                 .layer = c.layer,
                 .hidden_size = c.hidden_size,
                 .heads = c.heads,
                 .kv_heads = c.kv_heads,
                 .head_dim = c.head_dim,
                 .bias = c.attention_bias,
                 .dropout = c.attention_dropout,
                 .memory_length = c.memory_length,
                 .std = c.std,
                 .residual_std = c.residual_std,
                 .precision = c.precision},
                position),
      attention_residual_dropout(c.name + ".self_attn.residual", c.residual_dropout),
      post_attention_layernorm(parameters, c.name + ".post_attention_layernorm.weight",
                               c.hidden_size, c.rms_norm_eps),
      mlp(parameters, {.name = c.name + ".mlp",
                       .hidden_size = c.hidden_size,
                       .intermediate_size = c.intermediate_size,
                       .bias = c.mlp_bias,
                       .std = c.std,
                       .residual_std = c.residual_std,
                       .precision = c.precision}),
      mlp_residual_dropout(c.name + ".mlp.residual", c.residual_dropout) {}

Block::Saved Block::plan(Plan& plan, int64_t batch, int64_t time) const {
  const int64_t columns = input_layernorm.weight->value.size();
  const int64_t keys = self_attn.config.memory_length + time;
  const auto take = [&](Arena& arena) { return arena.take({batch, time, columns}); };
  return {.input_layernorm = input_layernorm.plan(plan, batch, keys),
          .joined = keys > time ? plan.saved.take({batch, keys, columns}) : Tensor{},
          .remembered = 0,
          .attention_in = plan.saved.take({batch, keys, columns}),
          .self_attn = self_attn.plan(plan, batch, time),
          .middle = take(plan.saved),
          .post_attention_layernorm = post_attention_layernorm.plan(plan, batch, time),
          .mlp_in = take(plan.saved),
          .mlp = mlp.plan(plan, batch, time),
          .dnorm = plan.scratch.take({batch, keys, columns}),
          .dbranch = mlp_residual_dropout.rate > 0 ? take(plan.scratch) : Tensor{}};
}

void Block::forward(const ConstTensor& x, const Tensor& out, Saved& saved, const PassContext& pass,
                    KvCache* cache, const ConstTensor& memory) const {
  const std::initializer_list<int64_t> shape = {x.shape[0], x.shape[1], x.shape[2]};
  const Tensor middle = within(saved.middle, shape);
  const Tensor mlp_in = within(saved.mlp_in, shape);
  const int64_t time = x.shape[1], remembered = saved.remembered = memory ? memory.shape[1] : 0;
  const std::initializer_list<int64_t> key_shape = {x.shape[0], remembered + time, x.shape[2]};
  const Tensor attention_in = within(saved.attention_in, key_shape);
  ConstTensor seen = x;
  if (remembered > 0) {
    const Tensor joined = within(saved.joined, key_shape);
    copy_positions(memory, 0, joined, 0, remembered, false);
    copy_positions(x, 0, joined, remembered, time, false);
    seen = joined;
  }
  input_layernorm.forward(seen, attention_in, saved.input_layernorm);
  // Without dropout the projection's product adds the residual on its way to memory.
  const bool drops = mlp_residual_dropout.is_active(pass);
  self_attn.forward(attention_in, middle, saved.self_attn, pass, drops ? ConstTensor{} : x, cache);
  if (drops) attention_residual_dropout.forward(middle, middle, pass, x);
  post_attention_layernorm.forward(middle, mlp_in, saved.post_attention_layernorm);
  mlp.forward(mlp_in, out, saved.mlp, drops ? ConstTensor{} : middle);
  if (drops) mlp_residual_dropout.forward(out, out, pass, middle);
}

//   dmiddle = dout + norm'(mlp'(mask dout)),  dx = dmiddle + norm'(attention'(mask dmiddle))
// The gradient does not go on into the segment memory.
void Block::backward(const ConstTensor& dout, const ConstTensor& x, Saved& saved,
                     const PassContext& pass, const Tensor& dx) const {
  const std::initializer_list<int64_t> shape = {x.shape[0], x.shape[1], x.shape[2]};
  const Tensor middle = within(saved.middle, shape), dnorm = within(saved.dnorm, shape);
  const auto masked = [&](const Dropout& dropout, const ConstTensor& dsum) {
    if (!dropout.is_active(pass)) return dsum;
    const Tensor dbranch = within(saved.dbranch, shape);
    dropout.backward(dsum, pass, dbranch);
    return ConstTensor(dbranch);
  };
  mlp.backward(masked(mlp_residual_dropout, dout), within(saved.mlp_in, shape), saved.mlp, dnorm);
  post_attention_layernorm.backward(dnorm, middle, saved.post_attention_layernorm, dx, dout);
  const int64_t time = x.shape[1], remembered = saved.remembered;
  const std::initializer_list<int64_t> key_shape = {x.shape[0], remembered + time, x.shape[2]};
  const Tensor dseen = within(saved.dnorm, key_shape);
  self_attn.backward(masked(attention_residual_dropout, dx), within(saved.attention_in, key_shape),
                     saved.self_attn, pass, dseen);
  if (remembered == 0) {
    input_layernorm.backward(dseen, x, saved.input_layernorm, dx, dx);
  } else {
    input_layernorm.backward(dseen, within(saved.joined, key_shape), saved.input_layernorm, dseen);
    copy_positions(dseen, remembered, dx, 0, time, true);
  }
}

}  // namespace cria
