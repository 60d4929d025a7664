// One page about runs and experiments.
#pragma once

#include <string>
#include <vector>

namespace cria {

inline constexpr const char* kReportFile = "report.html";  // in the directory of a run

// The HTML of a page about these directories, each of a run or of an experiment. Error for one that
// is neither, and for files in them that are not as cria writes them.
std::string make_report(const std::vector<std::string>& directories);

}  // namespace cria
