// What position encodings do, as charts: of all that there are, or of a model's own.
#pragma once

#include <string>

#include "cria/model/llama.h"
#include "inspect/trace.h"
#include "report/page.h"

namespace cria {

// The HTML of a page about every encoding, side by side, each in a small model that no one trained.
std::string make_position_report();
// The same of a MODEL's own, with the two sections below; text "": without the second. Errors as of
// load_model and trace.
std::string make_position_report(const std::string& path, const std::string& text);

// A section about the model's own encoding, as training has left it.
void add_positions(Page& page, Llama& model);

// token + position = input, row by row; of an encoding that adds nothing there, what becomes of the
// queries of layer 0.
void add_input_sum(Page& page, const Trace& trace);

}  // namespace cria
