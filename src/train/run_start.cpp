#include "train/run_start.h"

#include "base/machine.h"
#include "base/version.h"
#include "cria/base/parallel.h"
#include "cria/kernels/kernels.h"
#include "data/dataset_json.h"

namespace cria {

Json run_start(int64_t step, const std::vector<std::string>& train_files,
               const std::vector<std::string>& val_files) {
  return Json::Object{{"step", step},
                      {"version", kCriaVersion},
                      {"commit", kCommit},
                      {"processor", processor_name()},
                      {"kernels", kernels().isa},
                      {"threads", max_threads()},
                      {"train_data", data_checksum(train_files)},
                      {"val_data", data_checksum(val_files)}};
}

}  // namespace cria
