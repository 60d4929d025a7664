#include "cria/nn/input.h"

namespace cria {

Input::Input(Parameters& parameters, const InputConfig& c, const Embedding& table,
             const Position& encoding)
    : embed_tokens(table), position(&encoding), dropout("model.embed_tokens", c.dropout) {
  if (c.norm) {
    norm.emplace(parameters, "model.embed_norm.weight", table.weight->value.shape[1],
                 c.rms_norm_eps);
  }
}

Input::Saved Input::plan(Plan& plan, int64_t batch, int64_t time) const {
  Saved saved;
  saved.embed_tokens = embed_tokens.plan(plan, batch, time);
  if (norm) {
    saved.embedded = plan.saved.take({batch, time, embed_tokens.weight->value.shape[1]});
    saved.norm = norm->plan(plan, batch, time);
  }
  return saved;
}

void Input::forward(const TokenIds& tokens, int64_t first, const Tensor& out, Saved& saved,
                    const PassContext& pass) const {
  const Tensor embedded =
      norm ? within(saved.embedded, {out.shape[0], out.shape[1], out.shape[2]}) : out;
  embed_tokens.forward(tokens, embedded, saved.embed_tokens);
  position->on_embedding(embedded, first, pass.document_starts);
  if (norm) norm->forward(embedded, out, saved.norm);
  dropout.forward(out, out, pass);
}

// The reverse of each, last first: dropout masks, norm' (see RmsNormBackward), and what is added
// passes the gradient on.
void Input::backward(const Tensor& dout, const TokenIds& tokens, Saved& saved,
                     const PassContext& pass) const {
  dropout.backward(dout, pass, dout);
  if (norm) {
    const Tensor embedded = within(saved.embedded, {dout.shape[0], dout.shape[1], dout.shape[2]});
    norm->backward(dout, embedded, saved.norm, dout);
  }
  position->on_embedding_backward(dout, 0, pass.document_starts);
  embed_tokens.backward(dout, tokens, saved.embed_tokens);
}

}  // namespace cria
