// expect: strait: TrivialSerializer sends trivially copyable types only
// expect: strait: a pointer, a reference or a view means nothing in another process
// expect: strait: messages are aligned to 64 bytes at the most.
// expect: strait: TrivialSerializer needs at least one message type.
// expect: strait: a pointer, a reference or a view means nothing in another process
// expect: strait: a pointer, a reference or a view means nothing in another process
// expect: strait: a pointer, a reference or a view means nothing in another process
// expect: strait: a pointer, a reference or a view means nothing in another process
// expect: strait: a message type is listed twice in this TrivialSerializer.

#include <strait/serializers/trivial.hpp>

#include <array>
#include <string>
#include <string_view>

struct Ping {
  int id;
};
struct Named {
  std::string name;
};
struct alignas(128) Wide {
  int id;
};
struct Deep {
  struct {
    int id;
    const char* names[2];
  } inside;
};
struct Seen {
  int id;
  std::string_view text;
};
struct Bound {
  int& id;
};
struct Wrapped {
  std::array<int Ping::*, 2> members;
};

#if !defined(STRAIT_REJECT)
using Serializer = strait::TrivialSerializer<Ping>;
#elif STRAIT_REJECT == 1
using Serializer = strait::TrivialSerializer<Ping, Named>;
#elif STRAIT_REJECT == 2
using Serializer = strait::TrivialSerializer<Ping, Ping*>;
#elif STRAIT_REJECT == 3
using Serializer = strait::TrivialSerializer<Wide>;
#elif STRAIT_REJECT == 4
using Serializer = strait::TrivialSerializer<>;
#elif STRAIT_REJECT == 5
using Serializer = strait::TrivialSerializer<Deep>;
#elif STRAIT_REJECT == 6
using Serializer = strait::TrivialSerializer<Seen>;
#elif STRAIT_REJECT == 7
using Serializer = strait::TrivialSerializer<Bound>;
#elif STRAIT_REJECT == 8
using Serializer = strait::TrivialSerializer<Wrapped>;
#elif STRAIT_REJECT == 9
using Serializer = strait::TrivialSerializer<Ping, Ping>;
#endif

int main() { return Serializer::schema_hash == 0; }
