#include "cli/interruption.h"

#include <csignal>

namespace cria {
namespace {

std::atomic<bool> stop_requested = false;
static_assert(std::atomic<bool>::is_always_lock_free, "set from a signal handler");

void request_stop(int) {
  stop_requested = true;
}

void handle(int signal, int flags) {
  struct sigaction action {};
  action.sa_handler = request_stop;
  action.sa_flags = flags;
  ::sigaction(signal, &action, nullptr);
}

}  // namespace

const std::atomic<bool>& stop_on_signals() {
  handle(SIGINT, static_cast<int>(SA_RESETHAND | SA_RESTART));
  handle(SIGTERM, static_cast<int>(SA_RESETHAND | SA_RESTART));
  struct sigaction hangup {};
  ::sigaction(SIGHUP, nullptr, &hangup);
  if (hangup.sa_handler != SIG_IGN) handle(SIGHUP, SA_RESTART);
  ignore_closed_pipes();
  return stop_requested;
}

void ignore_closed_pipes() {
  ::signal(SIGPIPE, SIG_IGN);
}

}  // namespace cria
