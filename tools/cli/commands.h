// The subcommands: each takes what follows its name and returns the exit code.
#pragma once

#include <string>
#include <vector>

namespace cria {

using Arguments = std::vector<std::string>;

int run_prepare(const Arguments& arguments);
int run_train(const Arguments& arguments);
int run_experiment(const Arguments& arguments);
int run_report(const Arguments& arguments);
int run_eval(const Arguments& arguments);
int run_generate(const Arguments& arguments);
int run_inspect(const Arguments& arguments);
int run_trace(const Arguments& arguments);
int run_verify(const Arguments& arguments);
int run_export(const Arguments& arguments);
int run_import(const Arguments& arguments);
int run_gradcheck(const Arguments& arguments);
int run_bench(const Arguments& arguments);
int run_demo(const Arguments& arguments);

// What is returned when Ctrl-C or SIGTERM ended a command in an orderly way: 128 + SIGINT, as a
// shell has it.
inline constexpr int kInterrupted = 130;

}  // namespace cria
