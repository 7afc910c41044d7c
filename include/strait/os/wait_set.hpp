#pragma once

#include "strait/config.hpp"
#include "strait/os/interest.hpp"

#if STRAIT_HAS_LINUX
#include "strait/os/linux/epoll_wait_set.hpp"
#elif STRAIT_HAS_DARWIN
#include "strait/os/darwin/kqueue_wait_set.hpp"
#elif STRAIT_HAS_WINDOWS
#include "strait/os/windows/wait_set.hpp"
#endif

namespace strait::os {

/// A set whose `signal` can't fail any more: the first one takes a descriptor.
inline Result<WaitSet> wait_set_with_signal() {
  auto set = WaitSet::create();
  if (!set) return set;
  if (auto signalled = set->signal(); !signalled) return signalled.error();
  set->clear();
  return set;
}

/// Has the set watch `wanted` in place of `watched`, which is what it watches then.
inline Result<void> watch_instead(WaitSet& set, Interest& watched, const Interest& wanted) {
  if (watched == wanted) return {};
  if (watched && watched.handle != wanted.handle) set.forget(watched.handle);
  watched = wanted;
  return wanted ? set.watch(wanted) : Result<void>();
}
/// The same of two, which may be about one handle, and change places: a set has each handle once.
inline Result<void> watch_instead(WaitSet& set, Interests& watched, Interests wanted) {
  if (wanted.out.handle == wanted.in.handle) {
    wanted.in.read = wanted.in.read || wanted.out.read;
    wanted.in.write = wanted.in.write || wanted.out.write;
    wanted.out = {};
  }
  const Interests before = watched;
  watched = wanted;
  for (const Interest& one : {before.in, before.out}) {
    if (one && one.handle != wanted.in.handle && one.handle != wanted.out.handle) {
      set.forget(one.handle);
    }
  }
  for (const Interest& one : {wanted.in, wanted.out}) {
    if (!one || one == before.in || one == before.out) continue;
    if (auto added = set.watch(one); !added) return added;
  }
  return {};
}

}  // namespace strait::os
