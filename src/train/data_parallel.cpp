#include "train/data_parallel.h"

#include <bit>

#include "cria/base/error.h"

namespace cria {
namespace {

void require_one_process(bool possible, const RunConfig& config, const char* key, int ranks) {
  if (possible) return;
  throw Error("this is for one process", {.where = config.source + ": " + key,
                                          .expected = "not set, or a single process",
                                          .got = std::to_string(ranks) + " processes"});
}

}  // namespace

DataParallel::DataParallel(const RunConfig& config, Communicator& ranks)
    : ranks_(&ranks),
      losses_(static_cast<size_t>(config.train.data_parallel)),
      rounds_(config.train.reduce_dtype == "bf16") {
  ranks.set_timeout(config.train.peer_timeout);
  if (is_alone()) return;
  const int64_t parts = config.train.data_parallel, size = ranks.size();
  // A power of two of neighbours is a branch of the tree, whose sum does not depend on the rest.
  if (parts % size != 0 || !std::has_single_bit(static_cast<uint64_t>(parts / size))) {
    throw Error("the processes cannot share the parts of the batch",
                {.where = config.source + ": train.data_parallel",
                 .expected = "1, 2, 4, 8, ... for each of " + std::to_string(size) + " processes",
                 .got = std::to_string(parts),
                 .hint = "train.data_parallel=" + std::to_string(size)});
  }
  require_one_process(!config.model.embedding.max_norm, config, "model.embedding.max_norm",
                      ranks.size());
  require_one_process(config.log.diagnostics == 0, config, "log.diagnostics", ranks.size());
}

void DataParallel::set_parameters(Parameters& parameters) {
  slices_ = std::make_unique<Slices>(parameters, *ranks_, rounds_);
  tree_ = std::make_unique<GradientTree>(parameters, own_parts(), rounds_, is_alone());
}

void DataParallel::complete_from(int64_t offset) {
  tree_->end_last_part(offset);
  if (!is_alone()) ranks_->start_job([this, offset] { slices_->reduce_gradients(offset); });
}

void DataParallel::end_part(int64_t part, double loss) {
  losses_[part] = loss;
  if (part < last_part()) tree_->end_part();
}

double DataParallel::end_step() {
  ranks_->finish_jobs();
  ranks_->all_gather(std::span(losses_));
  add_in_tree(std::ssize(losses_), [&](int64_t to, int64_t from) { losses_[to] += losses_[from]; });
  return losses_[0];
}

void DataParallel::gather_moments(Parameters& parameters) const {
  slices_->share(parameters.m());
  slices_->share(parameters.v());
}

void DataParallel::gather(std::span<SegmentMemory> of_passes, int64_t layers) const {
  const int size = ranks_->size(), own = ranks_->rank();
  const int64_t each = std::ssize(of_passes) / size;
  std::vector<Communicator::Outgoing> sends;
  std::vector<Communicator::Incoming> receives;
  for (int64_t pass = 0; pass < std::ssize(of_passes); ++pass) {
    const int owner = static_cast<int>(pass / each);
    of_passes[pass].set_length(of_passes[own * each].length());
    for (int64_t layer = 0; layer < layers; ++layer) {
      const Tensor memory = of_passes[pass].layer(layer);
      const int64_t bytes = memory.size() * static_cast<int64_t>(sizeof(float));
      if (owner != own) receives.push_back({owner, memory.data, bytes});
      for (int rank = 0; owner == own && rank < size; ++rank) {
        if (rank != own) sends.push_back({rank, memory.data, bytes});
      }
    }
  }
  ranks_->exchange(sends, receives);
}

MomentReader DataParallel::moments() const {
  if (is_alone()) return {};
  return [this](bool second, int64_t offset, int64_t count, float* out) {
    slices_->read_moments(second, offset, count, out);
  };
}

}  // namespace cria
