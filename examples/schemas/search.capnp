@0x9be5f1c2a4d70836;

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("search");

struct Query {
  path @0 :Text;
  words @1 :List(Text);
  limit @2 :UInt32 = 10;
}

struct Hits {
  lines @0 :List(UInt32);
}
