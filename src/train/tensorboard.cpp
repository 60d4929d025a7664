#include "train/tensorboard.h"

#include <array>
#include <chrono>

namespace cria {
namespace {

struct Tag {
  const char *key, *tag;
};

// What is plotted of a line of metrics.jsonl. TensorBoard groups by what stands before the slash.
constexpr std::array kTags = {
    Tag{"loss", "loss/train"},
    Tag{"val_loss", "loss/val"},
    Tag{"val_perplexity", "perplexity/val"},
    Tag{"val_bits_per_byte", "bits_per_byte/val"},
    Tag{"lr", "lr"},
    Tag{"grad_norm", "grad_norm"},
    Tag{"tokens_per_s", "throughput/tokens_per_s"},
    Tag{"gflops", "throughput/gflops"},
    Tag{"mfu", "throughput/mfu"},
    Tag{"data_wait", "throughput/data_wait"},
    Tag{"cpu_seconds", "throughput/cpu_seconds"},
};

double now() {
  const auto time = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration<double>(time).count();
}

}  // namespace

TensorBoardLog::TensorBoardLog(const std::string& run, int64_t step) : events_(run, step, now()) {}

void TensorBoardLog::scalars(const Json& line) {
  std::vector<EventScalar> scalars;
  for (const auto& [key, tag] : kTags) {
    const Json* value = line.find(key);
    if (value) scalars.push_back({tag, static_cast<float>(value->as_double(key))});
  }
  // What is diagnosed has its group before a slash in its name already.
  for (const auto& [key, value] : line.as_object("line")) {
    if (!key.starts_with("diag_")) continue;
    scalars.push_back({key, static_cast<float>(value.as_double(key))});
  }
  events_.scalars(line.find("step")->as_int("step"), now(), scalars);
}

void TensorBoardLog::norms(int64_t step, std::span<const PartNorms> parts) {
  std::vector<EventScalar> scalars;
  for (const PartNorms& part : parts) {
    scalars.push_back({"weight_norm/" + part.part, static_cast<float>(part.weight)});
    scalars.push_back({"update_norm/" + part.part, static_cast<float>(part.update)});
  }
  events_.scalars(step, now(), scalars);
}

void TensorBoardLog::sample(int64_t step, const std::string& text) {
  events_.text(step, now(), "sample", markdown_verbatim(text));
}

}  // namespace cria
