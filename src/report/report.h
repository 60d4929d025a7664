// One page about runs, experiments and models.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace cria {

inline constexpr const char* kReportFile = "report.html";  // in the directory of a run

// The HTML of a page about these directories, each of a run, of an experiment, or of a model. Of a
// model, and of a run that is the only one, it shows the embeddings. text: also what the first of
// them, a MODEL, makes of it. Error for a directory that is none of these, and for files in them
// that are not as cria writes them.
std::string make_report(const std::vector<std::string>& directories,
                        const std::optional<std::string>& text = {});

}  // namespace cria
