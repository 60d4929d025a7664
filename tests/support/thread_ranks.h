// Several ranks as threads of one process, so that what processes do together is tested without
// MPI.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <map>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/first_error.h"
#include "distributed/communicator.h"

namespace cria {

// One of them runs at a time, until it waits for a message: kernels serve one caller.
class ThreadRanks {
 public:
  // Runs body(ranks) for each of so many ranks at once. Returns what each threw, "" for nothing;
  // once one has thrown, those that wait for others throw "ended".
  template <class Body>
  [[nodiscard]] static std::vector<std::string> run(int size, Body&& body) {
    ThreadRanks mail;
    std::vector<std::string> errors(static_cast<size_t>(size));
    std::vector<std::thread> threads;
    for (int rank = 0; rank < size; ++rank) {
      threads.emplace_back([&, rank] {
        Member member(mail, rank, size);
        const std::lock_guard turn(mail.mutex_);
        try {
          body(static_cast<Communicator&>(member));
        } catch (const std::exception& error) {
          errors[static_cast<size_t>(rank)] = error.what();
          mail.end();
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    return errors;
  }

 private:
  class Member : public Communicator {
   public:
    Member(ThreadRanks& mail, int rank, int size) : Communicator(rank, size), mail_(&mail) {}

    void exchange(std::span<const Outgoing> sends, std::span<const Incoming> receives) override {
      for (const Outgoing& each : sends) {
        mail_->put({rank(), each.to}, std::string(static_cast<const char*>(each.data),
                                                  static_cast<size_t>(each.bytes)));
      }
      for (const Incoming& each : receives) {
        const std::string message = mail_->take({each.from, rank()});
        if (std::ssize(message) != each.bytes)
          throw std::runtime_error("a message of another size");
        std::memcpy(each.data, message.data(), message.size());
      }
    }

   private:
    ThreadRanks* mail_;
  };

  using Way = std::pair<int, int>;  // from, to

  void put(const Way& way, std::string message) {
    messages_[way].push_back(std::move(message));
    changed_.notify_all();
  }

  std::string take(const Way& way) {
    std::unique_lock lock(mutex_, std::adopt_lock);
    std::deque<std::string>& waiting = messages_[way];
    const bool woken = changed_.wait_for(lock, std::chrono::minutes(5),
                                         [&] { return !waiting.empty() || ended_; });
    lock.release();
    if (!woken || waiting.empty()) throw std::runtime_error("ended");
    std::string message = std::move(waiting.front());
    waiting.pop_front();
    return message;
  }

  void end() {
    ended_ = true;
    changed_.notify_all();
  }

  std::mutex mutex_;  // whose turn it is
  std::condition_variable changed_;
  std::map<Way, std::deque<std::string>> messages_;
  bool ended_ = false;
};

}  // namespace cria
