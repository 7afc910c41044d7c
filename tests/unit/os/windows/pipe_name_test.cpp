#include <strait/os/windows/name_claim.hpp>
#include <strait/os/windows/pipe_name.hpp>

#include <string>

#include "support/catch.hpp"
#include "support/runtime_dir.hpp"

using strait::Errc;
using strait::windows::NameClaim;
using strait::windows::object_name;
using strait::windows::Protection;

TEST_CASE("names that differ in case alone are different pipes", "[pipe_name]") {
  const auto folded = [](std::wstring name) {
    for (wchar_t& c : name) {
      if (c >= L'A' && c <= L'Z') c = static_cast<wchar_t>(c - L'A' + L'a');
    }
    return name;
  };
  CHECK(folded(object_name("Name")) != folded(object_name("name")));
  CHECK(folded(object_name("nAme")) != folded(object_name("Name")));
  CHECK(object_name("name") == object_name("name"));
}

TEST_CASE("the longest names are names of pipes, and paths have no backslash in theirs",
          "[pipe_name]") {
  for (const std::string& name : {std::string(64, 'A'), "/" + std::string(99, '\\')}) {
    const auto pipe = L"\\\\.\\pipe\\pipe-" + object_name(name);
    CHECK(pipe.size() <= 256);
    CHECK(object_name(name).find(L'\\') == std::wstring::npos);
  }
  CHECK(object_name("/a") != object_name("/b"));
  CHECK(object_name("/a") != object_name("a"));
}

TEST_CASE("a name is held by one at a time", "[pipe_name]") {
  const auto name = L"pipe-" + object_name(strait_test::unique_name());
  const auto protection = Protection::create().value();
  CHECK_FALSE(NameClaim::is_held(name));
  {
    const auto claim = NameClaim::create(name, protection).value();
    CHECK(NameClaim::is_held(name));
    CHECK(NameClaim::create(name, protection).error() == Errc::name_taken);
  }
  CHECK_FALSE(NameClaim::is_held(name));
  CHECK(NameClaim::create(name, protection));
}
