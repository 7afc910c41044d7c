#include <strait/result.hpp>

#include <memory>
#include <string>
#include <system_error>
#include <type_traits>
#include <utility>

#include "support/catch.hpp"

using strait::Errc;
using strait::Result;

namespace {

// Counts how many of it live, and can be told apart by `number`.
struct Counted {
  static inline int living = 0;

  explicit Counted(int n) : number(n) { ++living; }
  Counted(const Counted& other) : number(other.number) { ++living; }
  Counted(Counted&& other) noexcept : number(std::exchange(other.number, -1)) { ++living; }
  Counted& operator=(const Counted&) = delete;
  ~Counted() { --living; }

  int number;
};

using MoveOnly = Result<std::unique_ptr<int>>;
static_assert(!std::is_copy_constructible_v<MoveOnly>);
static_assert(std::is_nothrow_move_constructible_v<MoveOnly>);
static_assert(std::is_move_assignable_v<MoveOnly>);
static_assert(std::is_convertible_v<Errc, Result<int>>);
static_assert(std::is_convertible_v<std::error_code, Result<int>>);
static_assert(!std::is_convertible_v<Result<int>, bool>, "a result is asked on purpose only");
static_assert(!std::is_constructible_v<Result<int>, std::string>);

}  // namespace

TEST_CASE("a result holds either the value or the error", "[result]") {
  const Result<int> good = 7;
  CHECK(good.has_value());
  CHECK(static_cast<bool>(good));
  CHECK(*good == 7);
  CHECK(good.value() == 7);
  CHECK_FALSE(good.error());

  const Result<int> bad = Errc::empty;
  CHECK_FALSE(bad.has_value());
  CHECK(bad.error() == Errc::empty);

  const Result<int> system = std::make_error_code(std::errc::no_such_file_or_directory);
  CHECK_FALSE(system.has_value());
  CHECK(system.error() == std::errc::no_such_file_or_directory);
  CHECK(system.error() != Errc::empty);
}

TEST_CASE("a result of a small integer is not an error by accident", "[result]") {
  const Result<std::size_t> zero = std::size_t{0};
  CHECK(zero.has_value());
  CHECK(zero.value() == 0);
  const Result<bool> no = false;
  CHECK(no.has_value());
  CHECK_FALSE(*no);
}

TEST_CASE("asking an error for its value throws that error", "[result]") {
  Result<int> bad = Errc::bad_token;
  CHECK_THROWS_AS(bad.value(), std::system_error);
  CHECK_THROWS_AS(std::as_const(bad).value(), std::system_error);
  CHECK_THROWS_AS(std::move(bad).value(), std::system_error);
  try {
    bad.value();
    FAIL("it did not throw");
  } catch (const std::system_error& error) {
    CHECK(error.code() == Errc::bad_token);
  }
  const Result<void> nothing = Errc::closed;
  CHECK_THROWS_AS(nothing.value(), std::system_error);
}

TEST_CASE("a result of nothing is a success unless it was given an error", "[result]") {
  CHECK(Result<void>().has_value());
  CHECK_FALSE(Result<void>().error());
  CHECK_NOTHROW(Result<void>().value());
  const Result<void> bad = Errc::refused;
  CHECK_FALSE(bad);
  CHECK(bad.error() == Errc::refused);
}

TEST_CASE("value_or gives the value if there is one", "[result]") {
  CHECK(Result<int>(3).value_or(4) == 3);
  CHECK(Result<int>(Errc::empty).value_or(4) == 4);
  const Result<std::string> bad = Errc::empty;
  CHECK(bad.value_or("other") == "other");
}

TEST_CASE("a result reaches into its value", "[result]") {
  Result<std::string> text = std::string("hello");
  CHECK(text->size() == 5);
  text->append("!");
  CHECK(*text == "hello!");
  const std::string taken = std::move(text).value();
  CHECK(taken == "hello!");
}

TEST_CASE("a result moves what it holds and copies it only when asked to", "[result]") {
  MoveOnly first = std::make_unique<int>(5);
  MoveOnly second = std::move(first);
  REQUIRE(second);
  CHECK(**second == 5);
  CHECK(first.has_value());  // a moved value is still a value
  CHECK(*first == nullptr);

  MoveOnly third = Errc::empty;
  third = std::move(second);
  REQUIRE(third);
  CHECK(**third == 5);
  const std::unique_ptr<int> out = *std::move(third);
  CHECK(*out == 5);
}

TEST_CASE("each value is destroyed once, however results are copied, moved and assigned",
          "[result]") {
  REQUIRE(Counted::living == 0);
  {
    Result<Counted> value = Counted(1);
    Result<Counted> copy = value;
    CHECK(Counted::living == 2);
    CHECK(copy->number == 1);
    Result<Counted> moved = std::move(copy);
    CHECK(moved->number == 1);
    CHECK(copy->number == -1);

    Result<Counted> error = Errc::empty;
    error = value;  // error <- value
    CHECK(error->number == 1);
    value = Errc::closed;  // value <- error
    CHECK(value.error() == Errc::closed);
    value = Errc::busy;  // error <- error
    CHECK(value.error() == Errc::busy);
    error = Counted(9);  // value <- value
    CHECK(error->number == 9);
    Result<Counted>& same = error;
    error = same;
    CHECK(error->number == 9);
    error = std::move(same);
    CHECK(error.has_value());
    CHECK(Counted::living == 3);
  }
  CHECK(Counted::living == 0);
}

TEST_CASE("a result passes an error on to a result of another type", "[result]") {
  const auto fails = []() -> Result<int> { return Errc::name_taken; };
  const auto outer = [&]() -> Result<std::string> {
    const auto inner = fails();
    if (!inner) return inner.error();
    return std::string("never");
  };
  CHECK(outer().error() == Errc::name_taken);
}
