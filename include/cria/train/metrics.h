// metrics.jsonl: one line of JSON per training step and per evaluation, whose values are numbers.
// Keys are only ever added. metrics.csv: the same as a table.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "cria/base/json.h"
#include "cria/inference/evaluate.h"

namespace cria {

struct StepMetrics {
  int64_t step = 0;    // optimizer steps done
  int64_t tokens = 0;  // trained on since the beginning
  double loss = 0;     // mean over the step's targets, before its update
  double learning_rate = 0;
  double grad_norm = 0;  // before clipping
  double tokens_per_second = 0;
  double gflops = 0;     // 10^9 floating-point operations per second, see training_flops_per_token
  double mfu = 0;        // of the peak: model FLOP/s utilization, see peak_flops
  double seconds = 0;    // training time since the beginning, resumed parts included
  double data_wait = 0;  // seconds of this step spent waiting for its data
  double cpu_seconds = 0;   // processor time of this step, of all threads: other work adds none
  bool skipped = false;     // it was not finite, and changed no weight
  double step_seconds = 0;  // of this step; not in metrics.jsonl
};

Json to_json(const StepMetrics& metrics);
Json to_json(const Evaluation& evaluation, int64_t step);

// Calls body for each whole line of a metrics.jsonl; a crash may have cut the last short.
// Lines that are no JSON are passed over.
void read_metrics(const std::string& path, const std::function<void(const Json& line)>& body);

// The training losses of a run's steps, in their order; none without the file.
std::vector<double> read_losses(const std::string& run);

// The two files of a run's directory. metrics.csv has a column for each key, in the order in which
// metrics.jsonl first has them, and a row for each of its lines, empty where a line has none. A key
// that comes later, such as an evaluation's, makes the file anew.
class MetricsLog {
 public:
  // Lines of steps after `step` are dropped: a resumed run writes them again.
  MetricsLog(const std::string& run, int64_t step);
  void write(const Json& line);
  // Lines there that were no JSON, and were dropped as well.
  int64_t damaged() const { return damaged_; }

 private:
  bool add_columns(const Json& line);  // whether there were new ones
  std::string row(const Json& line) const;
  void write_csv() const;

  std::string lines_path_, csv_path_;
  int64_t damaged_ = 0;
  std::vector<std::string> columns_;
};

}  // namespace cria
