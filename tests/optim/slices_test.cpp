// What several processes keep and add up, with threads in their place.
#include "optim/slices.h"

#include <gtest/gtest.h>

#include <cmath>
#include <memory>

#include "cria/optim/adamw.h"
#include "optim/gradient_tree.h"
#include "support/compare.h"
#include "support/random.h"
#include "support/thread_ranks.h"
#include "support/threads.h"

namespace cria {
namespace {

// Several pieces, a rest, padding between tensors, a frozen one, and a table with a sparse
// gradient.
std::unique_ptr<Parameters> some_parameters(Planes planes) {
  auto parameters = std::make_unique<Parameters>();
  parameters->add({"large", {103, 1403}}, ParameterKind::matrix, {.std = 1.0});
  parameters->add({"frozen", {300, 400}}, ParameterKind::matrix, {.std = 1.0}).frozen = true;
  parameters->add({"table", {91, 1031}}, ParameterKind::embedding, {.std = 1.0}).touched =
      std::make_unique<TouchedRows>(91);
  parameters->add({"small", {7}}, ParameterKind::norm, {.constant = 1});
  parameters->allocate(planes);
  parameters->initialize(1);
  return parameters;
}

// A gradient of that name, in all that is trained.
void set_gradient(Parameters& parameters, const std::string& name) {
  for (Parameter& slot : parameters.slots()) {
    if (slot.frozen) continue;
    const std::vector<float> numbers = normal_values(slot.grad.size(), name + slot.name);
    std::copy(numbers.begin(), numbers.end(), slot.grad.data);
    if (slot.touched) {
      slot.touched->clear();
      for (int64_t row = 0; row < slot.grad.shape[0]; ++row) {
        if (row % 3 == 2) {
          std::fill_n(&slot.grad(row, 0), slot.grad.columns(), 0.0f);
        } else {
          slot.touched->add(row);
        }
      }
    }
  }
}

TEST(Slices, EachTrainedNumberIsOneRanks) {
  for (const int size : {1, 2, 3, 4, 7}) {
    const auto errors = ThreadRanks::run(size, [&](Communicator& ranks) {
      const auto parameters = some_parameters(Planes::sharded);
      const Slices slices(*parameters, ranks);
      std::vector<double> owners(static_cast<size_t>(parameters->plane_size()));
      int64_t own = 0;
      for (const PlaneRange& range : slices.own()) {
        own += range.count;
        EXPECT_TRUE(slices.is_own(range.offset));
        for (int64_t i = 0; i < range.count; ++i) owners[range.offset + i] += 1;
      }
      ranks.add(owners);
      int64_t trained = 0;
      for (const Parameter& slot : parameters->slots()) {
        if (slot.frozen) continue;
        trained += slot.value.size();
        for (int64_t i = 0; i < slot.value.size(); ++i) {
          ASSERT_EQ(owners[slot.offset + i], 1) << slot.name << " " << i;
        }
      }
      // As even as pieces allow.
      if (size > 1) {
        EXPECT_LE(std::abs(own - trained / size), kPiece);
      }
    });
    for (const std::string& error : errors) EXPECT_EQ(error, "");
  }
}

TEST(GradientTree, AddsTheFixedTree) {
  const ThreadCount scope(2);
  for (const int64_t parts : {1, 2, 3, 4, 5, 6, 7, 8}) {
    const auto parameters = some_parameters(Planes::all);
    std::vector<std::vector<float>> want(static_cast<size_t>(parts));
    GradientTree tree(*parameters, parts);
    for (int step = 0; step < 2; ++step) {
      for (int64_t part = 0; part < parts; ++part) {
        set_gradient(*parameters, "part" + std::to_string(part));
        want[part].assign(parameters->grad(), parameters->grad() + parameters->plane_size());
        if (part + 1 < parts) tree.end_part();
      }
      for (const int64_t from :
           {parameters->plane_size(), int64_t{200000}, int64_t{17}, int64_t{0}}) {
        tree.end_last_part(from);
      }
      add_in_tree(parts, [&](int64_t to, int64_t from) {
        for (size_t i = 0; i < want[to].size(); ++i) want[to][i] += want[from][i];
      });
      EXPECT_TRUE(same_bits(want[0], {parameters->grad(), parameters->grad() + want[0].size()}))
          << parts;
      parameters->zero_gradients();
    }
  }
  EXPECT_EQ(GradientTree::planes(1), 0);
  EXPECT_EQ(GradientTree::planes(4), 2);
  EXPECT_EQ(GradientTree::planes(5), 3);
}

// Three steps of eight parts: weights, moments, norms and changes have the bits of one process.
TEST(Slices, AnyNumberOfRanksUpdatesAlike) {
  const ThreadCount scope(1);
  struct Result {
    std::vector<float> value, moments;
    std::vector<double> norms, changes;
  };
  const auto train = [](Communicator& ranks) {
    constexpr int64_t kParts = 8;
    const auto parameters = some_parameters(ranks.size() > 1 ? Planes::sharded : Planes::all);
    Slices slices(*parameters, ranks);
    AdamWOptimizer optimizer(*parameters, {}, &slices);
    const int64_t own = kParts / ranks.size();
    GradientTree tree(*parameters, own);
    Result result;
    for (int step = 0; step < 3; ++step) {
      for (int64_t part = ranks.rank() * own; part < (ranks.rank() + 1) * own; ++part) {
        set_gradient(*parameters, "part" + std::to_string(part) + std::to_string(step));
        if (part + 1 < (ranks.rank() + 1) * own) tree.end_part();
      }
      tree.end_last_part(0);
      // Not all have come equally far.
      if (ranks.rank() % 2 == 1) slices.reduce_gradients(parameters->plane_size() / 2);
      if (ranks.rank() % 3 == 0) slices.reduce_gradients(kPiece);
      slices.reduce_gradients(0);
      result.norms.push_back(optimizer.gradient_norm());
      std::vector<double> changes(parameters->slots().size());
      optimizer.step(1e-2, clip_factor(result.norms.back(), 1.0), changes);
      result.changes.insert(result.changes.end(), changes.begin(), changes.end());
    }
    for (int64_t i = 0; i < parameters->plane_size(); ++i) EXPECT_EQ(parameters->grad()[i], 0.0f);
    // As a checkpoint reads them.
    if (ranks.leads()) {
      for (const Parameter& slot : parameters->slots()) {
        if (slot.frozen) continue;
        for (const bool second : {false, true}) {
          std::vector<float> numbers(static_cast<size_t>(slot.value.size()));
          slices.read_moments(second, slot.offset, slot.value.size(), numbers.data());
          result.moments.insert(result.moments.end(), numbers.begin(), numbers.end());
        }
      }
      slices.end_reading();
    } else {
      slices.serve();
    }
    result.value.assign(parameters->value(), parameters->value() + parameters->plane_size());
    return result;
  };
  Communicator alone;
  const Result want = train(alone);
  for (const int size : {2, 4, 8}) {
    const auto errors = ThreadRanks::run(size, [&](Communicator& ranks) {
      const Result got = train(ranks);
      EXPECT_TRUE(same_bits(got.value, want.value)) << size;
      if (ranks.leads()) {
        EXPECT_TRUE(same_bits(got.moments, want.moments)) << size;
      }
      EXPECT_EQ(got.norms, want.norms) << size;
      EXPECT_EQ(got.changes, want.changes) << size;
    });
    for (const std::string& error : errors) EXPECT_EQ(error, "");
  }
}

// Memory that nobody has written to is not there.
TEST(Slices, OthersMomentsStayZero) {
  const auto errors = ThreadRanks::run(2, [&](Communicator& ranks) {
    const auto parameters = some_parameters(Planes::sharded);
    Slices slices(*parameters, ranks);
    AdamWOptimizer optimizer(*parameters, {}, &slices);
    set_gradient(*parameters, "g");
    slices.reduce_gradients(0);
    optimizer.step(1e-2, 1.0);
    int64_t written = 0;
    for (int64_t i = 0; i < parameters->plane_size(); ++i) written += parameters->v()[i] != 0;
    int64_t own = 0;
    for (const PlaneRange& range : slices.own()) own += range.count;
    EXPECT_GT(written, 0);
    EXPECT_LE(written, own);
    // Those of another become zero, and the own ones stay.
    const std::vector<PlaneRange> kept = slices.own();
    const std::vector<float> before(parameters->v(), parameters->v() + parameters->plane_size());
    std::fill_n(parameters->v(), parameters->plane_size(), 1.0f);
    for (const PlaneRange& range : kept) {
      std::copy_n(before.begin() + range.offset, range.count, parameters->v() + range.offset);
    }
    parameters->set_moments(kept);
    EXPECT_TRUE(same_bits(before, {parameters->v(), parameters->v() + before.size()}));
  });
  for (const std::string& error : errors) EXPECT_EQ(error, "");
}

}  // namespace
}  // namespace cria
