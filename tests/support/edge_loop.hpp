#pragma once

#include <chrono>

#include "strait/config.hpp"
#include "strait/os/posix/descriptor.hpp"
#include "support/catch.hpp"

#if STRAIT_HAS_LINUX
#include <sys/epoll.h>
#elif STRAIT_HAS_DARWIN
#include <sys/event.h>
#endif

namespace strait_test {

/// Waits for one descriptor and is told of changes only: EPOLLET, or EV_CLEAR.
class EdgeLoop {
 public:
#if STRAIT_HAS_LINUX
  explicit EdgeLoop(int fd) : set_(::epoll_create1(EPOLL_CLOEXEC)) {
    epoll_event event{};
    event.events = EPOLLIN | EPOLLET;
    REQUIRE(::epoll_ctl(set_.get(), EPOLL_CTL_ADD, fd, &event) == 0);
  }
  bool next_event(std::chrono::milliseconds within) {
    epoll_event event;
    return ::epoll_wait(set_.get(), &event, 1, static_cast<int>(within.count())) == 1;
  }
#elif STRAIT_HAS_DARWIN
  explicit EdgeLoop(int fd) : set_(::kqueue()) {
    struct kevent event {};
    EV_SET(&event, fd, EVFILT_READ, EV_ADD | EV_CLEAR, 0, 0, nullptr);
    REQUIRE(::kevent(set_.get(), &event, 1, nullptr, 0, nullptr) == 0);
  }
  bool next_event(std::chrono::milliseconds within) {
    struct kevent event {};
    const timespec limit{within.count() / 1000, within.count() % 1000 * 1'000'000};
    return ::kevent(set_.get(), nullptr, 0, &event, 1, &limit) == 1;
  }
#endif

 private:
  strait::os::Descriptor set_;
};

}  // namespace strait_test
