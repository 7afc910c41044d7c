#include <strait/os/windows/spawn.hpp>

#include <string>

#include "support/catch.hpp"

#include <shellapi.h>

using strait::windows::append_quoted;

TEST_CASE("words of a command line are taken apart as they were put together", "[spawn]") {
  const std::wstring words[] = {L"program",  L"",          L"two words", L"\"quoted\"",    L"a\\b",
                                L"a\\\\\"b", L"ends in\\", L"\\\\",      L"tab\tand\nline"};
  std::wstring line;
  for (const std::wstring& word : words) append_quoted(line, word);
  int count = 0;
  wchar_t** apart = ::CommandLineToArgvW(line.c_str(), &count);
  REQUIRE(apart != nullptr);
  CHECK(count == 9);
  for (int i = 0; i != count; ++i) CHECK(std::wstring(apart[i]) == words[i]);
  ::LocalFree(apart);
}

TEST_CASE("a program that is not there, or whose path is no text, is an error", "[spawn]") {
  const strait::windows::StandardHandles none{nullptr, nullptr, nullptr};
  CHECK(strait::windows::spawn("C:\\nowhere\\program.exe", {}, none).error() ==
        std::errc::no_such_file_or_directory);
  CHECK(strait::windows::spawn("\xff", {}, none).error() == std::errc::invalid_argument);
  CHECK(strait::windows::spawn(std::string("a\0b", 3), {}, none).error() ==
        std::errc::invalid_argument);
}
