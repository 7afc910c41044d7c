#pragma once

#include <cstddef>
#include <utility>

#include "strait/base/owner.hpp"
#include "strait/base/queue.hpp"
#include "strait/os/mutex.hpp"
#include "strait/os/native_handle.hpp"
#include "strait/os/owner_process.hpp"
#include "strait/os/wait_set.hpp"
#include "strait/result.hpp"

namespace strait {

/// A loop of your own as an executor: any thread posts tasks, and the loop's thread runs them when
/// the descriptor is readable. It must outlive what posts.
///
/// Threads: `post` from any, also from a task; the rest from the loop's thread alone.
class TaskQueue {
 public:
  /// Errors: the system's.
  static Result<detail::Owner<TaskQueue>> create() {
    auto wakeup = os::wait_set_with_signal();
    if (!wakeup) return wakeup.error();
    return detail::Owner<TaskQueue>(new TaskQueue(std::move(*wakeup)));
  }
  ~TaskQueue() {
    if (owner_.is_this() || detail::Lock(mutex_, detail::TryToLock())) return;
    // A thread that this forked process has not was posting: its change may be half done.
    static auto& kept = *new detail::Queue<Tasks>;
    kept.push(std::move(tasks_));
  }
  TaskQueue(const TaskQueue&) = delete;
  TaskQueue& operator=(const TaskQueue&) = delete;

  /// Has `task()` be called by a later `run`. Blocking: never for long.
  template <class Task>
  void post(Task task) {
    detail::Owner<AnyEntry> entry(new Entry<Task>(std::move(task)));
    const detail::Lock locked(mutex_);
    tasks_.push(std::move(entry));
    static_cast<void>(wakeup_.signal());
  }

  /// Runs what has been posted before this call, in order; returns how many tasks that were.
  std::size_t run() {
    const Renewal renewal{*this};
    std::size_t count = 0;
    for (std::size_t left = size(); left != 0; --left, ++count) {
      const auto task = take();
      if (!task) break;  // a task that called this, too, has run the rest
      task->run();
    }
    return count;
  }

  /// Readable when there is something to `run`; an edge-triggered loop (EPOLLET) runs it once for
  /// each event. Ownership: the queue's.
  NativeHandle native_handle() const noexcept { return wakeup_.native_handle(); }

  /// An executor that posts here, as `ChannelProxy::start` wants one.
  auto executor() noexcept {
    return [this](auto task) { post(std::move(task)); };
  }

 private:
  struct AnyEntry {
    virtual ~AnyEntry() = default;
    virtual void run() = 0;
  };
  template <class Task>
  struct Entry final : AnyEntry {
    explicit Entry(Task posted) : task(std::move(posted)) {}
    void run() override { task(); }
    Task task;
  };

  using Tasks = detail::Queue<detail::Owner<AnyEntry>>;

  /// An edge-triggered loop has to hear again of what is left, also when a task throws.
  struct Renewal {
    TaskQueue& queue;
    ~Renewal() {
      const detail::Lock locked(queue.mutex_);
      if (!queue.tasks_.empty()) static_cast<void>(queue.wakeup_.renew());
    }
  };

  explicit TaskQueue(os::WaitSet wakeup) : wakeup_(std::move(wakeup)) {}

  std::size_t size() {
    const detail::Lock locked(mutex_);
    return tasks_.size();
  }
  detail::Owner<AnyEntry> take() {
    const detail::Lock locked(mutex_);
    if (tasks_.empty()) return {};
    auto entry = tasks_.pop();
    if (tasks_.empty()) wakeup_.clear();
    return entry;
  }

  os::Mutex mutex_;
  Tasks tasks_;
  os::WaitSet wakeup_;
  os::OwnerProcess owner_;
};

}  // namespace strait
