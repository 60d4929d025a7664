// Attention that stays inside documents: first_key.
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "support/attention_case.h"
#include "support/isas.h"

namespace cria {
namespace {

using namespace attention_case;

class AttentionDocumentsTest : public IsaTest {};
CRIA_ON_EVERY_ISA(AttentionDocumentsTest);

// The first keys of all queries where documents begin at 0 and at these positions of the keys; each
// sequence after the first has its documents one position earlier than that before.
std::vector<int32_t> documents_at(const Case& c, const std::vector<int64_t>& begins) {
  std::vector<int32_t> first_key;
  for (int64_t b = 0; b < c.batch; ++b) {
    for (int64_t i = 0; i < c.queries; ++i) {
      int64_t first = 0;
      for (const int64_t begin : begins) {
        if (begin - b <= c.keys - c.queries + i) first = std::max(first, begin - b);
      }
      first_key.push_back(static_cast<int32_t>(first));
    }
  }
  return first_key;
}

void check_documents(const Case& c, const std::vector<int64_t>& begins, const Wanted& wanted = {},
                     const DropoutMask& dropout = {}) {
  SCOPED_TRACE(std::to_string(begins.size() + 1) + " documents" +
               (begins.empty() ? "" : ", the second at " + std::to_string(begins.front())));
  const Masks masks = {dropout, documents_at(c, begins)};
  check_precisions(c, wanted, [&](const Case& each, Tables& tables) {
    check_forward(each, tables, masks);
    check_backward(each, tables, masks);
  });
}

TEST_P(AttentionDocumentsTest, TilesAndTheirEdges) {
  // Each token alone, and pairs.
  for (const int64_t time : {1, 2, 17, 95, 96, 97, 193}) {
    std::vector<int64_t> all, pairs;
    for (int64_t t = 1; t < time; ++t) all.push_back(t);
    for (int64_t t = 2; t < time; t += 2) pairs.push_back(t);
    for (const auto& begins : {all, pairs, {}}) {
      check_documents({1, 2, 1, 8, time, time, true}, begins);
    }
  }
  // Two documents that meet around the edges of tiles, and more of them.
  for (const int64_t begin : {1, 50, 95, 96, 97, 191, 192, 193, 287, 288}) {
    check_documents({1, 2, 1, 4, 289, 289}, {begin});
  }
  check_documents({1, 2, 1, 4, 289, 289}, {96, 192, 288});
  check_documents({1, 2, 1, 4, 289, 289}, {10, 11, 12, 40, 95, 100, 191, 194, 230});
  // Sequences with documents of their own, and groups of heads.
  for (const int64_t kv_heads : {6, 2, 1}) {
    check_documents({3, 6, kv_heads, 8, 130, 130, true}, {7, 98, 99});
  }
  // More than one task of the forward pass.
  for (const int64_t begin : {100, 390}) check_documents({1, 1, 1, 4, 401, 401}, {30, begin});
}

TEST_P(AttentionDocumentsTest, WithRelativeTables) {
  for (const Wanted& wanted : kTables) {
    for (const int64_t begin : {1, 95, 96, 97, 150}) {
      check_documents({2, 2, 1, 8, 193, 193}, {begin, 152}, wanted);
    }
  }
  check_documents({1, 4, 2, 6, 401, 401}, {90, 200, 385}, kAllTables);
  std::vector<int64_t> all;
  for (int64_t t = 1; t < 130; ++t) all.push_back(t);
  check_documents({1, 2, 2, 8, 130, 130}, all, kAllTables);
}

// A far tile with hidden pairs, and far ones without.
TEST_P(AttentionDocumentsTest, WithFarPairs) {
  for (const int64_t distance : {0, 3, 100}) {
    const Case c{1, 4, 2, 8, 331, 331};
    SCOPED_TRACE("from " + std::to_string(distance));
    Tables tables(c, {.keys = true, .queries = true});
    tables.make_uniform(distance);
    const Masks masks = {{}, documents_at(c, {20, 300})};
    check_forward(c, tables, masks);
    check_backward(c, tables, masks);
  }
}

TEST_P(AttentionDocumentsTest, WithDropout) {
  for (const Wanted& wanted : {Wanted{}, kAllTables}) {
    check_documents({2, 4, 2, 8, 137, 137, true}, {40, 97, 100}, wanted, kDropout);
  }
}

// Keys before the first query, whole tiles of which nobody sees.
TEST_P(AttentionDocumentsTest, WithMoreKeysThanQueries) {
  for (const Wanted& wanted : {Wanted{}, kAllTables}) {
    for (const int64_t begin : {5, 200, 211, 230}) {
      check_documents({2, 4, 2, 8, 40, 250}, {begin}, wanted);
    }
  }
}

// Elements alike: only zeros may differ in their signs.
TEST_P(AttentionDocumentsTest, OneDocumentIsNoMask) {
  const Case c{2, 4, 2, 8, 200, 200};
  Projections in(c);
  in.fill();
  Tables tables(c, kAllTables);
  Output output(c), dout(c);
  dout.out.set(normal_values(dout.out.size(), "dout"));
  EXPECT_TRUE(run_attention(c, in, output, dout, tables, {kDropout}) ==
              run_attention(c, in, output, dout, tables, {kDropout, documents_at(c, {})}));
}

// Tiles that are not seen are not read: where a document begins with a tile, NaN before it goes
// nowhere. By more threads than there are heads, too.
TEST_P(AttentionDocumentsTest, TilesOfOtherDocumentsAreSkipped) {
  constexpr int64_t kBegin = 96;
  const Case c{1, 1, 1, 8, 450, 450};
  const Masks masks = {{}, documents_at(c, {kBegin})};
  Tables tables(c, {});
  for (const int threads : {1, 3}) {
    const ThreadCount scope(threads);
    reserve_kernel_memory();
    std::vector<Arrays> all;
    for (const bool poisoned : {false, true}) {
      Projections in(c);
      in.fill();
      Output output(c), dout(c);
      dout.out.set(normal_values(dout.out.size(), "dout"));
      for (int64_t t = 0; poisoned && t < kBegin; ++t) {
        for (float* row : {in.q + t * in.q_row, in.k + t * in.kv_row, in.v + t * in.kv_row,
                           dout.out.data() + t * dout.row}) {
          *row = std::nanf("");
        }
      }
      all.push_back(run_attention(c, in, output, dout, tables, masks));
    }
    for (size_t i = 0; i < 4; ++i) {
      const auto rest = [&](const Arrays& arrays) {
        return std::vector<float>(arrays[i].begin() + kBegin * c.head_dim, arrays[i].end());
      };
      EXPECT_TRUE(std::isnan(all[1][i].front()));
      EXPECT_TRUE(same_bits(rest(all[1]), rest(all[0]))) << "array " << i;
    }
  }
}

}  // namespace
}  // namespace cria
