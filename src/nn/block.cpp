#include "cria/nn/block.h"

namespace cria {

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
                 .std = c.std,
                 .residual_std = c.residual_std,
                 .precision = c.precision},
                position),
      attention_dropout(c.name + ".self_attn.residual", c.residual_dropout),
      post_attention_layernorm(parameters, c.name + ".post_attention_layernorm.weight",
                               c.hidden_size, c.rms_norm_eps),
      mlp(parameters, {.name = c.name + ".mlp",
                       .hidden_size = c.hidden_size,
                       .intermediate_size = c.intermediate_size,
                       .bias = c.mlp_bias,
                       .std = c.std,
                       .residual_std = c.residual_std,
                       .precision = c.precision}),
      mlp_dropout(c.name + ".mlp.residual", c.residual_dropout) {}

Block::Saved Block::plan(Plan& plan, int64_t batch, int64_t time) const {
  const int64_t columns = input_layernorm.weight->value.size();
  const auto take = [&](Arena& arena) { return arena.take({batch, time, columns}); };
  return {.input_layernorm = input_layernorm.plan(plan, batch, time),
          .attention_in = take(plan.saved),
          .self_attn = self_attn.plan(plan, batch, time),
          .attention_dropout = attention_dropout.plan(plan, batch, time),
          .middle = take(plan.saved),
          .post_attention_layernorm = post_attention_layernorm.plan(plan, batch, time),
          .mlp_in = take(plan.saved),
          .mlp = mlp.plan(plan, batch, time),
          .mlp_dropout = mlp_dropout.plan(plan, batch, time),
          .dnorm = take(plan.scratch),
          .dbranch = mlp_dropout.rate > 0 ? take(plan.scratch) : Tensor{}};
}

void Block::forward(const ConstTensor& x, const Tensor& out, Saved& saved, KvCache* cache) const {
  const std::initializer_list<int64_t> shape = {x.shape[0], x.shape[1], x.shape[2]};
  const Tensor attention_in = within(saved.attention_in, shape);
  const Tensor middle = within(saved.middle, shape);
  const Tensor mlp_in = within(saved.mlp_in, shape);
  input_layernorm.forward(x, attention_in, saved.input_layernorm);
  // Without dropout the projection's product adds the residual on its way to memory.
  const bool drops = mlp_dropout.is_active(saved.mlp_dropout);
  self_attn.forward(attention_in, middle, saved.self_attn, drops ? ConstTensor{} : x, cache);
  if (drops) attention_dropout.forward(middle, middle, saved.attention_dropout, x);
  post_attention_layernorm.forward(middle, mlp_in, saved.post_attention_layernorm);
  mlp.forward(mlp_in, out, saved.mlp, drops ? ConstTensor{} : middle);
  if (drops) mlp_dropout.forward(out, out, saved.mlp_dropout, middle);
}

//   dmiddle = dout + norm'(mlp'(mask dout)),  dx = dmiddle + norm'(attention'(mask dmiddle))
void Block::backward(const ConstTensor& dout, const ConstTensor& x, Saved& saved,
                     const Tensor& dx) const {
  const std::initializer_list<int64_t> shape = {x.shape[0], x.shape[1], x.shape[2]};
  const Tensor middle = within(saved.middle, shape), dnorm = within(saved.dnorm, shape);
  const auto masked = [&](const Dropout& dropout, Dropout::Saved& mask, const ConstTensor& dsum) {
    if (!dropout.is_active(mask)) return dsum;
    const Tensor dbranch = within(saved.dbranch, shape);
    dropout.backward(dsum, dsum, mask, dbranch);
    return ConstTensor(dbranch);
  };
  mlp.backward(masked(mlp_dropout, saved.mlp_dropout, dout), within(saved.mlp_in, shape), saved.mlp,
               dnorm);
  post_attention_layernorm.backward(dnorm, middle, saved.post_attention_layernorm, dx, dout);
  self_attn.backward(masked(attention_dropout, saved.attention_dropout, dx),
                     within(saved.attention_in, shape), saved.self_attn, dnorm);
  input_layernorm.backward(dnorm, x, saved.input_layernorm, dx, dx);
}

}  // namespace cria
