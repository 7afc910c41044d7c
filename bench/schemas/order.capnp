@0xc3a9d0e5b7f41268;

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("order_capnproto");

struct Order {
  number @0 :UInt64;
  customer @1 :Text;
  item @2 :Text;
  lines @3 :List(Int32);
  discount @4 :Float64;
}
