// Ctrl-C and SIGTERM for commands that end in an orderly way.
#pragma once

#include <atomic>

namespace cria {

// From now on the first Ctrl-C (or SIGTERM) turns the flag true; the second one ends the program at
// once.
const std::atomic<bool>& stop_on_signals();

}  // namespace cria
