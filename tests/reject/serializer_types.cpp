// expect: strait: TrivialSerializer sends trivially copyable types only
// expect: strait: a pointer means nothing in another process.
// expect: strait: messages are aligned to 64 bytes at the most.
// expect: strait: TrivialSerializer needs at least one message type.

#include <strait/serializers/trivial.hpp>

#include <string>

struct Ping {
  int id;
};
struct Named {
  std::string name;
};
struct alignas(128) Wide {
  int id;
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
#endif

int main() { return Serializer::schema_hash == 0; }
