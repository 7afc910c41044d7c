#include <strait/rights/right_list.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <utility>
#include <vector>

#include "support/catch.hpp"

using strait::detail::Right;
using strait::detail::RightList;
using strait::os::Descriptor;

namespace {

/// A list of new descriptors, and their numbers.
struct Made {
  RightList list;
  std::vector<int> numbers;

  explicit Made(std::size_t count) {
    for (std::size_t i = 0; i != count; ++i) {
      auto file = strait::os::open("/dev/null", O_RDONLY).value();
      numbers.push_back(file.get());
      REQUIRE(list.push({std::move(file)}));
    }
  }
};

std::vector<int> numbers_of(const RightList& list, std::size_t count = SIZE_MAX) {
  std::vector<int> numbers;
  list.for_each([&](const Right& right) { numbers.push_back(right.descriptor.get()); }, count);
  return numbers;
}

}  // namespace

TEST_CASE("a list of rights keeps their order when it is cut and put together", "[right_list]") {
  Made made(5);
  CHECK(numbers_of(made.list) == made.numbers);
  CHECK(numbers_of(made.list, 2) == std::vector(made.numbers.begin(), made.numbers.begin() + 2));
  for (const std::size_t cut : {0u, 1u, 4u, 5u}) {
    CAPTURE(cut);
    RightList front = made.list.split(cut);
    CHECK(front.size() == cut);
    CHECK(made.list.size() == 5 - cut);
    CHECK(made.list.empty() == (cut == 5));
    front.append(std::move(made.list));
    CHECK(made.list.empty());
    made.list = std::move(front);
    CHECK(numbers_of(made.list) == made.numbers);
    // What comes later is the last one.
    REQUIRE(made.list.push({}));
    CHECK(numbers_of(made.list).back() == -1);
    RightList all = made.list.split(5);
    made.list.pop();
    made.list.append(std::move(all));
  }
  made.list.append(RightList());
  CHECK(numbers_of(made.list) == made.numbers);
}

TEST_CASE("a right that leaves its list is closed", "[right_list]") {
  Made made(3);
  made.list.pop();
  CHECK(::fcntl(made.numbers[0], F_GETFD) == -1);
  CHECK(::fcntl(made.numbers[1], F_GETFD) != -1);
  static_cast<void>(made.list.split(1));
  CHECK(::fcntl(made.numbers[1], F_GETFD) == -1);
  made.list.clear();
  CHECK(::fcntl(made.numbers[2], F_GETFD) == -1);
  CHECK(made.list.empty());
}
