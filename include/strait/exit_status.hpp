#pragma once

#include <cstring>
#include <optional>
#include <string>
#include <system_error>

namespace strait {

/// How a process ended: by itself with an exit code, or by a signal; on Windows
/// always by a code.
struct ExitStatus {
  int code = 0;
  int signal = 0;

  bool success() const noexcept { return code == 0 && signal == 0; }
  friend bool operator==(const ExitStatus&, const ExitStatus&) = default;
};

namespace detail {

/// Values are signals, or `exited` and an exit code: 0 would be no error.
class ChildEndCategory final : public std::error_category {
 public:
  static constexpr int exited = 256;

  constexpr ChildEndCategory() = default;
  const char* name() const noexcept override { return "strait child"; }
  std::string message(int value) const override {
    const std::string how = value >= exited ? "exited with code " + std::to_string(value - exited)
                                            : "was ended by signal " + std::to_string(value);
    return "the child " + how +
           " before it was connected: look at what it has printed, and run "
           "it by hand";
  }
};

inline constinit const ChildEndCategory child_end_category;

}  // namespace detail

/// The error that says how a child ended which should have connected.
inline std::error_code make_error_code(const ExitStatus& status) noexcept {
  return {status.signal != 0 ? status.signal : detail::ChildEndCategory::exited + status.code,
          detail::child_end_category};
}

/// How the child ended, if that is what an error of `launch` says.
inline std::optional<ExitStatus> exit_status(const std::error_code& error) noexcept {
  // Another shared object may have a category object of its own.
  if (error.category() != detail::child_end_category &&
      std::strcmp(error.category().name(), detail::child_end_category.name()) != 0) {
    return std::nullopt;
  }
  constexpr int exited = detail::ChildEndCategory::exited;
  return error.value() >= exited ? ExitStatus{error.value() - exited, 0}
                                 : ExitStatus{0, error.value()};
}

}  // namespace strait
