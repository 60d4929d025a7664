// Progress: numbers in short, plain lines in files, a bar that redraws itself on a terminal.
#include "cli/progress.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "support/terminal.h"

namespace cria {
namespace {

TEST(Progress, ShortCounts) {
  EXPECT_EQ(short_count(0), "0");
  EXPECT_EQ(short_count(12.4), "12");
  EXPECT_EQ(short_count(999.4), "999");
  EXPECT_EQ(short_count(999.6), "1.0k");
  EXPECT_EQ(short_count(1234), "1.2k");
  EXPECT_EQ(short_count(45.6e3), "45.6k");
  EXPECT_EQ(short_count(999.4e3), "999.4k");
  EXPECT_EQ(short_count(999.6e3), "1.0M");
  EXPECT_EQ(short_count(3.44e6), "3.4M");
  EXPECT_EQ(short_count(2.5e9), "2.5G");
}

TEST(Progress, ShortDurations) {
  EXPECT_EQ(short_duration(-1), "0s");
  EXPECT_EQ(short_duration(0.4), "0s");
  EXPECT_EQ(short_duration(45), "45s");
  EXPECT_EQ(short_duration(59.4), "59s");
  EXPECT_EQ(short_duration(59.6), "1m00s");
  EXPECT_EQ(short_duration(192), "3m12s");
  EXPECT_EQ(short_duration(3599.4), "59m59s");
  EXPECT_EQ(short_duration(3599.6), "1h00m");
  EXPECT_EQ(short_duration(2 * 3600 + 5 * 60 + 59), "2h05m");
  EXPECT_EQ(short_duration(100 * 3600), "100h00m");
}

// A file that is no terminal.
class PlainFile {
 public:
  PlainFile() : file_(std::tmpfile()) {}
  ~PlainFile() { std::fclose(file_); }
  PlainFile(const PlainFile&) = delete;
  PlainFile& operator=(const PlainFile&) = delete;

  std::FILE* get() const { return file_; }

  std::string text() const {
    std::fflush(file_);
    std::string all(static_cast<size_t>(std::ftell(file_)), '\0');
    std::rewind(file_);
    EXPECT_EQ(std::fread(all.data(), 1, all.size(), file_), all.size());
    return all;
  }

 private:
  std::FILE* file_;
};

TEST(Progress, PlainLinesElsewhere) {
  const PlainFile file;
  {
    ProgressBar bar(file.get(), "train");
    for (int i = 1; i <= 1000; ++i) bar.update(i, 1000, "loss " + std::to_string(i));
    bar.note("a note");
    bar.finish();
    bar.finish();
  }
  const std::string text = file.text();
  EXPECT_EQ(text.find('\033'), std::string::npos);
  EXPECT_EQ(text.find('\r'), std::string::npos);
  // The first at once, the others ten seconds apart; the last state is not lost, nor said twice.
  EXPECT_EQ(text, "train 1/1000  loss 1  ? left\na note\ntrain 1000/1000  loss 1000\n");
}

TEST(Progress, Bytes) {
  const PlainFile file;
  {
    ProgressBar bar(file.get(), "encoding", ProgressBar::Unit::bytes);
    bar.update(0, 2000000, "");
    bar.update(2000000, 2000000, "");
    ProgressBar unknown(file.get(), "reading", ProgressBar::Unit::bytes);
    unknown.update(300000, 0, "");
  }
  const std::string text = file.text();
  EXPECT_NE(text.find("encoding 0.0/2.0 MB  ? left\n"), std::string::npos) << text;
  EXPECT_NE(text.find("encoding 2.0/2.0 MB  "), std::string::npos) << text;
  EXPECT_NE(text.find(" MB/s\n"), std::string::npos) << text;
  EXPECT_NE(text.find("reading 0.3 MB\n"), std::string::npos) << text;
}

TEST(Progress, NothingBeforeTheFirstUpdate) {
  const PlainFile file;
  { ProgressBar bar(file.get(), "train"); }
  EXPECT_EQ(file.text(), "");
}

TEST(Progress, TheLastStateIsNotRepeated) {
  const PlainFile file;
  {
    ProgressBar bar(file.get(), "read");
    bar.update(1, 1, "");
  }
  EXPECT_EQ(file.text(), "read 1/1\n");
}

TEST(Progress, ATrainingRun) {
  const PlainFile file;
  {
    TrainingProgress progress(file.get(), 20);
    progress.stepped({.step = 1, .loss = 3.5, .learning_rate = 0.001, .tokens_per_second = 1234});
    progress.evaluating(1, 4);
    progress.evaluated(1, {.loss = 2, .perplexity = std::exp(2.0), .bits_per_byte = 1.25});
    progress.evaluated(1, {.loss = 2, .perplexity = std::exp(2.0)});
    progress.sampled(1, "some\ntext");
    progress.saved("runs/x/checkpoints/step-00000001", "00ff");
    progress.ended_early(9, {.step = 6, .loss = 1.5, .evaluations_since = 2});
    progress.stepped({.step = 2, .loss = 3.25, .learning_rate = 0.001, .tokens_per_second = 999});
    progress.finish();
  }
  const std::string text = file.text();
  for (const char* part :
       {"train 1/20  loss 3.5000  lr 0.001  1.2k tokens/s  ",
        "step 1: validation loss 2.0000, perplexity 7.39, 1.2500 bits per byte "
        "(training loss 3.5000)\n",
        "step 1: validation loss 2.0000, perplexity 7.39 (training loss 3.5000)\n",
        "step 1, sample:\nsome\ntext\n",
        "saved runs/x/checkpoints/step-00000001, fingerprint 00ff\n",
        "ended at step 9: no better validation loss in 2 evaluations; the best, 1.5000, was at "
        "step "
        "6\n",
        "train 2/20  loss 3.2500  lr 0.001  999 tokens/s  "}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << "is not in:\n" << text;
  }
}

TEST(Progress, WaitingForDataIsSaidWhenItMatters) {
  const auto shown = [](double waited) {
    const PlainFile file;
    TrainingProgress(file.get(), 20)
        .stepped({.step = 1, .tokens_per_second = 10, .data_wait = waited, .step_seconds = 2});
    return file.text();
  };
  EXPECT_NE(shown(0.24).find("  10 tokens/s  waiting for data 12%"), std::string::npos);
  EXPECT_NE(shown(0.11).find("waiting for data"), std::string::npos);
  for (const double little : {0.0, 0.01, 0.1}) {
    EXPECT_EQ(shown(little).find("waiting"), std::string::npos) << little;
  }
}

// What is left to see when every line is redrawn from its start.
std::string seen(const std::string& text) {
  std::string lines, line;
  constexpr std::string_view kErase = "\r\033[K";
  for (size_t i = 0; i < text.size(); ++i) {
    if (text.compare(i, kErase.size(), kErase) == 0) {
      line.clear();
      i += kErase.size() - 1;
    } else {
      line += text[i];
      if (text[i] == '\n') lines += std::exchange(line, "");
    }
  }
  return lines + line;
}

TEST(Progress, ABarOnATerminal) {
  for (const bool color : {true, false}) {
    Terminal terminal;
    if (!terminal.get()) GTEST_SKIP() << "no pseudo-terminal here";
    ::setenv("NO_COLOR", color ? "" : "1", 1);
    {
      ProgressBar bar(terminal.get(), "train");
      bar.update(1, 4, "loss 1");
      bar.update(2, 4, "loss 2");  // too soon to be drawn
      bar.note("a note");
      bar.update(4, 4, "loss 4");
    }
    ::unsetenv("NO_COLOR");
    const std::string text = terminal.text(), shown = seen(text);
    EXPECT_EQ(text.find("\033[36m") != std::string::npos, color);
    // The note stands above the bar; the bar's last state has the last line.
    EXPECT_TRUE(shown.starts_with("a note\ntrain ")) << shown;
    EXPECT_NE(shown.find(" 4/4  loss 4\n"), std::string::npos) << shown;
    EXPECT_EQ(std::ranges::count(shown, '\n'), 2) << shown;
  }
}

TEST(Progress, ANarrowTerminalKeepsLossAndTimeLeft) {
  const auto line = [](unsigned short columns) {
    Terminal terminal(columns);
    if (!terminal.get()) return std::string();
    {
      TrainingProgress progress(terminal.get(), 5000);
      progress.stepped(
          {.step = 1500, .loss = 4.0512, .learning_rate = 3e-4, .tokens_per_second = 62900});
    }
    return seen(terminal.text());
  };
  if (line(80).empty()) GTEST_SKIP() << "no pseudo-terminal here";
  ::setenv("NO_COLOR", "1", 1);
  EXPECT_EQ(line(100),
            "train ━━━━━━━───────────────── 1500/5000  loss 4.0512  lr 0.0003  62.9k tokens/s  "
            "? left\n");
  EXPECT_EQ(line(80),
            "train ━━━━─────────── 1500/5000  loss 4.0512  lr 0.0003  62.9k tokens/s  ? left\n");
  EXPECT_EQ(line(60), "1500/5000  loss 4.0512  lr 0.0003  62.9k tokens/s  ? left\n");
  EXPECT_EQ(line(40), "train 1500/5000  loss 4.0512  ? left\n");
  EXPECT_EQ(line(25), "━─── loss 4.0512  ? left\n");
  EXPECT_EQ(line(10), "loss 4.05\n");
  ::unsetenv("NO_COLOR");
}

}  // namespace
}  // namespace cria
