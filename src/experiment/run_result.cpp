#include "experiment/run_result.h"

#include <cmath>

#include "base/timing.h"
#include "cria/base/file.h"
#include "cria/exchange/load_model.h"
#include "cria/train/metrics.h"

namespace cria {
namespace {

std::string metrics_path(const PlannedRun& run) {
  return join_path(run.config.train.output_dir, "metrics.jsonl");
}

}  // namespace

const char* status_name(RunStatus status) {
  constexpr const char* kNames[] = {"pending", "finished", "diverged"};
  return kNames[static_cast<size_t>(status)];
}

RunResult read_run_result(const PlannedRun& run) {
  RunResult result;
  const std::string path = metrics_path(run);
  if (!exists(path)) return result;
  std::vector<double> losses, costs;  // costs: of each step
  bool finite = true;
  int64_t ended = 0;  // before train.steps
  read_metrics(path, [&](const Json& line) {
    const auto number = [&](const char* key) { return line.at(key, path).as_double(path); };
    if (line.find("not_finite")) finite = false;
    if (line.find("ended_early")) ended = line.count_at("step", path);
    if (line.find("skipped")) {
      result.steps = line.count_at("step", path);
      result.tokens = line.count_at("tokens", path);
    }
    if (line.find("loss")) {
      losses.push_back(number("loss"));
      if (line.find("cpu_seconds")) costs.push_back(number("cpu_seconds"));
      result.steps = line.count_at("step", path);
      result.tokens = line.count_at("tokens", path);
      result.seconds = number("seconds");
    } else if (line.find("val_loss")) {
      const Json* const loss = line.find("val_loss");
      result.val_loss = loss->is_null() ? INFINITY : loss->as_double(path);
      result.evaluations.push_back(
          {result.steps, static_cast<double>(result.tokens), result.val_loss});
    }
  });
  if (losses.empty() && finite) return result;
  if (!losses.empty()) {
    result.train_loss = mean_of_end(losses);
    if (!costs.empty()) {
      result.tokens_per_cpu_second =
          static_cast<double>(result.tokens) / static_cast<double>(result.steps) / median(costs);
    }
  }
  const bool over = result.steps == run.config.train.steps || result.steps == ended;
  const bool complete = over && !result.evaluations.empty() &&
                        result.evaluations.back().step == result.steps &&
                        exists(checkpoint_path(run.config.train.output_dir, result.steps));
  // An untrained model is at about ln V.
  const double guess = std::log(static_cast<double>(run.model.vocab_size));
  if (!finite || (complete && !(result.val_loss <= 1.1 * guess))) {
    result.status = RunStatus::diverged;
  } else if (complete) {
    result.status = RunStatus::finished;
  }
  return result;
}

int64_t steps_done(const PlannedRun& run) {
  const std::string path = metrics_path(run);
  if (!exists(path)) return 0;
  // The last line that is whole, among the last few: an evaluation's has a step too.
  const MappedFile file(path);
  const std::string_view text = file.bytes();
  const size_t end = text.rfind('\n');
  if (end == text.npos) return 0;
  const size_t before = end == 0 ? text.npos : text.rfind('\n', end - 1);
  const size_t begin = before == text.npos ? 0 : before + 1;
  return Json::parse(text.substr(begin, end - begin), path).count_at("step", path);
}

double loss_at_tokens(const RunResult& result, double tokens) {
  const std::vector<Evaluated>& all = result.evaluations;
  size_t next = 0;
  while (next < all.size() && all[next].tokens < tokens) ++next;
  if (next == 0) return all.front().loss;
  if (next == all.size()) return all.back().loss;
  const Evaluated &before = all[next - 1], &after = all[next];
  const double share = (tokens - before.tokens) / (after.tokens - before.tokens);
  return before.loss + share * (after.loss - before.loss);
}

}  // namespace cria
