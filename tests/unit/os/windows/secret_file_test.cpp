// Tokens in files that are one user's alone, by their access control lists.

#include "strait/os/windows/secret_file.hpp"

#include <array>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <system_error>

#include "strait/token.hpp"
#include "support/catch.hpp"
#include "support/runtime_dir.hpp"

using strait::Errc;
using strait::Token;
using strait::windows::make_file;
using strait::windows::wide;

namespace {

const std::string digits = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1eff";

/// A directory that is this test's own.
class SecretDirectory {
 public:
  SecretDirectory() { std::filesystem::create_directory(path_); }
  ~SecretDirectory() { std::filesystem::remove_all(path_); }
  SecretDirectory(const SecretDirectory&) = delete;
  SecretDirectory& operator=(const SecretDirectory&) = delete;

  std::string operator/(const std::string& name) const { return path_ + '/' + name; }
  std::size_t files() const {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(path_), {}));
  }

 private:
  std::string path_ = strait_test::runtime_dir() + '/' + strait_test::unique_name("secrets");
};

/// A file as this user would make one that is private.
void write_private(const std::string& path, const std::string& text) {
  const auto file = make_file(wide(path).value()).value();
  REQUIRE(strait::windows::write_once(file.get(), text));
}

std::string text_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// Gives everyone this access, beside what the owner has.
void let_everyone(const std::string& path, DWORD access) {
  alignas(void*) std::byte everyone[SECURITY_MAX_SID_SIZE];
  DWORD size = sizeof everyone;
  REQUIRE(::CreateWellKnownSid(WinWorldSid, nullptr, everyone, &size));
  const auto& user = strait::windows::effective_user();
  std::array<EXPLICIT_ACCESSW, 2> entries{};
  for (auto& entry : entries) {
    entry.grfAccessMode = GRANT_ACCESS;
    entry.Trustee.TrusteeForm = TRUSTEE_IS_SID;
  }
  entries[0].grfAccessPermissions = GENERIC_ALL;
  entries[0].Trustee.ptstrName =
      reinterpret_cast<wchar_t*>(const_cast<std::byte*>(user.bytes().data()));
  entries[1].grfAccessPermissions = access;
  entries[1].Trustee.ptstrName = reinterpret_cast<wchar_t*>(everyone);
  PACL list = nullptr;
  REQUIRE(::SetEntriesInAclW(2, entries.data(), nullptr, &list) == ERROR_SUCCESS);
  const strait::windows::LocalMemory owned(list);
  auto name = wide(std::filesystem::path(path).make_preferred().string()).value();
  REQUIRE(::SetNamedSecurityInfoW(name.data(), SE_FILE_OBJECT,
                                  DACL_SECURITY_INFORMATION | PROTECTED_DACL_SECURITY_INFORMATION,
                                  nullptr, nullptr, list, nullptr) == ERROR_SUCCESS);
}

}  // namespace

TEST_CASE("a token in a file is made once, and is the same from then on", "[token][windows]") {
  const SecretDirectory directory;
  const std::string path = directory / "token";
  const auto made = Token::load_or_create(path);
  REQUIRE(made);
  CHECK(directory.files() == 1);
  CHECK(text_of(path) == made->to_hex() + '\n');
  CHECK(Token::load_or_create(path).value() == *made);
}

TEST_CASE("a token is not taken from a file that others may open, nor from what is no file",
          "[token][windows]") {
  const SecretDirectory directory;
  const std::string path = directory / "token";
  SECTION("one that is private, for comparison") {
    write_private(path, digits + "\n");
    CHECK(Token::load_or_create(path).value().to_hex() == digits);
    return;
  }
  SECTION("readable by others") {
    write_private(path, digits + "\n");
    let_everyone(path, GENERIC_READ);
  }
  SECTION("writable by others") {
    write_private(path, digits + "\n");
    let_everyone(path, GENERIC_WRITE);
  }
  SECTION("a directory") { std::filesystem::create_directory(path); }
  CHECK(Token::load_or_create(path).error() == Errc::unsafe_token_file);
  CHECK(directory.files() == 1);
}

TEST_CASE("a token has no place in a directory that is not there, or under a name that is no UTF-8",
          "[token][windows]") {
  const SecretDirectory directory;
  CHECK(Token::load_or_create(directory / "none/token").error() ==
        std::errc::no_such_file_or_directory);
  CHECK(Token::load_or_create(directory / "\xff").error() == std::errc::invalid_argument);
  CHECK(directory.files() == 0);
}
