// The world of a program that is built with MPI (make MPI=1), which no other file knows.
#define OMPI_SKIP_MPICXX 1
#define MPICH_SKIP_MPICXX 1
#include <mpi.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <set>
#include <thread>

#include "cria/base/error.h"
#include "distributed/communicator.h"
#include "distributed/job_thread.h"

namespace cria {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int64_t kMostBytes = 1 << 30;  // of a message: MPI counts in int

int rank_of_this() {
  int rank = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  return rank;
}

int size_of_all() {
  int size = 1;
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  return size;
}

// Messages under way, and to or from whom.
class Requests {
 public:
  // start(data, bytes, rank, request) of each piece of a message.
  template <class Data, class Start>
  void add(int rank, Data* data, int64_t bytes, Start&& start) {
    for (int64_t begin = 0; begin < bytes; begin += kMostBytes) {
      ranks_.push_back(rank);
      start(data + begin, static_cast<int>(std::min(kMostBytes, bytes - begin)), rank,
            &requests_.emplace_back());
    }
  }

  // Asks instead of waiting, so that a rank that never answers does not hold this one for ever.
  void finish(double timeout, const std::atomic<bool>& dropped) {
    constexpr int kImpatient = 200;  // questions, some 0.1 ms of them; then it sleeps in between
    std::vector<int> done(requests_.size());
    Clock::time_point last = Clock::now();
    for (int idle = 0;;) {
      int count = 0;
      MPI_Testsome(static_cast<int>(requests_.size()), requests_.data(), &count, done.data(),
                   MPI_STATUSES_IGNORE);
      if (count == MPI_UNDEFINED) return;
      if (count > 0) {
        last = Clock::now();
        idle = 0;
      } else if (dropped) {
        throw Error("no more exchanges");
      } else if (std::chrono::duration<double>(Clock::now() - last).count() > timeout) {
        throw_missing(timeout);
      } else if (++idle < kImpatient) {
        std::this_thread::yield();
      } else {
        std::this_thread::sleep_for(std::chrono::microseconds(50));
      }
    }
  }

 private:
  [[noreturn]] void throw_missing(double timeout) const {
    std::set<int> missing;
    for (size_t i = 0; i < requests_.size(); ++i) {
      if (requests_[i] != MPI_REQUEST_NULL) missing.insert(ranks_[i]);
    }
    std::string names;
    for (const int rank : missing) names += (names.empty() ? "" : ", ") + std::to_string(rank);
    throw Error("no answer from rank " + names,
                {.where = "rank " + std::to_string(rank_of_this()),
                 .expected = "one within train.peer_timeout = " +
                             std::to_string(static_cast<int64_t>(timeout)) + " s",
                 .hint = "is its machine overloaded, or gone? --resume goes on from the last "
                         "checkpoint"});
  }

  std::vector<MPI_Request> requests_;
  std::vector<int> ranks_;
};

class MpiCommunicator : public Communicator {
 public:
  MpiCommunicator() : Communicator(rank_of_this(), size_of_all()) {}

  void set_timeout(double seconds) override { timeout_ = seconds; }

  // Every exchange has a number, so that no message is taken for one of another exchange.
  void exchange(std::span<const Outgoing> sends, std::span<const Incoming> receives) override {
    number_ = (number_ + 1) % 32768;
    Requests requests;
    for (const Incoming& each : receives) {
      requests.add(each.from, static_cast<char*>(each.data), each.bytes,
                   [&](char* data, int bytes, int rank, MPI_Request* request) {
                     MPI_Irecv(data, bytes, MPI_BYTE, rank, number_, MPI_COMM_WORLD, request);
                   });
    }
    for (const Outgoing& each : sends) {
      requests.add(each.to, static_cast<const char*>(each.data), each.bytes,
                   [&](const char* data, int bytes, int rank, MPI_Request* request) {
                     MPI_Isend(data, bytes, MPI_BYTE, rank, number_, MPI_COMM_WORLD, request);
                   });
    }
    requests.finish(timeout_, dropped_);
  }

  void start_job(std::function<void()> job) override { jobs_.start(std::move(job)); }
  void finish_jobs() override { jobs_.finish(); }
  void drop_jobs() override {
    dropped_ = true;
    jobs_.drop();
    dropped_ = false;
  }

 private:
  double timeout_ = 600;
  int number_ = 0;
  std::atomic<bool> dropped_ = false;
  JobThread jobs_;
};

// Whether this process was started by mpirun or srun: without them MPI would start helpers.
constexpr const char* kStarted[] = {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "PMIX_RANK"};

bool is_started_by_mpi() {
  return std::ranges::any_of(kStarted, [](const char* name) { return std::getenv(name); });
}

std::unique_ptr<Communicator> joined;  // null: not yet
bool in_mpi = false;

}  // namespace

Communicator& world() {
  if (joined) return *joined;
  if (is_started_by_mpi()) {
    int provided = 0;
    MPI_Init_thread(nullptr, nullptr, MPI_THREAD_SERIALIZED, &provided);
    in_mpi = true;
    if (provided < MPI_THREAD_SERIALIZED) {
      throw Error("this MPI serves one thread only",
                  {.where = "MPI_Init_thread",
                   .expected = "MPI_THREAD_SERIALIZED",
                   .hint = "OpenMPI and MPICH have it, unless they were built without"});
    }
    // What this process starts is no rank.
    for (const char* const name : kStarted) ::unsetenv(name);
    joined = std::make_unique<MpiCommunicator>();
  } else {
    joined = std::make_unique<Communicator>();
  }
  return *joined;
}

int rank_in_world() {
  return joined && joined->size() > 1 ? joined->rank() : -1;
}

void leave_world() {
  if (in_mpi) MPI_Finalize();
}

void end_world(int exit_code) {
  if (in_mpi) MPI_Abort(MPI_COMM_WORLD, exit_code);
}

}  // namespace cria
