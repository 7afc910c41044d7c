@0xb1d7c2a4e0f39586;

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("packed");

struct Entry {
  name @0 :Text;
  bytes @1 :Int64;
  entries @2 :List(Entry);
}

struct Request {
  path @0 :Text;
  user @1 :Text;
  ids @2 :List(Int32);
  limit @3 :UInt32;
}
