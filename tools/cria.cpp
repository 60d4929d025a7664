// cria: parses nothing but the subcommand's name; the only place that turns errors into exit codes.
#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <exception>
#include <new>
#include <string>
#include <thread>
#include <vector>

#include "base/unicode.h"
#include "base/version.h"
#include "cli/commands.h"
#include "cli/cut_files.h"
#include "cli/terminal.h"
#include "cria/base/error.h"
#include "cria/base/parallel.h"
#include "cria/kernels/kernels.h"
#include "distributed/communicator.h"
#include "kernels/isa.h"

namespace cria {

const std::vector<Command>& commands() {
  static const std::vector<Command> all = {
      {"prepare", run_prepare, "text to tokenizer and token shards"},
      {"train", run_train, "train a model from a config file"},
      {"experiment", run_experiment,
       "variants of a config, trained with several seeds and compared"},
      {"compare", run_compare, "runs side by side"},
      {"report", run_report, "runs and experiments as one page of charts"},
      {"eval", run_eval, "loss, perplexity and bits per byte of a model"},
      {"score", run_score, "the loss of a text, token by token"},
      {"generate", run_generate, "text from a model"},
      {"inspect", run_inspect, "what is in a model, a tokenizer or a dataset"},
      {"trace", run_trace, "a text through a model, step by step"},
      {"verify", run_verify, "whether files of cria's are what was written"},
      {"export", run_export, "a model in the files of other programs"},
      {"import", run_import, "a GGUF or llama2.c file as a model directory"},
      {"gradcheck", run_gradcheck, "analytic against numeric gradients"},
      {"bench", run_bench, "speed of a training step, kernel by kernel"},
      {"demo", run_demo, "all of it on a corpus of small stories, in under 3 minutes"},
      {"completion", run_completion, "a script that completes commands in a shell"},
      {"help", run_help, "this list, or what a command does"},
  };
  return all;
}

const Command& find_command(const std::string& name) {
  std::vector<std::string> names;
  for (const Command& command : commands()) {
    if (command.name == name) return command;
    names.push_back(command.name);
  }
  const std::string guess = did_you_mean(name, names);
  throw UsageError("unknown command '" + name + "'",
                   {.hint = guess.empty() ? "'cria --help' lists them" : guess});
}

namespace {

int dispatch(const Arguments& arguments) {
  if (arguments.empty()) {
    print_commands(stderr);
    return 2;
  }
  const std::string& name = arguments.front();
  if (name == "--help" || name == "-h") {
    print_commands(stdout);
    return 0;
  }
  if (name == "--version") {
    const std::string commit = *kCommit ? std::string(" (") + kCommit + ")" : "";
    std::printf("cria %s%s, %s kernels (of %s), %s\n", kCriaVersion, commit.c_str(), kernels().isa,
                joined(available_isas(), ", ").c_str(),
                has_openmp() ? (std::to_string(max_threads()) +
                                (max_threads() == 1 ? " thread" : " threads"))
                                   .c_str()
                             : "built without OpenMP: one core");
    return 0;
  }
  return find_command(name).run({arguments.begin() + 1, arguments.end()});
}

// Of several processes all end. What ends each of them is told by the first alone: the others leave
// it a moment to do so.
int report(const char* text, int code) {
  const int rank = rank_in_world();
  if (rank > 0) std::this_thread::sleep_for(std::chrono::seconds(1));
  const std::string who = rank < 0 ? "" : "rank " + std::to_string(rank) + ": ";
  const bool color = takes_colors(stderr);
  std::fprintf(stderr, "%scria: %serror:%s %s\n", color ? "\033[31m" : "", who.c_str(),
               color ? "\033[0m" : "", text);
  end_world(code);
  return code;
}

// A file that is opened next would have the number of a closed stream, and get what is printed.
void open_standard_streams() {
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(stream, F_GETFD) == -1) ::open("/dev/null", O_RDWR);
  }
}

}  // namespace
}  // namespace cria

int main(int argc, char** argv) {
  cria::open_standard_streams();
  cria::report_cut_files();
  try {
    const int code = cria::dispatch(cria::Arguments(argv + 1, argv + argc));
    // A full disk or a closed pipe behind standard output is a failure too.
    if (std::fflush(stdout) != 0 || std::ferror(stdout))
      return cria::report("cannot write to standard output", 1);
    cria::leave_world();
    return code;
  } catch (const cria::UsageError& error) {
    return cria::report(error.what(), 2);
  } catch (const std::bad_alloc&) {
    return cria::report(
        "not enough memory\n  hint: make the batch, the sequence or the model smaller", 1);
  } catch (const std::exception& error) {
    return cria::report(error.what(), 1);
  }
}
