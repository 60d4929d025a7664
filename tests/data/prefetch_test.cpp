// Data read ahead on a thread: the same data, errors that reach the caller, an end at any time.
#include "data/prefetch.h"

#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <thread>
#include <vector>

#include "cria/data/shard.h"
#include "cria/kernels/kernels.h"
#include "support/allocations.h"
#include "support/errors.h"
#include "support/files.h"
#include "support/random.h"

namespace cria {
namespace {

using Ids = std::vector<int32_t>;

constexpr int64_t kLength = 8, kRows = 3, kMicroBatches = 2, kPrefetchVocabulary = 40;
constexpr int64_t kTokens = kMicroBatches * kRows * kLength;

class PrefetchTest : public ::testing::Test {
 protected:
  PrefetchTest() : dataset_(written()) {}

  Dataset written() const {
    ShardWriter writer(file(), kPrefetchVocabulary);
    writer.write(random_ids(200, kPrefetchVocabulary, "shard"));
    writer.finish();
    return Dataset(file(), ShardFormat::llmc, kPrefetchVocabulary);
  }

  std::string file() const { return directory_ / "a.bin"; }
  Batches batches() const { return Batches(dataset_, kRows, kLength, 5); }

  TemporaryDirectory directory_;
  Dataset dataset_;
};

// Window k of a part's micro-batch is window r + R k of the whole one.
TEST_F(PrefetchTest, LaysOutParts) {
  constexpr int64_t kParts = 3, kEach = 2;  // windows of a part in a micro-batch
  Batches want(dataset_, kParts * kEach, kLength, 5);
  Prefetch prefetch(want, {.micro_batches = kMicroBatches, .parts = kParts}, std::nullopt);
  prefetch.start(0);
  const StepData& got = prefetch.next();
  for (int64_t micro = 0; micro < kMicroBatches; ++micro) {
    for (int64_t k = 0; k < kEach; ++k) {
      for (int64_t part = 0; part < kParts; ++part) {
        Ids inputs(kLength), targets(kLength);
        want.next_window(inputs.data(), targets.data());
        const int64_t begin = ((part * kMicroBatches + micro) * kEach + k) * kLength;
        EXPECT_EQ(Ids(got.inputs + begin, got.inputs + begin + kLength), inputs) << begin;
        EXPECT_EQ(Ids(got.targets + begin, got.targets + begin + kLength), targets) << begin;
      }
    }
  }
}

TEST_F(PrefetchTest, GivesWhatTheBatchesGive) {
  for (const uint64_t position : {uint64_t{0}, uint64_t{17}}) {
    Batches want = batches();
    want.set_position(position);
    Prefetch prefetch(batches(), {kMicroBatches}, std::nullopt);
    prefetch.start(position);
    for (int step = 0; step < 50; ++step) {
      const StepData& got = prefetch.next();
      Ids inputs(kTokens), targets(kTokens);
      for (int64_t begin = 0; begin < kTokens; begin += kRows * kLength) {
        want.next(&inputs[static_cast<size_t>(begin)], &targets[static_cast<size_t>(begin)]);
      }
      ASSERT_EQ(Ids(got.inputs, got.inputs + kTokens), inputs) << step;
      ASSERT_EQ(Ids(got.targets, got.targets + kTokens), targets) << step;
      EXPECT_EQ(got.starts, nullptr);
      EXPECT_EQ(got.counted, kTokens);
    }
  }
}

TEST_F(PrefetchTest, MarksDocumentsWindowByWindow) {
  const DocumentMarks marks = {.bos = 7, .eos = 11};
  Prefetch plain(batches(), {kMicroBatches}, std::nullopt),
      marked(batches(), {kMicroBatches}, marks);
  plain.start(0);
  marked.start(0);
  int64_t ignored = 0;
  for (int step = 0; step < 20; ++step) {
    const StepData &want = plain.next(), &got = marked.next();
    Ids starts(kLength);
    int64_t counted = 0;
    for (int64_t begin = 0; begin < kTokens; begin += kLength) {
      counted +=
          mark_documents(want.inputs + begin, want.targets + begin, kLength, marks, starts.data());
      EXPECT_EQ(Ids(got.starts + begin, got.starts + begin + kLength), starts);
    }
    EXPECT_EQ(Ids(got.inputs, got.inputs + kTokens), Ids(want.inputs, want.inputs + kTokens));
    EXPECT_EQ(Ids(got.targets, got.targets + kTokens), Ids(want.targets, want.targets + kTokens));
    EXPECT_EQ(got.counted, counted);
    ignored += kTokens - counted;
  }
  EXPECT_GT(ignored, 0);
}

// The thread is at most one step ahead: what a step reads stays while it runs.
TEST_F(PrefetchTest, AStepsDataStaysUntilTheNext) {
  Prefetch prefetch(batches(), {kMicroBatches}, std::nullopt);
  prefetch.start(0);
  for (int step = 0; step < 10; ++step) {
    const StepData& data = prefetch.next();
    const Ids now(data.inputs, data.inputs + kTokens);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    EXPECT_EQ(Ids(data.inputs, data.inputs + kTokens), now);
  }
}

TEST_F(PrefetchTest, AllocatesNothing) {
  if (!allocations_are_counted()) GTEST_SKIP() << "malloc cannot be counted here";
  Prefetch prefetch(batches(), {kMicroBatches}, DocumentMarks{.bos = 7});
  prefetch.start(0);
  prefetch.next();  // the thread has begun
  const int64_t before = allocations();
  for (int step = 0; step < 20; ++step) prefetch.next();
  EXPECT_EQ(allocations() - before, 0);
}

// A file that changes after it was checked.
TEST_F(PrefetchTest, ErrorsReachTheCaller) {
  {
    std::fstream shard(file(), std::ios::binary | std::ios::in | std::ios::out);
    shard.seekp(1024 + 2 * 60);
    shard.write("\xFF\xFF", 2);
  }
  Prefetch prefetch(batches(), {kMicroBatches}, std::nullopt);
  prefetch.start(0);
  std::string message;
  int steps = 0;
  for (; message.empty() && steps < 20; ++steps) message = error_of([&] { prefetch.next(); });
  EXPECT_LE(steps, 5);  // 24 windows an epoch, 6 a step
  for (const std::string& part : {file(), std::string("65535")}) {
    EXPECT_NE(message.find(part), std::string::npos) << part << " is not in: " << message;
  }
  EXPECT_EQ(error_of([&] { prefetch.next(); }), message);  // for good
}

TEST_F(PrefetchTest, EndsAtAnyTime) {
  { const Prefetch never_started(batches(), {kMicroBatches}, std::nullopt); }
  for (int asked = 0; asked < 4; ++asked) {
    for (int delay = 0; delay < 3; ++delay) {
      Prefetch prefetch(batches(), {100}, std::nullopt);
      prefetch.start(0);
      for (int i = 0; i < asked; ++i) prefetch.next();
      std::this_thread::sleep_for(std::chrono::microseconds(50 * delay));
    }
  }
}

TEST_F(PrefetchTest, CountsTheTimeItHadToWaitFor) {
  // A step of a millisecond or two to read. That a moment's pause was enough, or that it was not,
  // is the machine's affair; both come up within a few tries.
  Prefetch prefetch(batches(), {500}, std::nullopt);
  prefetch.start(0);
  bool waited = false, ready = false;
  for (int i = 0; i < 200 && !(waited && ready); ++i) {
    if (i % 2 == 1) std::this_thread::sleep_for(std::chrono::milliseconds(20));
    const double seconds = prefetch.next().waited;
    EXPECT_GE(seconds, 0);
    EXPECT_LT(seconds, 60);
    (seconds > 0 ? waited : ready) = true;
  }
  EXPECT_TRUE(waited);
  EXPECT_TRUE(ready);
}

TEST_F(PrefetchTest, TooLargeForTheMachine) {
  EXPECT_NE(error_of([&] {
              Prefetch(batches(), {int64_t{1} << 50}, std::nullopt);
            }).find("out of memory"),
            std::string::npos);
}

}  // namespace
}  // namespace cria
