// A library that is loaded before the C library (LD_PRELOAD) and stands between a program and its
// files: it counts the calls that change something below one directory, and at one of them kills
// the program, makes the call fail, or writes less than asked. It can also record every call.
//   CRASH_UNDER=DIR       the directory, absolute, without links; nothing else is touched
//   CRASH_AT=N            the call (1, 2, ...) at which it happens
//   CRASH_HOW=kill        killed before the call
//             torn        killed when half of a write is done
//             short       half of a write is done and reported: no error
//             NUMBER      the call fails with this errno
//             full        this call and all later ones that need room fail with ENOSPC
//   CRASH_RECORD=FILE     appends every call: see Recorded in recording.h
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <atomic>
#include <climits>
#include <mutex>

namespace {

constexpr int kMostDescriptors = 1024;

enum class How { nothing, kill, torn, cut, fail, full };

struct Plan {
  char under[PATH_MAX] = "";
  int record = -1;
  long at = 0;
  How how = How::nothing;
  int error = 0;
};

std::atomic<long> calls{0};
std::atomic<bool> watched[kMostDescriptors];
std::mutex one_record;

const Plan& plan() {
  static const Plan plan = [] {
    Plan p;
    if (const char* under = getenv("CRASH_UNDER")) strncpy(p.under, under, sizeof p.under - 1);
    if (const char* at = getenv("CRASH_AT")) p.at = atol(at);
    if (const char* how = getenv("CRASH_HOW")) {
      p.how = strcmp(how, "kill") == 0    ? How::kill
              : strcmp(how, "torn") == 0  ? How::torn
              : strcmp(how, "short") == 0 ? How::cut
              : strcmp(how, "full") == 0  ? How::full
                                          : How::fail;
      p.error = p.how == How::full ? ENOSPC : atoi(how);
    }
    if (const char* record = getenv("CRASH_RECORD")) {
      p.record = static_cast<int>(
          syscall(SYS_openat, AT_FDCWD, record, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
    }
    return p;
  }();
  return plan;
}

// The C library's own function of that name.
template <class Function>
Function original(Function, const char* name) {
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}
#define ORIGINAL(name) original(&name, #name)

// The absolute path; false when it is not below the directory.
bool is_under(int directory, const char* path, char (&whole)[PATH_MAX]) {
  if (!plan().under[0]) return false;
  size_t length = 0;
  if (path[0] != '/') {
    if (directory == AT_FDCWD) {
      if (!getcwd(whole, sizeof whole)) return false;
    } else {
      char link[64] = "/proc/self/fd/";
      int digits = 0;
      char number[16];
      for (int left = directory; left > 0 || digits == 0; left /= 10) {
        number[digits++] = static_cast<char>('0' + left % 10);
      }
      size_t end = strlen(link);
      while (digits > 0) link[end++] = number[--digits];
      const ssize_t count = readlink(link, whole, sizeof whole - 1);
      if (count < 0) return false;
      whole[count] = 0;
    }
    length = strlen(whole);
    whole[length++] = '/';
  }
  if (length + strlen(path) + 1 > sizeof whole) return false;
  strcpy(whole + length, path);
  const size_t prefix = strlen(plan().under);
  return strncmp(whole, plan().under, prefix) == 0 && (whole[prefix] == '/' || !whole[prefix]);
}

// One line of text, then `size` bytes: OPERATION DESCRIPTOR NUMBER SIZE PATH [-> PATH].
void record(const char* operation, int descriptor, int64_t number, const char* path,
            const char* to = "", const void* bytes = nullptr, size_t size = 0) {
  if (plan().record < 0) return;
  const int before = errno;
  const std::lock_guard<std::mutex> lock(one_record);
  char line[3 * PATH_MAX];
  const int length = snprintf(line, sizeof line, "%s\t%d\t%lld\t%zu\t%s\t%s\n", operation,
                              descriptor, static_cast<long long>(number), size, path, to);
  const iovec parts[] = {{line, static_cast<size_t>(length)}, {const_cast<void*>(bytes), size}};
  if (syscall(SYS_writev, plan().record, parts, size ? 2 : 1) < 0) _exit(99);
  errno = before;
}

// What this call is to do.
How next_call(bool needs_room) {
  const Plan& p = plan();
  const long call = ++calls;
  if (p.how == How::full) return call >= p.at && needs_room ? How::fail : How::nothing;
  if (call != p.at) return How::nothing;
  if (p.how == How::kill) kill(getpid(), SIGKILL);
  return p.how;
}

// Whether a call that is no write shall fail; then errno is set.
bool fails(bool needs_room) {
  const How how = next_call(needs_room);
  if (how == How::torn) kill(getpid(), SIGKILL);
  if (how == How::fail) errno = plan().error;
  return how == How::fail;
}

bool is_watched(int descriptor) {
  return 0 <= descriptor && descriptor < kMostDescriptors && watched[descriptor];
}

template <class Open>
int opened(int directory, const char* path, int flags, Open&& open_it) {
  char whole[PATH_MAX];
  const bool under = is_under(directory, path, whole);
  const bool changes = under && (flags & (O_CREAT | O_TRUNC));
  if (changes && fails(true)) return -1;
  const int descriptor = open_it();
  if (under && descriptor >= 0 && descriptor < kMostDescriptors) {
    watched[descriptor] = true;
    record("open", descriptor, flags, whole);
  }
  return descriptor;
}

mode_t mode_of(int flags, va_list& rest) {
  return flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
}

template <class Write>
ssize_t written(int descriptor, int64_t offset, const void* bytes, size_t size, Write&& write_it) {
  if (!is_watched(descriptor)) return write_it(size);
  const How how = next_call(true);
  if (how == How::fail) {
    errno = plan().error;
    return -1;
  }
  const bool half = how == How::torn || (how == How::cut && size > 1);
  const ssize_t count = write_it(half ? size / 2 : size);
  if (how == How::torn) kill(getpid(), SIGKILL);
  if (count > 0) record("write", descriptor, offset, "", "", bytes, static_cast<size_t>(count));
  return count;
}

template <class Call>
int on_path(const char* operation, int directory, const char* path, bool needs_room, Call&& call) {
  char whole[PATH_MAX];
  if (!is_under(directory, path, whole)) return call();
  if (fails(needs_room)) return -1;
  const int result = call();
  if (result == 0) record(operation, -1, 0, whole);
  return result;
}

template <class Call>
int on_paths(const char* operation, const char* from, const char* to, Call&& call) {
  char whole[PATH_MAX], second[PATH_MAX];
  if (!is_under(AT_FDCWD, to, second) || !is_under(AT_FDCWD, from, whole)) return call();
  if (fails(true)) return -1;
  const int result = call();
  if (result == 0) record(operation, -1, 0, whole, second);
  return result;
}

template <class Call>
int on_descriptor(const char* operation, int descriptor, int64_t number, Call&& call) {
  if (!is_watched(descriptor)) return call();
  if (fails(false)) return -1;
  const int result = call();
  if (result == 0) record(operation, descriptor, number, "");
  return result;
}

}  // namespace

extern "C" {

int open(const char* path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = mode_of(flags, rest);
  va_end(rest);
  return opened(AT_FDCWD, path, flags, [&] { return ORIGINAL(open)(path, flags, mode); });
}

int open64(const char* path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = mode_of(flags, rest);
  va_end(rest);
  return opened(AT_FDCWD, path, flags, [&] { return ORIGINAL(open64)(path, flags, mode); });
}

int openat(int directory, const char* path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = mode_of(flags, rest);
  va_end(rest);
  return opened(directory, path, flags,
                [&] { return ORIGINAL(openat)(directory, path, flags, mode); });
}

int close(int descriptor) {
  if (is_watched(descriptor)) {
    watched[descriptor] = false;
    record("close", descriptor, 0, "");
  }
  return ORIGINAL(close)(descriptor);
}

ssize_t write(int descriptor, const void* bytes, size_t size) {
  return written(descriptor, -1, bytes, size,
                 [&](size_t part) { return ORIGINAL(write)(descriptor, bytes, part); });
}

ssize_t pwrite(int descriptor, const void* bytes, size_t size, off_t offset) {
  return written(descriptor, offset, bytes, size,
                 [&](size_t part) { return ORIGINAL(pwrite)(descriptor, bytes, part, offset); });
}

int fsync(int descriptor) {
  return on_descriptor("fsync", descriptor, 0, [&] { return ORIGINAL(fsync)(descriptor); });
}

// It changes nothing, and tells a replay where the next write goes.
off_t lseek(int descriptor, off_t offset, int whence) noexcept {
  const off_t at = ORIGINAL(lseek)(descriptor, offset, whence);
  if (is_watched(descriptor) && at >= 0) record("seek", descriptor, at, "");
  return at;
}

int ftruncate(int descriptor, off_t size) noexcept {
  return on_descriptor("truncate", descriptor, size,
                       [&] { return ORIGINAL(ftruncate)(descriptor, size); });
}

int rename(const char* from, const char* to) noexcept {
  return on_paths("rename", from, to, [&] { return ORIGINAL(rename)(from, to); });
}

// Only to let two names change places.
int renameat2(int from_directory, const char* from, int to_directory, const char* to,
              unsigned flags) noexcept {
  return on_paths("exchange", from, to, [&] {
    return ORIGINAL(renameat2)(from_directory, from, to_directory, to, flags);
  });
}

int link(const char* from, const char* to) noexcept {
  return on_paths("link", from, to, [&] { return ORIGINAL(link)(from, to); });
}

int unlink(const char* path) noexcept {
  return on_path("remove", AT_FDCWD, path, false, [&] { return ORIGINAL(unlink)(path); });
}

int remove(const char* path) noexcept {
  return on_path("remove", AT_FDCWD, path, false, [&] { return ORIGINAL(remove)(path); });
}

int unlinkat(int directory, const char* path, int flags) noexcept {
  return on_path("remove", directory, path, false,
                 [&] { return ORIGINAL(unlinkat)(directory, path, flags); });
}

int rmdir(const char* path) noexcept {
  return on_path("remove", AT_FDCWD, path, false, [&] { return ORIGINAL(rmdir)(path); });
}

int mkdir(const char* path, mode_t mode) noexcept {
  return on_path("mkdir", AT_FDCWD, path, true, [&] { return ORIGINAL(mkdir)(path, mode); });
}

}  // extern "C"
