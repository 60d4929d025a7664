#include "cli/progress.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>
#include <utility>

#include "base/unicode.h"
#include "cli/terminal.h"

namespace cria {
namespace {

constexpr auto kRedraw = std::chrono::milliseconds(100);
constexpr double kWaitingShown = 0.05;  // of a step: less is no reason to look at the disk
constexpr auto kPlainLine = std::chrono::seconds(10);
constexpr std::string_view kGap = "  ";  // between the figures of a line

template <class... Values>
std::string format(const char* pattern, Values... values) {
  std::array<char, 160> text;
  std::snprintf(text.data(), text.size(), pattern, values...);
  return text.data();
}

double seconds(std::chrono::steady_clock::duration duration) {
  return std::chrono::duration<double>(duration).count();
}

}  // namespace

std::string short_count(double value) {
  if (value < 999.5) return format("%.0f", value);
  if (value < 999.5e3) return format("%.1fk", value * 1e-3);
  if (value < 999.5e6) return format("%.1fM", value * 1e-6);
  return format("%.1fG", value * 1e-9);
}

std::string short_duration(double seconds) {
  const long whole = std::lround(std::max(0.0, seconds));
  if (whole < 60) return format("%lds", whole);
  if (whole < 3600) return format("%ldm%02lds", whole / 60, whole % 60);
  return format("%ldh%02ldm", whole / 3600, whole / 60 % 60);
}

ProgressBar::ProgressBar(std::FILE* out, std::string label, Unit unit)
    : out_(out), label_(std::move(label)), unit_(unit) {
  terminal_ = is_terminal(out);
  color_ = takes_colors(out);
  shown_ = Clock::now() - kPlainLine;
}

void ProgressBar::finish() {
  if (first_ < 0) return;
  if (terminal_ || stale_) draw();
  if (terminal_) std::fputc('\n', out_);
  first_ = -1;
}

void ProgressBar::erase() {
  if (terminal_ && drawn_) std::fputs("\r\033[K", out_);
}

// "3/10", "0.3/1.0 MB", of an unknown whole "3", "0.3 MB".
std::string ProgressBar::counts() const {
  if (unit_ == Unit::bytes) {
    const std::string done = format("%.1f", static_cast<double>(done_) * 1e-6);
    return total_ > 0 ? done + format("/%.1f MB", static_cast<double>(total_) * 1e-6)
                      : done + " MB";
  }
  const std::string done = std::to_string(done_);
  return total_ > 0 ? done + "/" + std::to_string(total_) : done;
}

void ProgressBar::draw() {
  const double fraction =
      total_ > 0 ? std::min(1.0, static_cast<double>(done_) / static_cast<double>(total_)) : 0.0;
  const double rate =
      static_cast<double>(done_ - first_) / std::max(1e-9, seconds(Clock::now() - start_));
  std::vector<std::string> figures = {counts()};
  if (unit_ == Unit::bytes && rate > 0) figures.push_back(format("%.1f MB/s", rate * 1e-6));
  for (size_t begin = 0, end; begin < details_.size(); begin = end + kGap.size()) {
    end = std::min(details_.find(kGap, begin), details_.size());
    figures.push_back(details_.substr(begin, end - begin));
  }
  if (done_ < total_) {
    figures.push_back(
        (rate > 0 ? short_duration(static_cast<double>(total_ - done_) / rate) : "?") + " left");
  }
  if (terminal_) {
    draw_on_terminal(std::move(figures), fraction);
  } else {
    std::fprintf(out_, "%s %s\n", label_.c_str(), joined(figures, kGap).c_str());
  }
  std::fflush(out_);
  stale_ = false;
  drawn_ = true;
  shown_ = Clock::now();
}

void ProgressBar::draw_on_terminal(std::vector<std::string> figures, double fraction) {
  // The last column stays free: some terminals begin a new line after it.
  const size_t room = terminal_width(out_) - 1;
  const size_t kept = done_ < total_ ? 3 : 2;  // the counts, the first detail and the time left
  while (figures.size() > kept && joined(figures, kGap).size() > room) {
    figures.erase(figures.end() - (done_ < total_ ? 2 : 1));
  }
  if (figures.size() > 1 && joined(figures, kGap).size() > room) figures.erase(figures.begin());
  const std::string text = joined(figures, kGap).substr(0, room);
  size_t free = room - text.size();
  const std::string label = label_.size() < free ? label_ + " " : "";
  free -= label.size();
  constexpr size_t kMostCells = 24, kLeastCells = 4;
  const size_t cells = free > kLeastCells ? std::min(kMostCells, free - 1) : 0;
  std::string bar;
  for (size_t i = 0; i < cells; ++i) {
    bar += static_cast<double>(i + 1) <= fraction * static_cast<double>(cells) ? "━" : "─";
  }
  if (cells > 0) bar = (color_ ? "\033[36m" : "") + bar + (color_ ? "\033[0m " : " ");
  std::fprintf(out_, "\r\033[K%s%s%s", label.c_str(), bar.c_str(), text.c_str());
}

void ProgressBar::update(int64_t done, int64_t total, const std::string& details) {
  const Clock::time_point now = Clock::now();
  if (first_ < 0) {
    first_ = done;
    start_ = now;
  }
  done_ = done;
  total_ = total;
  details_ = details;
  stale_ = true;
  if (now - shown_ >= (terminal_ ? Clock::duration(kRedraw) : Clock::duration(kPlainLine))) draw();
}

void ProgressBar::note(const std::string& line) {
  erase();
  std::fprintf(out_, "%s\n", shown(out_, line).c_str());
  std::fflush(out_);
  if (terminal_ && first_ >= 0) draw();
}

void TrainingProgress::stepped(const StepMetrics& m) {
  last_ = m;
  training_ = format("loss %.4f  lr %.2g  %s tokens/s", m.loss, m.learning_rate,
                     short_count(m.tokens_per_second).c_str());
  const double waiting = m.step_seconds > 0 ? m.data_wait / m.step_seconds : 0;
  if (waiting > kWaitingShown) training_ += format("  waiting for data %.0f%%", 100 * waiting);
  show(training_);
}

void TrainingProgress::evaluating(int64_t done, int64_t windows) {
  show(format("validating %lld/%lld", static_cast<long long>(done),
              static_cast<long long>(windows)));
}

void TrainingProgress::evaluated(int64_t step, const Evaluation& e) {
  std::string line = format("step %lld: validation loss %.4f, perplexity %.2f",
                            static_cast<long long>(step), e.loss, e.perplexity);
  if (!std::isnan(e.bits_per_byte)) line += format(", %.4f bits per byte", e.bits_per_byte);
  bar_.note(line + " (training loss " + format("%.4f", last_.loss) + ")");
  show(training_);
}

void TrainingProgress::sampled(int64_t step, const std::string& text) {
  bar_.note(format("step %lld, sample:\n", static_cast<long long>(step)) + text);
}

void TrainingProgress::ended_early(int64_t step, const TrainingState::Best& best) {
  bar_.note(
      format("ended at step %lld: no better validation loss in %lld evaluations; the best, "
             "%.4f, was at step %lld",
             static_cast<long long>(step), static_cast<long long>(best.evaluations_since),
             best.loss, static_cast<long long>(best.step)));
}

}  // namespace cria
