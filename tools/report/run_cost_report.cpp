#include "report/run_cost_report.h"

#include <cstdio>
#include <string>

#include "cli/progress.h"

namespace cria {
namespace {

double megabytes(auto bytes) {
  return static_cast<double>(bytes) * 1e-6;
}

}  // namespace

Json to_json(const RunCost& cost) {
  return Json::Object{{"parameters", cost.parameters},
                      {"without_embedding", cost.without_embedding},
                      {"trained", cost.trained},
                      {"memory_bytes", cost.memory_bytes()},
                      {"available_bytes", cost.available_bytes},
                      {"steps", cost.steps},
                      {"tokens", cost.tokens},
                      {"epochs", cost.epochs},
                      {"flops", cost.flops},
                      {"peak_flops", cost.peak},
                      {"seconds", cost.seconds},
                      {"checkpoint_bytes", cost.checkpoint_bytes},
                      {"disk_bytes", cost.disk_bytes},
                      {"free_disk_bytes", cost.free_disk_bytes},
                      {"output_dir", cost.output_dir}};
}

void print(const RunCost& cost) {
  const auto number = [](int64_t value) { return std::to_string(value); };
  std::printf("parameters  %s, %s without embedding", number(cost.parameters).c_str(),
              number(cost.without_embedding).c_str());
  if (cost.trained < cost.parameters) std::printf(", %s trained", number(cost.trained).c_str());
  std::printf(
      "\nmemory      %.1f MB: %.1f for weights, gradients and moments, %.1f for a pass; there "
      "are %.0f MB\n",
      megabytes(cost.memory_bytes()), megabytes(cost.state_bytes), megabytes(cost.activation_bytes),
      megabytes(cost.available_bytes));
  std::printf("work        %s steps, %s tokens, %.3g epochs, %.3g FLOPs with evaluations\n",
              number(cost.steps).c_str(), number(cost.tokens).c_str(), cost.epochs, cost.flops);
  std::printf("time        about %s, at half of the %.0f GFLOP/s that this machine has at most\n",
              short_duration(cost.seconds).c_str(), cost.peak * 1e-9);
  std::printf("disk        %.1f MB in %s, %.1f a checkpoint; %.0f MB are free\n",
              megabytes(cost.disk_bytes), cost.output_dir.c_str(), megabytes(cost.checkpoint_bytes),
              megabytes(cost.free_disk_bytes));
  if (static_cast<double>(cost.memory_bytes()) > cost.available_bytes) {
    std::printf("more memory than there is: make the batch, the sequence or the model smaller\n");
  }
  if (static_cast<double>(cost.disk_bytes) > cost.free_disk_bytes) {
    std::printf("more than is free on the disk: make train.keep_checkpoints smaller\n");
  }
}

}  // namespace cria
