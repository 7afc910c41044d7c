#include <strait/version.hpp>

#include "support/catch.hpp"

TEST_CASE("the version in the header is the one that CMake packages", "[version]") {
  CHECK(STRAIT_VERSION_MAJOR == STRAIT_TEST_PACKAGE_MAJOR);
  CHECK(STRAIT_VERSION_MINOR == STRAIT_TEST_PACKAGE_MINOR);
  CHECK(STRAIT_VERSION_PATCH == STRAIT_TEST_PACKAGE_PATCH);
}
