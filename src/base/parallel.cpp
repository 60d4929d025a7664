#include "cria/base/parallel.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <mutex>
#include <thread>
#include <utility>

#include "base/processors.h"

#ifdef _OPENMP
#include <omp.h>
#endif
#ifdef __SSE__
#include <immintrin.h>
#endif

namespace cria {
namespace {

constexpr int kMostThreads = 4096;
constexpr int64_t kRangesEach = 8;  // that a thread's share is cut into: what others may take over

// How long a thread that waits watches for what it waits for before it sleeps. While a step runs, a
// loop follows the one before within microseconds, and a thread that has slept takes 50 of them to
// wake. On a busy machine it takes until the next tick of the scheduler, milliseconds later, so
// that a little patience pays there too; but whoever needs the core waits no longer than this.
constexpr std::chrono::microseconds kWatch{300};

inline void pause_briefly() {
#ifdef __SSE__
  _mm_pause();
#elif defined(__aarch64__)
  __asm__ volatile("isb");                               // `yield` takes no time on most machines
#endif
}

// Waits until done(value of `word`); returns that value. Who changes the word also notifies it.
template <class Done>
uint32_t wait_until(const std::atomic<uint32_t>& word, Done&& done) {
  using Clock = std::chrono::steady_clock;
  uint32_t value = word.load(std::memory_order_acquire);
  for (const auto until = Clock::now() + kWatch; !done(value) && Clock::now() < until;) {
    for (int i = 0; i < 8; ++i) pause_briefly();
    value = word.load(std::memory_order_acquire);
  }
  while (!done(value)) {
    word.wait(value, std::memory_order_acquire);
    value = word.load(std::memory_order_acquire);
  }
  return value;
}

// While it lives, the calling thread takes numbers too small to be normal as 0 and makes none.
class FlushedDenormals {
 public:
  explicit FlushedDenormals(bool wanted) : before_(control()) {
    if (wanted && (before_ | kFlush) != before_) set_control(before_ | kFlush);
  }
  ~FlushedDenormals() {
    if (control() != before_) set_control(before_);
  }
  FlushedDenormals(const FlushedDenormals&) = delete;
  FlushedDenormals& operator=(const FlushedDenormals&) = delete;

 private:
#ifdef __SSE__
  static constexpr uint64_t kFlush = 0x8040;  // of MXCSR: flush to zero, denormals are zeros
  static uint64_t control() {
    return _mm_getcsr();
  }
  static void set_control(uint64_t value) {
    _mm_setcsr(static_cast<unsigned>(value));
  }
#elif defined(__aarch64__)
  static constexpr uint64_t kFlush = uint64_t{1} << 24;  // of FPCR: FZ
  static uint64_t control() {
    uint64_t value;
    __asm__ volatile("mrs %0, fpcr" : "=r"(value));
    return value;
  }
  static void set_control(uint64_t value) {
    __asm__ volatile("msr fpcr, %0" : : "r"(value));
  }
#else
  static constexpr uint64_t kFlush = 0;
  static uint64_t control() {
    return 0;
  }
  static void set_control(uint64_t) {}
#endif
  uint64_t before_;
};

// What is left of a share: items [begin, end), both in one word so that they change together.
class Share {
 public:
  void fill(int64_t begin, int64_t end) {
    left_.store(pack(static_cast<uint64_t>(begin), static_cast<uint64_t>(end)),
                std::memory_order_relaxed);
  }

  // Takes one item, the owner from the front and others from the back; -1: none is left.
  int64_t take(bool front) {
    uint64_t left = left_.load(std::memory_order_relaxed);
    for (;;) {
      const uint64_t begin = left >> 32, end = left & 0xffffffffu;
      if (begin >= end) return -1;
      const uint64_t next = front ? pack(begin + 1, end) : pack(begin, end - 1);
      if (left_.compare_exchange_weak(left, next, std::memory_order_relaxed)) {
        return static_cast<int64_t>(front ? begin : end - 1);
      }
    }
  }

 private:
  static uint64_t pack(uint64_t begin, uint64_t end) { return begin << 32 | end; }
  alignas(64) std::atomic<uint64_t> left_{0};  // a cache line each
};

// count items, in `pieces` pieces: what is handed to a thread at a time.
struct Loop {
  RangeBody body;
  void* context;
  int64_t count, pieces;
  bool flush;
  int threads, shares;

  void run(int64_t piece, int thread) const {
    body(context, piece_begin(piece), piece_begin(piece + 1), thread);
  }

 private:
  // count * piece / pieces, computed so that it does not overflow.
  int64_t piece_begin(int64_t piece) const {
    return count / pieces * piece + count % pieces * piece / pieces;
  }
};

// The threads that help a caller with its loops. OpenMP starts them, in parallel regions that never
// end; how they wait is decided here, since runtimes let threads spin at a region's end for so long
// that two busy programs slow each other down a hundred times.
//
// Invariants: one loop at a time (callers_). loop_ and shares_ change only while inside_ is 0.
// A helper touches them only between entering (inside_ + 1 while kOpen is set) and leaving
// (inside_ - 1). It may find that nothing is left to do: a caller never waits for a helper that has
// not woken up.
class Team {
 public:
  void run(const Loop& loop) {
    const std::lock_guard<std::mutex> lock(callers_);
    if (loop.threads <= 1 || loop.pieces <= 1) {
      run_alone(loop, 0);
      return;
    }
    start_helpers(max_threads() - 1);
    loop_ = loop;
    for (int64_t i = 0; i < loop.shares; ++i) {
      shares_[i].fill(loop.pieces * i / loop.shares, loop.pieces * (i + 1) / loop.shares);
    }
    inside_.store(kOpen, std::memory_order_release);
    loops_.fetch_add(1, std::memory_order_release);
    loops_.notify_all();
    take_part(0);
    inside_.fetch_and(~kOpen, std::memory_order_acq_rel);
    wait_until(inside_, [](uint32_t inside) { return inside == 0; });
  }

  // A loop on one thread, `thread` in it.
  static void run_alone(const Loop& loop, int thread) {
    const FlushedDenormals flushed(loop.flush);
    const int outer = std::exchange(current_, thread);
    for (int64_t piece = 0; piece < loop.pieces; ++piece) loop.run(piece, thread);
    current_ = outer;
  }

  // What the calling thread is in the loop that it runs; -1: it runs none.
  static int current() { return current_; }

 private:
  static constexpr uint32_t kOpen = uint32_t{1} << 31;

  void start_helpers([[maybe_unused]] int count) {
#ifdef _OPENMP
    if (count <= helpers_) return;
    const int first = helpers_ + 1, more = count - helpers_;
    helpers_ = count;
    std::thread([this, first, more] {
#pragma omp parallel num_threads(more)
      help(first + omp_get_thread_num());
    }).detach();
#endif
  }

  void help(int thread) {
    for (uint32_t seen = 0;;) {
      seen = wait_until(loops_, [&](uint32_t loops) { return loops != seen; });
      uint32_t inside = inside_.load(std::memory_order_relaxed);
      while ((inside & kOpen) &&
             !inside_.compare_exchange_weak(inside, inside + 1, std::memory_order_acquire)) {
      }
      if (!(inside & kOpen)) continue;
      if (thread < loop_.threads) take_part(thread);
      if (inside_.fetch_sub(1, std::memory_order_acq_rel) == 1) inside_.notify_one();
    }
  }

  void take_part(int thread) {
    const FlushedDenormals flushed(loop_.flush);
    current_ = thread;
    for (int i = 0; i < loop_.shares; ++i) {
      const bool own = i == 0 || loop_.shares == 1;
      Share& share = shares_[(thread + i) % loop_.shares];
      for (int64_t piece; (piece = share.take(own)) >= 0;) loop_.run(piece, thread);
    }
    current_ = -1;
  }

  static thread_local int current_;
  std::mutex callers_;
  [[maybe_unused]] int helpers_ = 0;  // none without OpenMP
  Loop loop_{};
  std::array<Share, kMostThreads> shares_;
  alignas(64) std::atomic<uint32_t> loops_{0};  // begun so far; helpers wait for the next
  alignas(64) std::atomic<uint32_t> inside_{
      0};  // kOpen: helpers may enter; the rest: how many have
};

thread_local int Team::current_ = -1;

// Never destroyed: its threads sleep until the process ends.
Team& team() {
  static Team& instance = *new Team;
  return instance;
}

int default_threads() {
#ifdef _OPENMP
  const int threads = omp_get_max_threads();
  const char* const wanted = std::getenv("OMP_NUM_THREADS");
  return std::clamp(wanted && *wanted ? threads : std::min(threads, available_processors()), 1,
                    kMostThreads);
#else
  return 1;
#endif
}

std::atomic<int>& threads_in_use() {
  static std::atomic<int> threads{default_threads()};
  return threads;
}

std::atomic<int>& thread_limit() {
  static std::atomic<int> limit{kMostThreads};
  return limit;
}

// Threads that a loop gets which can use `most`.
int loop_threads(int64_t most) {
  const int allowed = std::min(max_threads(), thread_limit().load(std::memory_order_relaxed));
  return static_cast<int>(std::min<int64_t>(allowed, most));
}

void run(const Loop& loop) {
  if (loop.count <= 0) return;
  if (Team::current() >= 0) {
    Team::run_alone(loop, Team::current());
  } else {
    team().run(loop);
  }
}

}  // namespace

int max_threads() {
  return threads_in_use().load(std::memory_order_relaxed);
}

void set_threads(int threads) {
  threads_in_use() = has_openmp() ? std::clamp(threads, 1, kMostThreads) : 1;
}

void limit_threads(int threads) {
  thread_limit() = threads > 0 ? threads : kMostThreads;
}

bool has_openmp() {
#ifdef _OPENMP
  return true;
#else
  return false;
#endif
}

void parallel_ranges(int64_t count, int64_t grain, Denormals denormals, RangeBody body,
                     void* context) {
  const int64_t most = std::max<int64_t>(1, count / std::max<int64_t>(1, grain));
  const int threads = loop_threads(most);
  run({.body = body,
       .context = context,
       .count = count,
       .pieces = threads <= 1 ? 1 : std::min(threads * kRangesEach, most),
       .flush = denormals == Denormals::flushed,
       .threads = threads,
       .shares = threads});
}

void parallel_items(int64_t count, Denormals denormals, RangeBody body, void* context) {
  run({.body = body,
       .context = context,
       .count = count,
       .pieces = count,
       .flush = denormals == Denormals::flushed,
       .threads = loop_threads(count),
       .shares = 1});
}

void run_here(RangeBody body, void* context) {
  Team::run_alone({.body = body,
                   .context = context,
                   .count = 1,
                   .pieces = 1,
                   .flush = true,
                   .threads = 1,
                   .shares = 1},
                  std::max(0, Team::current()));
}

}  // namespace cria
