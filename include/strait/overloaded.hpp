#pragma once

namespace strait {

/// A listener out of several callables: `overloaded{[](const Ping&) {...}, [](const Pong&) {...}}`.
template <class... Callables>
struct overloaded : Callables... {
  using Callables::operator()...;
};
template <class... Callables>
overloaded(Callables...) -> overloaded<Callables...>;

}  // namespace strait
