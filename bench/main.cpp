#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstddef>
#include <exception>
#include <string>
#include <vector>

#include "experiments/experiments.hpp"
#include "experiments/fan_out.hpp"
#include "harness/native.hpp"
#include "harness/session.hpp"
#include "strait/config.hpp"

namespace {

struct Experiment {
  const char* name;
  const char* about;
  int (*run)(const bench::Options&);
};

constexpr Experiment experiments[] = {
    {"table", "the reference's two tables anew (the default); with --all, every case",
     bench::run_table},
    {"replay", "the reference's hour of browsing over each case", bench::run_replay},
    {"stream", "messages of one size, one way, as fast as they go", bench::run_stream},
    {"limits", "what the system can do at the most, and how near the library comes",
     bench::run_limits},
    {"peers", "Boost.Interprocess, ZeroMQ, nng and iceoryx at the same work", bench::run_peers},
    {"machines", "past one machine: the library's cost over bare libzmq", bench::run_machines},
    {"bridge", "the library direct, and behind a thread and a pipe as in 2008", bench::run_bridge},
    {"ool", "large messages: handed over, and written and read as a whole", bench::run_ool},
#if !STRAIT_HAS_WINDOWS
    {"fan-out", "one message to many receivers: copied for each, or one memory for all",
     bench::run_fan_out},
#endif
    {"idle", "CPU time of a channel over which nothing comes", bench::run_idle},
    {"serializers", "messages with parts, by each serializer", bench::run_serializers},
    {"loops", "a channel in event loops beside its own wait and a bare epoll", bench::run_loops},
    {"calls", "a call and its reply beside a bare round trip", bench::run_calls},
    {"allocations", "how often sending and receiving goes to the heap", bench::run_allocations},
};

void add_options(CLI::App& app, bench::Options& options, std::string& cores) {
  std::vector<std::string> names;
  for (const bench::Case& one : bench::all_cases()) names.emplace_back(one.name);
  app.add_option("--csv", options.csv_path, "write the figures to this file")->type_name("FILE");
  app.add_option("--cores", cores, "cores of the two processes (default: the first two allowed)")
      ->type_name("A,B");
  app.add_option("--cases", options.cases, "only these cases, with commas")
      ->delimiter(',')
      ->check(CLI::IsMember(names))
      ->type_name("LIST");
  app.add_option("--sizes", options.sizes, "message sizes in bytes, with commas")
      ->delimiter(',')
      ->check(CLI::Range(std::size_t{1}, std::size_t{256} << 20))
      ->type_name("LIST");
  app.add_option("--rounds", options.rounds,
                 "rounds over all cases (default: 5, and of some experiments others)")
      ->check(CLI::Range(std::size_t{1}, std::size_t{1000}))
      ->type_name("N");
  app.add_flag("--quick", options.quick, "a smoke run of few messages");
}

}  // namespace

int main(int argc, char** argv) {
  // The second process is this program, too; no user types this.
  if (argc == 3 && std::string(argv[1]) == "serve") {
    return bench::serve(std::stoi(argv[2]));
  }

#if !STRAIT_HAS_WINDOWS
  if (argc == 4 && std::string(argv[1]) == "receive") {
    return bench::receive_fan_out(argv[2], std::stoi(argv[3]));
  }
#endif

  // A daemon that must not outlive what has started it.
  if (argc >= 3 && std::string(argv[1]) == "become") {
    bench::die_with_parent();
    ::execv(argv[2], argv + 2);
    return 1;
  }

  CLI::App app("Measures what it costs to move messages between two processes.", "strait_bench");
  app.require_subcommand(0, 1);
  bench::Options options;
  std::string cores;
  add_options(app, options, cores);
  for (const Experiment& one : experiments) {
    add_options(*app.add_subcommand(one.name, one.about), options, cores);
  }
  for (CLI::App* one : {&app, app.get_subcommand("table"), app.get_subcommand("ool")}) {
    one->add_option("--plot", options.plot_path,
                    "draw the figures into this file (SVG, by gnuplot)")
        ->type_name("FILE");
  }
  for (CLI::App* one : {&app, app.get_subcommand("table")}) {
    one->add_flag("--all", options.all, "every case, not only the reference's");
  }
  std::string footer = "Cases:\n";
  for (const bench::Case& one : bench::all_cases()) {
    footer += fmt::format("  {:<20}{}\n", one.name, one.about);
  }
  app.footer(footer);
  CLI11_PARSE(app, argc, argv);

  try {
    options.cores = bench::parse_cores(cores);
    options.machine = bench::machine_line(options.cores);
    for (const Experiment& one : experiments) {
      if (app.got_subcommand(one.name)) return one.run(options);
    }
    return bench::run_table(options);
  } catch (const std::exception& error) {
    fmt::print(stderr, "strait_bench: {}\n", error.what());
    return 1;
  }
}
