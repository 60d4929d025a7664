#include "base/first_error.h"

#include <gtest/gtest.h>

#include <string>

#include "cria/base/error.h"
#include "cria/base/parallel.h"
#include "support/errors.h"
#include "support/threads.h"

namespace cria {
namespace {

TEST(FirstError, IsTheLowestItems) {
  for (const int threads : {1, 3}) {
    const ThreadCount count(threads);
    FirstError error;
    parallel_tasks(100, [&](int64_t item, int) {
      // Items run from the last to the first, so that later ones are not the lowest by chance.
      const int64_t number = 99 - item;
      error.attempt(number, [&] {
        if (number % 10 == 7) throw Error("item " + std::to_string(number));
      });
    });
    EXPECT_EQ(error_of([&] { error.rethrow(); }), "item 7");
  }
}

TEST(FirstError, ThrownBy) {
  EXPECT_FALSE(thrown_by([] {}));
  const std::exception_ptr thrown = thrown_by([] { throw Error("it"); });
  EXPECT_EQ(error_of([&] { std::rethrow_exception(thrown); }), "it");
}

TEST(FirstError, NothingWithoutOne) {
  FirstError error;
  error.attempt(0, [] {});
  EXPECT_NO_THROW(error.rethrow());
}

}  // namespace
}  // namespace cria
