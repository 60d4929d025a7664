// cria generate: text from a model, as it comes.
#include <cstdio>
#include <utility>

#include "cli/chosen_model.h"
#include "cli/commands.h"
#include "cli/documents.h"
#include "cli/options.h"
#include "cli/terminal.h"
#include "cria/base/json.h"
#include "cria/exchange/load_model.h"
#include "cria/inference/generate.h"
#include "report/report_text.h"

namespace cria {
namespace {

Sampling sampling_of(const Options& options) {
  constexpr double kLargest = 1000;
  Sampling sampling;
  sampling.temperature = options.real("temperature", sampling.temperature, 0.0, kLargest);
  sampling.top_k = options.integer("top-k", 0, 0, INT32_MAX);
  sampling.top_p = options.real("top-p", 1.0, 0.0, 1.0);
  sampling.min_p = options.real("min-p", 0.0, 0.0, 1.0);
  sampling.repetition_penalty = options.real("repetition-penalty", 1.0, 1 / kLargest, kLargest);
  sampling.seed = static_cast<uint64_t>(options.integer("seed", 1, 0, INT64_MAX));
  sampling.max_new_tokens = options.integer("max-new-tokens", 200, 0, INT32_MAX);
  sampling.stop = options.utf8_texts("stop");
  sampling.ignore_eos = options.has("ignore-eos");
  sampling.allow_special = options.has("special");
  return sampling;
}

// All of them are read before the first text: an unfit one is an error at once.
std::vector<Document> prompts_of(const Options& options, const Tokenizer& tokenizer) {
  std::vector<Document> prompts = {
      {"the prompt", options.utf8("prompt", default_prompt(tokenizer))}};
  if (options.has("prompts")) {
    prompts = read_documents(options.text("prompts", ""), {.field = "prompt", .lines = true});
  }
  for (const Document& prompt : prompts) {
    tokenizer.encode_prompt(prompt.text, prompt.where, options.has("special"));
  }
  return prompts;
}

void print_json(Generator& generator, const std::string& prompt, const Sampling& sampling,
                bool of_several) {
  std::string text;
  const int64_t tokens =
      generator.run(prompt, sampling, [&](std::string_view piece) { text += piece; });
  Json json;
  json.set("prompt", prompt);
  json.set("text", text);
  json.set("tokens", tokens);
  if (of_several) json.set("sample", sampling.sample + 1);
  print_json(json);
}

void print_text(Generator& generator, const Tokenizer& tokenizer, const std::string& prompt,
                const Sampling& sampling) {
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
}

}  // namespace

int run_generate(const Arguments& arguments) {
  Options options(
      "generate", "MODEL --prompt TEXT",
      "Continue TEXT with MODEL (a checkpoint, a run, or a Hugging Face directory). The same seed "
      "gives the same text. A text that outgrows the model's positions goes on from the last half "
      "of them (dynamic RoPE: from rope_scaling.factor times as many).",
      {{"prompt", "TEXT",
        "what the text begins with (default: bos, a line break, or the first token)"},
       {"prompts", "FILE",
        "a text for each line of FILE (-: standard input), or for each \"prompt\" of a .jsonl"},
       {"samples", "N", "texts for each prompt (default 1)"},
       {"special", "", "read special tokens in the prompt as tokens, not as text"},
       {"max-new-tokens", "N", "tokens to add (default 200)"},
       {"temperature", "X", "0: always the most likely token (default 0.8)"},
       {"top-k", "K", "choose among the K most likely (default 0: all)"},
       {"top-p", "P", "choose among the most likely that add up to P (default 1)"},
       {"min-p", "P", "choose among those at least P times as likely as the likeliest (default 0)"},
       {"repetition-penalty", "X",
        "above 1: what the text holds already becomes less likely (default 1)"},
       {"seed", "N", "seed of the random choices (default 1)"},
       {"stop", "TEXT", "end before this text; may be given again", true},
       {"ignore-eos", "", "continue where the model ends the text"},
       {"json", "", "print prompt and text as JSON, a line for each text"}});
  if (!options.parse(arguments, 1, 1)) return 0;
  if (options.has("prompt") && options.has("prompts")) {
    options.refuse("--prompt and --prompts exclude each other", {.expected = "one of them"});
  }
  Sampling sampling = sampling_of(options);
  const int64_t samples = options.integer("samples", 1, 1, INT32_MAX);
  const LoadedModel loaded = load_model(options.positional().front());
  sampling.end_tokens = loaded.end_tokens;
  const Tokenizer& tokenizer = require_tokenizer(loaded);
  const std::vector<Document> prompts = prompts_of(options, tokenizer);
  tell_chosen_model(options.positional().front(), loaded);
  Generator generator(*loaded.model, tokenizer);
  for (size_t index = 0; index < prompts.size(); ++index) {
    for (sampling.sample = 0; sampling.sample < samples; ++sampling.sample) {
      if (options.has("json")) {
        print_json(generator, prompts[index].text, sampling, samples > 1);
        continue;
      }
      if (prompts.size() > 1 || samples > 1) {
        std::printf("--- prompt %zu, sample %lld\n", index + 1,
                    static_cast<long long>(sampling.sample + 1));
      }
      print_text(generator, tokenizer, prompts[index].text, sampling);
    }
  }
  return 0;
}

}  // namespace cria
