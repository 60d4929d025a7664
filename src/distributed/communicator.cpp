#include "distributed/communicator.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "cria/base/error.h"

namespace cria {
namespace {

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(end + 1);
  }
  return lines;
}

}  // namespace

void Communicator::exchange(std::span<const Outgoing>, std::span<const Incoming>) {}

void Communicator::start_job(std::function<void()> job) {
  jobs_.push_back(std::move(job));
}

void Communicator::finish_jobs() {
  for (const std::function<void()>& job : std::exchange(jobs_, {})) job();
}

void Communicator::drop_jobs() {
  jobs_.clear();
}

void Communicator::gather_blocks(void* blocks, int64_t bytes) {
  const auto block = [&](int rank) { return static_cast<std::byte*>(blocks) + rank * bytes; };
  std::vector<Outgoing> sends;
  std::vector<Incoming> receives;
  for (int other = 0; other < size_; ++other) {
    if (other == rank_) continue;
    sends.push_back({other, block(rank_), bytes});
    receives.push_back({other, block(other), bytes});
  }
  exchange(sends, receives);
}

std::vector<std::string> Communicator::all_gather(std::string_view own) {
  std::vector<int64_t> lengths(static_cast<size_t>(size_));
  lengths[rank_] = static_cast<int64_t>(own.size());
  all_gather(std::span(lengths));
  std::vector<std::string> all(lengths.size());
  std::vector<Outgoing> sends;
  std::vector<Incoming> receives;
  for (int other = 0; other < size_; ++other) {
    all[other] = other == rank_ ? std::string(own) : std::string(lengths[other], '\0');
    if (other == rank_) continue;
    sends.push_back({other, own.data(), lengths[rank_]});
    receives.push_back({other, all[other].data(), lengths[other]});
  }
  exchange(sends, receives);
  return all;
}

void Communicator::add(std::span<double> numbers) {
  if (size_ == 1) return;
  std::vector<double> all(numbers.size() * static_cast<size_t>(size_));
  std::ranges::copy(numbers, all.begin() + std::ssize(numbers) * rank_);
  all_gather(std::span(all));
  std::ranges::fill(numbers, 0.0);
  for (size_t i = 0; i < all.size(); ++i) numbers[i % numbers.size()] += all[i];
}

bool Communicator::any(bool own) {
  std::vector<uint8_t> flags(static_cast<size_t>(size_));
  flags[rank_] = own;
  all_gather(std::span(flags));
  return std::ranges::count(flags, uint8_t{0}) < size_;
}

void require_agreement(Communicator& ranks, const std::vector<std::string>& lines) {
  std::string own;
  for (const std::string& line : lines) own += line + "\n";
  const std::vector<std::string> all = ranks.all_gather(own);
  for (size_t rank = 1; rank < all.size(); ++rank) {
    if (all[rank] == all[0]) continue;
    std::vector<std::string> wanted = lines_of(all[0]), found = lines_of(all[rank]);
    wanted.resize(std::max(wanted.size(), found.size()), "nothing");
    found.resize(wanted.size(), "nothing");
    const auto at = std::ranges::mismatch(wanted, found);
    throw Error("rank " + std::to_string(rank) + " differs from rank 0",
                {.where = "processes that train together",
                 .expected = *at.in1,
                 .got = *at.in2,
                 .hint = "start the same program, with the same config and data, on machines of "
                         "the same kind, or with the same CRIA_ISA"});
  }
}

}  // namespace cria
