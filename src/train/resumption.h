// What a run that goes on does otherwise than before, and what follows from that.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cria/base/json.h"
#include "cria/train/run_config.h"

namespace cria {

// The same bits as without an interruption are only had with the same settings.
struct Resumption {
  std::string run;      // its directory
  int64_t step;         // that the checkpoint has behind it
  bool change = false;  // it may become another run from here on
};

// `now` is to go on with the run, resolved; earlier: the text of its config.toml, "" where that is
// missing. Says in lines which keys have other values, and the learning rate before and after,
// where that jumps or the run becomes longer. Error for fewer train.steps than there are behind it,
// and, unless it may become another run, for keys with which the steps done would have had other
// bits.
std::vector<std::string> compare_settings(const Resumption& resumption, const std::string& earlier,
                                          const RunConfig& now);

// The same for data, as checkpoints describe them (see describe_data); lines: none or one.
std::vector<std::string> compare_data(const Resumption& resumption, const Json& earlier,
                                      const Json& now);

}  // namespace cria
