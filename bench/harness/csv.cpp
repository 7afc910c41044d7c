#include "harness/csv.hpp"

#include <fmt/format.h>

#include <stdexcept>

#include "harness/system_error.hpp"

namespace bench {

CsvFile::CsvFile(const std::string& path) {
  if (path.empty()) return;
  file_.reset(std::fopen(path.c_str(), "we"));
  if (file_ == nullptr) throw_errno(path);
  fmt::print(
      file_.get(),
      "experiment,case,bytes,rounds,messages,p50_us,p98_us,p999_us,p9999_us,messages_per_s\n");
}

void CsvFile::write(const CsvRow& row) {
  if (file_ == nullptr) return;
  const std::string bytes = row.bytes ? std::to_string(*row.bytes) : "";
  const auto us = [](const std::optional<double>& value) {
    return value ? fmt::format("{:.3f}", *value) : "";
  };
  const std::string latency =
      row.latency ? fmt::format("{:.3f},{:.3f}", row.latency->p50_us, row.latency->p98_us) : ",";
  const std::string rate = row.messages_per_s ? fmt::format("{:.0f}", *row.messages_per_s) : "";
  fmt::print(file_.get(), "{},{},{},{},{},{},{},{},{}\n", row.experiment, row.case_name, bytes,
             row.rounds, row.messages, latency, us(row.tail.p999_us), us(row.tail.p9999_us), rate);
}

void CsvFile::finish() {
  if (file_ == nullptr) return;
  if (std::ferror(file_.get()) != 0 || std::fflush(file_.get()) != 0) {
    throw std::runtime_error("the CSV file could not be written");
  }
}

}  // namespace bench
