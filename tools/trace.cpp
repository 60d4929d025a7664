// cria trace: a text through a model, step by step.
#include "cli/chosen_model.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "report/report_text.h"
#include "report/trace_report.h"

namespace cria {

int run_trace(const Arguments& arguments) {
  Options options("trace", "MODEL --text TEXT",
                  "What MODEL (a checkpoint, a run, a Hugging Face directory, or a config: its "
                  "initial weights) makes\nof TEXT: tokens, rows of the table, what the position "
                  "encoding does, what each block adds, and the most likely next tokens.",
                  {{"text", "TEXT", "what the model reads"},
                   {"layer", "N", "whose attention is opened up, from 0 (default 0)"},
                   {"head", "N", "the head of it that is shown, from 0 (default 0; JSON: all)"},
                   {"top", "N", "next tokens shown (default 5)"},
                   {"values", "N", "first values shown of each vector (default 4)"},
                   {"json", "", "print everything as JSON, for all tokens and heads"}});
  if (!options.parse(arguments, 1, 1)) return 0;
  if (!options.has("text")) options.refuse("--text is missing", {.hint = "--text 'I love LLMs'"});
  const std::string text = options.utf8("text", "");
  TraceDetail detail = {.top = static_cast<size_t>(options.integer("top", 5, 1, INT32_MAX)),
                        .values = static_cast<size_t>(options.integer("values", 4, 1, INT32_MAX)),
                        .head = 0};
  const LoadedModel loaded = load_model_or_config(options.positional().front());
  const Tokenizer& tokenizer = require_tokenizer(loaded);
  const ModelConfig& config = loaded.model->config();
  const int64_t layer = options.integer("layer", 0, 0, config.num_hidden_layers - 1);
  detail.head = options.integer("head", 0, 0, config.num_attention_heads - 1);
  tell_chosen_model(options.positional().front(), loaded);
  const TraceReport report = {.model = loaded.directory,
                              .text = text,
                              .config = config,
                              .trace = trace(*loaded.model, tokenizer, text, layer)};
  return show(options, report, detail);
}

}  // namespace cria
