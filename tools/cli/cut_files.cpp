#include "cli/cut_files.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace cria {
namespace {

// All below is called by the handler of a signal: no memory, no locks, no stdio.

void say(std::string_view text) {
  [[maybe_unused]] const ssize_t ignored = ::write(STDERR_FILENO, text.data(), text.size());
}

// "FILE at byte N: " if a line of /proc/self/maps is of the mapping that holds the address:
// "BEGIN-END rw-p OFFSET DEVICE INODE  FILE".
bool say_place(std::string_view line, uintptr_t address) {
  const char* at = line.data();
  const auto number = [&] {
    uintptr_t value = 0;
    at = std::from_chars(at, line.data() + line.size(), value, 16).ptr + 1;
    return value;
  };
  const uintptr_t begin = number(), end = number();
  const size_t file = line.find('/');
  if (address < begin || address >= end || file == line.npos) return false;
  at += std::strlen("rw-p ");
  std::array<char, 24> byte;
  const auto written = std::to_chars(byte.begin(), byte.end(), number() + address - begin);
  say(line.substr(file));
  say(" at byte ");
  say({byte.data(), static_cast<size_t>(written.ptr - byte.data())});
  say(": ");
  return true;
}

void say_place(uintptr_t address) {
  std::array<char, 8192> buffer;  // a path has at most 4096 bytes
  const int maps = ::open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
  size_t used = 0;
  for (ssize_t count; (count = ::read(maps, buffer.data() + used, buffer.size() - used)) > 0;) {
    used += static_cast<size_t>(count);
    std::string_view rest(buffer.data(), used);
    for (size_t end; (end = rest.find('\n')) != rest.npos; rest.remove_prefix(end + 1)) {
      if (say_place(rest.substr(0, end), address)) return;
    }
    used = rest.size();
    std::memmove(buffer.data(), rest.data(), used);
  }
}

void end_of_program(int, siginfo_t* info, void*) {
  say("cria: error: ");
  say_place(reinterpret_cast<uintptr_t>(info->si_addr));
  say("the file was cut short while it was read\n"
      "  hint: write a new file and rename it, instead of changing one that is in use\n");
  ::_exit(1);
}

}  // namespace

void report_cut_files() {
  struct sigaction action {};
  action.sa_sigaction = end_of_program;
  action.sa_flags = SA_SIGINFO | SA_RESETHAND;
  ::sigaction(SIGBUS, &action, nullptr);
}

}  // namespace cria
