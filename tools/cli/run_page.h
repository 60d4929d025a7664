// The page of a run while it runs, with log.report: report.html in its directory.
#pragma once

#include <chrono>
#include <string>

#include "cli/progress.h"

namespace cria {

// Whether what takes `next` seconds may be done after so many of all `elapsed` went the same way.
bool is_within_share(double spent, double next, double elapsed);

// Shows a training run, and writes its page at every evaluation, but that this never takes more
// than 1% of the time: then the next evaluation's page is the next. A page that cannot be written
// is a warning; the run goes on.
class PagedProgress : public TrainingProgress {
 public:
  // run: its directory; "": no pages.
  PagedProgress(std::FILE* out, int64_t steps, std::string run)
      : TrainingProgress(out, steps), run_(std::move(run)) {}

  void evaluated(int64_t step, const Evaluation& evaluation) override;
  void write_page();

 private:
  using Clock = std::chrono::steady_clock;

  std::string run_;
  Clock::time_point start_ = Clock::now();
  double spent_ = 0, last_ = 0;  // seconds: of all pages, and of the last
};

}  // namespace cria
