#include "cria/base/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <iterator>
#include <system_error>
#include <utility>

#include "cria/base/error.h"

namespace cria {
namespace {

namespace fs = std::filesystem;

constexpr size_t kBufferBytes = size_t{1} << 20;
constexpr std::string_view kTemporary = ".tmp";

// Closes on every way out.
struct Descriptor {
  int value;
  ~Descriptor() {
    if (value >= 0) ::close(value);
  }
};

std::string without_trailing_slashes(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

std::string parent(const std::string& path) {
  const fs::path directory = fs::path(path).parent_path();
  return directory.empty() ? "." : directory.string();
}

// A full disk takes a part of a write; a reader of lines shall not meet half of one.
struct CutBack {
  int descriptor;
  off_t size;
  ~CutBack() {
    if (descriptor < 0) return;
    [[maybe_unused]] const int ignored = ::ftruncate(descriptor, size);
  }
};

// Adds the paths below `base` that the parts of a glob name. What exists under the very name of a
// part is what it names, brackets and all.
void add_matches(const fs::path& base, fs::path::iterator part, fs::path::iterator end,
                 std::vector<std::string>& paths) {
  if (part == end) {
    paths.push_back(base.string());
    return;
  }
  const fs::path literal = base / *part;
  const auto next = std::next(part);
  if (exists(literal.string())) return add_matches(literal, next, end, paths);
  const std::string directory = base.empty() ? "./" : base.string() + "/";
  // Passed over, as by glob() of C: what is no directory, or may not be read, such as lost+found.
  if (part->native().find_first_of("*?[") == std::string::npos ||
      ::access(directory.c_str(), R_OK) != 0) {
    return;
  }
  for (const std::string& name : list_directory(directory)) {
    if (::fnmatch(part->c_str(), name.c_str(), FNM_PERIOD) == 0) {
      add_matches(base / name, next, end, paths);
    }
  }
}

// What to say to a path that leads nowhere.
std::string path_hint(const std::string& path) {
  if (fs::path(path).is_absolute()) return "is the path right?";
  std::error_code ignored;
  return "is the path right? it is relative to " + fs::current_path(ignored).string();
}

[[noreturn]] void throw_open_error(const std::string& path) {
  const int problem = errno;
  const std::string hint = problem == ENOENT ? path_hint(path) : "";
  errno = problem;
  throw_system_error("cannot open", path, hint, "a file that can be read");
}

void write_all(int descriptor, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      throw_system_error("cannot write", path, "is the disk full?",
                         "room for " + std::to_string(bytes.size()) + " more bytes");
    }
    bytes.remove_prefix(static_cast<size_t>(written));
  }
}

void sync_directory(const std::string& path) {
  const Descriptor directory{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  // EINVAL: a file system that knows no fsync of directories; the rename has happened.
  if (directory.value < 0 || (::fsync(directory.value) != 0 && errno != EINVAL)) {
    throw_system_error("cannot flush the directory", path);
  }
}

// Beside the final name, since rename() does not cross file systems.
std::string temporary_name(const std::string& path) {
  return path + "." + std::to_string(::getpid()) + std::string(kTemporary);
}

bool is_temporary_of(std::string_view file, std::string_view name) {
  if (!file.starts_with(name) || !file.ends_with(kTemporary)) return false;
  file.remove_suffix(kTemporary.size());
  const size_t number = file.find_last_not_of("0123456789") + 1;
  return 1 <= number && number < file.size() && file[number - 1] == '.' &&
         (name.empty() || number - 1 == name.size());
}

void remove_leftovers_of(const std::string& path) {
  remove_leftovers(parent(path), fs::path(path).filename().native());
}

class OpenDirectory {
 public:
  // Takes the descriptor, of which there is none when it is negative.
  explicit OpenDirectory(int descriptor) noexcept
      : stream_(descriptor < 0 ? nullptr : ::fdopendir(descriptor)) {
    if (!stream_ && descriptor >= 0) ::close(descriptor);
  }
  ~OpenDirectory() {
    if (stream_) ::closedir(stream_);
  }
  OpenDirectory(const OpenDirectory&) = delete;
  OpenDirectory& operator=(const OpenDirectory&) = delete;

  explicit operator bool() const { return stream_ != nullptr; }
  int descriptor() const { return ::dirfd(stream_); }

  // The name of the next file or directory in it; nullptr: there is none, or, if errno is not 0, it
  // cannot be read.
  const char* next() const noexcept {
    for (;;) {
      errno = 0;
      const dirent* const entry = ::readdir(stream_);
      if (!entry || !is_dots(entry->d_name)) return entry ? entry->d_name : nullptr;
    }
  }

 private:
  static bool is_dots(std::string_view name) { return name == "." || name == ".."; }

  DIR* stream_;
};

bool remove_all_at(int directory, const char* name) noexcept {
  if (::unlinkat(directory, name, 0) == 0 || errno == ENOENT) return true;
  if (errno != EISDIR && errno != EPERM) return false;  // EPERM: what POSIX says of a directory
  {
    const OpenDirectory inside(
        ::openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!inside) return false;
    while (const char* const each = inside.next()) {
      if (!remove_all_at(inside.descriptor(), each)) return false;
    }
  }
  return ::unlinkat(directory, name, AT_REMOVEDIR) == 0;
}

// A file system without locks has none that holds either: then nothing there is taken for left.
void mark_as_living(int descriptor) {
  [[maybe_unused]] const int ignored = ::flock(descriptor, LOCK_EX | LOCK_NB);
}

}  // namespace

MappedFile::MappedFile(const std::string& path) : path_(path) {
  // Without O_NONBLOCK, opening a pipe would wait for its writer.
  const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  if (file.value < 0) throw_open_error(path);
  struct stat status {};
  if (::fstat(file.value, &status) != 0) throw_system_error("cannot read", path);
  if (!S_ISREG(status.st_mode)) throw Error("not a regular file", {.where = path});
  size_ = static_cast<size_t>(status.st_size);
  if (size_ == 0) return;
  void* mapping = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file.value, 0);
  if (mapping == MAP_FAILED) throw_system_error("cannot map", path);
  data_ = static_cast<const char*>(mapping);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : path_(std::move(other.path_)),
      data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)) {}

MappedFile::~MappedFile() {
  if (data_) ::munmap(const_cast<char*>(data_), size_);
}

std::string read_file(const std::string& path) {
  return std::string(MappedFile(path).bytes());
}

InputFile::InputFile(const std::string& path) : path_(path == "-" ? "standard input" : path) {
  descriptor_ = path == "-" ? ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)
                            : ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor_ < 0) throw_open_error(path_);
  struct stat status {};
  if (::fstat(descriptor_, &status) != 0) throw_system_error("cannot read", path_);
  if (S_ISREG(status.st_mode) && path != "-") size_ = status.st_size;
  if (S_ISDIR(status.st_mode)) {
    ::close(descriptor_);
    throw Error("is a directory", {.where = path_,
                                   .expected = "a file",
                                   .got = "a directory",
                                   .hint = path == "-" ? "" : "'" + path + "/*.txt' names files"});
  }
}

InputFile::~InputFile() {
  ::close(descriptor_);
}

bool InputFile::wait(int milliseconds) const {
  pollfd waiting = {descriptor_, POLLIN, 0};
  return ::poll(&waiting, 1, milliseconds) > 0;
}

size_t InputFile::read(char* to, size_t size) {
  for (;;) {
    const ssize_t count = ::read(descriptor_, to, size);
    if (count >= 0) return static_cast<size_t>(count);
    if (errno != EINTR) throw_system_error("cannot read", path_);
  }
}

AtomicFile::AtomicFile(const std::string& path) : path_(path), temporary_(temporary_name(path)) {
  buffer_.reserve(kBufferBytes);
  remove_leftovers_of(path);
  descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (descriptor_ < 0) throw_system_error("cannot create", path);
  mark_as_living(descriptor_);
}

AtomicFile::~AtomicFile() {
  if (descriptor_ < 0) return;
  ::close(descriptor_);
  ::unlink(temporary_.c_str());
}

void AtomicFile::flush() {
  write_all(descriptor_, buffer_, path_);
  buffer_.clear();
}

void AtomicFile::write(std::string_view bytes) {
  if (buffer_.size() + bytes.size() > kBufferBytes) flush();
  if (bytes.size() > kBufferBytes) {
    write_all(descriptor_, bytes, path_);
  } else {
    buffer_ += bytes;
  }
}

void AtomicFile::write_at(uint64_t offset, std::string_view bytes) {
  flush();
  if (::lseek(descriptor_, static_cast<off_t>(offset), SEEK_SET) < 0) {
    throw_system_error("cannot seek", path_);
  }
  write_all(descriptor_, bytes, path_);
  if (::lseek(descriptor_, 0, SEEK_END) < 0) throw_system_error("cannot seek", path_);
}

void AtomicFile::commit() {
  flush();
  if (::fsync(descriptor_) != 0) throw_system_error("cannot flush", path_, "is the disk full?");
  const std::string directory = parent(path_);  // before: memory may be short
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) {
    throw_system_error("cannot rename the finished file", path_);
  }
  ::close(std::exchange(descriptor_, -1));
  sync_directory(directory);
}

void write_file(const std::string& path, std::string_view bytes) {
  AtomicFile file(path);
  file.write(bytes);
  file.commit();
}

void append_to_file(const std::string& path, std::string_view bytes) {
  const Descriptor file{::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644)};
  if (file.value < 0) throw_system_error("cannot open", path);
  struct stat before {};
  if (::fstat(file.value, &before) != 0) throw_system_error("cannot read", path);
  CutBack unless_written{file.value, before.st_size};
  write_all(file.value, bytes, path);
  unless_written.descriptor = -1;
}

AtomicDirectory::AtomicDirectory(const std::string& path)
    : final_(without_trailing_slashes(path)), temporary_(temporary_name(final_)) {
  if (exists(path)) {
    throw Error("exists already", {.where = path, .hint = "remove it or choose another name"});
  }
  make_directories(parent(final_));
  remove_leftovers_of(final_);
  if (::mkdir(temporary_.c_str(), 0755) != 0) {
    throw_system_error("cannot create the directory", path);
  }
  lock_ = ::open(temporary_.c_str(), O_RDONLY | O_CLOEXEC);
  mark_as_living(lock_);
}

AtomicDirectory::~AtomicDirectory() {
  if (!committed_) remove_all(temporary_);
  if (lock_ >= 0) ::close(lock_);
}

void AtomicDirectory::commit() {
  sync_directory(temporary_);
  const std::string directory = parent(final_);  // before: memory may be short
  if (::rename(temporary_.c_str(), final_.c_str()) != 0) {
    throw_system_error("cannot rename the finished directory", final_);
  }
  committed_ = true;
  sync_directory(directory);
}

Rollback::~Rollback() {
  for (const std::string& path : paths_) ::remove(path.c_str());
}

void Rollback::make_directories(const std::string& path) {
  for (fs::path each = path; !each.empty() && !exists(each.string()); each = each.parent_path()) {
    paths_.push_back(each.string());
  }
  cria::make_directories(path);
}

void Rollback::will_write(const std::string& path) {
  if (!exists(path)) paths_.insert(paths_.begin(), path);
}

FileLock::FileLock(const std::string& path, const std::string& hint) {
  descriptor_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
  if (descriptor_ < 0) throw_system_error("cannot create", path);
  if (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
    const int problem = errno;
    ::close(descriptor_);
    if (problem == EWOULDBLOCK) {
      throw Error("locked by another process", {.where = path, .hint = hint});
    }
    errno = problem;
    throw_system_error("cannot lock", path);
  }
}

FileLock::~FileLock() {
  ::close(descriptor_);
}

void remove_leftovers(const std::string& directory, std::string_view name) {
  if (::access(directory.c_str(), R_OK) != 0) return;
  for (const std::string& file : list_directory(directory)) {
    if (!is_temporary_of(file, name)) continue;
    const std::string path = join_path(directory, file);
    const Descriptor left{::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)};
    if (left.value < 0 || ::flock(left.value, LOCK_EX | LOCK_NB) != 0) continue;
    remove_all(path);
  }
}

std::vector<std::string> list_directory(const std::string& directory) {
  const OpenDirectory open(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!open) throw_system_error("cannot read the directory", directory);
  std::vector<std::string> names;
  while (const char* const name = open.next()) names.emplace_back(name);
  if (errno != 0) throw_system_error("cannot read the directory", directory);
  std::ranges::sort(names);
  return names;
}

bool remove_all(const std::string& path) noexcept {
  return remove_all_at(AT_FDCWD, path.c_str());
}

void remove_directory(const std::string& path) {
  const std::string aside = temporary_name(path);
  if (::rename(path.c_str(), aside.c_str()) != 0) throw_system_error("cannot remove", path);
  if (!remove_all(aside)) throw_system_error("cannot remove", aside);
}

void publish_file(const std::string& from, const std::string& to) {
  const std::string directory = parent(to);  // before: memory may be short
  if (::link(from.c_str(), to.c_str()) != 0 && ::rename(from.c_str(), to.c_str()) != 0) {
    throw_system_error("cannot rename", from);
  }
  sync_directory(directory);
}

bool exists(const std::string& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

void make_directories(const std::string& path) {
  std::vector<std::string> parents;  // of what is made, to be flushed
  for (fs::path each = path; !each.empty() && !exists(each.string()); each = each.parent_path()) {
    parents.push_back(parent(each.string()));
  }
  std::error_code error;
  fs::create_directories(path, error);
  if (error) {
    throw Error("cannot create the directory",
                {.where = path,
                 .expected = "a directory, or a place where one can be made",
                 .got = error.message(),
                 .hint = "is a file in the way, or the permission missing?"});
  }
  for (const std::string& each : parents) sync_directory(each);
}

void sync_files(const std::string& directory) {
  for (const std::string& name : list_directory(directory)) {
    const std::string path = join_path(directory, name);
    if (!fs::is_regular_file(fs::symlink_status(path))) continue;
    const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW)};
    if (file.value >= 0 && ::fsync(file.value) != 0) {
      throw_system_error("cannot flush", path, "is the disk full?");
    }
  }
  sync_directory(directory);
}

std::vector<std::string> glob_files(const std::string& glob) {
  if (exists(glob)) return {glob};  // its name may hold brackets
  const fs::path parts = glob;
  std::vector<std::string> paths;
  if (!parts.empty()) add_matches("", parts.begin(), parts.end(), paths);
  std::ranges::sort(paths);
  if (paths.empty()) {
    throw Error("no such file", {.where = glob,
                                 .expected = "a file, or a glob that matches files",
                                 .got = "nothing of that name",
                                 .hint = path_hint(glob)});
  }
  return paths;
}

std::string join_path(std::string_view directory, std::string_view name) {
  return (fs::path(directory) / name).string();
}

}  // namespace cria
