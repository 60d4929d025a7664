// The output head and its cross-entropy, in chunks of rows and blocks of the vocabulary: [B,T,V]
// logits never exist.
#pragma once

#include "cria/kernels/kernels.h"
#include "cria/nn/embedding.h"
#include "cria/nn/layer.h"
#include "cria/tensor/parameters.h"

namespace cria {

struct HeadLoss {
  Parameter* weight = nullptr;  // [V,C]; the embedding's when tied
  Precision precision = Precision::fp32;

  struct Saved {
    Tensor logits;                 // scratch, [blocks kept, chunk of rows, block of the vocabulary]
    Tensor losses;                 // [N]
    Tensor maximum, target_logit;  // scratch, [chunk]: see SoftmaxBlock
    double* total;                 // scratch, [chunk]
  };

  Saved plan(Plan& plan, int64_t batch, int64_t time) const;

  // x [N,C], targets [N] in [0, V) or kIgnoredTarget -> the sum over rows of -log p(target)
  // (natural log), of ignored ones 0; each row's own is left in saved.losses. With dx, also the
  // backward of gradient_scale times that sum:
  //   dz = gradient_scale (softmax(z) - onehot),  dx = dz W (overwritten),  dW += dz^T x
  // (no dW when the weight is frozen). z_loss (log Z)^2, Z = sum of exp(z), is added to each row's
  // loss for the backward only:
  //   dz += gradient_scale 2 z_loss log Z softmax(z)
  // Source: Chowdhery et al., PaLM, 2022, section 5.
  double forward_backward(const ConstTensor& x, const TokenIds& targets, Saved& saved,
                          float gradient_scale, const Tensor& dx, double z_loss = 0) const;
  double forward(const ConstTensor& x, const TokenIds& targets, Saved& saved) const;

  // x [N,C] -> logits [N,V], for generation.
  void logits(const ConstTensor& x, const Tensor& logits) const;
};

}  // namespace cria
