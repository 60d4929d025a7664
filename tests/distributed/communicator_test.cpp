// What processes do together, with threads in their place.
#include "distributed/communicator.h"

#include <gtest/gtest.h>

#include <numeric>

#include "cria/base/error.h"
#include "support/errors.h"
#include "support/thread_ranks.h"

namespace cria {
namespace {

using Texts = std::vector<std::string>;

TEST(Communicator, AllGatherTheSame) {
  for (const int size : {1, 2, 3, 4}) {
    const Texts errors = ThreadRanks::run(size, [&](Communicator& ranks) {
      std::vector<double> numbers(static_cast<size_t>(2 * size));
      numbers[2 * ranks.rank()] = ranks.rank() + 0.5;
      numbers[2 * ranks.rank() + 1] = -1;
      ranks.all_gather(std::span(numbers));
      const Texts texts = ranks.all_gather(std::string(static_cast<size_t>(ranks.rank()), 'x'));
      std::vector<double> sums = {1.0, ranks.rank() == size - 1 ? 0.1 : 0.0};
      ranks.add(sums);
      for (int rank = 0; rank < size; ++rank) {
        EXPECT_EQ(numbers[2 * rank], rank + 0.5);
        EXPECT_EQ(numbers[2 * rank + 1], -1);
        EXPECT_EQ(texts[rank], std::string(static_cast<size_t>(rank), 'x'));
      }
      EXPECT_EQ(sums, (std::vector<double>{static_cast<double>(size), 0.1}));
      EXPECT_FALSE(ranks.any(false));
      EXPECT_TRUE(ranks.any(ranks.rank() == size - 1));
    });
    EXPECT_EQ(errors, Texts(static_cast<size_t>(size)));
  }
}

TEST(Communicator, WhoDiffersIsNamed) {
  const auto lines_of_rank = [](int rank) {
    Texts lines = {"version = 1", rank == 2 ? "seed = 8" : "seed = 7"};
    if (rank == 3) lines.push_back("more");
    return lines;
  };
  for (const int size : {2, 3, 4}) {
    const Texts errors = ThreadRanks::run(
        size, [&](Communicator& ranks) { require_agreement(ranks, lines_of_rank(ranks.rank())); });
    for (const std::string& error : errors) {
      EXPECT_EQ(error.find("rank 2 differs from rank 0") != error.npos, size > 2) << error;
      EXPECT_EQ(error.find("expected: seed = 7\n  got: seed = 8") != error.npos, size > 2) << error;
    }
  }
  const Texts errors = ThreadRanks::run(
      2, [&](Communicator& ranks) { require_agreement(ranks, lines_of_rank(3 * ranks.rank())); });
  for (const std::string& error : errors) {
    EXPECT_NE(error.find("expected: nothing\n  got: more"), error.npos) << error;
  }
}

// ((x0 + x1) + (x2 + x3)) + ..., and the same where neighbours were added up before.
TEST(Communicator, TheTreeIsFixed) {
  const auto sum = [](std::vector<std::string> terms) {
    add_in_tree(std::ssize(terms),
                [&](int64_t to, int64_t from) { terms[to] = "(" + terms[to] + terms[from] + ")"; });
    return terms[0];
  };
  EXPECT_EQ(sum({"a"}), "a");
  EXPECT_EQ(sum({"a", "b", "c"}), "((ab)c)");
  EXPECT_EQ(sum({"a", "b", "c", "d", "e", "f", "g"}), "(((ab)(cd))((ef)g))");
  EXPECT_EQ(sum({"(ab)", "(cd)", "(ef)"}), sum({"a", "b", "c", "d", "e", "f"}));
}

TEST(Communicator, TheWorldIsThisProcess) {
  EXPECT_EQ(world().size(), 1);
  EXPECT_TRUE(world().leads());
  EXPECT_EQ(rank_in_world(), -1);
}

}  // namespace
}  // namespace cria
