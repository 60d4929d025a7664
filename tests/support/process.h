// Other processes for tests: the program under test, run as a user's shell would run it.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <vector>

namespace cria {

struct ProcessResult {
  int exit_code = -1;  // 128 + the signal's number when one ended it, as a shell has it
  std::string out, err;
};

// A running program. Its standard output and error are kept apart; its input is empty.
class Process {
 public:
  static constexpr rlim_t kNoLimit = RLIM_INFINITY;

  // program: an absolute path. With max_file_bytes, writing more to one file fails as it does on a
  // full disk. One OpenMP thread: the processes are short. variables: NAME=VALUE, beside those of
  // this process.
  Process(const std::string& program, const std::vector<std::string>& arguments,
          const std::string& directory, rlim_t max_file_bytes = kNoLimit,
          const std::vector<std::string>& variables = {}) {
    // Between fork and exec of a process with threads, nothing may allocate.
    std::vector<char*> argv = {const_cast<char*>(program.c_str())};
    for (const std::string& argument : arguments)
      argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    std::string threads = "OMP_NUM_THREADS=1";
    std::vector<char*> environment = {threads.data()};
    for (const std::string& variable : variables) {
      environment.push_back(const_cast<char*>(variable.c_str()));
    }
    for (char** each = environ; *each; ++each) {
      if (!std::string(*each).starts_with("OMP_NUM_THREADS=")) environment.push_back(*each);
    }
    environment.push_back(nullptr);
    int pipes[2][2];
    for (auto& ends : pipes) {
      if (::pipe(ends) != 0) throw std::runtime_error("no pipe");
    }
    id_ = ::fork();
    if (id_ < 0) throw std::runtime_error("no process");
    if (id_ == 0) {
      const int input = ::open("/dev/null", O_RDONLY);
      const rlimit limit = {max_file_bytes, max_file_bytes};
      const bool limited = max_file_bytes != kNoLimit;
      if (limited) ::signal(SIGXFSZ, SIG_IGN);
      const bool ready = ::chdir(directory.c_str()) == 0 && ::dup2(input, 0) == 0 &&
                         ::dup2(pipes[0][1], 1) == 1 && ::dup2(pipes[1][1], 2) == 2 &&
                         (!limited || ::setrlimit(RLIMIT_FSIZE, &limit) == 0);
      for (const auto& ends : pipes) {
        ::close(ends[0]);
        ::close(ends[1]);
      }
      if (ready) ::execve(argv[0], argv.data(), environment.data());
      ::_exit(127);
    }
    for (int i = 0; i < 2; ++i) {
      ::close(pipes[i][1]);
      ends_[i] = pipes[i][0];
    }
  }

  ~Process() {
    if (id_ > 0) {
      ::kill(id_, SIGKILL);
      ::waitpid(id_, nullptr, 0);
    }
    for (const int end : ends_) ::close(end);
  }

  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t id() const { return id_; }
  void send(int signal) const { ::kill(id_, signal); }

  // Waits for the end. A process that takes longer than ten minutes is ended, and an exception
  // thrown: virtual machines stand still for a minute or two now and then.
  ProcessResult wait() {
    ProcessResult result;
    std::string* const texts[2] = {&result.out, &result.err};
    pollfd waiting[2] = {{ends_[0], POLLIN, 0}, {ends_[1], POLLIN, 0}};
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(10);
    while (waiting[0].fd >= 0 || waiting[1].fd >= 0) {
      if (std::chrono::steady_clock::now() > deadline) throw std::runtime_error("it hangs");
      if (::poll(waiting, 2, 1000) < 0 && errno != EINTR) throw std::runtime_error("poll failed");
      for (int i = 0; i < 2; ++i) {
        if (waiting[i].fd < 0 || waiting[i].revents == 0) continue;
        std::array<char, 4096> piece;
        const ssize_t count = ::read(ends_[i], piece.data(), piece.size());
        if (count > 0) texts[i]->append(piece.data(), static_cast<size_t>(count));
        if (count == 0) waiting[i].fd = -1;  // poll ignores it from now on
      }
    }
    int status = 0;
    ::waitpid(id_, &status, 0);
    id_ = -1;
    result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return result;
  }

 private:
  pid_t id_ = -1;
  int ends_[2] = {-1, -1};
};

}  // namespace cria
