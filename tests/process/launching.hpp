#pragma once

// The ways in which a test's child meets its parent.

#include <string>
#include <utility>

#include "process/peers.hpp"
#include "strait/launch.hpp"
#include "support/native.hpp"

namespace strait_test {

using strait::ByName;
using strait::Inherited;
using strait::LaunchOptions;

/// A transport and a way to meet.
template <class T, class How>
struct Way {
  using Link = ProcessLink<T>;
  using Transport = T;

  static strait::Result<strait::Launched<Link>> launch(std::string role,
                                                       LaunchOptions options = {
                                                           .timeout = long_enough}) {
    return strait::launch<Link, How>(own_program(), {"--child", std::move(role), word<T>()},
                                     options);
  }
};

using MachByName = Way<Mach, ByName>;
using MachInherited = Way<Mach, Inherited>;
using MachCowInherited = Way<MachCow, Inherited>;
using PipeByName = Way<Pipe, ByName>;
using SocketByName = Way<Socket, ByName>;
using SocketInherited = Way<Socket, Inherited>;

}  // namespace strait_test

#define STRAIT_TEST_WAYS \
  MachByName, MachInherited, MachCowInherited, PipeByName, SocketByName, SocketInherited
