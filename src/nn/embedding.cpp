#include "cria/nn/embedding.h"

#include "cria/kernels/kernels.h"

namespace cria {

Embedding::Embedding(Parameters& parameters, const std::string& name, int64_t num_embeddings,
                     int64_t embedding_dim, int64_t padding, double std)
    : padding_idx(padding) {
  weight = &parameters.add({name, {num_embeddings, embedding_dim}}, ParameterKind::embedding,
                           {.std = std, .zero_row = padding});
}

void Embedding::forward(const TokenIds& ids, const Tensor& out) const {
  const int64_t vocabulary = weight->value.shape[0], columns = weight->value.shape[1];
  require_shape(out, {ids.shape[0], ids.shape[1], columns}, "embedding");
  for (int64_t n = 0; n < ids.size(); ++n) {
    if (ids.data[n] < 0 || ids.data[n] >= vocabulary) {
      throw Error("token id out of range",
                  {.where = "embedding, batch " + std::to_string(n / ids.shape[1]) + ", position " +
                            std::to_string(n % ids.shape[1]),
                   .expected = "0 to " + std::to_string(vocabulary - 1),
                   .got = std::to_string(ids.data[n]),
                   .hint = "the data's tokenizer and the model's vocab_size do not belong "
                           "together"});
    }
  }
  kernels().embedding_gather(ids.size(), columns, ids.data, weight->value.data, out.data);
}

void Embedding::backward(const ConstTensor& dout, const TokenIds& ids) const {
  kernels().embedding_scatter_add(ids.size(), weight->value.shape[1], ids.data, padding_idx,
                                  dout.data, weight->grad.data);
}

}  // namespace cria
