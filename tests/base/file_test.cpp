#include "cria/base/file.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>

#include "cria/base/error.h"
#include "support/errors.h"
#include "support/files.h"

namespace cria {
namespace {

using Names = std::vector<std::string>;

template <class Action>
std::string error_of(Action action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

// That the action fails, and with a message that begins with the path.
template <class Action>
void expect_error_at(const std::string& path, const std::string& fragment, Action action) {
  const std::string message = error_of(action);
  EXPECT_TRUE(message.starts_with(path + ": ")) << message;
  EXPECT_NE(message.find(fragment), message.npos) << message;
}

// For the life of the object a file cannot grow beyond `bytes`: a stand-in for a full disk.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    rlimit limit = before_;
    limit.rlim_cur = bytes;
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  void (*handler_)(int);
  rlimit before_{};
};

std::string pattern_bytes(size_t count) {
  std::string bytes(count, '\0');
  for (size_t i = 0; i < count; ++i) bytes[i] = static_cast<char>(i * 7 + i / 251);
  return bytes;
}

TEST(File, MapsWhatWasWritten) {
  const TemporaryDirectory directory;
  const std::string path = directory / "a";
  const std::string bytes = pattern_bytes(5000);
  write_file(path, bytes);
  MappedFile file(path);
  EXPECT_EQ(file.bytes(), bytes);
  EXPECT_EQ(file.path(), path);
  EXPECT_EQ(read_file(path), bytes);
  const MappedFile moved(std::move(file));
  EXPECT_EQ(moved.bytes(), bytes);
  EXPECT_EQ(moved.path(), path);
  write_file(path, "");
  EXPECT_EQ(MappedFile(path).bytes(), "");
  EXPECT_EQ(moved.bytes(), bytes) << "a mapping outlives the file's name";
}

TEST(File, ReadErrorsNameThePath) {
  const TemporaryDirectory directory;
  const std::string missing = directory / "missing";
  expect_error_at(missing, "No such file", [&] { MappedFile file(missing); });
  expect_error_at(missing, "No such file", [&] { read_file(missing); });
  expect_error_at(directory.path(), "not a regular file", [&] { MappedFile{directory.path()}; });
  const std::string pipe = directory / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  expect_error_at(pipe, "not a regular file", [&] { MappedFile file(pipe); });
}

// Pieces below, at and above the size of the buffer, in every order that changes how they flow.
TEST(File, AFileIsNoDirectory) {
  const TemporaryDirectory root;
  write_file(root / "a", "x");
  EXPECT_EQ(
      error_of([&] { read_file(root / "a/b"); }),
      root / "a/b" + ": cannot open\n  expected: a file that can be read\n  got: Not a directory");
}

TEST(AtomicFile, KeepsTheOrderOfWrites) {
  const TemporaryDirectory directory;
  constexpr size_t kBuffer = 1 << 20;
  const std::vector<size_t> sizes = {3, kBuffer, 5, kBuffer - 5, 1, kBuffer + 1, 0, 7};
  std::string expected;
  AtomicFile file(directory / "a");
  for (const size_t size : sizes) {
    const std::string piece = pattern_bytes(size + 1).substr(1);
    file.write(piece);
    expected += piece;
  }
  file.commit();
  EXPECT_TRUE(read_file(directory / "a") == expected);
}

TEST(AtomicFile, AppearsOnCommitOnly) {
  const TemporaryDirectory directory;
  const std::string path = directory / "a";
  {
    AtomicFile file(path);
    file.write("new");
    EXPECT_FALSE(exists(path));
  }
  EXPECT_EQ(directory.names(), Names{}) << "nothing stays without commit()";

  write_file(path, "old and longer");
  {
    AtomicFile file(path);
    file.write("new");
    EXPECT_EQ(read_file(path), "old and longer");
    file.commit();
    EXPECT_EQ(read_file(path), "new");
  }
  EXPECT_EQ(read_file(path), "new") << "the destructor leaves a committed file alone";
  { AtomicFile abandoned(path); }
  EXPECT_EQ(read_file(path), "new");
  EXPECT_EQ(directory.names(), Names{"a"});
}

TEST(AtomicFile, WriteAtOverwritesAndKeepsThePlace) {
  const TemporaryDirectory directory;
  AtomicFile file(directory / "a");
  file.write("0123");
  file.write_at(0, "ab");
  file.write("45");
  file.write_at(3, "d");
  file.write("6");
  file.commit();
  EXPECT_EQ(read_file(directory / "a"), "ab2d456");
}

TEST(AtomicFile, ErrorsNameThePathAndLeaveNothing) {
  const TemporaryDirectory directory;
  const std::string nowhere = directory / "missing/a";
  expect_error_at(nowhere, "No such file", [&] { AtomicFile file(nowhere); });

  const std::string folder = directory / "folder";
  make_directories(folder);
  expect_error_at(folder, "cannot rename", [&] { write_file(folder, "x"); });
  EXPECT_EQ(directory.names(), Names{"folder"});
}

TEST(AtomicFile, AFullDiskIsAnErrorAndLeavesNothing) {
  const TemporaryDirectory directory;
  const std::string path = directory / "a";
  write_file(path, "old");
  const std::string large = pattern_bytes(3 << 20);
  std::string buffered, unbuffered, at;
  {
    const FileSizeLimit limit(4096);
    buffered = error_of([&] { write_file(path, large.substr(0, 5000)); });  // fails in commit()
    unbuffered = error_of([&] { write_file(path, large); });
    at = error_of([&] {
      AtomicFile file(path);
      file.write_at(4000, large.substr(0, 200));
    });
  }
  for (const std::string& message : {buffered, unbuffered, at}) {
    EXPECT_TRUE(message.starts_with(path + ": cannot write")) << message;
    EXPECT_NE(message.find("File too large"), message.npos) << message;
    EXPECT_NE(message.find("disk full"), message.npos) << message;
  }
  EXPECT_EQ(directory.names(), Names{"a"});
  EXPECT_EQ(read_file(path), "old");
}

TEST(File, AppendsAndCreates) {
  const TemporaryDirectory directory;
  append_to_file(directory / "a", "one\n");
  append_to_file(directory / "a", "two\n");
  EXPECT_EQ(read_file(directory / "a"), "one\ntwo\n");
  expect_error_at(directory.path(), "cannot open", [&] { append_to_file(directory.path(), "x"); });
}

TEST(AtomicDirectory, AppearsOnCommitOnly) {
  const TemporaryDirectory root;
  const std::string path = root / "runs/one";
  {
    const AtomicDirectory directory(path);
    write_file(join_path(directory.path(), "a"), "x");
    EXPECT_FALSE(exists(path));
  }
  EXPECT_TRUE(std::filesystem::is_empty(root / "runs")) << "nothing stays without commit()";
  {
    AtomicDirectory directory(path);
    write_file(join_path(directory.path(), "a"), "x");
    directory.commit();
  }
  EXPECT_EQ(read_file(join_path(path, "a")), "x");
  EXPECT_EQ(root.names(), Names{"runs"});
  EXPECT_EQ(glob_files(root / "runs/*"), Names{path});
  expect_error_at(path, "exists already", [&] { AtomicDirectory again(path); });
}

TEST(AtomicDirectory, ANameMayEndInASlash) {
  const TemporaryDirectory root;
  AtomicDirectory directory(root / "one//");
  write_file(join_path(directory.path(), "a"), "x");
  directory.commit();
  EXPECT_EQ(root.names(), Names{"one"});
  EXPECT_EQ(read_file(root / "one/a"), "x");
}

// A process that was killed cannot tidy up; the next may even get its number.
TEST(File, WhatKilledWritersOfANameLeftIsRemoved) {
  const TemporaryDirectory root;
  const std::string own = std::to_string(::getpid());
  for (const std::string& left : Names{"one.77.tmp", "one." + own + ".tmp"}) {
    make_directories(root / left);
    write_file(root / left + "/stale", "x");
  }
  write_file(root / "held", "x");
  std::filesystem::create_symlink("held", root / "one.78.tmp");
  const Names others = {"held",     "one.78.tmp",     "one.77.bak.tmp", "one.tmp",
                        "one..tmp", "one.two.77.tmp", "one.77x.tmp",    "two.77.tmp"};
  for (const std::string& name : others) {
    if (!exists(root / name)) write_quickly(root / name, "x");
  }
  write_file(root / "one", "new");
  Names expected = others;
  expected.push_back("one");
  std::ranges::sort(expected);
  EXPECT_EQ(root.names(), expected);
  std::filesystem::remove(root / "one");
  make_directories(root / "one.79.tmp/more");
  AtomicDirectory directory(root / "one");
  directory.commit();
  EXPECT_EQ(root.names(), expected);
  EXPECT_TRUE(std::filesystem::is_empty(root / "one"));
}

TEST(File, WhatIsBeingWrittenIsNoLeftover) {
  const TemporaryDirectory root;
  {
    AtomicFile file(root / "file");
    AtomicDirectory directory(root / "directory");
    write_quickly(root / "gone.77.tmp", "x");
    remove_leftovers(root.path(), "");
    file.commit();
    directory.commit();
  }
  EXPECT_EQ(root.names(), (Names{"directory", "file"}));
}

TEST(File, ADirectoryIsRemovedAndALinkNotFollowed) {
  const TemporaryDirectory root;
  make_directories(root / "one/two");
  make_directories(root / "held");
  write_file(root / "held/file", "x");
  std::filesystem::create_directory_symlink("../held", root / "one/link");
  std::filesystem::create_directory_symlink("held", root / "link");
  remove_directory(root / "one");
  remove_directory(root / "link");
  EXPECT_EQ(root.names(), Names{"held"});
  EXPECT_TRUE(exists(root / "held/file"));
  expect_error_at(root / "one", "cannot remove", [&] { remove_directory(root / "one"); });
}

TEST(File, ListsNamesSorted) {
  const TemporaryDirectory root;
  EXPECT_TRUE(list_directory(root.path()).empty());
  for (const char* const name : {"b", ".hidden", "a", "..c"}) write_file(root / name, "");
  make_directories(root / "d/inside");
  EXPECT_EQ(list_directory(root.path()),
            (std::vector<std::string>{"..c", ".hidden", "a", "b", "d"}));
  expect_error_at(root / "none", "cannot read the directory",
                  [&] { list_directory(root / "none"); });
  expect_error_at(root / "a", "cannot read the directory", [&] { list_directory(root / "a"); });
}

TEST(File, RemovesAllAndLeavesWhatLinksLeadTo) {
  const TemporaryDirectory root;
  EXPECT_TRUE(remove_all(root / "none"));
  write_file(root / "kept", "");
  make_directories(root / "tree/a/b");
  make_directories(root / "tree/c");
  for (int i = 0; i < 500; ++i) write_quickly(root / "tree/a/" + std::to_string(i), "");
  std::filesystem::create_symlink(root / "kept", root / "tree/a/b/link");
  std::filesystem::create_directory_symlink(root.path(), root / "tree/c/up");
  std::filesystem::create_directory_symlink(root / "tree", root / "link");
  EXPECT_TRUE(remove_all(root / "link"));
  EXPECT_TRUE(exists(root / "tree/a/b"));
  EXPECT_TRUE(remove_all(root / "tree"));
  EXPECT_FALSE(remove_all(root / "kept/inside"));  // of a file there is no inside
  EXPECT_EQ(list_directory(root.path()), std::vector<std::string>{"kept"});
}

TEST(File, GetsASecondName) {
  const TemporaryDirectory root;
  write_file(root / "a", "new");
  publish_file(root / "a", root / "b");
  EXPECT_TRUE(std::filesystem::equivalent(root / "a", root / "b"));
  write_file(root / "c", "old");
  publish_file(root / "a", root / "c");
  EXPECT_EQ(read_file(root / "c"), "new");
  EXPECT_EQ(root.names(), (Names{"b", "c"}));
  expect_error_at(root / "a", "cannot rename", [&] { publish_file(root / "a", root / "d"); });
}

TEST(AtomicDirectory, DoesNotReplaceWhatAppearedMeanwhile) {
  const TemporaryDirectory root;
  const std::string path = root / "one";
  {
    AtomicDirectory directory(path);
    make_directories(path);
    write_file(join_path(path, "a"), "x");
    expect_error_at(path, "cannot rename", [&] { directory.commit(); });
  }
  EXPECT_EQ(root.names(), Names{"one"});
  EXPECT_EQ(read_file(join_path(path, "a")), "x");
}

TEST(FileLock, IsHeldOnceAtATime) {
  const TemporaryDirectory directory;
  const std::string path = directory / "lock";
  {
    const FileLock lock(path, "");
    expect_error_at(path, "locked by another process\n  hint: wait for it",
                    [&] { FileLock second(path, "wait for it"); });
  }
  EXPECT_EQ(error_of([&] { FileLock again(path, ""); }), "no error");
  const std::string nowhere = directory / "missing/lock";
  expect_error_at(nowhere, "No such file", [&] { FileLock lock(nowhere, ""); });
}

TEST(File, MakesDirectories) {
  const TemporaryDirectory directory;
  make_directories(directory / "a/b/c");
  make_directories(directory / "a/b/c");
  EXPECT_TRUE(exists(directory / "a/b/c"));
  EXPECT_FALSE(exists(directory / "a/b/d"));
  write_file(directory / "file", "x");
  for (const std::string name : {"file", "file/below"}) {
    const std::string path = directory / name;
    expect_error_at(path, "cannot create the directory", [&] { make_directories(path); });
  }
}

TEST(File, GlobsSortedFiles) {
  const TemporaryDirectory directory;
  for (const std::string name : {"t_2.bin", "t_10.bin", "t_1.bin", "v.bin", "x[1].bin"}) {
    write_file(directory / name, "x");
  }
  EXPECT_EQ(glob_files(directory / "t_*.bin"),
            (Names{directory / "t_1.bin", directory / "t_10.bin", directory / "t_2.bin"}));
  EXPECT_EQ(glob_files(directory / "t_[12].bin"),
            (Names{directory / "t_1.bin", directory / "t_2.bin"}));
  EXPECT_EQ(glob_files(directory / "?.bin"), Names{directory / "v.bin"});
  EXPECT_EQ(glob_files(directory / "v.bin"), Names{directory / "v.bin"});
  EXPECT_EQ(glob_files(directory / "x[1].bin"), Names{directory / "x[1].bin"});
  make_directories(directory / "d[1]/e");
  make_directories(directory / "d2/.e");
  for (const std::string name : {"d[1]/e/t.bin", "d[1]/.t.bin", "d2/.e/t.bin", "d2/t.bin"}) {
    write_file(directory / name, "x");
  }
  EXPECT_EQ(glob_files(directory / "d[1]/*/t*"), Names{directory / "d[1]/e/t.bin"});
  std::filesystem::create_symlink("d_loop", directory / "d_loop");
  EXPECT_EQ(glob_files(directory / "d*/*.bin"), Names{directory / "d2/t.bin"});
  EXPECT_EQ(glob_files(directory / "d*/.*/t.bin"), Names{directory / "d2/.e/t.bin"});
  EXPECT_EQ(glob_files(directory / "d[!1]//t.bin"), Names{directory / "d2/t.bin"});
  EXPECT_EQ(glob_files(directory / "v.bin*"), Names{directory / "v.bin"});
  for (const std::string name : {"w*.bin", "w.bin", "missing/*"}) {
    expect_error_at(directory / name, "no such file", [&] { glob_files(directory / name); });
  }
  EXPECT_THROW(glob_files(""), Error);
}

TEST(File, JoinsPaths) {
  EXPECT_EQ(join_path("a", "b"), "a/b");
  EXPECT_EQ(join_path("a/", "b"), "a/b");
  EXPECT_EQ(join_path("", "b"), "b");
}

}  // namespace
}  // namespace cria
