// A directory in another's place.
#include "base/replace_directory.h"

#include <gtest/gtest.h>

#include "cria/base/file.h"
#include "support/errors.h"
#include "support/files.h"

namespace cria {
namespace {

class ReplaceDirectory : public testing::Test {
 protected:
  void make(const std::string& path, const std::string& text) const {
    make_directories(path);
    write_file(join_path(path, "file"), text);
  }
  std::string text() const { return read_file(join_path(path_, "file")); }

  TemporaryDirectory directory_;
  const std::string path_ = directory_ / "x", next_ = directory_ / "next";
};

TEST_F(ReplaceDirectory, WhereThereIsNoneAndWhereThereIsOne) {
  for (const char* const content : {"first", "second"}) {
    make(next_, content);
    replace_directory(next_, path_);
    EXPECT_EQ(text(), content);
    EXPECT_EQ(directory_.names(), std::vector<std::string>{"x"});
  }
  EXPECT_TRUE(contains(error_of([&] { replace_directory(next_, path_ + "/no/such"); }), "next"));
}

TEST_F(ReplaceDirectory, IsFinishedAfterACrash) {
  finish_replacing(next_, path_);
  EXPECT_TRUE(directory_.names().empty());
  make(next_, "only");
  finish_replacing(next_, path_);
  EXPECT_EQ(text(), "only");
  make(next_, "not yet");
  finish_replacing(next_, path_);
  EXPECT_EQ(text(), "only");
  EXPECT_EQ(directory_.names(), std::vector<std::string>{"x"});
}

}  // namespace
}  // namespace cria
