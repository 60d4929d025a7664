// A bench beside an earlier one.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/timing.h"
#include "cria/base/json.h"

namespace cria {

// The same work then and now.
struct Change {
  std::string name;  // "step" or a kernel's
  Median then, now;  // seconds

  double ratio() const { return now.value / then.value; }
  // The ratio is between these two, as far as both intervals tell.
  double ratio_low() const { return now.low / then.high; }
  double ratio_high() const { return now.high / then.low; }
  bool is_noise() const { return ratio_low() <= 1 && ratio_high() >= 1; }  // the intervals overlap
};

// What `cria bench --json` has printed into a file.
class EarlierBench {
 public:
  // Error for what is no such file.
  explicit EarlierBench(const std::string& path);

  // Error when that was another model or another batch. config: as config_json has it.
  void require_config(const Json& config) const;

  // The step and the kernels that are also in `now`, which is what to_json made of this bench's
  // report; Error when there are none.
  std::vector<Change> changes(const Json& now) const;

  // What else is not the same as `now` and changes times: "x.json: machine.threads: 2 then, 1 now".
  std::vector<std::string> warnings(const Json& now) const;

 private:
  std::string path_;
  Json json_;
  std::vector<std::pair<std::string, Median>> medians_;
};

Json to_json(const std::vector<Change>& changes);
void print(const std::vector<Change>& changes);

}  // namespace cria
