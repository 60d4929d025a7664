// Words that were encoded before. Bounded: a word takes the place of the one that was there.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <mutex>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace cria {

// 2 MiB. A word is one cache line; longer ones are not kept.
class BpeCache {
 public:
  BpeCache() : words_(size_t{1} << kBits) {}

  // Appends the ids of word when it is here.
  bool find(std::string_view word, std::vector<int32_t>& ids) const {
    if (word.size() > kBytes) return false;
    const Word& kept = words_[place(word)];
    if (kept.size != word.size() || std::memcmp(kept.bytes, word.data(), word.size()) != 0) {
      return false;
    }
    ids.insert(ids.end(), kept.ids, kept.ids + kept.count);
    return true;
  }

  void keep(std::string_view word, std::span<const int32_t> ids) {
    if (word.size() > kBytes || ids.size() > kIds) return;
    Word& kept = words_[place(word)];
    kept.size = static_cast<uint8_t>(word.size());
    kept.count = static_cast<uint8_t>(ids.size());
    std::memcpy(kept.bytes, word.data(), word.size());
    std::memcpy(kept.ids, ids.data(), ids.size_bytes());
  }

 private:
  static constexpr int kBits = 15;
  static constexpr size_t kBytes = 30, kIds = 8;

  struct alignas(64) Word {
    uint8_t size = 0;  // 0: nothing yet, as no word is empty
    uint8_t count = 0;
    char bytes[kBytes];
    int32_t ids[kIds];
  };

  static size_t place(std::string_view word) {
    uint64_t hash = word.size();
    for (size_t at = 0; at < word.size(); at += 8) {
      uint64_t bytes = 0;
      std::memcpy(&bytes, word.data() + at, word.size() - at < 8 ? word.size() - at : 8);
      hash = (hash ^ bytes) * 0x9E3779B97F4A7C15u;
      hash ^= hash >> 32;
    }
    return hash * 0x9E3779B97F4A7C15u >> (64 - kBits);
  }

  std::vector<Word> words_;
};

// One cache for each thread that encodes at the same time.
class BpeCaches {
 public:
  class Loan {
   public:
    Loan(BpeCaches& owner, std::unique_ptr<BpeCache> cache)
        : owner_(owner), cache_(std::move(cache)) {}
    ~Loan() {
      const std::lock_guard lock(owner_.mutex_);
      owner_.idle_.push_back(std::move(cache_));
    }
    Loan(const Loan&) = delete;
    Loan& operator=(const Loan&) = delete;
    BpeCache* operator->() const { return cache_.get(); }

   private:
    BpeCaches& owner_;
    std::unique_ptr<BpeCache> cache_;
  };

  Loan borrow() {
    const std::lock_guard lock(mutex_);
    std::unique_ptr<BpeCache> cache;
    if (idle_.empty()) {
      cache = std::make_unique<BpeCache>();
      idle_.reserve(made_ + 1);  // for its return, which must not fail
      ++made_;
    } else {
      cache = std::move(idle_.back());
      idle_.pop_back();
    }
    return {*this, std::move(cache)};
  }

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<BpeCache>> idle_;
  size_t made_ = 0;
};

}  // namespace cria
