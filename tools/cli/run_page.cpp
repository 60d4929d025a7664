#include "cli/run_page.h"

#include "cria/base/error.h"
#include "cria/base/file.h"
#include "report/report.h"

namespace cria {

bool is_within_share(double spent, double next, double elapsed) {
  constexpr double kShare = 0.01;
  return spent + next <= kShare * elapsed;
}

void PagedProgress::evaluated(int64_t step, const Evaluation& evaluation) {
  TrainingProgress::evaluated(step, evaluation);
  const std::chrono::duration<double> elapsed = Clock::now() - start_;
  if (spent_ == 0 || is_within_share(spent_, last_, elapsed.count())) write_page();
}

void PagedProgress::write_page() {
  if (run_.empty()) return;
  const Clock::time_point begin = Clock::now();
  try {
    write_file(join_path(run_, kReportFile), make_report({run_}));
  } catch (const Error& error) {
    warned(std::string("no page of the run: ") + error.what());
  }
  last_ = std::chrono::duration<double>(Clock::now() - begin).count();
  spent_ += last_;
}

}  // namespace cria
