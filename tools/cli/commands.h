// The subcommands: each takes what follows its name and returns the exit code.
#pragma once

#include <cstdio>
#include <string>
#include <vector>

namespace cria {

using Arguments = std::vector<std::string>;

int run_prepare(const Arguments& arguments);
int run_train(const Arguments& arguments);
int run_experiment(const Arguments& arguments);
int run_compare(const Arguments& arguments);
int run_report(const Arguments& arguments);
int run_eval(const Arguments& arguments);
int run_score(const Arguments& arguments);
int run_generate(const Arguments& arguments);
int run_inspect(const Arguments& arguments);
int run_trace(const Arguments& arguments);
int run_verify(const Arguments& arguments);
int run_export(const Arguments& arguments);
int run_import(const Arguments& arguments);
int run_gradcheck(const Arguments& arguments);
int run_bench(const Arguments& arguments);
int run_demo(const Arguments& arguments);
int run_completion(const Arguments& arguments);
int run_help(const Arguments& arguments);

struct Command {
  std::string name;
  int (*run)(const Arguments&);
  const char* summary;
};

// All of them, in the order in which they are listed.
const std::vector<Command>& commands();
// UsageError, naming the nearest, for a name that is none of theirs.
const Command& find_command(const std::string& name);

void print_commands(std::FILE* out);  // the list, with a line for each

// What is returned when Ctrl-C or SIGTERM ended a command in an orderly way: 128 + SIGINT, as a
// shell has it.
inline constexpr int kInterrupted = 130;

}  // namespace cria
