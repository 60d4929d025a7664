// Progress of long work: a bar that redraws itself on a terminal, plain lines now and then
// elsewhere.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "cria/train/trainer.h"

namespace cria {

// "1.2k", "3.4M"; "45s", "3m12s", "2h05m"
std::string short_count(double value);
std::string short_duration(double seconds);

class ProgressBar {
 public:
  enum class Unit { count, bytes };

  ProgressBar(std::FILE* out, std::string label, Unit unit = Unit::count);
  ~ProgressBar() { finish(); }

  // details stand behind the bar, those that matter most first, with two spaces between them:
  // "loss 1.23  4.5k tokens/s"; of bytes there is the rate before.
  // total 0: not known.
  void update(int64_t done, int64_t total, const std::string& details);

  // Leaves the last state on its own line; nothing is shown afterwards.
  void finish();

  // A line of its own above the bar.
  void note(const std::string& line);

 private:
  using Clock = std::chrono::steady_clock;

  void draw();
  // On a narrow terminal the bar gets shorter first. Then go the label, the details from the last
  // to the second, and the counts; the first detail and the time left stay.
  void draw_on_terminal(std::vector<std::string> figures, double fraction);
  void erase();
  std::string counts() const;

  std::FILE* out_;
  std::string label_, details_;
  Unit unit_;
  int64_t total_ = 0;
  int64_t first_ = -1, done_ = 0;  // first_: at the first update; a resumed run starts late
  bool terminal_, color_;
  bool drawn_ = false;  // something is on the terminal's last line
  bool stale_ = false;  // an update has not been shown
  Clock::time_point start_, shown_;
};

// Shows a training run.
class TrainingProgress : public TrainingObserver {
 public:
  TrainingProgress(std::FILE* out, int64_t steps) : bar_(out, "train"), steps_(steps) {}

  void stepped(const StepMetrics& metrics) override;
  void evaluating(int64_t done, int64_t windows) override;
  void evaluated(int64_t step, const Evaluation& evaluation) override;
  void sampled(int64_t step, const std::string& text) override;
  void warned(const std::string& line) override { bar_.note("warning: " + line); }
  void saved(const std::string& checkpoint, const std::string& fingerprint) override {
    bar_.note("saved " + checkpoint + ", fingerprint " + fingerprint);
  }
  void ended_early(int64_t step, const TrainingState::Best& best) override;

  void finish() { bar_.finish(); }

 private:
  void show(const std::string& details) { bar_.update(last_.step, steps_, details); }

  ProgressBar bar_;
  int64_t steps_;
  std::string training_;  // the last step's figures
  StepMetrics last_;
};

}  // namespace cria
