#include <gtest/gtest.h>

#include <string>

#include "cria/kernels/kernels.h"
#include "support/any_threads.h"
#include "support/guarded.h"
#include "support/isas.h"
#include "support/random.h"
#include "support/reference.h"

namespace cria {
namespace {

class EmbeddingTest : public IsaTest {};
CRIA_ON_EVERY_ISA(EmbeddingTest);

struct Case {
  int64_t rows, columns, vocabulary;
};

// More rows than ids, so that ids repeat; fewer, so that table rows stay unused.
template <class Check>
void each_case(Check check) {
  for (const int64_t rows : {1, 2, 5, 17, 64}) {
    for (const int64_t columns : {1, 3, 4, 8, 15, 16, 17, 33, 65}) {
      for (const int64_t vocabulary : {1, 7, 97}) {
        SCOPED_TRACE("N " + std::to_string(rows) + " C " + std::to_string(columns) + " V " +
                     std::to_string(vocabulary));
        check(Case{rows, columns, vocabulary});
      }
    }
  }
  check(Case{1031, 129, 61});
}

TEST_P(EmbeddingTest, GatherCopiesRows) {
  each_case([](const Case& c) {
    const std::vector<int32_t> ids = random_ids(c.rows, c.vocabulary, "ids");
    Guarded table(normal_values(c.vocabulary * c.columns, "table"));
    const Arrays got = run_with_any_threads([&] {
      Guarded out(c.rows * c.columns);
      kernels().embedding_gather(c.rows, c.columns, ids.data(), table.data(), out.data());
      EXPECT_TRUE(out.gaps_untouched());
      return Arrays{out.elements()};
    });
    EXPECT_TRUE(same_bits(
        got[0], reference::embedding_gather(c.rows, c.columns, ids.data(), table.data())));
  });
}

void check_scatter(const Case& c, int64_t padding_idx) {
  const std::vector<int32_t> ids = random_ids(c.rows, c.vocabulary, "ids");
  const std::vector<float> initial = normal_values(c.vocabulary * c.columns, "dtable");
  Guarded dout(normal_values(c.rows * c.columns, "dout"));
  const Arrays got = run_with_any_threads([&] {
    Guarded dtable(initial);
    kernels().embedding_scatter_add(c.rows, c.columns, ids.data(), padding_idx, dout.data(),
                                    dtable.data());
    EXPECT_TRUE(dtable.gaps_untouched());
    return Arrays{dtable.elements()};
  });
  EXPECT_TRUE(
      same_bits(got[0], reference::embedding_scatter_add(c.rows, c.columns, ids.data(), padding_idx,
                                                         dout.data(), initial)));
}

TEST_P(EmbeddingTest, ScatterAddsInTheOrderOfTheRows) {
  each_case([](const Case& c) { check_scatter(c, -1); });
}

TEST_P(EmbeddingTest, ScatterLeavesThePaddingRow) {
  each_case([](const Case& c) { check_scatter(c, c.vocabulary / 2); });
}

}  // namespace
}  // namespace cria
