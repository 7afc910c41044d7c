#pragma once

#include <cstddef>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "harness/figures.hpp"

namespace bench {

/// The figures of a run, one line a case and size. What does not apply stays empty.
struct CsvRow {
  std::string_view experiment;
  std::string_view case_name;
  std::optional<std::size_t> bytes = {};
  std::size_t rounds = 0;
  std::size_t messages = 0;
  std::optional<Latency> latency = {};
  Tail tail = {};
  std::optional<double> messages_per_s = {};
};

class CsvFile {
 public:
  /// Opens at once, so that a wrong path is known before the long run. No path: rows go nowhere.
  explicit CsvFile(const std::string& path);

  void write(const CsvRow& row);
  /// Throws if any row could not be written.
  void finish();

 private:
  struct Close {
    void operator()(std::FILE* file) const noexcept { std::fclose(file); }
  };
  std::unique_ptr<std::FILE, Close> file_;
};

}  // namespace bench
