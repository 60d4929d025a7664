#include "cria/base/error.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <string>
#include <vector>

#include "support/errors.h"

namespace cria {
namespace {

TEST(Error, SummaryAlone) {
  EXPECT_STREQ(Error("broken").what(), "broken");
}

TEST(Error, WholeContext) {
  const Error error("wrong type", {.where = "a.toml:3:7",
                                   .expected = "an integer",
                                   .got = "a string",
                                   .hint = "remove the quotes"});
  EXPECT_STREQ(error.what(),
               "a.toml:3:7: wrong type\n"
               "  expected: an integer\n"
               "  got: a string\n"
               "  hint: remove the quotes");
}

TEST(Error, EmptyPartsAreLeftOut) {
  EXPECT_STREQ(Error("broken", {.got = "nothing"}).what(), "broken\n  got: nothing");
  EXPECT_STREQ(Error("broken", {.where = "here", .hint = "mend it"}).what(),
               "here: broken\n  hint: mend it");
}

TEST(Error, WhatComesFromAFileIsNoCommandToATerminal) {
  const Error inner("no tensor \x1b[2J", {.where = "a\u202eb", .got = "\u009b31m"});
  const std::string text = "a\\xe2\\x80\\xaeb: no tensor \\x1b[2J\n  got: \\xc2\\x9b31m";
  EXPECT_EQ(inner.what(), text);
  EXPECT_EQ(Error(inner.what(), {.where = "c"}).what(), "c: " + text) << "once is enough";
  const std::vector<std::string> names = {"ste\x1bps"};
  EXPECT_EQ(did_you_mean("steps", names), "did you mean 'ste\\x1bps'?");
}

TEST(Error, UsageErrorIsAnError) {
  EXPECT_THROW(throw UsageError("no such command"), Error);
  EXPECT_STREQ(UsageError("no such command", {.where = "cria"}).what(), "cria: no such command");
}

TEST(Error, SystemErrorTellsErrno) {
  try {
    errno = ENOENT;
    throw_system_error("cannot open", "missing.txt", "check the path");
  } catch (const Error& error) {
    const std::string text = error.what();
    EXPECT_EQ(text.find("missing.txt: cannot open\n"), 0u);
    EXPECT_NE(text.find("got: No such file or directory"), std::string::npos);
    EXPECT_NE(text.find("hint: check the path"), std::string::npos);
  }
}

// Names as long as a file may hold, of which no two letters are compared.
TEST(DidYouMean, LongNamesAreNoSlips) {
  const std::string name(100'000'000, 'a');
  EXPECT_EQ(did_you_mean(name, std::vector{name}), "");
  EXPECT_EQ(did_you_mean("aaa", std::vector{name, std::string("aab")}), "did you mean 'aab'?");
}

TEST(DidYouMean, BeginningsCapitalsAndSwaps) {
  const std::vector<std::string> names = {"--temperature", "--top-k", "--top-p", "--help", "bf16"};
  EXPECT_EQ(nearest_name("--temp", names), "--temperature");
  EXPECT_EQ(nearest_name("--top", names), "--top-k");
  const std::vector<std::string> begun = {"--temperature", "--tempo", "--template"};
  EXPECT_EQ(nearest_name("--te", begun), "--tempo") << "the shortest that begins so";
  EXPECT_EQ(nearest_name("temperatuer", names), "--temperature");
  EXPECT_EQ(nearest_name("BF16", names), "bf16");
  EXPECT_EQ(nearest_name("top_k", names), "--top-k");
}

TEST(DidYouMean, NothingThatIsFarAway) {
  EXPECT_EQ(nearest_name("lr", std::vector<std::string>{"eps", "l"}), "");
  EXPECT_EQ(nearest_name("fp16", std::vector<std::string>{"fp32"}), "");
  EXPECT_EQ(nearest_name("--temp", std::vector<std::string>{"--help"}), "");
  EXPECT_EQ(nearest_name("", std::vector<std::string>{"a"}), "");
}

TEST(DidYouMean, NamesTheNearest) {
  const std::vector<std::string> keys = {"learning_rate", "steps", "seed", "batch_size"};
  EXPECT_EQ(did_you_mean("learning-rate", keys), "did you mean 'learning_rate'?");
  EXPECT_EQ(did_you_mean("step", keys), "did you mean 'steps'?");
  EXPECT_EQ(did_you_mean("sede", keys), "did you mean 'seed'?");
  EXPECT_EQ(did_you_mean("steps", keys), "did you mean 'steps'?");
}

TEST(DidYouMean, IsSilentWhenNothingIsNear) {
  const std::vector<std::string> keys = {"learning_rate", "steps"};
  EXPECT_EQ(did_you_mean("zebra", keys), "");
  EXPECT_EQ(did_you_mean("rate", keys), "");
  EXPECT_EQ(did_you_mean("steps", {}), "");
}

TEST(OneOf, QuotesEveryChoice) {
  EXPECT_EQ(one_of(std::vector<std::string>{"a", "b", "c"}), "one of \"a\", \"b\", \"c\"");
  EXPECT_EQ(one_of(std::vector<std::string>{"a"}), "one of \"a\"");
}

TEST(Error, GetsAContext) {
  EXPECT_EQ(with_context({.where = "f.json"}, [] { return 3; }), 3);
  EXPECT_EQ(error_of([] {
              with_context({.where = "f.json", .hint = "mend it"},
                           [] { throw Error("wrong", {.where = "merge 2", .got = "x"}); });
            }),
            "f.json: merge 2: wrong\n  got: x\n  hint: mend it");
}

}  // namespace
}  // namespace cria
