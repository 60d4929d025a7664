// This program once more, as a process of its own.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

namespace cria {

class ChildProcess {
 public:
  // Runs 'cria ARGUMENTS', whose output is added to the file `log`. On Linux it is killed when this
  // process dies, however that happens.
  ChildProcess(const std::vector<std::string>& arguments, const std::string& log);
  ~ChildProcess();  // killed, if it is still running
  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&& other) noexcept;

  // Its exit code once it has ended; 128 + the signal's number when one ended it.
  std::optional<int> exit_code();

  void terminate() const;  // asks it to end, as Ctrl-C does

 private:
  pid_t id_ = -1;  // -1: ended, or moved from
};

}  // namespace cria
