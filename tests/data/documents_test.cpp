#include "cria/data/documents.h"

#include <gtest/gtest.h>

#include <vector>

#include "cria/kernels/kernels.h"

namespace cria {
namespace {

using Ids = std::vector<int32_t>;

struct Marked {
  Ids starts, targets;
  int64_t counted;
};

// tokens: the inputs, and one more.
Marked marked(const Ids& tokens, const DocumentMarks& marks) {
  const Ids inputs(tokens.begin(), tokens.end() - 1);
  Marked result{Ids(inputs.size(), -7), Ids(tokens.begin() + 1, tokens.end()), 0};
  result.counted = mark_documents(inputs.data(), result.targets.data(),
                                  static_cast<int64_t>(inputs.size()), marks, result.starts.data());
  return result;
}

constexpr int32_t kBos = 1, kEos = 2, kNone = kIgnoredTarget;

TEST(Documents, BeginAtEveryBos) {
  const Marked m = marked({5, 6, kBos, 7, 8, kBos, kBos, 9}, {.bos = kBos});
  EXPECT_EQ(m.starts, (Ids{0, 0, 2, 2, 2, 5, 6}));
  EXPECT_EQ(m.targets, (Ids{6, kNone, 7, 8, kNone, kNone, 9}));
  EXPECT_EQ(m.counted, 4);
}

TEST(Documents, EndWithEveryEos) {
  const Marked m = marked({5, kEos, 6, 7, kEos, kEos, 8, kEos}, {.eos = kEos});
  EXPECT_EQ(m.starts, (Ids{0, 0, 2, 2, 2, 5, 6}));
  EXPECT_EQ(m.targets, (Ids{kEos, kNone, 7, kEos, kNone, kNone, kEos}));
  EXPECT_EQ(m.counted, 4);
}

TEST(Documents, AnEosAndABosAreOneBoundary) {
  const Marked m = marked({kBos, 5, kEos, kBos, 6, 7, kEos, kBos, 8}, {.bos = kBos, .eos = kEos});
  EXPECT_EQ(m.starts, (Ids{0, 0, 0, 3, 3, 3, 3, 7}));
  EXPECT_EQ(m.targets, (Ids{5, kEos, kNone, 6, 7, kEos, kNone, 8}));
  EXPECT_EQ(m.counted, 6);
}

// Some tokenizers put <|endoftext|> before and after. Alone it is not known as either.
TEST(Documents, OneIdAsBoth) {
  const Marked m = marked({3, 5, 3, 3, 6, 3, 3, 7}, {.bos = 3, .eos = 3});
  EXPECT_EQ(m.starts, (Ids{0, 0, 0, 3, 3, 3, 6}));
  EXPECT_EQ(m.targets, (Ids{5, 3, kNone, 6, 3, kNone, 7}));
}

TEST(Documents, BoundariesAtTheEdgesOfAWindow) {
  // The first token begins at 0 whatever it is; what begins behind the window is no target.
  Marked m = marked({kBos, 5, kBos}, {.bos = kBos});
  EXPECT_EQ(m.starts, (Ids{0, 0}));
  EXPECT_EQ(m.targets, (Ids{5, kNone}));
  m = marked({kEos, 5, kEos, 6}, {.eos = kEos});
  EXPECT_EQ(m.starts, (Ids{0, 1, 1}));
  EXPECT_EQ(m.targets, (Ids{kNone, kEos, kNone}));
  m = marked({kEos, kEos}, {.eos = kEos});
  EXPECT_EQ(m.counted, 0);
}

TEST(Documents, NoMarkNoBoundary) {
  const Marked m = marked({0, 1, 2, 0}, {});
  EXPECT_EQ(m.starts, (Ids{0, 0, 0}));
  EXPECT_EQ(m.targets, (Ids{1, 2, 0}));
  EXPECT_EQ(m.counted, 3);
}

}  // namespace
}  // namespace cria
