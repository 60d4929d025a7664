// Ctrl-C and its like for commands that end in an orderly way.
#pragma once

#include <atomic>

namespace cria {

// From now on Ctrl-C, SIGTERM and SIGHUP (a terminal that was closed) turn the flag true. The
// second Ctrl-C or SIGTERM ends the program at once; SIGHUP comes more than once. Where SIGHUP is
// ignored, as nohup does, it stays so. Closed pipes are ignored too.
const std::atomic<bool>& stop_on_signals();

// From now on a pipe that nobody reads any more ends nothing: writing to it fails.
void ignore_closed_pipes();

}  // namespace cria
