// expect: strait: a raw pointer means nothing in another process; send what it points to
// expect: strait: a reference means nothing in another process
// expect: strait: a reference means nothing in another process
// expect: strait: nothing tells which member of a union is alive; make it a std::variant.
// expect: strait: nothing tells which member of a union is alive; make it a std::variant.
// expect: strait: nothing tells which member of a union is alive; make it a std::variant.
// expect: strait: a type with virtual functions can't be made from bytes
// expect: strait: a struct in a message has at most 32 members
// expect: strait: a struct in a message has at most 32 members
// expect: strait: the members of a base class can't be listed
// expect: strait: a const member can't be read
// expect: strait: nothing can refer to a bit-field
// expect: strait: StructSerializer can't see into this type; specialize strait::StructTraits
// expect: strait: StructSerializer can't see into this type; specialize strait::StructTraits
// expect: strait: StructSerializer can't see into this type; specialize strait::StructTraits
// expect: strait: what a view shows lies in the message, which can't be written
// expect: strait: what a view shows is read where it lies, so it is of numbers
// expect: strait: messages are aligned to 64 bytes at the most.
// expect: strait: messages are aligned to 64 bytes at the most.
// expect: strait: a raw pointer means nothing in another process; send what it points to
// expect: strait: StructSerializer needs at least one message type.
// expect: strait: a message type is listed twice in this StructSerializer.
// expect: strait: schema_base_members is at least 1 and at most what this type has.
// expect: strait: this listener takes none of the channel's message types.
// expect: strait: a raw pointer means nothing in another process; send what it points to

#include <strait/serializers/struct.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

struct Request {
  std::string path;
  std::vector<int> ids;
};
struct Shape {
  virtual ~Shape() = default;
  virtual int corners() const { return 0; }
};
union Number {
  int whole;
  float real;
};
struct Eight {
  int a, b, c, d, e, f, g, h;
};
struct Base {
  int id;
};
class Closed {
 public:
  explicit Closed(int id) : id_(id) {}
  int id() const { return id_; }

 private:
  int id_;
};
struct alignas(128) Wide {
  int id;
};

struct Bad {
  Request request;
#if !defined(STRAIT_REJECT)
#elif STRAIT_REJECT == 1
  const char* text;
#elif STRAIT_REJECT == 2
  int& id;
#elif STRAIT_REJECT == 3
  const int& id;
#elif STRAIT_REJECT == 4
  Number number;
#elif STRAIT_REJECT == 5
  union {
    int whole;
    float real;
  };
#elif STRAIT_REJECT == 6
  std::vector<Number> numbers;
#elif STRAIT_REJECT == 7
  std::unique_ptr<Shape> shape;
#elif STRAIT_REJECT == 8
  int m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20,
      m21, m22, m23, m24, m25, m26, m27, m28, m29, m30, m31, m32;
#elif STRAIT_REJECT == 9
  Eight e1, e2, e3, e4, e5;
  int m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21, m22, m23, m24,
      m25, m26, m27, m28, m29, m30, m31, m32, m33, m34, m35, m36, m37, m38, m39, m40, m41, m42;
#elif STRAIT_REJECT == 10
  struct : Base {
    int more;
  } derived;
#elif STRAIT_REJECT == 11
  const int id = 1;
#elif STRAIT_REJECT == 12
  struct {
    unsigned low : 3, high : 5;
  } bits;
#elif STRAIT_REJECT == 13
  std::optional<Closed> closed;
#elif STRAIT_REJECT == 14
  std::shared_ptr<int> shared;
#elif STRAIT_REJECT == 15
  std::unique_ptr<int, std::function<void(int*)>> owned;
#elif STRAIT_REJECT == 16
  std::span<int> ids;
#elif STRAIT_REJECT == 17
  std::span<const std::string> texts;
#elif STRAIT_REJECT == 18
  std::span<const Wide> wide;
#elif STRAIT_REJECT == 20
  std::vector<std::vector<std::optional<int*>>> deep;
#elif STRAIT_REJECT == 23
  static constexpr std::size_t schema_base_members = 2;
#endif
};

#if !defined(STRAIT_REJECT) || STRAIT_REJECT == 24
using Serializer = strait::StructSerializer<Request, Bad>;
#elif STRAIT_REJECT == 19
using Serializer = strait::StructSerializer<Wide>;
#elif STRAIT_REJECT == 21
using Serializer = strait::StructSerializer<>;
#elif STRAIT_REJECT == 22
using Serializer = strait::StructSerializer<Request, Request>;
#elif STRAIT_REJECT == 23
using Serializer = strait::StructSerializer<strait::Evolving<Bad>>;
#elif STRAIT_REJECT == 25
using Serializer = strait::StructSerializer<strait::Evolving<Request>, int*>;
#else
using Serializer = strait::StructSerializer<Request, Bad>;
#endif

int main() {
  auto listener = [](const auto& message) { static_cast<void>(message); };
#if defined(STRAIT_REJECT) && STRAIT_REJECT == 24
  auto deaf = [](std::string_view) {};
  static_cast<void>(Serializer::read(0, {}, deaf));
#endif
  return Serializer::read(0, {}, listener) && Serializer::schema_hash == 0;
}
