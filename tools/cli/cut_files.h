// Files that get shorter while the program reads them.
#pragma once

namespace cria {

// From now on, reading what is no longer there of a mapped file ends the program with exit code 1
// and a message that names the file and the byte (both on Linux only). The system tells of it by a
// signal, SIGBUS, in the middle of any loop of any thread: nothing can be unwound.
void report_cut_files();

}  // namespace cria
