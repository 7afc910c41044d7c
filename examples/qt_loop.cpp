// Calls in a Qt program: asked from its event loop, answered in it, each with its own time.

#include <QCoreApplication>
#include <QTimer>

#include <chrono>
#include <cstdio>
#include <utility>
#include <vector>

#include <strait/answering.hpp>
#include <strait/caller.hpp>
#include <strait/loops/qt.hpp>
#include <strait/strait.hpp>

using namespace std::chrono_literals;

struct Render {
  int page;
};
struct Rendered {
  int page;
  int milliseconds;
};
using Link = strait::Channel<strait::MachTransport<>,
                             strait::Calls<strait::TrivialSerializer<Render, Rendered>>>;

int main(int count, char** arguments) {
  QCoreApplication application(count, arguments);
  auto [left, right] = Link::pair().value();
  strait::Caller viewer(std::move(left));
  Link& renderer = right;  // in another process, in earnest

  // It renders a page in a timer of its own, and replies then; page 3 takes too long.
  std::vector<strait::Reply<Link>> replies(4);
  const auto render = [&](const Render& asked, strait::Reply<Link> reply) {
    const int page = asked.page;
    replies.at(static_cast<std::size_t>(page)) = std::move(reply);
    if (page == 3) return;
    QTimer::singleShot(page, [&replies, page] {
      replies.at(static_cast<std::size_t>(page)).send(Rendered{page, page}).value();
    });
  };
  const auto rendering =
      strait::QtWatch::start(renderer, strait::answering(renderer, render)).value();
  const auto viewing = strait::QtWatch::start(viewer, [](const Rendered&) {}).value();

  int ended = 0;
  const auto show = [&](strait::Result<Rendered> page) {
    if (page) std::printf("page %d took %d ms\n", page->page, page->milliseconds);
    if (!page) std::printf("no page: %s\n", page.error().message().c_str());
    if (++ended == 3) QCoreApplication::quit();
  };
  for (const int page : {1, 2}) viewer.call<Rendered>(Render{page}, 5s, show).value();
  viewer.call<Rendered>(Render{3}, 50ms, show).value();
  return QCoreApplication::exec();
}
