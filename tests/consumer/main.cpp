// Built with -Wall and full of warnings, which are this user's business and must stay warnings.
#if __has_include(<strait/strait.hpp>)
#include <strait/strait.hpp>
#endif
#include <strait/version.hpp>

static_assert(__cplusplus >= 202002L, "the target brings C++20 along");

int main(int argc, char**) {
  int unused;
  unsigned char narrowed = argc;
  return narrowed < 0 ? 1 : 0;
}
