// Files: read by mapping, written under a temporary name and renamed, so that a reader never sees
// half a file and a failed write leaves nothing behind.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace cria {

// A file's bytes, read-only, for the life of the object. An empty file maps to an empty view.
class MappedFile {
 public:
  explicit MappedFile(const std::string& path);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&&) = delete;

  std::string_view bytes() const { return {data_, size_}; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  const char* data_ = nullptr;
  size_t size_ = 0;
};

std::string read_file(const std::string& path);

// A file or a pipe, read once from its beginning to its end.
class InputFile {
 public:
  explicit InputFile(const std::string& path);  // "-": standard input
  ~InputFile();
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  // Whether it is a file that may be opened and read again, and how large it is.
  bool is_regular() const { return size_ >= 0; }
  int64_t size() const { return size_; }

  // Whether read() would return at once; waits for that, but no longer than that.
  bool wait(int milliseconds) const;
  // Up to `size` bytes; 0: the end.
  size_t read(char* to, size_t size);

 private:
  std::string path_;
  int descriptor_ = -1;
  int64_t size_ = -1;
};

// A file that appears under its name only when commit() succeeds (fsync, then rename). Until then
// it is beside it as NAME.PID.tmp, locked; what killed writers of the same name left is removed
// first.
class AtomicFile {
 public:
  explicit AtomicFile(const std::string& path);
  ~AtomicFile();  // without commit(): the temporary file is removed
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(std::string_view bytes);
  // Overwrites what was written at offset (a header whose counts are known last).
  void write_at(uint64_t offset, std::string_view bytes);
  void commit();

 private:
  void flush();

  std::string path_, temporary_;
  std::string buffer_;
  int descriptor_ = -1;
};

void write_file(const std::string& path, std::string_view bytes);

// Adds to the end of a file: all of it or, when that fails, nothing. One writer at a time.
void append_to_file(const std::string& path, std::string_view bytes);

// A directory that appears under its name only when commit() succeeds: fill path(), then commit.
// Fails when the name exists. Until then it is as an AtomicFile's.
class AtomicDirectory {
 public:
  explicit AtomicDirectory(const std::string& path);
  ~AtomicDirectory();  // without commit(): everything is removed
  AtomicDirectory(const AtomicDirectory&) = delete;
  AtomicDirectory& operator=(const AtomicDirectory&) = delete;

  const std::string& path() const { return temporary_; }
  void commit();

 private:
  std::string final_, temporary_;
  int lock_ = -1;
  bool committed_ = false;
};

// Work that makes several files, all or none: unless dismissed, what was announced and was not
// there before is removed again, directories only when empty.
class Rollback {
 public:
  ~Rollback();
  void make_directories(const std::string& path);
  void will_write(const std::string& path);  // a file that is there already is left alone
  void dismiss() { paths_.clear(); }

 private:
  std::vector<std::string> paths_;  // what is inside before what it is in
};

// Held until the object goes (or the process dies); Error when another process holds it.
class FileLock {
 public:
  FileLock(const std::string& path, const std::string& hint);
  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  int descriptor_ = -1;
};

// Removes what killed processes left in a directory of the AtomicFile or AtomicDirectory `name`, of
// all when it is "". What a living process writes is locked, and left alone.
void remove_leftovers(const std::string& directory, std::string_view name);

// The names of all that is directly in a directory, sorted.
std::vector<std::string> list_directory(const std::string& directory);

// Removes a file, a link (not what it leads to), or a directory with all that is in it. Whether
// nothing is there any more. Needs no memory but the system's.
bool remove_all(const std::string& path) noexcept;

// Renames a directory before its files are removed: under its name it is whole or not there.
void remove_directory(const std::string& path);

// Gives a new file a second name within a file system. Over one that is there, and where the file
// system has no links, the file moves instead. Flushes the directory of the new name.
void publish_file(const std::string& from, const std::string& to);

// Waits until the files that are directly in a directory, and their names, are on the disk.
void sync_files(const std::string& directory);

bool exists(const std::string& path);
// Those that are missing on the way too; on the disk when it returns.
void make_directories(const std::string& path);

// The existing files that a glob (* ? [abc]) names, sorted; Error when there is none. The name
// of an existing file names that file alone.
std::vector<std::string> glob_files(const std::string& glob);

// "a/b" for ("a", "b").
std::string join_path(std::string_view directory, std::string_view name);

}  // namespace cria
