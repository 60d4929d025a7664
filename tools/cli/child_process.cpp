#include "cli/child_process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "cria/base/error.h"
#ifdef __linux__
#include <sys/prctl.h>
#endif

namespace cria {
namespace {

// This very program, also when it is not in PATH; elsewhere than on Linux, the one in PATH.
std::string own_program() {
  std::array<char, 4096> path;
  const ssize_t length = ::readlink("/proc/self/exe", path.data(), path.size());
  return length > 0 ? std::string(path.data(), static_cast<size_t>(length)) : "cria";
}

}  // namespace

ChildProcess::ChildProcess(const std::vector<std::string>& arguments, const std::string& log) {
  const std::string program = own_program();
  // Between fork and exec of a process with threads, nothing may allocate.
  std::vector<char*> argv = {const_cast<char*>(program.c_str())};
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  const int output = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (output < 0) throw Error(std::string("cannot open: ") + std::strerror(errno), {.where = log});
  const pid_t parent = ::getpid();
  id_ = ::fork();
  if (id_ == 0) {
#ifdef __linux__
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
    const int input = ::open("/dev/null", O_RDONLY);
    // The parent may have died before it was asked to take this process along.
    const bool ready = ::getppid() == parent && ::dup2(input, 0) == 0 && ::dup2(output, 1) == 1 &&
                       ::dup2(output, 2) == 2;
    if (ready) ::execvp(argv[0], argv.data());
    ::_exit(127);
  }
  const int problem = errno;
  ::close(output);
  if (id_ < 0) {
    throw Error(std::string("cannot start a process: ") + std::strerror(problem),
                {.where = program});
  }
}

ChildProcess::~ChildProcess() {
  if (id_ < 0) return;
  ::kill(id_, SIGKILL);
  ::waitpid(id_, nullptr, 0);
}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept : id_(std::exchange(other.id_, -1)) {}

ChildProcess& ChildProcess::operator=(ChildProcess&& other) noexcept {
  std::swap(id_, other.id_);
  return *this;
}

std::optional<int> ChildProcess::exit_code() {
  int status = 0;
  if (::waitpid(id_, &status, WNOHANG) != id_) return std::nullopt;
  id_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void ChildProcess::terminate() const {
  ::kill(id_, SIGTERM);
}

}  // namespace cria
