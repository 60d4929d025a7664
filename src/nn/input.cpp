#include "cria/nn/input.h"

namespace cria {
namespace {

TokenIds document_starts(const Input::Saved& saved) {
  return saved.document_starts ? *saved.document_starts : TokenIds{};
}

}  // namespace

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
  saved.dropout = dropout.plan(plan, batch, time);
  saved.document_starts = plan.document_starts;
  return saved;
}

void Input::forward(const TokenIds& tokens, int64_t first, const Tensor& out, Saved& saved) const {
  const Tensor embedded =
      norm ? within(saved.embedded, {out.shape[0], out.shape[1], out.shape[2]}) : out;
  embed_tokens.forward(tokens, embedded, saved.embed_tokens);
  position->on_embedding(embedded, first, document_starts(saved));
  if (norm) norm->forward(embedded, out, saved.norm);
  dropout.forward(out, out, saved.dropout);
}

// The reverse of each, last first: dropout masks, norm' (see RmsNormBackward), and what is added
// passes the gradient on.
void Input::backward(const Tensor& dout, const TokenIds& tokens, Saved& saved) const {
  dropout.backward(dout, dout, saved.dropout, dout);
  if (norm) {
    const Tensor embedded = within(saved.embedded, {dout.shape[0], dout.shape[1], dout.shape[2]});
    norm->backward(dout, embedded, saved.norm, dout);
  }
  position->on_embedding_backward(dout, 0, document_starts(saved));
  embed_tokens.backward(dout, tokens, saved.embed_tokens);
}

}  // namespace cria
