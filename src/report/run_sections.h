// What runs came to, as charts, tables and sentences.
#pragma once

#include <string>
#include <vector>

#include "report/page.h"
#include "report/run_history.h"

namespace cria {

// "a ends with the lowest validation loss, 1.683, 0.021 below b, after 2000 steps."
std::vector<std::string> verdict_of_runs(const std::vector<RunGroup>& groups);

// The page's sections about them: curves, what differs, diagnostics, samples. Charts about the
// insides of a model only where the runs have log.diagnostics.
void add_curves(Page& page, const std::vector<RunGroup>& groups);
void add_run_facts(Page& page, const std::vector<RunGroup>& groups);
void add_diagnostics(Page& page, const std::vector<RunGroup>& groups);
void add_samples(Page& page, const std::vector<RunGroup>& groups);

// A chart of one key of metrics.jsonl over steps, a line for each group.
Figure key_chart(const std::vector<RunGroup>& groups, const std::string& key,
                 const std::string& title, const std::string& note, const Axis& y,
                 const Size& size);

}  // namespace cria
