#include "optim/slices.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <string_view>

#include "base/bf16.h"
#include "cria/base/parallel.h"
#include "cria/kernels/kernels.h"

namespace cria {
namespace {

constexpr int64_t kChunk = 8 * kPiece;  // floats in a message: a megabyte
constexpr int64_t kFloat = sizeof(float), kHalf = sizeof(uint16_t);

}  // namespace

Slices::Slices(Parameters& parameters, Communicator& ranks, bool rounds)
    : parameters_(&parameters), ranks_(&ranks) {
  const auto size = static_cast<size_t>(ranks.size());
  ranges_.resize(size);
  chunks_.resize(size);
  if (is_alone()) {
    ranges_[0] = {{0, parameters.plane_size()}};
    return;
  }
  // Each tensor is cut into a stretch for each rank: gradients of a layer are sent while those of
  // the layers before it are computed, and no rank has more to receive than the others.
  std::vector<int64_t> kept(size);
  for (const Parameter& slot : parameters.slots()) {
    if (slot.frozen) continue;
    // A row of a sparse table is a piece.
    const int64_t count = slot.value.size(), columns = slot.value.columns();
    const int64_t piece = slot.touched ? std::max<int64_t>(1, kPiece / columns) * columns : kPiece;
    const int64_t pieces = (count + piece - 1) / piece;
    const int64_t stretch = (pieces + ranks.size() - 1) / ranks.size() * piece;
    for (int64_t begin = 0; begin < count; begin += stretch) {
      const auto least = std::ranges::min_element(kept);
      const int64_t length = std::min(stretch, count - begin);
      *least += length;
      add_stretch(static_cast<int>(least - kept.begin()), slot.offset + begin, length);
    }
  }
  for (size_t rank = 0; rank < size; ++rank) {
    for (const PlaneRange& range : ranges_[rank]) {
      for (int64_t begin = 0; begin < range.count; begin += kChunk) {
        chunks_[rank].push_back({range.offset + begin, std::min(kChunk, range.count - begin)});
      }
    }
    std::ranges::reverse(chunks_[rank]);
  }
  received_ = allocate_aligned(ranks.size() * kChunk * kFloat, "gradients of other processes");
  if (rounds) messages_.resize(static_cast<size_t>(2 * ranks.size() * kChunk));
  parameters.set_moments(own());
}

void Slices::add_stretch(int rank, int64_t offset, int64_t count) {
  std::vector<PlaneRange>& ranges = ranges_[rank];
  if (!ranges.empty() && ranges.back().offset + ranges.back().count == offset) {
    ranges.back().count += count;
  } else {
    ranges.push_back({offset, count});
  }
}

bool Slices::is_own(int64_t offset) const {
  const auto next = std::ranges::upper_bound(own(), offset, {}, &PlaneRange::offset);
  return next != own().begin() && offset < std::prev(next)->offset + std::prev(next)->count;
}

// The own term becomes the sum of all, of which those that came in bf16 are still to be widened.
void Slices::add_received(std::span<float* const> terms, int64_t count) const {
  const int64_t size = std::ssize(terms), own = ranks_->rank();
  const bool rounds = !messages_.empty();
  for (int64_t rank = 0; rounds && rank < size; ++rank) {
    const uint16_t* const from = messages_.data() + rank * kChunk;
    if (rank != own) std::transform(from, from + count, terms[rank], from_bf16);
  }
  add_in_tree(size, [&](int64_t to, int64_t from) {
    const bool is_root = to == 0 && from * 2 >= size;
    kernels().add_rows_sum(1, count, terms[from], terms[to]);
    if (rounds && !is_root) round_to_bf16(terms[to], count);
  });
  if (own > 0) std::copy_n(terms[0], count, terms[own]);
}

// Each rank's chunk of that number.
void Slices::reduce_chunks(size_t round) {
  const int size = ranks_->size(), own = ranks_->rank();
  float* const plane = parameters_->grad();
  std::vector<float*> terms(static_cast<size_t>(size));
  std::vector<Communicator::Outgoing> sends;
  std::vector<Communicator::Incoming> receives;
  const auto chunk = [&](int rank) {
    return round < chunks_[rank].size() ? chunks_[rank][round] : PlaneRange{0, 0};
  };
  const PlaneRange mine = chunk(own);
  for (int rank = 0; rank < size; ++rank) {
    terms[rank] = rank == own ? plane + mine.offset
                              : reinterpret_cast<float*>(received_.get()) + rank * kChunk;
    if (rank == own) continue;
    const PlaneRange theirs = chunk(rank);
    const float* const sent = plane + theirs.offset;
    if (messages_.empty()) {
      receives.push_back({rank, terms[rank], mine.count * kFloat});
      sends.push_back({rank, sent, theirs.count * kFloat});
    } else {
      uint16_t* const from = messages_.data() + rank * kChunk;
      uint16_t* const to = from + size * kChunk;
      std::transform(sent, sent + theirs.count, to, to_bf16);  // exact: see GradientTree
      receives.push_back({rank, from, mine.count * kHalf});
      sends.push_back({rank, to, theirs.count * kHalf});
    }
  }
  ranks_->exchange(sends, receives);
  compute_here([&] { add_received(terms, mine.count); });
}

void Slices::reduce_gradients(int64_t from) {
  if (is_alone()) return;
  // The rounds are the same on all ranks, however far each has come.
  const auto is_ready = [&](const std::vector<PlaneRange>& chunks) {
    return next_round_ >= chunks.size() || chunks[next_round_].offset >= from;
  };
  const auto is_left = [&](const std::vector<PlaneRange>& chunks) {
    return next_round_ < chunks.size();
  };
  while (std::ranges::any_of(chunks_, is_left) && std::ranges::all_of(chunks_, is_ready)) {
    reduce_chunks(next_round_++);
  }
  if (from > 0) return;
  next_round_ = 0;
  share_touched_rows();
}

void Slices::share_touched_rows() {
  for (Parameter& slot : parameters_->slots()) {
    if (!slot.touched) continue;
    const std::span<const int32_t> rows = slot.touched->rows();
    const std::vector<std::string> all = ranks_->all_gather(std::string_view(
        reinterpret_cast<const char*>(rows.data()), rows.size() * sizeof(int32_t)));
    slot.touched->clear();
    for (const std::string& bytes : all) {
      for (size_t at = 0; at < bytes.size(); at += sizeof(int32_t)) {
        int32_t row;
        std::memcpy(&row, bytes.data() + at, sizeof row);
        slot.touched->add(row);
      }
    }
  }
}

void Slices::share(float* plane) const {
  if (is_alone()) return;
  std::vector<Communicator::Outgoing> sends;
  std::vector<Communicator::Incoming> receives;
  const int size = ranks_->size(), own = ranks_->rank();
  for (int rank = 0; rank < size; ++rank) {
    if (rank == own) continue;
    for (const PlaneRange& chunk : chunks_[own]) {
      sends.push_back({rank, plane + chunk.offset, chunk.count * kFloat});
    }
    for (const PlaneRange& chunk : chunks_[rank]) {
      receives.push_back({rank, plane + chunk.offset, chunk.count * kFloat});
    }
  }
  ranks_->exchange(sends, receives);
}

template <class Each>
void Slices::for_owners(int64_t offset, int64_t count, Each&& each) const {
  for (int rank = 0; rank < ranks_->size(); ++rank) {
    for (const PlaneRange& range : ranges_[rank]) {
      const int64_t begin = std::max(offset, range.offset);
      const int64_t end = std::min(offset + count, range.offset + range.count);
      if (begin < end) each(rank, begin, end - begin);
    }
  }
}

const float* Slices::moments(int64_t plane) const {
  return plane == 1 ? parameters_->v() : parameters_->m();
}

void Slices::tell(const Request& request) const {
  std::vector<Communicator::Outgoing> sends;
  for (int rank = 1; rank < ranks_->size(); ++rank) {
    sends.push_back({rank, &request, sizeof request});
  }
  ranks_->exchange(sends, {});
}

void Slices::read_moments(bool second, int64_t offset, int64_t count, float* out) const {
  tell({second, offset, count});
  std::vector<Communicator::Incoming> receives;
  for_owners(offset, count, [&](int rank, int64_t begin, int64_t length) {
    float* const to = out + (begin - offset);
    if (rank == 0) {
      std::copy_n(moments(second) + begin, length, to);
    } else {
      receives.push_back({rank, to, length * kFloat});
    }
  });
  ranks_->exchange({}, receives);
}

void Slices::end_reading() const {
  if (!is_alone()) tell({0, 0, 0});
}

void Slices::serve() const {
  for (;;) {
    Request request;
    const Communicator::Incoming next = {0, &request, sizeof request};
    ranks_->exchange({}, {&next, 1});
    if (request.count == 0) return;
    std::vector<Communicator::Outgoing> sends;
    for_owners(request.offset, request.count, [&](int rank, int64_t begin, int64_t length) {
      if (rank == ranks_->rank()) {
        sends.push_back({0, moments(request.plane) + begin, length * kFloat});
      }
    });
    ranks_->exchange(sends, {});
  }
}

}  // namespace cria
