// The world of a program that is built without MPI.
#include <cstdlib>

#include "cria/base/error.h"
#include "distributed/communicator.h"

namespace cria {

Communicator& world() {
  static Communicator alone;
  // What OpenMPI and MPICH tell the processes they start.
  for (const char* const name : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE"}) {
    const char* const size = std::getenv(name);
    if (!size || std::atoi(size) <= 1) continue;
    throw Error("this program is built without MPI",
                {.where = std::string(name) + "=" + size,
                 .expected = "a single process",
                 .hint = "'make MPI=1' builds build/mpi/cria"});
  }
  return alone;
}

int rank_in_world() {
  return -1;
}

void leave_world() {}

void end_world(int) {}

}  // namespace cria
