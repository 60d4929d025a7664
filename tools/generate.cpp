// cria generate: text from a model, as it comes.
#include <cstdio>
#include <utility>

#include "cli/chosen_model.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "cli/terminal.h"
#include "cria/base/json.h"
#include "cria/exchange/load_model.h"
#include "cria/inference/generate.h"

namespace cria {

int run_generate(const Arguments& arguments) {
  Options options("generate", "MODEL --prompt TEXT",
                  "Continue TEXT with MODEL (a checkpoint, a run, or a Hugging Face directory). "
                  "The same seed gives\nthe same text.",
                  {{"prompt", "TEXT",
                    "what the text begins with (default: bos, a line break, or the first token)"},
                   {"special", "", "read special tokens in TEXT as tokens, not as text"},
                   {"max-new-tokens", "N", "tokens to add (default 200)"},
                   {"temperature", "X", "0: always the most likely token (default 0.8)"},
                   {"top-k", "K", "choose among the K most likely (default 0: all)"},
                   {"top-p", "P", "choose among the most likely that add up to P (default 1)"},
                   {"seed", "N", "seed of the random choices (default 1)"},
                   {"stop", "TEXT", "end before this text"},
                   {"ignore-eos", "", "continue where the model ends the text"},
                   {"json", "", "print prompt and text as JSON, at the end"}});
  if (!options.parse(arguments)) return 0;
  options.require_positional(1, 1);
  Sampling sampling;
  sampling.temperature = options.real("temperature", sampling.temperature, 0.0, 1000.0);
  sampling.top_k = options.integer("top-k", 0, 0, INT32_MAX);
  sampling.top_p = options.real("top-p", 1.0, 0.0, 1.0);
  sampling.seed = static_cast<uint64_t>(options.integer("seed", 1, 0, INT64_MAX));
  sampling.max_new_tokens = options.integer("max-new-tokens", 200, 0, INT32_MAX);
  sampling.stop = options.utf8("stop", "");
  sampling.ignore_eos = options.has("ignore-eos");
  sampling.allow_special = options.has("special");

  const LoadedModel loaded = load_model(options.positional().front());
  sampling.end_tokens = loaded.end_tokens;
  const Tokenizer& tokenizer = require_tokenizer(loaded);
  const std::string prompt = options.utf8("prompt", default_prompt(tokenizer));
  tell_chosen_model(options.positional().front(), loaded);
  Generator generator(*loaded.model, tokenizer);
  if (options.has("json")) {
    std::string text;
    const int64_t tokens =
        generator.run(prompt, sampling, [&](std::string_view piece) { text += piece; });
    Json json;
    json.set("prompt", prompt);
    json.set("text", text);
    json.set("tokens", tokens);
    std::printf("%s\n", json.dump().c_str());
    return 0;
  }
  // The prompt goes out with the first piece: then it is known to be made of the model's tokens.
  std::string before;
  bool begins = true;
  for (const int32_t id : tokenizer.encode_prompt(prompt, "the prompt", sampling.allow_special)) {
    before += tokenizer.shown(id, begins);
  }
  generator.run(prompt, sampling, [&](std::string_view piece) {
    const std::string text = shown(stdout, std::exchange(before, "").append(piece));
    std::fwrite(text.data(), 1, text.size(), stdout);
    std::fflush(stdout);
  });
  std::fputc('\n', stdout);
  return 0;
}

}  // namespace cria
