// The time of a training step, whole and kernel by kernel.
#pragma once

#include <string>
#include <vector>

#include "base/timing.h"
#include "cria/model/llama.h"
#include "cria/optim/adamw.h"

namespace cria {

// What a training step of a model is, besides the model.
struct StepConfig {
  int64_t batch_size, sequence_length;
  AdamWConfig optimizer;
  double max_grad_norm;
};

// One kernel at one place of the model.
struct KernelTiming {
  std::string name;     // "qkv_proj forward"
  double calls;         // per step; the head's last chunk counts as the part that it is
  Median seconds;       // of one call
  double flops;         // of one call, recomputed scores included; 0: memory alone decides
  double bytes;         // that one call must move at least: what it reads and what it leaves
  Precision precision;  // of its products
};

// Seconds of each of `steps` optimizer steps (one micro-batch of random tokens: forward, backward,
// clip, AdamW), after one that is not counted.
std::vector<double> time_steps(Llama& model, const StepConfig& config, int64_t steps);

// All kernels of such a step, except for the sums of bias gradients. Each is called again and
// again on the buffers of one layer: what fits the caches stays there, which in a step it may not.
// Seconds are of 6 to 200 calls. The model's weights are not fit for use afterwards.
std::vector<KernelTiming> time_kernels(Llama& model, const StepConfig& config);

// The three products of a linear layer for `rows` rows, `out` outputs and `in` inputs, in fp32 and
// in bf16.
std::vector<KernelTiming> time_products(int64_t rows, int64_t out, int64_t in);

}  // namespace cria
