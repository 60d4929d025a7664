#include "train/diagnostics.h"

#include <algorithm>
#include <chrono>
#include <ctime>

#include "inspect/dataset_statistics.h"
#include "train/part_norms.h"

namespace cria {
namespace {

// Adds the time and the processor time of its life.
class Stopwatch {
 public:
  Stopwatch(double& seconds, double& cpu_seconds) : seconds_(&seconds), cpu_(&cpu_seconds) {}
  ~Stopwatch() {
    *seconds_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
    *cpu_ += static_cast<double>(std::clock() - cpu_start_) / CLOCKS_PER_SEC;
  }
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;

 private:
  double *seconds_, *cpu_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  std::clock_t cpu_start_ = std::clock();
};

}  // namespace

std::vector<int64_t> count_tokens(std::span<const std::unique_ptr<Dataset>> training,
                                  int64_t vocabulary) {
  std::vector<int64_t> counts(static_cast<size_t>(vocabulary));
  for (const std::unique_ptr<Dataset>& dataset : training) {
    const ShardStatistics statistics = scan_shards(dataset->shards(), {.vocab_size = vocabulary});
    for (size_t id = 0; id < statistics.counts.size(); ++id) counts[id] += statistics.counts[id];
  }
  return counts;
}

bool is_diagnosed(int64_t step, const LogConfig& log, int64_t steps) {
  if (log.diagnostics == 0) return false;
  if (step == 1 || step == steps) return true;
  if (log.diagnostics != LogConfig::kLogarithmic) return step % log.diagnostics == 0;
  while (step % 10 == 0) step /= 10;
  return step == 1 || step == 2 || step == 5;
}

TrainingDiagnostics::TrainingDiagnostics(const RunConfig& config, const Llama& model,
                                         std::span<const std::unique_ptr<Dataset>> training,
                                         std::span<const double> losses)
    : log_(config.log),
      steps_(config.train.steps),
      model_(&model),
      deciles_(count_tokens(training, model.config().vocab_size)),
      gradient_(model),
      looked_up_(static_cast<size_t>(model.config().vocab_size)) {
  for (const double loss : losses) spikes_.add(loss);
}

void TrainingDiagnostics::set_model(const Llama& model) {
  model_ = &model;
  gradient_ = TableGradientParts(model);
}

void TrainingDiagnostics::see(std::span<const int32_t> inputs) {
  seconds_ = cpu_seconds_ = 0;
  for (const int32_t id : inputs) looked_up_[static_cast<size_t>(id)] = 1;
}

void TrainingDiagnostics::after_backward(const Activations& memory, const TokenIds& tokens) {
  const Stopwatch watch(seconds_, cpu_seconds_);
  gradient_.add(memory, tokens);
}

void TrainingDiagnostics::before_update(const Activations& memory, const TokenIds& tokens,
                                        const TokenIds& document_starts, double loss) {
  const Stopwatch watch(seconds_, cpu_seconds_);
  const Parameters& parameters = model_->parameters();
  weight_squares_ = slot_squares(parameters, parameters.value());
  gradient_squares_ = slot_squares(parameters, parameters.grad());
  numbers_ =
      numbers_of(diagnose(*model_, memory, tokens, document_starts, deciles_, gradient_, loss));
  // The head's gradient is dense: tied, it reaches every row.
  const Parameter& table = *model_->embed_tokens().weight;
  const auto rows = table.frozen ? std::ssize(looked_up_)
                    : model_->config().tie_word_embeddings
                        ? 0
                        : std::ranges::count(looked_up_, uint8_t{0});
  append(numbers_, "diag_embedding/rows_never_updated", static_cast<double>(rows));
}

void TrainingDiagnostics::after_update(std::span<const double> change_squares) {
  const Stopwatch watch(seconds_, cpu_seconds_);
  for (const PartNorms& part :
       part_norms(model_->parameters(), weight_squares_, gradient_squares_, change_squares)) {
    append(numbers_, "diag_weight_norm/" + part.part, part.weight);
    append(numbers_, "diag_gradient_norm/" + part.part, part.gradient);
    append(numbers_, "diag_update_norm/" + part.part, part.update);
    append(numbers_, "diag_update_ratio/" + part.part, part.update / part.weight);
  }
}

Json TrainingDiagnostics::line(int64_t step) const {
  Json json;
  json.set("step", step);
  for (const auto& [name, value] : numbers_) json.set(name, value);
  for (const auto& [name, value] : numbers_of(spikes_)) json.set(name, value);
  json.set("diag_seconds", seconds_);
  return json;
}

}  // namespace cria
