#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <utility>

#include "strait/base/chrono.hpp"
#include "strait/base/deadline.hpp"
#include "strait/peer.hpp"
#include "strait/result.hpp"

namespace strait::detail {

/// How much time and room a server has for clients that have not said Hello yet.
struct AcceptLimits {
  std::size_t max_half_open = 16;
  std::chrono::milliseconds timeout{5000};
  /// Which peers are let in at all.
  PeerPolicy peers = PeerPolicy::same_user;
};

/// Clients that have come but not said Hello yet, oldest first. Each has its own time; none holds
/// up another. When one comes too many, the oldest go of those of the user with the most: an honest
/// client is through in a moment, and no user keeps out another one's. A quarter goes at once, so
/// that not all are asked again for each one of a crowd.
template <class Candidate>
class HalfOpen {
 public:
  explicit HalfOpen(AcceptLimits limits = {}) : limits_(limits) {}
  HalfOpen(HalfOpen&& other) noexcept
      : limits_(other.limits_),
        first_(std::exchange(other.first_, nullptr)),
        size_(std::exchange(other.size_, 0)),
        surplus_(std::exchange(other.surplus_, 0)),
        resume_(other.resume_) {}
  HalfOpen& operator=(HalfOpen&& other) noexcept {
    limits_ = other.limits_;
    std::swap(first_, other.first_);
    std::swap(size_, other.size_);
    surplus_ = std::exchange(other.surplus_, 0);
    resume_ = other.resume_;
    return *this;
  }
  ~HalfOpen() {
    while (first_ != nullptr) erase(&first_);
  }

  bool empty() const { return first_ == nullptr; }
  bool overfull() const { return size_ > limits_.max_half_open; }

  /// The system has nothing left to let another one in with: no client is asked in for a while.
  void pause() { resume_ = Deadline::after(std::chrono::milliseconds{100}); }
  bool paused() const { return !resume_.is_never(); }
  /// Ends the pause if its time is up.
  bool resume() {
    if (!resume_.passed()) return false;
    resume_ = Deadline::never();
    return true;
  }

  /// Errors: `std::errc::not_enough_memory`.
  Result<void> add(Candidate candidate) {
    auto* node = new (std::nothrow) Node{std::move(candidate), Deadline::after(limits_.timeout)};
    if (node == nullptr) return no_memory();
    Node** end = &first_;
    while (*end != nullptr) end = &(*end)->next;
    *end = node;
    ++size_;
    return {};
  }

  /// Takes the first candidate of which `ask(candidate)` has something else to say than
  /// `would_block`, or whose time is up (`handshake_timeout`), or that has to make room (the same).
  /// Calls `done(candidate, result)` with it and returns what that returns; `empty` if there is
  /// none.
  template <class Ask, class Done>
  auto next(Ask&& ask, Done&& done)
      -> decltype(done(std::declval<Candidate&>(), ask(std::declval<Candidate&>()))) {
    for (Node** at = &first_; *at != nullptr && surplus_ == 0; at = &(*at)->next) {
      auto answer = ask((*at)->candidate);
      if (!answer && answer.error() == Errc::would_block && !(*at)->deadline.passed()) continue;
      Candidate candidate = std::move((*at)->candidate);
      erase(at);
      if (!answer && answer.error() == Errc::would_block) {
        return done(candidate, Errc::handshake_timeout);
      }
      return done(candidate, std::move(answer));
    }
    if (surplus_ == 0) {
      if (!overfull()) return Errc::empty;
      surplus_ = 1 + limits_.max_half_open / 4;  // all of them are silent
    }
    --surplus_;
    Node** surplus = oldest_of_largest_user();
    Candidate oldest = std::move((*surplus)->candidate);
    erase(surplus);
    return done(oldest, Errc::handshake_timeout);
  }

  /// When the oldest one's time, or the pause, is up.
  Deadline deadline() const {
    return first_ != nullptr ? Deadline::earlier(first_->deadline, resume_) : resume_;
  }

 private:
  struct Node {
    Candidate candidate;
    Deadline deadline;
    Node* next = nullptr;
  };

  static UserId user_of(const Candidate& candidate) {
    if constexpr (requires { candidate.credentials.uid; }) {
      return candidate.credentials.uid;
    } else {
      return {};
    }
  }

  Node** oldest_of_largest_user() {
    Node** found = &first_;
    std::size_t most = 0;
    for (Node** at = &first_; *at != nullptr; at = &(*at)->next) {
      std::size_t count = 0;
      for (const Node* node = *at; node != nullptr; node = node->next) {
        count += user_of(node->candidate) == user_of((*at)->candidate);
      }
      // A user's oldest one has all the others behind it.
      if (count > most) {
        most = count;
        found = at;
      }
    }
    return found;
  }

  void erase(Node** at) {
    Node* node = std::exchange(*at, (*at)->next);
    --size_;
    delete node;
  }

  AcceptLimits limits_;
  Node* first_ = nullptr;
  std::size_t size_ = 0;
  /// How many are to go without being asked again.
  std::size_t surplus_ = 0;
  Deadline resume_ = Deadline::never();
};

}  // namespace strait::detail
